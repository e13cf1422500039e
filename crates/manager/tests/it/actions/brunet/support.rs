//! A Brunet pool of the node of our own, and what is asked of it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use p2ppool_model::brunet::{BrunetSettings, MonoRuntime};
use p2ppool_model::bundle::Bundle;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, Pool, PoolSettings, PoolState, Ports};
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus, Snapshot};
use p2ppool_model::task::{Task, TaskState};
use p2ppool_model::{Action, Outcome};
use p2ppool_remote::testing::Sshd;
use p2ppool_store::{NodeFilter, Page};
use serde_json::json;

use super::super::world::{World, count};

/// How long a ring of some nodes may take to form on a busy machine.
const FORMING: Duration = Duration::from_secs(90);
/// Hosts of each pool here; a Mono each.
pub(super) const HOSTS: usize = 3;

pub(super) async fn install(world: &World, pool: &Pool, bundle: &Bundle) -> Task {
    let task = world.ask(pool, Action::Install, json!({ "bundle": bundle.digest })).await.unwrap();
    world.ended(task.id).await
}

/// Overlay addresses of the hosts' nodes, by host.
pub(super) async fn addresses(world: &World, pool: &Pool) -> Vec<String> {
    let hosts = world.context.store.pool_hosts(pool.id).await.unwrap();
    let mut addresses: Vec<String> =
        hosts.into_iter().map(|host| host.known.node.expect("it has an address")).collect();
    let count = addresses.len();
    let all = addresses.clone();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), count, "no two hosts have one address: {all:?}");
    all
}

/// Crawls until everybody is on the ring and all agree.
pub(super) async fn ring(world: &World, pool: &Pool) -> Vec<Node> {
    ring_of(world, pool, HOSTS + 1).await
}

/// [`ring`], of so many nodes.
pub(super) async fn ring_of(world: &World, pool: &Pool, count: usize) -> Vec<Node> {
    let count = count as u64;
    let mut nodes = crawled(world, pool, |snapshot, _| {
        let totals = &snapshot.totals;
        totals.answering == count && totals.missing == 0 && totals.consistency == Some(1.0)
    })
    .await;
    nodes.retain(|node| node.status == NodeStatus::Answering);
    for node in &nodes {
        let NodeDetails::Brunet(details) = &node.details else { panic!("{node:?}") };
        assert!(details.disagrees.is_empty() && details.left.is_some(), "{node:?}");
    }
    nodes
}

/// Crawls until the overlay is so.
pub(super) async fn crawled(world: &World, pool: &Pool, is: impl Fn(&Snapshot, &[Node]) -> bool) -> Vec<Node> {
    let begun = Instant::now();
    loop {
        let crawl = world.done(pool, Action::Crawl).await;
        assert_eq!(crawl.state, TaskState::Succeeded, "{}", crawl.message);
        let snapshot = world.context.store.newest_snapshot(pool.id).await.unwrap().unwrap();
        let page = world.context.store.nodes(snapshot.id, &NodeFilter::default(), Page::first(100)).await.unwrap();
        if is(&snapshot, &page.items) {
            return page.items;
        }
        assert!(begun.elapsed() < FORMING, "it never got there: {:?}", snapshot.totals);
    }
}

/// Sends the node of a host a signal; after KILL it is over when this returns.
pub(super) async fn end_node(world: &World, sshd: &Sshd, pool: &Pool, host: usize, signal: &str) {
    let address = sshd.address(host).to_string();
    let record = folder(sshd, pool, &address).join("run/node");
    let record = std::fs::read_to_string(record).unwrap();
    let pid = record.split(' ').next().unwrap().to_owned();
    let mut command = tokio::process::Command::new("kill");
    assert!(command.args(["-s", signal, &pid]).status().await.unwrap().success());
    let begun = Instant::now();
    while signal == "KILL" && restarts(sshd, pool, &address) == 0 {
        assert!(begun.elapsed() < FORMING, "nobody noticed that the node was killed");
        // each answer comes from the host itself
        world.done(pool, Action::GatherUsage).await;
    }
}

