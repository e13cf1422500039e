//! `p2ppool nodes` and `p2ppool stats`.

use p2ppool_model::snapshot::{Node, Snapshot};
use p2ppool_model::usage::UsageMetric;
use p2ppool_model::{PoolName, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::args::{NodesArgs, StatsArgs};
use super::client::Client;
use super::error::CliError;
use super::output::{Output, ago, bytes, known, percent, table};
use crate::service::resources::TopHost;

#[derive(Debug, Serialize, Deserialize)]
struct NodePage {
    crawl: Option<Value>,
    total: u64,
    items: Vec<Node>,
    missing: Vec<Value>,
}

/// Some snapshots.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SnapshotPage {
    /// Newest first.
    pub(super) items: Vec<Snapshot>,
}

pub(super) async fn nodes(args: NodesArgs, client: &Client, output: Output) -> Result<(), CliError> {
    let query = node_query(&args);
    if args.csv {
        return output.line(&client.get_text(&format!("pools/{}/nodes.csv?{query}", args.pool)).await?);
    }
    let page: NodePage = client.get(&format!("pools/{}/nodes?{query}", args.pool)).await?;
    output.show(&page, || {
        let rows = page.items.iter().map(|node| {
            vec![
                node.host_name.clone().or_else(|| node.ip.clone()).unwrap_or_else(|| "-".to_owned()),
                node.address.clone(),
                node.status.as_str().to_owned(),
                percent(node.consistency),
                known(node.connections),
                known(node.rtt_ms.map(|ms| format!("{ms:.1} ms"))),
                bytes(node.memory),
                known(node.version.clone()),
            ]
        });
        let head = ["host", "node", "status", "consistency", "connections", "rtt", "memory", "version"];
        let numbers = ["consistency", "connections", "rtt", "memory"];
        let missing: String = page
            .missing
            .iter()
            .filter_map(|host| host["address"].as_str())
            .map(|a| format!("\nmissing: {a}"))
            .collect();
        format!("{}\n{} of {} nodes{missing}", table(&head, &numbers, rows), page.items.len(), page.total)
    })
}

pub(super) async fn stats(args: StatsArgs, client: &Client, output: Output) -> Result<(), CliError> {
    if args.csv {
        return output.line(&client.get_text(&format!("pools/{}/stats.csv", args.pool)).await?);
    }
    let page = snapshots(&args.pool, args.limit, client).await?;
    output.show(&page, || {
        let rows = page.items.iter().map(|snapshot| {
            let totals = &snapshot.totals;
            vec![
                snapshot.started.to_string(),
                totals.nodes.to_string(),
                totals.answering.to_string(),
                percent(totals.consistency),
                known(totals.connections),
                totals.retries.to_string(),
                format!("{} ms", snapshot.duration_ms),
                totals.missing.to_string(),
                format!("+{} -{}", totals.joined, totals.left),
            ]
        });
        let head = [
            "time",
            "nodes",
            "answering",
            "consistency",
            "connections",
            "retries",
            "duration",
            "missing",
            "joined/left",
        ];
        table(&head, &head[1..8], rows)
    })
}

/// The hosts that use most of something.
pub(super) async fn top(
    pool: &PoolName,
    by: UsageMetric,
    limit: u32,
    client: &Client,
    output: Output,
) -> Result<(), CliError> {
    let path = format!("pools/{pool}/resources/top?by={}&limit={limit}", by.as_str());
    let hosts: Vec<TopHost> = client.get(&path).await?;
    output.show(&hosts, || {
        let now = Time::now();
        let rows = hosts.iter().map(|host| {
            let usage = &host.sample.usage;
            vec![
                host.address.clone(),
                bytes(usage.node_memory),
                percent(usage.node_cpu),
                percent(usage.memory_used),
                known(usage.load),
                bytes(usage.disk_free),
                ago(Some(host.sample.at), now),
            ]
        });
        let head = ["host", "node memory", "node cpu", "memory used", "load", "disk free", "seen"];
        table(&head, &head[1..6], rows)
    })
}

/// The newest snapshots, newest first.
pub(super) async fn snapshots(pool: &PoolName, limit: u32, client: &Client) -> Result<SnapshotPage, CliError> {
    client.get(&format!("pools/{pool}/snapshots?limit={limit}")).await
}

fn node_query(args: &NodesArgs) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if !args.csv {
        query.append_pair("limit", &args.limit.to_string());
    }
    if let Some(crawl) = args.crawl {
        query.append_pair("crawl", &crawl.to_string());
    }
    for (name, value) in [("q", &args.query), ("sort", &args.sort)] {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    if args.descending {
        query.append_pair("order", "desc");
    }
    query.finish()
}
