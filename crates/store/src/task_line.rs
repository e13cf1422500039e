//! How tasks come into a pool's line and out of it.
//!
//! Every change of a line happens in one transaction that holds the pool's lock, so that two
//! managers never decide on the same line at once. The decision itself is the caller's pure
//! function; this file only carries it out.
//!
//! A running task belongs to one manager at a time: its *owner*, until its *lease* ends. All leases
//! are by the database's clock. Each claim raises the *fence*; what a manager writes must name the
//! fence it got, so one that was thought dead and comes back changes nothing.

use std::time::Duration;

use p2ppool_model::task::{Counts, EndRequest, Task, TaskState};
use p2ppool_model::{Action, HostId, Outcome, PoolId, TaskId, Time};
use sqlx::{FromRow, QueryBuilder};

use crate::Store;
use crate::db::{Tx, on};
use crate::error::{Result, StoreError, Tried as _};
use crate::notify::{Topic, notify};
use crate::task::{TaskRow, task_columns, task_from};
use crate::text::{clean, parse, parse_opt, to_json};

/// Rows per INSERT: with three binds each below SQLite's limit of 32,766 and fast on both (measured
/// best between 100 and 1,500).
const ROWS_PER_INSERT: usize = 500;

/// A task to be queued.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// The pool it works on.
    pub pool: PoolId,
    /// What it does.
    pub action: Action,
    /// Equal requests have equal texts.
    pub asked: String,
    /// Who or what asks for it.
    pub started_by: String,
    /// Action-specific settings.
    pub params: serde_json::Value,
    /// The task whose unfinished hosts it does again.
    pub retry_of: Option<TaskId>,
    /// Its hosts.
    pub hosts: Vec<NewTaskHost>,
}

/// A host of a task to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewTaskHost {
    /// The host.
    pub host: HostId,
    /// Its address.
    pub address: String,
    /// How often it will have been tried, with this time: 1 unless it is a retry.
    pub attempt: u32,
}

/// A task that runs or waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InLine {
    /// The task.
    pub id: TaskId,
    /// What it does.
    pub action: Action,
    /// Equal requests have equal texts.
    pub asked: String,
    /// It runs; else it waits.
    pub running: bool,
    /// It was told to end.
    pub end_request: Option<EndRequest>,
}

/// What the caller decides about a new task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It stands in line.
    Queue {
        /// These make room: running ones are told to end, waiting ones end unstarted.
        make_room: Vec<TaskId>,
        /// What it waits for first.
        waits_for: Option<TaskId>,
    },
    /// That waiting one does it already.
    Join(TaskId),
    /// It can't be accepted.
    Refuse(String),
}

/// What became of a new task.
#[derive(Clone, Debug, PartialEq)]
pub enum Admitted {
    /// It was queued. `changed` are the other tasks that had to make room.
    Queued {
        /// The new task.
        task: Box<Task>,
        /// Tasks that were told to end or ended unstarted.
        changed: Vec<Task>,
    },
    /// It joined this one.
    Joined(Box<Task>),
    /// It was refused.
    Refused(String),
}

/// What the caller decides about a pool's waiting tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Starts {
    /// These start now.
    pub start: Vec<TaskId>,
    /// These wait, each for that one.
    pub wait: Vec<(TaskId, TaskId)>,
    /// These could start, but not here and now: the reason, as a sentence.
    pub later: Vec<(TaskId, String)>,
}

/// A task that this manager may run.
#[derive(Clone, Debug, PartialEq)]
pub struct Claimed {
    /// The task.
    pub task: Task,
    /// To be named with every write.
    pub fence: i64,
}

/// The state of one task of a manager, as its heartbeat finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// The task.
    pub task: TaskId,
    /// The claim that is still good.
    pub fence: i64,
    /// It was told to end.
    pub end_request: Option<EndRequest>,
}

