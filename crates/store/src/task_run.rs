//! What the manager that runs a task writes: outcomes, the journal, outputs, the end.
//!
//! Everything names the fence of the claim; what comes from an older claim is not written.

use std::collections::HashSet;

use p2ppool_model::task::{Counts, OUTPUT_MAX, Task, TaskHost, TaskState};
use p2ppool_model::{Cause, HostId, Step, TaskId};
use sqlx::QueryBuilder;

use crate::Store;
use crate::db::{Tx, on};
use crate::error::{Result, Tried as _};
use crate::notify::{Topic, notify};
use crate::task::{TaskRow, task_columns, task_from};
use crate::text::{clean, int, to_json};

/// Rows per INSERT; see `task_line`.
const ROWS_PER_INSERT: usize = 500;

/// Where a task is, to be written together with its hosts.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskProgress {
    /// The task.
    pub task: TaskId,
    /// The claim.
    pub fence: i64,
    /// Its hosts by outcome.
    pub counts: Counts,
    /// What it is doing.
    pub message: String,
}

/// One change of one host in one task.
#[derive(Clone, Debug, PartialEq)]
pub struct HostWrite {
    /// The task.
    pub task: TaskId,
    /// As it is now.
    pub host: TaskHost,
    /// The end of what it printed, at most [`OUTPUT_MAX`] bytes of it are kept.
    pub output: Option<String>,
}

/// One entry of the journal: written before a step that changes something, and again after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepWrite {
    /// The task.
    pub task: TaskId,
    /// The claim.
    pub fence: i64,
    /// The host.
    pub host: HostId,
    /// Rises with each step of the host in this claim.
    pub number: u32,
    /// The step.
    pub step: Step,
    /// How it ended; `None`: it begins.
    pub result: Option<StepResult>,
}

/// How a step that changes something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepResult {
    /// It changed something.
    Changed,
    /// The host was so already.
    Unchanged,
    /// It failed.
    Failed(Cause),
}

impl StepResult {
    fn as_str(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Failed(cause) => cause.as_str(),
        }
    }
}

/// Everything that is written at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TaskBatch {
    /// Every task that has a row below must be here.
    pub tasks: Vec<TaskProgress>,
    /// Hosts; of several rows for one host the last one stays.
    pub hosts: Vec<HostWrite>,
    /// The journal.
    pub steps: Vec<StepWrite>,
}

/// The newest journal entry of a host: what was under way when its manager went away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastStep {
    /// The host.
    pub host: HostId,
    /// The step.
    pub step: Step,
    /// Its end was written, too.
    pub ended: bool,
}

/// One entry of the journal, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalEntry {
    /// The host.
    pub host: HostId,
    /// The claim.
    pub fence: i64,
    /// The step.
    pub step: Step,
    /// How it ended: `changed`, `unchanged` or a cause; `None`: its end was never written.
    pub result: Option<String>,
}

