//! `p2pnode info`: ask a running node over the network, as a crawl does.

use std::time::Duration;

use futures::StreamExt as _;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{Event, Message, ProtocolSupport};
use libp2p::swarm::SwarmEvent;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::{Multiaddr, PeerId, Swarm};
use p2ppool_overlay::libp2p::{Identity, InfoRequest, InfoResponse, NetworkSecret, Refusal};
use p2ppool_overlay::libp2p::{TransportSettings, info, transport};
use serde::Serialize;

use crate::failure::{Class, Failure};

/// What `p2pnode info` prints.
#[derive(Debug, Serialize)]
pub struct Answered {
    peer_id: String,
    #[serde(flatten)]
    response: InfoResponse,
}

/// Who asks, and how.
#[derive(Debug)]
pub struct Asker {
    /// Under which identity; an operator's is told more.
    pub identity: Identity,
    /// Of which namespace; `None`: of whichever the node has.
    pub namespace: Option<String>,
    /// Secret of a private network.
    pub secret: Option<NetworkSecret>,
    /// Longest wait for everything.
    pub deadline: Duration,
}

/// Asks the node at `address`, which may end in a peer id.
pub async fn ask(asker: &Asker, address: &Multiaddr) -> Result<Answered, Failure> {
    let no_answer = |reason: String| Failure::new(Class::NoAnswer, format!("ask {address}: {reason}"));
    let settings = TransportSettings { secret: asker.secret, quic: true, deadline: asker.deadline };
    let transport = transport(asker.identity.keypair(), &settings, None)
        .map_err(|error| Failure::new(Class::Data, format!("use the identity for encryption: {error}")))?;
    let behaviour = info::behaviour(ProtocolSupport::Outbound, asker.deadline, 1);
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(asker.deadline);
    let mut swarm = Swarm::new(transport, behaviour, asker.identity.peer_id(), config);
    match tokio::time::timeout(asker.deadline, exchange(&mut swarm, asker, address)).await {
        Ok(Ok((peer, response))) => Ok(Answered { peer_id: peer.to_string(), response }),
        Ok(Err(reason)) => Err(no_answer(reason)),
        Err(_) => Err(no_answer(format!("no answer in {} s", asker.deadline.as_secs()))),
    }
}

async fn exchange(
    swarm: &mut Swarm<info::Behaviour>,
    asker: &Asker,
    address: &Multiaddr,
) -> Result<(PeerId, InfoResponse), String> {
    let peer = connect(swarm, address).await?;
    let named = asker.namespace.clone().unwrap_or_default();
    let response = question(swarm, peer, named).await?;
    // who names no namespace is told the node's by its refusal
    let unnamed = asker.namespace.is_none() && response.refusal == Some(Refusal::OtherNamespace);
    let response = if unnamed { question(swarm, peer, response.namespace).await? } else { response };
    Ok((peer, response))
}

async fn connect(swarm: &mut Swarm<info::Behaviour>, address: &Multiaddr) -> Result<PeerId, String> {
    let options = match address.iter().last() {
        Some(Protocol::P2p(peer)) => DialOpts::peer_id(peer).addresses(vec![address.clone()]).build(),
        _ => DialOpts::unknown_peer_id().address(address.clone()).build(),
    };
    swarm.dial(options).map_err(|error| error.to_string())?;
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::ConnectionEstablished { peer_id, .. } => return Ok(peer_id),
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(error.to_string()),
            _ => {}
        }
    }
}

async fn question(swarm: &mut Swarm<info::Behaviour>, peer: PeerId, namespace: String) -> Result<InfoResponse, String> {
    swarm.behaviour_mut().send_request(&peer, InfoRequest { namespace });
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(Event::Message { message: Message::Response { response, .. }, .. }) => {
                return Ok(response);
            }
            SwarmEvent::Behaviour(Event::OutboundFailure { error, .. }) => return Err(error.to_string()),
            SwarmEvent::ConnectionClosed { cause, .. } => {
                return Err(cause.map_or("it closed the connection".to_owned(), |cause| cause.to_string()));
            }
            _ => {}
        }
    }
}