#[derive(FromRow)]
struct InLineRow {
    id: i64,
    action: String,
    asked: String,
    state: String,
    end_request: Option<String>,
}

impl Store {
    /// Puts a task into its pool's line, or not, as `decide` says of the tasks that run or wait there
    /// (oldest first). Everything happens in one transaction.
    pub async fn admit_task(&self, new: NewTask, decide: impl FnOnce(&[InLine]) -> Admission) -> Result<Admitted> {
        let mut tx = self.db.begin().await?;
        let pool_name =
            lock_pool(&mut tx, new.pool).await?.ok_or_else(|| StoreError::not_found(format!("pool {}", new.pool)))?;
        let line = read_line(&mut tx, new.pool).await?;
        let (make_room, waits_for) = match decide(&line) {
            Admission::Refuse(why) => return Ok(Admitted::Refused(why)),
            Admission::Join(task) => {
                drop(tx);
                return Ok(Admitted::Joined(Box::new(self.task(task).await?)));
            }
            Admission::Queue { make_room, waits_for } => (make_room, waits_for),
        };
        let now = tx.now().await?;
        let task = insert_task(&mut tx, &new, &pool_name, waits_for, now).await?;
        insert_hosts(&mut tx, task.id, &new.hosts).await?;
        let why = format!("made room for {} #{}", new.action, task.id);
        let mut changed = Vec::new();
        for other in make_room {
            changed.extend(end_request(&mut tx, other, EndRequest::Preempt, &why, now).await?);
        }
        notify(&mut tx, Topic::Tasks).await?;
        tx.commit().await?;
        Ok(Admitted::Queued { task: Box::new(task), changed })
    }

