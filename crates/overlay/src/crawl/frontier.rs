//! Who is asked next. Pure: time is the duration since the crawl began, given by the caller.
//!
//! ```text
//!            learn/seed                next               answered
//!  (unknown) ──────────► Queued ────────────► InFlight ────────────► Answered
//!      │                   ▲  ▲                  │ failed
//!      │ no address        │  └── wake ── Waiting◄┤ an attempt is left
//!      ▼                   │                     ▼
//!   NoAddress ─────────────┘ an address        Failed ──► NoAddress, when a new address is named
//! ```
//! A seed has no overlay address until it answers; when it turns out to be a node that is known
//! already, the two entries are merged.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use p2ppool_model::snapshot::{NEIGHBOURS_MAX, Node};

use super::entry::{Entries, Entry, NodeIndex, Rules, State};
use super::{Answer, Candidate, NamedBy, Neighbour, ProbeError, Stage};

/// Most neighbours taken from one answer: a full table of a large overlay has some hundred.
const NEIGHBOURS_PER_ANSWER_MAX: usize = 2_048;
/// How long a node waits for the seed with the same address to answer.
const SEED_FIRST: Duration = Duration::from_millis(250);
/// Longest overlay address, in bytes.
const PEER_BYTES_MAX: usize = 128;

/// Bounds of the frontier.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrontierLimits {
    pub(super) nodes_max: usize,
    pub(super) attempts: u32,
    pub(super) backoff: Duration,
    pub(super) dial_deadline: Duration,
}

/// How long something took, and when it ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Took {
    pub(super) took: Duration,
    pub(super) now: Duration,
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
            self.give_another_chance(index);
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

    /// A node that could not be reached has a new address, and attempts and time left.
    fn give_another_chance(&mut self, index: NodeIndex) {
        let entry = &mut self.nodes[index.at()];
        let unreached = entry.error.as_ref().is_some_and(|error| error.stage != Stage::Ask);
        let left = entry.attempts < self.limits.attempts && entry.dial_spent < self.limits.dial_deadline;
        if entry.state == State::Failed && unreached && left {
            entry.state = State::NoAddress;
            self.failed -= 1;
        }
    }

    /// A node under the address of a seed that is about to answer is probably that seed: it waits a
    /// little, so that it isn't asked twice.
    fn queue_if_dialable(&mut self, index: NodeIndex, now: Duration) {
        let entry = &self.nodes[index.at()];
        if entry.state != State::NoAddress || !entry.has_address() {
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

#[cfg(test)]
#[path = "frontier_tests.rs"]
mod tests;
