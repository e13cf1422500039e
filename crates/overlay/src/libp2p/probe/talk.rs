//! What is asked on a connection, and what the answers make of a node.

use std::time::Duration;

use libp2p::PeerId;
use p2ppool_model::snapshot::{Node, NodeDetails};
use tokio::time::Instant;

use super::connection::{Connection, ExchangeError};
use super::identify::{self, IDENTIFY, Identity};
use super::walk::{Preimages, Question, Walk};
use crate::crawl::{Answer, Neighbour, ProbeError, Stage};
use crate::libp2p::info::{
    INFO_PROTOCOL, InfoRequest, InfoResponse, NEIGHBOURS_MAX, RESPONSE_BYTES_MAX, Refusal, Vitals,
};
use crate::libp2p::kad_message::{ANSWER_BYTES_MAX, Peer, closer_peers, find_node};

/// What to ask for.
#[derive(Debug)]
pub(super) struct Questions {
    pub(super) namespace: String,
    pub(super) kad: String,
}

/// What one node has told so far; kept outside of the deadline, so that a late answer is not lost
/// with those before it.
struct Told {
    node: Node,
    walk: Walk,
    identity: Option<Identity>,
}

impl Questions {
    /// Asks the node `peer`, of which `met` is known, until `deadline`.
    pub(super) async fn ask(
        &self,
        connection: &Connection,
        peer: PeerId,
        met: Node,
        deadline: Duration,
    ) -> Result<Answer, ProbeError> {
        let mut told = Told { node: met, walk: Walk::new(peer), identity: None };
        let asked = tokio::select! {
            biased;
            asked = self.talk(connection, &mut told) => asked,
            error = connection.drive() => Err(failure(true, format!("the connection broke: {error}"))),
            () = tokio::time::sleep(deadline) => {
                Err(failure(false, format!("it did not answer within {} s", deadline.as_secs_f32())))
            }
        };
        match asked {
            Ok(Some(info)) => from_info(told.node, info, &self.namespace),
            Ok(None) => Ok(from_walk(told)),
            Err(_) if told.walk.has_answer() => Ok(from_walk(told)),
            Err(error) => Err(ProbeError { node: Some(Box::new(described(told.node, told.identity))), ..error }),
        }
    }

    /// The info answer, or nothing when the node was walked instead.
    async fn talk(&self, connection: &Connection, told: &mut Told) -> Result<Option<InfoResponse>, ProbeError> {
        let started = Instant::now();
        let request = cbor(&InfoRequest { namespace: self.namespace.clone() });
        match connection.exchange(INFO_PROTOCOL.as_ref(), &request, RESPONSE_BYTES_MAX).await {
            Ok(answer) => {
                note_round_trip(&mut told.node, started.elapsed());
                let answer = ciborium::from_reader(answer.as_slice());
                answer.map(Some).map_err(|error| failure(false, format!("its info answer can't be read: {error}")))
            }
            Err(ExchangeError::NotSpoken(_)) => {
                note_round_trip(&mut told.node, started.elapsed());
                let Told { walk, identity, .. } = told;
                let describe = async { *identity = ask_identity(connection).await };
                let (walked, ()) = futures::join!(self.walk(connection, walk), describe);
                walked.map(|()| None)
            }
            Err(error) => Err(failure(is_broken(&error), format!("ask for info: {error}"))),
        }
    }

    async fn walk(&self, connection: &Connection, walk: &mut Walk) -> Result<(), ProbeError> {
        while let Some(question) = walk.question() {
            let key = match question {
                Question::Own => walk.own_key(),
                Question::Bucket(bucket) => walk.bucket_key(bucket, preimages().await?),
            };
            let answer = connection.exchange_framed(&self.kad, &find_node(&key), ANSWER_BYTES_MAX).await;
            let answer = answer.map_err(|error| failure(is_broken(&error), format!("ask for neighbours: {error}")))?;
            let peers = closer_peers(&answer);
            walk.answered(peers.map_err(|error| failure(false, format!("its neighbours can't be read: {error}")))?);
        }
        Ok(())
    }
}

/// Found at the first need, off the threads that move bytes.
async fn preimages() -> Result<&'static Preimages, ProbeError> {
    let found = tokio::task::spawn_blocking(Preimages::get).await;
    found.map_err(|error| failure(false, format!("find keys to ask for: {error}")))
}

