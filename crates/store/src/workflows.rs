//! Workflows and their runs.
//!
//! A run belongs to the manager that holds its lease, by the database's clock, as a task does; what
//! it writes names the fence of its claim. Unlike tasks, runs are claimed anew at every look: a
//! step takes as long as it takes, but what the manager does about it takes a moment.

use std::time::Duration;

use p2ppool_model::workflow::run::{Progress, RunState, StepRun, StepState};
use p2ppool_model::{PoolId, Time};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, QueryBuilder};

use crate::Store;
use crate::db::{execute, on};
use crate::error::{Result, StoreError, Tried as _};
use crate::page::{Listed, Page};
use crate::text::{clean, from_json, to_json, uint};

/// A workflow as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWorkflow {
    /// Its name.
    pub name: String,
    /// YAML or JSON.
    pub text: String,
    /// Rises with every change, from 1.
    pub version: u64,
    /// When it was changed last.
    pub changed: Time,
    /// By whom.
    pub changed_by: String,
}

/// One run of a workflow.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowRun {
    /// Row identity.
    pub id: i64,
    /// Name of the workflow.
    pub workflow: String,
    /// Its version when the run began.
    pub version: u64,
    /// Its text when the run began.
    pub text: String,
    /// The pool.
    pub pool: PoolId,
    /// Its name.
    pub pool_name: String,
    /// Who or what started it.
    pub started_by: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Where it is.
    pub progress: Progress,
    /// Who told it to end, if anybody.
    pub cancelled_by: Option<String>,
    /// What a person answered and nobody took up yet.
    pub answer: Option<Answer>,
    /// To be named with what is written.
    pub fence: i64,
}

/// What a person answers to a step that asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The step.
    pub step: String,
    /// Yes.
    pub approve: bool,
    /// Why.
    pub comment: String,
    /// Who.
    pub by: String,
}

/// A run to begin.
#[derive(Clone, Debug, PartialEq)]
pub struct NewRun {
    /// The workflow, as it is now.
    pub workflow: StoredWorkflow,
    /// The pool.
    pub pool: PoolId,
    /// Its name.
    pub pool_name: String,
    /// Who or what starts it.
    pub started_by: String,
    /// Its first state.
    pub progress: Progress,
}

/// Which runs to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of these pools; `None`: of all.
    pub pools: Option<Vec<PoolId>>,
    /// Only of this workflow.
    pub workflow: Option<String>,
    /// Only in this state.
    pub state: Option<RunState>,
}

#[derive(FromRow)]
struct WorkflowRow {
    name: String,
    text: String,
    version: i64,
    changed: i64,
    changed_by: String,
}

fn workflow_from(row: WorkflowRow) -> StoredWorkflow {
    StoredWorkflow {
        name: row.name,
        text: row.text,
        version: uint(row.version),
        changed: Time(row.changed),
        changed_by: row.changed_by,
    }
}

macro_rules! run_columns {
    () => {
        "id, workflow, version, text, pool_id, pool_name, started_by, started_at, ended_at, progress, answer, \
         cancelled_by, fence"
    };
}

#[derive(FromRow)]
struct RunRow {
    id: i64,
    workflow: String,
    version: i64,
    text: String,
    pool_id: i64,
    pool_name: String,
    started_by: String,
    started_at: i64,
    ended_at: Option<i64>,
    progress: String,
    answer: Option<String>,
    cancelled_by: Option<String>,
    fence: i64,
}

fn run_from(row: RunRow) -> Result<WorkflowRun> {
    let what = |part: &str| format!("{part} of workflow run {}", row.id);
    Ok(WorkflowRun {
        id: row.id,
        version: uint(row.version),
        pool: PoolId(row.pool_id),
        started_at: Time(row.started_at),
        ended_at: row.ended_at.map(Time),
        progress: from_json(&what("progress"), &row.progress)?,
        answer: row.answer.as_deref().map(|text| from_json(&what("answer"), text)).transpose()?,
        workflow: row.workflow,
        text: row.text,
        pool_name: row.pool_name,
        started_by: row.started_by,
        cancelled_by: row.cancelled_by,
        fence: row.fence,
    })
}

