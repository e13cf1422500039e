//! An overlay of which only the arithmetic exists: peers, their tables and who is dead. No network.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use p2ppool_model::consistency::{Key, SortedKeys};
use p2ppool_model::snapshot::{Node, NodeDetails};
use sha2::Digest as _;

use crate::crawl::{Answer, Candidate, NamedBy, Neighbour, Probe, ProbeError, Stage};

/// Closest peers that a simulated node knows.
const CLOSEST: usize = 16;
/// Peers that it knows in each further bucket.
const PER_BUCKET: usize = 2;

/// A Kademlia network in which everybody has the right table.
#[derive(Debug)]
pub struct SimulatedOverlay {
    keys: Vec<Key>,
    sorted: SortedKeys,
    by_key: HashMap<Key, usize>,
    dead_percent: usize,
    dial_deadline: Duration,
    asked: AtomicUsize,
    at_once: AtomicUsize,
    at_once_most: AtomicUsize,
}

impl SimulatedOverlay {
    /// `nodes` nodes, of which `dead_percent` are known to the others and take a dial deadline to not answer.
    pub fn new(nodes: usize, dead_percent: usize, dial_deadline: Duration) -> Self {
        let keys: Vec<Key> = (0..nodes).map(|i| key_of(&name(i))).collect();
        let by_key = keys.iter().enumerate().map(|(i, key)| (*key, i)).collect();
        Self {
            sorted: SortedKeys::new(&keys),
            keys,
            by_key,
            dead_percent,
            dial_deadline,
            asked: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            at_once_most: AtomicUsize::new(0),
        }
    }

    /// The transport address of node `index`.
    pub fn address(index: usize) -> String {
        format!("sim/{index}")
    }

    /// Does node `index` answer?
    pub fn is_dead(&self, index: usize) -> bool {
        index % 100 < self.dead_percent
    }

    /// How many questions were asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// The most questions that were open at the same time.
    pub fn at_once_most(&self) -> usize {
        self.at_once_most.load(Ordering::Relaxed)
    }

    /// Neighbours of a node, nearest first: its closest, then some of each bucket.
    fn table(&self, index: usize) -> Vec<usize> {
        let own = self.keys[index];
        let mut table: Vec<usize> = self.sorted.closest(&own, CLOSEST).iter().map(|key| self.by_key[key]).collect();
        let buckets = self.keys.len().max(2).ilog2() as usize;
        for bit in (0..buckets).rev() {
            let mut target = own;
            target[bit / 8] ^= 0x80 >> (bit % 8);
            for key in self.sorted.closest(&target, PER_BUCKET) {
                let peer = self.by_key[&key];
                if peer != index && !table.contains(&peer) {
                    table.push(peer);
                }
            }
        }
        table
    }

    async fn answer_of(&self, index: usize) -> Result<Answer, ProbeError> {
        if self.is_dead(index) {
            tokio::time::sleep(self.dial_deadline).await;
            let message = format!("dial {}: timed out", Self::address(index));
            return Err(ProbeError::new(Stage::Dial, message));
        }
        tokio::task::yield_now().await;
        let neighbours = self
            .table(index)
            .into_iter()
            .map(|peer| Neighbour { peer: name(peer), addresses: vec![Self::address(peer)] });
        let node = Node { version: Some("simulated/1".into()), ..Node::unknown(name(index), self.no_details()) };
        Ok(Answer { node, neighbours: neighbours.collect() })
    }
}

#[async_trait]
impl Probe for SimulatedOverlay {
    async fn ask(&self, candidate: &Candidate, _ask_deadline: Duration) -> Result<Answer, ProbeError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let at_once = self.at_once.fetch_add(1, Ordering::Relaxed) + 1;
        self.at_once_most.fetch_max(at_once, Ordering::Relaxed);
        let index = candidate.addresses[0].strip_prefix("sim/").and_then(|text| text.parse().ok());
        let result = match index {
            Some(index) => self.answer_of(index).await,
            None => Err(ProbeError::new(Stage::Dial, "no such node")),
        };
        self.at_once.fetch_sub(1, Ordering::Relaxed);
        result
    }

    fn may_dial(&self, address: &str, _: NamedBy) -> bool {
        address.starts_with("sim/")
    }

    fn key(&self, peer: &str) -> Option<Key> {
        peer.starts_with("node-").then(|| key_of(peer))
    }

    fn no_details(&self) -> NodeDetails {
        NodeDetails::Libp2p { nat: None, protocols: Vec::new(), info: false }
    }
}

fn name(index: usize) -> String {
    // As long as a real peer id.
    format!("node-{index:047}")
}

fn key_of(name: &str) -> Key {
    sha2::Sha256::digest(name.as_bytes()).into()
}
