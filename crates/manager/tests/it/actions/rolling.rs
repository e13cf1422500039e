//! Rolling upgrades: in memory for what happens between two steps, with real nodes for the gate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use p2ppool::events::Subscription;
use p2ppool_model::event::Change;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{Pool, PoolSettings, PoolState};
use p2ppool_model::rollout::{Decision, GateCheck, Phase};
use p2ppool_model::rollout_view::{BatchState, RolloutView};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Cause, Digest, Outcome, TaskId};
use p2ppool_remote::testing::{Fake, FakeHost};
use p2ppool_store::Decided;
use serde_json::{Value, json};

use super::world::{World, count, free_ports, hosts, node_binary};

/// A phase that was not reached by then never will be.
const PATIENCE: Duration = Duration::from_secs(120);

async fn phase(events: &mut Subscription, is: impl Fn(&RolloutView) -> bool) -> RolloutView {
    let wait = async {
        loop {
            for event in events.next().await {
                if let Change::Rollout { rollout } = event.change
                    && is(&rollout)
                {
                    return *rollout;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("the rolling upgrade never got there")
}

async fn view(world: &World, task: TaskId) -> RolloutView {
    let rollout = world.context.store.rollout(task).await.unwrap().unwrap();
    RolloutView::of(task, &rollout, &world.hosts(task).await)
}

async fn decide(world: &World, task: TaskId, decision: Decision) {
    let decided = Decided { decision, by: "anna".into() };
    world.context.store.decide_rollout(task, &decided).await.unwrap();
}

/// Hosts in memory, of which the first can't start a node while the switch is on.
fn fleet(takes: Duration) -> (Arc<Fake>, Arc<AtomicBool>) {
    let broken = Arc::new(AtomicBool::new(false));
    let is_broken = Arc::clone(&broken);
    let fake = Fake::new(move |target| {
        let fails = target.address.ends_with(".0.1") && is_broken.load(Ordering::SeqCst);
        let cause = (Cause::StartFailed, "it ends at once".to_owned());
        FakeHost {
            step_takes: takes,
            fails: if fails { [("start".to_owned(), cause)].into() } else { [].into() },
            ..FakeHost::default()
        }
    });
    (Arc::new(fake), broken)
}

async fn installed(world: &World, count: usize) -> (Pool, Digest) {
    assert!(node_binary().is_some(), "no p2pnode: run `make node`, or name one by P2PNODE_BIN");
    let settings = PoolSettings { ports: free_ports(), ..PoolSettings::default() };
    let pool = world.pool("roll", settings, &hosts(count), PoolState::Created).await;
    let install = world.done(&pool, Action::Install).await;
    assert_eq!(install.state, TaskState::Succeeded, "{}", install.message);
    let pool = world.context.store.pool(pool.id).await.unwrap();
    let package = pool.package.clone().unwrap();
    (pool, package)
}

/// In batches of five, the first host first; only the hosts are looked at.
fn by_hosts(settings: Value) -> Value {
    let gate = json!({ "hosts_ok_min": "100%", "consistency_min": null, "nodes_min": null, "within_s": 60 });
    json!({ "rolling": { "batch": 5, "canary": 1, "gate": gate }, "settings": settings })
}

fn starts(fake: &Fake, address: &str) -> usize {
    fake.state(address, 22).steps.iter().filter(|step| step.contains("start")).count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn a_failed_canary_pauses_survives_a_crash_and_is_rolled_back_by_a_person() {
    let (fake, broken) = fleet(Duration::ZERO);
    let world = World::with_ssh(fake.clone()).await;
    let (pool, before) = installed(&world, 12).await;
    broken.store(true, Ordering::SeqCst);
    let mut events = world.watch();
    let params = by_hosts(json!({ "bootstrap": ["/ip4/127.0.0.1/tcp/9"] }));
    let task = world.ask(&pool, Action::Upgrade, params).await.unwrap();
    let paused = phase(&mut events, |view| matches!(view.phase, Phase::Paused { .. })).await;
    let reading = paused.batches[0].reading.clone().unwrap();
    assert_eq!((reading.hosts_ok, reading.hosts_ok_min, reading.hosts), (0, 1, 1));
    assert_eq!(reading.failed, [GateCheck::HostsOk]);
    assert_eq!(fake.state("127.77.0.1", 22).current, paused.target);

    let world = world.crash_and_start(fake.clone()).await;
    assert!(matches!(view(&world, task.id).await.phase, Phase::Paused { batch: 0, .. }));
    assert_eq!(world.task(task.id).await.state, TaskState::Running);
    let now = world.context.store.pool(pool.id).await.unwrap();
    assert_eq!(now.package.as_ref(), Some(&before), "until the last gate the pool is what it was");
    broken.store(false, Ordering::SeqCst);
    decide(&world, task.id, Decision::RollBack).await;
    let ended = world.ended(task.id).await;
    assert_eq!(ended.state, TaskState::Failed);
    assert!(
        ended.message.starts_with("rolled back 1 of 1 hosts: the gate after batch 1 of 4 (canary)"),
        "{}",
        ended.message
    );
    assert!(ended.message.contains("0 of 1 hosts right, 1 needed"), "{}", ended.message);
    assert_eq!((count(&ended, Outcome::Ok), count(&ended, Outcome::NotStarted)), (1, 11));
    for spec in hosts(12) {
        let state = fake.state(&spec.address, 22);
        assert_eq!((state.current.as_ref(), state.running), (Some(&before), true), "{}", spec.address);
    }
    let now = world.context.store.pool(pool.id).await.unwrap();
    assert_eq!((now.package, now.settings), (Some(before), pool.settings.clone()));
    assert!(
        world
            .context
            .store
            .decide_rollout(task.id, &Decided { decision: Decision::Continue, by: "b".into() })
            .await
            .is_err()
    );
    world.done(&pool, Action::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn a_good_upgrade_goes_batch_by_batch_through_a_crash_and_touches_each_host_once() {
    let (fake, _) = fleet(Duration::from_millis(30));
    let world = World::with_ssh(fake.clone()).await;
    let (pool, before) = installed(&world, 23).await;
    let mut events = world.watch();
    let params = by_hosts(json!({ "bootstrap": ["/ip4/127.0.0.1/tcp/9"] }));
    let task = world.ask(&pool, Action::Upgrade, params).await.unwrap();
    phase(&mut events, |view| view.phase == Phase::Deploying { batch: 2 }).await;
    let behind = |n: usize| fake.state(&hosts(23)[n].address, 22).current.as_ref() == Some(&before);
    assert!((11..23).all(behind), "batches that have not begun are untouched");

    let world = world.crash_and_start(fake.clone()).await;
    let ended = world.ended(task.id).await;
    // a host whose last step ended with the manager is found as it should be
    let done = count(&ended, Outcome::Ok) + count(&ended, Outcome::Unchanged);
    assert_eq!((ended.state, done), (TaskState::Succeeded, 23), "{}", ended.message);
    let now = world.context.store.pool(pool.id).await.unwrap();
    assert_eq!(now.settings.bootstrap, ["/ip4/127.0.0.1/tcp/9"], "the pool has its new settings");
    for spec in hosts(23) {
        assert_eq!(fake.state(&spec.address, 22).current, now.package, "{}", spec.address);
        assert_eq!(starts(&fake, &spec.address), 2, "installed and upgraded once: {}", spec.address);
    }
    let view = view(&world, task.id).await;
    assert!(view.batches.iter().all(|batch| batch.state == BatchState::Passed && batch.reading.is_some()));
    assert_eq!(view.batches.iter().map(|batch| batch.counts.total()).collect::<Vec<_>>(), [1, 5, 5, 5, 5, 2]);
    world.done(&pool, Action::Stop).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn a_paused_upgrade_makes_room_for_stop_and_goes_on_at_a_persons_word() {
    let (fake, broken) = fleet(Duration::ZERO);
    let world = World::with_ssh(fake.clone()).await;
    let (pool, _) = installed(&world, 8).await;
    broken.store(true, Ordering::SeqCst);
    let mut events = world.watch();
    let params = by_hosts(json!({ "bootstrap": ["/ip4/127.0.0.1/tcp/9"] }));
    let task = world.ask(&pool, Action::Upgrade, params.clone()).await.unwrap();
    phase(&mut events, |view| matches!(view.phase, Phase::Paused { .. })).await;
    decide(&world, task.id, Decision::Continue).await;
    let ended = world.ended(task.id).await;
    assert_eq!((ended.state, count(&ended, Outcome::Ok)), (TaskState::Partial, 7), "{}", ended.message);
    assert_eq!(view(&world, task.id).await.batches[0].state, BatchState::Waived);

    let params = by_hosts(json!({ "bootstrap": ["/ip4/127.0.0.1/tcp/10"] }));
    let mut events = world.watch();
    let task = world.ask(&pool, Action::Upgrade, params).await.unwrap();
    phase(&mut events, |view| matches!(view.phase, Phase::Paused { .. })).await;
    let stop = world.done(&pool, Action::Stop).await;
    assert_eq!(stop.state, TaskState::Succeeded, "{}", stop.message);
    assert_eq!(world.task(task.id).await.state, TaskState::Preempted);
}

/// A p2pnode that starts and listens, but speaks other protocols: it never joins.
async fn bad_bundle(world: &World) -> Digest {
    let mut program = std::fs::read(node_binary().unwrap()).unwrap();
    let (old, new) = (b"/p2ppool/", b"/p2pfool/");
    let mut changed = 0;
    for at in 0..program.len() - old.len() {
        if &program[at..at + old.len()] == old {
            program[at..at + old.len()].copy_from_slice(new);
            changed += 1;
        }
    }
    assert!(changed > 0, "the protocol names are in the program");
    let path = world.folder().join("bad.tar.gz");
    let gzip = flate2::write::GzEncoder::new(std::fs::File::create(&path).unwrap(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(program.len() as u64);
    header.set_mode(0o755);
    tar.append_data(&mut header, "p2pnode", program.as_slice()).unwrap();
    tar.into_inner().unwrap().finish().unwrap();
    world.context.bundles.keep(&path, "bad.tar.gz").await.unwrap().digest
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn nodes_that_do_not_join_stop_the_upgrade_and_it_rolls_back_by_itself() {
    const HOSTS: usize = 20;
    assert!(node_binary().is_some(), "no p2pnode: run `make node`, or name one by P2PNODE_BIN");
    let world = World::real().await;
    let settings = world.local();
    let specs: Vec<HostSpec> = hosts(HOSTS);
    let pool = world.pool("overlay", settings, &specs, PoolState::Created).await;
    let install = world.done(&pool, Action::Install).await;
    assert_eq!(install.state, TaskState::Succeeded, "{}", install.message);
    let settle = world.ask(&pool, Action::Crawl, json!({ "settle": true })).await.unwrap();
    println!("after install: {}", world.ended(settle.id).await.message);
    let pool = world.context.store.pool(pool.id).await.unwrap();
    let before = pool.package.clone();

    let gate = json!({ "consistency_min": "95%", "nodes_min": "100%", "within_s": 15 });
    let rolling = json!({ "batch": "25%", "canary": 2, "gate": gate, "on_failed_gate": "roll_back" });
    let bundle = bad_bundle(&world).await;
    let begun = Instant::now();
    let task = world.ask(&pool, Action::Upgrade, json!({ "rolling": rolling, "bundle": bundle })).await.unwrap();
    let ended = world.ended(task.id).await;
    println!("bad upgrade, {:?}: {}", begun.elapsed(), ended.message);
    assert_eq!(ended.state, TaskState::Failed);
    assert!(ended.message.starts_with("rolled back 2 of 2 hosts"), "{}", ended.message);
    assert_eq!(count(&ended, Outcome::NotStarted), HOSTS as u64 - 2);
    let bad = view(&world, task.id).await;
    let reading = bad.batches[0].reading.clone().unwrap();
    assert_eq!((bad.phase, reading.hosts_ok), (Phase::RolledBack { batch: 0 }, 2), "each host alone looked right");
    assert!(reading.failed.contains(&GateCheck::Nodes), "{reading:?}");
    let known = world.context.store.pool_hosts(pool.id).await.unwrap();
    assert!(known.iter().all(|host| host.known.package == before && host.known.running == Some(true)));
    let after = world.context.store.pool(pool.id).await.unwrap();
    assert_eq!((&after.package, &after.bundle), (&before, &pool.bundle));

    let settings = json!({ "bootstrap": ["/ip4/127.0.0.1/tcp/9"] });
    let rolling = json!({ "batch": "50%", "canary": 1, "gate": { "consistency_min": "95%", "nodes_min": "100%", "within_s": 60 } });
    let begun = Instant::now();
    let task = world.ask(&pool, Action::Upgrade, json!({ "rolling": rolling, "settings": settings })).await.unwrap();
    let ended = world.ended(task.id).await;
    println!("good upgrade, {:?}: {}", begun.elapsed(), ended.message);
    assert_eq!((ended.state, count(&ended, Outcome::Ok)), (TaskState::Succeeded, HOSTS as u64), "{}", ended.message);
    let good = view(&world, task.id).await;
    for batch in &good.batches {
        let reading = batch.reading.as_ref().unwrap();
        println!("batch {}: {} nodes, consistency {:?}", batch.number, reading.nodes.unwrap(), reading.consistency);
        assert!(reading.consistency.unwrap() >= 0.95 && reading.nodes == Some(HOSTS as u64));
    }
    let stop = world.done(&pool, Action::Stop).await;
    assert_eq!(stop.state, TaskState::Succeeded, "{}", stop.message);
}