/// How often the supervisor of a host started its node again.
fn restarts(sshd: &Sshd, pool: &Pool, address: &str) -> u32 {
    let text = std::fs::read_to_string(folder(sshd, pool, address).join("run/restarts")).unwrap();
    text.trim().parse().unwrap()
}

fn folder(sshd: &Sshd, pool: &Pool, address: &str) -> PathBuf {
    sshd.home().join("nodes").join(pool.name.as_str()).join(format!("{address}_{}", sshd.port()))
}

pub(super) async fn right(world: &World, task: &Task, outcome: Outcome) {
    let hosts = world.hosts(task.id).await;
    let said: Vec<String> =
        hosts.iter().map(|host| format!("{} {:?}: {}", host.address, host.outcome, host.message)).collect();
    assert_eq!(
        (task.state, count(task, outcome)),
        (TaskState::Succeeded, hosts.len() as u64),
        "{}: {} {said:#?}",
        task.action,
        task.message
    );
}

pub(super) async fn pool(world: &World, sshd: &Sshd, runtime: MonoRuntime, path: &str) -> Pool {
    let pool = world.pool("brunet", settings(sshd, runtime, path), &specs(sshd, HOSTS), PoolState::Created).await;
    world.set_key(&pool, sshd.private_key()).await;
    pool
}

pub(super) fn settings(sshd: &Sshd, runtime: MonoRuntime, path: &str) -> PoolSettings {
    let (udp, tcp) = free_range(HOSTS as u16);
    PoolSettings {
        kind: OverlayKindName::Brunet,
        ssh_user: sshd.user().to_owned(),
        install_path: path.to_owned(),
        ports: Ports { udp: Some(udp), tcp: Some(tcp), rpc: 1 },
        brunet: BrunetSettings { runtime, ..BrunetSettings::default() },
        ..PoolSettings::default()
    }
}

pub(super) fn specs(sshd: &Sshd, count: usize) -> Vec<HostSpec> {
    let spec = |n| HostSpec { address: sshd.address(n).to_string(), port: Some(sshd.port()), ..HostSpec::default() };
    (0..count).map(spec).collect()
}

/// First of so many UDP and TCP ports in a row that nobody uses now: nodes of loopback hosts share a machine.
pub(super) fn free_range(count: u16) -> (u16, u16) {
    let free = |port: u16| {
        std::net::UdpSocket::bind(("0.0.0.0", port)).is_ok() && std::net::TcpListener::bind(("0.0.0.0", port)).is_ok()
    };
    let start = 33_000 + (std::process::id() % 20_000) as u16;
    let first = (start..60_000).step_by(usize::from(count)).find(|first| (*first..first + count).all(free));
    let first = first.expect("some ports are free");
    (first, first)
}

/// Compiles the node, zips it and uploads it.
pub(super) async fn bundle(world: &World, program: &str) -> Bundle {
    let folder = tempfile::tempdir().unwrap();
    compile(folder.path(), program);
    let zip = world.context.folders.uploads().join("brunet.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&zip).unwrap());
    for name in [program, "Brunet.dll", "Brunet.Services.XmlRpc.dll"] {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&std::fs::read(folder.path().join(name)).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    world.context.bundles.keep(&zip, "brunet.zip").await.unwrap()
}

pub(super) fn compile(folder: &Path, program: &str) {
    let source = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_brunet").join(name);
    let mcs = |arguments: &[&str], sources: &str| {
        let output =
            Command::new("mcs").arg("-nologo").args(arguments).arg(source(sources)).current_dir(folder).output();
        let output = output.expect("mcs compiles the node of the tests; `.ci/setup test` installs it (mono-mcs)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    };
    mcs(&["-target:library", "-out:Brunet.dll"], "Overlay.cs");
    mcs(&["-target:library", "-r:Brunet.dll", "-r:System.Xml.dll", "-out:Brunet.Services.XmlRpc.dll"], "XmlRpc.cs");
    let out = format!("-out:{program}");
    let define = if program == "BasicNode.exe" { "-define:OLD" } else { "-define:NEW" };
    let libraries = ["-r:Brunet.dll", "-r:Brunet.Services.XmlRpc.dll", "-r:System.Xml.dll", "-r:Mono.Posix.dll"];
    mcs(&[&libraries[..], &[&out, define]].concat(), "Node.cs");
}
