//! What a condition finds in what is known of a pool.

use std::collections::{HashMap, HashSet};

use crate::host::Host;
use crate::pool::{Pool, PoolState};
use crate::snapshot::Snapshot;
use crate::task::{Task, TaskState};
use crate::{Action, HostId, Time};

use super::Condition;

/// What is known of a pool.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The pool.
    pub pool: &'a Pool,
    /// Its hosts.
    pub hosts: &'a [Host],
    /// Its last crawls, newest first.
    pub crawls: &'a [Snapshot],
    /// Its last tasks that ended, newest first.
    pub tasks: &'a [Task],
    /// Hosts that show another key than their pinned one.
    pub keys_changed: &'a HashSet<HostId>,
}

/// Something that is wrong now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What tells it from others of the same rule: a host's address, an action, or nothing.
    pub subject: String,
    /// What is wrong, as a sentence.
    pub text: String,
    /// Since when it is known to be.
    pub since: Time,
}

/// What the condition finds now.
pub fn findings(condition: &Condition, known: &Known<'_>, now: Time) -> Vec<Finding> {
    // what a person took down is not wrong for being down
    if known.pool.state == PoolState::Uninstalling && !matches!(condition, Condition::TaskFailed { .. }) {
        return Vec::new();
    }
    let suspended = matches!(known.pool.state, PoolState::Suspended | PoolState::Created);
    match condition {
        Condition::ConsistencyBelow { .. } | Condition::NodesBelow { .. } if suspended => Vec::new(),
        Condition::ConsistencyBelow { below, crawls, of } => {
            consistency(known, *below, *crawls, *of).into_iter().collect()
        }
        Condition::NodesBelow { percent } => nodes(known, *percent).into_iter().collect(),
        Condition::HostUnreachable { .. } => {
            each_host(known, now, |host| (host.known.reachable == Some(false)).then(|| "can't be reached".to_owned()))
        }
        Condition::TaskFailed { actions, partial } => tasks(known, actions, *partial),
        Condition::DiskBelow { bytes } => each_host(known, now, |host| {
            let free = host.known.disk_free.filter(|free| free < bytes)?;
            Some(format!("has {} MiB of free space, less than {} MiB", free >> 20, bytes >> 20))
        }),
        Condition::VersionMismatch => each_host(known, now, |host| mismatch(known.pool, host)),
        Condition::HostKeyChanged => each_host(known, now, |host| {
            known.keys_changed.contains(&host.id).then(|| "shows another host key than its pinned one".to_owned())
        }),
    }
}

fn each_host(known: &Known<'_>, now: Time, wrong: impl Fn(&Host) -> Option<String>) -> Vec<Finding> {
    let staying = known.hosts.iter().filter(|host| !host.leaving);
    let found = staying.filter_map(|host| {
        let subject = host.spec.display();
        let text = format!("host {subject} {}", wrong(host)?);
        Some(Finding { subject, text, since: host.known.at.unwrap_or(now) })
    });
    found.collect()
}

fn mismatch(pool: &Pool, host: &Host) -> Option<String> {
    let (wanted, runs) = (pool.package.as_ref()?, host.known.package.as_ref()?);
    let running = host.known.running == Some(true);
    (running && wanted != runs).then(|| format!("runs package {}, not {}", runs.short(), wanted.short()))
}

fn consistency(known: &Known<'_>, below: f64, crawls: u32, of: u32) -> Option<Finding> {
    let looked_at = &known.crawls[..known.crawls.len().min(of as usize)];
    // a crawl that nobody answered is as inconsistent as can be
    let low = looked_at.iter().filter(|crawl| crawl.totals.consistency.unwrap_or(0.0) < below);
    let low: Vec<&Snapshot> = low.collect();
    let (newest, oldest) = (low.first()?, low.last()?);
    (low.len() >= crawls as usize).then(|| Finding {
        subject: String::new(),
        text: format!(
            "consistency was below {:.1} % in {} of the last {} crawls, {:.1} % in the newest of them",
            below * 100.0,
            low.len(),
            looked_at.len(),
            newest.totals.consistency.unwrap_or(0.0) * 100.0
        ),
        since: oldest.started,
    })
}

