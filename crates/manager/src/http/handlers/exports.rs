//! Tables as CSV: the same queries as the lists, whole instead of page by page.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use p2ppool_model::Time;
use p2ppool_model::host::Host;
use p2ppool_model::pool::Pool;
use p2ppool_model::snapshot::{Node, NodeDetails, Snapshot};
use p2ppool_model::task::Task;
use p2ppool_store::{Listed, Page, StoreError};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::State;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::csv::{self, Cell, Column, chosen};
use crate::http::error::ErrorAnswer;
use crate::http::handlers::hosts::HostsQuery;
use crate::http::handlers::nodes::NodesQuery;
use crate::http::handlers::tasks::TasksQuery;
use crate::service::{Error, nodes, pools};

/// Rows read at once.
const PAGE_ROWS: u32 = 2_000;

/// Which part of a pool's history, and which columns.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct RangeQuery {
    /// Crawls that began then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Crawls that began earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Time>,
    /// Names of columns, separated by commas; all by default.
    columns: Option<String>,
}

type NodeRow = (Snapshot, Node);

const NODE_COLUMNS: &[Column<NodeRow>] = &[
    ("crawl", |(s, _)| Cell::own(Some(s.id))),
    ("time", |(s, _)| Cell::own(Some(s.started))),
    ("address", |(_, n)| Cell::text(Some(&n.address))),
    ("status", |(_, n)| Cell::own(Some(n.status.as_str()))),
    ("error", |(_, n)| Cell::text(n.error.as_deref())),
    ("host_name", |(_, n)| Cell::text(n.host_name.as_deref())),
    ("ip", |(_, n)| Cell::text(n.ip.as_deref())),
    ("transport_addresses", |(_, n)| Cell::text(Some(n.transport_addresses.join(" ")))),
    ("version", |(_, n)| Cell::text(n.version.as_deref())),
    ("package", |(_, n)| Cell::own(n.package.as_ref())),
    ("namespace", |(_, n)| Cell::text(n.namespace.as_deref())),
    ("virtual_ip", |(_, n)| virtual_ips(n)),
    ("consistency", |(_, n)| Cell::own(n.consistency)),
    ("connections", |(_, n)| Cell::own(n.connections)),
    ("tcp", |(_, n)| Cell::own(n.tcp)),
    ("udp", |(_, n)| Cell::own(n.udp)),
    ("relayed", |(_, n)| Cell::own(n.relayed)),
    ("secure", |(_, n)| Cell::own(n.secure)),
    ("retries", |(_, n)| Cell::own(Some(n.retries))),
    ("rtt_ms", |(_, n)| Cell::own(n.rtt_ms)),
    ("uptime_s", |(_, n)| Cell::own(n.uptime_s)),
    ("memory", |(_, n)| Cell::own(n.memory)),
    ("cpu_s", |(_, n)| Cell::own(n.cpu_s)),
    ("load", |(_, n)| Cell::own(n.load)),
    ("latitude", |(_, n)| Cell::own(n.location.map(|l| l.latitude))),
    ("longitude", |(_, n)| Cell::own(n.location.map(|l| l.longitude))),
];

fn virtual_ips(node: &Node) -> Cell {
    match &node.details {
        NodeDetails::Brunet(brunet) => Cell::text(Some(brunet.virtual_ips.join(" "))),
        NodeDetails::Libp2p { .. } => Cell::Unknown,
    }
}

const SNAPSHOT_COLUMNS: &[Column<Snapshot>] = &[
    ("crawl", |s| Cell::own(Some(s.id))),
    ("time", |s| Cell::own(Some(s.started))),
    ("duration_ms", |s| Cell::own(Some(s.duration_ms))),
    ("nodes", |s| Cell::own(Some(s.totals.nodes))),
    ("answering", |s| Cell::own(Some(s.totals.answering))),
    ("unreachable", |s| Cell::own(Some(s.totals.unreachable))),
    ("dial_failed", |s| Cell::own(Some(s.totals.dial_failed))),
    ("connect_failed", |s| Cell::own(Some(s.totals.connect_failed))),
    ("ask_failed", |s| Cell::own(Some(s.totals.ask_failed))),
    ("not_dialled", |s| Cell::own(Some(s.totals.not_dialled))),
    ("consistency", |s| Cell::own(s.totals.consistency)),
    ("connections", |s| Cell::own(s.totals.connections)),
    ("tcp", |s| Cell::own(s.totals.tcp)),
    ("udp", |s| Cell::own(s.totals.udp)),
    ("relayed", |s| Cell::own(s.totals.relayed)),
    ("secure", |s| Cell::own(s.totals.secure)),
    ("retries", |s| Cell::own(Some(s.totals.retries))),
    ("missing", |s| Cell::own(Some(s.totals.missing))),
    ("joined", |s| Cell::own(Some(s.totals.joined))),
    ("left", |s| Cell::own(Some(s.totals.left))),
];

