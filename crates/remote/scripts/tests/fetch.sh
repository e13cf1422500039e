# Logs and their rotation, result files, and that a payload is exactly as long as was said.
# shellcheck shell=sh disable=SC2010,SC2012,SC2046,SC2094,SC2016,SC2034,SC2154 # scripts as text; variables of the fixture

# fetch REQUEST: the payload is unpacked into $WORK/got; between two status requests, so that its size must be exact.
fetch() {
  printf '%s\n' status "$1" status bye >request; session
  ANSWER=$(grep -a '"size":' answers)
  has '"ok":true,'
  field size
  before=$(grep -a -n -m 1 '"size":' answers | cut -d: -f1)
  head -n "$before" answers >lines
  tail -c +$(($(wc -c <lines) + 1)) answers >rest
  head -c "$VALUE" rest >got.tgz
  after=$(tail -c +$((VALUE + 1)) rest)
  case $after in '{"step":"status","ok":true'*) ;; *) stop_test "the payload is not $VALUE bytes: $(wc -c <rest)" ;; esac
  rm -rf got
  mkdir got
  tar -xzf got.tgz -C got || stop_test "not a tar.gz"
}

log_says() { grep -q "$1" "$ROOT/logs/node.log"; }

test_logs_come_whole_and_exact() {
  node_with 'echo "first line"; head -c 300000 /dev/urandom; echo; echo "last line"; trap "exit 0" TERM; : >up; while :; do sleep 0.1; done' one
  install one
  ok start
  must_come log_says "last line"
  echo older >"$ROOT/logs/node-20200101-000000-1000.log"
  fetch "logs"
  cmp got/node.log "$ROOT/logs/node.log" || stop_test "another log"
  is "$(cat got/node-20200101-000000-1000.log)" older
  is "$(ls "$ROOT/run" | grep -c part)" 0 "nothing is left of the archive"
  has '"truncated":false'
  ok remove
}

test_of_logs_over_the_limit_the_newest_end_comes() {
  node_with 'trap "exit 0" TERM; i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo "line $i"; done; : >up; while :; do sleep 0.1; done' one
  install one
  ok start
  must_come log_says "line 3000"
  echo older >"$ROOT/logs/node-20200101-000000-1000.log"
  fetch "'logs' 'max=2000'"
  has '"truncated":true'
  is "$(wc -c <got/node.log)" 2000
  is "$(tail -n 1 got/node.log)" "line 3000"
  absent got/node-20200101-000000-1000.log
  size=$(wc -c <"$ROOT/logs/node.log")
  fetch "'logs' 'max=$size'"
  has '"truncated":true'
  is "$(wc -c <got/node.log)" "$size"
  ok remove
}

test_a_noisy_node_fills_a_bounded_number_of_files() {
  export P2PPOOL_LOG_BYTES=131072
  node_with 'trap "exit 0" TERM; head -c 5000000 /dev/zero | tr "\\0" x; echo; echo "last words"; : >up; while :; do sleep 0.1; done' one
  install one
  ok start
  # wherever the last file begins
  must_come grep -q "last words" -r "$ROOT/logs"
  is "$(ls "$ROOT/logs" | grep -c '^node-.*log$')" 7
  for file in "$ROOT"/logs/*; do
    [ "$(wc -c <"$file")" -le $((131072 + 65536)) ] || stop_test "$(ls -l "$ROOT/logs")"
  done
  # and it still writes
  ok stop
  must_come grep -q "p2ppool: stopped" -r "$ROOT/logs"
  ok remove
}

# The node says this soon, whole.
say_word() {
  echo "$1" >word.new
  mv word.new "$ROOT/shared/word"
}

# A log has ended; until then the node says one word more.
rotated() {
  set -- "$ROOT"/logs/node-*.log
  [ ! -e "$1" ] || return 0
  [ -e "$ROOT/shared/word" ] || say_word "said at midnight"
  return 1
}

test_a_new_day_begins_a_new_log() {
  export P2PPOOL_DAY_LOOK=0
  mkdir days
  echo 20260101 >day
  cat >days/date <<DATE
#!/bin/sh
case "\$*" in
  +%Y%m%d) cat "$WORK/day" ;;
  *) exec env PATH=/usr/bin:/bin date "\$@" ;;
esac
DATE
  chmod +x days/date
  PATH=$WORK/days:$PATH
  node_with 'trap "exit 0" TERM; echo up; : >up; while :; do [ ! -e word ] || { mv word said; cat said; }; sleep 0.1; done' one
  install one
  ok start
  # the logger knows its day before it reads on
  must_come log_says "^up$"
  say_word "said on the first day"
  must_come log_says "first day"
  echo 20260102 >day
  # the day is looked at after some lines
  must_come rotated
  say_word "said on the second day"
  must_come log_says "second day"
  if log_says "first day"; then stop_test "the first day is in the second's log"; fi
  grep -q "first day" "$ROOT"/logs/node-*.log || stop_test "the first day is lost"
  ok remove
}

test_a_full_disk_does_not_stop_the_node() {
  small_disk size=700k
  ROOT=$WORK/disk/root
  node_with 'trap "exit 0" TERM; while [ ! -e go ]; do sleep 0.1; done; head -c 3000000 /dev/zero; : >up; while :; do sleep 0.1; done' one
  export P2PPOOL_READY_WAIT=10
  install one
  : >"$ROOT/shared/go"
  ok start
  running
  printf '%s\n' "configure name=x size=6" 12345 status >request
  session
  line 3
  has '"ok":false,"cause":"disk_full"'
  ok logs max=1000
  ok stop
  has '"changed":true'
  ok status
  has '"state":"stopped"' '"wanted":"stop"'
  ok remove
}

test_data_brings_the_matching_files() {
  install one
  ok start
  mkdir -p "$ROOT/shared/deep/er" "$ROOT/shared/config"
  echo a >"$ROOT/shared/a.db"
  echo b >"$ROOT/shared/deep/er/b c'd.db"
  echo c >"$ROOT/shared/deep/c.csv"
  echo d >"$ROOT/shared/deep/d.txt"
  echo secret >"$ROOT/shared/config/secret.db"
  echo secret >"$ROOT/shared/node.key"
  fetch "data"
  has '"files":2'
  is "$(cd got && find . -type f | sort | tr '\n' '|')" "./a.db|./deep/er/b c'd.db|"
  fetch "'data' 'patterns=*.csv d.*' 'max=100000'"
  is "$(cd got && find . -type f | sort | tr '\n' '|')" "./deep/c.csv|./deep/d.txt|"
  fetch "'data' 'patterns=*'"
  is "$(cd got && find . -type f | sort | tr '\n' '|')" "./a.db|./deep/c.csv|./deep/d.txt|./deep/er/b c'd.db|./up|"
  fetch "'data' 'patterns=*.nothing'"
  has '"files":0'
  is "$(find got -type f)" ""
  head -c 5000 /dev/zero >"$ROOT/shared/big.db"
  fetch "'data' 'max=1000'"
  has '"truncated":true' '"files":2'
  ok remove
}
