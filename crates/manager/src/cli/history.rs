//! `p2ppool diff`, `churn`, `sessions`, `topology`, `deployed`, `repair`, `export`: the past, and what should be beside
//! what is.

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use p2ppool_model::deployed::DeployedState;
use p2ppool_model::task::Task;
use p2ppool_model::{PoolName, Time};
use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::client::Client;
use super::error::CliError;
use super::history_text as told;
use super::host;
use super::output::Output;
use super::watch::{follow, summary};

/// What is asked about the history of a pool.
#[derive(Debug, Subcommand)]
pub(super) enum HistoryCommand {
    /// What changed between two snapshots: who joined, left, moved, was upgraded or restarted
    Diff {
        /// Name of the pool
        pool: PoolName,
        /// The first snapshot: a crawl's number, or a time (RFC 3339) near it [default: the one before the second]
        #[arg(long, value_name = "CRAWL|TIME")]
        from: Option<Moment>,
        /// The second snapshot [default: the newest]
        #[arg(long, value_name = "CRAWL|TIME")]
        to: Option<Moment>,
    },
    /// Who came and went: classes of nodes, session lengths, uptime
    Churn {
        /// Name of the pool
        pool: PoolName,
        #[command(flatten)]
        range: RangeArgs,
    },
    /// When nodes were there, and how well that is known
    Sessions {
        /// Name of the pool
        pool: PoolName,
        /// Only of the node with this overlay address, with its uptime and its class
        #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["query", "csv"])]
        node: Option<String>,
        /// Part of the overlay address
        #[arg(long, short = 'q')]
        query: Option<String>,
        #[command(flatten)]
        range: RangeArgs,
        /// Sort by address, began, ended or length [default: those that began last come first]
        #[arg(long, value_name = "COLUMN", conflicts_with_all = ["node", "csv"])]
        sort: Option<String>,
        /// The largest first
        #[arg(long, requires = "sort")]
        desc: bool,
        /// How many
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Print all of them as CSV
        #[arg(long)]
        csv: bool,
    },
    /// What the neighbours say of the overlay: components, degrees, path lengths
    Topology {
        /// Name of the pool
        pool: PoolName,
        #[command(flatten)]
        when: WhenArgs,
    },
    /// Every host with the node that it should be, and nodes that are not ours
    Deployed {
        /// Name of the pool
        pool: PoolName,
        /// Only these states, such as running_not_seen,unreachable
        #[arg(long, value_name = "STATE", value_delimiter = ',')]
        state: Vec<DeployedState>,
        /// Part of host name, overlay address, version or problem
        #[arg(long, short = 'q')]
        query: Option<String>,
        #[command(flatten)]
        when: WhenArgs,
        /// Sort by host, state, node, version, package, namespace, wrong, problem or looked_at
        #[arg(long, value_name = "COLUMN")]
        sort: Option<String>,
        /// The largest first
        #[arg(long, requires = "sort")]
        desc: bool,
        /// How many
        #[arg(long, default_value_t = 1000)]
        limit: u32,
        /// Print all of them as CSV
        #[arg(long)]
        csv: bool,
    },
    /// Install and start what is missing on some hosts, or on all hosts of some states
    Repair {
        /// Name of the pool
        pool: PoolName,
        /// Addresses of hosts, as in the host list
        #[arg(long, value_name = "HOST", value_delimiter = ',', required_unless_present = "state")]
        host: Vec<String>,
        /// States as `deployed` shows them
        #[arg(long, value_name = "STATE", value_delimiter = ',')]
        state: Vec<DeployedState>,
        /// Show the progress until the task has ended; exit non-zero when a host failed
        #[arg(long)]
        wait: bool,
    },
    /// Write a table as CSV or JSON, of any time
    Export(ExportArgs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct ExportArgs {
    /// Name of the pool
    pool: PoolName,
    /// Which table
    table: Table,
    /// How it is written
    #[arg(long, default_value = "csv")]
    format: Format,
    #[command(flatten)]
    range: RangeArgs,
    /// Nodes of this crawl [default: of the newest]
    #[arg(long, conflicts_with_all = ["from", "to"])]
    crawl: Option<i64>,
    /// Names of columns, separated by commas [default: all]
    #[arg(long)]
    columns: Option<String>,
    /// Text to be found in nodes, hosts or sessions
    #[arg(long, short = 'q')]
    query: Option<String>,
    /// File to write; there must be none of this name [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// A snapshot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
    Crawl(i64),
    Near(Time),
}

impl FromStr for Moment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let near = || text.parse().map(Self::Near);
        let wrong = |_| "must be a crawl's number or a time such as 2026-11-23T12:00:00Z".to_owned();
        text.parse().map(Self::Crawl).or_else(|_| near()).map_err(wrong)
    }
}