const HOST_COLUMNS: &[Column<Host>] = &[
    ("address", |h| Cell::text(Some(&h.spec.address))),
    ("port", |h| Cell::own(Some(h.spec.ssh_port()))),
    ("user", |h| Cell::text(h.spec.user.as_deref())),
    ("latitude", |h| Cell::own(h.spec.location.map(|l| l.latitude))),
    ("longitude", |h| Cell::own(h.spec.location.map(|l| l.longitude))),
    ("labels", |h| {
        let labels: Vec<_> = h.spec.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Cell::text(Some(labels.join(" ")))
    }),
    ("leaving", |h| Cell::own(Some(h.leaving))),
    ("reachable", |h| Cell::own(h.known.reachable)),
    ("running", |h| Cell::own(h.known.running)),
    ("package", |h| Cell::own(h.known.package.as_ref())),
    ("node", |h| Cell::text(h.known.node.as_deref())),
    ("node_memory", |h| Cell::own(h.known.node_memory)),
    ("node_cpu_s", |h| Cell::own(h.known.node_cpu_s)),
    ("node_uptime_s", |h| Cell::own(h.known.node_uptime_s)),
    ("memory_total", |h| Cell::own(h.known.memory_total)),
    ("memory_available", |h| Cell::own(h.known.memory_available)),
    ("load", |h| Cell::own(h.known.load)),
    ("disk_free", |h| Cell::own(h.known.disk_free)),
    ("uptime_s", |h| Cell::own(h.known.uptime_s)),
    ("arch", |h| Cell::text(h.known.arch.as_deref())),
    ("problem", |h| Cell::text(h.known.problem.as_deref())),
    ("at", |h| Cell::own(h.known.at)),
];

const TASK_COLUMNS: &[Column<Task>] = &[
    ("id", |t| Cell::own(Some(t.id))),
    ("pool", |t| Cell::text(Some(&t.pool_name))),
    ("action", |t| Cell::own(Some(t.action))),
    ("state", |t| Cell::own(Some(t.state.as_str()))),
    ("started_by", |t| Cell::text(Some(&t.started_by))),
    ("queued_at", |t| Cell::own(Some(t.queued_at))),
    ("started_at", |t| Cell::own(t.started_at)),
    ("ended_at", |t| Cell::own(t.ended_at)),
    ("hosts", |t| Cell::own(Some(t.counts.total()))),
    ("ok", |t| Cell::own(Some(t.counts.of(p2ppool_model::Outcome::Ok)))),
    ("unchanged", |t| Cell::own(Some(t.counts.of(p2ppool_model::Outcome::Unchanged)))),
    ("unreachable", |t| Cell::own(Some(t.counts.of(p2ppool_model::Outcome::Unreachable)))),
    ("refused", |t| Cell::own(Some(t.counts.of(p2ppool_model::Outcome::Refused)))),
    ("failed", |t| Cell::own(Some(t.counts.of(p2ppool_model::Outcome::Failed)))),
    ("cancelled", |t| Cell::own(Some(t.counts.of(p2ppool_model::Outcome::Cancelled)))),
    ("not_started", |t| Cell::own(Some(t.counts.of(p2ppool_model::Outcome::NotStarted)))),
    ("message", |t| Cell::text(Some(&t.message))),
];

