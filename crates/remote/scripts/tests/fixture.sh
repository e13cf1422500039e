# What the tests of host.sh share: a package with a small node, a session with the script, and expectations.
# shellcheck shell=sh disable=SC2034,SC2123,SC2154
# Limits of the script, made short.
export P2PPOOL_READY_WAIT=10 P2PPOOL_STOP_WAIT=3 P2PPOOL_LOCK_WAIT=10 P2PPOOL_BACKOFF_MAX=60

# A test may have made PATH smaller when it wants a parser.
NODE_JS=$(command -v node) PYTHON=$(command -v python3)

# one_test: NAME, in the folder WORK, with the shell under test first in PATH.
one_test() {
  ROOT=$WORK/root
  PATH=$SHELL_BIN:$PATH
  cd "$WORK" || exit 1
  "$NAME"
  nothing_left
}

# processes: ids of those whose command line holds this test's folder (grep's own does not: it has the pattern in a file).
processes() {
  echo "$WORK/" >"$WORK.pattern"
  grep -lzF -f "$WORK.pattern" /proc/[0-9]*/cmdline 2>/dev/null | sed 's/[^0-9]//g'
}

kill_left() {
  for id in $(processes); do kill -s KILL "$id" 2>/dev/null; done
}

nothing_left() {
  # the logger ends a moment after the node
  for id in $(processes); do
    eventually ended "$id" || {
      echo "left running: $id $(tr '\0' ' ' <"/proc/$id/cmdline")"
      exit 1
    }
  done
}

ended() { [ ! -e "/proc/$1" ] || ! grep -q '^State:.[^ZX]' "/proc/$1/status"; }

stop_test() {
  echo "$*"
  exit 1
}

skip() {
  echo "$*"
  exit 77
}

# eventually COMMAND...: waits until it succeeds, however busy the machine is, but not for ever.
eventually() {
  limit=$(($(date +%s) + 60))
  until "$@"; do
    [ "$(date +%s)" -le "$limit" ] || {
      echo "never came true: $*"
      return 1
    }
    sleep 0.05
  done
}

must_come() { eventually "$@" || exit 1; }

# answers STEP [FIELDS...]: the last answer is to that step and holds these texts.
has() {
  for want in "$@"; do
    case $ANSWER in
      *"$want"*) ;;
      *) stop_test "wanted $want in: $ANSWER" ;;
    esac
  done
}

lacks() {
  for unwanted in "$@"; do
    case $ANSWER in *"$unwanted"*) stop_test "did not want $unwanted in: $ANSWER" ;; esac
  done
}

is() { [ "$1" = "$2" ] || stop_test "wanted '$2', got '$1'${3:+ ($3)}"; }

there() { [ -e "$1" ] || stop_test "$1 is missing"; }

absent() { if [ -e "$1" ]; then stop_test "$1 is there: $(ls -la "$1")"; fi; }

# host STEP [KEY=VALUE...]: one step as a person does it; ANSWER is what it said.
host() {
  step=$1
  shift
  ANSWER=$(sh "$HOST_SH" "$step" "$ROOT" "$@" </dev/null 2>"$WORK/err")
}

ok() {
  host "$@"
  has "\"step\":\"$1\",\"ok\":true"
}

# refused CAUSE STEP [KEY=VALUE...]
refused() {
  cause=$1
  shift
  host "$@"
  has "\"step\":\"$1\",\"ok\":false,\"cause\":\"$cause\""
}

# session: the requests (and payloads) are in $WORK/request; they come by a pipe, as from sshd.
# The answers are in $WORK/answers, ANSWER is the last line.
session() {
  # shellcheck disable=SC2002 # a pipe is the point
  cat "$WORK/request" | sh -c "$(cat "$HOST_SH")" p2ppool-host serve "$ROOT" >"$WORK/answers" 2>"$WORK/err"
  ANSWER=$(tail -n 1 "$WORK/answers")
}

# line N: ANSWER is the N-th line of the session.
line() { ANSWER=$(sed -n "$1p" "$WORK/answers"); }

