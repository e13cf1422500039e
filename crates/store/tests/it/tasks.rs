//! Tasks: the line, claims, what a running one writes.

use std::time::Duration;

use futures::future::join_all;
use p2ppool_model::task::{Counts, EndRequest, OUTPUT_MAX, TaskHost, TaskState};
use p2ppool_model::{Action, Cause, HostId, Outcome, PoolId, Step, TaskId};
use p2ppool_store::{
    Admission, Admitted, Claimed, HostWrite, InLine, LastStep, NewTask, NewTaskHost, Page, Starts, StepResult,
    StepWrite, Store, StoreError, TaskBatch, TaskFilter, TaskHostFilter, TaskProgress, testing,
};

use crate::builders::{NOW, pool};

crate::stories! {
    a_task_from_the_line_to_its_end
    a_line_is_joined_refused_and_made_room_in
    what_an_old_claim_writes_is_not_written
    thousands_of_hosts_of_a_task_are_written_in_parts
    hosts_of_a_task_are_filtered
    hosts_of_a_task_come_as_people_count
    old_tasks_are_pruned_by_pool
}

const LEASE: Duration = Duration::from_secs(60);
/// Over as soon as it is given.
const NO_LEASE: Duration = Duration::ZERO;

fn new_task(pool: PoolId, action: Action, hosts: usize) -> NewTask {
    let host = |i: usize| NewTaskHost { host: HostId(i as i64 + 1), address: format!("node{i:04}"), attempt: 1 };
    NewTask {
        pool,
        action,
        asked: action.to_string(),
        started_by: "anna".into(),
        params: serde_json::json!({"a": [1, null]}),
        retry_of: None,
        hosts: (0..hosts).map(host).collect(),
    }
}

fn queue(_: &[InLine]) -> Admission {
    Admission::Queue { make_room: vec![], waits_for: None }
}

async fn queued(store: &Store, new: NewTask) -> TaskId {
    match store.admit_task(new, queue).await.unwrap() {
        Admitted::Queued { task, changed } => {
            assert_eq!(changed, []);
            task.id
        }
        other => panic!("{other:?}"),
    }
}

/// Starts all that waits.
fn all(line: &[InLine]) -> Starts {
    Starts {
        start: line.iter().filter(|task| !task.running).map(|task| task.id).collect(),
        wait: vec![],
        ..Starts::default()
    }
}

async fn claimed(store: &Store, pool: PoolId, owner: &str, lease: Duration) -> Claimed {
    let (mut claimed, changed) = store.claim_tasks(pool, owner, lease, all).await.unwrap();
    assert_eq!((claimed.len(), changed.len()), (1, 0));
    claimed.remove(0)
}

fn progress(claim: &Claimed, counts: &[(Outcome, u64)]) -> TaskProgress {
    TaskProgress {
        task: claim.task.id,
        fence: claim.fence,
        counts: Counts(counts.iter().copied().collect()),
        message: "working".into(),
    }
}

fn host_write(claim: &Claimed, host: i64, outcome: Outcome) -> HostWrite {
    let host = TaskHost {
        host: HostId(host),
        address: format!("node{:04}", host - 1),
        outcome,
        step: Some(Step::Start),
        cause: None,
        message: "so far".into(),
        attempt: 1,
        duration_ms: Some(5),
        at: Some(NOW),
    };
    HostWrite { task: claim.task.id, host, output: None }
}

