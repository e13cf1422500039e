//! What starts tasks by itself, and pools that are registered with all that belongs to them.

use std::time::Duration;

use futures::future::join_all;
use p2ppool_model::pool::PoolSettings;
use p2ppool_model::schedule::{CatchUp, Overlap, Plan, RunOutcome, SCHEDULES_MAX, Starts, When};
use p2ppool_model::{Action, TaskId, Time};
use p2ppool_store::{NewPool, NextTime, PoolChange, RunEnd, Sealed, SecretScope, Store, StoreError};

use crate::builders::{NOW, pool, specs};

crate::stories! {
    a_due_schedule_is_advanced_by_one_manager
    a_one_time_schedule_switches_itself_off
    a_time_that_nobody_ended_is_taken_by_one_manager
    schedules_are_changed_and_deleted
    the_last_times_of_a_schedule_are_kept
    a_pool_is_registered_whole_or_not_at_all
    settings_and_hosts_change_together
}

fn plan(starts: Starts, when: When) -> Plan {
    Plan {
        starts,
        when,
        time_zone: "Europe/Berlin".into(),
        jitter_s: 30,
        catch_up: CatchUp::Skip,
        overlap: Overlap::Queue,
        enabled: true,
    }
}

fn crawls() -> Plan {
    let params = serde_json::json!({ "a": [1, null] });
    plan(Starts::Action { action: Action::Crawl, params }, When::Cron("*/30 * * * *".into()))
}

fn at(time: Time) -> Option<NextTime> {
    Some(NextTime { at: time, due: time.plus(Duration::from_secs(7)) })
}

fn far() -> Time {
    Time::now().plus(Duration::from_secs(86_400))
}

fn started(task: i64) -> RunEnd {
    RunEnd { outcome: RunOutcome::Started, task: Some(TaskId(task)), workflow_run: None, message: String::new() }
}

async fn a_due_schedule_is_advanced_by_one_manager(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let due = store.create_schedule(pool, &crawls(), at(NOW)).await.unwrap();
    let later = store.create_schedule(pool, &crawls(), at(far())).await.unwrap();
    store.create_schedule(pool, &Plan { enabled: false, ..crawls() }, at(NOW)).await.unwrap();
    assert_eq!((due.plan.clone(), due.pool_name.as_str()), (crawls(), "demo"));

    let (now, found, next) = store.due_schedules().await.unwrap();
    assert_eq!((found.as_slice(), next), ([due.clone()].as_slice(), later.due_at));
    assert!(now > NOW);
    let won = join_all((0..4).map(|_| store.advance_schedule(&due, at(far())))).await;
    let mut won: Vec<_> = won.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(won.len(), 1);
    let run = won.remove(0);
    assert_eq!((run.due_at, &run.schedule), (NOW, &due));
    assert!(store.due_schedules().await.unwrap().1.is_empty());

    store.end_run(&run, &started(9)).await.unwrap();
    let runs = store.schedule_runs(None, 5).await.unwrap().remove(&due.id).unwrap();
    assert_eq!((runs[0].due_at, runs[0].outcome, runs[0].task), (NOW, RunOutcome::Started, Some(TaskId(9))));
    assert_eq!(runs[0].task_state, None, "there is no such task");
}

async fn a_one_time_schedule_switches_itself_off(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let starts = Starts::Workflow { workflow: "nightly".into() };
    let once = store.create_schedule(pool, &plan(starts, When::At(NOW)), at(NOW)).await.unwrap();
    assert!(store.advance_schedule(&once, None).await.unwrap().is_some());
    let off = store.schedule(once.id).await.unwrap();
    assert_eq!((off.plan.enabled, off.next_at, off.due_at), (false, None, None));
    assert_eq!((&off.plan.when, &off.plan.starts), (&once.plan.when, &once.plan.starts));
    assert!(store.advance_schedule(&off, None).await.unwrap().is_none());
}

async fn a_time_that_nobody_ended_is_taken_by_one_manager(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let due = store.create_schedule(pool, &crawls(), at(NOW)).await.unwrap();
    let run = store.advance_schedule(&due, at(far())).await.unwrap().unwrap();
    assert_eq!(store.stale_runs(Duration::from_secs(3600)).await.unwrap(), [], "somebody is at it");
    // a clock of one's own can't tell a millisecond: wait until the database's has moved on
    while store.now().await.unwrap() <= run.noted_at {}
    let taken = store.stale_runs(Duration::ZERO).await.unwrap();
    assert_eq!(taken.iter().map(|taken| (taken.run, taken.due_at)).collect::<Vec<_>>(), [(run.run, NOW)]);
    assert_eq!(store.task_asked_by(pool, "schedule #1", run.noted_at).await.unwrap(), None);
    store.end_run(&taken[0], &started(1)).await.unwrap();
    assert_eq!(store.stale_runs(Duration::ZERO).await.unwrap(), []);
}

