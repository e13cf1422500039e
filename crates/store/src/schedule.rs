//! What starts tasks by itself.
//!
//! A due schedule is moved to its next time by compare-and-set, and the time it was due is noted in
//! the same transaction as *pending*: of several managers one wins, and one that dies before it
//! started anything leaves a note that another finds ([`Store::stale_runs`]).

use std::collections::HashMap;
use std::time::Duration;

use p2ppool_model::schedule::{Plan, RunOutcome, SCHEDULES_MAX, Schedule, ScheduleRun, Starts, When};
use p2ppool_model::{PoolId, ScheduleId, TaskId, Time};
use sqlx::FromRow;

use crate::Store;
use crate::db::{Tx, execute, on, write_one};
use crate::error::{Result, StoreError, Tried as _, referenced};
use crate::notify::{Topic, notify};
use crate::text::{clean, from_json, parse, parse_opt, to_json};

/// Times of a schedule that are kept: a day of half-hourly crawls.
const RUNS_KEPT: i64 = 50;

/// When a schedule comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NextTime {
    /// The time that it names.
    pub at: Time,
    /// That, and its share of the jitter.
    pub due: Time,
}

/// A time of a schedule that this manager has to do.
#[derive(Clone, Debug, PartialEq)]
pub struct DueRun {
    /// Row identity of the note.
    pub run: i64,
    /// The schedule.
    pub schedule: Schedule,
    /// When it was due, before jitter.
    pub due_at: Time,
    /// When that was noted first.
    pub noted_at: Time,
}

/// What became of a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEnd {
    /// In a word.
    pub outcome: RunOutcome,
    /// The task that it started or joined.
    pub task: Option<TaskId>,
    /// The workflow run that it started.
    pub workflow_run: Option<i64>,
    /// Why it did not start.
    pub message: String,
}

/// What [`Row`] reads; a macro because every statement's text is known at compile time.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.pool_id, p.name AS pool_name, s.action, s.params, s.workflow, s.cron, s.at, s.time_zone, \
                 s.jitter_s, s.catch_up, s.overlap, s.enabled, s.next_at, s.due_at \
             FROM schedules s JOIN pools p ON p.id = s.pool_id ",
            $rest
        )
    };
}

#[derive(FromRow)]
struct Row {
    id: i64,
    pool_id: i64,
    pool_name: String,
    action: Option<String>,
    params: String,
    workflow: Option<String>,
    cron: Option<String>,
    at: Option<i64>,
    time_zone: String,
    jitter_s: i64,
    catch_up: String,
    overlap: String,
    enabled: bool,
    next_at: Option<i64>,
    due_at: Option<i64>,
}

impl Row {
    fn schedule(self) -> Result<Schedule> {
        let what = |part: &str| format!("{part} of schedule {}", self.id);
        let starts = match (self.action, self.workflow) {
            (Some(action), _) => Starts::Action {
                action: parse(&what("action"), &action)?,
                params: from_json(&what("settings"), &self.params)?,
            },
            (None, Some(workflow)) => Starts::Workflow { workflow },
            (None, None) => return Err(StoreError::unreadable(what("purpose"), "it starts nothing")),
        };
        let when = match (self.cron, self.at) {
            (Some(cron), _) => When::Cron(cron),
            (None, Some(at)) => When::At(Time(at)),
            (None, None) => return Err(StoreError::unreadable(what("time"), "it has none")),
        };
        let plan = Plan {
            starts,
            when,
            time_zone: self.time_zone,
            jitter_s: u32::try_from(self.jitter_s).unwrap_or(0),
            catch_up: parse(&format!("catch-up of schedule {}", self.id), &self.catch_up)?,
            overlap: parse(&format!("overlap of schedule {}", self.id), &self.overlap)?,
            enabled: self.enabled,
        };
        Ok(Schedule {
            id: ScheduleId(self.id),
            pool: PoolId(self.pool_id),
            pool_name: self.pool_name,
            plan,
            next_at: self.next_at.map(Time),
            due_at: self.due_at.map(Time),
        })
    }
}

#[derive(FromRow)]
struct RunRow {
    schedule_id: i64,
    due_at: i64,
    at: i64,
    outcome: String,
    task_id: Option<i64>,
    task_state: Option<String>,
    workflow_run: Option<i64>,
    message: String,
}

