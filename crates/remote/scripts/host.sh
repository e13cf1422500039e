#!/bin/sh
# The program that p2ppool runs on a host. POSIX sh (dash, busybox ash, bash), no root.
#
#   sh host.sh serve INSTALL_PATH              answers requests of the manager on stdin
#   sh host.sh STEP INSTALL_PATH [KEY=VALUE…]  one step, for a person:
#       status start stop restart remove usage activate receive configure logs data
#   sh host.sh supervise INSTALL_PATH          keeps the node running; its output is the log
#   sh host.sh detach INSTALL_PATH [S [TIME]]  the same with its logger, in the background; `start` uses it and
#                                              waits until file 4 is closed: the node is ready, ended, or S s passed
#
# Below INSTALL_PATH: releases/DIGEST/, current, previous (text: a digest), shared/ (the working
# folder of the node: identity, data, config/), logs/, run/, and the mark .p2ppool. What several
# releases may share lies in runtimes/DIGEST/: a release names the one it needs in its file `runtime`.
# In run/, a process is known by "PID START BOOT": its id, its start time in clock ticks
# (/proc/PID/stat) and the id of this boot; only a process that still matches is ever signalled.
#
# run/wanted      run, else it shall stop; the supervisor obeys
# run/node        the node process; run/ready is equal to it once the node was ready
# run/package     digest that the node was started from; run/stale: its files changed since
# run/restarts    how often the supervisor restarted it; run/exit: how it ended last
# run/warnings    what the release's `preflight` warned of before the last start, one a line
# run/steps.lock, run/supervisor.lock   see lock()
#
# Answers are one line of JSON each; causes are the names of the manager's `Cause`.

# shellcheck disable=SC2317 # steps are called by their names
# shellcheck disable=SC2015 # A && B || fail: fail ends the step
# shellcheck disable=SC2069 # 2>&1 >file: the errors are wanted, the output goes to the file
umask 077
LC_ALL=C
export LC_ALL

# Limits; seconds and bytes. Tests make them smaller by the environment.
READY_USUAL=${P2PPOOL_READY_WAIT:-15}
READY_WAIT=$READY_USUAL
STOP_WAIT=${P2PPOOL_STOP_WAIT:-10}
LOCK_WAIT=${P2PPOOL_LOCK_WAIT:-5}
BACKOFF_MAX=${P2PPOOL_BACKOFF_MAX:-60}
STEADY_AFTER=${P2PPOOL_STEADY_AFTER:-60}
LOG_BYTES=${P2PPOOL_LOG_BYTES:-10485760}
LOG_FILES=7
DAY_LOOK=${P2PPOOL_DAY_LOOK:-60}
PACKAGE_MAX=1073741824
CONFIG_MAX=1048576
# From here on it is cheaper than sha256sum: it starts slowly, and uses what processors have for this.
SUM_BY_OPENSSL=800000
FETCH_MAX=1073741824
# They travel as arguments of tar.
DATA_FILES_MAX=2000
# What logs of the largest size can take, packed badly.
SCRATCH_KIB=131072
# Packages that need more are refused before they are sent, when the disk has no room.
ASK_ABOVE_KIB=4096
MESSAGE_MAX=3000

D=\"
NL="
"
OUT=
NAP=
BOOT=
OWN=
LOCKED=
HARD=

# ---------------------------------------------------------------- answers

# quote TEXT: Q becomes TEXT as a JSON string of printable ASCII. What is not UTF-8 is dropped.
quote() {
  case $1 in
    *[!A-Za-z0-9\ _./:=+,@%~-]*) Q=$D$(printf "%s" "$1" | quote_bytes)$D ;;
    *) Q=$D$1$D ;;
  esac
}

quote_bytes() {
  if ! command -v awk >/dev/null || ! command -v od >/dev/null; then
    tr -cd "A-Za-z0-9 _./:=+,@%~;()[]-"
    return
  fi
  od -An -v -tu1 | awk '
    function unit(n) { printf "%cu%04x", 92, n }
    function put(n) {
      if (n > 65535) { n -= 65536; unit(55296 + int(n / 1024)); unit(56320 + n % 1024) }
      else if (n < 32 || n > 126 || n == 34 || n == 92) unit(n)
      else printf "%c", n
    }
    { for (i = 1; i <= NF; i++) {
        b = $i + 0
        if (left > 0 && b >= 128 && b < 192) {
          code = code * 64 + b - 128
          if (--left == 0 && code >= least && code < 1114112 && (code < 55296 || code > 57343)) put(code)
          continue
        }
        left = 0
        if (b < 128) put(b)
        else if (b >= 194 && b < 224) { left = 1; code = b - 192; least = 128 }
        else if (b >= 224 && b < 240) { left = 2; code = b - 224; least = 2048 }
        else if (b >= 240 && b < 245) { left = 3; code = b - 240; least = 65536 }
    } }'
}

raw() { OUT=$OUT,$D$1$D:${2:-null}; }

text() {
  if [ -n "$2" ]; then quote "$2"; raw "$1" "$Q"; else raw "$1" null; fi
}

answer() {
  printf "%s\n" "{${D}step${D}:$D$STEP$D,${D}ok${D}:true$OUT}" >&3
  OUT=
}

# fail CAUSE MESSAGE: answers and ends the step.
fail() {
  _message=$2
  [ "${#_message}" -le "$MESSAGE_MAX" ] || _message=$(printf "%s" "$_message" | tail -c "$MESSAGE_MAX")
  quote "$_message"
  printf "%s\n" "{${D}step${D}:$D$STEP$D,${D}ok${D}:false,${D}cause${D}:$D$1$D,${D}message${D}:$Q}" >&3
  exit 1
}

# fail_io WHAT ERROR: finds the cause in what a program said.
fail_io() {
  case $2 in
    *"o space left"* | *"uota exceeded"*) fail disk_full "$1: $2" ;;
    *"ead-only file system"*) fail read_only "$1: $2" ;;
    *"ermission denied"* | *"peration not permitted"*) fail permission_denied "$1: $2" ;;
  esac
  if free_kib && [ "$FREE_KIB" -lt 64 ]; then fail disk_full "$1: no space left ($2)"; fi
  fail other "$1: $2"
}

# attempt COMMAND...: when it fails, ERROR is what it said. It is run again for that: output that is captured costs a
# process more.
attempt() {
  "$@" >/dev/null 2>&1 && return
  ERROR=$("$@" 2>&1)
}

need() {
  for _tool in "$@"; do
    command -v "$_tool" >/dev/null || fail missing_tool "$_tool is not installed (PATH=$PATH)"
  done
}

