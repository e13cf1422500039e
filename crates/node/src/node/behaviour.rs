//! What the node does: the libp2p behaviours and their limits.

use std::num::NonZeroU8;
use std::time::Duration;

use libp2p::connection_limits::ConnectionLimits;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::request_response::ProtocolSupport;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, StreamProtocol, autonat, connection_limits, dcutr, identify, kad, ping, relay};
use p2ppool_overlay::libp2p::{Identity, KadMode, NodeConfig, identify_protocol, info};

/// Connections of all kinds; each costs about 70 KB.
const CONNECTIONS_MAX: u32 = 512;
/// Connections with one peer: both dialled at once, and a relayed one beside a direct one.
const CONNECTIONS_PER_PEER_MAX: u32 = 4;
/// Handshakes under way in one direction.
const HANDSHAKES_MAX: u32 = 128;
/// How long a connection without a stream stays. Longer than [`LOOKUP_INTERVAL`], so that the
/// connections to the closest neighbours, which each lookup uses, stay open on both sides.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);
/// How often the node looks itself up, which keeps its closest neighbours known and connected, and
/// finds out within two intervals that one of them is gone.
pub const LOOKUP_INTERVAL: Duration = Duration::from_secs(30);
/// How often every bucket of the routing table is refreshed.
const REFRESH_INTERVAL: Duration = Duration::from_secs(600);
/// Longest Kademlia query; a lookup over the Internet takes two to five seconds.
const QUERY_TIMEOUT: Duration = Duration::from_secs(20);
/// Records kept for others: at most this many, and together 8 MiB.
const RECORDS_MAX: usize = 1024;
/// Longest value of a record, in bytes.
pub const VALUE_BYTES_MAX: usize = 8 * 1024;
/// A peer is asked for a sign of life this often.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// One exchange of the info protocol.
const INFO_DEADLINE: Duration = Duration::from_secs(10);
/// Info questions under way on one connection.
const INFO_STREAMS_MAX: usize = 4;
/// Peers that this node relays for at once, and circuits between them.
const RESERVATIONS_MAX: usize = 64;
/// Longest life of a circuit: hole punching takes seconds, so a long one has no other way.
const CIRCUIT_DURATION: Duration = Duration::from_secs(30 * 60);
/// Most bytes through one circuit: some hours of Kademlia, not a file server.
const CIRCUIT_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Addresses of one peer that are tried at once: TCP and QUIC.
const DIALS_PER_PEER: NonZeroU8 = NonZeroU8::new(2).unwrap();

/// Everything that the node does.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub limits: connection_limits::Behaviour,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    pub kad: kad::Behaviour<MemoryStore>,
    pub info: info::Behaviour,
    pub relay: relay::Behaviour,
    pub relay_client: relay::client::Behaviour,
    pub dcutr: dcutr::Behaviour,
    pub autonat_client: autonat::v2::client::Behaviour,
    pub autonat_server: autonat::v2::server::Behaviour,
}

/// Program and version, as told to others.
pub fn agent_version() -> String {
    // the zero bytes mark the version in the program, so that it can be told without running it
    concat!("\0p2pnode/", env!("CARGO_PKG_VERSION"), "\0").trim_matches('\0').to_owned()
}

impl Behaviour {
    /// The behaviours of a node; operators are exempt from the limits.
    pub fn new(
        identity: &Identity,
        config: &NodeConfig,
        kad_protocol: StreamProtocol,
        relay_client: relay::client::Behaviour,
    ) -> Self {
        let me = identity.peer_id();
        Self {
            limits: limits(&config.operators),
            identify: identify::Behaviour::new(
                identify::Config::new(identify_protocol(&config.namespace), identity.keypair().public())
                    .with_agent_version(agent_version())
                    .with_push_listen_addr_updates(true)
                    // its cache would offer addresses that we decided not to keep
                    .with_cache_size(0),
            ),
            ping: ping::Behaviour::new(ping::Config::new().with_interval(PING_INTERVAL)),
            kad: kad(me, kad_protocol, config.kad_mode),
            info: info::behaviour(ProtocolSupport::Inbound, INFO_DEADLINE, INFO_STREAMS_MAX),
            relay: relay::Behaviour::new(
                me,
                relay::Config {
                    max_reservations: RESERVATIONS_MAX,
                    max_circuits: RESERVATIONS_MAX,
                    max_circuit_duration: CIRCUIT_DURATION,
                    max_circuit_bytes: CIRCUIT_BYTES_MAX,
                    ..relay::Config::default()
                },
            ),
            relay_client,
            dcutr: dcutr::Behaviour::new(me),
            autonat_client: autonat::v2::client::Behaviour::default(),
            autonat_server: autonat::v2::server::Behaviour::default(),
        }
    }
}

/// How the swarm treats connections.
pub fn swarm_config() -> libp2p::swarm::Config {
    libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(IDLE_TIMEOUT)
        .with_dial_concurrency_factor(DIALS_PER_PEER)
}

fn limits(operators: &[PeerId]) -> connection_limits::Behaviour {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(HANDSHAKES_MAX))
        .with_max_pending_outgoing(Some(HANDSHAKES_MAX))
        .with_max_established(Some(CONNECTIONS_MAX))
        .with_max_established_per_peer(Some(CONNECTIONS_PER_PEER_MAX));
    let mut behaviour = connection_limits::Behaviour::new(limits);
    for operator in operators {
        behaviour.bypass_peer_id(operator);
    }
    behaviour
}

fn kad(me: PeerId, protocol: StreamProtocol, mode: KadMode) -> kad::Behaviour<MemoryStore> {
    let mut config = kad::Config::new(protocol);
    config
        .set_query_timeout(QUERY_TIMEOUT)
        .set_periodic_bootstrap_interval(Some(REFRESH_INTERVAL))
        // who comes into the table is decided when identify told who it is and where
        .set_kbucket_inserts(kad::BucketInserts::Manual);
    let store = MemoryStoreConfig {
        max_records: RECORDS_MAX,
        max_value_bytes: VALUE_BYTES_MAX,
        max_provided_keys: RECORDS_MAX,
        ..MemoryStoreConfig::default()
    };
    let mut behaviour = kad::Behaviour::with_config(me, MemoryStore::with_config(me, store), config);
    // a node behind a NAT serves, too: it is reachable through relays
    behaviour.set_mode(Some(match mode {
        KadMode::Server => kad::Mode::Server,
        KadMode::Client => kad::Mode::Client,
    }));
    behaviour
}
