#!/bin/sh
# Starts a Brunet node; the working folder and the variables are the host script's.
set -eu

# value_of TAG FILE: VALUE is what the first element of that name holds.
value_of() {
  VALUE=
  [ -f "$2" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in
      *"<$1>"*"</$1>"*)
        VALUE=${line#*"<$1>"}
        VALUE=${VALUE%%"</$1>"*}
        return 0
        ;;
    esac
  done <"$2"
}

# is_address TEXT: a place on the ring.
is_address() {
  digits=${1#brunet:node:}
  [ "$digits" != "$1" ] && [ "${#digits}" -eq 32 ] || return 1
  case $digits in *[!A-Z2-7]*) return 1 ;; esac
}

config=$SHARED/node.config
{
  read -r owner
  read -r source
} <"$SHARED/config/host"
template=$RELEASE/pool.config
[ "$source" = package ] || template=$SHARED/config/node.config

# The address that the node wrote into its config stays with this host: node.address holds it with the host's
# name, so that a folder that was copied to another host does not make two nodes with one address.
address='' checkpoint='' of=''
if [ -f "$SHARED/node.address" ]; then
  {
    read -r address || :
    read -r of || :
  } <"$SHARED/node.address"
fi
if [ -n "$of" ] && [ "$of" != "$owner" ]; then
  echo "this node's address belongs to $of; $owner gets a new one"
  address=
else
  value_of NodeAddress "$config"
  [ -z "$VALUE" ] || address=$VALUE
  value_of Checkpoint "$config"
  checkpoint=$VALUE
fi
is_address "$address" || address=

while IFS= read -r line || [ -n "$line" ]; do
  case $line in
    *"<NCService>"*) [ -z "$address" ] || printf '  <NodeAddress>%s</NodeAddress>\n' "$address" ;;
  esac
  printf '%s\n' "$line"
  case $line in
    *"</Checkpointing>"*) [ -z "$checkpoint" ] || printf '    <Checkpoint>%s</Checkpoint>\n' "$checkpoint" ;;
  esac
done <"$template" >"$config.new"
mv -f "$config.new" "$config"
printf '%s\n%s\n' "$address" "$owner" >"$SHARED/node.address.new"
mv -f "$SHARED/node.address.new" "$SHARED/node.address"

PATH=$PATH:/usr/local/bin:/usr/bin:/opt/mono/bin
if [ -f "$RELEASE/runtime" ]; then
  read -r runtime <"$RELEASE/runtime"
  mono=${SHARED%/shared}/runtimes/$runtime/mono
else
  mono=$(command -v mono)
fi
# a waiting XML-RPC call holds a thread of the pool: with few of them, silent nodes would starve the others
MONO_THREADS_PER_CPU=50
export PATH MONO_THREADS_PER_CPU
count=@COUNT@
# the local node is one, and the preflight found out which network it can have
# shellcheck disable=SC2034 # it is one of the arguments below
[ ! -f "$SHARED/config/network" ] || count=
network=
if [ -f "$SHARED/config/network" ] && [ -f "$SHARED/network" ]; then read -r network <"$SHARED/network"; fi
if [ "$network" = own ]; then
  exec sh "$RELEASE/network" "$SHARED/config/ports" "$mono" "$RELEASE/node/"@PROGRAM@ @ARGUMENTS@
fi
exec "$mono" "$RELEASE/node/"@PROGRAM@ @ARGUMENTS@
