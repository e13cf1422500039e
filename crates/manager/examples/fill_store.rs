//! Fills a database with one pool whose newest crawl found many nodes, to look at the page with:
//! `cargo run -p p2ppool --example fill_store -- sqlite:DATA/p2ppool.db 100000`.

use p2ppool_model::host::Location;
use p2ppool_model::pool::{OverlayKindName, PoolSettings, Visibility};
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus, Totals};
use p2ppool_model::{Digest, Time};
use p2ppool_store::{NewSnapshot, Store};
use sha2::Digest as _;

/// Crawls, so that there are lines to draw; all but the newest are small.
const CRAWLS: i64 = 20;
const SMALL: usize = 100;
const MINUTE_MS: i64 = 60_000;
/// Neighbours of a node on each side of the ring, and how many shortcuts it has, each twice as far as the one before.
const NEAR: usize = 4;
const FAR: u32 = 8;
/// Of each so many nodes one has lost its nearest neighbour.
const FORGETFUL: usize = 97;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(nodes)) = (args.next(), args.next()) else {
        return Err("say the database, the number of nodes and, if it isn't `big`, the pool".into());
    };
    let name = args.next().unwrap_or_else(|| "big".to_owned());
    let nodes: usize = nodes.parse()?;
    let store = Store::open(&url).await?;
    let now = Time::now();
    let settings = PoolSettings { namespace: "big".into(), visibility: Visibility::Public, ..PoolSettings::default() };
    let pool = store.create_pool(&name.parse()?, &settings, None, now).await?.id;
    for crawl in (0..CRAWLS).rev() {
        let mut found: Vec<Node> = (0..if crawl == 0 { nodes } else { SMALL }).map(node).collect();
        link(&mut found);
        let started = Time(now.0 - crawl * 30 * MINUTE_MS);
        let totals = Totals::of(&found, None, 0);
        let new = NewSnapshot { pool, task: None, started, duration_ms: 4_000, complete: true, totals };
        store.store_snapshot(&new, &found).await?;
    }
    println!("{nodes} nodes are in pool {name}");
    Ok(())
}

/// The same for the same number: in towns all over the world, one in fifty not answering.
fn node(i: usize) -> Node {
    let details =
        NodeDetails::Libp2p { nat: Some("public".into()), protocols: vec!["/ipfs/id/1.0.0".into()], info: true };
    let status = if i % 50 == 7 { NodeStatus::DialFailed } else { NodeStatus::Answering };
    let town = (i * 7919) % 3_000;
    let (lat, lon) = ((town * 37 % 1_200) as f64 / 10.0 - 55.0, (town * 101 % 3_500) as f64 / 10.0 - 175.0);
    let spread = |n: usize| (i * n % 100) as f64 / 250.0;
    Node {
        status,
        host_name: Some(format!("host{i}.example.org")),
        ip: Some(format!("10.{}.{}.{}", (i >> 16) & 255, (i >> 8) & 255, i & 255)),
        version: Some("p2pnode/0.1.0".into()),
        package: Some(Digest::of(b"package")),
        namespace: Some("big".into()),
        consistency: Some(1.0 - (i % 17) as f64 / 100.0),
        connections: Some(20 + (i % 40) as u32),
        tcp: Some(10),
        udp: Some(10 + (i % 40) as u32),
        relayed: Some(0),
        rtt_ms: Some((i * 7919 % 100_000) as f64 / 300.0),
        uptime_s: Some(86_400 + i as u64),
        memory: Some(30 << 20),
        location: Location::new(lat + spread(13), lon + spread(29)),
        ..Node::unknown(peer_id(i), details)
    }
}

/// Lets every node name the nearest on the ring and some far ones, the way a structured overlay does.
fn link(nodes: &mut [Node]) {
    let kind = p2ppool_overlay::kind(OverlayKindName::Libp2p).expect("libp2p is built in");
    let mut ring: Vec<(usize, Option<[u8; 32]>)> =
        nodes.iter().enumerate().map(|(row, node)| (row, kind.key(&node.address))).collect();
    ring.sort_by_key(|(_, key)| *key);
    let addresses: Vec<String> = ring.iter().map(|(row, _)| nodes[*row].address.clone()).collect();
    let around = ring.len();
    for (at, (row, _)) in ring.iter().enumerate() {
        let node = &mut nodes[*row];
        if node.status != NodeStatus::Answering {
            continue;
        }
        let first = if row.is_multiple_of(FORGETFUL) { 2 } else { 1 };
        let near = (first..=NEAR).flat_map(|apart| [at + apart, at + around - apart]);
        let far = (0..FAR).map(|doubled| at + (around >> (doubled + 1)).max(NEAR + 1));
        let mut named: Vec<usize> = near.chain(far).map(|place| place % around).filter(|place| *place != at).collect();
        named.dedup();
        node.neighbours = named.into_iter().map(|place| addresses[place].clone()).collect();
    }
}

/// A peer id as it would be of an Ed25519 key: an identity multihash in base58.
fn peer_id(i: usize) -> String {
    const ALPHABET: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend(sha2::Sha256::digest(i.to_be_bytes()));
    let mut digits: Vec<u32> = Vec::new();
    for byte in &bytes {
        let mut carry = u32::from(*byte);
        for digit in &mut digits {
            carry += *digit << 8;
            *digit = carry % 58;
            carry /= 58;
        }
        while carry > 0 {
            digits.push(carry % 58);
            carry /= 58;
        }
    }
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let text = std::iter::repeat_n(0, zeros).chain(digits.into_iter().rev()).map(|digit| ALPHABET[digit as usize]);
    text.map(char::from).collect()
}
