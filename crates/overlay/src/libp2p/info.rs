//! The info protocol: one question, one answer, in CBOR, over a request-response stream.
//!
//! The protocol name is the same in every pool; the namespace travels in the question, and a node
//! of another namespace answers with its own namespace and [`Refusal::OtherNamespace`], nothing else.

use std::time::Duration;

use libp2p::request_response::{self, ProtocolSupport};
use libp2p::{PeerId, StreamProtocol};
use p2ppool_model::Digest;
use serde::{Deserialize, Serialize};

/// Name of the info protocol.
pub const INFO_PROTOCOL: StreamProtocol = StreamProtocol::new("/p2ppool/info/1");
/// Longest question in bytes: a namespace has at most 63.
pub const REQUEST_BYTES_MAX: u64 = 1024;
/// Longest answer in bytes: [`NEIGHBOURS_MAX`] peers with [`ADDRESSES_MAX`] addresses of
/// [`ADDRESS_BYTES_MAX`] come to 130 KiB.
pub const RESPONSE_BYTES_MAX: u64 = 192 * 1024;
/// Most neighbours in one answer.
pub const NEIGHBOURS_MAX: usize = p2ppool_model::snapshot::NEIGHBOURS_MAX;
/// Most addresses told of one neighbour.
pub const ADDRESSES_MAX: usize = 8;
/// Longest address told, in bytes of its text form; longer ones are left out.
pub const ADDRESS_BYTES_MAX: usize = 256;

/// The question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InfoRequest {
    /// The namespace that the asker means.
    pub namespace: String,
}

/// The answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InfoResponse {
    /// The node's own namespace.
    #[serde(default)]
    pub namespace: String,
    /// Why there is nothing more than the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// Program and version, such as `p2pnode/0.1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// The entries of its routing table nearest to itself, nearest first; at most [`NEIGHBOURS_MAX`].
    #[serde(default)]
    pub neighbours: Vec<Neighbour>,
    /// Only told to operators.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vitals: Option<Vitals>,
}

/// Why a node does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The asker meant another namespace.
    OtherNamespace,
    /// The asker asked too often; ask again in a minute.
    TooManyRequests,
    /// A reason that a newer node knows.
    #[serde(other)]
    Other,
}

/// A peer in the routing table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its peer id in text form.
    pub peer: String,
    /// Multiaddresses without peer id; at most [`ADDRESSES_MAX`].
    #[serde(default)]
    pub addresses: Vec<String>,
    /// A connection to it is open.
    #[serde(default)]
    pub connected: bool,
}

/// How the node and its host are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Vitals {
    /// Package that it was started from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<Digest>,
    /// The host's address in the pool's host list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_tag: Option<String>,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Open overlay connections: the sum of the three below.
    pub connections: u32,
    /// Of them over TCP.
    pub tcp: u32,
    /// Of them over QUIC.
    pub quic: u32,
    /// Of them through a relay.
    pub relayed: u32,
    /// Peers in the routing table.
    pub table: u32,
    /// `public`, `private` or `unknown`.
    pub nat: String,
    /// Resident memory, bytes; `None` when the system doesn't tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss: Option<u64>,
    /// CPU time used since the start, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<f64>,
    /// One-minute load average of the host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Addresses that it listens on.
    pub listen: Vec<String>,
    /// Addresses that it tells others to use.
    pub external: Vec<String>,
}

impl InfoResponse {
    /// What a node of `namespace` says when it says no.
    pub fn refuse(namespace: &str, refusal: Refusal) -> Self {
        Self { namespace: namespace.to_owned(), refusal: Some(refusal), ..Self::default() }
    }

    /// The neighbours whose peer ids can be read, with the addresses that can be read; bounded.
    pub fn peers(&self) -> Vec<(PeerId, Vec<libp2p::Multiaddr>)> {
        let read = |neighbour: &Neighbour| {
            let peer = neighbour.peer.parse().ok()?;
            let addresses = neighbour.addresses.iter().take(ADDRESSES_MAX).filter_map(|a| a.parse().ok()).collect();
            Some((peer, addresses))
        };
        self.neighbours.iter().take(NEIGHBOURS_MAX).filter_map(read).collect()
    }
}

