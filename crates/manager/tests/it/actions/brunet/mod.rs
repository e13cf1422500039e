//! The whole life of a Brunet pool on real SSH hosts with a real Mono: a small node of our own that has the
//! command line, config, XML-RPC server and signals of the real one is compiled, zipped, uploaded, deployed,
//! crawled and stopped; with the hosts' own Mono, and with the manager's on hosts that have none.

mod bare;
mod faults;
mod network;
mod support;

use p2ppool_model::brunet::{LocalNetwork, MonoRuntime};
use p2ppool_model::pool::{OverlayKindName, PoolState};
use p2ppool_model::snapshot::Node;
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Cause, Outcome};
use p2ppool_remote::testing::Sshd;

use self::support::{HOSTS, addresses, bundle, end_node, install, pool, right, ring, settings, specs};
use super::contained::{Network, contained};
use super::world::World;

#[test]
fn brunet_hosts_with_their_own_mono_live_from_zip_to_stop() {
    contained(
        concat!(module_path!(), "::brunet_hosts_with_their_own_mono_live_from_zip_to_stop"),
        Network::Apart,
        from_zip_to_stop,
    );
}

async fn from_zip_to_stop() {
    let sshd = Sshd::with_hosts(HOSTS).unwrap();
    let world = World::real().await;
    let bundle = bundle(&world, "P2PNode.exe").await;
    assert_eq!((bundle.kind, bundle.program.as_str()), (OverlayKindName::Brunet, "P2PNode.exe"));
    let pool = pool(&world, &sshd, MonoRuntime::System, "~/nodes/{pool}/{host}").await;

    right(&world, &install(&world, &pool, &bundle).await, Outcome::Ok).await;
    let local = p2ppool::local_node::state(&world.context, &pool).await;
    assert_eq!(local.network, Some(LocalNetwork::Host), "its hosts are this very machine");
    assert!(local.warnings.iter().any(|warning| warning.contains("no password")), "{local:?}");
    assert_eq!(p2ppool::local_node::kept(&world.context.store, &pool).await.unwrap(), Some(local));
    let addresses = addresses(&world, &pool).await;
    let nodes = ring(&world, &pool).await;
    assert!(addresses.iter().all(|address| nodes.iter().any(|node| node.address == *address && node.host.is_some())));
    let local: Vec<&Node> = nodes.iter().filter(|node| node.host.is_none()).collect();
    assert_eq!(local.len(), 1, "the local node is one of the ring: {local:?}");
    right(&world, &world.done(&pool, Action::Check).await, Outcome::Unchanged).await;

    // killed without a word: its supervisor starts it again, as the same node
    end_node(&world, &sshd, &pool, 0, "KILL").await;
    assert_eq!(world.done(&pool, Action::Check).await.state, TaskState::Succeeded);
    assert_eq!(self::addresses(&world, &pool).await, addresses);
    ring(&world, &pool).await;

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

#[test]
fn a_mono_that_is_too_old_is_named_and_nothing_is_started() {
    contained(
        concat!(module_path!(), "::a_mono_that_is_too_old_is_named_and_nothing_is_started"),
        Network::Apart,
        too_old,
    );
}

async fn too_old() {
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
