//! `p2ppool task …`

use std::process::ExitCode;

use p2ppool_model::Time;
use p2ppool_model::task::{Task, TaskHost};
use p2ppool_model::waiting::ShownTask;
use serde::{Deserialize, Serialize};

use super::args::TaskCommand;
use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, duration, known, table};
use super::watch::{follow, said, summary, waits};

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
            let id = host_id(task.0, &host, client).await?;
            let text = client.get_text(&format!("tasks/{task}/hosts/{id}/output")).await?;
            output.show(&serde_json::json!({ "task": task, "host": id, "output": text }), || match text.trim() {
                "" => "the host's commands printed nothing".to_owned(),
                _ => text.clone(),
            })?;
        }
        TaskCommand::Watch { task } => {
            let task: Task = client.get(&format!("tasks/{task}")).await?;
            return follow(&task, client, output).await;
        }
        TaskCommand::Cancel { task } => {
            let task: Task = client.post(&format!("tasks/{task}/cancel"), &serde_json::json!({})).await?;
            output.show(&task, || summary(&task))?;
        }
        TaskCommand::Rollout { task } => super::rolling::show(task, client, output).await?,
        TaskCommand::Continue { task, decision } => super::rolling::decide(task, decision, client, output).await?,
        TaskCommand::Retry { task, only, host, wait } => {
            let only: Vec<&str> = only.iter().map(|outcome| outcome.as_str()).collect();
            let mut hosts = Vec::with_capacity(host.len());
            for named in &host {
                hosts.push(host_id(task.0, named, client).await?);
            }
            let body = serde_json::json!({ "only": only, "hosts": hosts });
            let task: Task = client.post(&format!("tasks/{task}/retry"), &body).await?;
            if wait {
                return follow(&task, client, output).await;
            }
            output.show(&task, || summary(&task))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The id of a host of a task that was named by its address, or by the id itself.
async fn host_id(task: i64, host: &str, client: &Client) -> Result<i64, CliError> {
    if let Ok(id) = host.parse() {
        return Ok(id);
    }
    let query: String = url::form_urlencoded::byte_serialize(host.as_bytes()).collect();
    let page: Page<TaskHost> = client.get(&format!("tasks/{task}/hosts?q={query}&limit={HOSTS_SHOWN}")).await?;
    let named: Vec<&TaskHost> =
        page.items.iter().filter(|row| row.address == host || without_port(&row.address) == host).collect();
    match named[..] {
        [row] => Ok(row.host.0),
        [] => Err(CliError::Other(format!("task #{task} has no host `{host}`; see `p2ppool task show {task}`"))),
        _ => Err(CliError::Other(format!("task #{task} has more than one host `{host}`: give its port, too"))),
    }
}

/// `192.0.2.1:22` and `[2001:db8::1]:22` without the port.
fn without_port(address: &str) -> &str {
    let place = match address.rsplit_once(':') {
        Some((place, _)) if !place.contains(':') || place.ends_with(']') => place,
        _ => address,
    };
    place.trim_start_matches('[').trim_end_matches(']')
}

async fn show(id: i64, outcome: Option<&str>, client: &Client, output: Output) -> Result<(), CliError> {
    let shown: ShownTask = client.get(&format!("tasks/{id}")).await?;
    let outcome = outcome.map_or_else(String::new, |outcome| format!("&outcome={outcome}"));
    let hosts: Page<TaskHost> = client.get(&format!("tasks/{id}/hosts?limit={HOSTS_SHOWN}{outcome}")).await?;
    let all = serde_json::json!({ "task": shown, "hosts": hosts });
    let ShownTask { task, waiting } = &shown;
    let waits = waiting.as_ref().map_or_else(String::new, |waiting| format!("\nit {}", waits(waiting)));
    output.show(&all, || {
        if hosts.items.is_empty() {
            return format!("{}{waits}", summary(task));
        }
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
        format!("{}{waits}\n\n{}{more}", summary(task), table(&head, &["time", "attempt"], rows))
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
            if task.counts.total() == 0 {
                "-".to_owned()
            } else {
                format!("{}/{}", task.counts.done(), task.counts.total())
            },
            ago(Some(task.queued_at), now),
            known(took),
            task.started_by.clone(),
            said(task),
        ]
    });
    table(&["task", "action", "pool", "state", "hosts", "asked", "took", "by", "message"], &["hosts"], rows)
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn a_host_is_found_without_its_port() {
        assert_eq!(without_port("192.0.2.1:2222"), "192.0.2.1");
        assert_eq!(without_port("192.0.2.1"), "192.0.2.1");
        assert_eq!(without_port("[2001:db8::1]:22"), "2001:db8::1");
        assert_eq!(without_port("2001:db8::1"), "2001:db8::1");
    }
}