# free_kib [FOLDER]: FREE_KIB is the free space under the install path, or of its nearest parent that is there.
free_kib() {
  _at=${1:-$ROOT}
  while [ ! -d "$_at" ]; do
    _at=${_at%/*}
    [ -n "$_at" ] || _at=/
  done
  _said=$(df -Pk "$_at" 2>/dev/null)
  # the last line; the numbers are words
  # shellcheck disable=SC2086
  set -- ${_said##*"$NL"}
  FREE_KIB=${4-}
  case $FREE_KIB in "" | *[!0-9]*) return 1 ;; esac
}

# ---------------------------------------------------------------- files and time

# line_of FILE: LINE is its first line, empty when there is none.
line_of() {
  LINE=
  [ -f "$1" ] && IFS= read -r LINE <"$1"
  :
}

# put FILE TEXT: replaces it by rename.
put() {
  write "$1.new" "$2"
  attempt mv -f "$1.new" "$1" && return
  rm -f "$1.new"
  fail_io "write $1" "$ERROR"
}

# write FILE TEXT: in place, where nobody takes an empty file amiss.
write() {
  { printf "%s\n" "$2" >"$1"; } 2>/dev/null && return
  # once more, for what the shell says
  _error=$({ printf "%s\n" "$2" >"$1"; } 2>&1) && return
  rm -f "$1"
  fail_io "write $1" "$_error"
}

# drop FILE…: deletes them, when one is there.
drop() {
  for _file in "$@"; do
    if [ -e "$_file" ]; then
      rm -f "$@"
      return
    fi
  done
}

now() {
  read -r NOW _ </proc/uptime
  NOW=${NOW%%.*}
}

# nap: about a tenth of a second, or a second where sleep knows no fractions.
nap() {
  if [ -z "$NAP" ]; then
    NAP=0.1
    sleep 0.1 2>/dev/null && return
    NAP=1
  fi
  sleep "$NAP"
}

is_digest() {
  case $1 in "" | *[!0-9a-f]*) return 1 ;; esac
  [ "${#1}" -eq 64 ]
}

is_number() {
  case $1 in "" | *[!0-9]* | ?????????????*) return 1 ;; esac
}

# ---------------------------------------------------------------- processes

# process PID: START, STATE, GROUP of a process.
process() {
  START='' STATE='' GROUP=''
  [ -r "/proc/$1/stat" ] || return 1
  { IFS= read -r _stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  PID_SEEN=${_stat%% *}
  # the name in parentheses may hold anything; ## takes a thousand times longer
  _fields=${_stat#*) }
  case $_fields in *")"*) _fields=${_stat##*) } ;; esac
  # shellcheck disable=SC2086 # numbers and one letter
  set -- $_fields
  STATE=${1-} GROUP=${3-} START=${20-}
  TICKS=$((${12:-0} + ${13:-0}))
  [ -n "$START" ]
}

# boot: BOOT is the id of this boot.
boot() {
  line_of /proc/sys/kernel/random/boot_id
  BOOT=${LINE:-unknown}
}

# own: OWN is the record of this process, a subshell's own ($$ is that of the shell it came from).
# Looked up once: a shell reads a file byte by byte.
own() {
  OWN=
  process self && OWN="$PID_SEEN $START $BOOT"
}

# record_of PID: RECORD of a process that runs.
record_of() {
  RECORD=
  process "$1" && RECORD="$1 $START $BOOT"
}

# alive RECORD: that very process runs; PID is its id.
alive() {
  # shellcheck disable=SC2086 # three words
  set -- $1
  PID=${1-}
  [ "$#" -eq 3 ] && [ "$3" = "$BOOT" ] && process "$1" && [ "$START" = "$2" ] || return 1
  case $STATE in Z | X) return 1 ;; esac
}

# signal RECORD NAME: to the process. signal_group: to its whole group, when it leads one.
signal() {
  alive "$1" && kill -s "$2" "$PID" 2>/dev/null
}

signal_group() {
  alive "$1" || return 1
  if [ "$GROUP" = "$PID" ]; then kill "-$2" "-$PID" 2>/dev/null; else kill -s "$2" "$PID" 2>/dev/null; fi
}

# gone RECORD SECONDS: waits for its end, so long at least: whole seconds are all that `now` knows.
gone() {
  now
  _until=$((NOW + $2 + 1))
  while alive "$1"; do
    [ "$NOW" -lt "$_until" ] || return 1
    nap
    now
  done
}

# ---------------------------------------------------------------- locks

# A lock is a folder of empty files, so that it works on a full disk. The highest number counts:
# "7" was created by one process only (O_EXCL), "7 PID START BOOT" says by which, "7 free" that it
# is done. Who finds the highest one free, or its holder dead, creates the next. The highest is never
# deleted, so nobody can win a number twice.

# (`true`, not `:` with a redirection: a special builtin that fails ends the shell.)

# highest FOLDER: TOP is the number, LINE the record of its holder, or free, or empty.
highest() {
  TOP=0 LINE=''
  for _file in "$1"/*; do
    case ${_file##*/} in *[!0-9]*) continue ;; esac
    [ "${_file##*/}" -gt "$TOP" ] && TOP=${_file##*/}
  done
  for _file in "$1/$TOP "*; do
    # "free" comes after the record
    [ -e "$_file" ] && LINE=${_file#"$1/$TOP "}
  done
}

# try_lock FOLDER: 0 it is ours, 1 held by the living PID.
try_lock() {
  [ -n "$OWN" ] || fail other "/proc/self/stat can't be read; is /proc mounted?"
  [ -d "$1" ] || _error=$(mkdir -p "$1" 2>&1) || fail_io "create $1" "$_error"
  _empty=0
  while :; do
    highest "$1"
    _before=$TOP
    if [ "$TOP" -gt 0 ] && [ -z "$LINE" ] && [ "$_empty" -lt 20 ]; then
      # created and not yet said by which process; two seconds are enough for that
      _empty=$((_empty + 1))
      nap
      continue
    fi
    if alive "$LINE"; then return 1; fi
    _next=$((TOP + 1))
    set -C
    if { true >"$1/$_next"; } 2>/dev/null; then
      set +C
      true >"$1/$_next $OWN"
      highest "$1"
      if [ "$TOP" -gt "$_next" ]; then
        rm -f "$1/$_next" "$1/$_next $OWN"
        continue
      fi
      TOP=$_before LINE=''
      for _file in "$1/$_before "*; do [ -e "$_file" ] && LINE=${_file#"$1/$_before "}; done
      if alive "$LINE"; then
        rm -f "$1/$_next" "$1/$_next $OWN"
        return 1
      fi
      [ "$((_next % 8))" -ne 0 ] || trim_lock "$1" "$_next"
      return 0
    fi
    set +C
    if [ ! -e "$1/$_next" ]; then
      _error=$({ true >"$1/$_next"; } 2>&1) || fail_io "lock $1" "$_error"
    fi
  done
}

trim_lock() {
  for _file in "$1"/*; do
    _number=${_file##*/}
    [ "${_number%% *}" -ge "$2" ] || rm -f "$_file"
  done
}

# take_lock: the lock of the steps that change something; waits a little for its holder.
take_lock() {
  now
  _give_up=$((NOW + LOCK_WAIT))
  until try_lock "$ROOT/run/steps.lock"; do
    now
    [ "$NOW" -lt "$_give_up" ] || fail busy "another step is under way on $ROOT: process $PID holds its lock"
    nap
  done
  LOCKED=yes
}

# free_lock FOLDER: if this process holds it.
free_lock() {
  [ -d "$1" ] || return 0
  highest "$1"
  if [ -n "$OWN" ] && [ "$LINE" = "$OWN" ]; then true >"$1/$TOP free"; fi
}

# ---------------------------------------------------------------- the install path

# set_root PATH: ROOT, or ROOT_ERROR.
set_root() {
  ROOT_ERROR=
  ROOT=$1
  # shellcheck disable=SC2088 # it is expanded here
  case $ROOT in
    "~/"*) ROOT=${HOME%/}/${ROOT#??} ;;
  esac
  while :; do
    case $ROOT in
      ?*/) ROOT=${ROOT%/} ;;
      *) break ;;
    esac
  done
  case $ROOT in
    "") ROOT_ERROR="the install path is empty" ;;
    *"$NL"*) ROOT_ERROR="the install path holds a line break" ;;
    /*) ;;
    *) ROOT_ERROR="the install path $1 must begin with / or ~/" ;;
  esac
  case $ROOT/ in
    */./* | */../* | *//*) ROOT_ERROR="the install path $1 holds . or .. or an empty part" ;;
  esac
  case $ROOT in
    / | /bin | /boot | /dev | /etc | /home | /lib | /lib64 | /media | /mnt | /opt | /proc | /root | /run | /sbin | /srv | /sys | /tmp | /usr | /usr/local | /var | /var/lib | /var/tmp | "${HOME%/}")
      ROOT_ERROR="the install path $1 is a folder of the system or of the user; choose one below it"
      ;;
  esac
}

# ---------------------------------------------------------------- the supervisor, the node, the logger

say() { printf "%s\n" "p2ppool: $*"; }

# detach: supervisor and logger without the shell that starts them, which would parse this file for each.
detach() {
  # (a function with redirections would keep what they replaced open)
  { exec 2>&1 && supervise; } | { exec >/dev/null 2>&1 4>&- && log_lines; } &
}

# Keeps one node running while run/wanted says so. A second one on the same path ends at once.
supervise() {
  STOPPING='' CHILD=''
  exec 3>&1
  STEP=supervise
  own
  trap on_term TERM INT HUP
  # without its logger, a line must not end it
  trap : PIPE
  if ! try_lock "$ROOT/run/supervisor.lock"; then
    say "process $PID supervises this node already"
    return
  fi
  end_orphan
  _backoff=1 _restarts=0
  while [ -z "$STOPPING" ]; do
    line_of "$ROOT/run/wanted"
    [ "$LINE" = run ] || break
    line_of "$ROOT/current"
    now
    _started=$NOW
    say_start "$LINE"
    # what a node that was killed said of itself
    drop "$ROOT/shared/node.json"
    run_node "$ROOT/releases/$LINE"
    [ -z "$STOPPING" ] || break
    now
    [ "$((NOW - _started))" -lt "$STEADY_AFTER" ] || _backoff=1
    _restarts=$((_restarts + 1))
    echo "$_restarts" >"$ROOT/run/restarts"
    say "the node ended after $((NOW - _started)) s ($HOW); next start in $_backoff s"
    echo "$HOW" >"$ROOT/run/exit"
    start_is_over
    sleep "$_backoff" >/dev/null 2>&1 3>&- &
    CHILD_RECORD='' CHILD=$!
    wait "$CHILD"
    CHILD=
    _backoff=$((_backoff * 2))
    [ "$_backoff" -le "$BACKOFF_MAX" ] || _backoff=$BACKOFF_MAX
  done
  say "stopped"
  free_lock "$ROOT/run/supervisor.lock"
}

# say_start DIGEST: the first time the logger has said it by itself, which takes no program.
say_start() {
  [ -n "$START_TIME" ] || say "$(date "+%Y-%m-%d %H:%M:%S") starts $1"
  START_TIME=
}

# start_is_over: whoever waits for the start of the node waits no more.
start_is_over() {
  [ -z "$STARTING" ] || exec 4>&-
  STARTING=
}

# watch_start RELEASE: until the node is ready, has ended, shall stop or has had its time.
watch_start() {
  now
  _until=$((NOW + READY_WAIT))
  NODE=$CHILD_RECORD NODE_PID=$CHILD RUNNING=${1##*/}
  while [ -z "$STOPPING" ] && [ "$NOW" -lt "$_until" ]; do
    # it takes its time in any case
    nap
    line_of "$ROOT/run/node"
    if [ "$LINE" = "$NODE" ] && try_ready 2>/dev/null; then break; fi
    alive "$NODE" || return
    now
  done
  start_is_over
}

