//! Nodes that are silent, gone, of another overlay, or many on one host.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use p2ppool_model::Action;
use p2ppool_model::Outcome;
use p2ppool_model::brunet::MonoRuntime;
use p2ppool_model::pool::PoolState;
use p2ppool_model::snapshot::{Node, NodeStatus};
use p2ppool_remote::testing::Sshd;

use super::super::contained::{Network, contained};
use super::super::world::World;
use super::support::{
    HOSTS, addresses, bundle, compile, crawled, end_node, free_range, install, pool, right, ring, ring_of, settings,
    specs,
};

const PATH: &str = "~/nodes/{pool}/{host}";

#[test]
fn silent_nodes_ghosts_and_strangers_are_told_from_living_ones() {
    contained(
        concat!(module_path!(), "::silent_nodes_ghosts_and_strangers_are_told_from_living_ones"),
        Network::Apart,
        faults,
    );
}

async fn faults() {
    let sshd = Sshd::with_hosts(HOSTS).unwrap();
    let world = World::real().await;
    let bundle = bundle(&world, "P2PNode.exe").await;
    let pool = pool(&world, &sshd, MonoRuntime::System, PATH).await;
    // a deadline that a living node on a busy machine keeps
    let store = &world.context.store;
    let mut settings = store.pool(pool.id).await.unwrap().settings;
    settings.brunet.call_deadline_s = 10;
    store.set_pool_settings(pool.id, &settings).await.unwrap();
    right(&world, &install(&world, &pool, &bundle).await, Outcome::Ok).await;
    ring(&world, &pool).await;
    let victim = store
        .pool_hosts(pool.id)
        .await
        .unwrap()
        .into_iter()
        .find(|host| host.spec.address == sshd.address(0).to_string());
    let victim = victim.unwrap().known.node.unwrap();
    let is = |nodes: &[Node], status: NodeStatus, word: &str| {
        let node = nodes.iter().find(|node| node.address == victim);
        node.is_some_and(|n| n.status == status && n.error.as_ref().is_some_and(|e| e.contains(word)))
    };

    // of another namespace: it knows where all others are, and they refuse it
    let stranger = Stranger::start(settings.ports.udp.unwrap());
    let nodes = ring(&world, &pool).await;
    assert!(nodes.iter().all(|node| node.address != stranger.address), "{nodes:?}");

    // its process is there and says nothing
    end_node(&world, &sshd, &pool, 0, "STOP").await;
    crawled(&world, &pool, |snapshot, nodes| {
        let totals = &snapshot.totals;
        (totals.answering, totals.missing) == (HOSTS as u64, 1) && is(nodes, NodeStatus::AskFailed, "no answer")
    })
    .await;
    end_node(&world, &sshd, &pool, 0, "CONT").await;
    ring(&world, &pool).await;

    // in this namespace calls for who is silent go to the nearest one, while others still name it
    settings.namespace = "ghosts".to_owned();
    store.set_pool_settings(pool.id, &settings).await.unwrap();
    right(&world, &world.done(&pool, Action::Upgrade).await, Outcome::Ok).await;
    ring(&world, &pool).await;
    end_node(&world, &sshd, &pool, 0, "STOP").await;
    crawled(&world, &pool, |_, nodes| is(nodes, NodeStatus::ConnectFailed, "ghost")).await;
    end_node(&world, &sshd, &pool, 0, "CONT").await;
    assert_eq!(addresses(&world, &pool).await.len(), HOSTS);
    right(&world, &world.done(&pool, Action::Stop).await, Outcome::Ok).await;
}

#[test]
fn several_nodes_of_one_process_are_several_on_the_ring() {
    contained(
        concat!(module_path!(), "::several_nodes_of_one_process_are_several_on_the_ring"),
        Network::Apart,
        several,
    );
}

async fn several() {
    let sshd = Sshd::with_hosts(HOSTS).unwrap();
    let world = World::real().await;
    let bundle = bundle(&world, "P2PNode.exe").await;
    let mut settings = settings(&sshd, MonoRuntime::System, PATH);
    settings.brunet.nodes_per_host = 2;
    let pool = world.pool("brunet", settings, &specs(&sshd, HOSTS), PoolState::Created).await;
    world.set_key(&pool, sshd.private_key()).await;
    right(&world, &install(&world, &pool, &bundle).await, Outcome::Ok).await;
    // the local node is one
    ring_of(&world, &pool, 2 * HOSTS + 1).await;
    right(&world, &world.done(&pool, Action::Stop).await, Outcome::Ok).await;
}

/// A node of another namespace that wants to join.
struct Stranger {
    process: std::process::Child,
    address: String,
    _folder: tempfile::TempDir,
}

impl Stranger {
    fn start(others: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        compile(folder.path(), "P2PNode.exe");
        let (udp, _) = free_range(1);
        let remote: String = (0..HOSTS as u16)
            .map(|n| format!("<Transport>brunet.udp://127.0.0.1:{}</Transport>", others + n))
            .collect();
        let config = folder.path().join("node.config");
        let text = format!(
            "<NodeConfig><BrunetNamespace>elsewhere</BrunetNamespace><RemoteTAs>{remote}</RemoteTAs><EdgeListeners>\
             <EdgeListener type=\"udp\"><port>{udp}</port></EdgeListener></EdgeListeners></NodeConfig>"
        );
        std::fs::write(&config, text).unwrap();
        let mut process = Command::new("mono")
            .arg(folder.path().join("P2PNode.exe"))
            .arg("-n")
            .arg(&config)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.split(' ').find(|word| word.starts_with("brunet:node:"));
        let address = address.unwrap_or_else(|| panic!("it did not start: {said}")).to_owned();
        Self { process, address, _folder: folder }
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
