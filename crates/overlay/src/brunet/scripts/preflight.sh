#!/bin/sh
# What will keep the node from working here, in plain words: lines "fail CAUSE TEXT" and "warn TEXT".
PATH=$PATH:/usr/local/bin:/usr/bin:/opt/mono/bin:/sbin:/usr/sbin
LC_ALL=C
export PATH LC_ALL
minimum=@MONO_MIN@

# Less than this many KiB on the disk is worth a warning: a day's log may have 10 MB.
DISK_KIB=51200

# older A B: version A is older than B; numbers with dots.
older() {
  a=$1. b=$2.
  while [ -n "$b" ]; do
    left=${a%%.*} right=${b%%.*}
    [ "${left:-0}" -ge "${right:-0}" ] || return 0
    [ "${left:-0}" -le "${right:-0}" ] || return 1
    a=${a#*.} b=${b#*.}
  done
  return 1
}

refuse() {
  echo "fail $*"
  exit
}

check_bundled() {
  read -r runtime <"$RELEASE/runtime"
  mono=${SHARED%/shared}/runtimes/$runtime/mono
  [ -f "$mono" ] || refuse no_runtime "the bundled Mono is not on this host; run a check to send it again"
  {
    read -r made
    read -r libc
  } <"${mono%/mono}/needs"
  machine=$(uname -m)
  [ "$machine" = "$made" ] ||
    refuse wrong_architecture "the bundled Mono is for $made and this machine is $machine: install Mono here and choose the system runtime"
  has=$(getconf GNU_LIBC_VERSION 2>/dev/null) || has=$(ldd --version 2>/dev/null | head -n 1)
  has=${has##* }
  case $has in
    [0-9]*.[0-9]*)
      ! older "$has" "$libc" ||
        refuse no_runtime "the bundled Mono needs glibc $libc and this host has $has: install Mono here and choose the system runtime"
      ;;
  esac
  said=$("$mono" --version 2>&1) ||
    refuse no_runtime "the bundled Mono does not run here (it needs glibc $libc, and no musl): $(printf '%s' "$said" | tail -n 1)"
}

check_system() {
  mono=$(command -v mono) ||
    refuse no_runtime "no mono was found in $PATH: install it, or choose the bundled runtime for the pool"
  said=$("$mono" --version 2>&1) || refuse no_runtime "$mono does not run: $(printf '%s' "$said" | tail -n 1)"
  # Mono JIT compiler version 6.8.0.105 (Debian ...)
  said=${said#*version }
  said=${said%%[!0-9.]*}
  case $said in
    [0-9]*) ;;
    *)
      echo "warn the version of $mono can't be told; the pool wants at least $minimum"
      return
      ;;
  esac
  ! older "$said" "$minimum" ||
    refuse no_runtime "Mono $said is older than the pool's minimum $minimum: install a newer one, or choose the bundled runtime for the pool"
}

check_ifconfig() {
  if [ ! -x /sbin/ifconfig ]; then
    echo "warn /sbin/ifconfig is missing: a node as it was in 2010 runs it at its start and ends at once without it; install net-tools, unless your bundle was repaired"
    return
  fi
  case $(/sbin/ifconfig 2>/dev/null) in
    *"inet addr:"*) ;;
    *"inet "*)
      echo "warn /sbin/ifconfig writes addresses in its newer form: a node as it was in 2010 can't read that, so it finds other nodes but the ring never forms; unless your bundle was repaired, put net-tools 1.60 there"
      ;;
    *) echo "warn /sbin/ifconfig tells no address: a node as it was in 2010 takes its own addresses from it, and without any the ring never forms" ;;
  esac
}

check_disk() {
  # the last line; its words are numbers
  # shellcheck disable=SC2046
  set -- $(df -Pk "$SHARED" 2>/dev/null | tail -n 1)
  case ${4-} in "" | *[!0-9]*) return ;; esac
  [ "$4" -ge "$DISK_KIB" ] || echo "warn only $4 KiB are free here; on a full disk the node can keep neither its address nor logs"
}

# Only the local node has an XML-RPC server, which can't be told to listen on loopback only: a network namespace
# keeps others away from it, where one can be had. What is found is kept in $SHARED/network for `run`.
check_network() {
  [ -f "$SHARED/config/network" ] || return
  read -r network why <"$SHARED/config/network"
  [ "$network" != own ] || names_resolve || network=host
  if [ "$network" = own ] && ! sh "$RELEASE/network" /dev/null true >"$SHARED/network.said" 2>&1; then
    network=host
    why=$(tail -n 1 "$SHARED/network.said")
    why="${why:-none can be made here}; apt-get install passt brings what is needed, unless user namespaces are forbidden"
  fi
  rm -f "$SHARED/network.said"
  printf '%s\n' "$network" >"$SHARED/network.new"
  mv -f "$SHARED/network.new" "$SHARED/network"
  [ "$network" = own ] || check_exposed
}

# names_resolve: a name server on loopback can't be asked from another network. That matters only to names.
names_resolve() {
  grep "<Transport>brunet[.][a-z]*://[^<]*[A-Za-z-][^<]*:" "$SHARED/config/node.config" >/dev/null || return 0
  ! grep "^nameserver *127[.]" /etc/resolv.conf >/dev/null 2>&1 && return
  why="hosts have names, and the name server of this machine can only be asked from itself"
  return 1
}

check_exposed() {
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      *"<Port>"*"</Port>"*)
        port=${line#*"<Port>"}
        port=${port%%"</Port>"*}
        echo "warn XML-RPC port $port listens on every address and has no password: let this machine's firewall refuse it from outside, such as: nft add rule inet filter input iifname != \"lo\" tcp dport $port drop (the local node is in no network namespace of its own: $why)"
        return
        ;;
    esac
  done <"$SHARED/config/node.config"
}

if [ -f "$RELEASE/runtime" ]; then check_bundled; else check_system; fi
check_ifconfig
check_network
check_disk
