//! One run of a workflow: which step it is at, and what became of the others. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Reading, StepDef, StepKind, StepOutcome, Target, Workflow};
use crate::task::TaskState;
use crate::{TaskId, Time};

/// A run that has not ended by then ends as failed: longer than any of its waits, so that only what
/// nobody foresaw comes so far.
pub const RUN_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// Where a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A step is under way.
    Running,
    /// It came to its end.
    Succeeded,
    /// A step failed and nothing was said for that.
    Failed,
    /// A person ended it.
    Cancelled,
}

impl RunState {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::str::FromStr for RunState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not the state of a run"))
    }
}

/// Where a step of a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not reached yet.
    Waiting,
    /// Under way.
    Running,
    /// A person is asked.
    AwaitsApproval,
    /// It ended well.
    Succeeded,
    /// Some hosts were not right.
    Partial,
    /// It ended badly.
    Failed,
    /// The run was cancelled while it was under way.
    Cancelled,
    /// The run went another way.
    Skipped,
}

impl StepState {
    fn is_open(self) -> bool {
        matches!(self, Self::Running | Self::AwaitsApproval)
    }
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StepRun {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub state: StepState,
    /// When it began.
    pub started_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// When it ends at the latest (wait, approve) or on its own (sleep).
    pub until: Option<Time>,
    /// The task that does it, or that crawls for it.
    pub task: Option<TaskId>,
    /// The newest crawl that it looked at.
    pub reading: Option<Reading>,
    /// Who approved or refused.
    pub decided_by: Option<String>,
    /// What it does or how it ended, as a sentence.
    pub message: String,
}

/// All steps of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Where the run is.
    pub state: RunState,
    /// The step that is under way.
    pub at: Option<String>,
    /// Every step, in the order of the text.
    pub steps: Vec<StepRun>,
    /// Why it ended, as a sentence.
    pub message: String,
    /// When it began.
    pub started_at: Time,
}

impl Progress {
    /// A new run: its first step begins.
    pub fn begin(workflow: &Workflow, now: Time) -> Self {
        let step = |step: &StepDef| StepRun {
            name: step.name.clone(),
            state: StepState::Waiting,
            started_at: None,
            ended_at: None,
            until: None,
            task: None,
            reading: None,
            decided_by: None,
            message: String::new(),
        };
        let steps = workflow.steps.iter().map(step).collect();
        let mut progress = Self { state: RunState::Running, at: None, steps, message: String::new(), started_at: now };
        match workflow.steps.first() {
            Some(first) => progress.enter(first, now),
            None => progress.end(RunState::Succeeded, "it has no step"),
        }
        progress
    }

    /// The step under way, while there is one.
    pub fn current<'a>(&self, workflow: &'a Workflow) -> Option<(&'a StepDef, &StepRun)> {
        let name = self.at.as_deref()?;
        let index = workflow.index_of(name)?;
        Some((&workflow.steps[index], self.steps.get(index)?))
    }

    /// The step under way, to note something on it.
    pub fn current_mut(&mut self) -> Option<&mut StepRun> {
        let name = self.at.clone()?;
        self.steps.iter_mut().find(|step| step.name == name)
    }

    /// How the step under way ends because its time has come, if it has.
    pub fn due(&self, workflow: &Workflow, now: Time) -> Option<(StepOutcome, &'static str)> {
        let (step, run) = self.current(workflow)?;
        if run.until.is_none_or(|until| now < until) {
            return None;
        }
        match step.kind {
            StepKind::Sleep { .. } => Some((StepOutcome::Success, "")),
            StepKind::Wait { .. } => Some((StepOutcome::Failure, "the conditions did not hold in time")),
            StepKind::Approve { .. } => Some((StepOutcome::Failure, "nobody answered in time")),
            StepKind::Run { .. } | StepKind::Fault { .. } | StepKind::Notify { .. } => None,
        }
    }

    /// The step under way has ended so; the run goes on where the step says.
    pub fn step_ended(&mut self, workflow: &Workflow, outcome: StepOutcome, message: impl Into<String>, now: Time) {
        let Some((step, _)) = self.current(workflow) else { return };
        let message = message.into();
        if let Some(run) = self.current_mut() {
            run.state = match outcome {
                StepOutcome::Success => StepState::Succeeded,
                StepOutcome::Partial => StepState::Partial,
                StepOutcome::Failure => StepState::Failed,
            };
            run.ended_at = Some(now);
            run.message = message.clone();
        }
        match step.then.after(outcome) {
            Target::End => self.end(RunState::Succeeded, format!("ended after `{}`", step.name)),
            Target::Fail => {
                let why = if message.is_empty() { String::new() } else { format!(": {message}") };
                self.end(RunState::Failed, format!("step `{}` failed{why}", step.name));
            }
            Target::Step(name) => match workflow.index_of(name) {
                Some(next) => self.enter(&workflow.steps[next], now),
                None => self.end(RunState::Failed, format!("there is no step `{name}`")),
            },
        }
    }

    /// A person ended the run, or it can't go on.
    pub fn cut(&mut self, state: RunState, message: impl Into<String>, now: Time) {
        if self.state != RunState::Running {
            return;
        }
        if let Some(step) = self.current_mut() {
            step.state = if state == RunState::Cancelled { StepState::Cancelled } else { StepState::Failed };
            step.ended_at = Some(now);
        }
        self.end(state, message);
    }

    fn enter(&mut self, step: &StepDef, now: Time) {
        self.at = Some(step.name.clone());
        let Some(run) = self.current_mut() else { return };
        run.started_at = Some(now);
        let seconds = match step.kind {
            StepKind::Sleep { seconds } => Some(seconds),
            StepKind::Wait { within_s, .. } | StepKind::Approve { within_s, .. } => Some(within_s),
            _ => None,
        };
        run.until = seconds.map(|seconds| now.plus(Duration::from_secs(seconds)));
        let asks = matches!(step.kind, StepKind::Approve { .. });
        run.state = if asks { StepState::AwaitsApproval } else { StepState::Running };
    }

    fn end(&mut self, state: RunState, message: impl Into<String>) {
        (self.state, self.message, self.at) = (state, message.into(), None);
        for step in &mut self.steps {
            if step.state == StepState::Waiting {
                step.state = StepState::Skipped;
            }
        }
        debug_assert!(!self.steps.iter().any(|step| step.state.is_open()));
    }
}

/// How a step ended whose task ended so.
pub fn outcome_of(task: TaskState) -> Option<StepOutcome> {
    match task {
        TaskState::Queued | TaskState::Running => None,
        TaskState::Succeeded => Some(StepOutcome::Success),
        TaskState::Partial => Some(StepOutcome::Partial),
        TaskState::Failed | TaskState::Cancelled | TaskState::Preempted | TaskState::Interrupted => {
            Some(StepOutcome::Failure)
        }
    }
}
