//! Tasks as people see them: one, many, their hosts, what the hosts printed.
//!
//! How tasks come into the line and out of it is in [`crate::task_line`]; what a running one writes is in
//! [`crate::task_run`].

use std::collections::HashMap;

use p2ppool_model::task::{Task, TaskHost, TaskState};
use p2ppool_model::{HostId, Outcome, PoolId, TaskId, Time};
use sqlx::{FromRow, QueryBuilder};

use crate::Store;
use crate::db::{CHUNK_ROWS, on};
use crate::error::{Result, StoreError, Tried as _};
use crate::natural::Natural;
use crate::page::{Listed, PAGE_MAX, Page};
use crate::text::{containing, from_json, parse, parse_opt, uint};

/// Which tasks to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// Only of this pool.
    pub pool: Option<PoolId>,
    /// Only of these pools; `None`: of any, also of pools that are gone.
    pub pools: Option<Vec<PoolId>>,
    /// Only in one of these states; empty: in any.
    pub states: Vec<TaskState>,
    /// Only those that were asked for then or later.
    pub from: Option<Time>,
    /// Only those that were asked for earlier.
    pub until: Option<Time>,
}

/// Which hosts of a task to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskHostFilter {
    /// Only with one of these outcomes; empty: with any.
    pub outcomes: Vec<Outcome>,
    /// Only with this in their address or message.
    pub text: Option<String>,
}

/// What [`task_from`] reads; a macro because every statement's text is known at compile time.
macro_rules! task_columns {
    () => {
        "id, pool_id, pool_name, action, state, started_by, params, result, message, waits_for, end_request, \
         retry_of, queued_at, started_at, ended_at, counts, fence"
    };
}
pub(crate) use task_columns;

#[derive(FromRow)]
pub(crate) struct TaskRow {
    pub(crate) id: i64,
    pool_id: i64,
    pool_name: String,
    action: String,
    state: String,
    started_by: String,
    params: String,
    result: Option<String>,
    message: String,
    waits_for: Option<i64>,
    end_request: Option<String>,
    retry_of: Option<i64>,
    queued_at: i64,
    started_at: Option<i64>,
    ended_at: Option<i64>,
    counts: String,
    pub(crate) fence: i64,
}

pub(crate) fn task_from(row: TaskRow) -> Result<Task> {
    let what = |part: &str| format!("{part} of task {}", row.id);
    let json = |part: &str, text: &str| from_json::<serde_json::Value>(&what(part), text);
    Ok(Task {
        id: TaskId(row.id),
        pool: PoolId(row.pool_id),
        action: parse(&what("action"), &row.action)?,
        state: parse(&what("state"), &row.state)?,
        queued_at: Time(row.queued_at),
        started_at: row.started_at.map(Time),
        ended_at: row.ended_at.map(Time),
        counts: from_json(&what("counts"), &row.counts)?,
        waits_for: row.waits_for.map(TaskId),
        end_request: parse_opt(&what("end request"), row.end_request.as_deref())?,
        retry_of: row.retry_of.map(TaskId),
        params: json("params", &row.params)?,
        result: row.result.as_deref().map(|text| json("result", text)).transpose()?,
        pool_name: row.pool_name,
        started_by: row.started_by,
        message: row.message,
    })
}

#[derive(FromRow)]
struct TaskHostRow {
    task_id: i64,
    host_id: i64,
    address: String,
    outcome: String,
    step: Option<String>,
    cause: Option<String>,
    message: String,
    attempt: i64,
    duration_ms: Option<i64>,
    at: Option<i64>,
}

fn host_from(row: TaskHostRow) -> Result<TaskHost> {
    let what = |part: &str| format!("{part} of host {} in task {}", row.host_id, row.task_id);
    Ok(TaskHost {
        host: HostId(row.host_id),
        outcome: parse(&what("outcome"), &row.outcome)?,
        step: parse_opt(&what("step"), row.step.as_deref())?,
        cause: parse_opt(&what("cause"), row.cause.as_deref())?,
        attempt: u32::try_from(row.attempt).unwrap_or(u32::MAX),
        duration_ms: row.duration_ms.map(uint),
        at: row.at.map(Time),
        address: row.address,
        message: row.message,
    })
}

const HOST_COLUMNS: &str = "task_id, host_id, address, outcome, step, cause, message, attempt, duration_ms, at";

