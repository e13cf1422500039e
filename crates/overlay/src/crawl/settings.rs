//! The bounds of a crawl and what it tells on its way.

use std::time::Duration;

/// Bounds of a crawl.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrawlSettings {
    /// Nodes asked at the same time.
    pub dials_at_once: usize,
    /// Longest time for dialling one node, over all attempts: a node that used it up is not tried
    /// again, so that dead addresses make a crawl at most this much longer.
    pub dial_deadline: Duration,
    /// Longest time for asking one connected node.
    pub ask_deadline: Duration,
    /// Longest time for everything; who was not asked by then is reported as such.
    pub crawl_deadline: Duration,
    /// Most attempts per node, the first included.
    pub attempts: u32,
    /// Pause before the second attempt; doubles with each further one.
    pub backoff: Duration,
    /// Most nodes; further ones are counted and left out.
    pub nodes_max: usize,
}

/// Nodes asked at the same time unless told otherwise: enough to hide real round trips.
pub const DIALS_AT_ONCE: usize = 500;
/// Most nodes of one crawl unless told otherwise.
pub const NODES_MAX: usize = 200_000;

impl Default for CrawlSettings {
    fn default() -> Self {
        Self {
            dials_at_once: DIALS_AT_ONCE,
            dial_deadline: Duration::from_secs(5),
            ask_deadline: Duration::from_secs(10),
            crawl_deadline: Duration::from_secs(600),
            attempts: 3,
            backoff: Duration::from_millis(250),
            nodes_max: NODES_MAX,
        }
    }
}

/// How far a crawl is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CrawlProgress {
    /// Nodes heard of.
    pub known: u64,
    /// Of them asked to the end.
    pub done: u64,
    /// Of those: answered.
    pub answering: u64,
    /// Being asked now.
    pub asking: u64,
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
