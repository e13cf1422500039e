//! The manager is killed at any instant and started again, with real processes on real SSH servers.
//!
//! The tasks are queued straight into the database, so that nothing has to know the manager's state.
//! `KILLS` says how often; the moments are chosen by a seed that is printed and can be given as `SEED`.

mod rotate;

use std::time::Duration;

use p2ppool_model::task::TaskState;
use p2ppool_model::workflow::run::{Progress, RunState, StepRun};
use p2ppool_model::{Action, TaskId, Time};
use p2ppool_store::{NewRun, Page, TaskFilter, WorkflowRun};
use serde_json::json;

use super::fleet::{Fleet, Manager, PATIENCE};

const HOSTS: usize = 20;
/// Kills when nobody says otherwise.
const KILLS: u64 = 10;
/// It is killed at most so long after the chosen number of hosts was done.
const PAUSE_MAX_MS: u64 = 100;
/// A task is killed so often, and then left to end.
const KILLS_PER_TASK: u32 = 2;
/// So many times as many kills may come too late, as on a machine that is much faster than this.
const MISSES_MAX: u64 = 10;
/// Processes of a session that was cut are gone by then.
const ORPHANS_END: Duration = Duration::from_secs(30);

/// A small generator, so that a failed run can be repeated by its seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn a_manager_that_is_killed_loses_nothing_and_doubles_nothing() {
    let seed = number("SEED").unwrap_or_else(|| Time::now().0.unsigned_abs());
    let kills = number("KILLS").unwrap_or(KILLS);
    println!("SEED={seed} KILLS={kills}");
    let mut chance = Chance(seed);
    let fleet = Fleet::new(HOSTS, None).await;
    let (mut killed, mut missed) = (0, 0);
    for round in 0.. {
        let action = [Action::Install, Action::Upgrade, Action::Stop][round % 3];
        if action == Action::Upgrade {
            let mut settings = fleet.pool.settings.clone();
            settings.bootstrap = vec![format!("/ip4/127.0.0.1/tcp/{}", 1 + round)];
            fleet.store.set_pool_settings(fleet.pool.id, &settings).await.unwrap();
        }
        let params = if action == Action::Stop { json!({"keep": true}) } else { json!({}) };
        let task = fleet.queue(action, params).await;
        for _ in 0..KILLS_PER_TASK {
            if !kill_during(&fleet, task, &mut chance).await {
                missed += 1;
                break;
            }
            killed += 1;
        }
        assert!(
            missed <= MISSES_MAX * kills,
            "nearly all kills came when the task had ended: {missed} beside {killed}"
        );
        let manager = Manager::start(&fleet.data, &[], &[]);
        whole(&fleet, task, action).await;
        // what it queued itself ends, too
        for other in fleet.store.open_tasks(None).await.unwrap() {
            fleet.ended(other.id).await;
        }
        manager.kill();
        clean(&fleet, action).await;
        if killed >= kills {
            break;
        }
    }
    println!("{killed} kills, {missed} too late");
}

/// Starts a manager and kills it while the task is under way; tells whether the task had not ended.
async fn kill_during(fleet: &Fleet, task: TaskId, chance: &mut Chance) -> bool {
    let manager = Manager::start(&fleet.data, &[], &[]);
    let before = fleet.store.task(task).await.unwrap();
    let done = before.counts.done();
    fleet.got_to(task, done + chance.below((HOSTS as u64 - done).max(1))).await;
    tokio::time::sleep(Duration::from_millis(chance.below(PAUSE_MAX_MS))).await;
    manager.kill();
    let at_death = fleet.store.task(task).await.unwrap();
    let (action, state) = (at_death.action, at_death.state.as_str());
    println!("{action} killed as {state} with {} of {HOSTS} done", at_death.counts.done());
    !at_death.state.is_final()
}