/// `WHERE …` of a [`RunFilter`], for either database's builder.
macro_rules! push_filter {
    ($query:ident, $filter:ident) => {
        $query.push(" WHERE 1 = 1");
        if let Some(pools) = &$filter.pools {
            let mut list = $query.push(" AND pool_id IN (").separated(", ");
            // a list of none is no SQL
            list.push_bind(-1i64);
            for pool in pools {
                list.push_bind(pool.0);
            }
            list.push_unseparated(")");
        }
        if let Some(workflow) = &$filter.workflow {
            $query.push(" AND workflow = ").push_bind(clean(workflow));
        }
        if let Some(state) = $filter.state {
            $query.push(" AND state = ").push_bind(state.as_str());
        }
    };
}

impl Store {
    /// Every workflow, by name.
    pub async fn workflows(&self) -> Result<Vec<StoredWorkflow>> {
        let rows: Vec<WorkflowRow> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT name, text, version, changed, changed_by FROM workflows ORDER BY name")
                .fetch_all(conn)
                .await
        })
        .tried("list workflows")?;
        Ok(rows.into_iter().map(workflow_from).collect())
    }

    /// One workflow.
    pub async fn workflow(&self, name: &str) -> Result<StoredWorkflow> {
        let row: Option<WorkflowRow> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT name, text, version, changed, changed_by FROM workflows WHERE name = $1")
                .bind(clean(name))
                .fetch_optional(conn)
                .await
        })
        .tried("read a workflow")?;
        row.map(workflow_from).ok_or_else(|| StoreError::not_found(format!("workflow `{name}`")))
    }

    /// Keeps a workflow under this name; with `new`, only when there is none yet.
    pub async fn put_workflow(&self, name: &str, text: &str, by: &str, new: bool) -> Result<StoredWorkflow> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let written = execute!(
            tx.conn(),
            "INSERT INTO workflows (name, text, version, changed, changed_by) VALUES ($1, $2, 1, $3, $4)
             ON CONFLICT (name) DO UPDATE SET text = excluded.text, version = workflows.version + 1,
                 changed = excluded.changed, changed_by = excluded.changed_by WHERE NOT $5",
            clean(name),
            clean(text),
            now.0,
            clean(by),
            new,
        )
        .tried("write a workflow")?;
        if written == 0 {
            return Err(StoreError::conflict(format!("there is a workflow `{name}` already")));
        }
        tx.commit().await?;
        self.workflow(name).await
    }

    /// Forgets a workflow; its runs stay as history, and those under way go on.
    pub async fn delete_workflow(&self, name: &str) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let gone =
            execute!(tx.conn(), "DELETE FROM workflows WHERE name = $1", clean(name)).tried("delete a workflow")?;
        tx.commit().await?;
        Ok(gone == 1)
    }

    /// Begins a run, unless `open_max` runs are open in this pool. With `once`, not when this pool
    /// has a run that the same starter began; that one is answered.
    pub async fn start_run(&self, new: &NewRun, open_max: u64, once: bool) -> Result<WorkflowRun> {
        let progress = to_json("progress of a run", &new.progress)?;
        let mut tx = self.db.begin().await?;
        if once {
            let row: Option<RunRow> = on!(tx.conn(), conn => {
                sqlx::query_as(concat!(
                    "SELECT ", run_columns!(), " FROM workflow_runs WHERE pool_id = $1 AND started_by = $2 ORDER BY id LIMIT 1"
                ))
                .bind(new.pool.0)
                .bind(clean(&new.started_by))
                .fetch_optional(conn)
                .await
            })
            .tried("look for a run")?;
            if let Some(row) = row {
                return run_from(row);
            }
        }
        let open: i64 = on!(tx.conn(), conn => {
            sqlx::query_scalar("SELECT COUNT(*) FROM workflow_runs WHERE pool_id = $1 AND state = 'running'")
                .bind(new.pool.0)
                .fetch_one(conn)
                .await
        })
        .tried("count open runs")?;
        if uint(open) >= open_max {
            let pool = &new.pool_name;
            return Err(StoreError::conflict(format!("pool `{pool}` has {open} runs under way; cancel one or wait")));
        }
        let now = tx.now().await?;
        let row: RunRow = on!(tx.conn(), conn => {
            sqlx::query_as(concat!(
                "INSERT INTO workflow_runs (workflow, version, text, pool_id, pool_name, started_by, state, started_at,
                     progress, fence)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0) RETURNING ", run_columns!()
            ))
            .bind(&new.workflow.name)
            .bind(i64::try_from(new.workflow.version).unwrap_or(i64::MAX))
            .bind(&new.workflow.text)
            .bind(new.pool.0)
            .bind(&new.pool_name)
            .bind(clean(&new.started_by))
            .bind(new.progress.state.as_str())
            .bind(now.0)
            .bind(progress)
            .fetch_one(conn)
            .await
        })
        .tried("begin a run")?;
        tx.commit().await?;
        run_from(row)
    }

    /// One run.
    pub async fn workflow_run(&self, id: i64) -> Result<WorkflowRun> {
        let row: Option<RunRow> = on!(self.db.read(), conn => {
            sqlx::query_as(concat!("SELECT ", run_columns!(), " FROM workflow_runs WHERE id = $1"))
                .bind(id)
                .fetch_optional(conn)
                .await
        })
        .tried("read a run")?;
        run_from(row.ok_or_else(|| StoreError::not_found(format!("workflow run {id}")))?)
    }

    /// Runs, newest first.
    pub async fn workflow_runs(&self, filter: &RunFilter, page: Page) -> Result<Listed<WorkflowRun>> {
        let mut tx = self.db.begin_read().await?;
        let total: i64 = on!(tx.conn(), conn => {
            let mut query = QueryBuilder::new("SELECT COUNT(*) FROM workflow_runs");
            push_filter!(query, filter);
            query.build_query_scalar().fetch_one(conn).await
        })
        .tried("count runs")?;
        let rows: Vec<RunRow> = on!(tx.conn(), conn => {
            let mut query = QueryBuilder::new(concat!("SELECT ", run_columns!(), " FROM workflow_runs"));
            push_filter!(query, filter);
            query.push(" ORDER BY id DESC LIMIT ").push_bind(page.limit());
            query.push(" OFFSET ").push_bind(page.offset());
            query.build_query_as().fetch_all(conn).await
        })
        .tried("list runs")?;
        Ok(Listed { total: uint(total), items: rows.into_iter().map(run_from).collect::<Result<_>>()? })
    }

    /// Claims every open run that is `owner`'s or nobody's any more, until `lease` from now. The
    /// fence rises when the owner changes.
    pub async fn claim_runs(&self, owner: &str, lease: Duration) -> Result<Vec<WorkflowRun>> {
        let open: i64 = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT COUNT(*) FROM workflow_runs WHERE state = 'running'").fetch_one(conn).await
        })
        .tried("look for open runs")?;
        if open == 0 {
            return Ok(Vec::new());
        }
        let mut tx = self.db.begin_relaxed().await?;
        let now = tx.now().await?;
        let rows: Vec<RunRow> = on!(tx.conn(), conn => {
            sqlx::query_as(concat!(
                "UPDATE workflow_runs SET fence = CASE WHEN owner = $1 THEN fence ELSE fence + 1 END,
                     owner = $1, lease_until = $2
                 WHERE state = 'running' AND (owner IS NULL OR owner = $1 OR lease_until < $3) RETURNING ",
                run_columns!()
            ))
            .bind(owner)
            .bind(now.plus(lease).0)
            .bind(now.0)
            .fetch_all(conn)
            .await
        })
        .tried("claim runs")?;
        tx.commit().await?;
        rows.into_iter().map(run_from).collect()
    }

    /// Writes where a run is. With `taken_up`, a person's answer is done with. `false`: the claim is
    /// no longer good, nothing was written.
    pub async fn write_run(&self, id: i64, fence: i64, progress: &Progress, taken_up: bool) -> Result<bool> {
        let json = to_json("progress of a run", progress)?;
        let ended = progress.state != RunState::Running;
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let written = execute!(
            tx.conn(),
            "UPDATE workflow_runs SET progress = $3, state = $4, ended_at = $5,
                 answer = CASE WHEN $6 THEN NULL ELSE answer END
             WHERE id = $1 AND fence = $2 AND state = 'running'",
            id,
            fence,
            json,
            progress.state.as_str(),
            ended.then_some(now.0),
            taken_up,
        )
        .tried("write a run")?;
        tx.commit().await?;
        Ok(written == 1)
    }

    /// Keeps what a person answers to the step that asks.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the run does not ask that.
    pub async fn answer_run(&self, id: i64, answer: &Answer) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let row: Option<(String, Option<String>)> = on!(tx.conn(), conn => {
            sqlx::query_as("SELECT progress, answer FROM workflow_runs WHERE id = $1").bind(id).fetch_optional(conn).await
        })
        .tried("read a run")?;
        let (progress, answered) = row.ok_or_else(|| StoreError::not_found(format!("workflow run {id}")))?;
        let progress: Progress = from_json(&format!("progress of workflow run {id}"), &progress)?;
        let asks = |step: &StepRun| step.name == answer.step && step.state == StepState::AwaitsApproval;
        if !progress.steps.iter().any(asks) {
            return Err(StoreError::conflict(format!(
                "run {id} does not wait for an answer to step `{}`",
                answer.step
            )));
        }
        if answered.is_some() {
            return Err(StoreError::conflict(format!("somebody has answered to step `{}` already", answer.step)));
        }
        let json = to_json("an answer", answer)?;
        execute!(tx.conn(), "UPDATE workflow_runs SET answer = $2 WHERE id = $1", id, clean(&json))
            .tried("keep an answer")?;
        tx.commit().await
    }

    /// Tells a run to end. `false`: it has ended already.
    pub async fn cancel_run(&self, id: i64, by: &str) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        let told = execute!(
            tx.conn(),
            "UPDATE workflow_runs SET cancelled_by = COALESCE(cancelled_by, $2) WHERE id = $1 AND state = 'running'",
            id,
            clean(by),
        )
        .tried("tell a run to end")?;
        tx.commit().await?;
        Ok(told == 1)
    }

    /// Gives every open run of `owner` back, so that another manager needs not wait for the lease's end.
    pub async fn release_runs(&self, owner: &str) -> Result<()> {
        let mut tx = self.db.begin_relaxed().await?;
        execute!(
            tx.conn(),
            "UPDATE workflow_runs SET owner = NULL, lease_until = NULL WHERE owner = $1 AND state = 'running'",
            owner,
        )
        .tried("give runs back")?;
        tx.commit().await
    }

    /// Deletes the oldest ended runs of each pool beyond the newest `keep`.
    pub async fn prune_runs(&self, keep: u32) -> Result<u64> {
        let mut tx = self.db.begin_relaxed().await?;
        let deleted = execute!(
            tx.conn(),
            "DELETE FROM workflow_runs WHERE id IN (
                 SELECT id FROM (
                     SELECT id, ROW_NUMBER() OVER (PARTITION BY pool_id ORDER BY id DESC) AS age
                     FROM workflow_runs WHERE state <> 'running'
                 ) AS ended WHERE age > $1
             )",
            i64::from(keep),
        )
        .tried("delete old runs")?;
        tx.commit().await?;
        Ok(deleted)
    }
}