# json_valid FILE: every line is JSON, by a parser that is not ours.
json_valid() {
  if [ -n "$NODE_JS" ]; then
    "$NODE_JS" -e 'for (const l of require("fs").readFileSync(process.argv[1], "utf8").split("\n")) if (l) JSON.parse(l)' "$1"
  else
    "$PYTHON" -c 'import json, sys; [json.loads(l) for l in open(sys.argv[1], "rb") if l.strip()]' "$1"
  fi || stop_test "not JSON: $(cat "$1")"
}

# field NAME: VALUE of the last answer, a plain number or text.
field() {
  VALUE=${ANSWER#*\""$1"\":}
  VALUE=${VALUE%%[,\}]*}
  VALUE=${VALUE#\"}
  VALUE=${VALUE%\"}
}

# A node that says it is up, keeps an identity and ends on TERM. Its command line holds the test's folder.
quiet_node() {
  cat <<'NODE'
trap 'echo "node ends"; rm -f up; exit 0' TERM
[ -f identity ] || echo "id-$$" >identity
echo "node up, package $PACKAGE"
echo "{\"pid\":$$,\"peer_id\":\"$(cat identity)\"}" >node.json
: >up
while :; do
  sleep 1 >/dev/null 2>&1 &
  wait $!
done
NODE
}

# new_package NAME: from the files in $WORK/pack.NAME, to which the usual ones are added; TGZ, DIGEST, SIZE.
new_package() {
  pack=$WORK/pack.$1
  mkdir -p "$pack/node"
  cp "$HOST_SH" "$pack/host.sh"
  echo "$1" >"$pack/node/version"
  [ -f "$pack/run" ] || quiet_node >"$pack/run"
  [ -f "$pack/ready" ] || echo '[ -e up ]' >"$pack/ready"
  TGZ=$WORK/$1.tgz
  tar -czf "$TGZ" -C "$pack" .
  DIGEST=$(sha256sum <"$TGZ")
  DIGEST=${DIGEST%% *}
  SIZE=$(($(wc -c <"$TGZ")))
}

# upload: the present package, by a session of its own.
upload() {
  {
    echo "'receive' 'digest=$DIGEST' 'size=$SIZE'"
    cat "$TGZ"
  } >request; session
}

install() {
  new_package "$1"
  upload
  has '"step":"receive","ok":true,"changed":true'
  ok activate "digest=$DIGEST"
}

running() {
  ok status
  has '"state":"running"'
}

# node_with TEXT NAME: a package whose node is this script.
node_with() {
  mkdir -p "$WORK/pack.$2"
  printf '%s\n' "$1" >"$WORK/pack.$2/run"
}

configure() {
  {
    echo "'configure' 'name=$1' 'size=${#2}'"
    printf '%s' "$2"
  } >request; session
}

# limited_path TOOL...: a PATH with every program but these, the shell under test included.
limited_path() {
  mkdir "$WORK/path"
  case $SHELL_BIN in
    */alpine.bin) ln -s "$SHELL_BIN"/* "$WORK/path/" ;;
    *)
      ln -sf /bin/* /usr/bin/* /usr/sbin/* "$WORK/path/"
      ln -sf "$SHELL_BIN/sh" "$WORK/path/sh"
      ;;
  esac
  for tool in "$@"; do rm -f "$WORK/path/$tool"; done
  PATH=$WORK/path
}

# small_disk OPTIONS: mounts a tmpfs at $WORK/disk, as root.
small_disk() {
  mkdir "$WORK/disk"
  [ "$(id -u)" -eq 0 ] || skip "needs root to mount a small file system"
  mount -t tmpfs -o "$1" p2ppool-test "$WORK/disk" 2>/dev/null || skip "this machine lets nobody mount a tmpfs"
  trap 'umount -l "$WORK/disk"' EXIT
}

# record_of PID: as the script writes it.
record_of() {
  stat=$(cat "/proc/$1/stat")
  # shellcheck disable=SC2086 # the words of the line
  set -- "$1" ${stat##*) }
  echo "$1 ${21} $(cat /proc/sys/kernel/random/boot_id)"
}