/// Which snapshot.
#[derive(Debug, Default, ClapArgs)]
pub(in crate::cli) struct WhenArgs {
    /// A crawl's number [default: the newest]
    #[arg(long)]
    crawl: Option<i64>,
    /// The snapshot nearest to this time (RFC 3339), instead of a crawl's number
    #[arg(long, value_name = "TIME", conflicts_with = "crawl")]
    at: Option<Time>,
}

impl WhenArgs {
    pub(super) fn add_to(&self, query: &mut Serializer<'_, String>) {
        add(query, "crawl", self.crawl);
        add(query, "at", self.at);
    }
}

/// A part of the history.
#[derive(Debug, Default, ClapArgs)]
pub(in crate::cli) struct RangeArgs {
    /// Crawls that began then or later (RFC 3339)
    #[arg(long, value_name = "TIME")]
    from: Option<Time>,
    /// Crawls that began earlier (RFC 3339)
    #[arg(long, value_name = "TIME")]
    to: Option<Time>,
}

impl RangeArgs {
    pub(super) fn add_to(&self, query: &mut Serializer<'_, String>) {
        add(query, "from", self.from);
        add(query, "to", self.to);
    }
}

/// Tables that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Table {
    /// Nodes of one snapshot, or of every snapshot of a time
    Nodes,
    /// System statistics
    Stats,
    /// Hosts
    Hosts,
    /// Hosts joined with the nodes that they should be, and nodes that are not ours
    Deployed,
    /// Sessions of nodes
    Sessions,
    /// Tasks
    Tasks,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// Comma-separated values
    Csv,
    /// An array of objects
    Json,
}

/// The parameters of a request, none yet.
pub(super) fn parameters() -> Serializer<'static, String> {
    Serializer::new(String::new())
}

/// One more parameter, when it was given.
pub(super) fn add(query: &mut Serializer<'_, String>, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        query.append_pair(name, &value.to_string());
    }
}

/// Sorted by a column, up or down.
fn add_order(query: &mut Serializer<'_, String>, sort: Option<String>, desc: bool) {
    add(query, "order", sort.as_ref().map(|_| if desc { "desc" } else { "asc" }));
    add(query, "sort", sort);
}

