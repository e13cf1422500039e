//! Where rolling upgrades are: written by the one who runs the task, decided on by people.

use p2ppool_model::TaskId;
use p2ppool_model::rollout::{Decision, Phase, Rollout};

use crate::Store;
use crate::db::{execute, on};
use crate::error::{Result, StoreError, Tried as _};
use crate::text::{clean, from_json, parse, to_json};

/// What a person said to a paused rolling upgrade.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    /// What.
    pub decision: Decision,
    /// Who.
    pub by: String,
}

impl Store {
    /// The rolling upgrade of a task, once it has begun.
    pub async fn rollout(&self, task: TaskId) -> Result<Option<Rollout>> {
        let text: Option<String> = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT state FROM rollouts WHERE task_id = $1")
                .bind(task.0)
                .fetch_optional(conn)
                .await
        })
        .tried("read a rolling upgrade")?;
        text.map(|text| from_json(&format!("rolling upgrade of task {task}"), &text)).transpose()
    }

    /// Writes where a task's rolling upgrade is. With `taken_up`, what a person had decided is done
    /// with. `false`: the claim is no longer good, nothing was written.
    pub async fn write_rollout(&self, task: TaskId, fence: i64, rollout: &Rollout, taken_up: bool) -> Result<bool> {
        let state = to_json("a rolling upgrade", rollout)?;
        let mut tx = self.db.begin().await?;
        let written = execute!(
            tx.conn(),
            "INSERT INTO rollouts (task_id, state)
             SELECT id, $3 FROM tasks WHERE id = $1 AND fence = $2 AND state = 'running'
             ON CONFLICT (task_id) DO UPDATE SET state = excluded.state,
                 decision = CASE WHEN $4 THEN NULL ELSE rollouts.decision END,
                 decided_by = CASE WHEN $4 THEN NULL ELSE rollouts.decided_by END",
            task.0,
            fence,
            state,
            taken_up,
        )
        .tried("write a rolling upgrade")?;
        tx.commit().await?;
        Ok(written == 1)
    }

    /// Keeps what a person says to a paused rolling upgrade.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the task is no rolling upgrade or has not begun,
    /// [`StoreError::Conflict`] when it doesn't wait for anybody.
    pub async fn decide_rollout(&self, task: TaskId, decided: &Decided) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let row: Option<(String, Option<String>, String)> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "SELECT r.state, r.decided_by, t.state FROM rollouts r JOIN tasks t ON t.id = r.task_id
                 WHERE r.task_id = $1",
            )
            .bind(task.0)
            .fetch_optional(conn)
            .await
        })
        .tried("read a rolling upgrade")?;
        let (state, decided_by, task_state) =
            row.ok_or_else(|| StoreError::not_found(format!("rolling upgrade of task #{task}")))?;
        let rollout: Rollout = from_json(&format!("rolling upgrade of task {task}"), &state)?;
        if task_state != "running" || !matches!(rollout.phase, Phase::Paused { .. }) {
            return Err(StoreError::conflict(format!("task #{task} is not paused; it waits for nobody's decision")));
        }
        if let Some(other) = decided_by {
            return Err(StoreError::conflict(format!("{other} has decided on task #{task} already")));
        }
        execute!(
            tx.conn(),
            "UPDATE rollouts SET decision = $2, decided_by = $3 WHERE task_id = $1",
            task.0,
            decided.decision.as_str(),
            clean(&decided.by),
        )
        .tried("keep a decision")?;
        tx.commit().await
    }

    /// What a person said to a task's rolling upgrade and nobody has taken up yet.
    pub async fn rollout_decision(&self, task: TaskId) -> Result<Option<Decided>> {
        let row: Option<(Option<String>, Option<String>)> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT decision, decided_by FROM rollouts WHERE task_id = $1")
                .bind(task.0)
                .fetch_optional(conn)
                .await
        })
        .tried("read a decision")?;
        let Some((Some(decision), by)) = row else { return Ok(None) };
        let decision = parse(&format!("decision on task {task}"), &decision)?;
        Ok(Some(Decided { decision, by: by.unwrap_or_default() }))
    }

    /// The database's clock, the one that all managers share.
    pub async fn now(&self) -> Result<p2ppool_model::Time> {
        self.db.begin_read().await?.now().await
    }
}
