//! What counts as success, and what a retry adds to.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use p2ppool_model::pool::{PoolSettings, PoolState};
use p2ppool_model::task::{SuccessPolicy, TaskState};
use p2ppool_model::{Action, Cause, Outcome};
use p2ppool_remote::testing::{Fake, FakeHost};

use super::world::{World, hosts};

/// Hosts whose address ends so can't be reached while the switch is on.
fn partly_dead(ending: &'static str, dead: &Arc<AtomicBool>) -> Arc<Fake> {
    let dead = Arc::clone(dead);
    Arc::new(Fake::new(move |target| {
        let is_dead = target.address.ends_with(ending) && dead.load(Ordering::SeqCst);
        FakeHost { unreachable: is_dead.then_some(Cause::ConnectTimeout), ..FakeHost::default() }
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pools_own_measure_decides_what_succeeded() {
    let world = World::with_ssh(partly_dead(".2", &Arc::new(AtomicBool::new(true)))).await;
    let strict = world.pool("strict", PoolSettings::default(), &hosts(4), PoolState::Running).await;
    assert_eq!(world.done(&strict, Action::GatherUsage).await.state, TaskState::Partial);
    let success = Some(SuccessPolicy { succeeded: 100, partial: 50 });
    let settings = PoolSettings { success, ..PoolSettings::default() };
    let lenient = world.pool("lenient", settings, &hosts(4), PoolState::Running).await;
    let usage = world.done(&lenient, Action::GatherUsage).await;
    assert_eq!((usage.state, usage.counts.of(Outcome::Unreachable)), (TaskState::Succeeded, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_install_that_reaches_no_host_leaves_the_pool_not_installed() {
    let world = World::with_ssh(partly_dead("", &Arc::new(AtomicBool::new(true)))).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(3), PoolState::Created).await;
    let install = world.done(&pool, Action::Install).await;
    assert_eq!((install.state, install.counts.of(Outcome::Unreachable)), (TaskState::Failed, 3), "{}", install.message);
    assert_eq!(world.context.store.pool(pool.id).await.unwrap().state, PoolState::Created);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_of_chosen_hosts_adds_to_the_same_view() {
    let dead = Arc::new(AtomicBool::new(true));
    let world = World::with_ssh(partly_dead(".3", &dead)).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(4), PoolState::Running).await;
    let first = world.done(&pool, Action::GatherUsage).await;
    dead.store(false, Ordering::SeqCst);
    let rows = world.hosts(first.id).await;
    let chosen = [rows[0].host, rows[2].host];
    let retry = world.engine.retry(first.id, &[], &chosen, "test").await.unwrap();
    assert_eq!(world.ended(retry.id).await.counts.total(), 2);
    let mut merged = world.context.store.merged_task_hosts(first.id).await.unwrap();
    merged.sort_by(|a, b| a.address.cmp(&b.address));
    let told: Vec<_> = merged.iter().map(|row| (row.outcome, row.attempt)).collect();
    assert_eq!(told, [(Outcome::Ok, 2), (Outcome::Ok, 1), (Outcome::Ok, 2), (Outcome::Ok, 1)]);
    // everything is right now, also what the first task itself could not do
    assert!(world.engine.retry(first.id, &[], &[], "test").await.is_err());
    let stranger = p2ppool_model::HostId(9_999);
    assert!(
        world.engine.retry(first.id, &[], &[stranger], "test").await.unwrap_err().to_string().contains("no host 9999")
    );
}
