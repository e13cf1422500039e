//! The `brunet` kind: its bundle, its files on hosts, and how others join.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use p2ppool_model::consistency::Key;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, PoolSettings};

use super::address;
use super::bundle::{self, OLD_PROGRAM};
use super::config::NodeConfig;
use super::patience::CALLS_AT_ONCE;
use super::places::{Place, network, transport_addresses};
use super::probe::{BrunetProbe, LOCAL_NODE};
use super::rpc::LocalRpc;
use crate::bundle::BundleError;
use crate::crawl::{CrawlSettings, Probe};
use crate::kind::{ClientConfig, KindError, OverlayKind, PackageFile, PoolView, ProbeSettings, Program};

/// Seconds that a node may take to listen: Mono compiles it at each start, about half a second of an idle core.
const READY_WAIT_S: u32 = 45;
/// Longest time for all answers of one node, a multiple of the deadline of each call: it may be asked five times.
const CALLS_PER_NODE: u32 = 6;

/// The kind.
#[derive(Clone, Copy, Debug)]
pub struct Brunet;

impl OverlayKind for Brunet {
    fn name(&self) -> OverlayKindName {
        OverlayKindName::Brunet
    }

    fn recognise(&self, files: &[PackageFile]) -> Result<Program, BundleError> {
        bundle::recognise(files)
    }

    fn package_files(&self, pool: &PoolView<'_>) -> Vec<PackageFile> {
        let script = |path: &str, text: String| PackageFile { mode: 0o755, ..PackageFile::text(path, text) };
        let settings = pool.settings;
        let shared = Place { ports: settings.ports, is_local: false, has_own_config: false };
        let preflight = include_str!("scripts/preflight.sh").replace("@MONO_MIN@", &settings.brunet.mono_min);
        let mut files = vec![
            PackageFile::text("pool.config", config(pool, &shared).to_xml()),
            script("run", run_script(pool)),
            script("ready", include_str!("scripts/ready.sh").to_owned()),
            script("preflight", preflight),
            script("network", include_str!("scripts/network.sh").to_owned()),
            PackageFile::text("stop_signal", "INT\n"),
            PackageFile::text("ready_wait", format!("{READY_WAIT_S}\n")),
        ];
        files.extend(pool.runtime.map(|digest| PackageFile::text("runtime", format!("{digest}\n"))));
        files
    }

    fn host_files(&self, pool: &PoolView<'_>, host: &HostSpec) -> Vec<PackageFile> {
        let place = Place::of(pool, host);
        // one line each, and so must the name be
        let name = host.display().replace(char::is_control, "?");
        let name = if place.is_local { "the local node".to_owned() } else { name };
        let source = if place.has_own_config { "host" } else { "package" };
        let mut files =
            vec![PackageFile::text("host", format!("{name}\n{source}\n")), PackageFile::text("ports", ports(&place))];
        if place.has_own_config {
            files.push(PackageFile::text("node.config", config(pool, &place).to_xml()));
        }
        if place.is_local {
            let network = network(pool).map_or_else(|why| format!("host {why}\n"), |()| "own\n".to_owned());
            files.push(PackageFile::text("network", network));
        }
        files
    }

    fn client_configs(&self, pool: &PoolView<'_>) -> Vec<ClientConfig> {
        // any port: the one who joins may have others in use
        let settings = pool.settings;
        let any = |port: Option<u16>| port.map(|_| 0);
        let config = NodeConfig {
            namespace: &settings.namespace,
            remote: transport_addresses(pool),
            udp: any(settings.ports.udp),
            tcp: any(settings.ports.tcp),
            security: Some(settings.brunet.security).filter(|security| security.enabled),
            ..NodeConfig::default()
        };
        let text = config.to_xml();
        vec![ClientConfig { name: "node.config".into(), media_type: "application/xml", text, is_secret: false }]
    }

    fn seeds(&self, _: &PoolView<'_>) -> Vec<String> {
        vec![LOCAL_NODE.to_owned()]
    }

    fn local_node_counts(&self) -> bool {
        true
    }

    fn key(&self, overlay_address: &str) -> Option<Key> {
        address::key(overlay_address)
    }

    fn crawl_settings(&self, settings: &PoolSettings) -> CrawlSettings {
        let deadline = Duration::from_secs(settings.brunet.call_deadline_s.into());
        CrawlSettings {
            dials_at_once: CALLS_AT_ONCE,
            ask_deadline: deadline * CALLS_PER_NODE,
            ..CrawlSettings::default()
        }
    }

    fn probe(&self, settings: &ProbeSettings) -> Result<Box<dyn Probe>, KindError> {
        let local = settings.local.as_ref().ok_or_else(|| {
            KindError::new("look at the overlay", "the pool has no local node, through which a Brunet overlay is asked")
        })?;
        let server = (IpAddr::V4(Ipv4Addr::LOCALHOST), local.ports.rpc).into();
        let brunet = &settings.settings.brunet;
        let deadline = Duration::from_secs(brunet.call_deadline_s.into());
        Ok(Box::new(BrunetProbe::new(LocalRpc::new(server), brunet.crawl, deadline)))
    }
}

fn config<'a>(pool: &PoolView<'a>, place: &Place) -> NodeConfig<'a> {
    let settings = pool.settings;
    NodeConfig {
        namespace: &settings.namespace,
        remote: transport_addresses(pool),
        udp: place.ports.udp,
        tcp: place.ports.tcp,
        rpc: place.is_local.then_some(place.ports.rpc),
        // this machine's devices have names of their own
        devices: if place.is_local { &[] } else { &settings.brunet.devices },
        security: Some(settings.brunet.security).filter(|security| security.enabled),
    }
}

/// What must be free on the host: protocol, address and port, one a line. Nodes listen on every address.
fn ports(place: &Place) -> String {
    let tcp = place.ports.tcp.map(|port| format!("tcp 0.0.0.0 {port}\n"));
    let udp = place.ports.udp.map(|port| format!("udp 0.0.0.0 {port}\n"));
    // it listens on every address, too; `scripts/network.sh` opens it to this machine only
    let rpc = place.is_local.then(|| format!("tcp 127.0.0.1 {}\n", place.ports.rpc));
    [tcp, udp, rpc].into_iter().flatten().collect()
}

fn run_script(pool: &PoolView<'_>) -> String {
    let program = pool.program.unwrap_or(bundle::NEW_PROGRAM);
    let is_old = program.rsplit('/').next() == Some(OLD_PROGRAM);
    // an old one knows only the config's path; -c is left out where one node is wanted
    let (arguments, count) = match (is_old, pool.settings.brunet.nodes_per_host) {
        (true, _) => ("\"$config\"", String::new()),
        (false, 1) => ("-n \"$config\"", String::new()),
        (false, count) => ("-n \"$config\" ${count:+-c \"$count\"}", count.to_string()),
    };
    let script = include_str!("scripts/run.sh").replace("@PROGRAM@", &quoted(program));
    script.replace("@ARGUMENTS@", arguments).replace("@COUNT@", &count)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
#[path = "kind_tests.rs"]
mod tests;
