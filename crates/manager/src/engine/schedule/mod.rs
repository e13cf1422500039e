//! Starts tasks by themselves, when their time has come.
//!
//! Times are the database's, and a schedule is advanced by compare-and-set before its task is
//! asked for: of several managers one starts it. What a manager began and did not end because it
//! died, another one finds and ends; what it had asked for already is recognised by who asked.

pub mod clock;
mod start;
mod words;

use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool_model::schedule::{CatchUp, Overlap, Plan, RunOutcome, Schedule, ScheduleRun, Starts, When};
use p2ppool_model::{Action, PoolId, Time};
use p2ppool_store::{NextTime, RunEnd, StoreError};

use super::{Engine, Inner};
use start::By;

/// Longest pause between two looks: how soon a schedule that another manager made is noticed.
const LOOK_MAX: Duration = Duration::from_secs(60);
/// A time that is later than this was missed: two looks, so that a manager that was merely busy has not missed it.
const MISSED_AFTER: Duration = Duration::from_secs(120);
/// After this a time that is still being started is somebody else's to start: longer than a lease.
const PENDING_MAX: Duration = Duration::from_secs(60);

/// Ended tasks that are kept per pool: months of half-hourly crawls, and the list stays fast.
const TASKS_KEPT: u32 = 5_000;
/// Between two times that older ones are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The schedules that every new pool begins with, in UTC: action, cron expression, jitter in seconds.
const DEFAULTS: [(Action, &str, u32); 3] = [
    (Action::Crawl, "*/30 * * * *", 0),
    (Action::Check, "20 3 * * *", 1200),
    (Action::UninstallCheck, "50 4 * * *", 1200),
];

/// The schedules of a new pool.
pub fn defaults(now: Time) -> Vec<(Plan, Option<NextTime>)> {
    let plans = DEFAULTS.map(|(action, cron, jitter_s)| Plan {
        starts: Starts::Action { action, params: serde_json::Value::Null },
        when: When::Cron(cron.to_owned()),
        time_zone: "UTC".to_owned(),
        jitter_s,
        catch_up: CatchUp::RunOnce,
        overlap: Overlap::Skip,
        enabled: true,
    });
    // the pool has no id yet; its first times are spread by the clock of its creation
    let seed = PoolId(now.0);
    plans
        .into_iter()
        .map(|plan| (clock::next_time(&plan, seed, now).ok().flatten(), plan))
        .map(|(n, p)| (p, n))
        .collect()
}

pub(super) async fn run(inner: Arc<Inner>) {
    let mut pruned: Option<Instant> = None;
    let mut retention = super::retention::Retention::default();
    while !inner.closing.is_cancelled() {
        if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            pruned = Some(Instant::now());
            if let Err(error) = inner.context.store.prune_tasks(TASKS_KEPT).await {
                tracing::error!(%error, "delete old tasks");
            }
        }
        retention.when_due(&inner).await;
        let pause = look(&inner).await.unwrap_or_else(|error| {
            tracing::error!(%error, "look for due schedules");
            LOOK_MAX
        });
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = inner.schedules.notified() => {}
            () = inner.closing.cancelled() => {}
        }
    }
}

/// Starts what is due and tells how long nothing will be.
async fn look(inner: &Arc<Inner>) -> Result<Duration, StoreError> {
    let store = &inner.context.store;
    for run in store.stale_runs(PENDING_MAX).await? {
        tracing::info!(schedule.id = %run.schedule.id, "goes on with a schedule's time that nobody ended");
        start::again(inner, &run).await?;
    }
    let (now, due, next) = store.due_schedules().await?;
    for schedule in due {
        let next_at = clock::next_time(&schedule.plan, schedule.pool, now).unwrap_or_else(|error| {
            tracing::error!(schedule.id = %schedule.id, %error, "a schedule has no next time; it is switched off");
            None
        });
        let Some(run) = store.advance_schedule(&schedule, next_at).await? else { continue };
        if was_missed(&schedule, now) {
            let message = "no manager ran at that time".to_owned();
            let end = RunEnd { outcome: RunOutcome::Missed, task: None, workflow_run: None, message };
            store.end_run(&run, &end).await?;
        } else {
            start::start(inner, &run, By::Schedule).await?;
        }
    }
    Ok(next.map_or(LOOK_MAX, |next| next.since(now)).clamp(Duration::from_millis(100), LOOK_MAX))
}

/// Nobody was there in time, and it is not to be made up for.
fn was_missed(schedule: &Schedule, now: Time) -> bool {
    let late = schedule.due_at.map_or(Duration::ZERO, |due| now.since(due));
    late > MISSED_AFTER && schedule.plan.catch_up == CatchUp::Skip
}

impl Engine {
    /// Schedules of a pool were changed: look at them again.
    pub fn schedules_changed(&self) {
        self.0.schedules.notify_one();
    }

    /// Does a schedule now because a person wants it; its own times stay as they are.
    ///
    /// # Errors
    /// When the database can't be asked; what kept it from starting is told by the run.
    pub async fn run_schedule(&self, schedule: &Schedule, by: &str) -> Result<ScheduleRun, StoreError> {
        let run = self.0.context.store.begin_run(schedule).await?;
        let end = start::start(&self.0, &run, By::Person(by)).await?;
        let task_state = match end.task {
            Some(task) => Some(self.0.context.store.task(task).await?.state),
            None => None,
        };
        Ok(ScheduleRun {
            due_at: run.due_at,
            at: run.noted_at,
            outcome: end.outcome,
            task: end.task,
            task_state,
            workflow_run: end.workflow_run,
            message: end.message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pool_has_three_schedules_with_times() {
        let now: Time = "2026-11-23T10:10:00Z".parse().unwrap();
        let defaults = defaults(now);
        assert_eq!(defaults.len(), 3);
        assert!(defaults.iter().all(|(plan, next)| plan.enabled && next.is_some_and(|next| next.at > now)));
        assert_eq!(defaults[0].1.unwrap().due, "2026-11-23T10:30:00Z".parse().unwrap());
    }
}
