//! Walking a whole overlay: ask a node for its neighbours, ask those, until nobody new is named.
//!
//! The frontier decides who is asked next, in memory and bounded; the engine asks many at once through a
//! [`Probe`], within deadlines; the report holds every node with its answer or its error.

mod engine;
mod probe;
mod report;
mod settings;

pub use engine::run;
pub use probe::{Answer, Candidate, Neighbour, Probe, ProbeError, Stage};
pub use report::{CrawlEnd, CrawlReport, SeedFailure};
pub use settings::{CrawlProgress, CrawlSettings, DIALS_AT_ONCE, NODES_MAX};