# try_ready: asks the package whether the node is up, and remembers a yes.
try_ready() {
  _release=$ROOT/releases/$RUNNING
  if [ -f "$_release/ready" ]; then
    (
      RELEASE=$_release SHARED=$ROOT/shared LOGS=$ROOT/logs PACKAGE=$RUNNING
      export RELEASE SHARED LOGS PACKAGE NODE_PID
      # by this very subshell: a program would cost more than what it asks
      # shellcheck disable=SC1091 # it comes with the package
      cd "$SHARED" && . "$RELEASE/ready"
    ) </dev/null >&2 3>&- 4>&- || return 1
  fi
  alive "$NODE" || return 1
  { printf "%s\n" "$NODE" >"$ROOT/run/ready"; } 2>/dev/null || :
}

# on_term: passed on at once; a signal that comes just before `wait` would else be slept over.
on_term() {
  STOPPING=yes
  [ -z "$CHILD" ] || kill -s "${SIGNAL:-TERM}" "$CHILD" 2>/dev/null
}

# run_node RELEASE: starts it and waits for its end; HOW it ended.
run_node() {
  line_of "$1/stop_signal"
  case $LINE in INT | HUP | QUIT | USR1 | USR2) SIGNAL=$LINE ;; *) SIGNAL=TERM ;; esac
  _setsid=setsid
  command -v setsid >/dev/null || _setsid=
  become_node "$1" &
  CHILD=$!
  # no child that was not waited for loses its id
  record_of "$CHILD"
  CHILD_RECORD=$RECORD
  [ -z "$STARTING" ] || watch_start "$1"
  while [ -z "$STOPPING" ] && alive "$CHILD_RECORD"; do
    wait "$CHILD"
    _status=$?
  done
  if [ -n "$STOPPING" ] && alive "$CHILD_RECORD"; then
    kill -s "$SIGNAL" "$CHILD" 2>/dev/null
    # what wants another signal than TERM dies of TERM without a goodbye: it gets all the time instead
    _half=$((STOP_WAIT / 2))
    [ "$SIGNAL" = TERM ] || _half=$STOP_WAIT
    if ! gone "$CHILD_RECORD" "$_half"; then
      [ "$SIGNAL" != TERM ] || signal "$CHILD_RECORD" TERM
      gone "$CHILD_RECORD" $((STOP_WAIT - _half)) || signal_group "$CHILD_RECORD" KILL
      gone "$CHILD_RECORD" 2
    fi
  fi
  wait "$CHILD" 2>/dev/null
  _waited=$?
  [ "$_waited" -eq 127 ] || _status=$_waited
  # what it left in its group: while there is a group, no new process gets that id
  if [ -n "$_setsid" ] && [ ! -d "/proc/$CHILD" ]; then kill -KILL "-$CHILD" 2>/dev/null; fi
  HOW="status ${_status:-unknown}"
  [ "${_status:-0}" -le 128 ] || HOW="signal $((_status - 128))"
  CHILD='' SIGNAL=''
}

# end_orphan: a node whose supervisor was killed.
end_orphan() {
  line_of "$ROOT/run/node"
  _orphan=$LINE
  alive "$_orphan" || return 0
  say "ends process $PID, a node without supervisor"
  stop_signal
  signal "$_orphan" "$SIGNAL"
  gone "$_orphan" "$STOP_WAIT" || signal_group "$_orphan" KILL
  gone "$_orphan" 2
  SIGNAL=
}

