#!/bin/sh
# Is the node up? It has an address, and holds its ports. Tells the manager who it is.
value_of() {
  VALUE=
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

# holds PROTOCOL PORT: a socket is bound to it where the node is. It is the node's own: the port was free before.
holds() {
  hex=$(printf '%04X' "$2")
  for table in "$1" "${1}6"; do
    [ -r "/proc/$NODE_PID/net/$table" ] || continue
    while read -r _ local _; do
      case $local in *:"$hex") return 0 ;; esac
    done <"/proc/$NODE_PID/net/$table"
  done
  return 1
}

[ -f "$SHARED/node.config" ] || exit 1
value_of NodeAddress "$SHARED/node.config"
address=$VALUE
case $address in brunet:node:*[!A-Za-z0-9:]* | "") exit 1 ;; esac
while read -r protocol _ port _; do
  holds "$protocol" "$port" || exit 1
done <"$SHARED/config/ports"
value_of BrunetNamespace "$SHARED/node.config"
case $VALUE in *[!A-Za-z0-9._:-]*) VALUE= ;; esac
read -r owner <"$SHARED/config/host"
printf '%s\n%s\n' "$address" "$owner" >"$SHARED/node.address.new"
mv -f "$SHARED/node.address.new" "$SHARED/node.address"
network=
if [ -f "$SHARED/config/network" ] && [ -f "$SHARED/network" ]; then
  read -r network <"$SHARED/network"
  network=",\"network\":\"$network\""
fi
printf '{"pid":%s,"peer_id":"%s","namespace":"%s"%s}\n' "$NODE_PID" "$address" "$VALUE" "$network" >"$SHARED/node.json.new"
mv -f "$SHARED/node.json.new" "$SHARED/node.json"
