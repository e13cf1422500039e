//! Fills a database with one pool whose newest crawl found many nodes, to look at the page with:
//! `cargo run -p p2ppool --example fill_store -- sqlite:DATA/p2ppool.db 100000`.

use p2ppool_model::host::Location;
use p2ppool_model::pool::{PoolSettings, Visibility};
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus, Totals};
use p2ppool_model::{Digest, Time};
use p2ppool_store::{NewSnapshot, Store};

/// Crawls, so that there are lines to draw; all but the newest are small.
const CRAWLS: i64 = 20;
const SMALL: usize = 100;
const MINUTE_MS: i64 = 60_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(nodes)) = (args.next(), args.next()) else {
        return Err("say the database and the number of nodes".into());
    };
    let nodes: usize = nodes.parse()?;
    let store = Store::open(&url).await?;
    let now = Time::now();
    let settings = PoolSettings { namespace: "big".into(), visibility: Visibility::Public, ..PoolSettings::default() };
    let pool = store.create_pool(&"big".parse()?, &settings, None, now).await?.id;
    for crawl in (0..CRAWLS).rev() {
        let found: Vec<Node> = (0..if crawl == 0 { nodes } else { SMALL }).map(node).collect();
        let started = Time(now.0 - crawl * 30 * MINUTE_MS);
        let totals = Totals::of(&found, None, 0);
        let new = NewSnapshot { pool, task: None, started, duration_ms: 4_000, complete: true, totals };
        store.store_snapshot(&new, &found).await?;
    }
    println!("{nodes} nodes are in pool big");
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
        ..Node::unknown(format!("12D3KooW{i:044}"), details)
    }
}
