//! The crawl against real libp2p nodes on loopback addresses.

mod hosted;
mod support;
