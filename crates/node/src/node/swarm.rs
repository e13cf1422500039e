//! The task that owns the swarm.
//!
//! Life of a peer: its connection opens → identify tells what it is → a member of the overlay comes
//! into the routing table with the addresses that are usable from here → dials that fail twice in a
//! row, or identify telling that it is no member (any more), take it out again.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::{FutureExt as _, StreamExt as _};
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, ResponseChannel};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, identify, kad, ping, relay};
use p2ppool_overlay::libp2p::{
    Identity, InfoRequest, InfoResponse, Refusal, TransportSettings, Vitals, kad_stream_protocol, transport,
};
use tokio::sync::mpsc;

use super::answer::Limiter;
use super::behaviour::{self, Behaviour, BehaviourEvent, LOOKUP_INTERVAL};
use super::bootstrap::Bootstrap;
use super::connections::Connections;
use super::queries::Queries;
use super::relays::{Reachability, Relays};
use super::{Command, Handle, Report, Start, identified, listen, table};
use crate::failure::{Class, Failure};
use crate::vitals;

/// Longest handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Longest wait for the first listening address; the system answers in milliseconds.
const LISTEN_DEADLINE: Duration = Duration::from_secs(5);
/// How long further listening addresses are waited for.
const LISTEN_GRACE: Duration = Duration::from_millis(500);
/// How often due things are looked for.
const TICK: Duration = Duration::from_secs(1);
/// How long the end waits until peers know that we leave.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);

/// The running node.
pub struct Node {
    swarm: libp2p::Swarm<Behaviour>,
    commands: mpsc::Receiver<Command>,
    kad_protocol: StreamProtocol,
    namespace: String,
    operators: HashSet<PeerId>,
    /// Rendered once; the numbers in it are filled in for each answer.
    vitals: Vitals,
    wanted: Vec<Multiaddr>,
    started: Instant,
    next_lookup: Instant,
    rng: fastrand::Rng,
    bootstrap: Bootstrap,
    connections: Connections,
    failures: table::Failures,
    queries: Queries,
    limiter: Limiter,
    relays: Relays,
    reachability: Reachability,
    is_joined: bool,
    answers: u64,
    refusals: u64,
}

impl Node {
    /// A node that doesn't listen yet, and the way to speak to it.
    pub fn new(start: &Start, identity: &Identity) -> Result<(Self, Handle), Failure> {
        let config = &start.config;
        let kad_protocol = kad_stream_protocol(&config.namespace, config.kad_protocol.as_deref())
            .ok_or_else(|| Failure::new(Class::Config, "kad_protocol must begin with `/`"))?;
        let (relay_transport, relay_client) = relay::client::new(identity.peer_id());
        let settings =
            TransportSettings { secret: config.network_secret, quic: config.has_quic(), deadline: HANDSHAKE_DEADLINE };
        let transport = transport(identity.keypair(), &settings, Some(relay_transport))
            .map_err(|error| Failure::new(Class::Data, format!("use the identity for encryption: {error}")))?;
        let behaviour = Behaviour::new(identity, config, kad_protocol.clone(), relay_client);
        let mut swarm = libp2p::Swarm::new(transport, behaviour, identity.peer_id(), behaviour::swarm_config());
        for address in &start.host.external {
            swarm.add_external_address(address.clone());
        }
        let (handle, commands) = Handle::new();
        let now = Instant::now();
        let node = Self {
            swarm,
            commands,
            kad_protocol,
            namespace: config.namespace.clone(),
            operators: config.operators.iter().copied().collect(),
            vitals: Vitals {
                package: start.package.clone(),
                host_tag: start.host.host_tag.clone(),
                ..Vitals::default()
            },
            wanted: listen::addresses(config)?,
            started: now,
            next_lookup: now + LOOKUP_INTERVAL,
            rng: fastrand::Rng::new(),
            bootstrap: Bootstrap::new(config.bootstrap.clone(), now),
            connections: Connections::default(),
            failures: table::Failures::default(),
            queries: Queries::default(),
            limiter: Limiter::default(),
            relays: Relays::default(),
            reachability: Reachability::new(config.listen.is_empty()),
            is_joined: false,
            answers: 0,
            refusals: 0,
        };
        Ok((node, handle))
    }