    /// Pools in which a task waits.
    pub async fn pools_with_queue(&self) -> Result<Vec<PoolId>> {
        let ids: Vec<i64> = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT DISTINCT pool_id FROM tasks WHERE state = 'queued' ORDER BY pool_id")
                .fetch_all(conn)
                .await
        })
        .tried("look for waiting tasks")?;
        Ok(ids.into_iter().map(PoolId).collect())
    }

    /// Claims the tasks of a pool that `decide` lets start, for `owner`, until `lease` from now.
    /// Returns them, and the tasks whose reason for waiting changed.
    pub async fn claim_tasks(
        &self,
        pool: PoolId,
        owner: &str,
        lease: Duration,
        decide: impl FnOnce(&[InLine]) -> Starts,
    ) -> Result<(Vec<Claimed>, Vec<Task>)> {
        let mut tx = self.db.begin().await?;
        lock_pool(&mut tx, pool).await?;
        let starts = decide(&read_line(&mut tx, pool).await?);
        let now = tx.now().await?;
        let until = now.plus(lease);
        let mut claimed = Vec::new();
        for task in starts.start {
            let row: Option<TaskRow> = on!(tx.conn(), conn => {
                sqlx::query_as(concat!(
                    "UPDATE tasks SET state = 'running', owner = $1, lease_until = $2, fence = fence + 1,
                         started_at = $3, waits_for = NULL, message = ''
                     WHERE id = $4 AND state = 'queued' RETURNING ", task_columns!()
                ))
                .bind(owner)
                .bind(until.0)
                .bind(now.0)
                .bind(task.0)
                .fetch_optional(conn)
                .await
            })
            .tried("claim a task")?;
            claimed.extend(row.map(claimed_from).transpose()?);
        }
        let mut changed = Vec::new();
        for (task, waits_for) in starts.wait {
            let row: Option<TaskRow> = on!(tx.conn(), conn => {
                sqlx::query_as(concat!(
                    "UPDATE tasks SET waits_for = $1, message = ''
                     WHERE id = $2 AND state = 'queued' AND (waits_for IS NULL OR waits_for <> $1) RETURNING ",
                    task_columns!()
                ))
                .bind(waits_for.0)
                .bind(task.0)
                .fetch_optional(conn)
                .await
            })
            .tried("note what a task waits for")?;
            changed.extend(row.map(task_from).transpose()?);
        }
        for (task, why) in starts.later {
            let row: Option<TaskRow> = on!(tx.conn(), conn => {
                sqlx::query_as(concat!(
                    "UPDATE tasks SET waits_for = NULL, message = $1
                     WHERE id = $2 AND state = 'queued' AND (waits_for IS NOT NULL OR message <> $1) RETURNING ",
                    task_columns!()
                ))
                .bind(&why)
                .bind(task.0)
                .fetch_optional(conn)
                .await
            })
            .tried("note why a task waits")?;
            changed.extend(row.map(task_from).transpose()?);
        }
        tx.commit().await?;
        Ok((claimed, changed))
    }

    /// Takes over running tasks that nobody runs: their lease is over or was given back. With
    /// `own_too`, also all that `owner` itself holds: right only when it has just started.
    pub async fn take_over_tasks(&self, owner: &str, lease: Duration, own_too: bool) -> Result<Vec<Claimed>> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let rows: Vec<TaskRow> = on!(tx.conn(), conn => {
            sqlx::query_as(concat!(
                "UPDATE tasks SET owner = $1, lease_until = $2, fence = fence + 1
                 WHERE state = 'running' AND (owner IS NULL OR lease_until < $3 OR ($4 AND owner = $1)) RETURNING ",
                task_columns!()
            ))
            .bind(owner)
            .bind(now.plus(lease).0)
            .bind(now.0)
            .bind(own_too)
            .fetch_all(conn)
            .await
        })
        .tried("take over tasks")?;
        tx.commit().await?;
        rows.into_iter().map(claimed_from).collect()
    }

    /// Prolongs every lease of `owner` and tells what it still holds. What is not in the answer was lost.
    pub async fn heartbeat_tasks(&self, owner: &str, lease: Duration) -> Result<Vec<Held>> {
        let mut tx = self.db.begin_relaxed().await?;
        let until = tx.now().await?.plus(lease);
        let rows: Vec<(i64, i64, Option<String>)> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "UPDATE tasks SET lease_until = $1 WHERE owner = $2 AND state = 'running'
                 RETURNING id, fence, end_request",
            )
            .bind(until.0)
            .bind(owner)
            .fetch_all(conn)
            .await
        })
        .tried("prolong leases")?;
        tx.commit().await?;
        rows.into_iter()
            .map(|(id, fence, end)| {
                let end_request = parse_opt(&format!("end request of task {id}"), end.as_deref())?;
                Ok(Held { task: TaskId(id), fence, end_request })
            })
            .collect()
    }

    /// Tells a task to end: a waiting one ends at once, a running one at its hosts' step boundaries. `None`
    /// when it has ended already or was told so before.
    pub async fn request_task_end(&self, task: TaskId, request: EndRequest, why: &str) -> Result<Option<Task>> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let changed = end_request(&mut tx, task, request, why, now).await?;
        notify(&mut tx, Topic::Tasks).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

pub(crate) fn claimed_from(row: TaskRow) -> Result<Claimed> {
    let fence = row.fence;
    Ok(Claimed { task: task_from(row)?, fence })
}

/// Keeps other managers from this pool's line until the end of the transaction; answers the pool's name. A
/// pool that is gone has no line to keep.
async fn lock_pool(tx: &mut Tx, pool: PoolId) -> Result<Option<String>> {
    on!(tx.conn(), conn => {
        sqlx::query_scalar("UPDATE pools SET name = name WHERE id = $1 RETURNING name")
            .bind(pool.0)
            .fetch_optional(conn)
            .await
    })
    .tried("lock the pool's line")
}

