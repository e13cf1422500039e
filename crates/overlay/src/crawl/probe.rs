//! What asks one node: the seam between the crawl and an overlay kind.

use std::time::Duration;

use async_trait::async_trait;
use p2ppool_model::consistency::Key;
use p2ppool_model::snapshot::{Node, NodeDetails};

/// Asks one node at a time; many calls run at once.
#[async_trait]
pub trait Probe: Send + Sync {
    /// Asks `candidate` who it is and whom it knows. Takes at most its `dial_deadline` until it is
    /// connected, and `ask_deadline` from then on.
    async fn ask(&self, candidate: &Candidate, ask_deadline: Duration) -> Result<Answer, ProbeError>;

    /// May this transport address be dialled? Wrong ones and, unless the pool says so, private ones may not.
    fn may_dial(&self, address: &str, named_by: NamedBy) -> bool;

    /// Position of an overlay address in key space; `None` when it is not an overlay address.
    fn key(&self, peer: &str) -> Option<Key>;

    /// Details of a node of which only the address is known.
    fn no_details(&self) -> NodeDetails;

    /// How well a node's view is right.
    fn consistency(&self) -> Consistency {
        Consistency::Kademlia
    }
}

/// A rule of [`p2ppool_model::consistency`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consistency {
    /// The share of the truly closest that a node knows; of nodes that answered.
    Kademlia,
    /// The share of neighbours that name each other; of nodes that were asked, answering or not.
    Ring,
}

/// Who named a transport address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The pool's settings or host list.
    Owner,
    /// Some node of the overlay, who may lie.
    Node,
}

/// A node to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Overlay address it should have; `None` for a seed, whose address is learnt.
    pub peer: Option<String>,
    /// Transport addresses, best first; not empty.
    pub addresses: Vec<String>,
    /// What is left of its time for dialling.
    pub dial_deadline: Duration,
}

/// What a node told.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The node with what it said of itself: `address`, `ip`, `rtt_ms` and so on. Its `status`,
    /// `retries`, `neighbours` and `consistency` are the crawl's to fill in.
    pub node: Node,
    /// Whom it knows, nearest first.
    pub neighbours: Vec<Neighbour>,
}

/// A node that another one named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// Overlay address.
    pub peer: String,
    /// Transport addresses.
    pub addresses: Vec<String>,
}

/// How far asking a node came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// No address accepted a connection.
    Dial,
    /// Connected, but the handshake failed or somebody else answered.
    Connect,
    /// Connected, but no right answer came.
    Ask,
}

/// A node that did not answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ProbeError {
    /// Where it ended.
    pub stage: Stage,
    /// Another attempt could help: not when a deadline was used up or the node said no.
    pub may_retry: bool,
    /// What was tried, on what, why it failed.
    pub message: String,
    /// Who was there, when that much was learnt: its overlay address is proven.
    pub node: Option<Box<Node>>,
}

impl ProbeError {
    /// An error of which nothing but the message is known.
    pub fn new(stage: Stage, message: impl Into<String>) -> Self {
        Self { stage, may_retry: false, message: message.into(), node: None }
    }
}
