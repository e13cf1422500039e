//! Starts tasks by themselves, when their time has come.
//!
//! Times are the database's, and a schedule is advanced by compare-and-set before its task is
//! asked for: of several managers one starts it. What was missed while no manager ran is done once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool_model::pool::{Pool, PoolState};
use p2ppool_model::{Action, Time};
use p2ppool_store::{Schedule, StoreError};

use super::{Ask, AskError, Engine, Inner};

/// The schedules that every pool begins with, in UTC.
pub(super) const DEFAULTS: [(Action, &str); 3] =
    [(Action::Crawl, "*/30 * * * *"), (Action::Check, "20 3 * * *"), (Action::UninstallCheck, "50 4 * * *")];

/// Longest pause between two looks: how soon a schedule that another manager made is noticed.
const LOOK_MAX: Duration = Duration::from_secs(60);

/// Ended tasks that are kept per pool: months of half-hourly crawls, and the list stays fast.
const TASKS_KEPT: u32 = 5_000;
/// Between two times that older ones are deleted.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

pub(super) async fn run(inner: Arc<Inner>) {
    let mut pruned: Option<Instant> = None;
    while !inner.closing.is_cancelled() {
        if pruned.is_none_or(|at| at.elapsed() >= PRUNE_EVERY) {
            pruned = Some(Instant::now());
            if let Err(error) = inner.context.store.prune_tasks(TASKS_KEPT).await {
                tracing::error!(%error, "delete old tasks");
            }
        }
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
    let (now, due, next) = store.due_schedules().await?;
    add_defaults(inner, now).await?;
    for schedule in due {
        let Some(next_at) = next_time(&schedule.cron, now) else {
            tracing::error!(pool.id = %schedule.pool, action = %schedule.action, "schedule `{}` has no next time", schedule.cron);
            continue;
        };
        if store.advance_schedule(&schedule, next_at).await? {
            fire(inner, &schedule).await?;
        }
    }
    Ok(next.map_or(LOOK_MAX, |next| next.since(now)).clamp(Duration::from_millis(100), LOOK_MAX))
}

async fn add_defaults(inner: &Arc<Inner>, now: Time) -> Result<(), StoreError> {
    let store = &inner.context.store;
    let known = store.schedules(None).await?;
    for pool in store.pools().await? {
        for (action, cron) in DEFAULTS {
            if known.iter().any(|one| one.pool == pool.id && one.action == action) {
                continue;
            }
            let Some(next_at) = next_time(cron, now) else { continue };
            let (pool, cron) = (pool.id, cron.to_owned());
            let schedule = Schedule { pool, action, cron, enabled: true, next_at, last_at: None, last_task: None };
            store.add_schedule(&schedule).await?;
        }
    }
    Ok(())
}

async fn fire(inner: &Arc<Inner>, schedule: &Schedule) -> Result<(), StoreError> {
    let store = &inner.context.store;
    let pool = match store.pool(schedule.pool).await {
        Err(StoreError::NotFound { .. }) => return Ok(()),
        other => other?,
    };
    let leaving = store.pool_hosts(pool.id).await?.iter().any(|host| host.leaving);
    if !makes_sense(&pool, schedule.action, leaving) {
        return Ok(());
    }
    let ask = Ask { action: schedule.action, params: serde_json::Value::Null, started_by: "schedule".to_owned(), pool };
    match Engine(Arc::clone(inner)).request(ask).await {
        Ok(task) => store.note_scheduled(schedule, task.id).await,
        Err(AskError::Store(error)) => Err(error),
        Err(AskError::Refused(why) | AskError::Params(why)) => {
            tracing::info!(pool.id = %schedule.pool, action = %schedule.action, "a schedule did not start: {why}");
            Ok(())
        }
    }
}

/// A schedule starts nothing that would find nothing to do. Test pools are left out of checks.
fn makes_sense(pool: &Pool, action: Action, leaving: bool) -> bool {
    match action {
        Action::UninstallCheck => pool.state == PoolState::Uninstalling || leaving,
        Action::Check => matches!(pool.state, PoolState::Running | PoolState::Suspended) && !pool.settings.is_test,
        _ => pool.state == PoolState::Running,
    }
}

/// The first time after `after` that the cron expression (five fields, UTC) names.
pub(super) fn next_time(cron: &str, after: Time) -> Option<Time> {
    let cron: croner::Cron = cron.parse().ok()?;
    let after = jiff::Timestamp::from_millisecond(after.0).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let next = cron.find_next_occurrence(&after, false).ok()?;
    Some(Time(next.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_after_now() {
        let at = |text: &str| text.parse::<Time>().unwrap();
        assert_eq!(next_time("*/30 * * * *", at("2026-11-23T10:29:59Z")), Some(at("2026-11-23T10:30:00Z")));
        assert_eq!(next_time("*/30 * * * *", at("2026-11-23T10:30:00Z")), Some(at("2026-11-23T11:00:00Z")));
        assert_eq!(next_time("20 3 * * *", at("2026-11-23T10:30:00Z")), Some(at("2026-11-24T03:20:00Z")));
        assert_eq!(next_time("no cron", Time(0)), None);
        assert_eq!(next_time("0 0 31 2 *", Time(0)), None);
    }
}