async fn read_line(tx: &mut Tx, pool: PoolId) -> Result<Vec<InLine>> {
    let rows: Vec<InLineRow> = on!(tx.conn(), conn => {
        sqlx::query_as(
            "SELECT id, action, asked, state, end_request FROM tasks
             WHERE pool_id = $1 AND state IN ('queued', 'running') ORDER BY id",
        )
        .bind(pool.0)
        .fetch_all(conn)
        .await
    })
    .tried("read the pool's line")?;
    rows.into_iter()
        .map(|row| {
            Ok(InLine {
                id: TaskId(row.id),
                action: parse(&format!("action of task {}", row.id), &row.action)?,
                running: row.state == TaskState::Running.as_str(),
                end_request: parse_opt(&format!("end request of task {}", row.id), row.end_request.as_deref())?,
                asked: row.asked,
            })
        })
        .collect()
}

async fn insert_task(
    tx: &mut Tx,
    new: &NewTask,
    pool_name: &str,
    waits_for: Option<TaskId>,
    now: Time,
) -> Result<Task> {
    let total = new.hosts.len() as u64;
    let counts = Counts((total > 0).then_some((Outcome::NotStarted, total)).into_iter().collect());
    let params = to_json("params of a new task", &new.params)?;
    let counts = to_json("counts of a new task", &counts)?;
    let row: TaskRow = on!(tx.conn(), conn => {
        sqlx::query_as(concat!(
            "INSERT INTO tasks (pool_id, pool_name, action, state, started_by, asked, params, message, waits_for,
                 retry_of, queued_at, counts, fence)
             VALUES ($1, $2, $3, 'queued', $4, $5, $6, '', $7, $8, $9, $10, 0) RETURNING ", task_columns!()
        ))
        .bind(new.pool.0)
        .bind(pool_name)
        .bind(new.action.as_str())
        .bind(clean(&new.started_by))
        .bind(clean(&new.asked))
        .bind(params)
        .bind(waits_for.map(|task| task.0))
        .bind(new.retry_of.map(|task| task.0))
        .bind(now.0)
        .bind(counts)
        .fetch_one(conn)
        .await
    })
    .tried("queue a task")?;
    task_from(row)
}

async fn insert_hosts(tx: &mut Tx, task: TaskId, hosts: &[NewTaskHost]) -> Result<()> {
    for chunk in hosts.chunks(ROWS_PER_INSERT) {
        on!(tx.conn(), conn => {
            // what is the same in each row is bound once; both databases name the columns of VALUES like this
            let mut query = QueryBuilder::new(
                "INSERT INTO task_hosts (task_id, host_id, address, outcome, message, attempt) SELECT ",
            );
            query.push_bind(task.0).push(", column1, column2, ").push_bind(Outcome::NotStarted.as_str());
            query.push(", '', column3 FROM (");
            query.push_values(chunk, |mut row, host| {
                row.push_bind(host.host.0).push_bind(&host.address).push_bind(i64::from(host.attempt));
            });
            query.push(") AS hosts").build().execute(conn).await.map(drop)
        })
        .tried("queue a task's hosts")?;
    }
    Ok(())
}

/// One task is told to end. A person's wish stands over another task's.
async fn end_request(tx: &mut Tx, task: TaskId, request: EndRequest, why: &str, now: Time) -> Result<Option<Task>> {
    let row: Option<TaskRow> = on!(tx.conn(), conn => {
        sqlx::query_as(concat!(
            "UPDATE tasks SET
                 end_request = $2,
                 message = CASE state WHEN 'queued' THEN $3 ELSE message END,
                 ended_at = CASE state WHEN 'queued' THEN $4 ELSE ended_at END,
                 waits_for = NULL,
                 state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END
             WHERE id = $1 AND state IN ('queued', 'running')
                 AND (end_request IS NULL OR (end_request = 'preempt' AND $2 = 'cancel'))
             RETURNING ", task_columns!()
        ))
        .bind(task.0)
        .bind(request.as_str())
        .bind(clean(why))
        .bind(now.0)
        .fetch_optional(conn)
        .await
    })
    .tried("tell a task to end")?;
    row.map(task_from).transpose()
}
