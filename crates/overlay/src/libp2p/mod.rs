//! The `libp2p` overlay kind: what p2pnode, the manager and the crawl agree on.
//!
//! Names of protocols, the node's configuration files, its identity and the info protocol live here,
//! because the node and whoever speaks to it must mean the same thing by them.

pub mod config;
mod elf;
pub mod identity;
pub mod info;
pub mod kad_message;
pub mod kind;
pub mod probe;
pub mod protobuf;
pub mod transport;

use libp2p::{PeerId, StreamProtocol};
use sha2::Digest as _;

pub use config::{ConfigError, HostConfig, KadMode, NetworkSecret, NodeConfig};
pub use identity::{Identity, IdentityError};
pub use info::{INFO_PROTOCOL, InfoRequest, InfoResponse, Neighbour, Refusal, Vitals};
pub use kind::Libp2p;
pub use p2ppool_model::consistency::Key;
pub use transport::{Transport, TransportSettings, transport};

/// Protocol version that a node of this namespace tells by identify.
pub fn identify_protocol(namespace: &str) -> String {
    format!("/p2ppool/{namespace}/1.0.0")
}

/// Kademlia protocol name of a namespace, when no other one was chosen for the pool.
pub fn kad_protocol(namespace: &str) -> String {
    format!("/p2ppool/{namespace}/kad/1.0.0")
}

/// The Kademlia protocol to speak: `chosen`, else the namespace's own.
///
/// `None` when `chosen` doesn't begin with `/`.
pub fn kad_stream_protocol(namespace: &str, chosen: Option<&str>) -> Option<StreamProtocol> {
    let name = chosen.map_or_else(|| kad_protocol(namespace), str::to_owned);
    StreamProtocol::try_from_owned(name).ok()
}

/// Where a peer stands in the Kademlia key space: SHA-256 of the bytes of its peer id
/// (libp2p Kademlia specification, "Distance").
pub fn kad_key(peer: &PeerId) -> Key {
    sha2::Sha256::digest(peer.to_bytes()).into()
}

#[cfg(test)]
mod tests {
    use libp2p::kad::KBucketKey;

    use super::*;

    #[test]
    fn our_key_is_the_one_that_libp2p_uses() {
        let peer = PeerId::random();
        assert_eq!(kad_key(&peer).as_slice(), KBucketKey::from(peer).hashed_bytes());
    }

    #[test]
    fn a_namespace_has_protocol_names_of_its_own() {
        assert_eq!(identify_protocol("demo"), "/p2ppool/demo/1.0.0");
        assert_eq!(kad_stream_protocol("demo", None).unwrap().as_ref(), "/p2ppool/demo/kad/1.0.0");
        assert_eq!(kad_stream_protocol("demo", Some("/ipfs/kad/1.0.0")).unwrap().as_ref(), "/ipfs/kad/1.0.0");
        assert!(kad_stream_protocol("demo", Some("kad")).is_none());
    }
}