fn nodes(known: &Known<'_>, percent: f64) -> Option<Finding> {
    let newest = known.crawls.first()?;
    let hosts = known.hosts.iter().filter(|host| !host.leaving).count();
    let answering = newest.totals.answering;
    let low = hosts > 0 && (answering as f64) < hosts as f64 * percent / 100.0;
    low.then(|| Finding {
        subject: String::new(),
        text: format!("{answering} nodes answer, fewer than {percent} % of {hosts} hosts"),
        since: newest.started,
    })
}

fn tasks(known: &Known<'_>, actions: &[Action], partial: bool) -> Vec<Finding> {
    let mut newest: HashMap<Action, &Task> = HashMap::new();
    let says_something = |task: &&Task| !matches!(task.state, TaskState::Cancelled | TaskState::Preempted);
    for task in known.tasks.iter().filter(says_something) {
        newest.entry(task.action).or_insert(task);
    }
    let wrong = |state| match state {
        TaskState::Failed | TaskState::Interrupted => true,
        TaskState::Partial => partial,
        _ => false,
    };
    let mut found: Vec<Finding> = newest
        .into_values()
        .filter(|task| (actions.is_empty() || actions.contains(&task.action)) && wrong(task.state))
        .map(|task| Finding {
            subject: task.action.as_str().to_owned(),
            text: format!("{} #{} ended as {}: {}", task.action, task.id, task.state.as_str(), task.message),
            since: task.ended_at.unwrap_or(task.queued_at),
        })
        .collect();
    found.sort_by(|a, b| a.subject.cmp(&b.subject));
    found
}

#[cfg(test)]
mod tests {
    use crate::host::{HostKnown, HostSpec};
    use crate::pool::PoolSettings;
    use crate::snapshot::Totals;
    use crate::task::Counts;
    use crate::{CrawlId, PoolId, TaskId};

    use super::*;

    fn pool(state: PoolState) -> Pool {
        Pool {
            id: PoolId(1),
            name: "p".parse().unwrap(),
            settings: PoolSettings::default(),
            state,
            bundle: None,
            package: Some("a".repeat(64).parse().unwrap()),
            owner: None,
            created: Time(0),
        }
    }

    fn host(id: i64, known: HostKnown) -> Host {
        let spec = HostSpec { address: format!("h{id}"), ..HostSpec::default() };
        Host { id: HostId(id), pool: PoolId(1), spec, known, leaving: false }
    }

    fn crawl(consistency: Option<f64>, answering: u64, at: i64) -> Snapshot {
        let totals = Totals { consistency, answering, ..Totals::default() };
        Snapshot {
            id: CrawlId(at),
            pool: PoolId(1),
            task: None,
            started: Time(at),
            duration_ms: 1,
            complete: true,
            totals,
        }
    }

    fn task(action: Action, state: TaskState, id: i64) -> Task {
        Task {
            id: TaskId(id),
            pool: PoolId(1),
            pool_name: "p".into(),
            action,
            state,
            started_by: "t".into(),
            queued_at: Time(id),
            started_at: None,
            ended_at: Some(Time(id)),
            counts: Counts::default(),
            message: "m".into(),
            waits_for: None,
            end_request: None,
            retry_of: None,
            params: serde_json::Value::Null,
            result: None,
        }
    }

    #[derive(Default)]
    struct World {
        hosts: Vec<Host>,
        crawls: Vec<Snapshot>,
        tasks: Vec<Task>,
        keys: HashSet<HostId>,
    }

    impl World {
        fn subjects(&self, condition: &Condition) -> Vec<String> {
            self.found(condition, PoolState::Running).into_iter().map(|finding| finding.subject).collect()
        }

        fn found(&self, condition: &Condition, state: PoolState) -> Vec<Finding> {
            let pool = pool(state);
            let Self { hosts, crawls, tasks, keys } = self;
            let known = Known { pool: &pool, hosts, crawls, tasks, keys_changed: keys };
            findings(condition, &known, Time(1000))
        }
    }