/// The request-response behaviour of the info protocol.
pub type Behaviour = request_response::cbor::Behaviour<InfoRequest, InfoResponse>;

/// A behaviour that asks, answers or does both. `deadline` bounds one exchange, `streams_max` how
/// many may be open on one connection.
pub fn behaviour(support: ProtocolSupport, deadline: Duration, streams_max: usize) -> Behaviour {
    let codec = request_response::cbor::codec::Codec::default()
        .set_request_size_maximum(REQUEST_BYTES_MAX)
        .set_response_size_maximum(RESPONSE_BYTES_MAX);
    let config =
        request_response::Config::default().with_request_timeout(deadline).with_max_concurrent_streams(streams_max);
    request_response::Behaviour::with_codec(codec, [(INFO_PROTOCOL, support)], config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode<T: Serialize>(value: &T) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_answer_survives_cbor() {
        let answer = InfoResponse {
            namespace: "demo".into(),
            refusal: None,
            agent_version: Some("p2pnode/0.1.0".into()),
            neighbours: vec![Neighbour {
                peer: PeerId::random().to_string(),
                addresses: vec!["/ip4/127.0.0.1/tcp/1".into()],
                connected: true,
            }],
            vitals: Some(Vitals { load: Some(0.5), package: Some(Digest::of(b"x")), ..Vitals::default() }),
        };
        let read: InfoResponse = ciborium::from_reader(encode(&answer).as_slice()).unwrap();
        assert_eq!(read, answer);
        assert_eq!(read.peers().len(), 1);
    }

    #[test]
    fn a_refusal_tells_the_namespace_and_nothing_else() {
        let refusal = InfoResponse::refuse("demo", Refusal::OtherNamespace);
        let read: ciborium::Value = ciborium::from_reader(encode(&refusal).as_slice()).unwrap();
        let keys: Vec<_> = read.as_map().unwrap().iter().map(|(key, _)| key.as_text().unwrap().to_owned()).collect();
        assert_eq!(keys, ["namespace", "refusal", "neighbours"]);
        assert!(refusal.neighbours.is_empty());
    }

    #[test]
    fn fields_and_refusals_of_newer_nodes_are_skipped() {
        #[derive(Serialize)]
        struct Newer {
            namespace: &'static str,
            refusal: &'static str,
            moon_phase: u8,
        }
        let bytes = encode(&Newer { namespace: "demo", refusal: "asleep", moon_phase: 3 });
        let read: InfoResponse = ciborium::from_reader(bytes.as_slice()).unwrap();
        assert_eq!(read.refusal, Some(Refusal::Other));
    }

    #[test]
    fn neighbours_that_can_not_be_read_are_left_out() {
        let neighbour = |peer: &str, address: &str| Neighbour {
            peer: peer.into(),
            addresses: vec![address.into()],
            connected: false,
        };
        let peer = PeerId::random();
        let answer = InfoResponse {
            neighbours: vec![neighbour("junk", "/ip4/127.0.0.1/tcp/1"), neighbour(&peer.to_string(), "junk")],
            ..InfoResponse::default()
        };
        assert_eq!(answer.peers(), [(peer, vec![])]);
    }

    #[test]
    fn the_largest_answer_fits() {
        let neighbours = (0..NEIGHBOURS_MAX)
            .map(|_| Neighbour {
                peer: PeerId::random().to_string(),
                addresses: vec!["x".repeat(ADDRESS_BYTES_MAX); ADDRESSES_MAX],
                connected: true,
            })
            .collect();
        let answer = InfoResponse { neighbours, ..InfoResponse::default() };
        assert!((encode(&answer).len() as u64) < RESPONSE_BYTES_MAX - 16 * 1024);
    }
}
