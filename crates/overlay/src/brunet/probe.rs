//! Asks nodes through the local one.
//!
//! A call for an address that nobody has is answered by the nearest living node: so each answer is
//! compared with who was asked, and one of somebody else means that this node is a ghost that others
//! still name.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use p2ppool_model::brunet::BrunetQuestions;
use p2ppool_model::consistency::Key;
use p2ppool_model::snapshot::{BrunetDetails, Node, NodeDetails};

use super::address;
use super::info::{self, Connections, Neighbours};
use super::patience::Patience;
use super::rpc::{LocalRpc, RpcError};
use super::xml_rpc::{Argument, Value};
use crate::crawl::{Answer, Candidate, Consistency, NamedBy, Neighbour, Probe, ProbeError, Stage};

/// Stands for the local node, whose overlay address is learnt from itself.
pub const LOCAL_NODE: &str = "brunet:local";

/// Asks who a node is and whom it knows.
const INFORMATION: &str = "Information.Info";
/// Asks only the latter; every node knows that.
const NEIGHBOURS: &str = "sys:link.GetNeighbors";

/// The probe of one crawl.
#[derive(Debug)]
pub(super) struct BrunetProbe {
    local: LocalRpc,
    questions: BrunetQuestions,
    began: Instant,
    patience: Mutex<Patience>,
}

impl BrunetProbe {
    pub(super) fn new(local: LocalRpc, questions: BrunetQuestions, deadline: Duration) -> Self {
        Self { local, questions, began: Instant::now(), patience: Mutex::new(Patience::new(deadline)) }
    }

    /// One call, to the node itself or the nearest one, as patience allows.
    async fn call(&self, to: Option<&str>, method: &str, arguments: &[Argument<'_>]) -> Result<Value, RpcError> {
        let began = self.began.elapsed();
        let mut open = OpenCall { probe: self, began, ended: false };
        let deadline = self.patience().begin(began);
        let result = match to {
            Some(address) => self.local.nearest(address, method, arguments, deadline).await,
            None => self.local.local(method, arguments, deadline).await,
        };
        open.ended = true;
        match &result {
            Ok(_) | Err(RpcError::Fault { .. }) => self.patience().answered(began, self.began.elapsed()),
            Err(RpcError::Deadline(_)) => self.patience().expired(began),
            Err(_) => self.patience().end(began),
        }
        result
    }

    fn patience(&self) -> MutexGuard<'_, Patience> {
        self.patience.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The local node's own overlay address.
    async fn own_address(&self) -> Result<String, ProbeError> {
        let told = self.call(None, NEIGHBOURS, &[]).await.map_err(|error| failed("the local node", &error))?;
        let neighbours = Neighbours::of(&told);
        neighbours.map(|n| n.own).ok_or_else(|| ProbeError::new(Stage::Ask, "the local node does not say who it is"))
    }

    /// What it says of itself; of a node without the Information service only its neighbours.
    async fn identify(&self, peer: &str) -> Result<(Node, Neighbours), ProbeError> {
        let told = match self.call(Some(peer), INFORMATION, &[]).await {
            Err(RpcError::Fault { code, message }) if code != 0 => {
                return self.without_information(peer, &message).await;
            }
            told => told.map_err(|error| failed(peer, &error))?,
        };
        let neighbours = told.get("neighbors").and_then(Neighbours::of).ok_or_else(|| no_answer_of(peer))?;
        check_who(peer, &neighbours)?;
        Ok((info::node(&told, &neighbours), neighbours))
    }

    async fn without_information(&self, peer: &str, said: &str) -> Result<(Node, Neighbours), ProbeError> {
        let told = self.call(Some(peer), NEIGHBOURS, &[]).await.map_err(|error| failed(peer, &error))?;
        let neighbours = Neighbours::of(&told).ok_or_else(|| no_answer_of(peer))?;
        check_who(peer, &neighbours)?;
        tracing::debug!(node = peer, said, "a node without the Information service");
        Ok((info::bare_node(&neighbours), neighbours))
    }

    /// What the pool's settings want to know beside that. A question without an answer is left open.
    async fn ask_more(&self, peer: &str, node: &mut Node, neighbours: &mut Vec<String>) {
        let NodeDetails::Brunet(details) = &mut node.details else { return };
        if self.questions.connections {
            let arguments = [Argument::Text("structured")];
            if let Ok(told) = self.call(Some(peer), "ConnectionTable.GetConnections", &arguments).await {
                let connections = Connections::of(&told);
                details.shortcuts = connections.shortcuts;
                let others = connections.peers.into_iter().filter(|other| other != peer);
                for other in others {
                    if !neighbours.contains(&other) {
                        neighbours.push(other);
                    }
                }
            }
        }
        if self.questions.coordinates
            && let Ok(told) = self.call(Some(peer), "ncserver.EchoVivaldiState", &[]).await
        {
            (node.host_name, details.coordinates) = info::vivaldi(&told);
        }
        if self.questions.namespace
            && let Ok(told) = self.call(Some(peer), "LocalCO.GetInformation", &[]).await
        {
            let (namespace, addresses) = info::overlord(&told);
            node.namespace = node.namespace.take().or(namespace);
            node.transport_addresses = addresses;
        }
        if self.questions.round_trip
            && let Ok(told) = self.call(None, "trace.GetRttTo", &[Argument::Text(peer)]).await
        {
            node.rtt_ms = told.get("musec").and_then(Value::number).map(|micros| micros / 1_000.0);
        }
    }
}

/// A call that is dropped before its end is not open any more.
struct OpenCall<'a> {
    probe: &'a BrunetProbe,
    began: Duration,
    ended: bool,
}