    #[test]
    fn consistency_counts_n_of_the_last_m_crawls() {
        let crawls = [0.9, 1.0, 0.5, 1.0, 0.1].iter().zip((0..5).rev()).map(|(c, at)| crawl(Some(*c), 3, at)).collect();
        let world = World { crawls, ..World::default() };
        let rule = |crawls, of| Condition::ConsistencyBelow { below: 0.95, crawls, of };
        assert_eq!(world.subjects(&rule(1, 1)).len(), 1);
        assert_eq!(world.subjects(&rule(2, 2)).len(), 0);
        assert_eq!(world.subjects(&rule(2, 3)).len(), 1);
        assert_eq!(world.subjects(&rule(3, 4)).len(), 0);
        assert_eq!(world.found(&rule(3, 5), PoolState::Running)[0].since, Time(0));
        assert_eq!(world.found(&rule(1, 1), PoolState::Suspended), [], "a pool that stands still is not inconsistent");
        let nobody = World { crawls: vec![crawl(None, 0, 1)], ..World::default() };
        assert_eq!(nobody.subjects(&rule(1, 1)).len(), 1, "nobody answered");
        assert_eq!(World::default().subjects(&rule(1, 1)).len(), 0, "never crawled");
    }

    #[test]
    fn nodes_are_counted_against_hosts() {
        let hosts: Vec<Host> = (0..10).map(|id| host(id, HostKnown::default())).collect();
        let world = |answering| World {
            hosts: hosts.clone(),
            crawls: vec![crawl(Some(1.0), answering, 1)],
            ..World::default()
        };
        let rule = Condition::NodesBelow { percent: 80.0 };
        assert_eq!(world(8).subjects(&rule).len(), 0);
        assert_eq!(world(7).subjects(&rule).len(), 1);
        assert_eq!(World::default().subjects(&rule).len(), 0);
    }

    #[test]
    fn hosts_are_named_one_by_one() {
        let wrong = HostKnown {
            reachable: Some(false),
            disk_free: Some(5),
            running: Some(true),
            package: Some("b".repeat(64).parse().unwrap()),
            at: Some(Time(7)),
            ..HostKnown::default()
        };
        let right = HostKnown {
            reachable: Some(true),
            disk_free: Some(500),
            running: Some(true),
            package: Some("a".repeat(64).parse().unwrap()),
            ..HostKnown::default()
        };
        let mut world = World {
            hosts: vec![host(1, wrong.clone()), host(2, right), host(3, HostKnown::default()), host(4, wrong)],
            keys: [HostId(3)].into(),
            ..World::default()
        };
        world.hosts[3].leaving = true;
        assert_eq!(world.subjects(&Condition::HostUnreachable { minutes: 5 }), ["h1"]);
        assert_eq!(world.subjects(&Condition::DiskBelow { bytes: 100 }), ["h1"]);
        assert_eq!(world.subjects(&Condition::VersionMismatch), ["h1"]);
        assert_eq!(world.subjects(&Condition::HostKeyChanged), ["h3"]);
        assert_eq!(world.found(&Condition::VersionMismatch, PoolState::Running)[0].since, Time(7));
        assert_eq!(world.found(&Condition::HostUnreachable { minutes: 5 }, PoolState::Uninstalling), []);
    }

    #[test]
    fn the_newest_task_of_each_action_counts() {
        use Action::{Check, Crawl, Install};
        use TaskState::{Cancelled, Failed, Partial, Succeeded};
        let tasks = vec![
            task(Check, Cancelled, 9),
            task(Check, Failed, 8),
            task(Crawl, Succeeded, 7),
            task(Crawl, Failed, 6),
            task(Install, Partial, 5),
        ];
        let world = World { tasks, ..World::default() };
        let rule = |actions: &[Action], partial| Condition::TaskFailed { actions: actions.to_vec(), partial };
        assert_eq!(world.subjects(&rule(&[], false)), ["check"]);
        assert_eq!(world.subjects(&rule(&[], true)), ["check", "install"]);
        assert_eq!(world.subjects(&rule(&[Crawl], true)), Vec::<String>::new());
    }
}