async fn a_task_from_the_line_to_its_end(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let id = queued(&store, new_task(pool, Action::Install, 3)).await;
    let task = store.task(id).await.unwrap();
    assert_eq!((task.state, task.pool_name.as_str(), task.counts.total()), (TaskState::Queued, "demo", 3));
    assert_eq!(task.params, serde_json::json!({"a": [1, null]}));
    assert_eq!(store.pools_with_queue().await.unwrap(), [pool]);

    let claim = claimed(&store, pool, "manager1", LEASE).await;
    assert_eq!((claim.task.id, claim.task.state), (id, TaskState::Running));
    assert_eq!(store.pools_with_queue().await.unwrap(), []);
    let held = store.heartbeat_tasks("manager1", LEASE).await.unwrap();
    assert_eq!(held.iter().map(|held| (held.task, held.fence)).collect::<Vec<_>>(), [(id, claim.fence)]);
    assert_eq!(store.heartbeat_tasks("manager2", LEASE).await.unwrap(), []);

    // host 1 is written twice in one batch: the last one stays; host 2 printed too much
    let failed = HostWrite {
        host: TaskHost { cause: Some(Cause::StartFailed), ..host_write(&claim, 2, Outcome::Failed).host },
        output: Some(format!("{}end\0", "x".repeat(2 * OUTPUT_MAX))),
        ..host_write(&claim, 2, Outcome::Failed)
    };
    let step = |host, number, step, result| StepWrite {
        task: id,
        fence: claim.fence,
        host: HostId(host),
        number,
        step,
        result,
    };
    let batch = TaskBatch {
        tasks: vec![progress(&claim, &[(Outcome::Ok, 1), (Outcome::Failed, 1), (Outcome::NotStarted, 1)])],
        hosts: vec![host_write(&claim, 1, Outcome::Running), failed.clone(), host_write(&claim, 1, Outcome::Ok)],
        steps: vec![
            step(1, 1, Step::Receive, None),
            step(1, 1, Step::Receive, Some(StepResult::Changed)),
            step(1, 2, Step::Start, Some(StepResult::Unchanged)),
            step(2, 1, Step::Start, None),
        ],
    };
    assert_eq!(store.write_tasks(&batch).await.unwrap(), []);
    let listed = store.task_hosts(id, &TaskHostFilter::default(), Page::default()).await.unwrap();
    let outcomes: Vec<_> = listed.items.iter().map(|host| host.outcome).collect();
    assert_eq!(outcomes, [Outcome::Ok, Outcome::Failed, Outcome::NotStarted]);
    assert_eq!(listed.items[1], failed.host);
    let output = store.task_output(id, HostId(2)).await.unwrap().unwrap();
    assert!(output.ends_with("xend\u{fffd}") && output.len() <= OUTPUT_MAX + 2, "{}", output.len());
    assert_eq!(store.task_output(id, HostId(1)).await.unwrap(), None);
    let mut steps = store.last_steps(id).await.unwrap();
    steps.sort_by_key(|step| step.host);
    let last = |host, ended| LastStep { host: HostId(host), step: Step::Start, ended };
    assert_eq!(steps, [last(1, true), last(2, false)]);

    let end = progress(&claim, &[(Outcome::Ok, 1), (Outcome::Failed, 2)]);
    let result = serde_json::json!({"package": "abc"});
    let ended = store.end_task(&end, TaskState::Partial, Some(&result)).await.unwrap().unwrap();
    assert_eq!((ended.state, &ended.result), (TaskState::Partial, &Some(result)));
    assert!(ended.ended_at >= ended.started_at && ended.started_at.unwrap() >= ended.queued_at);
    assert_eq!(store.task(id).await.unwrap(), ended);
    assert_eq!(store.end_task(&end, TaskState::Failed, None).await.unwrap(), None, "it has ended");
    assert_eq!(store.request_task_end(id, EndRequest::Cancel, "late").await.unwrap(), None);
    assert_eq!(store.open_tasks(None).await.unwrap(), []);
    assert!(matches!(store.task(TaskId(999)).await, Err(StoreError::NotFound { .. })));

    store.delete_pool(pool).await.unwrap();
    assert_eq!(store.task(id).await.unwrap(), ended, "what was done outlives the pool");
    let gone = store.admit_task(new_task(pool, Action::Crawl, 0), queue).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })));
}

