//! What the step under way of a run needs now.

use std::time::Duration;

use p2ppool_model::task::{Task, TaskState};
use p2ppool_model::workflow::run::{RUN_MAX, RunState, StepRun, outcome_of};
use p2ppool_model::workflow::{Condition, Reading, StepDef, StepKind, StepOutcome, Workflow};
use p2ppool_model::{Action, TaskId, Time};
use p2ppool_store::{StoreError, WorkflowRun};
use serde_json::{Value, json};

use super::cleanup::{self, Cleanup};
use super::notify::{self, Told};
use crate::engine::{Ask, AskError, Engine};

/// Between two crawls of a step that waits; about what nodes need to look up their neighbours.
const CRAWL_PAUSE: Duration = Duration::from_secs(2);

/// What a look at a step came to.
enum Found {
    /// It goes on by itself.
    Waits,
    /// Something was noted on it.
    Noted,
    /// It has ended.
    Ended(StepOutcome, String),
}

/// Does one thing for a run. Tells whether a person's answer was taken up.
pub(super) async fn advance(engine: &Engine, run: &mut WorkflowRun, workflow: &Workflow) -> Result<bool, StoreError> {
    let now = engine.context().store.now().await?;
    if let Some(by) = run.cancelled_by.clone() {
        end_task(engine, run, &by).await?;
        match cleanup::after_cancel(engine, run, workflow).await? {
            Cleanup::NotYet => {}
            Cleanup::None => run.progress.cut(RunState::Cancelled, format!("cancelled by {by}"), now),
            Cleanup::Told(what) => run.progress.cut(RunState::Cancelled, format!("cancelled by {by}; {what}"), now),
        }
        return Ok(false);
    }
    if now.since(run.progress.started_at) > RUN_MAX {
        run.progress.cut(RunState::Failed, "it did not end within 30 days", now);
        return Ok(false);
    }
    let Some((step, state)) = run.progress.current(workflow) else {
        run.progress.cut(RunState::Failed, "its step is not in its text", now);
        return Ok(false);
    };
    let state = state.clone();
    let found = match &step.kind {
        StepKind::Run { action, params } => work(engine, run, step, &state, *action, params).await?,
        StepKind::Fault { fault } => work(engine, run, step, &state, Action::Fault, &json!(fault)).await?,
        StepKind::Wait { conditions, .. } => wait(engine, run, step, &state, conditions, now).await?,
        StepKind::Approve { .. } => approval(run, step),
        StepKind::Notify { message, to } => notice(engine, run, step, message, to).await?,
        StepKind::Sleep { .. } => Found::Waits,
    };
    let taken_up = run.answer.is_some() && matches!(step.kind, StepKind::Approve { .. });
    match found {
        Found::Ended(outcome, message) => run.progress.step_ended(workflow, outcome, message, now),
        Found::Noted => {}
        Found::Waits => {
            if let Some((outcome, message)) = run.progress.due(workflow, now) {
                let message = too_late(message, &state);
                run.progress.step_ended(workflow, outcome, message, now);
            }
        }
    }
    Ok(taken_up)
}

fn too_late(message: &str, state: &StepRun) -> String {
    match &state.reading {
        Some(reading) => format!("{message}: {}", numbers(reading)),
        None => message.to_owned(),
    }
}

async fn end_task(engine: &Engine, run: &WorkflowRun, by: &str) -> Result<(), StoreError> {
    let at = run.progress.at.as_deref();
    let task = run.progress.steps.iter().find(|step| Some(step.name.as_str()) == at).and_then(|step| step.task);
    let Some(task) = task else { return Ok(()) };
    match engine.cancel(task, by).await {
        Ok(_) | Err(AskError::Refused(_) | AskError::Params(_) | AskError::Store(StoreError::NotFound { .. })) => {
            Ok(())
        }
        Err(AskError::Store(error)) => Err(error),
    }
}

/// An action's task: asked for once, then looked at until it has ended.
async fn work(
    engine: &Engine,
    run: &mut WorkflowRun,
    step: &StepDef,
    state: &StepRun,
    action: Action,
    params: &Value,
) -> Result<Found, StoreError> {
    if let Some(task) = state.task {
        return Ok(match task_of(engine, task).await? {
            None => Found::Ended(StepOutcome::Failure, format!("task #{task} is gone")),
            Some(task) => match outcome_of(task.state) {
                None => Found::Waits,
                Some(outcome) => Found::Ended(outcome, task.message),
            },
        });
    }
    // a manager may have died between asking and noting what it got
    let since = state.started_at.unwrap_or_default();
    if let Some(task) = engine.context().store.task_asked_by(run.pool, &asker(run, step), since).await? {
        return Ok(note(run, task));
    }
    request(engine, run, step, action, params.clone()).await
}

