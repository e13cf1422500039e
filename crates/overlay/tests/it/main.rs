//! The crawl against real libp2p nodes on loopback addresses.

mod brunet;
mod hosted;
mod hostile;
mod js;
mod p2pnode;
mod support;