const CHURN: &str = "
steps:
  - { name: look, run: check }
  - { name: hurt, fault: { kind: kill, share: 5, seed: 1 } }
  - { name: heal, fault: { kind: resume } }
  - { name: whole, wait: nodes >= 100%, within: 1h }
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn a_rolling_upgrade_and_a_workflow_go_on_where_a_killed_manager_left_them() {
    let seed = number("SEED").unwrap_or_else(|| Time::now().0.unsigned_abs());
    println!("SEED={seed}");
    let mut chance = Chance(seed);
    let fleet = Fleet::new(HOSTS, None).await;
    let manager = Manager::start(&fleet.data, &[], &[]);
    let install = fleet.queue(Action::Install, json!({})).await;
    whole(&fleet, install, Action::Install).await;
    manager.kill();

    let settings = json!({ "bootstrap": ["/ip4/127.0.0.1/tcp/9"] });
    let rolling = json!({ "batch": 7, "canary": 1, "gate": { "nodes_min": "100%", "within_s": 3600 } });
    let upgrade = fleet.queue(Action::Upgrade, json!({ "rolling": rolling, "settings": settings })).await;
    for _ in 0..KILLS_PER_TASK {
        kill_during(&fleet, upgrade, &mut chance).await;
    }
    let manager = Manager::start(&fleet.data, &[], &[]);
    whole(&fleet, upgrade, Action::Upgrade).await;
    clean(&fleet, Action::Upgrade).await;
    manager.kill();

    let run = begin(&fleet, "churn", CHURN).await;
    for step in ["look", "hurt", "heal"] {
        let manager = Manager::start(&fleet.data, &[], &[]);
        let at = got_to_step(&fleet, run, Some(step)).await;
        tokio::time::sleep(Duration::from_millis(chance.below(PAUSE_MAX_MS))).await;
        manager.kill();
        println!("workflow killed at about {:?}", at.progress.at);
    }
    let manager = Manager::start(&fleet.data, &[], &[]);
    let end = got_to_step(&fleet, run, None).await;
    assert_eq!(end.progress.state, RunState::Succeeded, "{:?}", end.progress);
    for other in fleet.store.open_tasks(None).await.unwrap() {
        fleet.ended(other.id).await;
    }
    manager.kill();
    let tasks = fleet.store.tasks(&TaskFilter::default(), Page::first(100)).await.unwrap().items;
    for step in ["look", "hurt", "heal"] {
        let asker = format!("workflow churn #{run}, step {step}");
        assert_eq!(tasks.iter().filter(|task| task.started_by == asker).count(), 1, "{asker}");
    }
    clean(&fleet, Action::Check).await;
}

/// A run of this text, as it is begun through the API.
async fn begin(fleet: &Fleet, name: &str, text: &str) -> i64 {
    let workflow = fleet.store.put_workflow(name, text, "test", true).await.unwrap();
    let progress = Progress::begin(&p2ppool::workflow::check(text).unwrap(), fleet.store.now().await.unwrap());
    let pool_name = fleet.pool.name.to_string();
    let new = NewRun { workflow, pool: fleet.pool.id, pool_name, started_by: "test".into(), progress };
    fleet.store.start_run(&new, 1, false).await.unwrap().id
}

/// Waits until a run is at this step or further; none: until it has ended.
async fn got_to_step(fleet: &Fleet, run: i64, step: Option<&str>) -> WorkflowRun {
    let begun = std::time::Instant::now();
    loop {
        let now = fleet.store.workflow_run(run).await.unwrap();
        let is_there = |one: &StepRun| Some(one.name.as_str()) == step && one.started_at.is_some();
        if now.progress.state != RunState::Running || now.progress.steps.iter().any(is_there) {
            return now;
        }
        assert!(begun.elapsed() < PATIENCE, "the run never got there: {:?}", now.progress);
        // another process writes: its database is all that tells
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The task ended well, on every host.
async fn whole(fleet: &Fleet, task: TaskId, action: Action) {
    let end = fleet.ended(task).await;
    let rows = fleet.store.all_task_hosts(task).await.unwrap();
    let wrong: Vec<_> = rows.iter().filter(|row| !row.outcome.is_right()).collect();
    assert_eq!(end.state, TaskState::Succeeded, "{action} was killed: {} {wrong:?}", end.message);
    assert_eq!(rows.len(), HOSTS);
}

/// One node per host, or nothing at all; nothing half installed, no process that nobody wants.
async fn clean(fleet: &Fleet, action: Action) {
    let nodes = fleet.nodes();
    if action == Action::Stop {
        assert_eq!(nodes.len(), 0, "nodes after stop: {nodes:?}");
        // sshd ends its sessions in its own time
        until_none(|| fleet.sshd.processes()).await;
        let left: Vec<_> = (0..HOSTS).map(|n| fleet.install_path(n)).filter(|folder| folder.exists()).collect();
        assert!(left.is_empty(), "folders after stop: {left:?}");
        return;
    }
    assert_eq!(nodes.len(), HOSTS, "hosts with a node after {action}");
    assert!(nodes.values().all(|count| *count == 1), "a host has two nodes: {nodes:?}");
    for n in 0..HOSTS {
        let folder = fleet.install_path(n);
        let current = std::fs::read_to_string(folder.join("current"));
        let current =
            current.unwrap_or_else(|error| panic!("host {n} is half installed: {}: {error}", folder.display()));
        assert!(folder.join("releases").join(current.trim()).is_dir(), "host {n} is half installed: {current}");
    }
    // shells of sessions that were cut
    until_none(|| strays(fleet)).await;
}

/// Processes of the hosts whose script was not ended with its connection.
fn strays(fleet: &Fleet) -> Vec<u32> {
    let of_session = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("-s\0serve\0")
    };
    fleet.sshd.processes().into_iter().filter(of_session).collect()
}

async fn until_none(look: impl Fn() -> Vec<u32>) {
    let begun = std::time::Instant::now();
    loop {
        let left = look();
        if left.is_empty() {
            return;
        }
        let line = |pid: &u32| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert!(begun.elapsed() < ORPHANS_END, "left: {:?}", left.iter().map(line).collect::<Vec<_>>());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
