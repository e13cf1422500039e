//! `p2ppool runtime …`

use std::time::Duration;

use p2ppool_model::Time;
use serde_json::json;

use super::args::RuntimeCommand;
use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, bytes, table};
use crate::runtimes::{Runtime, RuntimeState};

/// How often it is asked how far the making is.
const LOOK_EVERY: Duration = Duration::from_millis(500);

pub(super) async fn run(command: RuntimeCommand, client: &Client, output: Output) -> Result<(), CliError> {
    let runtimes = match command {
        RuntimeCommand::List => client.get("runtimes").await?,
        RuntimeCommand::Cancel { name: _ } => vec![client.post("runtimes/mono/cancel", &json!({})).await?],
        RuntimeCommand::Build { name: _, from_packages } => build(from_packages, client).await?,
    };
    output.show(&runtimes, || shown(&runtimes))
}

async fn build(from_packages: bool, client: &Client) -> Result<Vec<Runtime>, CliError> {
    let _: Runtime = client.post("runtimes/mono", &json!({ "from_packages": from_packages })).await?;
    let mut told = String::new();
    loop {
        let runtimes: Vec<Runtime> = client.get("runtimes").await?;
        let mono = runtimes.iter().find(|runtime| runtime.name == "mono");
        match mono {
            Some(mono) if mono.state == RuntimeState::Building => {
                if mono.message != told {
                    eprintln!("mono: {}", mono.message);
                    told.clone_from(&mono.message);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
            Some(mono) if mono.state == RuntimeState::Failed => return Err(CliError::Other(mono.message.clone())),
            _ => return Ok(runtimes),
        }
    }
}

fn shown(runtimes: &[Runtime]) -> String {
    let now = Time::now();
    let rows = runtimes.iter().map(|runtime| {
        let made = runtime.made.as_ref();
        let text = |of: fn(&crate::runtimes::MadeRuntime) -> String| made.map_or("-".to_owned(), of);
        let state = serde_json::to_value(runtime.state).unwrap_or_default();
        vec![
            runtime.name.clone(),
            state.as_str().unwrap_or_default().to_owned(),
            text(|made| made.digest.short().to_owned()),
            text(|made| made.version.clone()),
            text(|made| made.arch.clone()),
            text(|made| made.glibc.clone()),
            bytes(made.map(|made| made.size)),
            ago(made.map(|made| made.built), now),
        ]
    });
    table(&["name", "state", "digest", "version", "arch", "glibc", "size", "made"], &["size"], rows)
}