pub(super) async fn run(command: HistoryCommand, client: &Client, output: Output) -> Result<ExitCode, CliError> {
    let mut query = parameters();
    match command {
        HistoryCommand::Diff { pool, from, to } => {
            for (name, moment) in [("from", from), ("to", to)] {
                match moment {
                    Some(Moment::Crawl(crawl)) => add(&mut query, name, Some(crawl)),
                    Some(Moment::Near(time)) => add(&mut query, &format!("{name}_at"), Some(time)),
                    None => {}
                }
            }
            show(&format!("pools/{pool}/diff"), query, told::diff, client, output).await?;
        }
        HistoryCommand::Churn { pool, range } => {
            range.add_to(&mut query);
            show(&format!("pools/{pool}/churn"), query, told::churn, client, output).await?;
        }
        HistoryCommand::Sessions { pool, csv: true, query: text, range, .. } => {
            range.add_to(&mut query);
            add(&mut query, "q", text);
            let path = format!("pools/{pool}/sessions.csv?{}", query.finish());
            client.download(&path, &mut std::io::stdout()).await?;
        }
        HistoryCommand::Sessions { pool, node: Some(node), range, .. } => {
            range.add_to(&mut query);
            let node: String = url::form_urlencoded::byte_serialize(node.as_bytes()).collect();
            show(&format!("pools/{pool}/nodes/{node}/sessions"), query, told::presence, client, output).await?;
        }
        HistoryCommand::Sessions { pool, query: text, range, sort, desc, limit, .. } => {
            range.add_to(&mut query);
            add(&mut query, "q", text);
            add_order(&mut query, sort, desc);
            add(&mut query, "limit", Some(limit));
            show(&format!("pools/{pool}/sessions"), query, told::sessions, client, output).await?;
        }
        HistoryCommand::Topology { pool, when } => {
            when.add_to(&mut query);
            show(&format!("pools/{pool}/topology"), query, told::topology, client, output).await?;
        }
        HistoryCommand::Deployed { pool, state, query: text, when, sort, desc, limit, csv } => {
            when.add_to(&mut query);
            add(&mut query, "q", text);
            add_order(&mut query, sort, desc);
            let states: Vec<_> = state.iter().map(|state| state.as_str()).collect();
            query.append_pair("state", &states.join(","));
            if csv {
                let path = format!("pools/{pool}/deployed.csv?{}", query.finish());
                client.download(&path, &mut std::io::stdout()).await?;
                return Ok(ExitCode::SUCCESS);
            }
            add(&mut query, "limit", Some(limit));
            show(&format!("pools/{pool}/deployed"), query, told::deployed, client, output).await?;
        }
        HistoryCommand::Repair { pool, host, state, wait } => {
            let task = repair(&pool, &host, &state, client).await?;
            if wait {
                return follow(&task, client, output).await;
            }
            output.show(&task, || summary(&task))?;
        }
        HistoryCommand::Export(args) => export(args, client).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn show(
    path: &str,
    query: Serializer<'_, String>,
    tell: fn(&Value) -> String,
    client: &Client,
    output: Output,
) -> Result<(), CliError> {
    let mut query = query;
    let answer = client.get_value(&format!("{path}?{}", query.finish())).await?;
    output.show(&answer, || tell(&answer))
}

async fn repair(pool: &PoolName, hosts: &[String], state: &[DeployedState], client: &Client) -> Result<Task, CliError> {
    let mut ids = Vec::with_capacity(hosts.len());
    for address in hosts {
        ids.push(host::named(pool, address, client).await?.id);
    }
    client.post(&format!("pools/{pool}/repair"), &json!({ "hosts": ids, "state": state })).await
}

async fn export(args: ExportArgs, client: &Client) -> Result<(), CliError> {
    let path = export_path(&args);
    match args.output {
        Some(file) => {
            let mut to = File::create_new(&file).map_err(|error| CliError::file(&file, error))?;
            client.download(&path, &mut to).await
        }
        None => client.download(&path, &mut std::io::stdout()).await,
    }
}

fn export_path(args: &ExportArgs) -> String {
    let pool = &args.pool;
    let mut query = parameters();
    args.range.add_to(&mut query);
    add(&mut query, "crawl", args.crawl);
    add(&mut query, "columns", args.columns.as_deref());
    add(&mut query, "q", args.query.as_deref());
    let extension = match args.format {
        Format::Csv => "csv",
        Format::Json => "json",
    };
    let table = match args.table {
        Table::Nodes => "nodes",
        Table::Stats => "stats",
        Table::Hosts => "hosts",
        Table::Deployed => "deployed",
        Table::Sessions => "sessions",
        Table::Tasks => {
            query.append_pair("pool", pool.as_str());
            return format!("tasks.{extension}?{}", query.finish());
        }
    };
    format!("pools/{pool}/{table}.{extension}?{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_named_by_its_crawl_or_a_time() {
        assert_eq!("17".parse(), Ok(Moment::Crawl(17)));
        assert_eq!("1970-01-01T00:00:01Z".parse(), Ok(Moment::Near(Time(1_000))));
        assert!("yesterday".parse::<Moment>().unwrap_err().contains("2026"));
    }
}