/// `WHERE …` of a [`TaskFilter`], for either database's builder.
macro_rules! push_filter {
    ($query:ident, $filter:ident) => {
        $query.push(" WHERE 1 = 1");
        if let Some(pool) = $filter.pool {
            $query.push(" AND pool_id = ").push_bind(pool.0);
        }
        if let Some(pools) = &$filter.pools {
            // No pool has the number 0, and the list must not be empty.
            $query.push(" AND pool_id IN (0");
            for pool in pools {
                $query.push(", ").push_bind(pool.0);
            }
            $query.push(")");
        }
        if let Some(from) = $filter.from {
            $query.push(" AND queued_at >= ").push_bind(from.0);
        }
        if let Some(until) = $filter.until {
            $query.push(" AND queued_at < ").push_bind(until.0);
        }
        if !$filter.states.is_empty() {
            let mut list = $query.push(" AND state IN (").separated(", ");
            for state in &$filter.states {
                list.push_bind(state.as_str());
            }
            list.push_unseparated(")");
        }
    };
}

/// `WHERE …` of a [`TaskHostFilter`], for either database's builder.
macro_rules! push_host_filter {
    ($query:ident, $task:ident, $filter:ident) => {
        $query.push(" WHERE task_id = ").push_bind($task.0);
        if !$filter.outcomes.is_empty() {
            let mut list = $query.push(" AND outcome IN (").separated(", ");
            for outcome in &$filter.outcomes {
                list.push_bind(outcome.as_str());
            }
            list.push_unseparated(")");
        }
        if let Some(text) = &$filter.text {
            $query.push(" AND (lower(address) LIKE ").push_bind(containing(text)).push(" ESCAPE '!'");
            $query.push(" OR lower(message) LIKE ").push_bind(containing(text)).push(" ESCAPE '!')");
        }
    };
}

impl Store {
    /// One task.
    pub async fn task(&self, task: TaskId) -> Result<Task> {
        let row: Option<TaskRow> = on!(self.db.read(), conn => {
            sqlx::query_as(concat!("SELECT ", task_columns!(), " FROM tasks WHERE id = $1"))
                .bind(task.0)
                .fetch_optional(conn)
                .await
        })
        .tried("read a task")?;
        task_from(row.ok_or_else(|| StoreError::not_found(format!("task #{task}")))?)
    }

