//! Tasks while they run: leases, the journal, and how fast many hosts are written.

use std::time::{Duration, Instant};

use p2ppool_model::pool::Pool;
use p2ppool_model::task::{Counts, TaskHost};
use p2ppool_model::{Action, Cause, HostId, Outcome, Step, TaskId, Time};
use p2ppool_store::{
    Admission, Admitted, Claimed, HostWrite, NewTask, NewTaskHost, Page, Starts, StepResult, StepWrite, Store,
    TaskBatch, TaskHostFilter, TaskProgress,
};

use crate::builders::pool;

crate::stories! {
    a_given_back_task_is_taken_over_at_once_and_a_held_one_after_its_lease
    ten_thousand_hosts_are_queued_and_written_fast
    the_journal_tells_what_was_under_way
}

const LEASE: Duration = Duration::from_secs(60);

fn new(pool: &Pool, action: Action, hosts: i64) -> NewTask {
    let host = |n| NewTaskHost { host: HostId(n), address: format!("h{n}"), attempt: 1 };
    NewTask {
        pool: pool.id,
        action,
        asked: "{}".into(),
        started_by: "anna".into(),
        params: serde_json::json!({}),
        retry_of: None,
        hosts: (1..=hosts).map(host).collect(),
    }
}

async fn queue(store: &Store, new: NewTask) -> TaskId {
    let admitted = store.admit_task(new, |_| Admission::Queue { make_room: vec![], waits_for: None }).await.unwrap();
    let Admitted::Queued { task, .. } = admitted else { panic!("{admitted:?}") };
    task.id
}

async fn claim(store: &Store, pool: &Pool, owner: &str, lease: Duration) -> Vec<Claimed> {
    let all = |line: &[p2ppool_store::InLine]| Starts {
        start: line.iter().filter(|one| !one.running).map(|one| one.id).collect(),
        ..Starts::default()
    };
    store.claim_tasks(pool.id, owner, lease, all).await.unwrap().0
}

fn row(host: i64, outcome: Outcome) -> TaskHost {
    TaskHost {
        host: HostId(host),
        address: format!("h{host}"),
        outcome,
        step: Some(Step::Start),
        cause: (!outcome.is_right()).then_some(Cause::StartFailed),
        message: "tried \0 it".into(),
        attempt: 1,
        duration_ms: Some(5),
        at: Some(Time(7)),
    }
}

fn progress(claimed: &Claimed, counts: &[(Outcome, u64)]) -> TaskProgress {
    let counts = Counts(counts.iter().copied().collect());
    TaskProgress { task: claimed.task.id, fence: claimed.fence, counts, message: "under way".into() }
}

async fn a_given_back_task_is_taken_over_at_once_and_a_held_one_after_its_lease(store: Store) {
    let pool = pool(&store, "demo").await;
    let id = queue(&store, new(&pool, Action::Check, 1)).await;
    let mine = claim(&store, &pool, "me", LEASE).await.remove(0);
    assert!(store.take_over_tasks("you", LEASE, false).await.unwrap().is_empty(), "its lease is good");
    store.release_task(id, mine.fence).await.unwrap();
    let yours = store.take_over_tasks("you", Duration::ZERO, false).await.unwrap().remove(0);
    assert_eq!((yours.task.id, yours.fence), (id, mine.fence + 1));
    assert!(store.heartbeat_tasks("me", LEASE).await.unwrap().is_empty());
    // a lease of no length is over by the next millisecond of the database's clock
    let begun = Instant::now();
    while store.take_over_tasks("third", LEASE, false).await.unwrap().is_empty() {
        assert!(begun.elapsed() < LEASE, "nobody could take over");
    }
}

async fn ten_thousand_hosts_are_queued_and_written_fast(store: Store) {
    const HOSTS: i64 = 10_000;
    let pool = pool(&store, "demo").await;
    let begun = Instant::now();
    let id = queue(&store, new(&pool, Action::Check, HOSTS)).await;
    println!("queued {HOSTS} hosts in {:?}", begun.elapsed());
    let claimed = claim(&store, &pool, "me", LEASE).await.remove(0);
    let hosts = (1..=HOSTS).map(|n| HostWrite { task: id, host: row(n, Outcome::Ok), output: None }).collect();
    let batch = TaskBatch { tasks: vec![progress(&claimed, &[(Outcome::Ok, 10_000)])], hosts, steps: vec![] };
    let begun = Instant::now();
    store.write_tasks(&batch).await.unwrap();
    println!("wrote {HOSTS} outcomes in {:?}", begun.elapsed());
    let right = TaskHostFilter { outcomes: vec![Outcome::Ok], text: None };
    assert_eq!(store.task_hosts(id, &right, Page::first(1)).await.unwrap().total, 10_000);
}

async fn the_journal_tells_what_was_under_way(store: Store) {
    let pool = pool(&store, "demo").await;
    let id = queue(&store, new(&pool, Action::Upgrade, 2)).await;
    let claimed = claim(&store, &pool, "me", LEASE).await.remove(0);
    let step = |host, number, step, result| StepWrite { task: id, fence: 1, host: HostId(host), number, step, result };
    let batch = TaskBatch {
        tasks: vec![progress(&claimed, &[])],
        hosts: vec![],
        steps: vec![
            step(1, 0, Step::Receive, None),
            step(1, 0, Step::Receive, Some(StepResult::Changed)),
            step(1, 1, Step::Activate, None),
            step(2, 0, Step::Receive, Some(StepResult::Failed(Cause::DiskFull))),
        ],
    };
    store.write_tasks(&batch).await.unwrap();
    let mut last = store.last_steps(id).await.unwrap();
    last.sort_by_key(|step| step.host);
    assert_eq!((last[0].step, last[0].ended), (Step::Activate, false));
    assert_eq!((last[1].step, last[1].ended), (Step::Receive, true));
}
