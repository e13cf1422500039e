//! What a crawl found.

use std::time::Duration;

use p2ppool_model::snapshot::Node;

use super::ProbeError;

/// The result of a crawl. Nodes are kept small inside and made one at a time by [`CrawlReport::nodes`],
/// because a hundred thousand of them with their neighbours written out would take half a gigabyte.
#[derive(Debug)]
pub struct CrawlReport {
    /// How long it took.
    pub duration: Duration,
    /// Why it ended.
    pub end: CrawlEnd,
    /// Nodes that were named and left out, because there were more than the settings allow.
    pub left_out: u64,
    /// Seeds that led to no node.
    pub seeds_failed: Vec<SeedFailure>,
    nodes: Vec<Node>,
}

/// Why a crawl ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrawlEnd {
    /// Everybody who was named was asked.
    Complete,
    /// It was cancelled.
    Cancelled,
    /// Its deadline passed.
    Deadline,
}

/// A seed that led to no node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFailure {
    /// Its transport address.
    pub address: String,
    /// Why.
    pub error: ProbeError,
}

impl CrawlReport {
    /// Nodes seen, answering or not.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Nobody was seen.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Every node, as the snapshot keeps it, consistency filled in; in the order in which they were heard of.
    pub fn nodes(&self) -> impl Iterator<Item = Node> {
        self.nodes.iter().cloned()
    }
}

impl CrawlReport {
    pub(super) fn empty() -> Self {
        Self { duration: Duration::ZERO, end: CrawlEnd::Complete, left_out: 0, seeds_failed: vec![], nodes: vec![] }
    }
}
