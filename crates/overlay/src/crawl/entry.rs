//! One node of a crawl: its addresses, its state and what it told.

use std::sync::Arc;
use std::time::Duration;

use p2ppool_model::consistency::Key;
use p2ppool_model::snapshot::{ADDRESSES_MAX, Node};

use super::{Candidate, NamedBy, ProbeError};

/// Most addresses of one node taken from one source, so that no source fills all places of another node.
const ADDRESSES_PER_SOURCE_MAX: usize = 8;
/// Longest transport address, in bytes; a relayed QUIC address with two peer ids has about 200.
pub(super) const ADDRESS_BYTES_MAX: usize = 256;

/// Position of a node in the frontier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct NodeIndex(pub(super) u32);

/// What an overlay kind says about addresses.
pub(super) trait Rules {
    /// May it be dialled?
    fn may_dial(&self, address: &str, named_by: NamedBy) -> bool;
    /// Its key, when it is an overlay address.
    fn key(&self, peer: &str) -> Option<Key>;
}

/// Where a node is on its way; `frontier` draws the arrows.
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
    pub(super) dial_spent: Duration,
    pub(super) node: Option<Box<Node>>,
    /// Nearest first.
    pub(super) neighbours: Box<[NodeIndex]>,
    pub(super) error: Option<Box<ProbeError>>,
}

impl Entry {
    pub(super) fn new(peer: Option<Arc<str>>, key: Key) -> Self {
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

    pub(super) fn is_open_seed(&self) -> bool {
        self.peer.is_none() && matches!(self.state, State::Queued | State::Waiting | State::InFlight)
    }

    pub(super) fn candidate(&self, dial_deadline: Duration) -> Candidate {
        Candidate {
            dial_deadline: dial_deadline.saturating_sub(self.dial_spent),
            peer: self.peer.as_deref().map(str::to_owned),
            addresses: self.addresses.iter().filter(|(_, may_dial)| *may_dial).map(|(a, _)| a.to_string()).collect(),
        }
    }

    /// One of its addresses may be dialled.
    pub(super) fn has_address(&self) -> bool {
        self.addresses.iter().any(|(_, may_dial)| *may_dial)
    }

    /// Adds what is new, and tells whether any of it may be dialled; such an address takes the place of
    /// one that may not.
    pub(super) fn add_addresses(&mut self, addresses: &[&str], named_by: NamedBy, rules: &impl Rules) -> bool {
        let mut added = false;
        for address in addresses.iter().take(ADDRESSES_PER_SOURCE_MAX) {
            if address.len() > ADDRESS_BYTES_MAX || self.addresses.iter().any(|(known, _)| **known == **address) {
                continue;
            }
            let may_dial = rules.may_dial(address, named_by);
            if self.addresses.len() < ADDRESSES_MAX {
                self.addresses.push(((*address).into(), may_dial));
                added |= may_dial;
            } else if let Some(place) = self.addresses.iter_mut().find(|(_, dialable)| may_dial && !dialable) {
                *place = ((*address).into(), true);
                added = true;
            }
        }
        added
    }
}

/// The entries of a finished frontier.
#[derive(Debug, Default)]
pub(super) struct Entries(pub(super) Vec<Entry>);

impl Entries {
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }

    pub(super) fn get(&self, index: NodeIndex) -> &Entry {
        &self.0[index.at()]
    }
}

impl NodeIndex {
    pub(super) fn at(self) -> usize {
        self.0 as usize
    }
}