    /// Listens where the configuration says; the addresses that came of it.
    pub async fn listen(&mut self) -> Result<Vec<String>, Failure> {
        let mut waiting = HashSet::new();
        for address in self.wanted.clone() {
            let failed = |error| Failure::other(format!("listen on {address}: {error}"));
            waiting.insert(self.swarm.listen_on(address.clone()).map_err(failed)?);
        }
        let mut deadline = tokio::time::Instant::now() + LISTEN_DEADLINE;
        while !waiting.is_empty() {
            let event = match tokio::time::timeout_at(deadline, self.swarm.select_next_some()).await {
                Ok(event) => event,
                // :: on a machine with only IPv4 never gets an address
                Err(_) if self.swarm.listeners().next().is_some() => break,
                Err(_) => {
                    return Err(Failure::other(format!(
                        "listen: no address came up within {} s",
                        LISTEN_DEADLINE.as_secs()
                    )));
                }
            };
            match &event {
                SwarmEvent::NewListenAddr { listener_id, .. } => {
                    waiting.remove(listener_id);
                    deadline = tokio::time::Instant::now() + LISTEN_GRACE;
                }
                SwarmEvent::ListenerClosed { reason: Err(error), addresses, .. } => {
                    return Err(Failure::other(format!("listen on {addresses:?}: {error}")));
                }
                _ => {}
            }
            self.on_event(event);
        }
        // a machine with many addresses tells the others right behind the first
        while let Some(event) = self.swarm.select_next_some().now_or_never() {
            self.on_event(event);
        }
        Ok(self.swarm.listeners().map(ToString::to_string).collect())
    }

