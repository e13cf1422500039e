//! `p2ppool nodes` and `p2ppool stats`.

use p2ppool_model::snapshot::{Node, Snapshot};
use p2ppool_model::usage::UsageMetric;
use p2ppool_model::{PoolName, Time};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::args::{NodesArgs, StatsArgs};
use super::client::Client;
use super::error::CliError;
use super::history::{add, parameters};
use super::history_text;
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
        let path = format!("pools/{}/nodes.csv?{query}", args.pool);
        return client.download(&path, &mut std::io::stdout()).await;
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
    let (pool, mut query) = (&args.pool, parameters());
    args.range.add_to(&mut query);
    if args.csv {
        return client.download(&format!("pools/{pool}/stats.csv?{}", query.finish()), &mut std::io::stdout()).await;
    }
    if let Some(buckets) = args.buckets {
        add(&mut query, "buckets", Some(buckets));
        let stats = client.get_value(&format!("pools/{pool}/stats?{}", query.finish())).await?;
        return output.show(&stats, || history_text::buckets(&stats));
    }
    add(&mut query, "limit", Some(args.limit));
    let page: SnapshotPage = client.get(&format!("pools/{pool}/snapshots?{}", query.finish())).await?;
    output.show(&page, || history_text::snapshots(&page.items))
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
    let mut query = parameters();
    args.when.add_to(&mut query);
    add(&mut query, "limit", (!args.csv).then_some(args.limit));
    add(&mut query, "q", args.query.as_deref());
    add(&mut query, "sort", args.sort.as_deref());
    add(&mut query, "order", args.descending.then_some("desc"));
    query.finish()
}
