//! A task: one run of one action on a pool, with one outcome per host.
//!
//! ```text
//!            claimed                every host final
//!  queued ───────────► running ───────────────────────► succeeded | partial | failed
//!    │                   │ │
//!    │ cancelled         │ │ asked to make room; ends at the hosts' step boundaries
//!    │ or preempted      │ └──────────────────────────► cancelled | preempted
//!    ▼                   │ manager gone and nobody may go on
//!  cancelled             └────────────────────────────► interrupted
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Action, Cause, HostId, Outcome, PoolId, Step, TaskId, Time};

/// Where a task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Waits to be claimed.
    Queued,
    /// Claimed by a manager.
    Running,
    /// Every host is right.
    Succeeded,
    /// Some hosts are right.
    Partial,
    /// No host is right, or the action as a whole failed.
    Failed,
    /// Ended by a person.
    Cancelled,
    /// Made room for another task.
    Preempted,
    /// Its manager went away and it could not be gone on with.
    Interrupted,
}

impl TaskState {
    /// Every state.
    pub const ALL: [TaskState; 8] = [
        Self::Queued,
        Self::Running,
        Self::Succeeded,
        Self::Partial,
        Self::Failed,
        Self::Cancelled,
        Self::Preempted,
        Self::Interrupted,
    ];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Preempted => "preempted",
            Self::Interrupted => "interrupted",
        }
    }

    /// It will not change any more.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

impl std::str::FromStr for TaskState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| format!("`{text}` is not a task state"))
    }
}

/// How many hosts have which outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = std::collections::BTreeMap<String, u64>)]
pub struct Counts(pub BTreeMap<Outcome, u64>);

impl Counts {
    /// Hosts with this outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.0.get(&outcome).copied().unwrap_or(0)
    }

    /// All hosts.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Hosts whose outcome is final.
    pub fn done(&self) -> u64 {
        self.0.iter().filter(|(outcome, _)| outcome.is_final()).map(|(_, n)| n).sum()
    }

    /// The state that a task ends in by a pool's own measure; without one by [`Counts::end_state`].
    pub fn end_state_by(&self, policy: Option<&SuccessPolicy>) -> TaskState {
        let Some(policy) = policy else { return self.end_state() };
        let reachable = self.total() - self.of(Outcome::Unreachable);
        let right = self.of(Outcome::Ok) + self.of(Outcome::Unchanged);
        let at_least = |percent: u8| right * 100 >= u64::from(percent) * reachable;
        match (self.total(), right) {
            (0, _) => TaskState::Succeeded,
            (_, 0) => TaskState::Failed,
            _ if at_least(policy.succeeded) => TaskState::Succeeded,
            _ if at_least(policy.partial) => TaskState::Partial,
            _ => TaskState::Failed,
        }
    }

    /// The state that a task ends in when it was not told to end early: succeeded when every host
    /// is right, failed when none is, else partial. A task without hosts has succeeded.
    pub fn end_state(&self) -> TaskState {
        let right = self.of(Outcome::Ok) + self.of(Outcome::Unchanged);
        match (right, self.total()) {
            (right, total) if right == total => TaskState::Succeeded,
            (0, _) => TaskState::Failed,
            _ => TaskState::Partial,
        }
    }
}

/// When the tasks of a pool count as succeeded or as partial: by the share of those hosts that could be
/// reached. A task that was right on no host has failed, whatever was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SuccessPolicy {
    /// Succeeded from this percentage of right hosts, 1 to 100.
    pub succeeded: u8,
    /// Partial from this percentage, 0 to `succeeded`; failed below.
    #[serde(default)]
    pub partial: u8,
}

impl SuccessPolicy {
    /// Why it can't be used.
    pub fn problem(&self) -> Option<String> {
        let fine = (1..=100).contains(&self.succeeded) && self.partial <= self.succeeded;
        (!fine).then(|| {
            let Self { succeeded, partial } = self;
            format!("`succeeded` {succeeded} must be 1 to 100 percent, and `partial` {partial} at most as much")
        })
    }
}

/// A request to end a task early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndRequest {
    /// By a person.
    Cancel,
    /// By a task that excludes it.
    Preempt,
}

impl EndRequest {
    /// The name used in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Preempt => "preempt",
        }
    }
}