/// Every row of a list, read page by page.
fn all_pages<T, F>(read: impl Fn(Page) -> F + Send + 'static) -> impl Stream<Item = Result<T, StoreError>> + Send
where
    T: Send + 'static,
    F: Future<Output = Result<Listed<T>, StoreError>> + Send + 'static,
{
    let pages = stream::try_unfold((Some(0), read), |(offset, read)| async move {
        let Some(offset) = offset else { return Ok(None) };
        let page = read(Page { limit: PAGE_ROWS, offset }).await?;
        let next = offset + page.items.len() as u64;
        let more = !page.items.is_empty() && next < page.total;
        Ok::<_, StoreError>(Some((stream::iter(page.items.into_iter().map(Ok)), (more.then_some(next), read))))
    });
    pages.try_flatten()
}

fn file_name(pool: &Pool, what: &str, at: Option<Time>) -> String {
    let at = at.unwrap_or_else(Time::now).to_string().chars().take(19).filter(|c| *c != ':').collect::<String>();
    format!("{}-{what}-{at}.csv", pool.name)
}

/// Nodes of the newest snapshot, of a chosen one, or of every snapshot between `from` and `until`.
#[utoipa::path(get, path = "/pools/{pool}/nodes.csv", tag = "nodes", params(("pool" = String, Path), NodesQuery, RangeQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn nodes(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<NodesQuery>,
    Query(range): Query<RangeQuery>,
) -> Result<Response, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let columns = chosen(NODE_COLUMNS, range.columns.as_deref())?;
    let filter = query.filter()?;
    if range.from.is_some() || range.until.is_some() {
        let rows = app.store.stream_nodes_between(pool.id, range.from, range.until);
        return Ok(csv::answer(&file_name(&pool, "nodes", None), columns, rows));
    }
    let Some(snapshot) = nodes::snapshot_of(&app, &pool, &query.when()).await? else {
        return Ok(csv::answer(
            &file_name(&pool, "nodes", None),
            columns,
            stream::empty::<Result<NodeRow, StoreError>>(),
        ));
    };
    let name = file_name(&pool, "nodes", Some(snapshot.started));
    let crawl = snapshot.id;
    let app = Arc::clone(&app);
    let rows = all_pages(move |page| {
        let (app, filter): (Arc<App>, _) = (Arc::clone(&app), filter.clone());
        async move { app.store.nodes(crawl, &filter, page).await }
    });
    Ok(csv::answer(&name, columns, rows.map(move |node| node.map(|node| (snapshot.clone(), node)))))
}

/// System statistics: one row per crawl, oldest first.
#[utoipa::path(get, path = "/pools/{pool}/stats.csv", tag = "nodes", params(("pool" = String, Path), RangeQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn stats(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(range): Query<RangeQuery>,
) -> Result<Response, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let columns = chosen(SNAPSHOT_COLUMNS, range.columns.as_deref())?;
    let rows = app.store.stream_snapshots(pool.id, range.from, range.until);
    Ok(csv::answer(&file_name(&pool, "stats", None), columns, rows))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct ColumnsQuery {
    /// Names of columns, separated by commas; all by default.
    columns: Option<String>,
}

/// Hosts of a pool.
#[utoipa::path(get, path = "/pools/{pool}/hosts.csv", tag = "hosts", params(("pool" = String, Path), HostsQuery, ColumnsQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn hosts(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<HostsQuery>,
    Query(wanted): Query<ColumnsQuery>,
) -> Result<Response, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let columns = chosen(HOST_COLUMNS, wanted.columns.as_deref())?;
    let filter = query.filter()?;
    let (app, id) = (Arc::clone(&app), pool.id);
    let rows = all_pages(move |page| {
        let (app, filter): (Arc<App>, _) = (Arc::clone(&app), filter.clone());
        async move { app.store.hosts(id, &filter, page).await }
    });
    Ok(csv::answer(&file_name(&pool, "hosts", None), columns, rows))
}

/// Tasks, newest first.
#[utoipa::path(get, path = "/tasks.csv", tag = "tasks", params(TasksQuery, ColumnsQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn tasks(
    app: State,
    caller: Caller,
    Query(query): Query<TasksQuery>,
    Query(wanted): Query<ColumnsQuery>,
) -> Result<Response, Error> {
    let filter = query.filter(&app, &caller.viewer).await?;
    let columns = chosen(TASK_COLUMNS, wanted.columns.as_deref())?;
    let app = Arc::clone(&app);
    let rows = all_pages(move |page| {
        let (app, filter): (Arc<App>, _) = (Arc::clone(&app), filter.clone());
        async move { app.store.tasks(&filter, page).await }
    });
    Ok(csv::answer("tasks.csv", columns, rows))
}
