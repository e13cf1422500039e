//! Walking a whole overlay: ask a node for its neighbours, ask those, until nobody new is named.
//!
//! `frontier` decides who is asked next, in memory and bounded; `engine` asks many at once through
//! a [`Probe`], within deadlines; the [`CrawlReport`] holds every node with its answer or its error.

mod clean;
mod engine;
mod entry;
mod frontier;
mod probe;
mod report;
mod settings;
mod text;

#[cfg(test)]
mod engine_tests;

pub use engine::run;
pub use probe::{Answer, Candidate, Consistency, NamedBy, Neighbour, Probe, ProbeError, Stage};
pub use report::{CrawlReport, SeedFailure};
pub use settings::{CrawlEnd, CrawlProgress, CrawlSettings, DIALS_AT_ONCE, NODES_MAX};
pub use text::printable;