# become_node RELEASE: this subshell writes its own record first, so there is no node without one.
become_node() {
  STEP=node
  own || fail other "/proc/self/stat can't be read; is /proc mounted?"
  RELEASE=$1 PACKAGE=${1##*/} SHARED=$ROOT/shared LOGS=$ROOT/logs
  write "$ROOT/run/package" "$PACKAGE"
  drop "$ROOT/run/ready" "$ROOT/run/stale"
  write "$ROOT/run/node" "$OWN"
  unset LC_ALL
  export RELEASE SHARED LOGS PACKAGE
  cd "$SHARED" || fail other "$SHARED is missing"
  # shellcheck disable=SC3045 # every shell that this meets has it
  ulimit -S -n "$(ulimit -H -n)" 2>/dev/null
  exec 3>&- 4>&-
  line_of "$RELEASE/stop_signal"
  # own session: its signals reach neither the supervisor nor the logger. The process stays the same.
  # a shell starts background programs with INT ignored, and can't undo it
  if [ "$LINE" = INT ] && env --default-signal=INT true 2>/dev/null; then
    exec $_setsid env --default-signal=INT sh "$RELEASE/run"
  fi
  exec $_setsid sh "$RELEASE/run"
}

# Writes stdin to logs/node.log; a new file when it is full or the day ended (looked at every DAY_LOOK). Keeps LOG_FILES old ones.
log_lines() {
  trap "" HUP INT TERM
  _log=$ROOT/logs/node.log
  _size=0
  [ ! -f "$_log" ] || _size=$(wc -c <"$_log")
  if [ -n "$START_TIME" ]; then
    line_of "$ROOT/current"
    { say "$START_TIME starts $LINE" >>"$_log"; } 2>/dev/null
  fi
  _batch=1 _day=''
  now
  _look=$((NOW + DAY_LOOK))
  while :; do
    # few reads at once while little comes, so that the day's change is noticed
    now
    _began=$NOW
    _room=$(((LOG_BYTES - _size) / 65536))
    [ "$_room" -ge 1 ] || _room=1
    [ "$_batch" -lt "$_room" ] && _room=$_batch
    if ! _said=$(dd bs=65536 count="$_room" 2>&1 >>"$_log"); then
      # a full disk must not stop the node: what can't be kept is dropped
      _said=$(dd bs=65536 count=1 2>&1 >/dev/null)
      _room=1
    fi
    records "$_said"
    [ "${READS:-0}" -eq "$_room" ] || return
    # busybox tells no bytes
    if [ "$BYTES" -gt 0 ]; then _size=$((_size + BYTES)); else _size=$(wc -c <"$_log"); fi
    now
    if [ "$NOW" -gt "$_began" ]; then _batch=1; elif [ "$_batch" -lt 128 ]; then _batch=$((_batch * 2)); fi
    _today=$_day
    if [ "$NOW" -ge "$_look" ]; then
      _today=$(date "+%Y%m%d") _look=$((NOW + DAY_LOOK))
      _day=${_day:-$_today}
    fi
    if [ "$_size" -ge "$LOG_BYTES" ] || [ "$_today" != "$_day" ]; then
      rotate
      _day=$_today _size=0
    fi
  done
}

rotate() {
  _stamp=$(date "+%Y%m%d-%H%M%S") _number=1000
  while [ -e "$ROOT/logs/node-$_stamp-$_number.log" ]; do _number=$((_number + 1)); done
  mv "$_log" "$ROOT/logs/node-$_stamp-$_number.log"
  set -- "$ROOT"/logs/node-*.log
  while [ "$#" -gt "$LOG_FILES" ]; do
    rm -f "$1"
    shift
  done
}

# stop_signal: SIGNAL that the running package wants.
stop_signal() {
  line_of "$ROOT/run/package"
  line_of "$ROOT/releases/$LINE/stop_signal"
  case $LINE in INT | HUP | QUIT | USR1 | USR2) SIGNAL=$LINE ;; *) SIGNAL=TERM ;; esac
}

# records TEXT: what dd says: "WHOLE+PART records in" after a possible warning, and last "BYTES bytes …".
# RECORDS: the whole ones; READS: all of them; both empty when it told none. BYTES.
records() {
  RECORDS='' READS=''
  _rest=$1$NL
  while [ -n "$_rest" ]; do
    _first=${_rest%%"$NL"*}
    _rest=${_rest#*"$NL"}
    case $_first in
      [0-9]*+[0-9]*\ *in)
        _first=${_first%% *}
        RECORDS=${_first%%+*}
        READS=$((RECORDS + ${_first#*+}))
        break
        ;;
    esac
  done
  _first=${1##*"$NL"}
  BYTES=${_first%% *}
  is_number "$BYTES" || BYTES=0
}

# A shell parses as it goes: these need nothing of what follows.
case ${1-} in
  supervise | detach)
    boot
    set_root "${2-}"
    START_TIME=${4-} STARTING=${3-}
    READY_WAIT=${3:-$READY_WAIT}
    "$1"
    exit
    ;;
esac

# ---------------------------------------------------------------- what is in the install path

# ours: refuses to mix with what others made.
ours() {
  [ ! -e "$ROOT/.p2ppool" ] || return 0
  for _name in releases current previous shared logs run; do
    if [ ! -e "$ROOT/$_name" ] || [ -e "$ROOT/.p2ppool" ]; then continue; fi
    fail other "$ROOT/$_name is there already and was not made by p2ppool; choose another install path"
  done
}

# layout [FOLDER]: makes the folders, and that one. The mark comes first, so that a cut one is known as ours.
layout() {
  ours
  set -- "$ROOT/releases" "$ROOT/shared/config" "$ROOT/logs" "$ROOT/run/steps.lock" "$ROOT/run/supervisor.lock" "$@"
  [ -e "$ROOT/.p2ppool" ] || set -- "$ROOT/.p2ppool" "$@"
  for _folder in "$@"; do
    [ ! -d "$_folder" ] || continue
    attempt mkdir -p "$@" || fail_io "create folders in $ROOT" "$ERROR"
    return
  done
}

installed() { [ -e "$ROOT/.p2ppool" ] && [ -d "$ROOT/run" ]; }

# clean_parts: deletes what cut uploads left. A part is named ….PID-START.part; mine: only this process's.
clean_parts() {
  for _part in "$ROOT"/releases/*.part "$ROOT"/runtimes/*.part "$ROOT"/run/*.part; do
    [ -e "$_part" ] || continue
    _owner=${_part%.part}
    _owner=${_owner##*.}
    if [ "${1-}" = mine ]; then
      [ "$OWN" = "${_owner%-*} ${_owner#*-} $BOOT" ] || continue
    elif alive "${_owner%-*} ${_owner#*-} $BOOT"; then
      continue
    fi
    rm -rf "$_part"
  done
}

# part_name: PART is a suffix for files that end with this process.
part_name() {
  _rest=${OWN#* }
  PART=$$-${_rest%% *}.part
}

# look: what is there: CURRENT PREVIOUS WANTED, SUPERVISOR and NODE (records of living ones), STATE_NAME.
look() {
  line_of "$ROOT/current"
  CURRENT=$LINE
  line_of "$ROOT/previous"
  PREVIOUS=$LINE
  line_of "$ROOT/run/wanted"
  WANTED=$LINE
  [ -n "$WANTED" ] || [ -z "$CURRENT" ] || WANTED=stop
  SUPERVISOR='' NODE='' NODE_PID='' SUPERVISOR_PID=''
  if [ -d "$ROOT/run/supervisor.lock" ]; then
    highest "$ROOT/run/supervisor.lock"
    if alive "$LINE"; then SUPERVISOR=$LINE SUPERVISOR_PID=$PID; fi
  fi
  line_of "$ROOT/run/node"
  if alive "$LINE"; then NODE=$LINE NODE_PID=$PID; fi
  line_of "$ROOT/run/package"
  RUNNING=${NODE:+$LINE}
  STATE_NAME=none
  [ -z "$CURRENT" ] || STATE_NAME=stopped
  [ -z "$SUPERVISOR" ] || STATE_NAME=starting
  if [ -n "$NODE" ]; then
    STATE_NAME=starting
    line_of "$ROOT/run/ready"
    if [ "$LINE" = "$NODE" ] || try_ready; then STATE_NAME=running; fi
  fi
}

# ---------------------------------------------------------------- steps: what is there

step_status() {
  look
  _list=
  for _release in "$ROOT"/releases/*; do
    is_digest "${_release##*/}" && _list=$_list,$D${_release##*/}$D
  done
  raw installed "[${_list#,}]"
  _list=
  for _runtime in "$ROOT"/runtimes/*; do
    is_digest "${_runtime##*/}" && _list=$_list,$D${_runtime##*/}$D
  done
  [ -z "$_list" ] || raw runtimes "[${_list#,}]"
  is_digest "$CURRENT" || CURRENT=
  is_digest "$PREVIOUS" || PREVIOUS=
  is_digest "$RUNNING" || RUNNING=
  text current "$CURRENT"
  text previous "$PREVIOUS"
  text state "$STATE_NAME"
  case $WANTED in run | stop) text wanted "$WANTED" ;; *) raw wanted null ;; esac
  raw pid "$NODE_PID"
  raw supervisor "$SUPERVISOR_PID"
  text package "$RUNNING"
  if [ -e "$ROOT/run/stale" ]; then raw stale true; else raw stale false; fi
  line_of "$ROOT/run/restarts"
  is_number "$LINE" || LINE=0
  raw restarts "$LINE"
  line_of "$ROOT/run/exit"
  text last_exit "$LINE"
  LINE=
  [ -z "$NODE" ] || line_of "$ROOT/shared/node.json"
  # one object in one line, else it would break the answer
  case $LINE in
    "{"*[[:cntrl:]]*) LINE= ;;
    "{"*"}") [ "${#LINE}" -le 8192 ] || LINE= ;;
    *) LINE= ;;
  esac
  raw node "$LINE"
  if [ -s "$ROOT/run/warnings" ]; then
    _list=
    while IFS= read -r _line; do
      quote "$_line"
      _list=$_list,$Q
    done <"$ROOT/run/warnings"
    raw warnings "[${_list#,}]"
  fi
  answer
}

