//! `p2ppool managers`

use p2ppool_model::Time;
use serde_json::Value;

use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, known, table};

/// Lists the managers that share the database.
pub(super) async fn list(client: &Client, output: Output) -> Result<(), CliError> {
    let managers: Vec<Value> = client.get("managers").await?;
    output.show(&managers, || {
        let now = Time::now();
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let seen = |manager: &Value| ago(text(&manager["seen_at"]).and_then(|at| at.parse().ok()), now);
        let rows = managers.iter().map(|manager| {
            let state = match (manager["alive"].as_bool(), manager["this"].as_bool()) {
                (Some(true), Some(true)) => "this one",
                (Some(true), _) => "alive",
                _ => "dead",
            };
            vec![
                known(text(&manager["host"])),
                manager["pid"].to_string(),
                known(text(&manager["address"])),
                known(text(&manager["version"])),
                format!("{} of {}", manager["tasks"], manager["limits"]["tasks"]),
                format!(
                    "{} + {}, {}/s",
                    manager["limits"]["connecting"], manager["limits"]["working"], manager["limits"]["per_second"]
                ),
                seen(manager),
                state.to_owned(),
            ]
        });
        table(&["host", "process", "address", "version", "tasks", "hosts at once", "seen", "state"], &["process"], rows)
    })
}
