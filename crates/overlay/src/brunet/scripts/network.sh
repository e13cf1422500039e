#!/bin/sh
# A network namespace for the local node, whose XML-RPC server listens on every address without a password:
# of its ports, pasta opens to the world those that nodes meet at, and the XML-RPC port to this machine only.
#
#   network PORTS PROGRAM [ARGUMENT…]   becomes the program, in the same process
#
# PORTS is a file of lines "PROTOCOL ADDRESS PORT"; a port at 127.0.0.1 is this machine's own.
set -eu

# How often it is looked whether the other side is ready, a tenth of a second apart: five seconds in all.
LOOKS_MAX=50
# pasta comes as packages write it, or where people put it.
PATH=$PATH:/usr/local/bin:/usr/bin
export PATH

# until_true COMMAND…: looks again and again; 1: it never was.
until_true() {
  looks=0
  until "$@"; do
    looks=$((looks + 1))
    [ "$looks" -lt "$LOOKS_MAX" ] || return 1
    sleep 0.1
  done
}

# apart PID: it has its own network and knows who it is in its user namespace.
apart() {
  there=$(readlink "/proc/$1/ns/net" 2>/dev/null) || return 1
  [ "$there" != "$here" ] && [ -n "$(cat "/proc/$1/uid_map" 2>/dev/null)" ]
}

# linked: there is a way out.
linked() {
  while read -r _ destination _; do
    [ "$destination" != 00000000 ] || return 0
  done </proc/self/net/route
  return 1
}

# link PID PORTS: connects its network with this one for as long as both live.
link() {
  here=$(readlink /proc/self/ns/net)
  until_true apart "$1" || return 0
  set -- "$1" "$2" "$there"
  ports=
  while read -r protocol address port _; do
    case $port in "" | *[!0-9]*) continue ;; esac
    [ "$address" != 127.0.0.1 ] || port=127.0.0.1/$port
    case $protocol in
      tcp) ports="$ports -t $port" tcp=some ;;
      udp) ports="$ports -u $port" udp=some ;;
    esac
  done <"$2"
  [ -n "${tcp-}" ] || ports="$ports -t none"
  [ -n "${udp-}" ] || ports="$ports -u none"
  who=
  # as root it would become nobody, who may not enter
  [ "$(id -u)" -ne 0 ] || who="--runas 0:0"
  # shellcheck disable=SC2086 # words
  pasta --foreground --quiet $who --ipv4-only --config-net --no-map-gw $ports -T none -U none "$1" &
  pasta=$!
  while [ "$(readlink "/proc/$1/ns/net" 2>/dev/null)" = "$3" ] && kill -0 "$pasta" 2>/dev/null; do sleep 1; done
  # a node that nobody can reach is started again; pasta has nothing to do for one that is gone
  kill "$pasta" 2>/dev/null || :
  [ "$(readlink "/proc/$1/ns/net" 2>/dev/null)" != "$3" ] || kill -s INT "$1" 2>/dev/null || :
}

if [ "$1" = --linked ]; then
  shift
  until_true linked || {
    echo "the node's network namespace got no way out"
    exit 1
  }
  exec "$@"
fi

ports=$1
shift
for tool in unshare pasta readlink; do
  command -v "$tool" >/dev/null || {
    echo "$tool is not installed here"
    exit 1
  }
done
link "$$" "$ports" </dev/null &
exec unshare --user --map-root-user --net sh "$0" --linked "$@"
