//! What a crawl found.

use std::collections::HashMap;
use std::time::Duration;

use p2ppool_model::consistency::{
    Key, RingNeighbours, RingSide, SortedKeys, ring_disagreements, ring_share, share_known,
};
use p2ppool_model::snapshot::{BrunetDetails, Node, NodeDetails, NodeStatus};

use super::entry::{ADDRESS_BYTES_MAX, Entries, Entry, State};
use super::frontier::Frontier;
use super::text::printable;
use super::{Consistency, CrawlEnd, Probe, ProbeError, Stage};

/// The result of a crawl. Nodes are kept small inside and made one at a time by [`CrawlReport::nodes`],
/// because a hundred thousand of them with their neighbours written out would take half a gigabyte.
#[derive(Debug)]
pub struct CrawlReport {
    /// How long it took.
    pub duration: Duration,
    /// Why it ended.
    pub end: CrawlEnd,
    /// How often somebody was named who had to be left out, because `nodes_max` were known already.
    pub left_out: u64,
    /// Seeds that led to no node.
    pub seeds_failed: Vec<SeedFailure>,
    entries: Entries,
    truth: Truth,
    no_details: NodeDetails,
}

/// What nodes are compared with.
#[derive(Debug)]
enum Truth {
    /// Keys of the nodes that answered.
    Kademlia(SortedKeys),
    /// Where the nodes that were seen are among the entries, by overlay address.
    Ring(HashMap<Box<str>, usize>),
}

impl Truth {
    fn of(entries: &Entries, rule: Consistency) -> Self {
        match rule {
            Consistency::Kademlia => {
                let keys: Vec<Key> = entries.iter().filter(|e| e.state == State::Answered).map(|e| e.key).collect();
                Self::Kademlia(SortedKeys::new(&keys))
            }
            Consistency::Ring => {
                let named = |(index, entry): (usize, &Entry)| Some((entry.peer.as_deref()?.into(), index));
                Self::Ring(entries.iter().enumerate().filter_map(named).collect())
            }
        }
    }
}

/// A seed that led to no node.
#[derive(Clone, Debug, PartialEq)]
pub struct SeedFailure {
    /// Its transport address.
    pub address: String,
    /// Why; `None`: it may not be dialled, or the crawl ended before.
    pub error: Option<ProbeError>,
}

impl CrawlReport {
    pub(super) fn of(frontier: Frontier, end: CrawlEnd, duration: Duration, probe: &dyn Probe) -> Self {
        let left_out = frontier.left_out();
        let entries = frontier.into_entries();
        Self {
            duration,
            end,
            left_out,
            seeds_failed: entries.iter().filter_map(seed_failure).collect(),
            truth: Truth::of(&entries, probe.consistency()),
            entries,
            no_details: probe.no_details(),
        }
    }

    /// Nodes seen, answering or not.
    pub fn len(&self) -> usize {
        self.seen().count()
    }

    /// Nobody was seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Nodes that answered.
    pub fn answering(&self) -> usize {
        self.seen().filter(|entry| entry.state == State::Answered).count()
    }

    /// Mean consistency of the nodes of which it is known; unknown when there is none.
    pub fn consistency(&self) -> Option<f64> {
        let each: Vec<f64> = self.seen().filter_map(|entry| self.consistency_of(entry)).collect();
        (!each.is_empty()).then(|| each.iter().sum::<f64>() / each.len() as f64)
    }

