//! Who waits, who makes room, who is refused; cancel and retry.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use p2ppool::engine::AskError;
use p2ppool_model::pool::{PoolSettings, PoolState};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Cause, Outcome};
use p2ppool_remote::testing::{Fake, FakeHost};
use serde_json::{Value, json};

use super::world::{World, count, hosts, until};

/// Steps that take long enough for somebody to come in between.
fn slow() -> Arc<Fake> {
    Arc::new(Fake::new(|_| FakeHost { step_takes: Duration::from_millis(50), ..FakeHost::default() }))
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_makes_a_running_task_end_between_two_steps_and_cancels_a_waiting_one() {
    let fake = slow();
    let world = World::with_ssh(fake.clone()).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(3000), PoolState::Running).await;
    let mut events = world.watch();

    let suspend = world.ask(&pool, Action::Suspend, Value::Null).await.unwrap();
    let check = world.ask(&pool, Action::Check, Value::Null).await.unwrap();
    assert_eq!(check.waits_for, Some(suspend.id));
    until(&mut events, suspend.id, |task| task.counts.done() > 0).await;
    let stop = world.ask(&pool, Action::Stop, json!({"keep": true})).await.unwrap();

    let suspend = world.ended(suspend.id).await;
    assert_eq!(suspend.state, TaskState::Preempted, "{}", suspend.message);
    assert!(suspend.message.starts_with("made room: stopped on 3000 of 3000 hosts"), "{}", suspend.message);
    assert!(count(&suspend, Outcome::NotStarted) > 0);
    let check = world.ended(check.id).await;
    assert_eq!((check.state, check.message), (TaskState::Cancelled, format!("made room for stop #{}", stop.id)));
    let stop = world.ended(stop.id).await;
    assert_eq!(stop.state, TaskState::Succeeded, "{}", stop.message);
    assert!(suspend.ended_at <= stop.started_at, "its successor begins after its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_installs_is_refused_while_stop_is_there_and_equal_requests_are_joined() {
    let world = World::with_ssh(slow()).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(100), PoolState::Running).await;
    let stop = world.ask(&pool, Action::Stop, json!({"keep": true})).await.unwrap();
    for action in [Action::Install, Action::Upgrade] {
        let refused = world.ask(&pool, action, Value::Null).await;
        assert!(matches!(&refused, Err(AskError::Refused(_))), "{refused:?}");
    }
    let second = world.ask(&pool, Action::UninstallCheck, Value::Null).await.unwrap();
    let third = world.ask(&pool, Action::UninstallCheck, Value::Null).await.unwrap();
    assert_eq!((second.waits_for, third.id), (Some(stop.id), second.id));
    assert_eq!(world.ended(stop.id).await.state, TaskState::Succeeded);
    assert_eq!(world.ended(second.id).await.state, TaskState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn lookers_run_beside_each_other_and_a_cancelled_one_ends() {
    let world = World::with_ssh(Arc::new(Fake::new(|_| FakeHost {
        step_takes: Duration::from_millis(100),
        ..FakeHost::default()
    })))
    .await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(600), PoolState::Running).await;
    let mut events = world.watch();
    let usage = world.ask(&pool, Action::GatherUsage, Value::Null).await.unwrap();
    let logs = world.ask(&pool, Action::GatherLogs, Value::Null).await.unwrap();
    until(&mut events, usage.id, |task| task.state == TaskState::Running).await;
    until(&mut events, logs.id, |task| task.counts.done() > 0).await;
    assert_eq!(world.task(usage.id).await.state, TaskState::Running);
    for task in [usage.id, logs.id] {
        world.engine.cancel(task, "test").await.unwrap();
        let ended = world.ended(task).await;
        assert_eq!(ended.state, TaskState::Cancelled, "{}", ended.message);
        assert_eq!(count(&ended, Outcome::Running), 0);
    }
    assert!(world.engine.running().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_hosts_are_neither_failed_nor_fine_and_only_they_are_tried_again() {
    let down = Arc::new(AtomicBool::new(true));
    let is_down = Arc::clone(&down);
    let fake = Arc::new(Fake::new(move |target| {
        let dead = target.address.ends_with(".3") && is_down.load(Ordering::SeqCst);
        let refuses = target.address.ends_with(".4");
        FakeHost {
            unreachable: dead.then_some(Cause::ConnectTimeout),
            fails: if refuses {
                [("stop".to_owned(), (Cause::StopFailed, "it hangs".to_owned()))].into()
            } else {
                [].into()
            },
            ..FakeHost::default()
        }
    }));
    let world = World::with_ssh(fake.clone()).await;
    for n in 1..=5 {
        fake.change(&format!("127.77.0.{n}"), 22, |state| {
            state.current = Some(p2ppool_model::Digest::of(b"x"));
            state.running = true;
        });
    }
    let pool = world.pool("p", PoolSettings::default(), &hosts(5), PoolState::Running).await;
    let suspend = world.done(&pool, Action::Suspend).await;
    assert_eq!(suspend.state, TaskState::Partial);
    assert_eq!(suspend.message, "3 ok, 1 unreachable, 1 failed");
    let rows = world.hosts(suspend.id).await;
    assert_eq!((rows[2].outcome, rows[2].cause), (Outcome::Unreachable, Some(Cause::ConnectTimeout)));
    assert_eq!((rows[3].outcome, rows[3].cause), (Outcome::Failed, Some(Cause::StopFailed)));
    let known = world.context.store.pool_hosts(pool.id).await.unwrap();
    assert_eq!((known[2].known.reachable, known[0].known.reachable), (Some(false), Some(true)));

    down.store(false, Ordering::SeqCst);
    let retry = world.engine.retry(suspend.id, &[Outcome::Unreachable], &[], "test").await.unwrap();
    let retry = world.ended(retry.id).await;
    assert_eq!((retry.state, retry.retry_of, retry.counts.total()), (TaskState::Succeeded, Some(suspend.id), 1));
    assert_eq!(world.hosts(retry.id).await[0].attempt, 2);
    assert_eq!(fake.state("127.77.0.1", 22).steps.iter().filter(|step| *step == "stop").count(), 1);
}
