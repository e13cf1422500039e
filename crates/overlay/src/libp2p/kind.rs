//! The `libp2p` kind: p2pnode's bundle, its files on hosts, and how others join.

use std::net::IpAddr;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use p2ppool_model::consistency::Key;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, Ports};

use super::config::{KadMode, RPC_DEFAULT};
use super::{HostConfig, INFO_PROTOCOL, NetworkSecret, NodeConfig, elf, identify_protocol, kad_key, kad_protocol};
use crate::bundle::BundleError;
use crate::crawl::Probe;
use crate::kind::{ClientConfig, KindError, OverlayKind, PackageFile, PoolView, ProbeSettings, Program};

/// Name of the program in a bundle.
const PROGRAM: &str = "p2pnode";
/// Hosts whose addresses every node knows from the start; beyond that, each so-many-th one.
const BOOTSTRAP_HOSTS_MAX: usize = 64;

/// Most hosts that a crawl begins at: the others are found through these.
const SEEDS_MAX: usize = 256;

/// The kind.
#[derive(Clone, Copy, Debug)]
pub struct Libp2p;

impl OverlayKind for Libp2p {
    fn name(&self) -> OverlayKindName {
        OverlayKindName::Libp2p
    }

    fn key(&self, address: &str) -> Option<Key> {
        address.parse().ok().map(|peer| kad_key(&peer))
    }

    fn recognise(&self, files: &[PackageFile]) -> Result<Program, BundleError> {
        let no_program = |reason: String| BundleError::NoProgram { reason };
        let is_program = |file: &&PackageFile| {
            file.path == PROGRAM || file.path.split_once('/').is_some_and(|(_, name)| name == PROGRAM)
        };
        let found: Vec<&PackageFile> = files.iter().filter(is_program).collect();
        let program = match found.as_slice() {
            [program] => program,
            [] => return Err(no_program(format!("libp2p needs `{PROGRAM}` at the top or in one folder"))),
            [first, second, ..] => {
                return Err(no_program(format!("both `{}` and `{}` could be it", first.path, second.path)));
            }
        };
        let arch = elf::arch(&program.bytes)
            .map_err(|reason| no_program(format!("`{}` is no Linux program: {reason}", program.path)))?;
        Ok(Program { path: program.path.clone(), version: elf::version(&program.bytes), arch: Some(arch.to_owned()) })
    }

    fn package_files(&self, pool: &PoolView<'_>) -> Vec<PackageFile> {
        let script = |path: &str, text: String| PackageFile { mode: 0o755, ..PackageFile::text(path, text) };
        let config = node_config(pool);
        let mode = if config.network_secret.is_some() { 0o600 } else { 0o644 };
        let text = format!("# pool {}: what all its nodes share\n{}", pool.name, config.to_toml());
        vec![
            PackageFile { mode, ..PackageFile::text("node.toml", text) },
            script("run", run_script(pool.program)),
            script("ready", READY_SCRIPT.to_owned()),
            PackageFile::text("stop_signal", "TERM\n"),
        ]
    }

    fn host_files(&self, pool: &PoolView<'_>, host: &HostSpec) -> Vec<PackageFile> {
        let place = Place::of(pool, host);
        // a comment ends with its line, and so must the name in it
        let name = host.display().replace(char::is_control, "?");
        let text = format!("# what only {name} has\n{}", place.config().to_toml());
        vec![PackageFile::text("host.toml", text), PackageFile::text("ports", place.ports_file())]
    }

    fn client_configs(&self, pool: &PoolView<'_>) -> Vec<ClientConfig> {
        let mut configs = vec![p2pnode_client(pool), other_client(pool)];
        if let Some(secret) = secret(pool) {
            let text = secret.swarm_key_file();
            configs.push(ClientConfig { name: "swarm.key".into(), media_type: "text/plain", text, is_secret: true });
        }
        configs
    }

    fn seeds(&self, pool: &PoolView<'_>) -> Vec<String> {
        // one per host is enough; the other transport is only tried when there is no TCP
        let hosts = pool.hosts.iter().take(SEEDS_MAX);
        let first = hosts.filter_map(|host| addresses(pool, &host.address, pool.settings.ports).into_iter().next());
        first.map(|address| address.to_string()).chain(pool.settings.bootstrap.iter().cloned()).collect()
    }