step_usage() {
  line_of "$ROOT/run/node"
  if alive "$LINE"; then
    _memory=
    { while read -r _key _value _; do
      if [ "$_key" = VmRSS: ]; then
        _memory=$((_value * 1024))
        break
      fi
    done <"/proc/$PID/status"; } 2>/dev/null
    # USER_HZ is 100 on every Linux architecture that matters here
    read -r _up _ </proc/uptime
    _node="${D}rss$D:${_memory:-null},${D}cpu_s$D:$((TICKS / 100)).$((TICKS / 10 % 10))"
    raw node "{$_node,${D}uptime_s$D:$((${_up%%.*} - START / 100))}"
  else
    raw node null
  fi
  _total='' _available=''
  while read -r _key _value _; do
    case $_key in
      MemTotal:) _total=$((_value * 1024)) ;;
      MemAvailable:) _available=$((_value * 1024)) && break ;;
      Buffers:) break ;;
    esac
  done </proc/meminfo
  raw memory_total "$_total"
  raw memory_available "$_available"
  read -r _load _ </proc/loadavg
  raw load "$_load"
  free_kib || FREE_KIB=
  raw disk_free "${FREE_KIB:+$((FREE_KIB * 1024))}"
  read -r _up _ </proc/uptime
  raw uptime_s "${_up%%.*}"
  _cores=0
  for _cpu in /sys/devices/system/cpu/cpu[0-9]*; do
    line_of "$_cpu/online"
    [ -d "$_cpu" ] && [ "$LINE" != 0 ] && _cores=$((_cores + 1))
  done
  [ "$_cores" -gt 0 ] || _cores=$(nproc 2>/dev/null)
  raw cores "$_cores"
  answer
}

# ---------------------------------------------------------------- steps: putting files there

# take SIZE FILE: exactly SIZE bytes from stdin, and not one more. 1: TAKE_ERROR (all bytes were read), 2: cut.
take() {
  for EXACT in bytes blocks slow; do
    TAKE_ERROR=$(exactly "$1" 2>&1 >"$2")
    _status=$?
    records "$TAKE_ERROR"
    # a dd that does not know the flags read nothing, and counts nothing
    if [ "$_status" -eq 0 ] || [ -n "$RECORDS" ] || [ ! -e "$2" ]; then break; fi
  done
  if [ "$_status" -ne 0 ]; then
    RECORDS=${RECORDS:-0}
    case $EXACT in
      # a part of a record is the last one
      bytes) [ "${READS:-0}" -gt "$RECORDS" ] && _done=$1 || _done=$((RECORDS * 65536)) ;;
      blocks) [ "$1" -lt 65536 ] && _done=$1 || _done=$((RECORDS * 65536 + $1 % 65536)) ;;
      *) _done=$RECORDS ;;
    esac
    [ "$_done" -ge "$1" ] || (exactly "$(($1 - _done))" >/dev/null 2>&1)
    return 1
  fi
  # not every dd counts bytes, and one of two counts its own
  if [ "$EXACT" != bytes ] || [ "$BYTES" -eq 0 ]; then BYTES=$(wc -c <"$2"); fi
  [ "$BYTES" -eq "$1" ] || return 2
}

# exactly SIZE: copies that many bytes in the way EXACT; ends its subshell.
exactly() {
  case $EXACT in
    bytes) exec dd bs=65536 count="$1" iflag=fullblock,count_bytes ;;
    slow) exec dd bs=1 count="$1" ;;
  esac
  # blocks, for busybox before 1.34; the rest is read even when the blocks can't be written
  _status=0
  if [ "$1" -ge 65536 ]; then
    dd bs=65536 count="$(($1 / 65536))" iflag=fullblock || _status=1
  elif [ "$1" -eq 0 ]; then
    echo "0+0 records in" >&2
  fi
  if [ "$(($1 % 65536))" -gt 0 ]; then
    dd bs="$(($1 % 65536))" count=1 iflag=fullblock || _status=1
  fi
  exit "$_status"
}

go() { printf "%s\n" "{${D}step${D}:$D$STEP$D,${D}go${D}:true}" >&3; }

# receive_file WHAT SIZE FILE: go, then the payload.
receive_file() {
  go
  take "$2" "$3"
  case $? in
    1) fail_io "receive $1" "$TAKE_ERROR" ;;
    2) fail connection_lost "the connection ended in the middle of $1" ;;
  esac
}

# sum_of FILE SIZE: prints its SHA-256, first in a line.
sum_of() {
  if [ "$2" -ge "$SUM_BY_OPENSSL" ] && openssl dgst -sha256 -r <"$1" 2>/dev/null; then :
  elif command -v sha256sum >/dev/null; then sha256sum <"$1"
  elif command -v shasum >/dev/null; then shasum -a 256 <"$1"
  elif command -v openssl >/dev/null; then openssl dgst -sha256 -r <"$1"
  else busybox sha256sum <"$1"; fi
}

has_sum_tool() {
  command -v sha256sum >/dev/null || command -v shasum >/dev/null || command -v openssl >/dev/null ||
    command -v busybox >/dev/null
}

# arch: ARCH of this machine; Linux before 6.1 has no file for it.
arch() {
  ARCH=
  [ ! -f /proc/sys/kernel/arch ] || read -r ARCH </proc/sys/kernel/arch
  [ -n "$ARCH" ] || ARCH=$(uname -m)
}

check_arch() {
  [ -f "$1/arch" ] || return 0
  line_of "$1/arch"
  [ -n "$ARCH" ] || arch
  [ "$LINE" = "$ARCH" ] || fail wrong_architecture "the package is for $LINE and this machine is $ARCH"
}

