//! Waits for a task, with a progress bar on a terminal.

use std::process::ExitCode;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use p2ppool_model::TaskId;
use p2ppool_model::event::Change;
use p2ppool_model::outcome::Outcome;
use p2ppool_model::task::{Task, TaskState};
use p2ppool_model::waiting::{ShownTask, Waiting};

use super::client::{Client, Events};
use super::error::CliError;
use super::output::Output;

/// Events are hints: a task is read again at the latest after this time.
const REREAD: Duration = Duration::from_secs(5);

/// Follows a task to its end and prints it.
pub(super) async fn follow(task: &Task, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    let ended = until_end(task, client).await?;
    output.show(&ended, || match ended.result.as_ref().and_then(|result| result["file"].as_str()) {
        Some(file) => format!(
            "{}\n{file} is in the manager's data/{pool}/ and at {}/api/v1/pools/{pool}/files/{file}",
            summary(&ended),
            client.server(),
            pool = ended.pool_name
        ),
        None => summary(&ended),
    })?;
    Ok(exit_code(&ended))
}

/// Success only when every host is right.
pub(super) fn exit_code(task: &Task) -> ExitCode {
    ExitCode::from(u8::from(task.state != TaskState::Succeeded))
}

/// One line that says how a task stands.
pub(super) fn summary(task: &Task) -> String {
    let counts: Vec<String> = Outcome::ALL
        .into_iter()
        .filter(|outcome| task.counts.of(*outcome) > 0)
        .map(|outcome| format!("{} {}", task.counts.of(outcome), outcome.as_str().replace('_', " ")))
        .collect();
    let hosts = if counts.is_empty() { String::new() } else { format!(" ({})", counts.join(", ")) };
    let message = match said(task) {
        message if message.is_empty() || message == counts.join(", ") => String::new(),
        message => format!(": {message}"),
    };
    let action = task.action.as_str().replace('_', " ");
    super::output::printable(&format!(
        "#{} {action} {}: {}{hosts}{message}",
        task.id,
        task.pool_name,
        task.state.as_str()
    ))
}

/// What a task says of itself; one that waits says for which.
pub(super) fn said(task: &Task) -> String {
    match task.waits_for {
        Some(first) if !task.state.is_final() => format!("waits for #{first}"),
        _ => task.message.clone(),
    }
}

/// What a queued task waits for, and when it may start.
pub(super) fn waits(waiting: &Waiting) -> String {
    let at = waiting.may_start_at.map_or_else(String::new, |at| format!("; it may start at {at}"));
    super::output::printable(&format!("{}{at}", waiting.text))
}

/// Follows a task to its end.
pub(super) async fn until_end(task: &Task, client: &Client) -> Result<Task, CliError> {
    let bar = bar();
    let mut events = client.events(&task.pool_name).await.ok();
    loop {
        let ShownTask { task: now, waiting } = client.get(&format!("tasks/{}", task.id)).await?;
        bar.set_length(now.counts.total());
        bar.set_position(now.counts.done());
        bar.set_message(format!("#{} {} {}", now.id, now.action, waiting.as_ref().map_or_else(|| said(&now), waits)));
        if now.state.is_final() {
            bar.finish_and_clear();
            return Ok(now);
        }
        // Both arms end in reading the task again; the stream only makes it sooner.
        let _ = tokio::time::timeout(REREAD, change_of(task.id, &mut events)).await;
    }
}

async fn change_of(id: TaskId, events: &mut Option<Events>) {
    while let Some(stream) = events {
        match stream.next().await.map(|event| event.change) {
            None => *events = None,
            Some(Change::Task { task }) if task.id == id => return,
            Some(Change::Reread) => return,
            Some(_) => {}
        }
    }
    std::future::pending().await
}

fn bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} hosts {elapsed} {msg}");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