impl Store {
    /// The whole journal of a task, in the order in which each host's steps were done.
    pub async fn journal(&self, task: TaskId) -> Result<Vec<JournalEntry>> {
        let rows: Vec<(i64, i64, String, Option<String>)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT host_id, fence, step, result FROM task_steps WHERE task_id = $1 ORDER BY host_id, fence, number",
            )
            .bind(task.0)
            .fetch_all(conn)
            .await
        })
        .tried("read the journal")?;
        rows.into_iter()
            .map(|(host, fence, step, result)| {
                let step = crate::text::parse(&format!("step of host {host}"), &step)?;
                Ok(JournalEntry { host: HostId(host), fence, step, result })
            })
            .collect()
    }

    /// Writes a batch in one durable transaction. Answers the tasks whose claim is no longer good;
    /// of those nothing was written.
    pub async fn write_tasks(&self, batch: &TaskBatch) -> Result<Vec<TaskId>> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?.0;
        let mut lost = HashSet::new();
        for progress in &batch.tasks {
            let counts = to_json("counts", &progress.counts)?;
            let written = on!(tx.conn(), conn => {
                sqlx::query("UPDATE tasks SET counts = $1, message = $2 WHERE id = $3 AND fence = $4 AND state = 'running'")
                    .bind(counts)
                    .bind(clean(&progress.message))
                    .bind(progress.task.0)
                    .bind(progress.fence)
                    .execute(conn)
                    .await
                    .map(|done| done.rows_affected())
            })
            .tried("write a task's progress")?;
            if written == 0 {
                lost.insert(progress.task);
            }
        }
        write_hosts(&mut tx, &batch.hosts, &lost).await?;
        write_outputs(&mut tx, &batch.hosts, &lost).await?;
        write_steps(&mut tx, &batch.steps, &lost, now).await?;
        tx.commit().await?;
        Ok(lost.into_iter().collect())
    }

    /// Ends a task. `None`: the claim is no longer good, somebody else runs or ended it.
    pub async fn end_task(
        &self,
        progress: &TaskProgress,
        state: TaskState,
        result: Option<&serde_json::Value>,
    ) -> Result<Option<Task>> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let counts = to_json("counts", &progress.counts)?;
        let result = result.map(|value| to_json("result", value)).transpose()?;
        let row: Option<TaskRow> = on!(tx.conn(), conn => {
            sqlx::query_as(concat!(
                "UPDATE tasks SET state = $1, message = $2, counts = $3, result = $4, ended_at = $5,
                     owner = NULL, lease_until = NULL, waits_for = NULL
                 WHERE id = $6 AND fence = $7 AND state = 'running' RETURNING ", task_columns!()
            ))
            .bind(state.as_str())
            .bind(clean(&progress.message))
            .bind(counts)
            .bind(result)
            .bind(now.0)
            .bind(progress.task.0)
            .bind(progress.fence)
            .fetch_optional(conn)
            .await
        })
        .tried("end a task")?;
        notify(&mut tx, Topic::Tasks).await?;
        tx.commit().await?;
        row.map(task_from).transpose()
    }

    /// Gives a running task back: the next manager that looks takes it over at once.
    pub async fn release_task(&self, task: TaskId, fence: i64) -> Result<()> {
        let mut tx = self.db.begin().await?;
        on!(tx.conn(), conn => {
            sqlx::query("UPDATE tasks SET owner = NULL, lease_until = NULL WHERE id = $1 AND fence = $2 AND state = 'running'")
                .bind(task.0)
                .bind(fence)
                .execute(conn)
                .await
                .map(drop)
        })
        .tried("give a task back")?;
        notify(&mut tx, Topic::Tasks).await?;
        tx.commit().await
    }

    /// The newest journal entry of every host of a task.
    pub async fn last_steps(&self, task: TaskId) -> Result<Vec<LastStep>> {
        let rows: Vec<(i64, String, Option<i64>)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT host_id, step, ended_at FROM (
                     SELECT host_id, step, ended_at,
                         ROW_NUMBER() OVER (PARTITION BY host_id ORDER BY fence DESC, number DESC) AS age
                     FROM task_steps WHERE task_id = $1
                 ) AS steps WHERE age = 1",
            )
            .bind(task.0)
            .fetch_all(conn)
            .await
        })
        .tried("read the journal")?;
        rows.into_iter()
            .map(|(host, step, ended_at)| {
                let step = crate::text::parse(&format!("step of host {host}"), &step)?;
                Ok(LastStep { host: HostId(host), step, ended: ended_at.is_some() })
            })
            .collect()
    }
}

