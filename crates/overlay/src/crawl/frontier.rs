//! Who is asked next. Pure: time is the duration since the crawl began, given by the caller.
//!
//! ```text
//!            learn/seed                next               answered
//!  (unknown) ──────────► Queued ────────────► InFlight ────────────► Answered
//!      │                   ▲  ▲                  │ failed
//!      │ no address        │  └── wake ── Waiting◄┤ an attempt is left
//!      ▼                   │                     ▼
//!   NoAddress ─────────────┘ an address        Failed
//! ```
//! A seed has no overlay address until it answers; when it turns out to be a node that is known
//! already, the two entries are merged.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use p2ppool_model::consistency::Key;
use p2ppool_model::snapshot::{ADDRESSES_MAX, NEIGHBOURS_MAX, Node};

use super::{Answer, Candidate, NamedBy, Neighbour, ProbeError, Stage};

/// Most neighbours taken from one answer: a full table of a large overlay has some hundred.
pub(super) const NEIGHBOURS_PER_ANSWER_MAX: usize = 2_048;
/// Most addresses of one node taken from one source, so that no source fills all places of another node.
const ADDRESSES_PER_SOURCE_MAX: usize = 8;
/// Longest transport address, in bytes; a relayed QUIC address with two peer ids has about 200.
pub(super) const ADDRESS_BYTES_MAX: usize = 256;
/// How long a node waits for the seed with the same address to answer.
const SEED_FIRST: Duration = Duration::from_millis(250);
/// Longest overlay address, in bytes.
const PEER_BYTES_MAX: usize = 128;

/// Position of a node in the frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeIndex(u32);

/// Bounds of the frontier.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrontierLimits {
    pub(super) nodes_max: usize,
    pub(super) attempts: u32,
    pub(super) backoff: Duration,
    pub(super) dial_deadline: Duration,
}

/// What an overlay kind says about addresses.
pub(super) trait Rules {
    /// May it be dialled?
    fn may_dial(&self, address: &str, named_by: NamedBy) -> bool;
    /// Its key, when it is an overlay address.
    fn key(&self, peer: &str) -> Option<Key>;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    NoAddress,
    Queued,
    Waiting,
    InFlight,
    Answered,
    Failed,
    Merged,
}

/// Everything known of one node.
#[derive(Debug)]
pub(super) struct Entry {
    /// `None`: a seed that did not answer yet.
    pub(super) peer: Option<Arc<str>>,
    pub(super) key: Key,
    /// With whether it may be dialled.
    pub(super) addresses: Vec<(Box<str>, bool)>,
    pub(super) state: State,
    pub(super) attempts: u32,
    dial_spent: Duration,
    pub(super) node: Option<Box<Node>>,
    /// Nearest first.
    pub(super) neighbours: Box<[NodeIndex]>,
    pub(super) error: Option<Box<ProbeError>>,
}

/// The nodes of a crawl and where each is on its way.
#[derive(Debug)]
pub(super) struct Frontier {
    limits: FrontierLimits,
    nodes: Vec<Entry>,
    by_peer: HashMap<Arc<str>, NodeIndex>,
    seeds: HashMap<Box<str>, NodeIndex>,
    queue: VecDeque<NodeIndex>,
    waiting: BinaryHeap<Reverse<(Duration, NodeIndex)>>,
    in_flight: usize,
    answering: usize,
    failed: usize,
    merged: usize,
    left_out: u64,
}

impl Frontier {
    pub(super) fn new(limits: FrontierLimits) -> Self {
        Self {
            limits,
            nodes: Vec::new(),
            by_peer: HashMap::new(),
            seeds: HashMap::new(),
            queue: VecDeque::new(),
            waiting: BinaryHeap::new(),
            in_flight: 0,
            answering: 0,
            failed: 0,
            merged: 0,
            left_out: 0,
        }
    }