impl RunRow {
    fn run(self) -> Result<ScheduleRun> {
        let what = |part: &str| format!("{part} of a time of schedule {}", self.schedule_id);
        Ok(ScheduleRun {
            due_at: Time(self.due_at),
            at: Time(self.at),
            outcome: parse(&what("outcome"), &self.outcome)?,
            task: self.task_id.map(TaskId),
            task_state: parse_opt(&what("task"), self.task_state.as_deref())?,
            workflow_run: self.workflow_run,
            message: self.message,
        })
    }
}

impl Store {
    /// Schedules of a pool, or of all, oldest first.
    pub async fn schedules(&self, pool: Option<PoolId>) -> Result<Vec<Schedule>> {
        let sql = select!("WHERE CAST($1 AS BIGINT) IS NULL OR s.pool_id = $1 ORDER BY s.pool_id, s.id");
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(sql).bind(pool.map(|pool| pool.0)).fetch_all(conn).await
        })
        .tried("list schedules")?;
        rows.into_iter().map(Row::schedule).collect()
    }

    /// One schedule.
    pub async fn schedule(&self, id: ScheduleId) -> Result<Schedule> {
        let sql = select!("WHERE s.id = $1");
        let row: Option<Row> = on!(self.db.read(), conn => sqlx::query_as(sql).bind(id.0).fetch_optional(conn).await)
            .tried("read a schedule")?;
        row.ok_or_else(|| no_schedule(id))?.schedule()
    }

    /// Makes a schedule. [`StoreError::Conflict`] when the pool has [`SCHEDULES_MAX`] already.
    pub async fn create_schedule(&self, pool: PoolId, plan: &Plan, next: Option<NextTime>) -> Result<Schedule> {
        let mut tx = self.db.begin().await?;
        crate::pools::lock_pool(&mut tx, pool).await?;
        let known: i64 = on!(tx.conn(), conn => {
            sqlx::query_scalar("SELECT COUNT(*) FROM schedules WHERE pool_id = $1").bind(pool.0).fetch_one(conn).await
        })
        .tried("count schedules")?;
        if usize::try_from(known).is_ok_and(|known| known >= SCHEDULES_MAX) {
            return Err(StoreError::conflict(format!(
                "a pool has at most {SCHEDULES_MAX} schedules; delete one first"
            )));
        }
        let id = insert(&mut tx, pool, plan, next).await?;
        notify(&mut tx, Topic::Schedules).await?;
        tx.commit().await?;
        self.schedule(id).await
    }

    /// Replaces what a person decided.
    pub async fn set_schedule(&self, id: ScheduleId, plan: &Plan, next: Option<NextTime>) -> Result<Schedule> {
        let mut tx = self.db.begin().await?;
        let (action, params, workflow) = starts_columns(&plan.starts)?;
        let (cron, at) = when_columns(&plan.when);
        let changed = execute!(
            tx.conn(),
            "UPDATE schedules SET action = $1, params = $2, workflow = $3, cron = $4, at = $5, time_zone = $6,
                 jitter_s = $7, catch_up = $8, overlap = $9, enabled = $10, next_at = $11, due_at = $12
             WHERE id = $13",
            action,
            &params,
            workflow,
            cron,
            at,
            &plan.time_zone,
            i64::from(plan.jitter_s),
            plan.catch_up.as_str(),
            plan.overlap.as_str(),
            plan.enabled,
            next.map(|next| next.at.0),
            next.map(|next| next.due.0),
            id.0,
        )
        .tried("write a schedule")?;
        if changed == 0 {
            return Err(no_schedule(id));
        }
        notify(&mut tx, Topic::Schedules).await?;
        tx.commit().await?;
        self.schedule(id).await
    }

    /// Deletes a schedule and what is noted of its times; tasks it started stay.
    pub async fn delete_schedule(&self, id: ScheduleId) -> Result<()> {
        match write_one!(self.db, "delete a schedule", "DELETE FROM schedules WHERE id = $1", id.0) {
            0 => Err(no_schedule(id)),
            _ => Ok(()),
        }
    }

    /// The database's time, the due schedules, and when the first of the others is due.
    pub async fn due_schedules(&self) -> Result<(Time, Vec<Schedule>, Option<Time>)> {
        let mut tx = self.db.begin_read().await?;
        let now = tx.now().await?;
        let sql = select!("WHERE s.enabled AND s.due_at <= $1 ORDER BY s.due_at, s.id");
        let rows: Vec<Row> = on!(tx.conn(), conn => sqlx::query_as(sql).bind(now.0).fetch_all(conn).await)
            .tried("look for due schedules")?;
        let next: Option<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar("SELECT MIN(due_at) FROM schedules WHERE enabled AND due_at > $1")
                .bind(now.0)
                .fetch_one(conn)
                .await
        })
        .tried("look for the next schedule")?;
        Ok((now, rows.into_iter().map(Row::schedule).collect::<Result<_>>()?, next.map(Time)))
    }

    /// Moves a due schedule to its next time (`None`: there is none, it switches itself off) and notes this one
    /// as pending. `None`: another manager did so first.
    pub async fn advance_schedule(&self, due: &Schedule, next: Option<NextTime>) -> Result<Option<DueRun>> {
        let Some(due_at) = due.next_at else { return Ok(None) };
        let mut tx = self.db.begin().await?;
        let moved = execute!(
            tx.conn(),
            "UPDATE schedules SET next_at = $1, due_at = $2, enabled = $3 WHERE id = $4 AND next_at = $5 AND enabled",
            next.map(|next| next.at.0),
            next.map(|next| next.due.0),
            next.is_some(),
            due.id.0,
            due_at.0,
        )
        .tried("advance a schedule")?;
        if moved == 0 {
            return Ok(None);
        }
        let noted_at = tx.now().await?;
        let run = insert_run(&mut tx, due.id, due_at, noted_at).await?;
        tx.commit().await?;
        Ok(Some(DueRun { run, schedule: due.clone(), due_at, noted_at }))
    }

    /// Notes that a schedule is done now because a person wants it; its own times stay as they are.
    pub async fn begin_run(&self, schedule: &Schedule) -> Result<DueRun> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let inserted = insert_run(&mut tx, schedule.id, now, now).await?;
        tx.commit().await?;
        Ok(DueRun { run: inserted, schedule: schedule.clone(), due_at: now, noted_at: now })
    }

    /// Notes what became of a time.
    pub async fn end_run(&self, run: &DueRun, end: &RunEnd) -> Result<()> {
        let mut tx = self.db.begin().await?;
        execute!(
            tx.conn(),
            "UPDATE schedule_runs SET outcome = $1, task_id = $2, workflow_run = $3, message = $4 WHERE id = $5",
            end.outcome.as_str(),
            end.task.map(|task| task.0),
            end.workflow_run,
            clean(&end.message),
            run.run,
        )
        .tried("note what became of a schedule's time")?;
        execute!(
            tx.conn(),
            "DELETE FROM schedule_runs WHERE schedule_id = $1 AND id <= (
                 SELECT id FROM schedule_runs WHERE schedule_id = $1 ORDER BY id DESC LIMIT 1 OFFSET $2)",
            run.schedule.id.0,
            RUNS_KEPT,
        )
        .tried("delete old times of a schedule")?;
        tx.commit().await
    }

    /// Takes times that are pending for longer than `age`: whoever had them died. Each is answered to one manager.
    pub async fn stale_runs(&self, age: Duration) -> Result<Vec<DueRun>> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let rows: Vec<(i64, i64, i64, i64)> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "SELECT id, schedule_id, due_at, at FROM schedule_runs WHERE outcome = 'pending' AND at < $1 ORDER BY id",
            )
            .bind(now.minus(age).0)
            .fetch_all(conn)
            .await
        })
        .tried("look for times that nobody did")?;
        let mut taken = Vec::new();
        for (run, schedule, due_at, noted) in rows {
            let won = execute!(
                tx.conn(),
                "UPDATE schedule_runs SET at = $1 WHERE id = $2 AND at = $3 AND outcome = 'pending'",
                now.0,
                run,
                noted
            )
            .tried("take a time that nobody did")?;
            if won == 1 {
                taken.push((run, ScheduleId(schedule), Time(due_at), Time(noted)));
            }
        }
        tx.commit().await?;
        let mut due = Vec::with_capacity(taken.len());
        for (run, schedule, due_at, noted_at) in taken {
            match self.schedule(schedule).await {
                Ok(schedule) => due.push(DueRun { run, schedule, due_at, noted_at }),
                Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(due)
    }

    /// The newest times of one schedule, or of each schedule, newest first.
    pub async fn schedule_runs(
        &self,
        schedule: Option<ScheduleId>,
        newest: u32,
    ) -> Result<HashMap<ScheduleId, Vec<ScheduleRun>>> {
        let rows: Vec<RunRow> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT r.schedule_id, r.due_at, r.at, r.outcome, r.task_id, t.state AS task_state, r.workflow_run, r.message
                 FROM (
                     SELECT schedule_id, due_at, at, outcome, task_id, workflow_run, message, id,
                         ROW_NUMBER() OVER (PARTITION BY schedule_id ORDER BY id DESC) AS age
                     FROM schedule_runs WHERE CAST($1 AS BIGINT) IS NULL OR schedule_id = $1
                 ) AS r LEFT JOIN tasks t ON t.id = r.task_id
                 WHERE r.age <= $2 ORDER BY r.id DESC",
            )
            .bind(schedule.map(|id| id.0))
            .bind(i64::from(newest))
            .fetch_all(conn)
            .await
        })
        .tried("list times of schedules")?;
        let mut runs: HashMap<ScheduleId, Vec<ScheduleRun>> = HashMap::new();
        for row in rows {
            runs.entry(ScheduleId(row.schedule_id)).or_default().push(row.run()?);
        }
        Ok(runs)
    }

    /// The task that somebody asked for at or after a time, if there is one: what a manager that died had begun.
    pub async fn task_asked_by(&self, pool: PoolId, started_by: &str, since: Time) -> Result<Option<TaskId>> {
        let id: Option<i64> = on!(self.db.read(), conn => {
            sqlx::query_scalar(
                "SELECT MIN(id) FROM tasks WHERE pool_id = $1 AND started_by = $2 AND queued_at >= $3",
            )
            .bind(pool.0)
            .bind(started_by)
            .bind(since.0)
            .fetch_one(conn)
            .await
        })
        .tried("look for the task of a schedule")?;
        Ok(id.map(TaskId))
    }
}

