//! What a queued task waits for, in words, and when it may start.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::task::{Task, TaskState};
use crate::{TaskId, Time};

/// An estimate that lies further ahead tells nothing: the pace of the first hosts was not that of the others.
const ESTIMATE_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// Why a queued task has not started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// The task in its way; none: it waits for room in a manager.
    pub task: Option<TaskId>,
    /// What it waits for, as a sentence.
    pub text: String,
    /// When it may start, by the pace of the task in its way; none: that can't be known.
    pub may_start_at: Option<Time>,
}

/// A task, and what it waits for while it is queued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ShownTask {
    /// The task.
    #[serde(flatten)]
    pub task: Task,
    /// Of a queued task.
    #[serde(default)]
    pub waiting: Option<Waiting>,
}

impl Waiting {
    /// Of a task, given the one in its way. `None`: it does not wait.
    pub fn of(task: &Task, in_its_way: Option<&Task>, now: Time) -> Option<Self> {
        if task.state != TaskState::Queued {
            return None;
        }
        Some(match in_its_way.filter(|other| !other.state.is_final()) {
            Some(other) => Self {
                task: Some(other.id),
                text: format!("waits for {} #{}, {}", other.action, other.id, how_far(other)),
                may_start_at: rest(other, now).map(|rest| now.plus(rest)),
            },
            // what a manager without room noted, or nobody has looked at it yet
            None if task.message.is_empty() => Self::room("waits for a manager to take it up"),
            None => Self::room(&task.message),
        })
    }

    fn room(text: &str) -> Self {
        Self { task: None, text: text.to_owned(), may_start_at: None }
    }
}

fn how_far(other: &Task) -> String {
    match (other.state, other.end_request) {
        (TaskState::Queued, _) => "which waits itself".to_owned(),
        (_, Some(_)) => "which ends at its hosts' next steps".to_owned(),
        _ if other.counts.total() == 0 => "which is under way".to_owned(),
        _ => format!("which has done {} of {} hosts", other.counts.done(), other.counts.total()),
    }
}

/// How long a running task still takes, when the hosts to come are as quick as those that are done.
fn rest(task: &Task, now: Time) -> Option<Duration> {
    let (done, total) = (task.counts.done(), task.counts.total());
    if task.state != TaskState::Running || task.end_request.is_some() || done == 0 {
        return None;
    }
    let spent = now.since(task.started_at?);
    let rest = spent.as_secs_f64() * total.saturating_sub(done) as f64 / done as f64;
    (rest <= ESTIMATE_MAX.as_secs_f64()).then(|| Duration::from_secs_f64(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::{Counts, EndRequest};
    use crate::{Action, Outcome, PoolId};

    fn task(id: i64, action: Action, state: TaskState) -> Task {
        Task {
            id: TaskId(id),
            pool: PoolId(1),
            pool_name: "demo".into(),
            action,
            state,
            started_by: "ann".into(),
            queued_at: Time(0),
            started_at: (state == TaskState::Running).then_some(Time(0)),
            ended_at: None,
            counts: Counts::default(),
            message: String::new(),
            waits_for: None,
            end_request: None,
            retry_of: None,
            params: serde_json::Value::Null,
            result: None,
        }
    }

    #[test]
    fn it_names_the_task_and_when_that_may_be_over() {
        let queued = task(2, Action::Check, TaskState::Queued);
        let mut upgrade = task(1, Action::Upgrade, TaskState::Running);
        upgrade.counts = Counts([(Outcome::Ok, 50), (Outcome::NotStarted, 150)].into());
        let waiting = Waiting::of(&queued, Some(&upgrade), Time(10_000)).unwrap();
        assert_eq!(waiting.text, "waits for upgrade #1, which has done 50 of 200 hosts");
        assert_eq!((waiting.task, waiting.may_start_at), (Some(TaskId(1)), Some(Time(40_000))));
    }

    #[test]
    fn it_promises_no_time_that_nobody_can_know() {
        let queued = task(2, Action::Check, TaskState::Queued);
        let crawl = task(1, Action::Crawl, TaskState::Running);
        let mut ending = task(1, Action::Upgrade, TaskState::Running);
        ending.counts = Counts([(Outcome::Ok, 1), (Outcome::NotStarted, 1)].into());
        ending.end_request = Some(EndRequest::Preempt);
        let begins = Task { counts: Counts([(Outcome::NotStarted, 5)].into()), ..crawl.clone() };
        let waits = task(1, Action::Suspend, TaskState::Queued);
        for (other, words) in
            [(crawl, "under way"), (ending, "next steps"), (begins, "0 of 5"), (waits, "waits itself")]
        {
            let waiting = Waiting::of(&queued, Some(&other), Time(1_000)).unwrap();
            assert!(waiting.text.contains(words), "{}", waiting.text);
            assert_eq!(waiting.may_start_at, None, "{words}");
        }
    }

    #[test]
    fn without_a_task_in_its_way_it_says_which_limit_it_waits_for() {
        let mut queued = task(2, Action::Check, TaskState::Queued);
        assert!(Waiting::of(&queued, None, Time(0)).unwrap().text.contains("a manager"));
        queued.message = "waits for room: this manager runs 64 tasks, the most at once".into();
        let ended = task(1, Action::Upgrade, TaskState::Succeeded);
        let waiting = Waiting::of(&queued, Some(&ended), Time(0)).unwrap();
        assert_eq!((waiting.task, waiting.text), (None, queued.message.clone()));
        assert_eq!(Waiting::of(&task(2, Action::Check, TaskState::Running), None, Time(0)), None);
    }
}