    /// Queues a transport address of which it isn't known who is there.
    pub(super) fn seed(&mut self, address: &str, rules: &impl Rules) {
        if self.is_full() || self.seeds.contains_key(address) {
            return;
        }
        let index = self.push(Entry::new(None, [0; 32]));
        self.seeds.insert(address.into(), index);
        self.nodes[index.at()].add_addresses(&[address], NamedBy::Owner, rules);
        self.queue_if_dialable(index, Duration::ZERO);
    }

    /// Takes note of a node that was named, or of further addresses of a known one.
    pub(super) fn learn(&mut self, neighbour: &Neighbour, now: Duration, rules: &impl Rules) -> Option<NodeIndex> {
        let index = match self.by_peer.get(neighbour.peer.as_str()) {
            Some(index) => *index,
            None => self.admit(&neighbour.peer, rules)?,
        };
        let addresses: Vec<&str> = neighbour.addresses.iter().map(String::as_str).collect();
        if self.nodes[index.at()].add_addresses(&addresses, NamedBy::Node, rules) {
            self.queue_if_dialable(index, now);
        }
        Some(index)
    }

    /// The next node to ask; it is in flight from now on.
    pub(super) fn next(&mut self) -> Option<(NodeIndex, Candidate)> {
        while let Some(index) = self.queue.pop_front() {
            let entry = &mut self.nodes[index.at()];
            if entry.state != State::Queued {
                continue;
            }
            entry.state = State::InFlight;
            self.in_flight += 1;
            return Some((index, entry.candidate(self.limits.dial_deadline)));
        }
        None
    }

    /// Queues the nodes whose pause is over.
    pub(super) fn wake(&mut self, now: Duration) {
        while let Some(Reverse((at, index))) = self.waiting.peek().copied() {
            if at > now {
                return;
            }
            self.waiting.pop();
            let entry = &mut self.nodes[index.at()];
            if entry.state == State::Waiting {
                entry.state = State::Queued;
                self.queue.push_back(index);
            }
        }
    }

    /// When [`Frontier::wake`] has something to do.
    pub(super) fn next_wake(&mut self) -> Option<Duration> {
        while let Some(Reverse((at, index))) = self.waiting.peek().copied() {
            if self.nodes[index.at()].state == State::Waiting {
                return Some(at);
            }
            self.waiting.pop();
        }
        None
    }

    /// A node in flight answered.
    pub(super) fn answered(&mut self, index: NodeIndex, answer: Answer, now: Duration, rules: &impl Rules) {
        self.in_flight -= 1;
        let Some(home) = self.home_of(index, &answer.node.address, now, rules) else {
            return;
        };
        let mut neighbours = Vec::new();
        for neighbour in answer.neighbours.iter().take(NEIGHBOURS_PER_ANSWER_MAX) {
            if let Some(known) = self.learn(neighbour, now, rules)
                && known != home
                && neighbours.len() < NEIGHBOURS_MAX
                && !neighbours.contains(&known)
            {
                neighbours.push(known);
            }
        }
        let entry = &mut self.nodes[home.at()];
        let told: Vec<&str> = answer.node.transport_addresses.iter().map(String::as_str).collect();
        entry.add_addresses(&told, NamedBy::Node, rules);
        entry.attempts += 1;
        entry.neighbours = neighbours.into();
        entry.node = Some(Box::new(Node { transport_addresses: Vec::new(), ..answer.node }));
        entry.state = State::Answered;
        entry.error = None;
        self.answering += 1;
    }

