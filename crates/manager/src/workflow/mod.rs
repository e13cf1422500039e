//! Workflows: texts that people keep, and their runs.
//!
//! A run is walked by [`p2ppool_model::workflow::run::Progress`], which is pure; `runner` finds the runs
//! that are this manager's, and `step` does what the step under way needs. Nothing is held in memory:
//! every look begins with what the database says, so another manager goes on wherever this one ends.

mod cleanup;
mod notify;
mod runner;
mod step;

use p2ppool_model::pool::Pool;
use p2ppool_model::workflow::run::Progress;
use p2ppool_model::workflow::{StepKind, Workflow, WorkflowError, parse};
use p2ppool_store::{NewRun, StoreError, WorkflowRun};

use crate::actions::{Context, params};

pub(crate) use runner::run_all;

/// Most runs under way in one pool: they would only wait for each other's tasks.
pub const OPEN_MAX: u64 = 16;

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// This version of the program can't read its text.
    #[error("the workflow `{name}` can't be run: {first}")]
    Unusable {
        /// Its name.
        name: String,
        /// The first thing that is wrong.
        first: WorkflowError,
    },
    /// There is no such workflow, too many runs are under way, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// May the same starter begin several runs?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// A second request finds the first one's run.
    Once,
    /// Each request begins one.
    Any,
}

/// Reads a workflow and checks it, the settings of its actions, too.
///
/// # Errors
/// Everything that is wrong, by line.
pub fn check(text: &str) -> Result<Workflow, Vec<WorkflowError>> {
    let workflow = parse(text)?;
    let wrong = workflow.steps.iter().filter_map(|step| match &step.kind {
        StepKind::Run { action, params } => {
            let reason = params::checked(*action, params).err()?;
            Some(WorkflowError { at: step.at, reason })
        }
        _ => None,
    });
    let wrong: Vec<WorkflowError> = wrong.collect();
    if wrong.is_empty() { Ok(workflow) } else { Err(wrong) }
}

/// Begins a run of a workflow, as it is now, on a pool.
pub async fn start(
    context: &Context,
    name: &str,
    pool: &Pool,
    started_by: &str,
    times: Times,
) -> Result<WorkflowRun, StartError> {
    let stored = context.store.workflow(name).await?;
    let workflow = check(&stored.text).map_err(|errors| StartError::Unusable {
        name: name.to_owned(),
        first: errors.into_iter().next().unwrap_or_else(|| WorkflowError {
            at: p2ppool_model::workflow::Place::default(),
            reason: "it is wrong".to_owned(),
        }),
    })?;
    let progress = Progress::begin(&workflow, context.store.now().await?);
    let new = NewRun {
        workflow: stored,
        pool: pool.id,
        pool_name: pool.name.to_string(),
        started_by: started_by.to_owned(),
        progress,
    };
    let run = context.store.start_run(&new, OPEN_MAX, times == Times::Once).await?;
    tell(context, &run);
    Ok(run)
}

/// Tells viewers, and whoever runs it, how a run is now.
pub(crate) fn tell(context: &Context, run: &WorkflowRun) {
    let change = p2ppool_model::event::Change::WorkflowRun {
        run: run.id,
        workflow: run.workflow.clone(),
        progress: Box::new(run.progress.clone()),
    };
    context.events.publish(Some(&run.pool_name), change);
}
