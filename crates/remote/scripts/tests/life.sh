# Supervisor and node: starting, crashing, being killed, and whose processes are touched.
# shellcheck shell=sh disable=SC2010,SC2012,SC2046,SC2094,SC2016,SC2034,SC2154 # scripts as text; variables of the fixture

nodes() {
  for id in $(processes); do
    case $(tr '\0' ' ' <"/proc/$id/cmdline" 2>/dev/null) in *"/releases/"*"/run "*) echo "$id" ;; esac
  done
}

count_is() { [ "$(nodes | wc -l)" -eq "$1" ]; }

restarts_reach() {
  read -r restarts <"$ROOT/run/restarts" && [ "$restarts" -ge "$1" ]
} 2>/dev/null

is_running() {
  ok status
  case $ANSWER in *'"state":"running"'*) ;; *) return 1 ;; esac
}

test_starts_at_once_give_one_node() {
  install one
  for n in 1 2 3 4; do
    sh "$HOST_SH" start "$ROOT" >"out.$n" 2>&1 &
    eval "job$n=\$!"
  done
  wait "$job1" "$job2" "$job3" "$job4"
  for n in 1 2 3 4; do ANSWER=$(cat "out.$n") && has '"step":"start","ok":true'; done
  is "$(cat out.* | grep -c '"changed":true')" 1
  count_is 1 || stop_test "nodes: $(nodes)"
  ok remove
}

test_supervisors_at_once_give_one_node() {
  install one
  echo run >"$ROOT/run/wanted"
  for n in 1 2 3 4 5; do sh "$ROOT/releases/$DIGEST/host.sh" supervise "$ROOT" >"out.$n" 2>&1 & done
  must_come sh -c 'test "$(cat out.* | grep -c "supervises this node already")" -eq 4'
  must_come count_is 1
  must_come is_running
  ok stop
  count_is 0 || stop_test "nodes: $(nodes)"
  ok remove
}

session_of() { sed 's/.*) //' "/proc/$1/stat" | cut -d" " -f4; }

test_the_supervisor_holds_nothing_of_the_session() {
  install one
  mkfifo in
  sh "$HOST_SH" serve "$ROOT" <in >out 2>err 4>held4 8>held8 &
  serving=$!
  exec 9>in
  echo start >&9
  must_come grep -q '"step":"start","ok":true' out
  ANSWER=$(tail -n 1 out)
  field pid
  node=$VALUE
  kill -s KILL "$serving"
  wait "$serving" 2>/dev/null
  exec 9>&-
  ok status
  has '"state":"running"' "\"pid\":$node"
  field supervisor
  for id in "$node" "$VALUE"; do
    for fd in "/proc/$id/fd"/*; do
      case ${fd##*/}:$(readlink "$fd") in
        0:/dev/null | [123]:pipe:* | *:"$ROOT/releases/"*) ;;
        # dash can't close these; sshd and the manager hand none on
        ??*:"$(readlink "/proc/$$/fd/${fd##*/}")") ;;
        *) stop_test "$id holds ${fd##*/} -> $(readlink "$fd")" ;;
      esac
    done
    [ "$(session_of "$id")" != "$(session_of $$)" ] || stop_test "$id is in the session that started it"
  done
  is "$(session_of "$node")" "$node" "the node leads its session"
  ok remove
}

test_a_node_that_dies_is_started_again() {
  install one
  ok start
  field pid
  kill -s KILL "$VALUE"
  must_come restarts_reach 1
  must_come is_running
  ok status
  lacks "\"pid\":$VALUE,"
  has '"restarts":1' '"last_exit":"signal 9"'
  is "$(cat "$ROOT/shared/identity")" "id-$VALUE" "the identity stays"
  ok remove
}

