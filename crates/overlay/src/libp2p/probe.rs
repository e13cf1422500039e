//! Asking libp2p nodes during a crawl.
//!
//! A node that speaks the info protocol tells its table in one answer. Any other Kademlia node
//! (Kubo, js-libp2p, py-libp2p …) is asked for every bucket by FIND_NODE, and by identify for what it is.
//!
//! Connections are used directly, without a swarm: each question is one task that dials, asks and
//! drops the connection, so that the work spreads over all cores and a deadline is just a dropped future.
//! The crawl listens nowhere, and streams that nodes open to it are dropped.

mod connection;
mod dial;
mod identify;
mod policy;
mod talk;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libp2p::{Multiaddr, PeerId};
use p2ppool_model::consistency::Key;
use p2ppool_model::snapshot::{Node, NodeDetails};
use tokio_util::task::AbortOnDropHandle;

use self::connection::Connection;
use self::dial::{Dialer, Dialled};
use self::policy::{Policy, Way};
use self::talk::Questions;
use crate::crawl::{Answer, Candidate, NamedBy, Probe, ProbeError, Stage};
use crate::kind::{KindError, ProbeSettings};
use crate::libp2p::{Identity, NetworkSecret, kad_key, kad_stream_protocol};

/// The probe of the libp2p kind.
///
/// # Errors
/// When the operator's identity can't be read or made, or a setting is unusable.
pub fn probe(settings: &ProbeSettings) -> Result<Box<dyn Probe>, KindError> {
    let identity = Identity::load_or_create(&settings.operator)
        .map_err(|error| KindError::new("load the operator's identity", error))?;
    let pool = &settings.settings;
    let secret = pool.network_secret.as_deref().map(str::parse::<NetworkSecret>).transpose();
    let secret = secret.map_err(|error| KindError::new("use the network secret", error))?;
    let kad = kad_stream_protocol(&pool.namespace, pool.kad_protocol.as_deref());
    let kad = kad.ok_or_else(|| KindError::new("use the Kademlia protocol", "it does not begin with `/`"))?;
    let dialer = Dialer::new(identity.keypair(), secret)
        .map_err(|error| KindError::new("use the operator's identity", error))?;
    Ok(Box::new(Libp2pProbe(Arc::new(Shared {
        dialer,
        policy: Policy { private: pool.private_addresses, quic: secret.is_none() },
        questions: Questions { namespace: pool.namespace.clone(), kad: kad.to_string() },
        dial_deadline: settings.dial_deadline,
    }))))
}

struct Libp2pProbe(Arc<Shared>);

struct Shared {
    dialer: Dialer,
    policy: Policy,
    questions: Questions,
    dial_deadline: Duration,
}

#[async_trait]
impl Probe for Libp2pProbe {
    async fn ask(&self, candidate: &Candidate, ask_deadline: Duration) -> Result<Answer, ProbeError> {
        let (shared, candidate) = (self.0.clone(), candidate.clone());
        let asking = tokio::spawn(async move { shared.ask(&candidate, ask_deadline).await });
        match AbortOnDropHandle::new(asking).await {
            Ok(result) => result,
            Err(error) => Err(ProbeError::new(Stage::Ask, format!("asking it broke off: {error}"))),
        }
    }

    fn may_dial(&self, address: &str, named_by: NamedBy) -> bool {
        address.parse().is_ok_and(|address| self.0.policy.way(&address, named_by).is_some())
    }

    fn key(&self, peer: &str) -> Option<Key> {
        peer.parse().ok().map(|peer| kad_key(&peer))
    }

    fn no_details(&self) -> NodeDetails {
        NodeDetails::Libp2p { nat: None, protocols: Vec::new(), info: false }
    }
}

impl Shared {
    async fn ask(&self, candidate: &Candidate, ask_deadline: Duration) -> Result<Answer, ProbeError> {
        let expected = candidate.peer.as_deref().and_then(|peer| peer.parse::<PeerId>().ok());
        let addresses: Vec<(Multiaddr, Way)> = candidate.addresses.iter().filter_map(|text| self.way(text)).collect();
        if addresses.is_empty() {
            return Err(ProbeError::new(Stage::Dial, "none of its addresses may be dialled"));
        }
        let Dialled { peer, address, muxer, round_trip } =
            self.dialer.dial(&addresses, expected, candidate.dial_deadline.min(self.dial_deadline)).await?;
        let node = met(peer, &address, round_trip);
        let connection = Connection::new(muxer);
        self.questions.ask(&connection, peer, node, ask_deadline).await
    }

    /// Addresses of candidates passed the policy when they were learnt.
    fn way(&self, text: &str) -> Option<(Multiaddr, Way)> {
        let address: Multiaddr = text.parse().ok()?;
        let way = self.policy.way(&address, NamedBy::Owner)?;
        Some((address, way))
    }
}

/// What is known of a node as soon as it is connected.
fn met(peer: PeerId, address: &Multiaddr, round_trip: Option<Duration>) -> Node {
    let ip = policy::ip_of(address).map(|ip| ip.to_string());
    Node {
        host_name: ip.clone(),
        ip,
        rtt_ms: round_trip.map(talk::millis),
        ..Node::unknown(peer.to_string(), NodeDetails::Libp2p { nat: None, protocols: Vec::new(), info: false })
    }
}