async fn a_line_is_joined_refused_and_made_room_in(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let first = queued(&store, new_task(pool, Action::Check, 1)).await;
    let joined = store.admit_task(new_task(pool, Action::Check, 1), |line| Admission::Join(line[0].id)).await.unwrap();
    assert!(matches!(joined, Admitted::Joined(task) if task.id == first));
    let refused = store.admit_task(new_task(pool, Action::Install, 1), |_| Admission::Refuse("no".into())).await;
    assert_eq!(refused.unwrap(), Admitted::Refused("no".into()));
    assert_eq!(store.open_tasks(Some(pool)).await.unwrap().len(), 1, "neither left anything");

    let running = claimed(&store, pool, "m", LEASE).await;
    let waiting = queued(&store, new_task(pool, Action::Crawl, 0)).await;
    let admitted = store.admit_task(new_task(pool, Action::Stop, 1), |line| {
        assert_eq!(
            line.iter().map(|task| (task.id, task.running)).collect::<Vec<_>>(),
            [(first, true), (waiting, false)]
        );
        Admission::Queue { make_room: line.iter().map(|task| task.id).collect(), waits_for: Some(first) }
    });
    let Admitted::Queued { task: stop, changed } = admitted.await.unwrap() else { panic!("not queued") };
    assert_eq!(stop.waits_for, Some(first));
    let states: Vec<_> = changed.iter().map(|task| (task.id, task.state, task.end_request)).collect();
    let told = Some(EndRequest::Preempt);
    assert_eq!(states, [(first, TaskState::Running, told), (waiting, TaskState::Cancelled, told)]);
    assert_eq!(store.heartbeat_tasks("m", LEASE).await.unwrap()[0].end_request, told);
    let person = store.request_task_end(first, EndRequest::Cancel, "x").await.unwrap().unwrap();
    assert_eq!(person.end_request, Some(EndRequest::Cancel), "a person's wish stands over another task's");
    assert_eq!(store.request_task_end(first, EndRequest::Preempt, "x").await.unwrap(), None);

    let stop = stop.id;
    let wait =
        |waits_for| move |_: &[InLine]| Starts { start: vec![], wait: vec![(stop, waits_for)], ..Starts::default() };
    assert_eq!(store.claim_tasks(pool, "m", LEASE, wait(first)).await.unwrap(), (vec![], vec![]), "known already");
    let (none, changed) = store.claim_tasks(pool, "m", LEASE, wait(TaskId(77))).await.unwrap();
    assert_eq!((none.len(), changed[0].waits_for), (0, Some(TaskId(77))));
    store.end_task(&progress(&running, &[]), TaskState::Cancelled, None).await.unwrap().unwrap();
    assert_eq!(claimed(&store, pool, "m", LEASE).await.task.id, stop);
}

async fn what_an_old_claim_writes_is_not_written(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let id = queued(&store, new_task(pool, Action::Install, 1)).await;
    let old = claimed(&store, pool, "m1", NO_LEASE).await;
    // a lease of nothing is over with the next millisecond of the database's clock
    let new = loop {
        let mut taken = store.take_over_tasks("m2", LEASE, false).await.unwrap();
        if let Some(new) = taken.pop() {
            break new;
        }
    };
    assert_eq!(new.task.id, id);
    assert!(new.fence > old.fence);
    assert_eq!(store.take_over_tasks("m3", LEASE, false).await.unwrap(), [], "its lease holds");
    assert_eq!(store.take_over_tasks("m3", LEASE, true).await.unwrap(), [], "it is not its own");
    assert_eq!(store.heartbeat_tasks("m1", LEASE).await.unwrap(), []);

    let batch = |claim: &Claimed, outcome| TaskBatch {
        tasks: vec![progress(claim, &[(outcome, 1)])],
        hosts: vec![HostWrite { output: Some("said".into()), ..host_write(claim, 1, outcome) }],
        steps: vec![StepWrite {
            task: id,
            fence: claim.fence,
            host: HostId(1),
            number: 1,
            step: Step::Stop,
            result: None,
        }],
    };
    assert_eq!(store.write_tasks(&batch(&old, Outcome::Failed)).await.unwrap(), [id]);
    assert_eq!(store.all_task_hosts(id).await.unwrap()[0].outcome, Outcome::NotStarted);
    assert_eq!(store.task_output(id, HostId(1)).await.unwrap(), None);
    assert_eq!(store.last_steps(id).await.unwrap(), []);
    assert_eq!(store.end_task(&progress(&old, &[]), TaskState::Failed, None).await.unwrap(), None);
    store.release_task(id, old.fence).await.unwrap();
    assert_eq!(store.heartbeat_tasks("m2", LEASE).await.unwrap().len(), 1, "an old claim gives nothing back");

    assert_eq!(store.write_tasks(&batch(&new, Outcome::Ok)).await.unwrap(), []);
    store.release_task(id, new.fence).await.unwrap();
    assert_eq!(store.heartbeat_tasks("m2", LEASE).await.unwrap(), []);
    let again = store.take_over_tasks("m2", LEASE, false).await.unwrap();
    let own = store.take_over_tasks("m2", LEASE, true).await.unwrap();
    assert_eq!((again.len(), own.len()), (1, 1), "a manager that starts again takes its own");
    assert_eq!(store.all_task_hosts(id).await.unwrap()[0].outcome, Outcome::Ok, "finished hosts stay finished");
}

