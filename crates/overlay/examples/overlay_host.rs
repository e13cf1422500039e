//! Hosts many real libp2p nodes in one process, each on a loopback address of its own, for `crawl_bench`.
//!
//! `overlay_host NODES NETWORK PORT PER_SECOND [BOOTSTRAP…]`: node `i` listens on address `i + 1` of
//! the network (such as `127.40.0.0`). Prints the address of every node when all have joined. Each line on
//! standard input is a number of nodes to end, answered by an empty line; ends with its input.

use std::net::Ipv4Addr;
use std::time::Duration;

use libp2p::Multiaddr;
use p2ppool_overlay::testing::hosted::{HostedNode, HostedSettings};
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// Peers that a node must know before the next one starts, so that it doesn't begin alone.
const KNOWN_MIN: usize = 1;
/// How long an unused connection stays; each costs some 70 KB at both ends.
const IDLE: Duration = Duration::from_secs(1);
/// Nodes that the later ones meet first.
const BOOTSTRAP_NODES: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [nodes, network, port, per_second, bootstrap @ ..] = arguments.as_slice() else {
        return Err("usage: overlay_host NODES NETWORK PORT PER_SECOND [BOOTSTRAP…]".into());
    };
    let bootstrap: Vec<Multiaddr> = bootstrap.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    let pause = Duration::from_secs_f64(1.0 / per_second.parse::<f64>()?);
    let mut hosted = start(nodes.parse()?, network.parse()?, port.parse()?, pause, bootstrap).await?;
    let addresses: Vec<String> = hosted.iter().map(|node| node.address.to_string()).collect();
    println!("{}", addresses.join(" "));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let ending: usize = line.trim().parse()?;
        hosted.truncate(hosted.len().saturating_sub(ending));
        println!();
    }
    Ok(())
}

async fn start(
    nodes: u32,
    network: Ipv4Addr,
    port: u16,
    pause: Duration,
    mut bootstrap: Vec<Multiaddr>,
) -> Result<Vec<HostedNode>, Box<dyn std::error::Error>> {
    let mut hosted = Vec::new();
    let mut ticks = tokio::time::interval(pause);
    for node in 0..nodes {
        ticks.tick().await;
        let settings = HostedSettings {
            // 250 per network of 256, so that none gets a broadcast address.
            listen: (Ipv4Addr::from_bits(network.to_bits() + node / 250 * 256 + node % 250 + 1).into(), port),
            quic: false,
            namespace: "bench".into(),
            info: true,
            secret: None,
            bootstrap: vec![],
            idle: IDLE,
        };
        let met = bootstrap.get(node as usize % bootstrap.len().max(1)).cloned();
        let mut started =
            HostedNode::start(HostedSettings { bootstrap: met.into_iter().collect(), ..settings }).await.map_err(
                // The error type can't cross into this one.
                |error| error.to_string(),
            )?;
        if !bootstrap.is_empty() {
            started.knows(KNOWN_MIN).await;
        }
        if bootstrap.len() < BOOTSTRAP_NODES {
            bootstrap.push(started.address.clone());
        }
        hosted.push(started);
    }
    Ok(hosted)
}
