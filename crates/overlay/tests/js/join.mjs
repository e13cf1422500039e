// Joins a network by the js-libp2p.json that a pool offers, and tells what it met in one line of JSON.
// Argument: the file.
import "./node20.mjs"
import { readFileSync } from 'node:fs'
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const node = await createLibp2p({
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    ping: ping(),
    dht: kadDHT({ ...config.services.kadDHT, peerInfoMapper: passthroughMapper })
  }
})
// one bootstrap node is enough: the others are found through it
const [first] = config.peerDiscovery.bootstrap.list.filter(address => address.includes('/tcp/'))
const connection = await node.dial(multiaddr(first))
const found = new Set()
// a query waits until the routing table has a peer: one whose identify told that it speaks our protocol
for (const deadline = Date.now() + 60_000; found.size < Number(process.argv[3]) && Date.now() < deadline;) {
  for await (const event of node.services.dht.getClosestPeers(node.peerId.toMultihash().bytes)) {
    if (event.name === 'FINAL_PEER') found.add(event.peer.id.toString())
  }
}
console.log(JSON.stringify({ bootstrap: connection.remotePeer.toString(), found: [...found].sort() }))
await node.stop()
process.exit(0)
