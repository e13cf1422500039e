//! The whole life of a Brunet pool on real SSH hosts with a real Mono: a small node of our own that has the
//! command line, config, XML-RPC server and signals of the real one is compiled, zipped, uploaded, deployed,
//! crawled and stopped; with the hosts' own Mono, and with the manager's on hosts that have none.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use p2ppool::runtimes::MonoSource;
use p2ppool_model::brunet::{BrunetSettings, MonoRuntime};
use p2ppool_model::bundle::Bundle;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, Pool, PoolSettings, PoolState, Ports};
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus};
use p2ppool_model::task::{Task, TaskState};
use p2ppool_model::{Action, Cause, Outcome};
use p2ppool_remote::testing::{Sshd, SshdOptions};
use p2ppool_store::{NodeFilter, Page};
use serde_json::json;

use super::world::{World, count};

/// How long a ring of some nodes may take to form on a busy machine.
const FORMING: Duration = Duration::from_secs(90);
/// Hosts of each pool here; a Mono each.
const HOSTS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn brunet_hosts_with_their_own_mono_live_from_zip_to_stop() {
    let sshd = Sshd::with_hosts(HOSTS).unwrap();
    let world = World::real().await;
    let bundle = bundle(&world, "P2PNode.exe").await;
    assert_eq!((bundle.kind, bundle.program.as_str()), (OverlayKindName::Brunet, "P2PNode.exe"));
    let pool = pool(&world, &sshd, MonoRuntime::System, "~/nodes/{pool}/{host}").await;

    right(&world, &install(&world, &pool, &bundle).await, Outcome::Ok).await;
    let local = p2ppool::local_node::state(&world.context, &pool).await;
    assert!(local.warnings.iter().any(|warning| warning.contains("no password")), "{local:?}");
    let addresses = addresses(&world, &pool).await;
    let nodes = ring(&world, &pool).await;
    assert!(addresses.iter().all(|address| nodes.iter().any(|node| node.address == *address && node.host.is_some())));
    let local: Vec<&Node> = nodes.iter().filter(|node| node.host.is_none()).collect();
    assert_eq!(local.len(), 1, "the local node is one of the ring: {local:?}");
    right(&world, &world.done(&pool, Action::Check).await, Outcome::Unchanged).await;

    // another namespace is another config: restarted everywhere, and every node keeps its address
    let store = &world.context.store;
    let mut settings = store.pool(pool.id).await.unwrap().settings;
    settings.namespace = "second".to_owned();
    store.set_pool_settings(pool.id, &settings).await.unwrap();
    right(&world, &world.done(&pool, Action::Upgrade).await, Outcome::Ok).await;
    assert_eq!(self::addresses(&world, &pool).await, addresses);
    ring(&world, &pool).await;

    right(&world, &world.done(&pool, Action::Suspend).await, Outcome::Ok).await;
    let log =
        sshd.home().join("nodes/brunet").join(format!("{}_{}", sshd.address(0), sshd.port())).join("logs/node.log");
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("Receiving signal: 2. Exiting") && log.contains("Done!"), "{log}");
    right(&world, &world.done(&pool, Action::Stop).await, Outcome::Ok).await;
    assert_eq!(std::fs::read_dir(sshd.home().join("nodes/brunet")).map_or(0, Iterator::count), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mono_that_is_too_old_is_named_and_nothing_is_started() {
    let sshd = Sshd::with_hosts(1).unwrap();
    let world = World::real().await;
    let bundle = bundle(&world, "BasicNode.exe").await;
    let mut settings = settings(&sshd, MonoRuntime::System, "~/nodes/{pool}/{host}");
    settings.brunet.mono_min = "99.1".to_owned();
    let pool = world.pool("brunet", settings, &specs(&sshd, 1), PoolState::Created).await;
    world.set_key(&pool, sshd.private_key()).await;
    let task = install(&world, &pool, &bundle).await;
    let host = &world.hosts(task.id).await[0];
    assert_eq!((host.outcome, host.cause), (Outcome::Failed, Some(Cause::NoRuntime)), "{}", host.message);
    assert!(host.message.contains("older than the pool's minimum 99.1"), "{}", host.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn brunet_hosts_without_mono_get_the_managers_once() {
    if !is_root() {
        println!("needs root to make hosts without Mono (chroot)");
        return;
    }
    let bare = BareSystem::make();
    let options = SshdOptions { hosts: HOSTS, force_command: Some(bare.command()), ..SshdOptions::default() };
    let sshd = Sshd::start(options).unwrap();
    let world = World::real().await;
    let bundle = bundle(&world, "P2PNode.exe").await;
    let pool = pool(&world, &sshd, MonoRuntime::Bundled, "/nodes/{pool}/{host}").await;

    let too_early = install(&world, &pool, &bundle).await;
    assert_eq!(too_early.state, TaskState::Failed);
    assert!(too_early.message.contains("p2ppool runtime build mono"), "{}", too_early.message);

    let begun = Instant::now();
    let made = world.context.runtimes.begin(MonoSource::Any).unwrap().await.unwrap();
    println!("mono {} for glibc {}: {} bytes in {:?}", made.version, made.glibc, made.size, begun.elapsed());
    right(&world, &install(&world, &pool, &bundle).await, Outcome::Ok).await;
    ring(&world, &pool).await;
    let runtime =
        bare.root().join("nodes/brunet").join(format!("{}_{}", sshd.address(0), sshd.port())).join("runtimes");
    let kept: Vec<PathBuf> = std::fs::read_dir(&runtime).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept, [runtime.join(made.digest.as_str())]);
    let written = std::fs::metadata(&kept[0]).unwrap().modified().unwrap();

    // another package, the same runtime
    let store = &world.context.store;
    let mut settings = store.pool(pool.id).await.unwrap().settings;
    settings.bootstrap = vec!["brunet.udp://127.0.0.1:9".to_owned()];
    store.set_pool_settings(pool.id, &settings).await.unwrap();
    right(&world, &world.done(&pool, Action::Upgrade).await, Outcome::Ok).await;
    assert_eq!(std::fs::metadata(&kept[0]).unwrap().modified().unwrap(), written, "it was not sent again");
    right(&world, &world.done(&pool, Action::Stop).await, Outcome::Ok).await;
}

async fn install(world: &World, pool: &Pool, bundle: &Bundle) -> Task {
    let task = world.ask(pool, Action::Install, json!({ "bundle": bundle.digest })).await.unwrap();
    world.ended(task.id).await
}

/// Overlay addresses of the hosts' nodes, by host.
async fn addresses(world: &World, pool: &Pool) -> Vec<String> {
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
async fn ring(world: &World, pool: &Pool) -> Vec<Node> {
    let begun = Instant::now();
    loop {
        let crawl = world.done(pool, Action::Crawl).await;
        assert_eq!(crawl.state, TaskState::Succeeded, "{}", crawl.message);
        let snapshot = world.context.store.newest_snapshot(pool.id).await.unwrap().unwrap();
        let totals = &snapshot.totals;
        if totals.answering == HOSTS as u64 + 1 && totals.missing == 0 && totals.consistency == Some(1.0) {
            let page = world.context.store.nodes(snapshot.id, &NodeFilter::default(), Page::first(100)).await.unwrap();
            let mut nodes = page.items;
            nodes.retain(|node| node.status == NodeStatus::Answering);
            for node in &nodes {
                let NodeDetails::Brunet(details) = &node.details else { panic!("{node:?}") };
                assert!(details.disagrees.is_empty() && details.left.is_some(), "{node:?}");
            }
            println!("a ring of {} after {:?}", nodes.len(), begun.elapsed());
            return nodes;
        }
        assert!(begun.elapsed() < FORMING, "no ring: {totals:?}");
    }
}

async fn right(world: &World, task: &Task, outcome: Outcome) {
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

async fn pool(world: &World, sshd: &Sshd, runtime: MonoRuntime, path: &str) -> Pool {
    let pool = world.pool("brunet", settings(sshd, runtime, path), &specs(sshd, HOSTS), PoolState::Created).await;
    world.set_key(&pool, sshd.private_key()).await;
    pool
}

fn settings(sshd: &Sshd, runtime: MonoRuntime, path: &str) -> PoolSettings {
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

fn specs(sshd: &Sshd, count: usize) -> Vec<HostSpec> {
    let spec = |n| HostSpec { address: sshd.address(n).to_string(), port: Some(sshd.port()), ..HostSpec::default() };
    (0..count).map(spec).collect()
}

/// First of so many UDP and TCP ports in a row that nobody uses now: nodes of loopback hosts share a machine.
fn free_range(count: u16) -> (u16, u16) {
    let free = |port: u16| {
        std::net::UdpSocket::bind(("0.0.0.0", port)).is_ok() && std::net::TcpListener::bind(("0.0.0.0", port)).is_ok()
    };
    let start = 33_000 + (std::process::id() % 20_000) as u16;
    let first = (start..60_000).step_by(usize::from(count)).find(|first| (*first..first + count).all(free));
    let first = first.expect("some ports are free");
    (first, first)
}

/// Compiles the node, zips it and uploads it.
async fn bundle(world: &World, program: &str) -> Bundle {
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

fn compile(folder: &Path, program: &str) {
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

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A system that holds glibc, busybox (its shell, tar, ifconfig and the rest) and nothing else.
struct BareSystem(tempfile::TempDir);

impl BareSystem {
    fn make() -> Self {
        let system = Self(tempfile::Builder::new().prefix("p2ppool-bare-").tempdir().unwrap());
        let script = r#"
            set -eu
            mkdir -p bin sbin dev proc tmp nodes etc
            chmod 1777 tmp
            busybox=$(command -v busybox)
            cp "$busybox" bin/busybox
            for applet in $(busybox --list); do ln -sf busybox "bin/$applet"; done
            ln -sf ../bin/busybox sbin/ifconfig
            # glibc as it is on any host, and nothing that Mono brings
            for name in libc.so.6 libm.so.6 libresolv.so.2 libpthread.so.0 libdl.so.2 librt.so.1; do
              file=$(ldconfig -p | sed -n "s|.*$name.*x86-64.* => ||p" | head -n 1)
              mkdir -p ".${file%/*}"
              cp -L "$file" ".$file"
            done
            mkdir -p lib64
            cp -L /lib64/ld-linux-x86-64.so.2 lib64/
            # each device by itself: whoever deletes this folder deletes no device
            for name in null zero urandom; do
              touch "dev/$name"
              mount --bind "/dev/$name" "dev/$name"
            done
            mount -t proc proc proc
        "#;
        let made = Command::new("sh")
            .args(["-c", script])
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(system.root())
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        system
    }

    fn root(&self) -> &Path {
        self.0.path()
    }

    /// What sshd runs instead of what is asked for: that, inside.
    fn command(&self) -> String {
        format!(
            "PATH=/bin:/sbin HOME=/tmp exec /usr/sbin/chroot {} /bin/sh -c \"$SSH_ORIGINAL_COMMAND\"",
            self.root().display()
        )
    }
}

impl Drop for BareSystem {
    fn drop(&mut self) {
        for mounted in ["dev/null", "dev/zero", "dev/urandom", "proc"] {
            let _ = Command::new("umount").arg("-l").arg(self.root().join(mounted)).status();
        }
    }
}
