//! A manager that dies or ends, and the next one.

use std::sync::Arc;
use std::time::Duration;

use p2ppool_model::pool::{PoolSettings, PoolState};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Digest, Outcome};
use p2ppool_remote::testing::{Fake, FakeHost};
use serde_json::Value;

use super::world::{World, count, hosts, until};

const HOSTS: usize = 300;

fn fleet() -> Arc<Fake> {
    let fake = Fake::new(|_| FakeHost { step_takes: Duration::from_millis(20), ..FakeHost::default() });
    for spec in hosts(HOSTS) {
        fake.change(&spec.address, 22, |state| {
            state.current = Some(Digest::of(b"x"));
            state.running = true;
        });
    }
    Arc::new(fake)
}

fn stops(fake: &Fake) -> Vec<usize> {
    let of = |address: &str| fake.state(address, 22).steps.iter().filter(|step| *step == "stop").count();
    hosts(HOSTS).iter().map(|spec| of(&spec.address)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_crash_the_task_goes_on_and_finished_hosts_are_not_redone() {
    let fake = fleet();
    let world = World::with_ssh(fake.clone()).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(HOSTS), PoolState::Running).await;
    let mut events = world.watch();
    let task = world.ask(&pool, Action::Suspend, Value::Null).await.unwrap();
    until(&mut events, task.id, |task| task.counts.done() > 50).await;

    let world = world.crash_and_start(fake.clone()).await;
    let ended = world.ended(task.id).await;
    assert_eq!(ended.state, TaskState::Succeeded, "{}", ended.message);
    assert_eq!(count(&ended, Outcome::Ok) + count(&ended, Outcome::Unchanged), HOSTS as u64);
    assert!(stops(&fake).iter().all(|n| *n == 1), "every node was ended exactly once");
    let again = world.hosts(task.id).await.iter().filter(|host| host.attempt > 1).count();
    assert!((1..HOSTS - 50).contains(&again), "{again} hosts were in flight");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_is_told_to_end_hands_its_task_back() {
    let fake = fleet();
    let world = World::with_ssh(fake.clone()).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(HOSTS), PoolState::Running).await;
    let mut events = world.watch();
    let task = world.ask(&pool, Action::Suspend, Value::Null).await.unwrap();
    until(&mut events, task.id, |task| task.counts.done() > 50).await;

    let world = world.end_and_start(fake.clone()).await;
    let ended = world.ended(task.id).await;
    assert_eq!(ended.state, TaskState::Succeeded, "{}", ended.message);
    assert_eq!(ended.counts.total(), HOSTS as u64);
    assert_eq!(stops(&fake), [1; HOSTS]);
}