step_receive() {
  is_digest "$ARG_digest" || fail other "receive needs digest=<64 hex digits>"
  is_number "$ARG_size" && [ "$ARG_size" -gt 0 ] && [ "$ARG_size" -le "$PACKAGE_MAX" ] ||
    fail other "receive needs size=<bytes>, at most $PACKAGE_MAX"
  # the archive without its compression has another digest than its release
  [ -z "$ARG_plain" ] || is_digest "$ARG_plain" || fail other "receive takes plain=<64 hex digits>"
  case $ARG_into in
    runtimes) _what="the runtime" _proof=mono ;;
    *) ARG_into=releases _what="the package" _proof=run ;;
  esac
  _release=$ROOT/$ARG_into/$ARG_digest
  if [ -d "$_release" ] && installed; then
    clean_parts
    raw changed false
    raw unchanged true
    answer
    return
  fi
  need tar gzip dd mkdir mv rm
  has_sum_tool || fail missing_tool "sha256sum is not installed, nor shasum, openssl or busybox (PATH=$PATH)"
  ours
  clean_parts
  is_number "$ARG_unpacked" || ARG_unpacked=$ARG_size
  _kib=$(((ARG_size + ARG_unpacked) / 1024 + 64))
  # for less, trying costs no more than asking
  if [ "$_kib" -gt "$ASK_ABOVE_KIB" ] && free_kib && [ "$FREE_KIB" -lt "$_kib" ]; then
    fail disk_full "receive $_what into $ROOT: $_kib KiB are needed and $FREE_KIB KiB are free"
  fi
  part_name
  _part=$ROOT/$ARG_into/$ARG_digest.$PART
  _tgz=$_part/.package
  layout "$_part"
  receive_file "$_what" "$ARG_size" "$_tgz"
  # by a file: output that is captured costs a process more
  write "$_part/.sum" ""
  sum_of "$_tgz" "$ARG_size" >"$_part/.sum"
  line_of "$_part/.sum"
  LINE=${LINE%% *}
  _sum=${ARG_plain:-$ARG_digest}
  [ "$LINE" = "$_sum" ] || fail digest_mismatch "$_what should be $_sum and what arrived is $LINE"
  # -o: files belong to this user, whoever packed them
  _how=-xzof
  [ -z "$ARG_plain" ] || _how=-xof
  attempt tar "$_how" "$_tgz" -C "$_part" || fail_io "unpack $_what in $ROOT" "$ERROR"
  [ -f "$_part/$_proof" ] || fail other "$_what holds no file named $_proof"
  check_arch "$_part"
  # its space is free at once, and no program is needed for that
  true >"$_tgz"
  take_lock
  if [ -d "$_release" ]; then
    rm -rf "$_part"
    raw changed false
  else
    attempt mv "$_part" "$_release" || fail_io "create $_release" "$ERROR"
    raw changed true
  fi
  answer
}

step_configure() {
  case $ARG_name in
    "" | .* | *[!A-Za-z0-9._-]*) fail other "configure needs name=<plain file name>" ;;
  esac
  is_number "$ARG_size" && [ "$ARG_size" -le "$CONFIG_MAX" ] ||
    fail other "configure needs size=<bytes>, at most $CONFIG_MAX"
  need dd mv cat
  layout
  _config=$ROOT/shared/config/$ARG_name
  if is_digest "$ARG_digest" && [ -f "$_config" ] && has_sum_tool; then
    _sum=$(sum_of "$_config" 0)
    if [ "${_sum%% *}" = "$ARG_digest" ]; then
      raw changed false
      raw unchanged true
      answer
      return
    fi
  fi
  part_name
  _part=$ROOT/run/config.$PART
  receive_file "$ARG_name" "$ARG_size" "$_part"
  take_lock
  # the dot keeps line breaks at the end
  if [ -f "$_config" ] && [ "$(cat "$_config" && echo .)" = "$(cat "$_part" && echo .)" ]; then
    rm -f "$_part"
    raw changed false
  else
    true >"$ROOT/run/stale" || fail_io "write $ROOT/run/stale" "failed"
    attempt mv -f "$_part" "$_config" || fail_io "write $_config" "$ERROR"
    raw changed true
  fi
  answer
}

step_activate() {
  is_digest "$ARG_digest" || fail other "activate needs digest=<64 hex digits>"
  installed && [ -d "$ROOT/releases/$ARG_digest" ] || fail not_installed "release $ARG_digest is not in $ROOT/releases"
  take_lock
  line_of "$ROOT/current"
  if [ "$LINE" = "$ARG_digest" ]; then
    raw changed false
  else
    if [ -n "$LINE" ]; then
      put "$ROOT/previous" "$LINE"
      put "$ROOT/current" "$ARG_digest"
    else
      # an empty one is none
      write "$ROOT/current" "$ARG_digest"
    fi
    raw changed true
  fi
  line_of "$ROOT/previous"
  _previous=$LINE
  line_of "$ROOT/run/package"
  for _release in "$ROOT"/releases/*; do
    is_digest "${_release##*/}" || continue
    case ${_release##*/} in
      "$ARG_digest" | "$_previous" | "$LINE") ;;
      *) rm -rf "$_release" ;;
    esac
  done
  trim_runtimes
  answer
}

# trim_runtimes: deletes those that no release names.
trim_runtimes() {
  for _runtime in "$ROOT"/runtimes/*; do
    is_digest "${_runtime##*/}" || continue
    for _release in "$ROOT"/releases/*; do
      line_of "$_release/runtime"
      [ "$LINE" != "${_runtime##*/}" ] || continue 2
    done
    rm -rf "$_runtime"
  done
}

# ---------------------------------------------------------------- steps: the node's life

# halt: ends supervisor and node; CHANGED tells whether there was one.
halt() {
  CHANGED=false
  look
  # no file means stop, too: that needs no space
  _error=$(rm -f "$ROOT/run/wanted" 2>&1) || fail_io "write $ROOT/run" "$_error"
  if [ -n "$SUPERVISOR" ]; then
    CHANGED=true
    if [ "$HARD" = 1 ]; then
      signal "$SUPERVISOR" KILL
    else
      signal "$SUPERVISOR" TERM
      gone "$SUPERVISOR" $((STOP_WAIT + 6)) || signal "$SUPERVISOR" KILL
    fi
    gone "$SUPERVISOR" 2 || fail stop_failed "the supervisor, process $SUPERVISOR_PID, did not end"
  fi
  # one whose supervisor was killed
  line_of "$ROOT/run/node"
  NODE=$LINE
  if alive "$NODE"; then
    CHANGED=true
    if [ "$HARD" = 1 ]; then
      signal_group "$NODE" KILL
    else
      stop_signal
      signal "$NODE" "$SIGNAL"
      gone "$NODE" "$STOP_WAIT" || signal_group "$NODE" KILL
    fi
    gone "$NODE" 2 || fail stop_failed "the node, process ${NODE%% *}, did not end after KILL"
  fi
  rm -f "$ROOT/run/node" "$ROOT/run/ready" "$ROOT/run/package"
}

# check_ports RELEASE: nobody else listens where the node will.
check_ports() {
  _ports=$ROOT/shared/config/ports
  [ -f "$_ports" ] || _ports=$1/ports
  [ -f "$_ports" ] && command -v grep >/dev/null || return 0
  while read -r _protocol _address _port _; do
    is_number "$_port" || continue
    case $_protocol in tcp) _state=0A ;; udp) _state=07 ;; *) continue ;; esac
    _hex=$(printf "%04X" "$_port")
    _found=$(grep -h "^ *[0-9]*: [0-9A-F]*:$_hex [0-9A-F]*:[0-9A-F]* $_state " \
      "/proc/net/$_protocol" "/proc/net/${_protocol}6" 2>/dev/null) || continue
    _want=$(address_hex "$_address")
    for _word in $_found; do
      case $_word in
        *:"$_hex")
          if overlaps "$_want" "${_word%:*}"; then
            fail port_in_use "$_protocol port $_port at $_address is taken by another process"
          fi
          ;;
      esac
    done
  done <"$_ports"
}