    /// A node in flight did not answer, after `took`.
    pub(super) fn failed(&mut self, index: NodeIndex, error: ProbeError, Took { took, now }: Took, rules: &impl Rules) {
        self.in_flight -= 1;
        let limits = self.limits;
        let met = error.node.as_ref().map(|node| node.address.clone());
        if !self.is_still_wanted(index, met.as_deref(), now, rules) {
            return;
        }
        let entry = &mut self.nodes[index.at()];
        entry.attempts += 1;
        if let Some(node) = &error.node {
            entry.node = Some(Box::new(Node { transport_addresses: Vec::new(), ..(**node).clone() }));
        }
        let pause = limits.backoff.saturating_mul(1 << (entry.attempts - 1).min(16));
        entry.dial_spent += pause + if error.stage == Stage::Ask { Duration::ZERO } else { took };
        let time_is_left = entry.dial_spent < limits.dial_deadline;
        if error.may_retry && entry.attempts < limits.attempts && time_is_left {
            entry.state = State::Waiting;
            self.waiting.push(Reverse((now + pause, index)));
        } else {
            entry.state = State::Failed;
            self.failed += 1;
        }
        entry.error = Some(Box::new(ProbeError { node: None, ..error }));
    }

    /// Nobody is queued, waiting or in flight.
    pub(super) fn is_finished(&mut self) -> bool {
        self.in_flight == 0 && self.queue.is_empty() && self.next_wake().is_none()
    }

    pub(super) fn answering(&self) -> usize {
        self.answering
    }

    pub(super) fn done(&self) -> usize {
        self.answering + self.failed
    }

    pub(super) fn known(&self) -> usize {
        self.nodes.len() - self.merged
    }

    pub(super) fn left_out(&self) -> u64 {
        self.left_out
    }

    pub(super) fn into_entries(self) -> Entries {
        Entries(self.nodes)
    }

    fn is_full(&self) -> bool {
        self.nodes.len() >= self.limits.nodes_max.min(u32::MAX as usize)
    }

    fn push(&mut self, entry: Entry) -> NodeIndex {
        let index = NodeIndex(u32::try_from(self.nodes.len()).expect("is_full was asked before"));
        self.nodes.push(entry);
        index
    }

    fn admit(&mut self, peer: &str, rules: &impl Rules) -> Option<NodeIndex> {
        let key = rules.key(peer).filter(|_| peer.len() <= PEER_BYTES_MAX)?;
        if self.is_full() {
            self.left_out += 1;
            return None;
        }
        let peer: Arc<str> = peer.into();
        let index = self.push(Entry::new(Some(peer.clone()), key));
        self.by_peer.insert(peer, index);
        Some(index)
    }

    /// A node under the address of a seed that is about to answer is probably that seed: it waits a
    /// little, so that it isn't asked twice.
    fn queue_if_dialable(&mut self, index: NodeIndex, now: Duration) {
        let entry = &self.nodes[index.at()];
        if entry.state != State::NoAddress || !entry.addresses.iter().any(|(_, may_dial)| *may_dial) {
            return;
        }
        let seeds = entry.addresses.iter().filter_map(|(address, _)| self.seeds.get(address));
        let is_seed = entry.peer.is_some() && seeds.into_iter().any(|seed| self.nodes[seed.at()].is_open_seed());
        let entry = &mut self.nodes[index.at()];
        if is_seed {
            entry.state = State::Waiting;
            entry.dial_spent += SEED_FIRST;
            self.waiting.push(Reverse((now + SEED_FIRST, index)));
        } else {
            entry.state = State::Queued;
            self.queue.push_back(index);
        }
    }

    /// A failure of `index` counts; if it was a seed and `met` is known, it gets that overlay address.
    fn is_still_wanted(&mut self, index: NodeIndex, met: Option<&str>, now: Duration, rules: &impl Rules) -> bool {
        let asked = &self.nodes[index.at()];
        if asked.state != State::InFlight {
            return false;
        }
        match met {
            Some(met) if asked.peer.is_none() => {
                let known = self.by_peer.get(met).copied();
                match known {
                    Some(home) => self.merge(index, home, now, rules),
                    None => self.name(index, met, rules),
                }
                known.is_none()
            }
            _ => true,
        }
    }