/// Inserts a schedule in a transaction that makes more than that.
pub(crate) async fn insert(tx: &mut Tx, pool: PoolId, plan: &Plan, next: Option<NextTime>) -> Result<ScheduleId> {
    let (action, params, workflow) = starts_columns(&plan.starts)?;
    let (cron, at) = when_columns(&plan.when);
    let inserted: sqlx::Result<i64> = on!(tx.conn(), conn => {
        sqlx::query_scalar(
            "INSERT INTO schedules (pool_id, action, params, workflow, cron, at, time_zone, jitter_s, catch_up, overlap,
                 enabled, next_at, due_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id",
        )
        .bind(pool.0)
        .bind(action)
        .bind(&params)
        .bind(workflow)
        .bind(cron)
        .bind(at)
        .bind(&plan.time_zone)
        .bind(i64::from(plan.jitter_s))
        .bind(plan.catch_up.as_str())
        .bind(plan.overlap.as_str())
        .bind(plan.enabled)
        .bind(next.map(|next| next.at.0))
        .bind(next.map(|next| next.due.0))
        .fetch_one(conn)
        .await
    });
    referenced(inserted, "make a schedule", || format!("pool {pool}")).map(ScheduleId)
}

async fn insert_run(tx: &mut Tx, schedule: ScheduleId, due_at: Time, now: Time) -> Result<i64> {
    let inserted: sqlx::Result<i64> = on!(tx.conn(), conn => {
        sqlx::query_scalar(
            "INSERT INTO schedule_runs (schedule_id, due_at, at, outcome, message)
             VALUES ($1, $2, $3, 'pending', '') RETURNING id",
        )
        .bind(schedule.0)
        .bind(due_at.0)
        .bind(now.0)
        .fetch_one(conn)
        .await
    });
    referenced(inserted, "note a schedule's time", || format!("schedule {schedule}"))
}

fn starts_columns(starts: &Starts) -> Result<(Option<&'static str>, String, Option<&str>)> {
    Ok(match starts {
        Starts::Action { action, params } => (Some(action.as_str()), to_json("settings of a schedule", params)?, None),
        Starts::Workflow { workflow } => (None, "null".to_owned(), Some(workflow)),
    })
}

fn when_columns(when: &When) -> (Option<&str>, Option<i64>) {
    match when {
        When::Cron(cron) => (Some(cron), None),
        When::At(at) => (None, Some(at.0)),
    }
}

fn no_schedule(id: ScheduleId) -> StoreError {
    StoreError::not_found(format!("schedule {id}"))
}
