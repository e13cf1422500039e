//! `p2ppool managers`

use clap::Subcommand;
use p2ppool_model::Time;
use serde_json::{Value, json};

use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, known, table};

/// What is asked about managers.
#[derive(Debug, Subcommand)]
pub(super) enum ManagersCommand {
    /// Show the limits over all managers, which the living ones divide; change those that are given
    Limits {
        /// Hosts at once that are being connected to, or `none`
        #[arg(long, value_name = "N")]
        hosts_connecting: Option<AllLimit>,
        /// Hosts at once that are connected and worked on, or `none`
        #[arg(long, value_name = "N")]
        hosts_working: Option<AllLimit>,
        /// Connections to hosts started per second, or `none`
        #[arg(long, value_name = "N")]
        connections_per_second: Option<AllLimit>,
        /// Tasks at once, or `none`
        #[arg(long, value_name = "N")]
        tasks: Option<AllLimit>,
    },
}

/// A limit over all managers, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AllLimit(Option<u32>);

impl std::str::FromStr for AllLimit {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "none" => Ok(Self(None)),
            _ => text.parse().map(|n| Self(Some(n))).map_err(|_| "must be a number or `none`".to_owned()),
        }
    }
}

/// Shows or changes the limits over all managers.
pub(super) async fn run(command: ManagersCommand, client: &Client, output: Output) -> Result<(), CliError> {
    let ManagersCommand::Limits { hosts_connecting, hosts_working, connections_per_second, tasks } = command;
    let given = [
        ("connecting", hosts_connecting),
        ("working", hosts_working),
        ("per_second", connections_per_second),
        ("tasks", tasks),
    ];
    let mut limits = client.get_value("managers/limits").await?;
    if given.iter().any(|(_, value)| value.is_some()) {
        for (name, value) in given {
            if let Some(AllLimit(value)) = value {
                limits[name] = json!(value);
            }
        }
        limits = client.put("managers/limits", &limits).await?;
    }
    output.show(&limits, || {
        let told = |name: &str| limits[name].as_u64().map(|n| n.to_string());
        let names = [
            ("hosts connecting", "connecting"),
            ("hosts working", "working"),
            ("connections per second", "per_second"),
            ("tasks", "tasks"),
        ];
        let rows = names.map(|(label, name)| vec![label.to_owned(), told(name).unwrap_or_else(|| "none".into())]);
        table(&["over all managers", "at most"], &["at most"], rows)
    })
}

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
                format!("{} of {}", manager["tasks"], manager["share"]["tasks"]),
                format!(
                    "{} + {}, {}/s",
                    manager["share"]["connecting"], manager["share"]["working"], manager["share"]["per_second"]
                ),
                seen(manager),
                state.to_owned(),
            ]
        });
        table(&["host", "process", "address", "version", "tasks", "hosts at once", "seen", "state"], &["process"], rows)
    })
}