    fn probe(&self, settings: &ProbeSettings) -> Result<Box<dyn Probe>, KindError> {
        super::probe::probe(settings)
    }
}

/// What all nodes of the pool share.
fn node_config(pool: &PoolView<'_>) -> NodeConfig {
    let settings = pool.settings;
    let secret = secret(pool);
    NodeConfig {
        tcp_port: settings.ports.tcp,
        udp_port: quic_port(pool, settings.ports),
        rpc: (RPC_DEFAULT.ip(), settings.ports.rpc).into(),
        kad_protocol: settings.kad_protocol.clone(),
        network_secret: secret,
        // what is no peer id could not ask anyway
        operators: pool.operators.iter().filter_map(|operator| operator.parse().ok()).collect(),
        bootstrap: bootstrap(pool),
        ..NodeConfig::new(&settings.namespace)
    }
}

/// The pool's secret.
///
/// # Panics
/// When the settings were not checked. To go on without the secret would open the network.
#[expect(clippy::expect_used, reason = "settings of a view are checked; see above")]
fn secret(pool: &PoolView<'_>) -> Option<NetworkSecret> {
    let text = pool.settings.network_secret.as_deref()?;
    Some(text.parse().expect("a checked network secret"))
}

/// The UDP port, where QUIC is spoken at all.
fn quic_port(pool: &PoolView<'_>, ports: Ports) -> Option<u16> {
    ports.udp.filter(|_| pool.settings.network_secret.is_none())
}

/// Addresses of the pool's hosts, spread over the list when there are many, and the pool's extra ones.
fn bootstrap(pool: &PoolView<'_>) -> Vec<Multiaddr> {
    let count = pool.hosts.len().min(BOOTSTRAP_HOSTS_MAX);
    let spread = (0..count).map(|i| &pool.hosts[i * pool.hosts.len() / count]);
    let of_hosts = spread.flat_map(|host| addresses(pool, &host.address, pool.settings.ports));
    let extra = pool.settings.bootstrap.iter().filter_map(|address| address.parse().ok());
    of_hosts.chain(extra).collect()
}

/// Where a node at `address` can be dialled.
fn addresses(pool: &PoolView<'_>, address: &str, ports: Ports) -> Vec<Multiaddr> {
    let base = match address.parse::<IpAddr>() {
        Ok(ip) => Multiaddr::from(ip),
        Err(_) => Multiaddr::empty().with(Protocol::Dns(address.to_owned().into())),
    };
    let tcp = ports.tcp.map(|port| base.clone().with(Protocol::Tcp(port)));
    let quic = quic_port(pool, ports).map(|port| base.clone().with(Protocol::Udp(port)).with(Protocol::QuicV1));
    [tcp, quic].into_iter().flatten().collect()
}

/// One host's node: where it listens and what it is.
struct Place<'a> {
    host: &'a HostSpec,
    pool: &'a PoolView<'a>,
    ports: Ports,
    /// It runs beside the manager, so it takes part without being one of the pool's nodes.
    is_local: bool,
    ip: Option<IpAddr>,
}

impl<'a> Place<'a> {
    fn of(pool: &'a PoolView<'a>, host: &'a HostSpec) -> Self {
        // the manager's machine may be a host of the pool, too: then the ports tell which node is meant
        let local = pool
            .local
            .filter(|local| local.host == *host && (pool.settings.ports == local.ports || !pool.hosts.contains(host)));
        let ports = local.map_or(pool.settings.ports, |local| local.ports);
        Self { host, pool, ports, is_local: local.is_some(), ip: host.address.parse().ok() }
    }

    /// Many nodes of one machine can share a port number when each has a loopback address of its own.
    fn loopback(&self) -> Option<IpAddr> {
        self.ip.filter(IpAddr::is_loopback)
    }

    fn config(&self) -> HostConfig {
        let loopback = self.loopback();
        HostConfig {
            host_tag: (!self.is_local).then(|| self.host.address.clone()),
            tcp_port: self.ports.tcp.filter(|_| self.is_local),
            udp_port: quic_port(self.pool, self.ports).filter(|_| self.is_local),
            listen: loopback.map(|ip| vec![ip]),
            rpc: (loopback.is_some() || self.is_local).then(|| self.rpc()),
            kad_mode: self.is_local.then_some(KadMode::Client),
            external: self.external(),
        }
    }

