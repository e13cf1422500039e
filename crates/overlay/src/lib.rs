//! The only place that speaks to overlay nodes.
//!
//! - [`kind`]: what a pool needs from its overlay software, as one trait, and the kinds there are.
//! - [`bundle`]: reading an uploaded archive without trusting a byte of it.
//! - [`crawl`]: walking the whole overlay, bounded in nodes, bytes and time.
//! - [`libp2p`], [`brunet`]: the kinds.
//! - [`testing`]: overlays to test and measure the crawl with.

pub mod brunet;
pub mod bundle;
pub mod crawl;
pub mod kind;
pub mod libp2p;
pub mod testing;

pub use kind::{ClientConfig, KindError, LocalNode, OverlayKind, PackageFile, PoolView, ProbeSettings, Program, kind};
