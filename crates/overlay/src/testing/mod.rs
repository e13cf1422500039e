//! Overlays to test and measure the crawl with.

pub mod brunet;
pub mod hosted;
pub mod simulated;
