//! `p2ppool task …`

use std::process::ExitCode;

use p2ppool_model::Time;
use p2ppool_model::task::{Task, TaskHost};
use serde::{Deserialize, Serialize};

use super::args::TaskCommand;
use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, duration, known, table};
use super::watch::{follow, summary};

/// Most hosts that `task show` asks for.
const HOSTS_SHOWN: u32 = 1000;

/// One page of a list.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Page<T> {
    /// How many there are in all; lists without an end, such as snapshots, don't tell.
    #[serde(default)]
    pub(super) total: u64,
    /// Those of this page.
    pub(super) items: Vec<T>,
}

pub(super) async fn run(command: TaskCommand, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    match command {
        TaskCommand::List { pool, state, limit } => {
            let pool = pool.map_or_else(String::new, |pool| format!("&pool={pool}"));
            let state = state.map_or_else(String::new, |state| format!("&state={}", state.as_str()));
            let page: Page<Task> = client.get(&format!("tasks?limit={limit}{pool}{state}")).await?;
            output.show(&page, || task_table(&page.items))?;
        }
        TaskCommand::Show { task, outcome } => show(task.0, outcome.map(|o| o.as_str()), client, output).await?,
        TaskCommand::Output { task, host } => {
            output.line(&client.get_text(&format!("tasks/{task}/hosts/{host}/output")).await?)?;
        }
        TaskCommand::Watch { task } => {
            let task: Task = client.get(&format!("tasks/{task}")).await?;
            return follow(&task, client, output).await;
        }
        TaskCommand::Cancel { task } => {
            let task: Task = client.post(&format!("tasks/{task}/cancel"), &serde_json::json!({})).await?;
            output.show(&task, || summary(&task))?;
        }
        TaskCommand::Retry { task, only, wait } => {
            let only: Vec<&str> = only.iter().map(|outcome| outcome.as_str()).collect();
            let body = if only.is_empty() { serde_json::json!({}) } else { serde_json::json!({ "only": only }) };
            let task: Task = client.post(&format!("tasks/{task}/retry"), &body).await?;
            if wait {
                return follow(&task, client, output).await;
            }
            output.show(&task, || summary(&task))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(id: i64, outcome: Option<&str>, client: &Client, output: Output) -> Result<(), CliError> {
    let task: Task = client.get(&format!("tasks/{id}")).await?;
    let outcome = outcome.map_or_else(String::new, |outcome| format!("&outcome={outcome}"));
    let hosts: Page<TaskHost> = client.get(&format!("tasks/{id}/hosts?limit={HOSTS_SHOWN}{outcome}")).await?;
    let all = serde_json::json!({ "task": task, "hosts": hosts });
    output.show(&all, || {
        let rows = hosts.items.iter().map(|host| {
            vec![
                host.address.clone(),
                host.outcome.as_str().to_owned(),
                known(host.step.map(|step| step.as_str())),
                known(host.duration_ms.map(|ms| format!("{:.1}s", ms as f64 / 1000.0))),
                host.attempt.to_string(),
                host.message.clone(),
            ]
        });
        let more = hosts.total.saturating_sub(hosts.items.len() as u64);
        let more = if more > 0 { format!("\n… and {more} more") } else { String::new() };
        let head = ["host", "outcome", "step", "time", "attempt", "message"];
        format!("{}\n\n{}{more}", summary(&task), table(&head, &["time", "attempt"], rows))
    })
}

/// Tasks, one per line.
pub(super) fn task_table(tasks: &[Task]) -> String {
    let now = Time::now();
    let rows = tasks.iter().map(|task| {
        let ended = task.ended_at.unwrap_or(now);
        let took = task.started_at.map(|started| duration(ended.since(started).as_secs()));
        vec![
            format!("#{}", task.id),
            task.action.to_string(),
            task.pool_name.clone(),
            task.state.as_str().to_owned(),
            format!("{}/{}", task.counts.done(), task.counts.total()),
            ago(Some(task.queued_at), now),
            known(took),
            task.started_by.clone(),
            task.message.clone(),
        ]
    });
    table(&["task", "action", "pool", "state", "hosts", "asked", "took", "by", "message"], &["hosts"], rows)
}