test_a_crash_loop_backs_off() {
  export P2PPOOL_BACKOFF_MAX=2
  node_with 'trap "exit 0" TERM; n=$(cat starts 2>/dev/null || echo 0); echo $((n+1)) >starts
    : >up; [ "$n" -gt 0 ] || { while [ ! -e go ]; do sleep 0.1; done; }; exit 3' one
  install one
  ok start
  : >"$ROOT/shared/go"
  must_come restarts_reach 4
  is "$(sed -n 's/.*next start in \(.*\) s$/\1/p' "$ROOT/logs/node.log" | head -n 4 | tr '\n' ' ')" "1 2 2 2 "
  ok status
  has '"last_exit":"status 3"' '"wanted":"run"'
  lacks '"supervisor":null'
  ok stop
  has '"changed":true'
  ok status
  has '"state":"stopped"'
  ok remove
}

test_a_node_that_ran_long_is_restarted_at_once_again() {
  export P2PPOOL_STEADY_AFTER=1
  node_with ': >up; sleep 1.5; exit 3' one
  install one
  ok start
  must_come restarts_reach 3
  is "$(sed -n 's/.*next start in \(.*\) s$/\1/p' "$ROOT/logs/node.log" | head -n 3 | tr '\n' ' ')" "1 1 1 "
  ok remove
}

test_a_node_that_ends_at_once_is_a_failure_with_its_words() {
  node_with 'echo "cannot open \"x\\y\": bad	thing"; printf "\\303\\251 \\377\\033[1m end\\n"; exit 7' one
  install one
  refused start_failed start
  has "ended right after its start (status 7)" 'cannot open \u0022x\u005cy\u0022: bad\u0009thing' '\u00e9 \u001b[1m end'
  echo "$ANSWER" >answer
  json_valid answer
  ok status
  has '"state":"stopped"' '"wanted":"run"' '"supervisor":null' '"pid":null'
  ok remove
}

test_a_node_that_gets_never_ready_is_said_so_and_left_running() {
  export P2PPOOL_READY_WAIT=1
  node_with 'trap "exit 0" TERM; while :; do [ ! -e go ] || : >up; sleep 0.1; done' one
  install one
  refused start_failed start
  has "was not ready after 1 s"
  ok status
  has '"state":"starting"'
  field pid
  pid=$VALUE
  : >"$ROOT/shared/go"
  must_come test -e "$ROOT/shared/up"
  ok start
  has '"changed":false' "\"pid\":$pid"
  ok remove
}

test_a_node_that_ignores_its_signal_is_killed_with_its_children() {
  node_with 'trap "" TERM; sh -c "trap \"\" TERM; while :; do sleep 0.1; done" "$RELEASE/child" & : >up; while :; do sleep 0.1; done' one
  install one
  ok start
  field pid
  ok stop
  has '"changed":true'
  ended "$VALUE" || stop_test "the node lives"
  nothing_left
  ok remove
}

test_the_packages_signal_ends_the_node() {
  for name in INT USR1; do
    mkdir -p "pack.$name"
    echo "$name" >"pack.$name/stop_signal"
    node_with "trap 'echo got $name; exit 0' $name; trap 'echo got TERM; exit 0' TERM; : >up; while :; do sleep 0.1; done" "$name"
    install "$name"
    ok start
    ok stop
    nothing_left
    # a shell that was started in the background can't catch INT unless env undid that; then it is killed in the end
    if [ "$name" != INT ] || env --default-signal=INT true 2>/dev/null; then
      grep -q "got $name" "$ROOT/logs/node.log" || stop_test "no goodbye after $name"
    fi
    ! grep -q "got TERM" "$ROOT/logs/node.log" || stop_test "TERM instead of $name"
  done
  ok remove
}

test_a_hard_stop_kills_without_a_word() {
  node_with "trap 'echo got TERM; exit 0' TERM; : >up; while :; do sleep 0.1; done" one
  install one
  ok start
  must_come test -e "$ROOT/shared/up"
  field pid
  ok stop hard=1
  has '"changed":true'
  ended "$VALUE" || stop_test "the node lives"
  nothing_left
  ! grep -q "got TERM" "$ROOT/logs/node.log" || stop_test "it could say goodbye"
  rm "$ROOT/shared/up"
  ok start
  must_come test -e "$ROOT/shared/up"
  ok stop
  nothing_left
  grep -q "got TERM" "$ROOT/logs/node.log" || stop_test "no goodbye after a start that followed"
  ok remove
}