    /// Tasks, newest first.
    pub async fn tasks(&self, filter: &TaskFilter, page: Page) -> Result<Listed<Task>> {
        let mut tx = self.db.begin_read().await?;
        let total: i64 = on!(tx.conn(), conn => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM tasks");
            push_filter!(query, filter);
            query.build_query_scalar().fetch_one(conn).await
        })
        .tried("count tasks")?;
        let rows: Vec<TaskRow> = on!(tx.conn(), conn => {
            let mut query = QueryBuilder::new(concat!("SELECT ", task_columns!(), " FROM tasks"));
            push_filter!(query, filter);
            query.push(" ORDER BY id DESC LIMIT ").push_bind(page.limit());
            query.push(" OFFSET ").push_bind(page.offset());
            query.build_query_as().fetch_all(conn).await
        })
        .tried("list tasks")?;
        let items = rows.into_iter().map(task_from).collect::<Result<_>>()?;
        Ok(Listed { total: uint(total), items })
    }

    /// Hosts of a task, by address as people count: `node2` before `node10`.
    pub async fn task_hosts(&self, task: TaskId, filter: &TaskHostFilter, page: Page) -> Result<Listed<TaskHost>> {
        let mut tx = self.db.begin_read().await?;
        // No database sorts like this; the addresses of the largest task are some two megabytes.
        let mut hosts: Vec<(i64, String)> = on!(tx.conn(), conn => {
            let mut query = QueryBuilder::new("SELECT host_id, address FROM task_hosts");
            push_host_filter!(query, task, filter);
            query.build_query_as().fetch_all(conn).await
        })
        .tried("list the addresses of a task's hosts")?;
        hosts.sort_by(|a, b| Natural(&a.1).cmp(&Natural(&b.1)).then(a.0.cmp(&b.0)));
        let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
        let limit = page.limit.min(PAGE_MAX) as usize;
        let shown: Vec<i64> = hosts.iter().skip(skip).take(limit).map(|(host, _)| *host).collect();
        let mut rows: HashMap<i64, TaskHostRow> = HashMap::with_capacity(shown.len());
        for chunk in shown.chunks(CHUNK_ROWS) {
            let part: Vec<TaskHostRow> = on!(tx.conn(), conn => {
                let mut query = QueryBuilder::new("SELECT ");
                query.push(HOST_COLUMNS).push(" FROM task_hosts WHERE task_id = ").push_bind(task.0);
                let mut list = query.push(" AND host_id IN (").separated(", ");
                for host in chunk {
                    list.push_bind(*host);
                }
                list.push_unseparated(")");
                query.build_query_as().fetch_all(conn).await
            })
            .tried("list hosts of a task")?;
            rows.extend(part.into_iter().map(|row| (row.host_id, row)));
        }
        let items = shown.iter().filter_map(|host| rows.remove(host)).map(host_from).collect::<Result<_>>()?;
        Ok(Listed { total: hosts.len() as u64, items })
    }

    /// Every host of a task, in no special order: for the one who runs it.
    pub async fn all_task_hosts(&self, task: TaskId) -> Result<Vec<TaskHost>> {
        let rows: Vec<TaskHostRow> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT task_id, host_id, address, outcome, step, cause, message, attempt, duration_ms, at
                 FROM task_hosts WHERE task_id = $1",
            )
            .bind(task.0)
            .fetch_all(conn)
            .await
        })
        .tried("read hosts of a task")?;
        rows.into_iter().map(host_from).collect()
    }

    /// Every host of a task and of the tasks that did some of its hosts again, as the last attempt left it.
    pub async fn merged_task_hosts(&self, task: TaskId) -> Result<Vec<TaskHost>> {
        let rows: Vec<TaskHostRow> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "WITH RECURSIVE chain (id) AS (
                     SELECT CAST($1 AS BIGINT) UNION ALL SELECT t.id FROM tasks t JOIN chain c ON t.retry_of = c.id
                 )
                 SELECT task_id, host_id, address, outcome, step, cause, message, attempt, duration_ms, at FROM (
                     SELECT h.task_id, h.host_id, h.address, h.outcome, h.step, h.cause, h.message, h.attempt,
                         h.duration_ms, h.at,
                         ROW_NUMBER() OVER (PARTITION BY h.host_id ORDER BY h.attempt DESC, h.task_id DESC) AS age
                     FROM task_hosts h JOIN chain c ON c.id = h.task_id
                 ) AS attempts WHERE age = 1",
            )
            .bind(task.0)
            .fetch_all(conn)
            .await
        })
        .tried("read the attempts of a task's hosts")?;
        rows.into_iter().map(host_from).collect()
    }

    /// The end of what a host printed in a task, if anything was kept.
    pub async fn task_output(&self, task: TaskId, host: HostId) -> Result<Option<String>> {
        on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT output FROM task_outputs WHERE task_id = $1 AND host_id = $2")
                .bind(task.0)
                .bind(host.0)
                .fetch_optional(conn)
                .await
        })
        .tried("read a host's output")
    }

    /// Tasks of these pools that run or wait, oldest first.
    pub async fn open_tasks(&self, pool: Option<PoolId>) -> Result<Vec<Task>> {
        let rows: Vec<TaskRow> = on!(self.db.read(), conn => {
            sqlx::query_as(concat!(
                "SELECT ", task_columns!(), " FROM tasks
                 WHERE state IN ('queued', 'running') AND ($1 IS NULL OR pool_id = $1) ORDER BY id"
            ))
            .bind(pool.map(|pool| pool.0))
            .fetch_all(conn)
            .await
        })
        .tried("list open tasks")?;
        rows.into_iter().map(task_from).collect()
    }

    /// Deletes the oldest ended tasks of each pool, with all that belongs to them, beyond the newest `keep`.
    pub async fn prune_tasks(&self, keep: u32) -> Result<u64> {
        let mut tx = self.db.begin_relaxed().await?;
        let deleted = on!(tx.conn(), conn => {
            sqlx::query(
                "DELETE FROM tasks WHERE id IN (
                     SELECT id FROM (
                         SELECT id, ROW_NUMBER() OVER (PARTITION BY pool_id ORDER BY id DESC) AS age
                         FROM tasks WHERE state NOT IN ('queued', 'running')
                     ) AS ended WHERE age > $1
                 )",
            )
            .bind(i64::from(keep))
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
        .tried("delete old tasks")?;
        tx.commit().await?;
        Ok(deleted)
    }
}