impl Drop for OpenCall<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.probe.patience().end(self.began);
        }
    }
}

#[async_trait]
impl Probe for BrunetProbe {
    async fn ask(&self, candidate: &Candidate, _ask_deadline: Duration) -> Result<Answer, ProbeError> {
        let peer = match &candidate.peer {
            Some(peer) => peer.clone(),
            None => self.own_address().await?,
        };
        let (mut node, neighbours) = self.identify(&peer).await?;
        let mut named = neighbours.all();
        self.ask_more(&peer, &mut node, &mut named).await;
        let neighbours = named.into_iter().map(|peer| Neighbour { addresses: vec![peer.clone()], peer });
        Ok(Answer { node, neighbours: neighbours.collect() })
    }

    fn may_dial(&self, address: &str, _: NamedBy) -> bool {
        // nothing is dialled but the local node
        address == LOCAL_NODE || address::key(address).is_some()
    }

    fn key(&self, peer: &str) -> Option<Key> {
        address::key(peer)
    }

    fn no_details(&self) -> NodeDetails {
        NodeDetails::Brunet(BrunetDetails::default())
    }

    fn consistency(&self) -> Consistency {
        Consistency::Ring
    }
}

fn check_who(asked: &str, neighbours: &Neighbours) -> Result<(), ProbeError> {
    if neighbours.own == asked {
        return Ok(());
    }
    let message = format!("{} answered in its place: it is a ghost, gone and still named by others", neighbours.own);
    Err(ProbeError { may_retry: true, ..ProbeError::new(Stage::Connect, message) })
}

fn no_answer_of(peer: &str) -> ProbeError {
    ProbeError::new(Stage::Ask, format!("{peer} told no neighbours, not even itself"))
}

/// Silence costs a deadline and a thread of the local node, so who was silent is not asked again.
fn failed(peer: &str, error: &RpcError) -> ProbeError {
    let may_retry = matches!(error, RpcError::Local { .. } | RpcError::NoAnswer | RpcError::Fault { .. });
    ProbeError { may_retry, ..ProbeError::new(Stage::Ask, format!("ask {peer}: {error}")) }
}
