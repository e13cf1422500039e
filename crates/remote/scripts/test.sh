#!/bin/sh
# Tests of host.sh under each shell that hosts have: sh test.sh [SHELL...] [-- NAME...]
# Each tests/*.sh holds functions test_…; each runs apart, with its own folder and install path, and must leave no
# process. The last line is "N passed, N failed"; a skipped test says why and counts as neither.
# shellcheck disable=SC1090,SC1091,SC2034 # the files beside this one, and what they use
set -u
here=$(cd "$(dirname "$0")" && pwd)
HOST_SH=$here/host.sh

# Seconds that one test may take, on a busy machine.
TEST_LIMIT=180

. "$here/tests/fixture.sh"

if [ "${1-}" = --one ]; then
  NAME=$2
  for file in "$here"/tests/*.sh; do
    case $file in */fixture.sh) ;; *) . "$file" ;; esac
  done
  one_test
  exit
fi

TEST_TMP=$(mktemp -d "${TMPDIR:-/tmp}/p2ppool-host-test.XXXXXX")
trap 'rm -rf "$TEST_TMP"' EXIT
trap 'exit 130' INT TERM

shells=
while [ "$#" -gt 0 ]; do
  [ "$1" != -- ] || { shift && break; }
  shells="$shells $1"
  shift
done
names=$*
[ -n "$names" ] || names=$(sed -n 's/^\(test_[a-z0-9_]*\)() {.*/\1/p' "$here"/tests/*.sh)
total_passed=0 total_failed=0 total_skipped=0

run_test() {
  WORK=$TEST_TMP/$shell/$1
  mkdir -p "$WORK"
  began=$(date +%s)
  WORK=$WORK SHELL_BIN=$SHELL_BIN timeout --kill-after=5 "$TEST_LIMIT" sh "$here/test.sh" --one "$1" \
    >"$WORK.output" 2>&1 </dev/null
  status=$?
  [ -z "${TEST_TIMES-}" ] || echo "        $(($(date +%s) - began)) s $1"
  kill_left
  umount -l "$WORK/disk" 2>/dev/null
  case $status in
    0) passed=$((passed + 1)) ;;
    77)
      skipped=$((skipped + 1))
      echo "SKIPPED $shell $1: $(tail -n 1 "$WORK.output")"
      ;;
    *)
      failed=$((failed + 1))
      [ "$status" -ne 124 ] || echo "took more than $TEST_LIMIT s" >>"$WORK.output"
      echo "FAILED  $shell $1"
      tail -n 40 "$WORK.output" | sed 's/^/        /'
      ;;
  esac
}

# use_shell NAME: the script calls its own parts by `sh`, so that name must be the shell under test.
# `alpine` is busybox for every program that it has.
use_shell() {
  case $1 in alpine) program=busybox ;; *) program=$1 ;; esac
  program=$(command -v "$program") || return 1
  SHELL_BIN=$TEST_TMP/$1.bin
  mkdir "$SHELL_BIN"
  ln -s "$program" "$SHELL_BIN/sh"
  [ "$1" = alpine ] || return 0
  for applet in busybox $("$program" --list); do ln -sf "$program" "$SHELL_BIN/$applet"; done
}

# test_shell NAME: all tests under it; the last line holds the counts.
test_shell() {
  shell=$1 passed=0 failed=0 skipped=0
  if use_shell "$shell"; then
    for name in $names; do run_test "$name"; done
  else
    echo "FAILED  $shell is not installed"
    failed=1
  fi
  echo "$shell $passed $failed $skipped"
}

# the tests mostly wait, so the shells run beside each other
shells=${shells:-dash busybox bash alpine}
for shell in $shells; do test_shell "$shell" >"$TEST_TMP/$shell.counts" & done
wait
for shell in $shells; do
  sed '$d' "$TEST_TMP/$shell.counts"
  # shellcheck disable=SC2046 # four words
  set -- $(tail -n 1 "$TEST_TMP/$shell.counts")
  echo "under $shell: ok $2, failed $3, skipped $4"
  total_passed=$((total_passed + $2)) total_failed=$((total_failed + $3)) total_skipped=$((total_skipped + $4))
done
[ "$total_skipped" -eq 0 ] || echo "NOTE: $total_skipped skipped (reasons above)"
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