# address_hex ADDRESS: as /proc/net writes it (little-endian words); v6 addresses only roughly.
address_hex() {
  case $1 in
    *:*) case $1 in :: | "[::]") echo 00000000000000000000000000000000 ;; *) echo v6 ;; esac ;;
    *[!0-9.]* | "") echo 00000000 ;;
    *)
      _ifs=$IFS
      IFS=.
      # shellcheck disable=SC2086 # four numbers
      set -- $1
      IFS=$_ifs
      printf "%02X%02X%02X%02X" "${4:-0}" "${3:-0}" "${2:-0}" "${1:-0}"
      ;;
  esac
}

# overlaps WANT HAVE: both can't be bound at once. A v6 wildcard takes the v4 port, too, unless told otherwise.
overlaps() {
  case $1:$2 in
    00000000:???????? | ????????:00000000 | ????????:00000000000000000000000000000000) ;;
    ????????:0000000000000000FFFF0000????????) [ "$1" = 00000000 ] || [ "$2" = "0000000000000000FFFF0000$1" ] ;;
    00000000000000000000000000000000:????????????????????????????????) ;;
    v6:00000000000000000000000000000000) ;;
    *) [ "$1" = "$2" ] ;;
  esac
}

# begin: makes the current release run with the present files; CHANGED.
begin() {
  look
  _release=$ROOT/releases/$CURRENT
  [ -n "$CURRENT" ] && [ -f "$_release/run" ] || fail not_installed "no release is active in $ROOT"
  # a release whose node takes longer says so; a request may say even more
  line_of "$_release/ready_wait"
  if is_number "$LINE" && [ "$LINE" -gt "$READY_WAIT" ]; then READY_WAIT=$LINE; fi
  if [ -n "$SUPERVISOR" ] && [ -n "$NODE" ] && [ "$RUNNING" = "$CURRENT" ] && [ ! -e "$ROOT/run/stale" ]; then
    [ "$WANTED" = run ] || put "$ROOT/run/wanted" run
    CHANGED=false
    if [ "$STATE_NAME" != running ]; then
      rm -f "$ROOT/run/exit"
      now
      BEGAN=$NOW
      wait_ready
    fi
    return
  fi
  if [ -n "$SUPERVISOR$NODE" ]; then halt; fi
  check_arch "$_release"
  check_ports "$_release"
  preflight "$_release"
  drop "$ROOT/run/node" "$ROOT/run/ready" "$ROOT/run/exit"
  # no supervisor is there to read them
  write "$ROOT/run/restarts" 0
  write "$ROOT/run/wanted" run
  now
  BEGAN=$NOW
  launch "$_release/host.sh"
  CHANGED=true
  wait_ready
}

# preflight RELEASE: asks the release, if it can tell, what will keep its node from working here:
# lines "fail CAUSE TEXT" and "warn TEXT".
preflight() {
  [ -f "$1/preflight" ] || return 0
  _told=$(
    RELEASE=$1 SHARED=$ROOT/shared LOGS=$ROOT/logs PACKAGE=${1##*/}
    export RELEASE SHARED LOGS PACKAGE
    cd "$SHARED" && exec sh "$RELEASE/preflight" </dev/null 2>&1
  )
  _told=$_told$NL
  true >"$ROOT/run/warnings" || fail_io "write $ROOT/run/warnings" "failed"
  while [ -n "$_told" ]; do
    _line=${_told%%"$NL"*}
    _told=${_told#*"$NL"}
    case $_line in
      "fail "*)
        _line=${_line#fail }
        fail "${_line%% *}" "${_line#* }"
        ;;
      "warn "*) printf "%s\n" "${_line#warn }" >>"$ROOT/run/warnings" ;;
    esac
  done
}

# launch SCRIPT: supervisor and logger, in a session of their own, holding nothing of this one but file 4,
# until the node is ready or has ended, or its time is over.
launch() {
  _script=$1
  _setsid=setsid
  command -v setsid >/dev/null || _setsid=
  case $ARG_at in "" | *[!0-9TZ:.\ -]*) ARG_at=$(date "+%Y-%m-%d %H:%M:%S") ;; esac
  # nothing is said: it ends when file 4 is closed
  _said=$(
    [ -n "$_setsid" ] || trap "" HUP
    cd / || exit 1
    exec 4>&1 </dev/null >/dev/null 2>&1 3>&- 5>&- 6>&- 7>&- 8>&- 9>&-
    exec $_setsid sh "$_script" detach "$ROOT" "$READY_WAIT" "$ARG_at"
  )
}

# wait_ready: until the node says so, counted from BEGAN; a node that ended, or no supervisor, is a failure.
wait_ready() {
  while :; do
    look
    [ "$STATE_NAME" != running ] || return 0
    if [ -e "$ROOT/run/exit" ]; then
      line_of "$ROOT/run/exit"
      _how=$LINE
      halt
      put "$ROOT/run/wanted" run
      start_failed "the node ended right after its start ($_how)"
    fi
    now
    if [ -z "$SUPERVISOR" ] && [ "$((NOW - BEGAN))" -ge 3 ]; then start_failed "the supervisor did not start"; fi
    if [ "$((NOW - BEGAN))" -ge "$READY_WAIT" ]; then
      start_failed "the node runs and was not ready after $READY_WAIT s; it was left running"
    fi
    nap
  done
}

start_failed() {
  _log=$(tail -n 20 "$ROOT/logs/node.log" 2>/dev/null | tail -c 2000)
  case $_log in
    *"Exec format error"* | *"annot execute binary file"*) fail wrong_architecture "$1: $_log" ;;
    *"o space left"*) fail disk_full "$1: $_log" ;;
    *"ddress already in use"* | *"ddress in use"* | *AddrInUse*) fail port_in_use "$1: $_log" ;;
  esac
  fail start_failed "$1; its log ends with:$NL$_log"
}

need_life() { need mv rm sleep tail wc date dd; }

step_start() {
  need_life
  installed || fail not_installed "nothing is installed in $ROOT"
  take_lock
  begin
  raw changed "$CHANGED"
  raw pid "$NODE_PID"
  answer
}

step_restart() {
  need_life
  installed || fail not_installed "nothing is installed in $ROOT"
  take_lock
  [ -s "$ROOT/current" ] || fail not_installed "no release is active in $ROOT"
  halt
  begin
  raw changed true
  raw pid "$NODE_PID"
  answer
}

step_stop() {
  CHANGED=false
  if installed; then
    need_life
    take_lock
    # killed without a word, as in an accident
    HARD=$ARG_hard
    halt
    HARD=
  fi
  raw changed "$CHANGED"
  answer
}

step_remove() {
  if [ ! -e "$ROOT/.p2ppool" ]; then
    raw changed false
    answer
    return
  fi
  need rm rmdir sleep
  layout
  take_lock
  halt
  for _try in 1 2 3; do
    # the logger may just be ending
    _error=$(cd "$ROOT" && rm -rf releases runtimes current current.new previous previous.new shared logs run 2>&1) && break
    [ "$_try" -lt 3 ] || fail_io "delete $ROOT" "$_error"
    nap
  done
  _error=$(rm -rf "$ROOT/.p2ppool" 2>&1) || fail_io "delete $ROOT" "$_error"
  # what others put there stays
  rmdir "$ROOT" 2>/dev/null
  raw changed true
  if [ -d "$ROOT" ]; then raw left true; else raw left false; fi
  answer
}

# ---------------------------------------------------------------- steps: fetching files

# scratch: SCRATCH is a folder for an archive, on the install path or, when that is nearly full, in TMPDIR.
scratch() {
  part_name
  SCRATCH=$ROOT/run/fetch.$PART
  free_kib && _free=$FREE_KIB || _free=0
  if [ "$_free" -lt "$SCRATCH_KIB" ] && free_kib "${TMPDIR:-/tmp}" && [ "$FREE_KIB" -gt "$_free" ]; then
    SCRATCH=${TMPDIR:-/tmp}/p2ppool.$PART
  fi
  _error=$(mkdir "$SCRATCH" 2>&1) || fail_io "create a folder for the archive" "$_error"
  trap remove_scratch EXIT
}