impl std::str::FromStr for EndRequest {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "cancel" => Ok(Self::Cancel),
            "preempt" => Ok(Self::Preempt),
            _ => Err(format!("`{text}` is not a request to end")),
        }
    }
}

/// A task as people see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Task {
    /// Row identity; shown as `#184`.
    pub id: TaskId,
    /// Pool it works on.
    pub pool: PoolId,
    /// Name of that pool.
    pub pool_name: String,
    /// What it does.
    pub action: Action,
    /// Where it is.
    pub state: TaskState,
    /// Who or what asked for it: a person's name, `schedule …`, `demo`.
    pub started_by: String,
    /// When it was asked for.
    pub queued_at: Time,
    /// When it was first claimed.
    pub started_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Hosts by outcome.
    pub counts: Counts,
    /// What it is doing or why it ended, as a sentence.
    pub message: String,
    /// The task that it waits for, while queued.
    pub waits_for: Option<TaskId>,
    /// Somebody asked it to end.
    pub end_request: Option<EndRequest>,
    /// The task whose unfinished hosts this one does again.
    pub retry_of: Option<TaskId>,
    /// Action-specific settings, as given.
    #[schema(value_type = Object)]
    pub params: serde_json::Value,
    /// Action-specific result, when it ended.
    #[schema(value_type = Option<Object>)]
    pub result: Option<serde_json::Value>,
}

/// One host in one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskHost {
    /// The host.
    pub host: HostId,
    /// Its address, as in the host list.
    pub address: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The step it is at or ended at.
    pub step: Option<Step>,
    /// Why, when it isn't right.
    pub cause: Option<Cause>,
    /// The cause in a sentence: what was tried, on what, why it failed.
    pub message: String,
    /// How often it was tried in this task.
    pub attempt: u32,
    /// Time it took so far, milliseconds.
    pub duration_ms: Option<u64>,
    /// Last change.
    pub at: Option<Time>,
}

/// Longest remote output kept per host, in bytes: the end of it, which tells why.
pub const OUTPUT_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(Outcome, u64)]) -> Counts {
        Counts(pairs.iter().copied().collect())
    }

    #[test]
    fn unreachable_is_never_fine() {
        assert_eq!(counts(&[(Outcome::Ok, 2), (Outcome::Unchanged, 1)]).end_state(), TaskState::Succeeded);
        assert_eq!(counts(&[(Outcome::Ok, 2), (Outcome::Unreachable, 1)]).end_state(), TaskState::Partial);
        assert_eq!(counts(&[(Outcome::Unreachable, 1)]).end_state(), TaskState::Failed);
        assert_eq!(counts(&[]).end_state(), TaskState::Succeeded);
    }

    #[test]
    fn a_pools_own_measure_looks_at_reachable_hosts_only() {
        let policy = SuccessPolicy { succeeded: 90, partial: 50 };
        let state = |right, failed, unreachable| {
            let all = [(Outcome::Ok, right), (Outcome::Failed, failed), (Outcome::Unreachable, unreachable)];
            counts(&all).end_state_by(Some(&policy))
        };
        assert_eq!(state(90, 10, 100), TaskState::Succeeded);
        assert_eq!(state(89, 11, 0), TaskState::Partial);
        assert_eq!(state(50, 50, 0), TaskState::Partial);
        assert_eq!(state(49, 51, 0), TaskState::Failed);
        assert_eq!(state(0, 0, 7), TaskState::Failed, "nobody was reached");
        assert_eq!(counts(&[]).end_state_by(Some(&policy)), TaskState::Succeeded);
        assert_eq!(counts(&[(Outcome::Ok, 1), (Outcome::Unreachable, 1)]).end_state_by(None), TaskState::Partial);
        assert_eq!(policy.problem(), None);
        for (succeeded, partial) in [(50, 60), (101, 0), (0, 0)] {
            assert!(SuccessPolicy { succeeded, partial }.problem().is_some(), "{succeeded} {partial}");
        }
    }

    #[test]
    fn counts_are_an_object_in_json() {
        let json = serde_json::to_string(&counts(&[(Outcome::Ok, 2), (Outcome::NotStarted, 1)])).unwrap();
        assert_eq!(json, r#"{"not_started":1,"ok":2}"#);
        assert_eq!(serde_json::from_str::<Counts>(&json).unwrap().done(), 2);
    }
}
