# The whole life on one host, and that everything done twice is done once.
# shellcheck shell=sh disable=SC2016,SC2034,SC2088,SC2154 # literal names; variables of the fixture

test_the_whole_life_in_one_session() {
  new_package one
  {
    echo "'status'"
    echo "'receive' 'digest=$DIGEST' 'size=$SIZE'"
    cat "$TGZ"
    echo "'configure' 'name=host.toml' 'size=4'"
    printf 'a=1\n'
    echo "'activate' 'digest=$DIGEST'"
    echo "'start'"
    echo "'status'"
    echo "'usage'"
    echo "'restart'"
    echo "'stop'"
    echo "'status'"
    echo "'remove'"
    echo "'status'"
    echo "'bye'"
    echo "'status'"
  } >request; session
  json_valid "$WORK/answers"
  line 1
  has '{"hello":"p2ppool-host","version":1,"pid":' '"arch":"'"$(uname -m)" '"missing":[]'
  line 2
  has '"state":"none"' '"installed":[]' '"current":null' '"node":null'
  line 3
  is "$ANSWER" '{"step":"receive","go":true}'
  line 4
  is "$ANSWER" '{"step":"receive","ok":true,"changed":true}'
  line 5
  is "$ANSWER" '{"step":"configure","go":true}'
  line 6
  is "$ANSWER" '{"step":"configure","ok":true,"changed":true}'
  line 7
  is "$ANSWER" '{"step":"activate","ok":true,"changed":true}'
  line 8
  has '"step":"start","ok":true,"changed":true,"pid":'
  field pid
  first=$VALUE
  line 9
  has '"state":"running"' '"wanted":"run"' "\"pid\":$first" "\"current\":\"$DIGEST\"" "\"installed\":[\"$DIGEST\"]" \
    '"previous":null' '"restarts":0' "\"node\":{\"pid\":$first,\"peer_id\":\"id-" '"stale":false'
  line 10
  has '"node":{"rss":' '"memory_total":' '"memory_available":' '"load":' '"disk_free":' '"uptime_s":' '"cores":'
  line 11
  has '"step":"restart","ok":true,"changed":true,"pid":'
  lacks "\"pid\":$first}"
  line 12
  is "$ANSWER" '{"step":"stop","ok":true,"changed":true}'
  line 13
  has '"state":"stopped"' '"wanted":"stop"' '"pid":null' '"supervisor":null' '"node":null'
  line 14
  has '"step":"remove","ok":true,"changed":true'
  line 15
  has '"state":"none"'
  is "$(wc -l <"$WORK/answers")" 15 "nothing after bye"
  absent "$ROOT"
}

test_what_is_right_already_stays_unchanged() {
  install one
  ok start
  has '"changed":true'
  field pid
  pid=$VALUE
  upload
  is "$(sed -n 2p "$WORK/answers")" '{"step":"receive","ok":true,"changed":false,"unchanged":true}'
  ok activate "digest=$DIGEST"
  has '"changed":false'
  ok start
  has '"changed":false' "\"pid\":$pid"
  configure host.toml "x = 1"
  has '"changed":true'
  configure host.toml "x = 1"
  has '"changed":false'
  sum=$(printf 'x = 1' | sha256sum)
  ok configure name=host.toml size=5 "digest=${sum%% *}"
  has '"unchanged":true'
  ok stop
  has '"changed":true'
  ok stop
  has '"changed":false'
  ok remove
  has '"changed":true'
  ok remove
  has '"changed":false'
}

test_an_upgrade_keeps_the_identity_and_one_previous_release() {
  install one
  one=$DIGEST
  ok start
  id=$(cat "$ROOT/shared/identity")
  install two
  two=$DIGEST
  ok status
  has "\"current\":\"$two\"" "\"previous\":\"$one\"" "\"package\":\"$one\""
  ok start
  has '"changed":true'
  ok status
  has "\"package\":\"$two\"" '"state":"running"'
  install three
  three=$DIGEST
  ok restart
  ok status
  has "\"current\":\"$three\"" "\"previous\":\"$two\"" "\"package\":\"$three\""
  ok activate "digest=$three"
  absent "$ROOT/releases/$one"
  there "$ROOT/releases/$two"
  is "$(cat "$ROOT/shared/identity")" "$id"
  # back to the one before, without an upload
  ok activate "digest=$two"
  ok start
  ok status
  has "\"current\":\"$two\"" "\"previous\":\"$three\"" "\"package\":\"$two\"" '"state":"running"'
  ok remove
}

test_a_changed_config_makes_the_next_start_a_restart() {
  node_with "$(quiet_node | sed 's/^: >up/cat config\/host.toml; : >up/')" one
  install one
  configure host.toml "first"
  ok start
  field pid
  pid=$VALUE
  configure host.toml "second"
  ok status
  has '"stale":true' '"state":"running"'
  ok start
  has '"changed":true'
  lacks "\"pid\":$pid}"
  ok status
  has '"stale":false'
  must_come grep -q second "$ROOT/logs/node.log"
  ok remove
}

test_install_paths_may_hold_anything() {
  for name in "with space" "quote'double\"" 'dollar$(touch /tmp/never)`x`' 'back\slash' 'stern*?[a]' 'ümlaut' '-dash' 'semi;colon & co'; do
    ROOT="$WORK/a/$name"
    install one
    ok start
    running
    ok logs
    configure host.toml "x"
    has '"changed":true'
    ok remove
    absent "$ROOT"
  done
  absent /tmp/never
}

test_the_home_folder_is_expanded() {
  HOME=$WORK/home
  export HOME
  mkdir "$HOME"
  new_package one
  ROOT='~/pool/'
  upload
  has '"ok":true'
  there "$HOME/pool/releases/$DIGEST/run"
  ok remove
  absent "$HOME/pool"
}

test_a_step_for_a_person() {
  ok status
  has '"state":"none"'
  host jump
  has '"step":"unknown","ok":false,"cause":"other"' 'knows no step' 'jump'
  sh "$HOST_SH" help >"$WORK/usage" || stop_test "help failed"
  grep -q 'sh host.sh STEP INSTALL_PATH' "$WORK/usage" || stop_test "no usage"
  if sh "$HOST_SH" >/dev/null; then stop_test "no step given, and no failure"; fi
  for step in start restart logs data; do refused not_installed "$step"; done
  refused not_installed activate "digest=$(printf x | sha256sum | cut -d" " -f1)"
  ok stop
  has '"changed":false'
  absent "$ROOT"
}