    fn rpc(&self) -> std::net::SocketAddr {
        (self.loopback().unwrap_or(RPC_DEFAULT.ip()), self.ports.rpc).into()
    }

    /// The address that the manager knows, which a host with a translated address doesn't know itself.
    /// Not when SSH has another port: that may be a forwarded one, and then the address isn't the host's.
    fn external(&self) -> Vec<Multiaddr> {
        let is_known = self.ip.is_some() && self.host.port.is_none() && self.loopback().is_none() && !self.is_local;
        if is_known { addresses(self.pool, &self.host.address, self.ports) } else { Vec::new() }
    }

    /// What must be free on the host: protocol, address and port, one a line.
    fn ports_file(&self) -> String {
        let listen = self.loopback().map_or_else(|| "0.0.0.0".to_owned(), |ip| ip.to_string());
        let tcp = self.ports.tcp.map(|port| format!("tcp {listen} {port}\n"));
        let udp = quic_port(self.pool, self.ports).map(|port| format!("udp {listen} {port}\n"));
        let rpc = self.rpc();
        let rpc = format!("tcp {} {}\n", rpc.ip(), rpc.port());
        [tcp, udp, Some(rpc)].into_iter().flatten().collect()
    }
}

/// Starts the node; the working folder and the variables are the host script's.
fn run_script(program: Option<&str>) -> String {
    let choose = match program {
        Some(path) => format!("program=$RELEASE/node/{}\n", quoted(path)),
        // the manager's own may come for several architectures
        None => format!(
            "program=$RELEASE/node/{PROGRAM}\n[ -f \"$program\" ] || program=$RELEASE/node/$(uname -m)/{PROGRAM}\n"
        ),
    };
    format!(
        "#!/bin/sh\n\
         # starts {PROGRAM}\n\
         set -eu\n\
         {choose}\
         exec \"$program\" run --config \"$RELEASE/node.toml\" --host-config \"$SHARED/config/host.toml\" \\\n  \
         --data \"$SHARED\" --package \"$PACKAGE\"\n"
    )
}

/// The node writes its process id into node.json when it listens.
const READY_SCRIPT: &str = r#"#!/bin/sh
# is the node up?
[ -f "$SHARED/node.json" ] || exit 1
read -r line <"$SHARED/node.json" || exit 1
case $line in
  "{\"pid\":$NODE_PID,"*) exit 0 ;;
esac
exit 1
"#;

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// For people who join with p2pnode itself. A secret is told separately.
fn p2pnode_client(pool: &PoolView<'_>) -> ClientConfig {
    let has_secret = pool.settings.network_secret.is_some();
    let config = NodeConfig { network_secret: None, operators: Vec::new(), ..node_config(pool) };
    let hint = "# This pool has a network secret: ask its owner for it and add the line\n# network_secret = \"…\"\n";
    let text = format!(
        "# joins pool {}: p2pnode run --config p2pnode.toml --data FOLDER\n{}{}",
        pool.name,
        if has_secret { hint } else { "" },
        config.to_toml()
    );
    ClientConfig { name: "p2pnode.toml".into(), media_type: "application/toml", text, is_secret: false }
}

/// For other libp2p programs: what js-libp2p's `kadDHT`, go-libp2p's `dht.V1ProtocolOverride` or
/// py-libp2p need to be told.
fn other_client(pool: &PoolView<'_>) -> ClientConfig {
    let settings = pool.settings;
    let namespace = &settings.namespace;
    let document = serde_json::json!({
        "namespace": namespace,
        "bootstrap": bootstrap(pool),
        "identify": { "protocolVersion": identify_protocol(namespace) },
        "kadDHT": { "protocol": settings.kad_protocol.clone().unwrap_or_else(|| kad_protocol(namespace)) },
        "info": { "protocol": INFO_PROTOCOL.as_ref() },
        "connectionEncrypters": if quic_port(pool, settings.ports).is_some() { vec!["noise", "tls"] } else { vec!["noise"] },
        "streamMuxers": ["yamux"],
        "privateNetwork": settings.network_secret.is_some(),
    });
    let text = format!("{document:#}\n");
    ClientConfig { name: "libp2p.json".into(), media_type: "application/json", text, is_secret: false }
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
