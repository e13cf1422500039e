//! The manager is killed at any instant and started again, with real processes on real SSH servers.
//!
//! The tasks are queued straight into the database, so that nothing has to know the manager's state.
//! `KILLS` says how often; the moments are chosen by a seed that is printed and can be given as `SEED`.

use std::time::Duration;

use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, TaskId, Time};
use serde_json::json;

use super::fleet::{Fleet, Manager};

const HOSTS: usize = 20;
/// Kills when nobody says otherwise.
const KILLS: u64 = 10;
/// It is killed at most so long after the chosen number of hosts was done.
const PAUSE_MAX_MS: u64 = 100;
/// A task is killed so often, and then left to end.
const KILLS_PER_TASK: u32 = 2;
/// Kills that may come too late however few are asked for.
const MISSES_MIN: u64 = 3;
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
            let manager = Manager::start(&fleet.data, &[], &[]);
            let done = fleet.store.task(task).await.unwrap().counts.done();
            fleet.got_to(task, done + chance.below((HOSTS as u64 - done).max(1))).await;
            tokio::time::sleep(Duration::from_millis(chance.below(PAUSE_MAX_MS))).await;
            manager.kill();
            let at_death = fleet.store.task(task).await.unwrap();
            if at_death.state.is_final() {
                missed += 1;
                break;
            }
            killed += 1;
            println!("{action} killed as {} with {} of {HOSTS} done", at_death.state.as_str(), at_death.counts.done());
        }
        assert!(missed <= kills.max(MISSES_MIN), "most kills came when the task had ended: {missed} beside {killed}");
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
    let folder = |n: usize| fleet.sshd.home().join("nodes").join(fleet.sshd.address(n).to_string());
    if action == Action::Stop {
        assert_eq!(nodes.len(), 0, "nodes after stop: {nodes:?}");
        // sshd ends its sessions in its own time
        until_none(|| fleet.sshd.processes()).await;
        let left: Vec<_> = (0..HOSTS).map(folder).filter(|folder| folder.exists()).collect();
        assert!(left.is_empty(), "folders after stop: {left:?}");
        return;
    }
    assert_eq!(nodes.len(), HOSTS, "hosts with a node after {action}");
    assert!(nodes.values().all(|count| *count == 1), "a host has two nodes: {nodes:?}");
    for n in 0..HOSTS {
        let current = std::fs::read_to_string(folder(n).join("current")).unwrap();
        assert!(folder(n).join("releases").join(current.trim()).is_dir(), "host {n} is half installed: {current}");
    }
    // shells of sessions that were cut
    until_none(|| strays(fleet)).await;
}

/// Processes of the hosts whose script was not ended with its connection.
fn strays(fleet: &Fleet) -> Vec<u32> {
    let of_session = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains("sshd-session")
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
