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

# Only the local node has an XML-RPC server, which can't be told to listen on loopback only.
check_exposed() {
  [ -f "$SHARED/config/node.config" ] || return
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      *"<Port>"*"</Port>"*)
        port=${line#*"<Port>"}
        port=${port%%"</Port>"*}
        echo "warn XML-RPC port $port listens on every address and has no password: let this machine's firewall refuse it from outside, such as: nft add rule inet filter input iifname != \"lo\" tcp dport $port drop"
        return
        ;;
    esac
  done <"$SHARED/config/node.config"
}

if [ -f "$RELEASE/runtime" ]; then check_bundled; else check_system; fi
check_ifconfig
check_exposed
check_disk
