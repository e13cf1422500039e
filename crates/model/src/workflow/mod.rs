//! Workflows: named steps with branches, written as YAML or JSON.
//!
//! [`parse`] turns a text into a [`Workflow`] or tells every error with its line. A workflow is a
//! graph without cycles; [`run::Progress`] walks it, one step at a time, and always comes to an end.

mod condition;
mod parse;
pub mod run;
mod span;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Action;
use crate::fault::Fault;

pub use condition::{Compare, Condition, Metric, Reading};
pub use parse::parse;
pub use span::{duration, duration_text};

/// Longest text of a workflow, in bytes.
pub const TEXT_MAX: usize = 64 * 1024;
/// Most steps of a workflow.
pub const STEPS_MAX: usize = 100;
/// Most conditions that one step waits for.
pub const CONDITIONS_MAX: usize = 8;
/// Longest sleep, and longest time that a step waits for something, in seconds: a week.
pub const WAIT_MAX_S: u64 = 7 * 24 * 3600;
/// How long a condition is waited for when nobody says otherwise, in seconds.
pub const WITHIN_DEFAULT_S: u64 = 600;
/// How long a person is waited for when nobody says otherwise, in seconds.
pub const APPROVAL_DEFAULT_S: u64 = 24 * 3600;
/// Longest question or message, in bytes.
pub const MESSAGE_MAX: usize = 1000;

/// A workflow that was checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Workflow {
    /// What it is for.
    pub description: String,
    /// Its steps; the first one begins.
    pub steps: Vec<StepDef>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepDef {
    /// Its name in this workflow.
    pub name: String,
    /// Where it stands in the text: line and column, from 1.
    pub at: Place,
    /// What it does.
    #[serde(flatten)]
    pub kind: StepKind,
    /// Where it goes on, by its outcome.
    pub then: Branches,
}

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[schema(as = TextPlace)]
pub struct Place {
    /// From 1.
    pub line: u64,
    /// From 1.
    pub column: u64,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepKind {
    /// Runs an action as a task of the pool.
    Run {
        /// The action.
        action: Action,
        /// Its settings.
        #[schema(value_type = Object)]
        params: Value,
    },
    /// Crawls until all conditions hold in one crawl.
    Wait {
        /// They.
        #[schema(value_type = Vec<String>)]
        conditions: Vec<Condition>,
        /// Seconds after which it has failed.
        within_s: u64,
    },
    /// Lets time pass.
    Sleep {
        /// Seconds.
        seconds: u64,
    },
    /// Asks a person.
    Approve {
        /// What is asked.
        question: String,
        /// Seconds after which it has failed.
        within_s: u64,
    },
    /// Tells people.
    Notify {
        /// What.
        message: String,
        /// Only these alert targets, by name or number; none: all that the pool's alert rules tell.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        to: Vec<String>,
    },
    /// Causes a fault.
    Fault {
        /// Which.
        fault: Fault,
    },
}

/// How a step ended, as far as branches look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepOutcome {
    /// Everything was right.
    Success,
    /// Some hosts were not right.
    Partial,
    /// It failed, was refused, denied, or not in time.
    Failure,
}

/// Where a step goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Branches {
    /// After success.
    #[schema(value_type = String)]
    pub success: Target,
    /// After partial success.
    #[schema(value_type = String)]
    pub partial: Target,
    /// After failure.
    #[schema(value_type = String)]
    pub failure: Target,
}

impl Branches {
    /// After this outcome.
    pub fn after(&self, outcome: StepOutcome) -> &Target {
        match outcome {
            StepOutcome::Success => &self.success,
            StepOutcome::Partial => &self.partial,
            StepOutcome::Failure => &self.failure,
        }
    }

    fn all(&self) -> [&Target; 3] {
        [&self.success, &self.partial, &self.failure]
    }
}

/// A step, or one of the two ends. In JSON: the step's name, `end` or `fail`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Target {
    /// That step.
    Step(String),
    /// The run has succeeded.
    End,
    /// The run has failed.
    Fail,
}

impl From<String> for Target {
    fn from(text: String) -> Self {
        match text.as_str() {
            "end" => Self::End,
            "fail" => Self::Fail,
            _ => Self::Step(text),
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        match target {
            Target::Step(name) => name,
            Target::End => "end".to_owned(),
            Target::Fail => "fail".to_owned(),
        }
    }
}

/// One thing that is wrong in a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct WorkflowError {
    /// Where.
    #[serde(flatten)]
    pub at: Place,
    /// What, and what would be right.
    pub reason: String,
}

impl std::fmt::Display for WorkflowError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}, column {}: {}", self.at.line, self.at.column, self.reason)
    }
}

impl Workflow {
    /// The step of that name.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.name == name)
    }
}