    /// The entry that an answer of `peer`, asked as `index`, belongs to; `None` when it is not news.
    fn home_of(&mut self, index: NodeIndex, peer: &str, now: Duration, rules: &impl Rules) -> Option<NodeIndex> {
        let asked = &self.nodes[index.at()];
        if asked.state != State::InFlight {
            return None;
        }
        if asked.peer.is_some() {
            return Some(index);
        }
        let Some(home) = self.by_peer.get(peer).copied() else {
            self.name(index, peer, rules);
            return Some(index);
        };
        self.merge(index, home, now, rules);
        match self.nodes[home.at()].state {
            State::Answered => None,
            State::Failed => {
                self.failed -= 1;
                Some(home)
            }
            _ => Some(home),
        }
    }

    /// The seed at `index` turned out to be `peer`.
    fn name(&mut self, index: NodeIndex, peer: &str, rules: &impl Rules) {
        let peer: Arc<str> = peer.into();
        let entry = &mut self.nodes[index.at()];
        entry.key = rules.key(&peer).unwrap_or_default();
        entry.peer = Some(peer.clone());
        self.by_peer.insert(peer, index);
    }

    /// The seed at `index` turned out to be the node at `home`.
    fn merge(&mut self, index: NodeIndex, home: NodeIndex, now: Duration, rules: &impl Rules) {
        let seed = &mut self.nodes[index.at()];
        seed.state = State::Merged;
        self.merged += 1;
        let addresses = std::mem::take(&mut seed.addresses);
        let addresses: Vec<&str> = addresses.iter().map(|(address, _)| &**address).collect();
        if self.nodes[home.at()].add_addresses(&addresses, NamedBy::Owner, rules) {
            self.queue_if_dialable(home, now);
        }
    }
}

impl Entry {
    fn new(peer: Option<Arc<str>>, key: Key) -> Self {
        Self {
            peer,
            key,
            addresses: Vec::new(),
            state: State::NoAddress,
            attempts: 0,
            dial_spent: Duration::ZERO,
            node: None,
            neighbours: Box::default(),
            error: None,
        }
    }

    fn is_open_seed(&self) -> bool {
        self.peer.is_none() && matches!(self.state, State::Queued | State::Waiting | State::InFlight)
    }

    fn candidate(&self, dial_deadline: Duration) -> Candidate {
        Candidate {
            dial_deadline: dial_deadline.saturating_sub(self.dial_spent),
            peer: self.peer.as_deref().map(str::to_owned),
            addresses: self.addresses.iter().filter(|(_, may_dial)| *may_dial).map(|(a, _)| a.to_string()).collect(),
        }
    }

    /// Adds what is new; an address that may be dialled takes the place of one that may not.
    fn add_addresses(&mut self, addresses: &[&str], named_by: NamedBy, rules: &impl Rules) -> bool {
        let mut added = false;
        for address in addresses.iter().take(ADDRESSES_PER_SOURCE_MAX) {
            if address.len() > ADDRESS_BYTES_MAX || self.addresses.iter().any(|(known, _)| **known == **address) {
                continue;
            }
            let may_dial = rules.may_dial(address, named_by);
            if self.addresses.len() < ADDRESSES_MAX {
                self.addresses.push(((*address).into(), may_dial));
                added = true;
            } else if let Some(place) = self.addresses.iter_mut().find(|(_, dialable)| may_dial && !dialable) {
                *place = ((*address).into(), true);
                added = true;
            }
        }
        added
    }
}

/// How long something took, and when it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) took: Duration,
    pub(super) now: Duration,
}

/// The entries of a finished frontier.
#[derive(Debug, Default)]
pub(super) struct Entries(Vec<Entry>);

impl Entries {
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }

    pub(super) fn get(&self, index: NodeIndex) -> &Entry {
        &self.0[index.at()]
    }
}

impl NodeIndex {
    fn at(self) -> usize {
        self.0 as usize
    }
}

#[cfg(test)]
#[path = "frontier_tests.rs"]
mod tests;
