# shellcheck shell=sh
# A small host script: speaks the protocol, keeps nothing.
printf '{"hello":"p2ppool-host","version":1,"pid":%s,"user":"u","arch":"x86_64","home":"/","missing":[]}\n' $$
while IFS= read -r line; do
    eval "set -- $line"
    step=$1
    size=0
    for word; do case $word in size=*) size=${word#size=} ;; esac; done
    case $step in
    status) echo '{"step":"status","ok":true,"installed":[],"current":null,"previous":null,"state":"none","wanted":"stop","pid":null,"supervisor":null,"restarts":0,"node":null}' ;;
    receive)
        echo '{"step":"receive","go":true}'
        sum=$(head -c "$size" | sha256sum)
        if [ "digest=${sum%% *}" = "$2" ]; then
            echo '{"step":"receive","ok":true,"unchanged":false}'
        else
            echo '{"step":"receive","ok":false,"cause":"digest_mismatch","message":"not what was sent"}'
        fi
        ;;
    configure)
        # takes a part, then refuses, and swallows the rest
        echo '{"step":"configure","go":true}'
        head -c 1000 > /dev/null
        echo '{"step":"configure","ok":false,"cause":"disk_full","message":"no space"}'
        head -c $((size - 1000)) > /dev/null
        ;;
    activate) echo '{"step":"activate","ok":true,"changed":"maybe"}' ;;
    logs) printf '{"step":"logs","ok":true,"size":5}\n12345' ;;
    data) printf '{"step":"data","ok":true,"size":500}\n12345'; exit 0 ;;
    stop) echo "chatter" >&2; sleep 600 ;;
    remove) kill -KILL $$ ;;
    start) head -c 100000 /dev/zero | tr '\0' x ;;
    bye) exit 0 ;;
    esac
done
