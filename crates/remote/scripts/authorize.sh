#!/bin/sh
# sh authorize.sh add|remove OLD NEW: replaces a key in ~/.ssh/authorized_keys; keys as "algorithm base64".
# Writes a whole new file beside the old one and renames it, through links, so that there is never a file
# with half of the keys. The new key gets the options that the old one has, and the old one is only taken
# away where the new one stands. One at a time: a link beside the file names who changes it.
umask 077
LC_ALL=C
[ "$2" != "$3" ] || { echo "the old key is the new one" >&2; exit 65; }
file=$HOME/.ssh/authorized_keys
real=$(readlink -f "$file" 2>/dev/null) && [ -n "$real" ] && file=$real
[ -f "$file" ] || { mkdir -p "$HOME/.ssh" && true >>"$file"; } || exit 1
lock=$file.p2ppool.lock
machine=$(uname -n)
looks=0
until ln -s "$$@$machine" "$lock" 2>/dev/null; do
  holder=$(readlink "$lock") || holder=
  case $holder in
    *"@$machine") kill -s 0 "${holder%%@*}" 2>/dev/null || rm -f "$lock" ;;
  esac
  looks=$((looks + 1))
  [ $looks -le 200 ] || { echo "$lock is held by ${holder:-nobody}; delete it when that is no process any more" >&2; exit 65; }
  sleep 0.1 2>/dev/null || sleep 1
done
new=$file.p2ppool.$$
trap 'rm -f "$new" "$lock"' EXIT
trap 'exit 1' HUP INT TERM
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
# of two that took the place of one that died, the later one holds it
if [ "$(readlink "$lock")" != "$$@$machine" ]; then
  trap 'rm -f "$new"' EXIT
  echo "somebody else changes $file now; nothing was changed" >&2
  exit 65
fi
mv -f "$new" "$file" || exit 1
echo changed