    /// Every node, as the snapshot keeps it, consistency filled in; in the order in which they were heard of.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.seen().map(|entry| self.node(entry))
    }

    fn seen(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.peer.is_some())
    }

    fn node(&self, entry: &Entry) -> Node {
        let told = entry.node.as_deref().cloned();
        let node = told.unwrap_or_else(|| Node::unknown("", self.no_details.clone()));
        Node {
            address: entry.peer.as_deref().unwrap_or_default().to_owned(),
            status: status(entry),
            error: error(entry),
            transport_addresses: entry
                .addresses
                .iter()
                // where nodes are reached by their overlay address, it is no transport address
                .filter(|(address, _)| entry.peer.as_deref() != Some(&**address) && address.contains('/'))
                .map(|(address, _)| printable(address, ADDRESS_BYTES_MAX))
                .collect(),
            details: self.details(entry, node.details.clone()),
            retries: entry.attempts.saturating_sub(1),
            consistency: self.consistency_of(entry),
            neighbours: entry
                .neighbours
                .iter()
                .filter_map(|i| self.entries.get(*i).peer.as_deref())
                .map(String::from)
                .collect(),
            ..node
        }
    }

    fn consistency_of(&self, entry: &Entry) -> Option<f64> {
        match &self.truth {
            Truth::Kademlia(answering) => {
                let knows = |key: &Key| entry.neighbours.iter().any(|index| self.entries.get(*index).key == *key);
                (entry.state == State::Answered).then(|| share_known(answering, &entry.key, knows))
            }
            // who was not asked is not known to be wrong
            Truth::Ring(_) => self.disagreements(entry).map(|sides| ring_share(&sides)),
        }
    }

    /// On a ring, the sides on which a node that was asked and its neighbours don't name each other.
    fn disagreements(&self, entry: &Entry) -> Option<Vec<RingSide>> {
        let Truth::Ring(places) = &self.truth else { return None };
        let asked = matches!(entry.state, State::Answered | State::Failed);
        let table = |peer: &str| Some(ring_neighbours(&self.entries.0[*places.get(peer)?]));
        asked.then(|| ring_disagreements(entry.peer.as_deref().unwrap_or_default(), &ring_neighbours(entry), table))
    }

    fn details(&self, entry: &Entry, told: NodeDetails) -> NodeDetails {
        match (told, self.disagreements(entry)) {
            (NodeDetails::Brunet(brunet), Some(disagrees)) => {
                NodeDetails::Brunet(BrunetDetails { disagrees, ..brunet })
            }
            (told, _) => told,
        }
    }
}

/// Whom a node named; nobody when it did not answer.
fn ring_neighbours(entry: &Entry) -> RingNeighbours<'_> {
    match entry.node.as_deref().map(|node| &node.details) {
        Some(NodeDetails::Brunet(details)) if entry.state == State::Answered => RingNeighbours {
            left: details.left.as_deref(),
            right: details.right.as_deref(),
            left2: details.left2.as_deref(),
            right2: details.right2.as_deref(),
        },
        _ => RingNeighbours::default(),
    }
}

fn status(entry: &Entry) -> NodeStatus {
    match (entry.state, entry.error.as_deref().map(|error| error.stage)) {
        (State::Answered, _) => NodeStatus::Answering,
        (_, None) => NodeStatus::NotDialled,
        (_, Some(Stage::Dial)) => NodeStatus::DialFailed,
        (_, Some(Stage::Connect)) => NodeStatus::ConnectFailed,
        (_, Some(Stage::Ask)) => NodeStatus::AskFailed,
    }
}

fn error(entry: &Entry) -> Option<String> {
    let text = match (entry.state, entry.error.as_deref()) {
        (State::Answered, _) => return None,
        (_, Some(error)) => error.message.clone(),
        (State::NoAddress, None) if entry.addresses.is_empty() => "no address of it is known".to_owned(),
        (State::NoAddress, None) => "none of its addresses may be dialled".to_owned(),
        (_, None) => "the crawl ended before it answered".to_owned(),
    };
    Some(text)
}

fn seed_failure(entry: &Entry) -> Option<SeedFailure> {
    let failed = entry.peer.is_none() && entry.state != State::Merged;
    let address = entry.addresses.first().filter(|_| failed)?.0.to_string();
    Some(SeedFailure { address, error: entry.error.as_deref().cloned() })
}
