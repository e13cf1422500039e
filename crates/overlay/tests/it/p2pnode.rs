//! Overlays of p2pnode processes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use p2ppool_model::snapshot::NodeStatus;
use p2ppool_overlay::libp2p::{HostConfig, Identity, NodeConfig};
use tempfile::TempDir;

use crate::support::{crawl, crawl_settings, crawl_until_consistent, pool, probe};

const PORT: u16 = 24_660;
const RPC_PORT: u16 = 24_661;
/// What a busy machine may add to a deadline.
const SLACK: Duration = Duration::from_millis(500);

/// The program: `P2PNODE_BIN`, else what `make build` leaves.
fn program() -> PathBuf {
    let built = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/p2pnode");
    let program = std::env::var_os("P2PNODE_BIN").map_or_else(built, PathBuf::from);
    assert!(program.is_file(), "{} is missing: `make build`, or set P2PNODE_BIN", program.display());
    program
}

/// Processes of one overlay; killed when dropped.
struct Overlay {
    folder: TempDir,
    subnet: u8,
    nodes: Vec<Child>,
}

impl Overlay {
    /// `nodes` nodes with addresses in `127.<this process>.<subnet>.0/24`, whose operator is the crawl.
    fn start(subnet: u8, namespace: &str, nodes: u8) -> Self {
        let mut overlay = Self { folder: tempfile::tempdir().unwrap(), subnet, nodes: Vec::new() };
        let operator = Identity::load_or_create(&overlay.folder.path().join("operator.key")).unwrap();
        let mut config = NodeConfig::new(namespace);
        (config.tcp_port, config.udp_port) = (Some(PORT), Some(PORT));
        config.operators = vec![operator.peer_id()];
        config.bootstrap = (1..=nodes).map(|host| overlay.seed(host).parse().unwrap()).collect();
        for host in 1..=nodes {
            let node = overlay.run(host, &config);
            overlay.nodes.push(node);
        }
        overlay
    }

    fn ip(&self, host: u8) -> String {
        format!("127.{}.{}.{host}", 64 + std::process::id() % 128, self.subnet)
    }

    fn seed(&self, host: u8) -> String {
        format!("/ip4/{}/tcp/{PORT}", self.ip(host))
    }

    fn seeds(&self) -> Vec<String> {
        (1..=self.nodes.len()).map(|host| self.seed(u8::try_from(host).unwrap())).collect()
    }

    fn run(&self, host: u8, config: &NodeConfig) -> Child {
        let data = self.folder.path().join(host.to_string());
        fs::create_dir_all(&data).unwrap();
        let host_config = HostConfig {
            host_tag: Some(format!("host{host}")),
            listen: Some(vec![self.ip(host).parse().unwrap()]),
            rpc: Some(format!("{}:{RPC_PORT}", self.ip(host)).parse().unwrap()),
            ..HostConfig::default()
        };
        fs::write(data.join("node.toml"), config.to_toml()).unwrap();
        fs::write(data.join("host.toml"), host_config.to_toml()).unwrap();
        Command::new(program())
            .args(["run", "--config", "node.toml", "--host-config", "host.toml", "--data", "."])
            .args(["--package", &"ab".repeat(32)])
            .current_dir(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(data.join("log")).unwrap())
            .spawn()
            .unwrap()
    }

    fn kill(&mut self, host: usize) {
        self.nodes[host - 1].kill().unwrap();
        self.nodes[host - 1].wait().unwrap();
    }
}

impl Drop for Overlay {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_become_consistent_and_tell_their_operator_everything() {
    let overlay = Overlay::start(1, "alpha", 8);
    let probe = probe(overlay.folder.path(), pool("alpha"));
    let report = crawl_until_consistent(&*probe, &overlay.seeds(), 8).await;
    assert_eq!(report.len(), 8);
    for node in report.nodes() {
        let host = node.host_name.clone().unwrap();
        assert_eq!(node.ip, Some(overlay.ip(host.strip_prefix("host").unwrap().parse().unwrap())));
        assert!(node.version.as_ref().is_some_and(|version| version.starts_with("p2pnode/")), "{node:?}");
        assert_eq!(node.package.as_ref().map(|package| package.as_str().to_owned()), Some("ab".repeat(32)));
        assert_eq!(node.namespace.as_deref(), Some("alpha"));
        assert!(node.memory.is_some_and(|bytes| bytes > 1_000_000), "{node:?}");
        assert!(node.connections.is_some() && node.uptime_s.is_some() && node.cpu_s.is_some(), "{node:?}");
        assert_eq!(node.neighbours.len(), 7);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_see_who_is_there_and_nothing_of_the_hosts() {
    let overlay = Overlay::start(2, "alpha", 3);
    crawl_until_consistent(&*probe(overlay.folder.path(), pool("alpha")), &overlay.seeds(), 3).await;
    let stranger = tempfile::tempdir().unwrap();
    let report = crawl(&*probe(stranger.path(), pool("alpha")), &overlay.seeds()).await;
    assert_eq!((report.answering(), report.consistency()), (3, Some(1.0)));
    for node in report.nodes() {
        assert!(node.version.is_some() && node.neighbours.len() == 2);
        assert_eq!((node.package, node.memory, node.connections, node.load), (None, None, None, None));
        assert_eq!(node.host_name, node.ip);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_nodes_and_dead_seeds_add_at_most_one_dial_deadline() {
    let mut overlay = Overlay::start(3, "alpha", 10);
    let probe = probe(overlay.folder.path(), pool("alpha"));
    let before = crawl_until_consistent(&*probe, &overlay.seeds(), 10).await;
    overlay.kill(4);
    let mut seeds = overlay.seeds();
    seeds.push(overlay.seed(99));
    let after = crawl(&*probe, &seeds).await;
    assert_eq!((after.len(), after.answering()), (10, 9));
    let dead = after.nodes().find(|node| node.status != NodeStatus::Answering).unwrap();
    assert_eq!(dead.status, NodeStatus::DialFailed, "{:?}", dead.error);
    let addresses: Vec<_> = after.seeds_failed.iter().map(|failed| failed.address.clone()).collect();
    assert_eq!(addresses, [overlay.seed(4), overlay.seed(99)]);
    let added = after.duration.saturating_sub(before.duration);
    assert!(added <= crawl_settings().dial_deadline + SLACK, "{added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_namespaces_beside_each_other_are_seen_apart() {
    let (ours, theirs) = (Overlay::start(4, "alpha", 3), Overlay::start(5, "beta", 2));
    let probe = probe(ours.folder.path(), pool("alpha"));
    let seeds = [ours.seeds(), theirs.seeds()].concat();
    let report = crawl_until_consistent(&*probe, &seeds, 3).await;
    let strangers: Vec<_> = report.nodes().filter(|node| node.namespace.as_deref() == Some("beta")).collect();
    assert_eq!(strangers.len(), 2, "{:?}", report.seeds_failed);
    for stranger in strangers {
        assert_eq!(stranger.status, NodeStatus::AskFailed);
        assert_eq!(stranger.error.as_deref(), Some("it belongs to the namespace `beta`"));
        assert!(stranger.neighbours.is_empty());
    }
}