async fn write_hosts(tx: &mut Tx, hosts: &[HostWrite], lost: &HashSet<TaskId>) -> Result<()> {
    let newest = newest_of(hosts, lost);
    for chunk in newest.chunks(ROWS_PER_INSERT) {
        on!(tx.conn(), conn => {
            let mut query = QueryBuilder::new(
                "INSERT INTO task_hosts (task_id, host_id, address, outcome, step, cause, message, attempt, duration_ms, at) ",
            );
            query.push_values(chunk, |mut row, write| {
                let host = &write.host;
                row.push_bind(write.task.0).push_bind(host.host.0).push_bind(&host.address);
                row.push_bind(host.outcome.as_str()).push_bind(host.step.map(Step::as_str));
                row.push_bind(host.cause.map(Cause::as_str)).push_bind(clean(&host.message));
                row.push_bind(i64::from(host.attempt)).push_bind(host.duration_ms.map(int));
                row.push_bind(host.at.map(|at| at.0));
            });
            query.push(
                " ON CONFLICT (task_id, host_id) DO UPDATE SET outcome = excluded.outcome, step = excluded.step,
                  cause = excluded.cause, message = excluded.message, attempt = excluded.attempt,
                  duration_ms = excluded.duration_ms, at = excluded.at",
            );
            query.build().execute(conn).await.map(drop)
        })
        .tried("write hosts of a task")?;
    }
    Ok(())
}

/// One statement must not name a row twice: of several writes to one host the last one stays.
fn newest_of<'a>(hosts: &'a [HostWrite], lost: &HashSet<TaskId>) -> Vec<&'a HostWrite> {
    let mut seen = HashSet::with_capacity(hosts.len());
    let kept = |write: &&HostWrite| !lost.contains(&write.task) && seen.insert((write.task, write.host.host));
    hosts.iter().rev().filter(kept).collect()
}

async fn write_outputs(tx: &mut Tx, hosts: &[HostWrite], lost: &HashSet<TaskId>) -> Result<()> {
    let printed: Vec<HostWrite> = hosts.iter().filter(|write| write.output.is_some()).cloned().collect();
    for chunk in newest_of(&printed, lost).chunks(ROWS_PER_INSERT) {
        on!(tx.conn(), conn => {
            let mut query = QueryBuilder::new("INSERT INTO task_outputs (task_id, host_id, output) ");
            query.push_values(chunk, |mut row, write| {
                let output = clean(tail(write.output.as_deref().unwrap_or_default()));
                row.push_bind(write.task.0).push_bind(write.host.host.0).push_bind(output);
            });
            query.push(" ON CONFLICT (task_id, host_id) DO UPDATE SET output = excluded.output");
            query.build().execute(conn).await.map(drop)
        })
        .tried("write hosts' output")?;
    }
    Ok(())
}

/// The last [`OUTPUT_MAX`] bytes, from the beginning of a character.
fn tail(text: &str) -> &str {
    let cut = text.len().saturating_sub(OUTPUT_MAX);
    let start = (cut..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    &text[start..]
}

async fn write_steps(tx: &mut Tx, steps: &[StepWrite], lost: &HashSet<TaskId>, now: i64) -> Result<()> {
    // a step may begin and end in one batch: its end comes last and stands for both
    let mut seen = HashSet::with_capacity(steps.len());
    let key = |write: &&StepWrite| (write.task, write.host, write.fence, write.number);
    let newest: Vec<&StepWrite> =
        steps.iter().rev().filter(|write| !lost.contains(&write.task) && seen.insert(key(write))).collect();
    for chunk in newest.chunks(ROWS_PER_INSERT) {
        on!(tx.conn(), conn => {
            let mut query = QueryBuilder::new(
                "INSERT INTO task_steps (task_id, host_id, fence, number, step, begun_at, ended_at, result) ",
            );
            query.push_values(chunk, |mut row, write| {
                row.push_bind(write.task.0).push_bind(write.host.0).push_bind(write.fence);
                row.push_bind(i64::from(write.number)).push_bind(write.step.as_str()).push_bind(now);
                row.push_bind(write.result.map(|_| now)).push_bind(write.result.map(StepResult::as_str));
            });
            query.push(
                " ON CONFLICT (task_id, host_id, fence, number) DO UPDATE SET ended_at = excluded.ended_at,
                  result = excluded.result",
            );
            query.build().execute(conn).await.map(drop)
        })
        .tried("write the journal")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_output_is_kept() {
        let long = format!("{}é{}", "x".repeat(10), "y".repeat(OUTPUT_MAX - 1));
        assert_eq!(tail(&long).len(), OUTPUT_MAX - 1, "the cut falls into a character, which goes");
        assert_eq!(tail("short"), "short");
    }
}