remove_scratch() { rm -rf "$SCRATCH"; }

# send FOLDER FILE…: packs the files and sends them.
send() {
  _from=$1
  shift
  if [ "$#" -eq 0 ]; then
    _from=$SCRATCH/empty
    mkdir "$_from"
    set -- .
  fi
  _error=$(tar -czf "$SCRATCH/tgz" -C "$_from" "$@" 2>&1)
  # 1: a file grew while it was read, which is fine
  if [ "$?" -gt 1 ] || [ ! -s "$SCRATCH/tgz" ]; then
    fail_io "pack the files" "$_error"
  fi
  _size=$(wc -c <"$SCRATCH/tgz")
  raw size "$((_size))"
  raw truncated "$_truncated"
  answer
  cat "$SCRATCH/tgz" >&3
}

limit() {
  is_number "$ARG_max" || ARG_max=$FETCH_MAX
  [ "$ARG_max" -le "$FETCH_MAX" ] || ARG_max=$FETCH_MAX
}

# The newest log comes first; of one that is larger than the limit, its end.
step_logs() {
  need tar gzip wc tail cat rm mkdir
  installed || fail not_installed "nothing is installed in $ROOT"
  limit
  scratch
  set --
  for _log in "$ROOT"/logs/node-*.log; do
    [ -f "$_log" ] && set -- "$_log" "$@"
  done
  _left=$ARG_max _truncated=false _folder=$ROOT/logs _logs=$#
  for _log in "$ROOT/logs/node.log" "$@"; do
    [ -f "$_log" ] || continue
    _size=$(wc -c <"$_log")
    if [ "$_size" -gt "$_left" ]; then
      _truncated=true
      [ "$_left" -lt "$ARG_max" ] && break
      mkdir "$SCRATCH/cut"
      tail -c "$_left" "$_log" >"$SCRATCH/cut/${_log##*/}"
      _folder=$SCRATCH/cut
      _size=$_left
    fi
    set -- "$@" "${_log##*/}"
    _left=$((_left - _size))
    [ "$_folder" = "$ROOT/logs" ] || break
  done
  shift "$_logs"
  send "$_folder" "$@"
}

# Result files below shared/; never keys, configs or what the node says of itself.
step_data() {
  need tar gzip wc find cat rm mkdir
  installed || fail not_installed "nothing is installed in $ROOT"
  limit
  scratch
  set -f
  # shellcheck disable=SC2086 # the patterns are words
  set -- ${ARG_patterns:-*.db}
  set +f
  _names=$#
  while [ "$_names" -gt 0 ]; do
    set -- "$@" -o -name "$1"
    shift
    _names=$((_names - 1))
  done
  shift
  _left=$ARG_max _truncated=false
  cd "$ROOT/shared" || fail other "$ROOT/shared is missing"
  find . -type f ! -path "./config/*" ! -name "identity*" ! -name "*.key" ! -name "*.pem" ! -name node.json \
    ! -name "*$NL*" \( "$@" \) -exec wc -c {} + >"$SCRATCH/sizes" 2>/dev/null
  set --
  while read -r _size _name; do
    case $_name in ./*) ;; *) continue ;; esac
    if [ "$_size" -gt "$_left" ] || [ "$#" -ge "$DATA_FILES_MAX" ]; then
      _truncated=true
      continue
    fi
    _left=$((_left - _size))
    set -- "$@" "$_name"
  done <"$SCRATCH/sizes"
  raw files "$#"
  send "$ROOT/shared" "$@"
}

# ---------------------------------------------------------------- requests

# step NAME [KEY=VALUE…]: runs it in this shell, which a failure ends.
step() {
  STEP=$1
  shift
  OUT='' ARG_digest='' ARG_size='' ARG_name='' ARG_max='' ARG_patterns='' ARG_unpacked='' ARG_hard='' ARG_into='' ARG_at='' ARG_plain=''
  READY_WAIT=$READY_USUAL
  for _word in "$@"; do
    case $_word in
      digest=*) ARG_digest=${_word#*=} ;;
      size=*) ARG_size=${_word#*=} ;;
      name=*) ARG_name=${_word#*=} ;;
      max=*) ARG_max=${_word#*=} ;;
      patterns=*) ARG_patterns=${_word#*=} ;;
      unpacked=*) ARG_unpacked=${_word#*=} ;;
      hard=*) ARG_hard=${_word#*=} ;;
      plain=*) ARG_plain=${_word#*=} ;;
      into=*) ARG_into=${_word#*=} ;;
      at=*) ARG_at=${_word#*=} ;;
      wait=*) is_number "${_word#*=}" && READY_WAIT=${_word#*=} ;;
    esac
  done
  [ -z "$ROOT_ERROR" ] || fail other "$ROOT_ERROR"
  case $STEP in
    status | usage | receive | configure | activate | start | restart | stop | remove) "step_$STEP" ;;
    # they go elsewhere, and delete what they made when they end
    logs | data) ("step_$STEP") || exit ;;
    *)
      quote "$STEP"
      STEP=unknown
      fail other "the host script knows no step $Q"
      ;;
  esac
  [ -z "$LOCKED" ] || free_lock "$ROOT/run/steps.lock"
  LOCKED=
}

# clean_up: a step that was cut or failed leaves nothing.
clean_up() {
  [ -d "$ROOT/run" ] || return 0
  free_lock "$ROOT/run/steps.lock"
  clean_parts mine
}

# steps: answers requests until there are no more (0) or one failed (1).
# shellcheck disable=SC2120 # `set --` gives them
steps() {
  exec 3>&1 1>&2
  while IFS= read -r _line; do
    eval "set -- $_line"
    case ${1-} in
      "") continue ;;
      bye) break ;;
    esac
    step "$@"
  done
  exit 0
}

hello() {
  arch
  _missing=
  for _tool in tar gzip dd mkdir mv rm rmdir sleep tail wc date df cat; do
    command -v "$_tool" >/dev/null || _missing=$_missing,$D$_tool$D
  done
  has_sum_tool || _missing=$_missing,${D}sha256sum$D
  [ -r "/proc/$$/stat" ] || _missing=$_missing,$D/proc$D
  OUT=
  raw version 1
  raw pid "$$"
  text user "${USER:-${LOGNAME:-$(id -un 2>/dev/null)}}"
  text arch "$ARCH"
  text home "$HOME"
  raw missing "[${_missing#,}]"
  printf "%s\n" "{${D}hello$D:${D}p2ppool-host$D$OUT}"
  OUT=
}

serve() {
  set --
  trap "clean_parts mine; exit 143" HUP TERM INT
  hello
  if [ -z "$ROOT_ERROR" ] && [ -d "$ROOT/releases" ]; then clean_parts; fi
  # what failed ended its shell; another one goes on
  while :; do
    # shellcheck disable=SC2119
    (steps)
    _status=$?
    [ "$_status" -ne 0 ] || break
    clean_up
    [ "$_status" -eq 1 ] || exit "$_status"
  done
}

main() {
  ARCH=
  boot
  own
  _mode=${1-}
  set_root "${2-}"
  case $_mode in
    serve) serve "$@" ;;
    "" | -h | --help | help)
      echo "usage: sh host.sh STEP INSTALL_PATH [KEY=VALUE...]"
      echo "steps: status start stop restart remove usage activate receive configure logs data serve"
      [ -n "$_mode" ]
      ;;
    *)
      shift
      [ "$#" -eq 0 ] || shift
      (exec 3>&1 1>&2 && step "$_mode" "$@")
      _status=$?
      clean_up
      return "$_status"
      ;;
  esac
}

main "$@"; exit