async fn schedules_are_changed_and_deleted(store: Store) {
    let (one, two) = (pool(&store, "one").await.id, pool(&store, "two").await.id);
    let schedule = store.create_schedule(one, &crawls(), at(NOW)).await.unwrap();
    store.create_schedule(two, &crawls(), at(NOW)).await.unwrap();
    let changed = Plan { overlap: Overlap::Skip, when: When::At(far()), time_zone: "UTC".into(), ..crawls() };
    let stored = store.set_schedule(schedule.id, &changed, at(far())).await.unwrap();
    assert_eq!(stored.plan, changed);
    assert_eq!(store.schedules(Some(one)).await.unwrap(), [stored]);
    assert_eq!(store.schedules(None).await.unwrap().len(), 2);

    store.delete_schedule(schedule.id).await.unwrap();
    assert!(matches!(store.delete_schedule(schedule.id).await, Err(StoreError::NotFound { .. })));
    assert!(matches!(store.set_schedule(schedule.id, &changed, None).await, Err(StoreError::NotFound { .. })));
    store.delete_pool(two).await.unwrap();
    assert_eq!(store.schedules(None).await.unwrap(), []);

    for _ in 0..SCHEDULES_MAX {
        store.create_schedule(one, &crawls(), at(far())).await.unwrap();
    }
    assert!(matches!(store.create_schedule(one, &crawls(), None).await, Err(StoreError::Conflict { .. })));
}

async fn the_last_times_of_a_schedule_are_kept(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let schedule = store.create_schedule(pool, &crawls(), at(far())).await.unwrap();
    for task in 1..=60 {
        let run = store.begin_run(&schedule).await.unwrap();
        store.end_run(&run, &started(task)).await.unwrap();
    }
    let runs = store.schedule_runs(Some(schedule.id), 1000).await.unwrap().remove(&schedule.id).unwrap();
    let tasks: Vec<i64> = runs.iter().map(|run| run.task.unwrap().0).collect();
    assert_eq!(tasks, (11..=60).rev().collect::<Vec<_>>());
    assert_eq!(store.schedule(schedule.id).await.unwrap(), schedule, "what a person does now moves no time");
}

async fn a_pool_is_registered_whole_or_not_at_all(store: Store) {
    let (settings, hosts) = (PoolSettings::default(), specs("a\nb\n"));
    let (name, schedules) = ("demo".parse().unwrap(), [(crawls(), at(far()))]);
    let new = NewPool { name: &name, settings: &settings, owner: None, hosts: &hosts, schedules: &schedules, now: NOW };
    let no_key = store.register_pool(&new, |_| Err(StoreError::conflict("no key"))).await;
    assert!(matches!(no_key, Err(StoreError::Conflict { .. })));
    assert_eq!(store.pools().await.unwrap(), []);

    let secret = |_| Ok::<_, StoreError>(vec![Sealed { name: "network_secret", ciphertext: Some(vec![1, 2]) }]);
    let id = store.register_pool(&new, secret).await.unwrap();
    assert_eq!(store.pool_hosts(id).await.unwrap().len(), 2);
    assert_eq!(store.schedules(Some(id)).await.unwrap().len(), 1);
    assert_eq!(store.secret(SecretScope::Pool(id), "network_secret").await.unwrap(), Some(vec![1, 2]));
    assert!(matches!(store.register_pool(&new, secret).await, Err(StoreError::Conflict { .. })));
}

async fn settings_and_hosts_change_together(store: Store) {
    let pool = pool(&store, "demo").await;
    let settings = PoolSettings { description: "new".into(), ..pool.settings.clone() };
    let too_many = vec![specs("a").remove(0); 1];
    let many: Vec<_> = (0..=p2ppool_model::host_list::HOSTS_MAX)
        .map(|i| {
            let mut spec = too_many[0].clone();
            spec.address = format!("node{i}");
            spec
        })
        .collect();
    let change = PoolChange { settings: Some(&settings), secrets: vec![], hosts: Some(&many) };
    assert!(matches!(store.change_pool(pool.id, &change, NOW).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.pool(pool.id).await.unwrap().settings, pool.settings, "nothing was changed");

    let (hosts, secret) = (specs("a\nb\n"), Sealed { name: "network_secret", ciphertext: Some(vec![7]) });
    let change = PoolChange { settings: Some(&settings), secrets: vec![secret], hosts: Some(&hosts) };
    let set = store.change_pool(pool.id, &change, NOW).await.unwrap().unwrap();
    assert_eq!((set.added, set.leaving), (2, 0));
    assert_eq!(store.pool(pool.id).await.unwrap().settings, settings);
    let forget = Sealed { name: "network_secret", ciphertext: None };
    let change = PoolChange { secrets: vec![forget], ..PoolChange::default() };
    assert_eq!(store.change_pool(pool.id, &change, NOW).await.unwrap(), None);
    assert_eq!(store.secret(SecretScope::Pool(pool.id), "network_secret").await.unwrap(), None);
}
