#!/bin/sh
# sh authorize.sh add|remove OLD NEW: replaces a key in ~/.ssh/authorized_keys; keys as "algorithm base64".
# Writes a whole new file beside the old one and renames it, through links, so that there is never a file
# with half of the keys. The new key gets the options that the old one has, and the old one is only taken
# away where the new one stands.
umask 077
LC_ALL=C
file=$HOME/.ssh/authorized_keys
real=$(readlink -f "$file" 2>/dev/null) && [ -n "$real" ] && file=$real
[ -f "$file" ] || { mkdir -p "$HOME/.ssh" && true >>"$file"; } || exit 1
new=$file.p2ppool.$$
trap 'rm -f "$new"' EXIT
has() { while IFS= read -r line || [ -n "$line" ]; do case $line in *"$1"*) return 0 ;; esac; done <"$file"; return 1; }
case $1 in
  add)
    if has "$3"; then echo unchanged; exit 0; fi
    options=
    while IFS= read -r line || [ -n "$line" ]; do
      printf "%s\n" "$line" || exit 1
      case $line in "#"*) ;; *"$2"*) options=${line%%"$2"*} ;; esac
    done <"$file" >"$new" || exit 1
    printf "%s%s\n" "$options" "$3" >>"$new" || exit 1
    ;;
  remove)
    has "$3" || { echo "the new key is not in $file" >&2; exit 65; }
    has "$2" || { echo unchanged; exit 0; }
    while IFS= read -r line || [ -n "$line" ]; do
      case $line in *"$2"*) continue ;; esac
      printf "%s\n" "$line" || exit 1
    done <"$file" >"$new" || exit 1
    ;;
esac
mv -f "$new" "$file" || exit 1
echo changed
