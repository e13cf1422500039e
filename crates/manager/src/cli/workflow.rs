//! `p2ppool workflow …`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use p2ppool_model::event::Change;
use p2ppool_model::workflow::run::{RunState, StepState};
use p2ppool_model::{PoolName, Time};
use serde_json::json;

use super::client::Client;
use super::error::CliError;
use super::input::read_text;
use super::output::{Output, ago, known, table};
use super::task::Page;
use crate::service::workflows::{Checked, RunView, WorkflowSummary, WorkflowView};

/// Events are hints: a run is read again at the latest after this time.
const REREAD: Duration = Duration::from_secs(5);

#[derive(Debug, Subcommand)]
pub(super) enum WorkflowCommand {
    /// List every workflow
    List,
    /// Print the text of a workflow
    Show {
        /// Its name
        name: String,
    },
    /// Keep a workflow under a name
    Set {
        /// Its name: 1 to 63 of a-z, 0-9 and `-`
        name: String,
        /// YAML or JSON, `-` for standard input
        file: PathBuf,
    },
    /// Tell what is wrong with a text, by line
    Check {
        /// YAML or JSON, `-` for standard input
        file: PathBuf,
    },
    /// Forget a workflow; its runs stay
    Delete {
        /// Its name
        name: String,
    },
    /// Run a workflow on a pool
    Run {
        /// Its name
        name: String,
        /// Name of the pool
        pool: PoolName,
        /// Wait until the run has ended; exit non-zero when it did not succeed
        #[arg(long)]
        wait: bool,
    },
    /// List the newest runs
    Runs {
        /// Only of this pool
        #[arg(long)]
        pool: Option<PoolName>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show the steps of a run
    Status {
        /// Its number
        run: i64,
    },
    /// End a run, and the task of its step
    Cancel {
        /// Its number
        run: i64,
    },
    /// Answer the step of a run that asks
    Approve {
        /// The run's number
        run: i64,
        /// The step
        step: String,
        /// Say no
        #[arg(long)]
        refuse: bool,
        /// Why
        #[arg(long, default_value = "")]
        comment: String,
    },
}

pub(super) async fn run(command: WorkflowCommand, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    match command {
        WorkflowCommand::List => {
            let all: Vec<WorkflowSummary> = client.get("workflows").await?;
            output.show(&all, || list(&all))?;
        }
        WorkflowCommand::Show { name } => {
            let view: WorkflowView = client.get(&format!("workflows/{name}")).await?;
            output.show(&view, || view.text.trim_end().to_owned())?;
        }
        WorkflowCommand::Set { name, file } => {
            let body = json!({ "text": read_text(&file)? });
            let view: WorkflowView = client.put(&format!("workflows/{name}"), &body).await?;
            output.show(&view, || format!("{name} kept as version {}", view.summary.version))?;
        }
        WorkflowCommand::Check { file } => return check(&read_text(&file)?, client, output).await,
        WorkflowCommand::Delete { name } => {
            client.delete(&format!("workflows/{name}")).await?;
            output.show(&json!({ "deleted": name }), || format!("{name} deleted"))?;
        }
        WorkflowCommand::Run { name, pool, wait } => {
            let run: RunView = client.post(&format!("workflows/{name}/runs"), &json!({ "pool": pool })).await?;
            if wait {
                return follow(run, client, output).await;
            }
            output.show(&run, || format!("run {} of {name} on {pool} has begun", run.id))?;
        }
        WorkflowCommand::Runs { pool, limit } => {
            let pool = pool.map_or_else(String::new, |pool| format!("&pool={pool}"));
            let page: Page<RunView> = client.get(&format!("workflow-runs?limit={limit}{pool}")).await?;
            output.show(&page, || runs(&page.items))?;
        }
        WorkflowCommand::Status { run } => {
            let run: RunView = client.get(&format!("workflow-runs/{run}")).await?;
            output.show(&run, || steps(&run))?;
        }
        WorkflowCommand::Cancel { run } => {
            let run: RunView = client.post(&format!("workflow-runs/{run}/cancel"), &json!({})).await?;
            output.show(&run, || format!("run {} was told to end", run.id))?;
        }
        WorkflowCommand::Approve { run, step, refuse, comment } => {
            let body = json!({ "step": step, "approve": !refuse, "comment": comment });
            let run: RunView = client.post(&format!("workflow-runs/{run}/approve"), &body).await?;
            output.show(&run, || format!("{} `{step}`", if refuse { "refused" } else { "approved" }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn check(text: &str, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    let checked: Checked = client.post("workflows/check", &json!({ "text": text })).await?;
    output.show(&checked, || match &checked.graph {
        Some(graph) => format!("right: {} steps", graph.steps.len()),
        None => checked.errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    })?;
    Ok(ExitCode::from(u8::from(checked.graph.is_none())))
}

async fn follow(begun: RunView, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    let mut events = client.events(&begun.pool).await.ok();
    loop {
        let now: RunView = client.get(&format!("workflow-runs/{}", begun.id)).await?;
        if now.state != RunState::Running {
            output.show(&now, || steps(&now))?;
            return Ok(ExitCode::from(u8::from(now.state != RunState::Succeeded)));
        }
        let change = async {
            while let Some(stream) = &mut events {
                match stream.next().await.map(|event| event.change) {
                    None => events = None,
                    Some(Change::WorkflowRun { run, .. }) if run == begun.id => return,
                    Some(_) => {}
                }
            }
            std::future::pending().await
        };
        let _ = tokio::time::timeout(REREAD, change).await;
    }
}

fn word(value: impl serde::Serialize) -> String {
    json!(value).as_str().unwrap_or_default().replace('_', " ")
}

fn list(all: &[WorkflowSummary]) -> String {
    let now = Time::now();
    let rows = all.iter().map(|one| {
        vec![
            one.name.clone(),
            one.steps.to_string(),
            one.version.to_string(),
            ago(Some(one.changed), now),
            one.changed_by.clone(),
            one.description.clone(),
        ]
    });
    table(&["workflow", "steps", "version", "changed", "by", "description"], &["steps", "version"], rows)
}

fn runs(all: &[RunView]) -> String {
    let now = Time::now();
    let rows = all.iter().map(|run| {
        vec![
            run.id.to_string(),
            run.workflow.clone(),
            run.pool.clone(),
            word(run.state),
            known(run.at.clone()),
            ago(Some(run.started_at), now),
            run.started_by.clone(),
            run.message.clone(),
        ]
    });
    table(&["run", "workflow", "pool", "state", "at", "started", "by", "message"], &["run"], rows)
}

fn steps(run: &RunView) -> String {
    let rows = run.steps.iter().map(|step| {
        let mark = if step.state == StepState::AwaitsApproval { " (answer by `workflow approve`)" } else { "" };
        vec![
            step.name.clone(),
            format!("{}{mark}", word(step.state)),
            known(step.task.map(|task| format!("#{task}"))),
            step.message.clone(),
        ]
    });
    let head = format!("run {} of {} on {}: {} {}", run.id, run.workflow, run.pool, word(run.state), run.message);
    format!("{}\n\n{}", head.trim_end(), table(&["step", "state", "task", "message"], &[], rows))
}
