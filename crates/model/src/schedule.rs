//! What starts tasks by itself, and what became of each time.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::task::TaskState;
use crate::{Action, PoolId, ScheduleId, TaskId, Time};

/// Most schedules of one pool: every action at a few times, and the list stays one screen.
pub const SCHEDULES_MAX: usize = 100;
/// Longest jitter, seconds: a day.
pub const JITTER_MAX_S: u32 = 24 * 3600;
/// Longest cron expression, bytes.
pub const CRON_MAX: usize = 200;

/// Something that starts by itself, again and again or once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Schedule {
    /// Row identity.
    pub id: ScheduleId,
    /// The pool it acts on.
    pub pool: PoolId,
    /// Name of that pool.
    pub pool_name: String,
    /// What a person decided.
    #[serde(flatten)]
    pub plan: Plan,
    /// The time that comes next, before jitter; `null` when there is none (any more).
    pub next_at: Option<Time>,
    /// When that one is really done: its time and its share of the jitter.
    pub due_at: Option<Time>,
}

/// When, what and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plan {
    /// What it starts.
    pub starts: Starts,
    /// When.
    #[serde(flatten)]
    pub when: When,
    /// IANA time zone in which the cron expression is read, such as `Europe/Berlin`.
    pub time_zone: String,
    /// Each time is put off by up to this many seconds, evenly spread, so that many pools don't start at once.
    pub jitter_s: u32,
    /// What becomes of times at which no manager ran.
    pub catch_up: CatchUp,
    /// What becomes of a time at which the last one's task still runs.
    pub overlap: Overlap,
    /// It is on.
    pub enabled: bool,
}

/// What a schedule starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Starts {
    /// A task.
    Action {
        /// Of this action.
        action: Action,
        /// Its settings; `null` means all defaults.
        #[serde(default)]
        #[schema(value_type = Option<Object>)]
        params: serde_json::Value,
    },
    /// A run of a workflow.
    Workflow {
        /// Its name.
        workflow: String,
    },
}

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// At every time that a cron expression names: minute, hour, day of month, month, day of week.
    Cron(String),
    /// Once.
    At(Time),
}

/// A word of the API and the database.
macro_rules! words {
    ($name:ident, $what:literal, $($variant:ident = $word:literal),+) => {
        impl $name {
            /// The name used in the database and the API.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` is not {}; there is {}", $what, [$($word),+].join(", "))),
                }
            }
        }
    };
}

/// What becomes of times that were missed because no manager ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are noted as missed.
    Skip,
    /// However many were missed, it runs once as soon as a manager is there.
    #[default]
    RunOnce,
}

words!(CatchUp, "what to do about missed times", Skip = "skip", RunOnce = "run_once");

/// What becomes of a time at which the task of the last one has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// This time is left out.
    #[default]
    Skip,
    /// It stands in line behind the other; at most one waits.
    Queue,
}

words!(Overlap, "what to do about overlaps", Skip = "skip", Queue = "queue");

/// One time of a schedule and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleRun {
    /// The time that was due, before jitter; of a run by hand: when it was asked for.
    pub due_at: Time,
    /// When it was looked at.
    pub at: Time,
    /// What became of it.
    pub outcome: RunOutcome,
    /// The task that it started or joined.
    pub task: Option<TaskId>,
    /// How that task is now, while it is kept.
    pub task_state: Option<TaskState>,
    /// The workflow run that it started.
    pub workflow_run: Option<i64>,
    /// Why it did not start, as a sentence.
    pub message: String,
}

/// What became of one time of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// It is being started.
    Pending,
    /// A task or a workflow run was started, or one that waited was joined.
    Started,
    /// Left out: the last one had not ended, or there was nothing to do.
    Skipped,
    /// No manager ran at that time.
    Missed,
    /// It could not be started.
    Refused,
}

words!(
    RunOutcome,
    "an outcome of a schedule's time",
    Pending = "pending",
    Started = "started",
    Skipped = "skipped",
    Missed = "missed",
    Refused = "refused"
);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_plan_is_flat_in_json() {
        let plan = Plan {
            starts: Starts::Action { action: Action::Crawl, params: serde_json::Value::Null },
            when: When::Cron("*/30 * * * *".into()),
            time_zone: "UTC".into(),
            jitter_s: 0,
            catch_up: CatchUp::RunOnce,
            overlap: Overlap::Skip,
            enabled: true,
        };
        let json = json!({
            "starts": { "action": "crawl", "params": null }, "cron": "*/30 * * * *", "time_zone": "UTC",
            "jitter_s": 0, "catch_up": "run_once", "overlap": "skip", "enabled": true,
        });
        assert_eq!(serde_json::to_value(&plan).unwrap(), json);
        assert_eq!(serde_json::from_value::<Plan>(json).unwrap(), plan);
        let workflow: Starts = serde_json::from_value(json!({ "workflow": "nightly" })).unwrap();
        assert_eq!(workflow, Starts::Workflow { workflow: "nightly".into() });
    }

    #[test]
    fn words_are_read_back() {
        for word in [RunOutcome::Started, RunOutcome::Skipped, RunOutcome::Missed, RunOutcome::Refused] {
            assert_eq!(word.as_str().parse(), Ok(word));
        }
        assert!("sometimes".parse::<Overlap>().unwrap_err().contains("skip, queue"));
    }
}
