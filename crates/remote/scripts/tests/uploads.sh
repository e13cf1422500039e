# What arrives, what does not, and what is left of it.
# shellcheck shell=sh disable=SC2016,SC2034,SC2088,SC2154 # literal names; variables of the fixture

nothing_half() {
  for left in "$ROOT"/releases/* "$ROOT"/run/*.part; do absent "$left"; done
}

test_a_cut_upload_leaves_nothing() {
  new_package one
  {
    echo "'receive' 'digest=$DIGEST' 'size=$SIZE'"
    head -c $((SIZE / 2)) "$TGZ"
  } >request; session
  has '"ok":false,"cause":"connection_lost"'
  nothing_half
}

test_a_killed_upload_is_cleaned_by_the_next_session() {
  new_package one
  mkfifo pipe
  sh "$HOST_SH" serve "$ROOT" <pipe >out 2>err &
  serving=$!
  exec 9>pipe
  echo "'receive' 'digest=$DIGEST' 'size=$SIZE'" >&9
  must_come grep -q go out
  head -c 100 "$TGZ" >&9
  must_come sh -c 'ls "$1"/releases/*.part >/dev/null 2>&1' sh "$ROOT"
  kill -s KILL "$serving"
  wait "$serving" 2>/dev/null
  # its reader still waits for the rest
  exec 9>&-
  ls "$ROOT"/releases/*.part >/dev/null || stop_test "there was no part to clean"
  echo "'bye'" >request; session
  nothing_half
  upload
  has '"ok":true,"changed":true'
}

test_a_wrong_digest_is_refused_and_the_session_goes_on() {
  new_package one
  wrong=$(printf x | sha256sum | cut -d" " -f1)
  {
    echo "'receive' 'digest=$wrong' 'size=$SIZE'"
    cat "$TGZ"
    echo "'status'"
  } >request; session
  line 3
  has '"step":"receive","ok":false,"cause":"digest_mismatch"' "$wrong" "$DIGEST"
  line 4
  has '"step":"status","ok":true' '"installed":[]'
  nothing_half
}

# plain: PLAIN and SIZE of the present package without its compression, in the file plain.
plain() {
  gzip -dc "$TGZ" >plain
  PLAIN=$(sha256sum <plain | cut -d" " -f1) SIZE=$(($(wc -c <plain)))
}

test_an_archive_without_its_compression_becomes_the_same_release() {
  new_package one
  plain
  {
    echo "'receive' 'digest=$DIGEST' 'size=$SIZE' 'plain=$PLAIN'"
    cat plain
  } >request; session
  has '"step":"receive","ok":true,"changed":true'
  ok activate "digest=$DIGEST"
  ok start
  running
  has "\"installed\":[\"$DIGEST\"]" "\"package\":\"$DIGEST\""
  ok stop
}

test_an_archive_without_its_compression_is_compared_with_its_own_digest() {
  new_package one
  plain
  {
    echo "'receive' 'digest=$DIGEST' 'size=$SIZE' 'plain=$DIGEST'"
    cat plain
  } >request; session
  has '"step":"receive","ok":false,"cause":"digest_mismatch"' "$DIGEST" "$PLAIN"
  echo "'receive' 'digest=$DIGEST' 'size=$SIZE' 'plain=../../etc'" >request; session
  has '"step":"receive","ok":false,"cause":"other"' "plain="
  nothing_half
}

test_what_is_no_archive_or_no_package_is_refused() {
  TGZ=$WORK/junk
  echo "this is no archive" >"$TGZ"
  DIGEST=$(sha256sum <"$TGZ" | cut -d" " -f1) SIZE=$(wc -c <"$TGZ")
  upload
  has '"ok":false,"cause":"other"' "unpack"
  nothing_half
  mkdir empty
  tar -czf "$TGZ" -C empty .
  DIGEST=$(sha256sum <"$TGZ" | cut -d" " -f1) SIZE=$(wc -c <"$TGZ")
  upload
  has '"ok":false' "no file named run"
  nothing_half
}

# sizes_are_exact: a request right behind the payload must be read as one.
sizes_are_exact() {
  for size in "$@"; do
    head -c "$size" /dev/zero | tr '\0' 'a' >payload
    {
      echo "'configure' 'name=c' 'size=$size'"
      cat payload
      echo "'status'"
    } >request; session
    line 3
    has '"step":"configure","ok":true'
    line 4
    has '"step":"status","ok":true'
    cmp -s payload "$ROOT/shared/config/c" || stop_test "size $size: $(wc -c <"$ROOT/shared/config/c")"
  done
}

test_a_payload_is_read_to_the_byte() {
  sizes_are_exact 1 2 511 65535 65536 65537 131072 300001 0
}

test_a_payload_is_read_to_the_byte_without_fullblock() {
  mkdir old
  cat >old/dd <<'DD'
#!/bin/sh
for word; do case $word in iflag=*) echo "dd: unknown operand" >&2; exit 1 ;; esac; done
exec /usr/bin/env -u LC_ALL PATH=/usr/bin:/bin dd "$@"
DD
  chmod +x old/dd
  PATH=$WORK/old:$PATH
  sizes_are_exact 1 5000 70001 0
}

test_a_payload_is_read_to_the_byte_without_count_bytes() {
  mkdir old
  cat >old/dd <<'DD'
#!/bin/sh
for word; do case $word in *count_bytes*) echo "dd: invalid input flag" >&2; exit 1 ;; esac; done
exec /usr/bin/env PATH=/usr/bin:/bin dd "$@"
DD
  chmod +x old/dd
  PATH=$WORK/old:$PATH
  sizes_are_exact 1 65535 65536 300001 0
  test_a_disk_that_fills_while_receiving_keeps_the_session_in_step
}

test_a_slow_sender_is_waited_for() {
  new_package one
  {
    echo "'receive' 'digest=$DIGEST' 'size=$SIZE'"
    head -c 10 "$TGZ"
    sleep 0.3
    tail -c +11 "$TGZ" | head -c 5000
    sleep 0.3
    tail -c +5011 "$TGZ"
    echo "'status'"
  } >request; session
  has '"step":"status","ok":true' "\"installed\":[\"$DIGEST\"]"
}

test_two_uploads_of_one_package_at_once_give_one_release() {
  new_package one
  for n in 1 2 3; do
    sh "$HOST_SH" receive "$ROOT" "digest=$DIGEST" "size=$SIZE" <"$TGZ" >"out.$n" 2>&1 &
    eval "job$n=\$!"
  done
  # shellcheck disable=SC2154 # set by eval
  wait "$job1" "$job2" "$job3"
  for n in 1 2 3; do ANSWER=$(tail -n 1 "out.$n") && has '"step":"receive","ok":true'; done
  is "$(ls "$ROOT/releases")" "$DIGEST"
}

test_a_full_disk_is_named_before_anything_is_sent() {
  small_disk size=512k
  ROOT=$WORK/disk/root
  refused disk_full receive "digest=$(printf x | sha256sum | cut -d" " -f1)" size=5000000
  has "are free"
  nothing_half
}

test_a_small_package_that_finds_no_room_leaves_nothing() {
  small_disk size=512k
  ROOT=$WORK/disk/root
  mkdir -p pack.one
  head -c 700000 /dev/urandom >pack.one/noise
  new_package one
  {
    echo "'receive' 'digest=$DIGEST' 'size=$SIZE'"
    cat "$TGZ"
    echo "'status'"
  } >request; session
  line 3
  has '"step":"receive","ok":false,"cause":"disk_full"'
  line 4
  has '"step":"status","ok":true' '"installed":[]'
  nothing_half
}

test_a_disk_that_fills_while_unpacking_leaves_nothing() {
  small_disk size=512k
  ROOT=$WORK/disk/root
  mkdir -p pack.one
  head -c 2000000 /dev/zero >pack.one/zeros
  new_package one
  {
    echo "'receive' 'digest=$DIGEST' 'size=$SIZE'"
    cat "$TGZ"
    echo "'status'"
  } >request; session
  line 3
  has '"step":"receive","ok":false,"cause":"disk_full"'
  line 4
  has '"step":"status","ok":true' '"installed":[]'
  nothing_half
}

test_a_disk_that_fills_while_receiving_keeps_the_session_in_step() {
  small_disk size=256k
  ROOT=$WORK/disk/root
  {
    echo "'configure' 'name=c' 'size=900001'"
    head -c 900001 /dev/zero
    echo "'status'"
  } >request; session
  line 3
  has '"step":"configure","ok":false,"cause":"disk_full"'
  line 4
  has '"step":"status","ok":true'
  nothing_half
}

test_a_read_only_path_is_named() {
  small_disk size=512k,ro
  ROOT=$WORK/disk/root
  refused read_only receive "digest=$(printf x | sha256sum | cut -d" " -f1)" size=5
  # one that became read-only later; the shell's own redirections must not end the step without an answer
  mount -o remount,rw "$WORK/disk" || skip "remount is refused"
  install one
  mount -o remount,ro "$WORK/disk"
  refused read_only start
  refused read_only remove
  ok status
  has '"state":"stopped"'
  mount -o remount,rw "$WORK/disk"
  ok remove
}

test_a_path_of_another_user_is_named() {
  if [ "$(id -u)" -eq 0 ]; then
    [ -x /usr/bin/setpriv ] || skip "needs setpriv to become another user"
    mkdir closed
    chmod 755 closed
    chmod 755 "$WORK/../.." "$WORK/.." "$WORK" "$SHELL_BIN"
    cp "$HOST_SH" "$WORK/host.sh"
    chmod 644 "$WORK/host.sh"
    ANSWER=$(/usr/bin/setpriv --reuid=65534 --regid=65534 --clear-groups \
      sh "$WORK/host.sh" receive "$WORK/closed/root" "digest=$(printf x | sha256sum | cut -d" " -f1)" size=5 </dev/null)
  else
    ROOT=/root/p2ppool-test
    host receive "digest=$(printf x | sha256sum | cut -d" " -f1)" size=5
  fi
  has '"ok":false,"cause":"permission_denied"'
}

test_a_missing_tool_is_named() {
  new_package one
  limited_path tar setsid
  echo "'receive' 'digest=$DIGEST' 'size=$SIZE'" >request; session
  line 1
  has '"missing":["tar"]'
  line 2
  has '"ok":false,"cause":"missing_tool"' "tar is not installed"
  absent "$ROOT"
}

test_another_tool_may_count_the_digest() {
  new_package one
  limited_path sha256sum
  command -v shasum >/dev/null || command -v openssl >/dev/null || command -v busybox >/dev/null ||
    skip "none of shasum, openssl, busybox is here"
  upload
  has '"ok":true,"changed":true'
}

test_another_architecture_is_refused() {
  mkdir -p pack.one
  echo "pdp11" >pack.one/arch
  new_package one
  upload
  has '"ok":false,"cause":"wrong_architecture"' "pdp11" "$(uname -m)"
  nothing_half
}

test_dangerous_paths_are_refused() {
  for ROOT in "" / // "~" "~/" relative /tmp /usr/ /home/../etc "$WORK/./x" "$WORK/.." "$HOME" "$HOME/" "$WORK
x"; do
    for step in status remove "receive digest=$(printf x | sha256sum | cut -d" " -f1) size=5"; do
      # shellcheck disable=SC2086 # step and arguments
      refused other $step
      has "install path"
    done
  done
  ROOT=/ && echo "'remove'" >request; session
  has '"ok":false,"cause":"other"'
}

test_what_others_made_is_left_alone() {
  mkdir -p "$ROOT/logs"
  echo mine >"$ROOT/logs/diary"
  new_package one
  echo "'receive' 'digest=$DIGEST' 'size=$SIZE'" >request; session
  has '"ok":false,"cause":"other"' "logs is there already"
  ok remove
  has '"changed":false'
  is "$(cat "$ROOT/logs/diary")" mine
  ROOT=$WORK/second
  mkdir "$ROOT"
  echo mine >"$ROOT/diary"
  install one
  ok remove
  has '"left":true'
  is "$(ls -A "$ROOT")" diary
}

test_bad_requests_are_answered() {
  {
    echo "'receive'"
    echo "'receive' 'digest=../../etc' 'size=5'"
    echo "'receive' 'digest=$(printf x | sha256sum | cut -d" " -f1)' 'size=99999999999999999999'"
    echo "'receive' 'digest=$(printf x | sha256sum | cut -d" " -f1)' 'size=-1'"
    echo "'configure' 'name=../evil' 'size=5'"
    echo "'configure' 'name=.hidden' 'size=5'"
    echo "'configure' 'name=x' 'size=99999999'"
    echo "'activate' 'digest=zz'"
    echo "'no\"such\\step'"
    echo ""
    echo "'status'"
  } >request; session
  json_valid "$WORK/answers"
  is "$(grep -c '"ok":false,"cause":"other"' "$WORK/answers")" 9
  has '"step":"status","ok":true'
  absent "$ROOT/releases"
}

test_without_awk_a_message_loses_only_its_odd_characters() {
  limited_path awk
  # shellcheck disable=SC2086
  ROOT="$WORK/quote\"d/.." && host status
  echo "$ANSWER" >answer
  json_valid answer
  has '"ok":false,"cause":"other"' "install path"
}