async fn request(
    engine: &Engine,
    run: &mut WorkflowRun,
    step: &StepDef,
    action: Action,
    params: Value,
) -> Result<Found, StoreError> {
    let failed = |why: String| Ok(Found::Ended(StepOutcome::Failure, why));
    let pool = match engine.context().store.pool(run.pool).await {
        Err(StoreError::NotFound { .. }) => return failed("the pool is gone".to_owned()),
        pool => pool?,
    };
    let ask = Ask { pool, action, params, started_by: asker(run, step) };
    match Box::pin(engine.request(ask)).await {
        Ok(task) => Ok(note(run, task.id)),
        Err(AskError::Refused(why) | AskError::Params(why)) => failed(why),
        Err(AskError::Store(error)) => Err(error),
    }
}

fn note(run: &mut WorkflowRun, task: TaskId) -> Found {
    if let Some(step) = run.progress.current_mut() {
        step.task = Some(task);
    }
    Found::Noted
}

/// Who asks for a step's task; no other step of any run has this name.
fn asker(run: &WorkflowRun, step: &StepDef) -> String {
    format!("workflow {} #{}, step {}", run.workflow, run.id, step.name)
}

pub(super) async fn task_of(engine: &Engine, task: TaskId) -> Result<Option<Task>, StoreError> {
    match engine.context().store.task(task).await {
        Ok(task) => Ok(Some(task)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Crawls again and again until the conditions hold in one crawl.
async fn wait(
    engine: &Engine,
    run: &mut WorkflowRun,
    step: &StepDef,
    state: &StepRun,
    conditions: &[Condition],
    now: Time,
) -> Result<Found, StoreError> {
    let in_time = state.until.is_none_or(|until| now < until);
    let Some(id) = state.task else {
        return if in_time { request(engine, run, step, Action::Crawl, Value::Null).await } else { Ok(Found::Waits) };
    };
    let task = task_of(engine, id).await?;
    let ended = match &task {
        Some(task) if !task.state.is_final() => return Ok(Found::Waits),
        Some(task) => task.ended_at.unwrap_or(now),
        None => now,
    };
    if task.is_some_and(|task| task.state == TaskState::Succeeded)
        && let Some(reading) = reading(engine, run, id).await?
    {
        let is_new = state.reading != Some(reading);
        if let Some(step) = run.progress.current_mut() {
            step.reading = Some(reading);
            step.message = numbers(&reading);
        }
        if conditions.iter().all(|condition| condition.holds(&reading)) {
            return Ok(Found::Ended(StepOutcome::Success, numbers(&reading)));
        }
        if is_new {
            return Ok(Found::Noted);
        }
    }
    if in_time && now >= ended.plus(CRAWL_PAUSE) {
        if let Some(step) = run.progress.current_mut() {
            step.task = None;
        }
        return Ok(Found::Noted);
    }
    Ok(Found::Waits)
}

async fn reading(engine: &Engine, run: &WorkflowRun, task: TaskId) -> Result<Option<Reading>, StoreError> {
    let store = &engine.context().store;
    let Some(snapshot) = store.newest_snapshot(run.pool).await? else { return Ok(None) };
    // a crawl that began before this step says nothing about it
    if snapshot.task.is_none_or(|made_by| made_by.0 < task.0) {
        return Ok(None);
    }
    let hosts = store.pool_hosts(run.pool).await?.iter().filter(|host| !host.leaving).count() as u64;
    let totals = &snapshot.totals;
    Ok(Some(Reading {
        crawl: snapshot.id,
        hosts,
        nodes: totals.answering,
        missing: totals.missing,
        consistency: totals.consistency,
    }))
}

fn numbers(reading: &Reading) -> String {
    let consistency = reading.consistency.map_or("unknown".to_owned(), |part| format!("{:.1} %", part * 100.0));
    format!(
        "{} nodes of {} hosts, {} missing, consistency {consistency}",
        reading.nodes, reading.hosts, reading.missing
    )
}

async fn notice(
    engine: &Engine,
    run: &WorkflowRun,
    step: &StepDef,
    message: &str,
    to: &[String],
) -> Result<Found, StoreError> {
    Ok(match notify::tell(engine.context(), run, &step.name, message, to).await? {
        Told::Targets(0) => {
            Found::Ended(StepOutcome::Success, format!("{message} (no alert rule of the pool has a target)"))
        }
        Told::Targets(told) => Found::Ended(StepOutcome::Success, format!("{message} (told {told} alert targets)")),
        Told::Unknown(name) => {
            let why = format!("no alert rule of the pool tells a target `{name}`; name it in a rule first");
            Found::Ended(StepOutcome::Failure, why)
        }
    })
}

fn approval(run: &mut WorkflowRun, step: &StepDef) -> Found {
    let Some(answer) = run.answer.clone().filter(|answer| answer.step == step.name) else { return Found::Waits };
    if let Some(step) = run.progress.current_mut() {
        step.decided_by = Some(answer.by.clone());
    }
    let (outcome, word) =
        if answer.approve { (StepOutcome::Success, "approved") } else { (StepOutcome::Failure, "refused") };
    let comment = if answer.comment.is_empty() { String::new() } else { format!(": {}", answer.comment) };
    Found::Ended(outcome, format!("{word} by {}{comment}", answer.by))
}