async fn thousands_of_hosts_of_a_task_are_written_in_parts(store: Store) {
    const HOSTS: usize = 1_234;
    let pool = pool(&store, "big").await.id;
    let id = queued(&store, new_task(pool, Action::Install, HOSTS)).await;
    let claim = claimed(&store, pool, "m", LEASE).await;
    let hosts = (1..=HOSTS as i64)
        .map(|host| HostWrite { output: Some(format!("host {host}")), ..host_write(&claim, host, Outcome::Ok) });
    let steps = (1..=HOSTS as i64).map(|host| StepWrite {
        task: id,
        fence: claim.fence,
        host: HostId(host),
        number: 1,
        step: Step::Activate,
        result: Some(StepResult::Failed(Cause::DiskFull)),
    });
    let batch = TaskBatch {
        tasks: vec![progress(&claim, &[(Outcome::Ok, HOSTS as u64)])],
        hosts: hosts.collect(),
        steps: steps.collect(),
    };
    assert_eq!(store.write_tasks(&batch).await.unwrap(), []);
    let stored = store.all_task_hosts(id).await.unwrap();
    assert_eq!((stored.len(), stored.iter().filter(|host| host.outcome == Outcome::Ok).count()), (HOSTS, HOSTS));
    assert_eq!(store.last_steps(id).await.unwrap().len(), HOSTS);
    assert_eq!(store.task_output(id, HostId(777)).await.unwrap().as_deref(), Some("host 777"));
    assert_eq!(store.task(id).await.unwrap().counts.of(Outcome::Ok), HOSTS as u64);
}

async fn hosts_of_a_task_are_filtered(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let id = queued(&store, new_task(pool, Action::Check, 12)).await;
    let claim = claimed(&store, pool, "m", LEASE).await;
    let batch = TaskBatch {
        tasks: vec![progress(&claim, &[])],
        hosts: vec![host_write(&claim, 3, Outcome::Ok), host_write(&claim, 4, Outcome::Unreachable)],
        steps: vec![],
    };
    store.write_tasks(&batch).await.unwrap();
    let found = async |outcomes: &[Outcome], text: Option<&str>, page: Page| -> (u64, Vec<i64>) {
        let filter = TaskHostFilter { outcomes: outcomes.to_vec(), text: text.map(str::to_owned) };
        let listed = store.task_hosts(id, &filter, page).await.unwrap();
        (listed.total, listed.items.iter().map(|host| host.host.0).collect())
    };
    let all = Page::default();
    assert_eq!(found(&[Outcome::Ok, Outcome::Unreachable], None, all).await, (2, vec![3, 4]));
    assert_eq!(found(&[], Some("SO FAR"), all).await, (2, vec![3, 4]));
    assert_eq!(found(&[Outcome::NotStarted], Some("node001"), all).await, (2, vec![11, 12]));
    assert_eq!(found(&[], Some("%"), all).await, (0, vec![]));
    assert_eq!(found(&[], None, Page { limit: 2, offset: 5 }).await, (12, vec![6, 7]));
}

async fn hosts_of_a_task_come_as_people_count(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let addresses = ["node10", "10.0.0.10", "node2", "10.0.0.2", "Node1", "10.0.0.10"];
    let host =
        |(i, address): (usize, &&str)| NewTaskHost { host: HostId(i as i64), address: (*address).into(), attempt: 1 };
    let new = NewTask { hosts: addresses.iter().enumerate().map(host).collect(), ..new_task(pool, Action::Check, 0) };
    let id = queued(&store, new).await;
    let listed = async |page| {
        let listed = store.task_hosts(id, &TaskHostFilter::default(), page).await.unwrap();
        (listed.total, listed.items.iter().map(|row| row.host.0).collect::<Vec<_>>())
    };
    assert_eq!(listed(Page::default()).await, (6, vec![3, 1, 5, 4, 2, 0]));
    assert_eq!(listed(Page { limit: 2, offset: 3 }).await, (6, vec![4, 2]));
    assert_eq!(listed(Page { limit: 2, offset: 9 }).await, (6, vec![]));
}

