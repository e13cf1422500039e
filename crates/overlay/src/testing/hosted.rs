//! Real libp2p nodes inside this process: Kademlia, identify and, if wanted, the info protocol.
//!
//! Small where p2pnode is complete: no relay, no NAT traversal.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::request_response::{self, ProtocolSupport};
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, connection_limits, identify, kad};
use p2ppool_model::consistency::{Key, SortedKeys, distance};
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use crate::libp2p::{
    InfoResponse, Neighbour, NetworkSecret, Refusal, TransportSettings, Vitals, identify_protocol, info, kad_key,
    kad_stream_protocol, transport,
};

/// Longest time to an authenticated connection.
const DIAL_DEADLINE: Duration = Duration::from_secs(10);
/// Most questions answered at once on one connection.
const STREAMS_MAX: usize = 16;
/// How often an unconnected node tries its bootstrap addresses again.
const REJOIN_EVERY: Duration = Duration::from_secs(2);
/// How often a node looks for peers by itself.
const BOOTSTRAPS_EVERY: Duration = Duration::from_secs(60);

/// What a hosted node is like.
#[derive(Clone, Debug)]
pub struct HostedSettings {
    /// Address and TCP port; 0 lets the system choose.
    pub listen: (IpAddr, u16),
    /// Speak QUIC, too, on the same port number.
    pub quic: bool,
    /// Its namespace.
    pub namespace: String,
    /// Answer the info protocol.
    pub info: bool,
    /// The network's secret.
    pub secret: Option<NetworkSecret>,
    /// Whom to meet first.
    pub bootstrap: Vec<Multiaddr>,
    /// How long an unused connection stays.
    pub idle: Duration,
    /// A place in a finished overlay, instead of one that is made by joining.
    pub place: Option<Place>,
}

/// Who a node is and whom it knows from the start. Such a node answers and never dials anybody, so
/// that hundreds of them cost no more than what is asked of them.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its identity.
    pub keypair: Keypair,
    /// Its routing table.
    pub known: Vec<(PeerId, Multiaddr)>,
}

/// Closest peers that a node with a [`Place`] knows: a full bucket of Kademlia.
const CLOSEST: usize = 20;
/// Peers that it knows in each further bucket.
const PER_BUCKET: usize = 2;

/// The places of a finished overlay: everybody has the right table.
#[derive(Debug)]
pub struct Places {
    nodes: Vec<(Keypair, Multiaddr)>,
    keys: Vec<Key>,
    sorted: SortedKeys,
    by_key: HashMap<Key, usize>,
}

impl Places {
    /// An overlay of these nodes.
    pub fn new(nodes: Vec<(Keypair, Multiaddr)>) -> Self {
        let keys: Vec<Key> = nodes.iter().map(|(keypair, _)| kad_key(&keypair.public().to_peer_id())).collect();
        let by_key = keys.iter().enumerate().map(|(index, key)| (*key, index)).collect();
        Self { sorted: SortedKeys::new(&keys), nodes, keys, by_key }
    }

    /// The place of a node: its closest peers and some of each further bucket.
    pub fn place(&self, index: usize) -> Place {
        let own = self.keys[index];
        let mut near = self.sorted.closest(&own, CLOSEST);
        for bit in 0..self.nodes.len().max(2).ilog2() as usize {
            let mut target = own;
            target[bit / 8] ^= 0x80 >> (bit % 8);
            near.extend(self.sorted.closest(&target, PER_BUCKET));
        }
        let mut known: Vec<usize> = near.iter().map(|key| self.by_key[key]).filter(|peer| *peer != index).collect();
        known.sort_unstable();
        known.dedup();
        let named = |peer: usize| (self.nodes[peer].0.public().to_peer_id(), self.nodes[peer].1.clone());
        Place { keypair: self.nodes[index].0.clone(), known: known.into_iter().map(named).collect() }
    }
}

/// Why a node did not start; only shown.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// A running node; ends when it is dropped.
#[derive(Debug)]
pub struct HostedNode {
    /// Its overlay address.
    pub peer: PeerId,
    /// Its first address.
    pub address: Multiaddr,
    table: watch::Receiver<usize>,
    _task: AbortOnDropHandle<()>,
}

impl HostedNode {
    /// Starts a node and waits until it listens.
    ///
    /// # Errors
    /// When the address is taken or isn't one of this machine.
    pub async fn start(settings: HostedSettings) -> Result<Self, StartError> {
        let mut swarm = swarm(&settings)?;
        let (ip, port) = settings.listen;
        let family = if ip.is_ipv4() { "ip4" } else { "ip6" };
        swarm.listen_on(parse(&format!("/{family}/{ip}/tcp/{port}")))?;
        if settings.quic {
            swarm.listen_on(parse(&format!("/{family}/{ip}/udp/{port}/quic-v1")))?;
        }
        let peer = *swarm.local_peer_id();
        let (listening, mut listens) = mpsc::channel(4);
        let (filled, table) = watch::channel(0);
        let task = AbortOnDropHandle::new(tokio::spawn(run(swarm, settings, listening, filled)));
        let address = listens.recv().await.ok_or("the node ended before it listened")?;
        Ok(Self { peer, address, table, _task: task })
    }

