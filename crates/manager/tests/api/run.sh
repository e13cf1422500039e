#!/bin/sh
# Asks a real server everything that its OpenAPI document allows, and what it does not, as each role.
#   run.sh PROGRAM ST [EXAMPLES]      PROGRAM: p2ppool, ST: schemathesis
# Every boundary that the document names is tried; with EXAMPLES, so many random requests per operation, too.
# Fails when an answer is a 5xx, has a status or a form that the document does not name.
# The server has a network of its own in which there is nothing but loopback, so made-up hosts can't be reached, and
# processes of its own, so that local nodes which it started end with this script.
set -eu

if [ -z "${ALONE-}" ]; then
  ALONE=1
  export ALONE
  apart="--net --pid --fork --kill-child --mount-proc"
  # shellcheck disable=SC2086 # words
  if unshare $apart true 2>/dev/null; then
    exec unshare $apart "$0" "$@"
  fi
  # shellcheck disable=SC2086 # words
  exec unshare --user --map-root-user $apart "$0" "$@"
fi
ip link set lo up

program=$(realpath "$1") st=$(command -v "$2") examples=${3:-}
folder=$(mktemp -d)
cd "$folder"
server=
# shellcheck disable=SC2317,SC2329 # called by the trap
end() {
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ -z "$server" ] || wait "$server" 2>/dev/null || true
  rm -rf "$folder"
}
trap end EXIT
trap 'exit 1' INT TERM

port=8080
P2PPOOL_SERVER=http://127.0.0.1:$port
HOME=$folder
export P2PPOOL_SERVER HOME
"$program" serve --data "$folder/data" --listen "127.0.0.1:$port" >"$folder/out" 2>"$folder/log" &
server=$!
tries=0
until grep -q password "$folder/out"; do
  tries=$((tries + 1))
  if [ "$tries" -gt 600 ] || ! kill -0 "$server" 2>/dev/null; then
    cat "$folder/out" "$folder/log"
    exit 1
  fi
  sleep 0.1
done
sed -n 's/^ *password *\([^ ]*\).*/\1/p' "$folder/out" >"$folder/admin"
"$program" login --password-file "$folder/admin" >/dev/null
printf 'a.invalid\n127.0.0.1:1\n' >"$folder/hosts"
"$program" pool create planet --visibility public --hosts "$folder/hosts" >/dev/null
"$program" pool create hidden --visibility private >/dev/null

phases=examples,coverage${examples:+,fuzzing}
failed=0 passed=0
ask() {
  role=$1
  shift
  echo "== as $role"
  # What ends the session that asks, and the stream that never ends, are left out. One seed: the same questions each time.
  # One worker: in Python 3.11, two threads that parse Python at the same time end in a SystemError (hypothesis parses).
  if ! "$st" run "$P2PPOOL_SERVER/api/v1/openapi.json" "$@" --seed 1 --max-examples "${examples:-1}" --no-color \
    --phases "$phases" --workers 1 --continue-on-failure --request-timeout 30 \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
    --exclude-path-regex '^/(api/v1/)?(events|login|logout|sessions|me|tokens|users|oidc)(/|$)|/events$' \
    --suppress-health-check all --warnings off >"$folder/$role" 2>&1; then
    tail -n 150 "$folder/$role"
    failed=$((failed + 1))
  else
    tail -n 1 "$folder/$role"
    passed=$((passed + 1))
  fi
  if ! kill -0 "$server" 2>/dev/null; then
    echo "the server ended"
    tail -n 50 "$folder/log"
    exit 1
  fi
}

ask anonymous
for role in viewer publisher administrator super_administrator; do
  echo "correct horse battery staple" >"$folder/password"
  "$program" user create "$role" --role "$role" --password-file "$folder/password" >/dev/null
  mkdir "$folder/$role-home"
  HOME=$folder/$role-home "$program" login "$role" --password-file "$folder/password" >/dev/null
  token=$(HOME=$folder/$role-home "$program" token create api --json | sed -n 's/.*"token": *"\([^"]*\)".*/\1/p')
  ask "$role" --header "Authorization: Bearer $token"
done
if grep -i panicked "$folder/log"; then failed=$((failed + 1)); fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