async fn old_tasks_are_pruned_by_pool(store: Store) {
    let (one, two) = (pool(&store, "one").await.id, pool(&store, "two").await.id);
    for pool in [one, one, one, one, two] {
        queued(&store, new_task(pool, Action::Crawl, 1)).await;
        let claim = claimed(&store, pool, "m", LEASE).await;
        store.end_task(&progress(&claim, &[]), TaskState::Succeeded, None).await.unwrap().unwrap();
    }
    let waiting = queued(&store, new_task(one, Action::Check, 1)).await;
    assert_eq!(store.prune_tasks(2).await.unwrap(), 2);
    let listed = async |filter: TaskFilter| -> Vec<i64> {
        let listed = store.tasks(&filter, Page::default()).await.unwrap();
        assert_eq!(listed.total, listed.items.len() as u64);
        listed.items.iter().map(|task| task.id.0).collect()
    };
    assert_eq!(listed(TaskFilter { pool: Some(one), ..TaskFilter::default() }).await, [waiting.0, 4, 3]);
    assert_eq!(listed(TaskFilter { states: vec![TaskState::Succeeded], ..TaskFilter::default() }).await, [5, 4, 3]);
    let states = vec![TaskState::Queued, TaskState::Running];
    assert_eq!(listed(TaskFilter { pool: Some(one), states, ..TaskFilter::default() }).await, [waiting.0]);
    assert_eq!(store.all_task_hosts(TaskId(1)).await.unwrap(), []);
    assert_eq!(store.open_tasks(Some(two)).await.unwrap(), []);
}

/// Several managers on one database ask for tasks and look for tasks to run at the same time: each
/// request is decided on a line that nobody else changes meanwhile, each task has one owner.
#[tokio::test]
async fn managers_share_one_line() {
    const MANAGERS: usize = 4;
    const ASKED: usize = 8;
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let stores = join_all((0..MANAGERS).map(|_| Store::open(&fresh.url))).await;
        let stores: Vec<Store> = stores.into_iter().map(|store| store.unwrap()).collect();
        let pool = pool(&fresh.store, "demo").await.id;

        // all ask for the same: one is queued, the others join it
        let join_or_queue = |line: &[InLine]| match line.first() {
            Some(first) => Admission::Join(first.id),
            None => queue(line),
        };
        let asked = stores.iter().flat_map(|store| {
            (0..ASKED).map(move |_| store.admit_task(new_task(pool, Action::Check, 5), join_or_queue))
        });
        let admitted: Vec<Admitted> = join_all(asked).await.into_iter().map(|asked| asked.unwrap()).collect();
        let queued = admitted.iter().filter(|admitted| matches!(admitted, Admitted::Queued { .. })).count();
        assert_eq!((queued, admitted.len()), (1, MANAGERS * ASKED));

        // all look for tasks to run: one gets it
        let owners: Vec<String> = (0..MANAGERS).map(|i| format!("m{i}")).collect();
        let claims = stores.iter().zip(&owners).map(|(store, owner)| store.claim_tasks(pool, owner, NO_LEASE, all));
        let claimed: usize = join_all(claims).await.into_iter().map(|claimed| claimed.unwrap().0.len()).sum();
        assert_eq!(claimed, 1);

        // its owner dies, all see it: one takes it over
        let mut taken = 0;
        while taken == 0 {
            let takers = stores.iter().zip(&owners).map(|(store, owner)| store.take_over_tasks(owner, LEASE, false));
            taken = join_all(takers).await.into_iter().map(|taken| taken.unwrap().len()).sum();
        }
        assert_eq!(taken, 1);
        join_all(stores.iter().map(Store::close)).await;
    }
}
