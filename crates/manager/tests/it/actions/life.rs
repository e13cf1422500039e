//! The whole life of a pool, with real p2pnode processes: on hosts that are folders of this machine,
//! and on hosts that are reached through real SSH servers.

use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

use p2ppool_model::host::{HostSpec, Location};
use p2ppool_model::pool::{Pool, PoolSettings, PoolState};
use p2ppool_model::snapshot::Snapshot;
use p2ppool_model::task::{Task, TaskState};
use p2ppool_model::usage::UsageMetric;
use p2ppool_model::{Action, Outcome};
use p2ppool_remote::testing::Sshd;
use p2ppool_store::{NodeFilter, Page, StoreError, TaskFilter};

use super::world::{World, count, free_ports, hosts, node_binary};

/// How long an overlay of some nodes may take until everybody knows everybody.
const JOINING: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn three_local_hosts_live_from_install_to_stop() {
    assert!(node_binary().is_some(), "no p2pnode: run `make node`, or name one by P2PNODE_BIN");
    let world = World::real().await;
    let settings = world.local();
    let specs: Vec<HostSpec> =
        hosts(3).into_iter().map(|spec| HostSpec { location: Location::new(48.0, 11.0), ..spec }).collect();
    let pool = world.pool("life", settings, &specs, PoolState::Created).await;
    live(&world, &pool, 3).await;
    let left: Vec<_> = std::fs::read_dir(world.folder().join("hosts/life")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn twenty_ssh_hosts_live_from_install_to_stop() {
    assert!(node_binary().is_some(), "no p2pnode: run `make node`, or name one by P2PNODE_BIN");
    const HOSTS: usize = 20;
    let sshd = Sshd::with_hosts(HOSTS).unwrap();
    let world = World::real().await;
    let settings = PoolSettings {
        ssh_user: sshd.user().to_owned(),
        install_path: "~/nodes/{pool}/{host}".to_owned(),
        ports: free_ports(),
        private_addresses: true,
        ..PoolSettings::default()
    };
    let spec = |n| HostSpec { address: sshd.address(n).to_string(), port: Some(sshd.port()), ..HostSpec::default() };
    let specs: Vec<HostSpec> = (0..HOSTS).map(spec).collect();
    let pool = world.pool("ssh", settings, &specs, PoolState::Created).await;
    world.set_key(&pool, sshd.private_key()).await;
    live(&world, &pool, HOSTS).await;
    let left = std::fs::read_dir(sshd.home().join("nodes/ssh")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "every install path is gone");
}

/// Every action, one after another; each has to be right on every host.
async fn live(world: &World, pool: &Pool, hosts: usize) {
    let all = hosts as u64;
    let right = |task: &Task, outcome: Outcome| {
        assert_eq!(
            (task.state, count(task, outcome)),
            (TaskState::Succeeded, all),
            "{}: {}",
            task.action,
            task.message
        );
    };
    let begun = Instant::now();
    let install = done(world, pool, Action::Install).await;
    println!("install of {hosts} hosts: {:?}", begun.elapsed());
    right(&install, Outcome::Ok);
    let known = world.context.store.pool_hosts(pool.id).await.unwrap();
    let package = world.context.store.pool(pool.id).await.unwrap().package;
    assert!(package.is_some());
    for host in &known {
        assert_eq!((host.known.running, &host.known.package), (Some(true), &package), "{}", host.spec.address);
        assert!(host.known.node.is_some() && host.known.reachable == Some(true));
    }

    let afterwards = TaskFilter { pool: Some(pool.id), ..TaskFilter::default() };
    let afterwards = world.context.store.tasks(&afterwards, Page::first(10)).await.unwrap().items;
    let crawl = afterwards.iter().find(|task| task.action == Action::Crawl).expect("an install asks for a crawl");
    let crawl = world.ended(crawl.id).await;
    println!("the first crawl: {}", crawl.message);
    let first = world.context.store.newest_snapshot(pool.id).await.unwrap().unwrap();
    assert_eq!((first.task, first.totals.missing), (Some(crawl.id), 0), "it waits until the overlay has settled");
    assert_eq!(first.totals.consistency, Some(1.0));

    let snapshot = consistent(world, pool, all).await;
    let nodes = world.context.store.nodes(snapshot.id, &NodeFilter::default(), Page::first(1000)).await.unwrap().items;
    assert!(nodes.iter().all(|node| node.host.is_some() && node.package == package), "every node has its host");

    let unchanged = done(world, pool, Action::Upgrade).await;
    right(&unchanged, Outcome::Unchanged);

    let gathered = done(world, pool, Action::GatherLogs).await;
    right(&gathered, Outcome::Ok);
    let zip = world.context.folders.public(&pool.name).join("logs.zip");
    let (folders, manifest) = look_into(&zip);
    assert_eq!(folders.len(), hosts, "{folders:?}");
    assert_eq!(manifest.lines().filter(|line| line.contains(" ok ")).count(), hosts, "{manifest}");
    right(&done(world, pool, Action::GatherData).await, Outcome::Ok);
    right(&done(world, pool, Action::GatherUsage).await, Outcome::Ok);
    let known = world.context.store.pool_hosts(pool.id).await.unwrap();
    assert!(known.iter().all(|host| host.known.node_memory.is_some_and(|bytes| bytes > 1 << 20)));
    let used = world.context.store.top_usage(pool.id, UsageMetric::NodeMemory, 1000).await.unwrap();
    assert_eq!(used.len(), hosts);
    for sample in used.iter().map(|sample| &sample.usage) {
        assert!(sample.node_memory.is_some_and(|bytes| bytes > 1 << 20) && sample.disk_free.is_some(), "{sample:?}");
        assert!(sample.node_cpu.is_some_and(|share| (0.0..64.0).contains(&share)), "{sample:?}");
        assert!(sample.memory_used.is_some_and(|share| share > 0.0 && share < 1.0), "{sample:?}");
    }

    right(&done(world, pool, Action::Suspend).await, Outcome::Ok);
    right(&done(world, pool, Action::Check).await, Outcome::Unchanged);
    let known = world.context.store.pool_hosts(pool.id).await.unwrap();
    assert!(known.iter().all(|host| host.known.running == Some(false)), "a check keeps a suspended pool down");
    right(&done(world, pool, Action::Resume).await, Outcome::Ok);
    right(&done(world, pool, Action::Check).await, Outcome::Unchanged);

    // settings that change the package: uploaded and restarted everywhere, identities stay
    let before: Vec<_> = world.context.store.pool_hosts(pool.id).await.unwrap();
    let mut settings = world.context.store.pool(pool.id).await.unwrap().settings;
    settings.bootstrap = vec!["/ip4/127.0.0.1/tcp/9".to_owned()];
    world.context.store.set_pool_settings(pool.id, &settings).await.unwrap();
    right(&done(world, pool, Action::Upgrade).await, Outcome::Ok);
    let after = world.context.store.pool_hosts(pool.id).await.unwrap();
    let identities =
        |hosts: &[p2ppool_model::host::Host]| -> Vec<_> { hosts.iter().map(|host| host.known.node.clone()).collect() };
    assert_eq!(identities(&before), identities(&after));
    assert_ne!(before[0].known.package, after[0].known.package);

    let stop = done(world, pool, Action::Stop).await;
    right(&stop, Outcome::Ok);
    let gone = world.context.store.pool(pool.id).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{}", stop.message);
    assert!(!world.context.folders.private(&pool.name).exists(), "the local node is gone, too");
    println!("whole life of {hosts} hosts: {:?}", begun.elapsed());
}

async fn done(world: &World, pool: &Pool, action: Action) -> Task {
    let task = world.done(pool, action).await;
    if task.state != TaskState::Succeeded {
        for host in world.hosts(task.id).await.iter().filter(|host| !host.outcome.is_right()) {
            println!("{} {:?} {:?}: {}", host.address, host.step, host.cause, host.message);
        }
    }
    task
}

/// Crawls until every host is in the overlay and all know each other.
async fn consistent(world: &World, pool: &Pool, hosts: u64) -> Snapshot {
    let begun = Instant::now();
    loop {
        let crawl = done(world, pool, Action::Crawl).await;
        assert_eq!(crawl.state, TaskState::Succeeded, "{}", crawl.message);
        let snapshot = world.context.store.newest_snapshot(pool.id).await.unwrap().unwrap();
        let totals = &snapshot.totals;
        if totals.answering == hosts && totals.missing == 0 && totals.consistency == Some(1.0) {
            assert_eq!(totals.nodes, hosts, "the local node is not one of them");
            println!("consistent after {:?}", begun.elapsed());
            return snapshot;
        }
        assert!(begun.elapsed() < JOINING, "not consistent: {totals:?}");
    }
}

/// The folders of a gathered zip, and its manifest.
fn look_into(path: &Path) -> (std::collections::BTreeSet<String>, String) {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut manifest = String::new();
    zip.by_name("manifest.txt").unwrap().read_to_string(&mut manifest).unwrap();
    let names: Vec<String> = (0..zip.len()).map(|n| zip.by_index(n).unwrap().name().unwrap().into_owned()).collect();
    let folders = names.iter().filter_map(|name| name.split_once('/')).map(|(folder, _)| folder.to_owned()).collect();
    (folders, manifest)
}
