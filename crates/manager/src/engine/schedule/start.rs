//! Starts what one time of a schedule is for, and notes what became of it.

use std::sync::Arc;

use p2ppool_model::event::Change;
use p2ppool_model::pool::{Pool, PoolState};
use p2ppool_model::schedule::{Overlap, RunOutcome, Schedule, Starts};
use p2ppool_model::task::Task;
use p2ppool_model::{Action, TaskId};
use p2ppool_store::{DueRun, Page, RunEnd, RunFilter, StoreError};

use crate::engine::{Ask, AskError, Engine, Inner};
use crate::workflow::{self, StartError, Times};

/// Whose wish it is.
#[derive(Clone, Copy, Debug)]
pub(super) enum By<'a> {
    /// Its time has come.
    Schedule,
    /// A person does not want to wait for it.
    Person(&'a str),
}

/// Starts it and notes what became of it.
pub(super) async fn start(inner: &Arc<Inner>, run: &DueRun, by: By<'_>) -> Result<RunEnd, StoreError> {
    let pool = match inner.context.store.pool(run.schedule.pool).await {
        Ok(pool) => pool,
        // its schedules went with it
        Err(StoreError::NotFound { .. }) => return Ok(not_started(RunOutcome::Skipped, "the pool is gone".to_owned())),
        Err(error) => return Err(error),
    };
    let name = pool.name.clone();
    let end = match &run.schedule.plan.starts {
        Starts::Action { action, params } => action_started(inner, run, pool, *action, params, by).await?,
        Starts::Workflow { workflow } => workflow_started(inner, run, &pool, workflow, by).await?,
    };
    end_run(inner, run, &end, name.as_str()).await?;
    Ok(end)
}

/// A manager died while it started this: what it asked for stands; else it is asked for now.
pub(super) async fn again(inner: &Arc<Inner>, run: &DueRun) -> Result<(), StoreError> {
    let store = &inner.context.store;
    let begun = store.task_asked_by(run.schedule.pool, &asker(&run.schedule), run.noted_at).await?;
    match begun {
        Some(task) => end_run(inner, run, &started(task), &run.schedule.pool_name).await,
        None => start(inner, run, By::Schedule).await.map(drop),
    }
}

async fn end_run(inner: &Arc<Inner>, run: &DueRun, end: &RunEnd, pool: &str) -> Result<(), StoreError> {
    if !end.message.is_empty() {
        tracing::info!(pool, schedule.id = %run.schedule.id, "a schedule did not start: {}", end.message);
    }
    inner.context.store.end_run(run, end).await?;
    inner.context.events.publish(Some(pool), Change::Pool);
    Ok(())
}

async fn action_started(
    inner: &Arc<Inner>,
    run: &DueRun,
    pool: Pool,
    action: Action,
    params: &serde_json::Value,
    by: By<'_>,
) -> Result<RunEnd, StoreError> {
    let store = &inner.context.store;
    if let By::Schedule = by {
        let leaving = store.pool_hosts(pool.id).await?.iter().any(|host| host.leaving);
        if let Some(why) = pointless(&pool, action, leaving) {
            return Ok(not_started(RunOutcome::Skipped, why.to_owned()));
        }
    }
    let open = store.open_tasks(Some(pool.id)).await?;
    if let Some(other) = overlapping(&run.schedule, action, &open) {
        return Ok(not_started(RunOutcome::Skipped, format!("{action} #{} has not ended yet", other.id)));
    }
    let started_by = match by {
        By::Schedule => asker(&run.schedule),
        By::Person(name) => name.to_owned(),
    };
    let ask = Ask { action, params: params.clone(), started_by, pool };
    match Engine(Arc::clone(inner)).request(ask).await {
        Ok(task) => Ok(started(task.id)),
        Err(AskError::Store(error)) => Err(error),
        Err(AskError::Refused(why) | AskError::Params(why)) => Ok(not_started(RunOutcome::Refused, why)),
    }
}

