//! Hosts many real libp2p nodes in one process, each on a loopback address of its own, for `crawl_bench`.
//!
//! `overlay_host FIRST NODES ALL NETWORK PORT`: the nodes from number `FIRST` on of an overlay of `ALL`,
//! whose node `i` listens on address `i + 1` of the network (such as `127.40.0.0`). Their routing tables
//! are right from the start; nobody has to join. Prints the address of every node when all listen. Each
//! line on standard input is a number of nodes to end, answered by an empty line: connections to every
//! second one are refused from then on, the others accept them and never answer. Ends with its input.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use p2ppool_overlay::testing::hosted::{HostedNode, HostedSettings, Places};
use sha2::Digest as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};

/// How long an unused connection stays; each costs some 70 KB at both ends.
const IDLE: Duration = Duration::from_secs(1);
/// How long the address of a node that ended may stay taken.
const FREED_WITHIN: Duration = Duration::from_secs(5);

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [first, nodes, all, network, port] = arguments.as_slice() else {
        return Err("usage: overlay_host FIRST NODES ALL NETWORK PORT".into());
    };
    let (first, nodes, all): (u32, u32, u32) = (first.parse()?, nodes.parse()?, all.parse()?);
    let at = Network { base: network.parse()?, port: port.parse()? };
    let mut hosted = start(first..first + nodes, all, at).await?;
    let addresses: Vec<String> = hosted.iter().map(|node| node.address.to_string()).collect();
    println!("{}", addresses.join(" "));
    let mut silent = Vec::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        for _ in 0..line.trim().parse::<u32>()? {
            let Some(ended) = hosted.pop() else { break };
            drop(ended);
            if hosted.len() % 2 == 0 {
                silent.push(at.silent(first + hosted.len() as u32).await?);
            }
        }
        println!();
    }
    Ok(())
}

/// Where the nodes listen.
#[derive(Clone, Copy)]
struct Network {
    base: Ipv4Addr,
    port: u16,
}

impl Network {
    /// The address of node `node`: 250 per network of 256, so that none gets a broadcast address.
    fn address(self, node: u32) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.base.to_bits() + node / 250 * 256 + node % 250 + 1)
    }

    fn multiaddr(self, node: u32) -> Result<Multiaddr, Failure> {
        Ok(format!("/ip4/{}/tcp/{}", self.address(node), self.port).parse()?)
    }

    /// A socket in the place of an ended node that takes connections and never answers.
    async fn silent(self, node: u32) -> Result<TcpListener, Failure> {
        let bind = async {
            loop {
                match TcpListener::bind((self.address(node), self.port)) {
                    Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => tokio::task::yield_now().await,
                    other => return other,
                }
            }
        };
        Ok(tokio::time::timeout(FREED_WITHIN, bind).await??)
    }
}

/// The same key pair for the same node in every process.
fn keypair(node: u32) -> Result<Keypair, Failure> {
    Ok(Keypair::ed25519_from_bytes(sha2::Sha256::digest(format!("bench node {node}")))?)
}

async fn start(which: std::ops::Range<u32>, all: u32, at: Network) -> Result<Vec<HostedNode>, Failure> {
    let nodes = (0..all).map(|node| Ok((keypair(node)?, at.multiaddr(node)?)));
    let places = Places::new(nodes.collect::<Result<_, Failure>>()?);
    let mut hosted = Vec::new();
    for node in which {
        let settings = HostedSettings {
            listen: (at.address(node).into(), at.port),
            quic: false,
            namespace: "bench".into(),
            info: true,
            secret: None,
            bootstrap: vec![],
            idle: IDLE,
            place: Some(places.place(node as usize)),
        };
        // the error type can't cross into this one
        hosted.push(HostedNode::start(settings).await.map_err(|error| error.to_string())?);
    }
    Ok(hosted)
}