async fn ask_identity(connection: &Connection) -> Option<Identity> {
    // A node that doesn't say what it is can still be walked.
    let answer = connection.exchange(IDENTIFY, &[], identify::ANSWER_BYTES_MAX).await.ok()?;
    Some(identify::read(&answer))
}

fn from_info(node: Node, info: InfoResponse, namespace: &str) -> Result<Answer, ProbeError> {
    let node = Node { namespace: Some(info.namespace.clone()), version: info.agent_version.clone(), ..node };
    let refusal = match info.refusal {
        None if info.namespace == namespace => None,
        None | Some(Refusal::OtherNamespace) => Some(format!("it belongs to the namespace `{}`", info.namespace)),
        Some(Refusal::TooManyRequests) => Some("it was asked too often and will answer again in a minute".to_owned()),
        Some(Refusal::Other) => Some("it refused to answer".to_owned()),
    };
    if let Some(message) = refusal {
        return Err(ProbeError { node: Some(Box::new(node)), ..failure(false, message) });
    }
    let neighbours = info
        .neighbours
        .into_iter()
        .take(NEIGHBOURS_MAX)
        .map(|neighbour| Neighbour {
            addresses: plain(&neighbour.peer, neighbour.addresses.iter()),
            peer: neighbour.peer,
        })
        .collect();
    Ok(Answer { node: with_vitals(node, info.vitals), neighbours })
}

fn with_vitals(node: Node, vitals: Option<Vitals>) -> Node {
    let Some(vitals) = vitals else {
        return Node { details: NodeDetails::Libp2p { nat: None, protocols: Vec::new(), info: true }, ..node };
    };
    Node {
        host_name: vitals.host_tag.or(node.host_name),
        package: vitals.package,
        connections: Some(vitals.connections),
        tcp: Some(vitals.tcp),
        udp: Some(vitals.quic),
        relayed: Some(vitals.relayed),
        uptime_s: Some(vitals.uptime_s),
        memory: vitals.rss,
        cpu_s: vitals.cpu_s,
        load: vitals.load,
        transport_addresses: plain(&node.address, vitals.external.iter()),
        details: NodeDetails::Libp2p { nat: Some(vitals.nat), protocols: Vec::new(), info: true },
        ..node
    }
}

fn from_walk(told: Told) -> Answer {
    let neighbours = told.walk.into_peers().into_iter().map(neighbour).collect();
    Answer { node: described(told.node, told.identity), neighbours }
}

fn neighbour((peer, addresses): Peer) -> Neighbour {
    let peer = peer.to_string();
    Neighbour { addresses: plain(&peer, addresses.iter()), peer }
}

/// Addresses of `peer` as text, without the peer id that some nodes append, so that one place has one address.
fn plain(peer: &str, addresses: impl Iterator<Item = impl ToString>) -> Vec<String> {
    let suffix = format!("/p2p/{peer}");
    let strip = |address: String| address.strip_suffix(&suffix).map(str::to_owned).unwrap_or(address);
    addresses.map(|address| strip(address.to_string())).collect()
}

/// The node with what identify told of it.
fn described(node: Node, identity: Option<Identity>) -> Node {
    let Some(identity) = identity else {
        return node;
    };
    Node {
        version: identity.agent.or(node.version),
        namespace: identity.protocol_version.as_deref().and_then(namespace_of).or(node.namespace),
        transport_addresses: plain(&node.address, identity.addresses.iter()),
        details: NodeDetails::Libp2p { nat: None, protocols: identity.protocols, info: false },
        ..node
    }
}

/// The namespace in p2pnode's identify protocol version; other programs' versions name none.
fn namespace_of(protocol_version: &str) -> Option<String> {
    let namespace = protocol_version.strip_prefix("/p2ppool/")?.split('/').next()?;
    Some(namespace.to_owned())
}

/// The shortest of what was measured is the least disturbed by load.
fn note_round_trip(node: &mut Node, took: Duration) {
    let took = millis(took);
    node.rtt_ms = Some(node.rtt_ms.map_or(took, |known| known.min(took)));
}

pub(super) fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn is_broken(error: &ExchangeError) -> bool {
    matches!(error, ExchangeError::Broken(_))
}

fn failure(may_retry: bool, message: String) -> ProbeError {
    ProbeError { may_retry, ..ProbeError::new(Stage::Ask, message) }
}

fn cbor(request: &InfoRequest) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing a struct of texts into memory can't fail.
    let _ = ciborium::into_writer(request, &mut bytes);
    bytes
}