async fn workflow_started(
    inner: &Arc<Inner>,
    run: &DueRun,
    pool: &Pool,
    name: &str,
    by: By<'_>,
) -> Result<RunEnd, StoreError> {
    let store = &inner.context.store;
    if run.schedule.plan.overlap == Overlap::Skip {
        let open = RunFilter {
            pools: Some(vec![pool.id]),
            workflow: Some(name.to_owned()),
            state: Some(p2ppool_model::workflow::run::RunState::Running),
        };
        if let Some(other) = store.workflow_runs(&open, Page::first(1)).await?.items.first() {
            return Ok(not_started(RunOutcome::Skipped, format!("run {} of `{name}` has not ended yet", other.id)));
        }
    }
    // with its time, so that a manager that does this again finds the run
    let (started_by, times) = match by {
        By::Schedule => (format!("{} of {}", asker(&run.schedule), run.noted_at), Times::Once),
        By::Person(person) => (person.to_owned(), Times::Any),
    };
    match workflow::start(&inner.context, name, pool, &started_by, times).await {
        Ok(begun) => {
            let (outcome, message) = (RunOutcome::Started, String::new());
            Ok(RunEnd { outcome, task: None, workflow_run: Some(begun.id), message })
        }
        Err(StartError::Store(error)) if error.is_busy() => Err(error),
        Err(error) => Ok(not_started(RunOutcome::Refused, error.to_string())),
    }
}

/// Who asked for a task: "schedule #7".
fn asker(schedule: &Schedule) -> String {
    format!("schedule #{}", schedule.id)
}

fn started(task: TaskId) -> RunEnd {
    RunEnd { outcome: RunOutcome::Started, task: Some(task), workflow_run: None, message: String::new() }
}

fn not_started(outcome: RunOutcome, message: String) -> RunEnd {
    RunEnd { outcome, task: None, workflow_run: None, message }
}

/// The task because of which this time is left out.
fn overlapping<'a>(schedule: &Schedule, action: Action, open: &'a [Task]) -> Option<&'a Task> {
    match schedule.plan.overlap {
        Overlap::Skip => open.iter().find(|task| task.action == action),
        Overlap::Queue => None,
    }
}

/// Why a schedule would find nothing to do. Test pools are left out of checks.
fn pointless(pool: &Pool, action: Action, leaving: bool) -> Option<&'static str> {
    match action {
        Action::UninstallCheck if pool.state == PoolState::Uninstalling || leaving => None,
        Action::UninstallCheck => Some("no host is being left"),
        Action::Check if pool.settings.is_test => Some("test pools are left out of scheduled checks"),
        Action::Check if matches!(pool.state, PoolState::Running | PoolState::Suspended) => None,
        Action::Check => Some("the pool is not installed"),
        Action::Crawl | Action::GatherLogs | Action::GatherData | Action::GatherUsage
            if pool.state != PoolState::Running =>
        {
            Some("the pool does not run")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use p2ppool_model::pool::PoolSettings;
    use p2ppool_model::{PoolId, Time};

    use super::*;

    fn pool(state: PoolState, is_test: bool) -> Pool {
        Pool {
            id: PoolId(1),
            name: "p".parse().unwrap(),
            settings: PoolSettings { is_test, ..PoolSettings::default() },
            state,
            bundle: None,
            package: None,
            owner: None,
            created: Time(0),
        }
    }

    #[test]
    fn test_pools_are_left_out_of_checks_and_of_nothing_else() {
        let (test, real) = (pool(PoolState::Running, true), pool(PoolState::Running, false));
        assert!(pointless(&test, Action::Check, false).unwrap().contains("test pools"));
        assert_eq!(pointless(&real, Action::Check, false), None);
        assert_eq!(pointless(&test, Action::Crawl, false), None);
        assert_eq!(pointless(&test, Action::GatherUsage, false), None);
    }

    #[test]
    fn nothing_is_started_that_would_find_nothing_to_do() {
        let created = pool(PoolState::Created, false);
        assert!(pointless(&created, Action::Crawl, false).is_some());
        assert!(pointless(&created, Action::Check, false).is_some());
        assert_eq!(pointless(&created, Action::Install, false), None, "an install at night is what a person wants");
        let running = pool(PoolState::Running, false);
        assert!(pointless(&running, Action::UninstallCheck, false).is_some());
        assert_eq!(pointless(&running, Action::UninstallCheck, true), None);
        assert_eq!(pointless(&pool(PoolState::Uninstalling, false), Action::UninstallCheck, false), None);
    }
}
