//! What a cancelled run leaves behind is put right: nodes that it stopped or killed are started again.

use p2ppool_model::Action;
use p2ppool_model::fault::{Fault, FaultKind};
use p2ppool_model::workflow::run::{Progress, StepState};
use p2ppool_model::workflow::{StepKind, Workflow};
use p2ppool_store::{StoreError, WorkflowRun};
use serde_json::json;

use super::step::task_of;
use crate::engine::{Ask, AskError, Engine};

/// What is left to do after a run that somebody cancelled.
pub(super) enum Cleanup {
    /// Nothing.
    None,
    /// The step that was under way has not left its hosts yet.
    NotYet,
    /// It was asked for, or can't be done; as a sentence.
    Told(String),
}

/// Asks once for a task that starts what the run had stopped, as soon as its last task has ended.
pub(super) async fn after_cancel(
    engine: &Engine,
    run: &WorkflowRun,
    workflow: &Workflow,
) -> Result<Cleanup, StoreError> {
    if !leaves_nodes_down(workflow, &run.progress) {
        return Ok(Cleanup::None);
    }
    if is_under_way(engine, &run.progress).await? {
        return Ok(Cleanup::NotYet);
    }
    let context = engine.context();
    let asker = format!("workflow {} #{}, cancelled", run.workflow, run.id);
    // a manager may have died after asking
    if let Some(task) = context.store.task_asked_by(run.pool, &asker, run.progress.started_at).await? {
        return Ok(Cleanup::Told(format!("task #{task} starts its nodes again")));
    }
    let pool = match context.store.pool(run.pool).await {
        Err(StoreError::NotFound { .. }) => return Ok(Cleanup::None),
        pool => pool?,
    };
    let resume = Fault { kind: FaultKind::Resume, share: None, labels: Default::default(), seed: None };
    let ask = Ask { pool, action: Action::Fault, params: json!(resume), started_by: asker };
    match Box::pin(engine.request(ask)).await {
        Ok(task) => Ok(Cleanup::Told(format!("task #{} starts its nodes again", task.id))),
        Err(AskError::Refused(why) | AskError::Params(why)) => {
            Ok(Cleanup::Told(format!("its nodes are not started again: {why}")))
        }
        Err(AskError::Store(error)) => Err(error),
    }
}

/// Has a step stopped or killed nodes, and none after it started them again? Steps only go forward.
fn leaves_nodes_down(workflow: &Workflow, progress: &Progress) -> bool {
    let begun = workflow.steps.iter().zip(&progress.steps).filter(|(_, run)| run.started_at.is_some());
    let faults = begun.filter_map(|(step, run)| match &step.kind {
        StepKind::Fault { fault } => Some((run.started_at, fault.kind, run.state)),
        _ => None,
    });
    let last = faults.max_by_key(|(at, ..)| *at);
    last.is_some_and(|(_, kind, state)| kind != FaultKind::Resume || state != StepState::Succeeded)
}

async fn is_under_way(engine: &Engine, progress: &Progress) -> Result<bool, StoreError> {
    let at = progress.at.as_deref();
    let task = progress.steps.iter().find(|step| Some(step.name.as_str()) == at).and_then(|step| step.task);
    let Some(task) = task else { return Ok(false) };
    Ok(task_of(engine, task).await?.is_some_and(|task| !task.state.is_final()))
}

#[cfg(test)]
mod tests {
    use p2ppool_model::Time;
    use p2ppool_model::workflow::{StepOutcome, parse};

    use super::*;

    const TEXT: &str = "
steps:
  - name: hurt
    fault: { kind: kill, share: 20% }
  - name: nap
    sleep: 5s
  - name: heal
    fault: { kind: resume }
  - name: after
    sleep: 5s
";

    #[test]
    fn nodes_are_down_from_the_first_fault_until_a_resume_has_succeeded() {
        let workflow = parse(TEXT).unwrap();
        let mut progress = Progress::begin(&workflow, Time(1));
        let mut down = vec![leaves_nodes_down(&workflow, &progress)];
        for time in 2..=4 {
            progress.step_ended(&workflow, StepOutcome::Success, "", Time(time));
            down.push(leaves_nodes_down(&workflow, &progress));
        }
        assert_eq!(down, [true, true, true, false]);
    }

    #[test]
    fn a_run_without_faults_leaves_nothing() {
        let workflow = parse("steps:\n- { name: a, run: crawl }\n").unwrap();
        assert!(!leaves_nodes_down(&workflow, &Progress::begin(&workflow, Time(1))));
    }
}
