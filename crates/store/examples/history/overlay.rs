//! A large overlay that lives: made of reproducible random numbers.

use p2ppool_model::Digest;
use p2ppool_model::host::Location;
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus};

/// Nodes of the overlay.
pub(crate) const NODES: usize = 10_000;
const NEIGHBOURS: usize = 20;

/// A small reproducible source of numbers (xorshift).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

fn peer(dice: &mut Dice) -> String {
    const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let random: String = (0..44).map(|_| char::from(BASE58[dice.roll(58) as usize])).collect();
    format!("12D3KooW{random}")
}

/// Everybody answers.
pub(crate) fn overlay() -> Vec<Node> {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let peers: Vec<String> = (0..NODES).map(|_| peer(&mut dice)).collect();
    let protocols = ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/p2ppool/demo/kad/1", "/p2ppool/info/1"];
    let mut nodes = Vec::with_capacity(NODES);
    for (i, address) in peers.iter().enumerate() {
        let ip = format!("10.{}.{}.{}", i >> 16, i >> 8 & 255, i & 255);
        let details = NodeDetails::Libp2p {
            nat: Some("public".into()),
            protocols: protocols.map(String::from).to_vec(),
            info: true,
        };
        nodes.push(Node {
            status: NodeStatus::Answering,
            host_name: Some(format!("node{i}.example.org")),
            transport_addresses: vec![format!("/ip4/{ip}/tcp/4650"), format!("/ip4/{ip}/udp/4650/quic-v1")],
            ip: Some(ip),
            version: Some("p2pnode/0.1.0".into()),
            package: Some(Digest::of(b"package")),
            namespace: Some("demo".into()),
            consistency: Some(1.0),
            connections: Some(40),
            tcp: Some(20),
            udp: Some(20),
            relayed: Some(0),
            rtt_ms: Some(dice.roll(200_000) as f64 / 1e3),
            uptime_s: Some(dice.roll(1_000_000)),
            memory: Some((20 << 20) + dice.roll(1 << 12) * 4096),
            cpu_s: Some(dice.roll(100_000) as f64 / 100.0),
            load: Some(dice.roll(100) as f64 / 100.0),
            location: Location::new((i % 180) as f64 - 90.0, (i % 360) as f64 - 180.0),
            neighbours: (0..NEIGHBOURS).map(|_| peers[dice.roll(NODES as u64) as usize].clone()).collect(),
            ..Node::unknown(address, details)
        });
    }
    nodes
}

/// Half an hour later, and nothing happened.
pub(crate) fn rest(nodes: &mut [Node]) {
    nodes.iter_mut().for_each(|node| node.uptime_s = node.uptime_s.map(|s| s + 1_800));
}

/// Half an hour later: every round-trip time, CPU time, load and (of one in four) memory is another one; of one
/// node in fifty a neighbour changed; one in two hundred is down.
pub(crate) fn live(nodes: &mut [Node], dice: &mut Dice) {
    rest(nodes);
    for i in 0..nodes.len() {
        let other = nodes[dice.roll(NODES as u64) as usize].address.clone();
        let node = &mut nodes[i];
        if dice.roll(200) == 0 {
            node.status = NodeStatus::DialFailed;
            node.error = Some("dial: timed out".into());
        } else if node.status != NodeStatus::Answering {
            (node.status, node.error) = (NodeStatus::Answering, None);
        }
        node.rtt_ms = node.rtt_ms.map(|rtt| (rtt + dice.roll(2_000) as f64 / 1e3 - 1.0).abs());
        node.cpu_s = node.cpu_s.map(|s| s + dice.roll(300) as f64 / 100.0);
        node.load = Some(dice.roll(100) as f64 / 100.0);
        if dice.roll(4) == 0 {
            node.memory = node.memory.map(|bytes| bytes + 4096);
        }
        if dice.roll(50) == 0 {
            node.neighbours[dice.roll(NEIGHBOURS as u64) as usize] = other;
        }
    }
}
