//! The `brunet` overlay kind: nodes written for Mono, asked by XML-RPC through the local one.
//!
//! - `bundle`, `assembly`: is it all there?
//! - `config`, `places`, `kind`: what hosts get.
//! - [`xml_rpc`], `http`, [`rpc`]: calls to the local node.
//! - `probe`, `info`, `patience`: what a crawl asks, reads and waits for.

pub mod address;
mod assembly;
mod bundle;
mod config;
mod http;
mod info;
pub mod kind;
mod patience;
mod places;
mod probe;
pub mod rpc;
pub mod xml_rpc;

#[cfg(test)]
mod testing;

pub use http::HttpError;
pub use kind::Brunet;
pub use patience::CALLS_AT_ONCE;
pub use places::transport_addresses;
pub use probe::LOCAL_NODE;