# forge_lock NAME RECORD: as if that process had taken it.
forge_lock() {
  top=0
  for file in "$ROOT/run/$1.lock"/*; do
    case ${file##*/} in *[!0-9]*) ;; *) [ "${file##*/}" -lt "$top" ] || top=${file##*/} ;; esac
  done
  : >"$ROOT/run/$1.lock/$((top + 1))"
  [ -z "$2" ] || : >"$ROOT/run/$1.lock/$((top + 1)) $2"
}

test_a_foreign_process_with_a_recorded_id_is_never_touched() {
  install one
  ok start
  ok stop
  sleep 300 &
  foreign=$!
  boot=$(cat /proc/sys/kernel/random/boot_id)
  real=$(record_of "$foreign")
  start=${real#* }
  start=${start%% *}
  # reused after a crash of the node; and the same numbers in another boot
  for record in "$foreign 1 $boot" "$foreign $start 00000000-0000-0000-0000-000000000000" "$foreign" "$foreign $start"; do
    for step in start restart stop; do
      echo "$record" >"$ROOT/run/node"
      [ "$step" != start ] || forge_lock supervisor "$record"
      # shellcheck disable=SC2086 # step and argument
      ok $step
      kill -s 0 "$foreign" || stop_test "$step killed a foreign process"
    done
  done
  ok start
  running
  ok remove
  kill -s 0 "$foreign" || stop_test "remove killed a foreign process"
  kill "$foreign"
}

test_a_start_after_a_reboot_works() {
  install one
  ok start
  # as after a power cut: the processes are gone, the files are there, the boot is another
  kill_left
  must_come count_is 0
  other=11111111-1111-1111-1111-111111111111
  for file in "$ROOT/run/node" "$ROOT/run/ready"; do sed -i "s/ [^ ]*$/ $other/" "$file"; done
  for file in "$ROOT"/run/*.lock/*\ *-*; do mv "$file" "${file% *} $other"; done
  ok status
  has '"state":"stopped"' '"wanted":"run"' '"pid":null' '"node":null'
  ok start
  has '"changed":true'
  running
  ok remove
}

test_a_killed_supervisor_leaves_no_second_node() {
  install one
  ok start
  field pid
  node=$VALUE
  ok status
  field supervisor
  kill -s KILL "$VALUE"
  must_come ended "$VALUE"
  ok status
  has '"supervisor":null' "\"pid\":$node"
  ok start
  has '"changed":true'
  lacks "\"pid\":$node}"
  count_is 1 || stop_test "nodes: $(nodes)"
  # and stop ends a node without supervisor, too
  ok status
  field supervisor
  kill -s KILL "$VALUE"
  must_come ended "$VALUE"
  ok stop
  has '"changed":true'
  count_is 0 || stop_test "nodes: $(nodes)"
  ok remove
}

test_a_held_lock_is_busy_and_a_dead_holders_is_taken() {
  export P2PPOOL_LOCK_WAIT=0
  install one
  sleep 300 &
  holder=$!
  forge_lock steps "$(record_of "$holder")"
  for step in start stop restart remove "activate digest=$DIGEST"; do
    # shellcheck disable=SC2086 # step and argument
    refused busy $step
    has "process $holder"
  done
  ok status
  ok usage
  kill "$holder"
  wait "$holder" 2>/dev/null
  ok start
  ok remove
}

test_a_lock_that_was_created_and_never_written_is_taken() {
  install one
  forge_lock steps ""
  ok stop
  ok remove
}

test_many_steps_keep_the_lock_folder_small() {
  install one
  n=0
  while [ "$n" -lt 40 ]; do
    n=$((n + 1))
    echo stop
  done >request; session
  is "$(grep -c '"ok":true' answers)" 40
  [ "$(ls "$ROOT/run/steps.lock" | wc -l)" -le 24 ] || stop_test "$(ls "$ROOT/run/steps.lock")"
  ok remove
}

listener() {
  command -v node >/dev/null || skip "needs node to listen"
  cat >listen.cjs <<'JS'
const [protocol, address, port] = process.argv.slice(2);
const done = () => console.log("listens");
if (protocol === "tcp") require("net").createServer().listen({ host: address, port: +port, ipv6Only: false }, done);
else require("dgram").createSocket(address.includes(":") ? "udp6" : "udp4").bind(+port, address, done);
JS
  : >listen.out # what an earlier listener said must not count
  node "$WORK/listen.cjs" "$@" >>listen.out 2>&1 &
  listening=$!
  must_come grep -q . listen.out
  grep -q listens listen.out || skip "can't listen at $*: $(cat listen.out)"
}

test_a_taken_port_is_named() {
  node_with "$(quiet_node)" one
  port=$((20000 + $$ % 10000))
  install one
  while read -r wanted has_it; do
    echo "$wanted $port" | tr , ' ' >"$ROOT/shared/config/ports"
    # shellcheck disable=SC2086 # protocol, address
    listener $(echo "$has_it" | tr , ' ') "$port"
    refused port_in_use start
    has "port $port"
    kill "$listening"
    wait "$listening" 2>/dev/null
  done <<CASES
tcp,127.9.8.7 tcp,127.9.8.7
tcp,127.9.8.7 tcp,0.0.0.0
tcp,0.0.0.0 tcp,127.9.8.7
udp,127.9.8.7 udp,127.9.8.7
udp,0.0.0.0 udp,0.0.0.0
tcp,0.0.0.0 tcp,::
CASES
  # not in the way: another address, another protocol
  echo "tcp 127.9.8.7 $port" >"$ROOT/shared/config/ports"
  listener tcp 127.9.8.6 "$port"
  ok start
  kill "$listening"
  # its own node, which now would hold it, is no hindrance
  ok restart
  ok remove
}

test_the_packages_own_port_list_is_used() {
  port=$((20000 + $$ % 10000))
  mkdir -p pack.one
  echo "tcp 127.9.8.7 $port" >pack.one/ports
  install one
  listener tcp 127.9.8.7 "$port"
  refused port_in_use start
  ok status
  has '"state":"stopped"'
  kill "$listening"
  wait "$listening" 2>/dev/null
  ok start
  ok remove
}

test_what_a_node_says_about_a_port_or_its_format_becomes_the_cause() {
  node_with 'echo "Error: Address already in use (os error 98)"; exit 1' one
  install one
  refused port_in_use start
  node_with 'echo "./node/x: cannot execute binary file: Exec format error"; exit 126' two
  install two
  refused wrong_architecture start
  ok remove
}

test_it_works_without_setsid() {
  limited_path setsid
  install one
  ok start
  running
  field pid
  kill -s HUP "$VALUE"
  ok stop
  ok remove
}

test_chatter_of_the_package_stays_out_of_the_answers() {
  mkdir -p pack.one
  echo 'echo noise from ready; [ -e up ]' >pack.one/ready
  install one
  printf '%s\n' start status stop >request; session
  is "$(grep -c '^{' answers)" "$(wc -l <answers)"
  ok remove
}

test_what_the_node_says_of_itself_can_not_break_the_answer() {
  node_with "$(quiet_node)" one
  install one
  ok start
  for said in '{"a":1' 'no json' '{"a":"tab	b"}' '' '[1]'; do
    printf '%s\n' "$said" >"$ROOT/shared/node.json"
    ok status
    has '"node":null'
    echo "$ANSWER" >answer
    json_valid answer
  done
  printf '{"pid":1,"peer_id":"x","listen":["/ip4/127.0.0.1/tcp/1"]}' >"$ROOT/shared/node.json"
  ok status
  has '"node":{"pid":1,"peer_id":"x","listen":["/ip4/127.0.0.1/tcp/1"]}'
  ok remove
}
