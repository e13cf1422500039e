//! What starts tasks by itself.

use p2ppool_model::{Action, PoolId, TaskId, Time};
use sqlx::FromRow;

use crate::Store;
use crate::db::on;
use crate::error::{Result, Tried as _};
use crate::text::parse;

/// One action of one pool that starts by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The pool.
    pub pool: PoolId,
    /// What it starts.
    pub action: Action,
    /// When, as a cron expression in UTC.
    pub cron: String,
    /// It is on.
    pub enabled: bool,
    /// The next time.
    pub next_at: Time,
    /// The last time.
    pub last_at: Option<Time>,
    /// The task it started or joined then.
    pub last_task: Option<TaskId>,
}

#[derive(FromRow)]
struct Row {
    pool_id: i64,
    action: String,
    cron: String,
    enabled: bool,
    next_at: i64,
    last_at: Option<i64>,
    last_task: Option<i64>,
}

fn schedule_from(row: Row) -> Result<Schedule> {
    Ok(Schedule {
        pool: PoolId(row.pool_id),
        action: parse(&format!("action of a schedule of pool {}", row.pool_id), &row.action)?,
        cron: row.cron,
        enabled: row.enabled,
        next_at: Time(row.next_at),
        last_at: row.last_at.map(Time),
        last_task: row.last_task.map(TaskId),
    })
}

impl Store {
    /// Schedules of a pool, or of all.
    pub async fn schedules(&self, pool: Option<PoolId>) -> Result<Vec<Schedule>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT pool_id, action, cron, enabled, next_at, last_at, last_task FROM schedules
                 WHERE $1 IS NULL OR pool_id = $1 ORDER BY pool_id, action",
            )
            .bind(pool.map(|pool| pool.0))
            .fetch_all(conn)
            .await
        })
        .tried("list schedules")?;
        rows.into_iter().map(schedule_from).collect()
    }

    /// Makes a schedule or replaces the pool's one for the same action.
    pub async fn set_schedule(&self, schedule: &Schedule) -> Result<()> {
        self.put_schedule(
            schedule,
            "INSERT INTO schedules (pool_id, action, cron, enabled, next_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (pool_id, action) DO UPDATE SET cron = excluded.cron, enabled = excluded.enabled,
                 next_at = excluded.next_at",
        )
        .await
    }

    /// Makes a schedule unless the pool has one for that action.
    pub async fn add_schedule(&self, schedule: &Schedule) -> Result<()> {
        self.put_schedule(
            schedule,
            "INSERT INTO schedules (pool_id, action, cron, enabled, next_at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (pool_id, action) DO NOTHING",
        )
        .await
    }

    async fn put_schedule(&self, schedule: &Schedule, sql: &'static str) -> Result<()> {
        let mut tx = self.db.begin().await?;
        on!(tx.conn(), conn => {
            sqlx::query(sql)
                .bind(schedule.pool.0)
                .bind(schedule.action.as_str())
                .bind(&schedule.cron)
                .bind(schedule.enabled)
                .bind(schedule.next_at.0)
                .execute(conn)
                .await
                .map(drop)
        })
        .tried("write a schedule")?;
        tx.commit().await
    }

    /// The database's time, the due schedules, and when the first of the others is due.
    pub async fn due_schedules(&self) -> Result<(Time, Vec<Schedule>, Option<Time>)> {
        let mut tx = self.db.begin_read().await?;
        let now = tx.now().await?;
        let rows: Vec<Row> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "SELECT pool_id, action, cron, enabled, next_at, last_at, last_task FROM schedules
                 WHERE enabled AND next_at <= $1 ORDER BY next_at, id",
            )
            .bind(now.0)
            .fetch_all(conn)
            .await
        })
        .tried("look for due schedules")?;
        let next: Option<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar("SELECT MIN(next_at) FROM schedules WHERE enabled AND next_at > $1")
                .bind(now.0)
                .fetch_one(conn)
                .await
        })
        .tried("look for the next schedule")?;
        Ok((now, rows.into_iter().map(schedule_from).collect::<Result<_>>()?, next.map(Time)))
    }

    /// Moves a due schedule to its next time. `false`: another manager did so first, and starts the task.
    pub async fn advance_schedule(&self, due: &Schedule, next_at: Time) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let moved = on!(tx.conn(), conn => {
            sqlx::query(
                "UPDATE schedules SET last_at = next_at, next_at = $1
                 WHERE pool_id = $2 AND action = $3 AND next_at = $4 AND enabled",
            )
            .bind(next_at.0)
            .bind(due.pool.0)
            .bind(due.action.as_str())
            .bind(due.next_at.0)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
        .tried("advance a schedule")?;
        tx.commit().await?;
        Ok(moved == 1)
    }

    /// Notes which task a schedule started.
    pub async fn note_scheduled(&self, schedule: &Schedule, task: TaskId) -> Result<()> {
        let mut tx = self.db.begin_relaxed().await?;
        on!(tx.conn(), conn => {
            sqlx::query("UPDATE schedules SET last_task = $1 WHERE pool_id = $2 AND action = $3")
                .bind(task.0)
                .bind(schedule.pool.0)
                .bind(schedule.action.as_str())
                .execute(conn)
                .await
                .map(drop)
        })
        .tried("note a schedule's task")?;
        tx.commit().await
    }
}
