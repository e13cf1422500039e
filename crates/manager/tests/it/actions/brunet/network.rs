//! Who can reach the XML-RPC port of the local node: a host on another network, which is a network namespace
//! of its own here, joined to that of the manager by a pair of virtual devices.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use p2ppool::local_node::{self, LocalState};
use p2ppool_model::brunet::{LocalNetwork, MonoRuntime};
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{Pool, PoolState, Ports};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Outcome};
use p2ppool_remote::testing::Sshd;

use super::super::contained::{Network, contained};
use super::super::world::World;
use super::support::{bundle, install, right, ring_of, settings};

/// The manager's machine, and the other one.
const HERE: &str = "10.77.0.1";
const THERE: &str = "10.77.0.2";
/// After which what does not answer counts as out of reach.
const REACH_S: &str = "3";

#[test]
fn only_this_machine_reaches_the_xml_rpc_port_of_a_local_node_with_its_own_network() {
    contained(
        concat!(module_path!(), "::only_this_machine_reaches_the_xml_rpc_port_of_a_local_node_with_its_own_network"),
        Network::Own,
        networks,
    );
}

async fn networks() {
    let sshd = Sshd::with_hosts(1).unwrap();
    let there = There::with(&sshd);
    let world = World::real().await;
    let bundle = bundle(&world, "P2PNode.exe").await;
    let settings = settings(&sshd, MonoRuntime::System, "~/nodes/{pool}/{host}");
    let spec = HostSpec { address: THERE.to_owned(), port: Some(sshd.port()), ..HostSpec::default() };
    let pool = world.pool("brunet", settings, &[spec], PoolState::Created).await;
    world.set_key(&pool, sshd.private_key()).await;

    right(&world, &install(&world, &pool, &bundle).await, Outcome::Ok).await;
    let local = kept(&world, &pool).await;
    let ports: Ports =
        world.context.store.setting(&format!("pool/{}/local_node_ports", pool.id)).await.unwrap().unwrap();
    let passt = Command::new("pasta").arg("--version").output().is_ok();
    if passt {
        assert!(local.running && local.network == Some(LocalNetwork::Own), "{local:?}");
        assert!(local.warnings.iter().all(|warning| !warning.contains("no password")), "{local:?}");
        // two nodes on a ring, over the manager's call: it works, and is closed to the other machine
        ring_of(&world, &pool, 2).await;
        assert!(there.reaches(ports.tcp.unwrap()), "nodes meet there");
        assert!(!there.reaches(ports.rpc), "anybody could call the local node");
        assert_eq!(pastas(), 1);
    } else {
        println!("pasta is not installed: only the other way is tried");
        assert_eq!(local.network, Some(LocalNetwork::Host));
    }

    // the network of the machine: the same look finds the port open, and people are warned
    let store = &world.context.store;
    let mut settings = store.pool(pool.id).await.unwrap().settings;
    settings.brunet.local_network = LocalNetwork::Host;
    store.set_pool_settings(pool.id, &settings).await.unwrap();
    assert_eq!(world.done(&pool, Action::Check).await.state, TaskState::Succeeded);
    let local = kept(&world, &pool).await;
    assert_eq!((local.running, local.network), (true, Some(LocalNetwork::Host)), "{local:?}");
    assert!(local.warnings.iter().any(|warning| warning.contains("no password")), "{local:?}");
    assert!(there.reaches(ports.rpc), "it listens on every address");
    assert_eq!(pastas(), 0, "what joined the networks is gone");
    ring_of(&world, &pool, 2).await;
    right(&world, &world.done(&pool, Action::Stop).await, Outcome::Ok).await;
}

async fn kept(world: &World, pool: &Pool) -> LocalState {
    local_node::kept(&world.context.store, pool).await.unwrap().expect("it was told")
}

/// Processes that join networks; this test sees only its own.
fn pastas() -> usize {
    let is = |path: PathBuf| {
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        let state = std::fs::read_to_string(path.join("stat")).unwrap_or_default();
        (name.starts_with("pasta") || name.starts_with("passt")) && !state.contains(") Z")
    };
    std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| is(entry.path())).count()
}

/// The other machine: a network namespace with the SSH server of the fixture in it.
struct There {
    holder: Child,
    sshd: Child,
}

impl There {
    fn with(sshd: &Sshd) -> Self {
        // it says when it is apart
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "echo apart; exec sleep 1000"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = [0; 6];
        holder.stdout.take().unwrap().read_exact(&mut said).unwrap();
        let pid = holder.id().to_string();
        let script = format!(
            "set -e
            ip link add p2p0 type veth peer name p2p1 netns {pid}
            ip addr add {HERE}/24 dev p2p0
            ip link set p2p0 up
            ip route add default via {THERE}
            nsenter -t {pid} -n ip link set lo up
            nsenter -t {pid} -n ip addr add {THERE}/24 dev p2p1
            nsenter -t {pid} -n ip link set p2p1 up"
        );
        let made = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = sshd.port();
        let sshd = Command::new("nsenter")
            .args(["-t", &pid, "-n", "/usr/sbin/sshd", "-D", "-e", "-f"])
            .arg(sshd.folder().join("sshd_config-0"))
            .args(["-o", &format!("ListenAddress={THERE}:{port}")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let there = Self { holder, sshd };
        let listens = format!("until nsenter -t {pid} -n ss -ltn | grep -q '{THERE}:{port} '; do sleep 0.1; done");
        let waited = Command::new("timeout").args(["60", "sh", "-c", &listens]).status().unwrap();
        assert!(waited.success(), "sshd does not listen on the other machine");
        there
    }

    /// Can a connection be made from there to the manager's machine?
    fn reaches(&self, port: u16) -> bool {
        let connect = format!("exec 3<>/dev/tcp/{HERE}/{port}");
        let pid = self.holder.id().to_string();
        let tried = Command::new("nsenter")
            .args(["-t", &pid, "-n", "timeout", REACH_S, "bash", "-c", &connect])
            .stderr(Stdio::null())
            .status();
        tried.unwrap().success()
    }
}

impl Drop for There {
    fn drop(&mut self) {
        for child in [&mut self.sshd, &mut self.holder] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
