//! The actions: `p2ppool install`, `upgrade`, `stop`, …

use std::path::Path;
use std::process::ExitCode;

use p2ppool_model::bundle::Bundle;
use p2ppool_model::fault::Fault;
use p2ppool_model::task::Task;
use p2ppool_model::{Action, PoolName};
use serde_json::{Value, json};

use super::args::{ActionCommand, Gather, On};
use super::client::Client;
use super::error::CliError;
use super::input::{confirm, read_text};
use super::output::Output;
use super::pool::{Summary, settings_patch_of};
use super::watch::{follow, summary};

pub(super) async fn run(command: ActionCommand, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    let (action, on, params) = match command {
        ActionCommand::Install { on, bundle } => (Action::Install, on, with_bundle(json!({}), bundle, client).await?),
        ActionCommand::Upgrade { on, bundle, hosts, keep_namespace, settings, rolling } => {
            let mut params = rolling.asked().map_or_else(|| json!({}), |rolling| json!({ "rolling": rolling }));
            let patch = settings_patch_of(&on.pool, &settings, client).await?;
            if patch != json!({}) {
                params["settings"] = patch;
            }
            if keep_namespace {
                params["keep_namespace"] = Value::Bool(true);
            }
            if let Some(file) = hosts {
                params["hosts"] = Value::String(read_text(&file)?);
            }
            (Action::Upgrade, on, with_bundle(params, bundle, client).await?)
        }
        ActionCommand::Suspend { on } => (Action::Suspend, on, json!({})),
        ActionCommand::Resume { on } => (Action::Resume, on, json!({})),
        ActionCommand::Stop { on, yes } => {
            if !yes {
                ask_before_stop(&on.pool, client).await?;
            }
            (Action::Stop, on, json!({}))
        }
        ActionCommand::Check { on } => (Action::Check, on, json!({})),
        ActionCommand::Crawl { on, settle } => (Action::Crawl, on, json!({ "settle": settle })),
        ActionCommand::RotateKey { on } => (Action::RotateKey, on, json!({})),
        ActionCommand::UninstallCheck { on } => (Action::UninstallCheck, on, json!({})),
        ActionCommand::Fault { kind, on, share, labels, seed } => {
            let labels = labels.unwrap_or_default();
            (Action::Fault, on, json!(Fault { kind, share, labels, seed }))
        }
        ActionCommand::Gather { what, on, pattern } => {
            let params = if pattern.is_empty() { json!({}) } else { json!({ "patterns": pattern }) };
            match what {
                Gather::Logs => (Action::GatherLogs, on, json!({})),
                Gather::Data => (Action::GatherData, on, params),
                Gather::Usage => (Action::GatherUsage, on, json!({})),
            }
        }
    };
    start(action, &on, &params, client, output).await
}

async fn start(action: Action, on: &On, params: &Value, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    let task: Task = client.post(&format!("pools/{}/{action}", on.pool), params).await?;
    if on.wait {
        return follow(&task, client, output).await;
    }
    output.show(&task, || format!("{}\nfollow it with `p2ppool task watch {}`", summary(&task), task.id))?;
    Ok(ExitCode::SUCCESS)
}

async fn with_bundle(mut params: Value, file: Option<std::path::PathBuf>, client: &Client) -> Result<Value, CliError> {
    if let Some(file) = file {
        let bundle = upload(&file, client).await?;
        params["bundle"] = json!(bundle.digest);
    }
    Ok(params)
}

/// Uploads an archive.
pub(super) async fn upload(file: &Path, client: &Client) -> Result<Bundle, CliError> {
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or("bundle");
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    client.upload(&format!("bundles?name={name}"), file).await
}

async fn ask_before_stop(pool: &PoolName, client: &Client) -> Result<(), CliError> {
    let summary: Summary = client.get(&format!("pools/{pool}")).await?;
    let hosts = &summary.hosts;
    let question = format!(
        "This stops {} nodes and removes the software and its data from {} hosts, and then deletes the pool `{pool}` and its history.",
        hosts.running, hosts.total
    );
    confirm(&question, pool.as_str())
}