    /// Takes part in the overlay until nobody holds a [`Handle`] any more.
    pub async fn run(&mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                _ = tick.tick() => self.on_tick(Instant::now()),
            }
        }
    }

    /// Closes every connection, so that peers need not find out by a timeout.
    pub async fn close(mut self) {
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let drained = async {
            while self.swarm.connected_peers().next().is_some() {
                self.swarm.select_next_some().await;
            }
        };
        if tokio::time::timeout(CLOSE_DEADLINE, drained).await.is_err() {
            tracing::debug!("some connections were cut");
        }
    }

    fn on_tick(&mut self, now: Instant) {
        let known = table::size(&mut self.swarm.behaviour_mut().kad);
        self.tell_joined(known, now);
        let connections = &self.connections;
        for address in self.bootstrap.round(now, known, |address| connections.has_address(address), &mut self.rng) {
            self.dial(address);
        }
        if now >= self.next_lookup {
            self.next_lookup = now + LOOKUP_INTERVAL.mul_f64(0.8 + 0.4 * self.rng.f64());
            let me = *self.swarm.local_peer_id();
            self.swarm.behaviour_mut().kad.get_closest_peers(me);
        }
        if self.nat() == "private" {
            self.reserve();
        }
    }

    fn dial(&mut self, address: Multiaddr) {
        if self.swarm.listeners().chain(self.swarm.external_addresses()).any(|own| *own == address) {
            self.bootstrap.forget(&address);
            return;
        }
        let options = match address.iter().last() {
            Some(Protocol::P2p(peer)) => DialOpts::peer_id(peer).addresses(vec![address.clone()]).build(),
            _ => DialOpts::unknown_peer_id().address(address.clone()).build(),
        };
        if let Err(error) = self.swarm.dial(options) {
            tracing::debug!(%address, %error, "bootstrap address not dialled");
        }
    }

    fn reserve(&mut self) {
        let Some((peer, address)) = self.relays.next() else { return };
        match self.swarm.listen_on(address.clone()) {
            Ok(listener) => self.relays.listening(listener, peer),
            Err(error) => {
                tracing::debug!(%address, %error, "relay not used");
                self.relays.lost(&peer);
            }
        }
    }

    fn tell_joined(&mut self, known: usize, now: Instant) {
        if known > 0 && !self.is_joined {
            tracing::info!(table = known, "joined the overlay");
        } else if known == 0 && self.is_joined {
            tracing::warn!("no peer is known any more; dialling the bootstrap addresses");
            self.bootstrap.restart(now);
        }
        self.is_joined = known > 0;
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_opened(peer_id, connection_id, &endpoint);
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, num_established, .. } => {
                self.connections.closed(connection_id, &peer_id, num_established);
                if num_established == 0 {
                    self.relays.lost(&peer_id);
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id, error, .. } => self.on_dial_error(peer_id, &error),
            SwarmEvent::NewListenAddr { address, .. } => self.on_listening(address),
            SwarmEvent::ListenerClosed { listener_id, reason, .. } => {
                if let Some(peer) = self.relays.closed(listener_id) {
                    tracing::debug!(relay = %peer, ?reason, "relay lost");
                    self.relays.lost(&peer);
                }
            }
            SwarmEvent::ListenerError { error, .. } => tracing::debug!(%error, "incoming connection failed"),
            _ => {}
        }
    }

    fn on_opened(&mut self, peer: PeerId, connection: ConnectionId, endpoint: &ConnectedPoint) {
        self.connections.opened(connection, peer, endpoint);
        self.failures.succeeded(&peer);
        if self.connections.is_spare(connection) {
            self.swarm.close_connection(connection);
        }
    }

    fn on_listening(&mut self, address: Multiaddr) {
        tracing::info!(%address, "listening");
        // on loopback nobody finds out for us, and a node that was told to listen on exactly this
        // address is meant to be reached there
        let is_loopback = matches!(crate::address::scope(&address), Some(crate::address::Scope::Loopback));
        if is_loopback && self.wanted.contains(&address) {
            self.swarm.add_external_address(address);
        }
    }

    fn on_dial_error(&mut self, peer: Option<PeerId>, error: &DialError) {
        tracing::debug!(peer = ?peer, %error, "not connected");
        match (peer, error) {
            (_, DialError::LocalPeerId { address }) => self.bootstrap.forget(address),
            (Some(peer), DialError::WrongPeerId { .. } | DialError::Transport(_) | DialError::NoAddresses) => {
                // of a peer that is connected, an address may be wrong, but not the peer
                let is_connected = self.swarm.is_connected(&peer);
                let kad = &mut self.swarm.behaviour_mut().kad;
                if !is_connected && table::contains(kad, &peer) && self.failures.failed(peer) {
                    kad.remove_peer(&peer);
                    tracing::debug!(%peer, "dropped from the routing table");
                }
            }
            _ => {}
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(identify::Event::Received { connection_id, peer_id, info }) => {
                self.on_identified(connection_id, peer_id, &info);
            }
            BehaviourEvent::Kad(kad::Event::OutboundQueryProgressed { id, result, step, .. }) => {
                let kad = &mut self.swarm.behaviour_mut().kad;
                self.queries.progressed(kad, id, result, step.last);
            }
            BehaviourEvent::Info(request_response::Event::Message {
                peer,
                message: request_response::Message::Request { request, channel, .. },
                ..
            }) => self.on_question(peer, &request, channel),
            BehaviourEvent::Ping(ping::Event { connection, result: Err(ping::Failure::Timeout), .. }) => {
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::AutonatClient(event) => {
                tracing::debug!(address = %event.tested_addr, reachable = event.result.is_ok(), "address tested");
                self.reachability.tested(event.result.is_ok());
            }
            BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                renewal: false,
                ..
            }) => tracing::info!(relay = %relay_peer_id, "reachable through a relay"),
            _ => {}
        }
    }

    fn on_identified(&mut self, id: ConnectionId, peer: PeerId, told: &identify::Info) {
        let Some(connection) = self.connections.get(id) else { return };
        let own: Vec<Multiaddr> = self.swarm.listeners().cloned().collect();
        let found = identified::judge(told, connection, &self.kad_protocol, &own);
        tracing::debug!(%peer, address = %connection.remote, member = found.is_member, "identified");
        self.connections.set_member(peer, found.is_member);
        let kad = &mut self.swarm.behaviour_mut().kad;
        if !found.is_member {
            kad.remove_peer(&peer);
            return;
        }
        if !found.addresses.is_empty() {
            table::set_addresses(kad, &peer, &found.addresses);
        }
        let direct = found.addresses.iter().find(|address| !is_relayed(address));
        if let (true, Some(address)) = (found.is_relay, direct) {
            self.relays.found(peer, address.clone());
        }
    }

    fn on_question(&mut self, peer: PeerId, request: &InfoRequest, channel: ResponseChannel<InfoResponse>) {
        let is_operator = self.operators.contains(&peer);
        let response = if !self.limiter.admits(peer, is_operator, Instant::now()) {
            InfoResponse::refuse(&self.namespace, Refusal::TooManyRequests)
        } else if request.namespace != self.namespace {
            InfoResponse::refuse(&self.namespace, Refusal::OtherNamespace)
        } else {
            self.answer(is_operator)
        };
        match response.refusal {
            None => self.answers += 1,
            Some(_) => self.refusals += 1,
        }
        // an asker that went away meanwhile needs no answer
        let _ = self.swarm.behaviour_mut().info.send_response(channel, response);
    }

    fn answer(&mut self, is_operator: bool) -> InfoResponse {
        let me = *self.swarm.local_peer_id();
        let connected: HashSet<PeerId> = self.swarm.connected_peers().copied().collect();
        let kad = &mut self.swarm.behaviour_mut().kad;
        InfoResponse {
            namespace: self.namespace.clone(),
            refusal: None,
            agent_version: Some(behaviour::agent_version()),
            neighbours: table::neighbours(kad, me, |peer| connected.contains(peer)),
            vitals: is_operator.then(|| self.vitals()),
        }
    }

    fn vitals(&mut self) -> Vitals {
        let report = self.report();
        let counts = report.connections;
        Vitals {
            uptime_s: report.uptime_s,
            connections: counts.tcp + counts.quic + counts.relayed,
            tcp: counts.tcp,
            quic: counts.quic,
            relayed: counts.relayed,
            table: report.table,
            nat: self.nat().to_owned(),
            rss: vitals::rss(),
            cpu_s: vitals::cpu_s(),
            load: vitals::load(),
            listen: self.swarm.listeners().map(ToString::to_string).collect(),
            external: self.swarm.external_addresses().map(ToString::to_string).collect(),
            ..self.vitals.clone()
        }
    }

    fn nat(&self) -> &'static str {
        self.reachability.nat(self.swarm.external_addresses().any(|address| !is_relayed(address)))
    }

    fn report(&mut self) -> Report {
        let kad = &mut self.swarm.behaviour_mut().kad;
        let (table, queries) = (table::size(kad), kad.iter_queries().count());
        Report {
            connections: self.connections.counts(),
            open: count(self.connections.len()),
            table: count(table),
            uptime_s: self.started.elapsed().as_secs(),
            queries: count(queries),
            queries_total: self.queries.ended,
            answers_total: self.answers,
            refusals_total: self.refusals,
        }
    }

    // who asked may have gone away: then nobody misses the answer
    fn on_command(&mut self, command: Command) {
        match command {
            Command::Info(asker) => drop(asker.send(self.answer(true))),
            Command::Report(asker) => drop(asker.send(self.report())),
            Command::Get(key, asker) => self.queries.get(&mut self.swarm.behaviour_mut().kad, key, asker),
            Command::Put(key, value, asker) => {
                self.queries.put(&mut self.swarm.behaviour_mut().kad, key, value, asker);
            }
        }
    }
}

fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
