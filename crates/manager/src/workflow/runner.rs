//! Looks after the runs that are this manager's.

use std::time::Duration;

use p2ppool_model::event::{Change, Event};
use p2ppool_model::workflow::STEPS_MAX;
use p2ppool_model::workflow::run::RunState;
use p2ppool_store::{StoreError, WorkflowRun};

use super::{check, step, tell};
use crate::engine::Engine;

/// Between two looks while a run is under way: what time alone decides is noticed so soon.
const LOOK_OPEN: Duration = Duration::from_secs(1);
/// Between two looks while none is: how soon one that another manager began or left is noticed.
const LOOK_IDLE: Duration = Duration::from_secs(5);
/// Shortest pause between two looks, however much happens.
const LOOK_MIN: Duration = Duration::from_millis(100);
/// Ended runs that are kept per pool.
const RUNS_KEPT: u32 = 1_000;

/// Looks until the engine closes; then gives the runs back.
pub(crate) async fn run_all(engine: Engine) {
    let mut events = engine.context().events.subscribe(None);
    let mut had_some = false;
    while !engine.closing().is_cancelled() {
        let open = look(&engine).await.unwrap_or_else(|error| {
            tracing::error!(%error, "look after workflow runs");
            0
        });
        if had_some
            && open == 0
            && let Err(error) = engine.context().store.prune_runs(RUNS_KEPT).await
        {
            tracing::error!(%error, "delete old workflow runs");
        }
        had_some = open > 0;
        let something = async {
            loop {
                let news = events.next().await;
                if news.iter().any(|event| matters(event, open > 0)) {
                    return;
                }
            }
        };
        tokio::select! {
            () = tokio::time::sleep(if open > 0 { LOOK_OPEN } else { LOOK_IDLE }) => {}
            () = something => tokio::time::sleep(LOOK_MIN).await,
            () = engine.closing().cancelled() => {}
        }
    }
    if let Err(error) = engine.context().store.release_runs(engine.owner()).await {
        tracing::warn!(%error, "give workflow runs back");
    }
}

/// May a run have something to do because of this?
fn matters(event: &Event, some_are_open: bool) -> bool {
    match &event.change {
        Change::WorkflowRun { .. } | Change::Reread => true,
        Change::Task { task } => some_are_open && task.state.is_final(),
        _ => false,
    }
}

async fn look(engine: &Engine) -> Result<usize, StoreError> {
    let runs = engine.context().store.claim_runs(engine.owner(), engine.lease()).await?;
    let open = runs.len();
    for run in runs {
        let id = run.id;
        if let Err(error) = advance(engine, run).await {
            // the next look tries again
            tracing::error!(run.id = id, %error, "advance a workflow run");
        }
    }
    Ok(open)
}

/// Goes on with a run as far as it gets without waiting. Each change is written before the next one.
async fn advance(engine: &Engine, mut run: WorkflowRun) -> Result<(), StoreError> {
    let context = engine.context();
    let workflow = match check(&run.text) {
        Ok(workflow) => workflow,
        Err(errors) => {
            let first = errors.first().map(ToString::to_string).unwrap_or_default();
            let now = context.store.now().await?;
            run.progress.cut(RunState::Failed, format!("this version of the manager can't read it: {first}"), now);
            write(engine, &run, false).await?;
            return Ok(());
        }
    };
    // every step begins at most once
    for _ in 0..=2 * STEPS_MAX {
        let before = run.progress.clone();
        let taken_up = step::advance(engine, &mut run, &workflow).await?;
        if run.progress == before {
            break;
        }
        if !write(engine, &run, taken_up).await? || run.progress.state != RunState::Running {
            break;
        }
        if taken_up {
            run.answer = None;
        }
    }
    Ok(())
}

async fn write(engine: &Engine, run: &WorkflowRun, taken_up: bool) -> Result<bool, StoreError> {
    let written = engine.context().store.write_run(run.id, run.fence, &run.progress, taken_up).await?;
    if written {
        tell(engine.context(), run);
    }
    Ok(written)
}
