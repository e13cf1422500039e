// Starts js-libp2p nodes in this process, joins them, and tells their addresses in one line of JSON.
// Arguments: number of nodes, Kademlia protocol. Ends when its standard input does.
import "./node20.mjs"
import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { createLibp2p } from 'libp2p'

const [count, protocol] = [Number(process.argv[2]), process.argv[3]]

async function start (host) {
  return createLibp2p({
    addresses: { listen: [`/ip4/127.22.0.${host}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({ protocol, clientMode: false, peerInfoMapper: passthroughMapper, allowQueryWithZeroPeers: true })
    }
  })
}

const nodes = []
for (let host = 1; host <= count; host++) nodes.push(await start(host))
for (const node of nodes) {
  for (const other of nodes) {
    if (other !== node) await node.dial(other.getMultiaddrs())
  }
}
const told = nodes.map(node => ({ peer: node.peerId.toString(), addresses: node.getMultiaddrs().map(String) }))
console.log(JSON.stringify(told))

process.stdin.resume()
process.stdin.on('end', async () => {
  await Promise.all(nodes.map(async node => node.stop()))
  process.exit(0)
})