    /// Waits until its routing table has `peers` entries.
    pub async fn knows(&mut self, peers: usize) {
        // The sender lives as long as the task, which lives as long as this value.
        let _ = self.table.wait_for(|known| *known >= peers).await;
    }
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    kad: kad::Behaviour<MemoryStore>,
    identify: identify::Behaviour,
    info: libp2p::swarm::behaviour::toggle::Toggle<info::Behaviour>,
    limits: connection_limits::Behaviour,
}

fn swarm(settings: &HostedSettings) -> Result<Swarm<Behaviour>, StartError> {
    let keypair = settings.place.as_ref().map_or_else(Keypair::generate_ed25519, |place| place.keypair.clone());
    let peer = keypair.public().to_peer_id();
    let over = TransportSettings { secret: settings.secret, quic: settings.quic, deadline: DIAL_DEADLINE };
    let transport = transport(&keypair, &over, None)?;
    let protocol = kad_stream_protocol(&settings.namespace, None).ok_or("not a protocol name")?;
    let mut config = kad::Config::new(protocol);
    let bootstraps_every = settings.place.is_none().then_some(BOOTSTRAPS_EVERY);
    config.set_parallelism(NonZeroUsize::MIN).set_periodic_bootstrap_interval(bootstraps_every);
    let mut kad = kad::Behaviour::with_config(peer, MemoryStore::new(peer), config);
    kad.set_mode(Some(kad::Mode::Server));
    for (peer, address) in settings.place.iter().flat_map(|place| &place.known) {
        kad.add_address(peer, address.clone());
    }
    let identify = identify::Config::new(identify_protocol(&settings.namespace), keypair.public())
        .with_agent_version("hosted/1".to_owned())
        .with_cache_size(0);
    let info = settings.info.then(|| info::behaviour(ProtocolSupport::Inbound, DIAL_DEADLINE, STREAMS_MAX));
    let dials = if settings.place.is_some() { Some(0) } else { None };
    let limits = connection_limits::ConnectionLimits::default().with_max_pending_outgoing(dials);
    let limits = connection_limits::Behaviour::new(limits);
    let behaviour = Behaviour { kad, identify: identify::Behaviour::new(identify), info: info.into(), limits };
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(settings.idle);
    Ok(Swarm::new(transport, behaviour, peer, config))
}

fn parse(address: &str) -> Multiaddr {
    address.parse().expect("it is made of an IP address and a port")
}

async fn run(
    mut swarm: Swarm<Behaviour>,
    settings: HostedSettings,
    listening: mpsc::Sender<Multiaddr>,
    filled: watch::Sender<usize>,
) {
    let mut rejoin = tokio::time::interval(REJOIN_EVERY);
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                on_event(&mut swarm, &settings, &listening, event);
                filled.send_if_modified(|known| {
                    let now = swarm.behaviour_mut().kad.kbuckets().map(|bucket| bucket.num_entries()).sum();
                    std::mem::replace(known, now) != now
                });
            }
            _ = rejoin.tick(), if *filled.borrow() == 0 => {
                for address in &settings.bootstrap {
                    let _ = swarm.dial(address.clone());
                }
            }
        }
    }
}

fn on_event(
    swarm: &mut Swarm<Behaviour>,
    settings: &HostedSettings,
    listening: &mpsc::Sender<Multiaddr>,
    event: SwarmEvent<BehaviourEvent>,
) {
    match event {
        SwarmEvent::NewListenAddr { address, .. } => {
            swarm.add_external_address(address.clone());
            let _ = listening.try_send(address);
        }
        SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })) => {
            let ours = kad_stream_protocol(&settings.namespace, None);
            if info.protocols.iter().any(|protocol| Some(protocol) == ours.as_ref()) {
                for address in info.listen_addrs {
                    swarm.behaviour_mut().kad.add_address(&peer_id, address);
                }
            }
        }
        SwarmEvent::Behaviour(BehaviourEvent::Info(request_response::Event::Message {
            message: request_response::Message::Request { request, channel, .. },
            ..
        })) => {
            let answer = answer(swarm, settings, &request.namespace);
            if let Some(info) = swarm.behaviour_mut().info.as_mut() {
                let _ = info.send_response(channel, answer);
            }
        }
        _ => {}
    }
}

fn answer(swarm: &mut Swarm<Behaviour>, settings: &HostedSettings, asked: &str) -> InfoResponse {
    if asked != settings.namespace {
        return InfoResponse::refuse(&settings.namespace, Refusal::OtherNamespace);
    }
    let own = kad_key(swarm.local_peer_id());
    let mut table: Vec<_> = Vec::new();
    for bucket in swarm.behaviour_mut().kad.kbuckets() {
        for entry in bucket.iter() {
            let peer = *entry.node.key.preimage();
            let addresses = entry.node.value.iter().take(info::ADDRESSES_MAX).map(ToString::to_string).collect();
            let neighbour = Neighbour { peer: peer.to_string(), addresses, connected: false };
            table.push((distance(&own, &kad_key(&peer)), neighbour));
        }
    }
    table.sort_unstable_by_key(|(distance, _)| *distance);
    InfoResponse {
        namespace: settings.namespace.clone(),
        refusal: None,
        agent_version: Some("hosted/1".into()),
        neighbours: table.into_iter().take(info::NEIGHBOURS_MAX).map(|(_, neighbour)| neighbour).collect(),
        vitals: Some(Vitals { nat: "unknown".into(), ..Vitals::default() }),
    }
}
