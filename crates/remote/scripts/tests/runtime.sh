# What releases share, and what they find out before a start.
# shellcheck shell=sh disable=SC2016,SC2034,SC2154 # scripts as text; variables of the fixture

# new_runtime NAME: RUNTIME is its digest.
new_runtime() {
  mkdir -p "$WORK/runtime.$1"
  echo "echo $1" >"$WORK/runtime.$1/mono"
  tar -czf "$WORK/runtime.$1.tgz" -C "$WORK/runtime.$1" .
  RUNTIME=$(sha256sum <"$WORK/runtime.$1.tgz" | cut -d" " -f1)
  {
    echo "'receive' 'into=runtimes' 'digest=$RUNTIME' 'size=$(($(wc -c <"$WORK/runtime.$1.tgz")))'"
    cat "$WORK/runtime.$1.tgz"
  } >request; session
}

with_runtime() {
  mkdir -p "$WORK/pack.$1"
  echo "$2" >"$WORK/pack.$1/runtime"
  install "$1"
}

test_a_runtime_is_received_once_and_kept_while_a_release_names_it() {
  new_runtime old
  has '"ok":true,"changed":true'
  there "$ROOT/runtimes/$RUNTIME/mono"
  # that it has it is told before anything is sent
  head -n 1 request >again && mv again request; session
  has '"unchanged":true'
  old=$RUNTIME
  with_runtime one "$old"
  ok status
  has "\"runtimes\":[\"$old\"]"
  new_runtime new
  with_runtime two "$RUNTIME"
  there "$ROOT/runtimes/$old"
  install three
  absent "$ROOT/runtimes/$old"
  there "$ROOT/runtimes/$RUNTIME"
  ok remove
  absent "$ROOT"
}

test_what_is_no_runtime_is_refused() {
  new_package one
  {
    echo "'receive' 'into=runtimes' 'digest=$DIGEST' 'size=$SIZE'"
    cat "$TGZ"
  } >request; session
  has '"ok":false,"cause":"other"' "mono"
  for left in "$ROOT"/runtimes/*; do absent "$left"; done
}

test_a_preflight_warns_and_refuses_in_plain_words() {
  mkdir -p "$WORK/pack.warns" "$WORK/pack.refuses"
  echo 'echo "warn the \"ring\" will not form"; echo "noise"; echo "warn second"' >"$WORK/pack.warns/preflight"
  echo 'echo "warn first"; echo "fail wrong_architecture it is made for something else"' >"$WORK/pack.refuses/preflight"
  install warns
  ok start
  running
  has '"warnings":["the \u0022ring\u0022 will not form","second"]'
  ok stop
  install refuses
  refused wrong_architecture start
  has "it is made for something else"
  install three
  ok start
  running
  has '"warnings":["first"]'
  ok remove
}

test_a_node_that_wants_another_signal_gets_all_the_time_and_never_term() {
  # longer than half of the time that a node gets, by which others get TERM
  export P2PPOOL_STOP_WAIT=8
  node_with 'trap "echo got term; exit 0" TERM; trap "sleep 5; echo said goodbye; exit 3" USR1; : >up; while :; do sleep 0.1; done' polite
  echo USR1 >"$WORK/pack.polite/stop_signal"
  install polite
  ok start
  ok stop
  has '"changed":true'
  grep -q "said goodbye" "$ROOT/logs/node.log" || stop_test "$(cat "$ROOT/logs/node.log")"
  if grep -q "got term" "$ROOT/logs/node.log"; then stop_test "TERM came"; fi
}

test_a_release_may_say_how_long_its_node_takes() {
  mkdir -p "$WORK/pack.slow"
  node_with 'trap "exit 0" TERM; sleep 2; : >up; while :; do sleep 0.1; done' slow
  echo 20 >"$WORK/pack.slow/ready_wait"
  install slow
  P2PPOOL_READY_WAIT=1 ok start
  running
  ok remove
}
