//! Tables as CSV or JSON: the same queries as the lists, whole instead of page by page.

use std::sync::Arc;

use axum::extract::Path;
use axum::response::Response;
use futures::{Stream, TryStreamExt, stream};
use p2ppool_model::Time;
use p2ppool_model::churn::NodeSession;
use p2ppool_model::deployed::Deployed;
use p2ppool_model::host::Host;
use p2ppool_model::pool::Pool;
use p2ppool_model::snapshot::Snapshot;
use p2ppool_model::table::{List, NodeTable, Number, Word};
use p2ppool_model::task::Task;
use p2ppool_store::{Listed, NodeFilter, Page, StoreError, filtered_rows};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::App;
use crate::http::State;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::export::{self, Cell, Column, chosen};
use crate::http::handlers::churn::SessionsQuery;
use crate::http::handlers::deployed::DeployedQuery;
use crate::http::handlers::hosts::HostsQuery;
use crate::http::handlers::nodes::NodesQuery;
use crate::http::handlers::tasks::TasksQuery;
use crate::service::history::Range;
use crate::service::{self, Error, pools};

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
    #[serde(alias = "until")]
    to: Option<Time>,
    /// Names of columns, separated by commas; all by default.
    columns: Option<String>,
}

impl RangeQuery {
    fn range(&self) -> Range {
        Range { from: self.from, to: self.to }
    }
}

/// A node of a snapshot.
struct NodeLine {
    snapshot: Arc<Snapshot>,
    table: Arc<NodeTable>,
    row: usize,
}

impl NodeLine {
    fn word(&self, column: Word) -> Cell<'_> {
        Cell::text(self.table.word(column, self.row))
    }

    fn int(&self, column: Number) -> Cell<'_> {
        Cell::int(self.table.number(column, self.row))
    }

    fn float(&self, column: Number) -> Cell<'_> {
        Cell::float(self.table.float(column, self.row))
    }

    /// The texts of a list, a space between them; unknown when there is none.
    fn list(&self, column: List) -> Cell<'_> {
        let texts: Vec<&str> = self.table.list(column, self.row).collect();
        Cell::text((!texts.is_empty()).then(|| texts.join(" ")))
    }
}

const NODE_COLUMNS: &[Column<NodeLine>] = &[
    ("crawl", |l| Cell::int(Some(l.snapshot.id.0))),
    ("time", |l| Cell::own(Some(l.snapshot.started))),
    ("address", |l| Cell::text(Some(l.table.address(l.row)))),
    ("status", |l| Cell::word(l.table.status(l.row).as_str())),
    ("error", |l| l.word(Word::Error)),
    ("host", |l| l.int(Number::Host)),
    ("host_name", |l| l.word(Word::HostName)),
    ("ip", |l| l.word(Word::Ip)),
    ("transport_addresses", |l| l.list(List::TransportAddresses)),
    ("version", |l| l.word(Word::Version)),
    ("package", |l| l.table.word(Word::Package, l.row).map_or(Cell::Unknown, Cell::word)),
    ("namespace", |l| l.word(Word::Namespace)),
    ("virtual_ip", |l| l.list(List::VirtualIps)),
    ("ipop_namespace", |l| l.word(Word::IpopNamespace)),
    ("consistency", |l| l.float(Number::Consistency)),
    ("connections", |l| l.int(Number::Connections)),
    ("tcp", |l| l.int(Number::Tcp)),
    ("udp", |l| l.int(Number::Udp)),
    ("relayed", |l| l.int(Number::Relayed)),
    ("secure", |l| l.int(Number::Secure)),
    ("retries", |l| l.int(Number::Retries)),
    ("rtt_ms", |l| l.float(Number::Rtt)),
    ("uptime_s", |l| l.int(Number::Uptime)),
    ("memory", |l| l.int(Number::Memory)),
    ("cpu_s", |l| l.float(Number::Cpu)),
    ("load", |l| l.float(Number::Load)),
    ("latitude", |l| l.float(Number::Latitude)),
    ("longitude", |l| l.float(Number::Longitude)),
    ("nat", |l| l.word(Word::Nat)),
    ("neighbours", |l| l.list(List::Neighbours)),
];

const SNAPSHOT_COLUMNS: &[Column<Snapshot>] = &[
    ("crawl", |s| Cell::int(Some(s.id.0))),
    ("time", |s| Cell::own(Some(s.started))),
    ("duration_ms", |s| Cell::int(Some(s.duration_ms))),
    ("nodes", |s| Cell::int(Some(s.totals.nodes))),
    ("answering", |s| Cell::int(Some(s.totals.answering))),
    ("unreachable", |s| Cell::int(Some(s.totals.unreachable))),
    ("dial_failed", |s| Cell::int(Some(s.totals.dial_failed))),
    ("connect_failed", |s| Cell::int(Some(s.totals.connect_failed))),
    ("ask_failed", |s| Cell::int(Some(s.totals.ask_failed))),
    ("not_dialled", |s| Cell::int(Some(s.totals.not_dialled))),
    ("consistency", |s| Cell::float(s.totals.consistency)),
    ("connections", |s| Cell::int(s.totals.connections)),
    ("tcp", |s| Cell::int(s.totals.tcp)),
    ("udp", |s| Cell::int(s.totals.udp)),
    ("relayed", |s| Cell::int(s.totals.relayed)),
    ("secure", |s| Cell::int(s.totals.secure)),
    ("retries", |s| Cell::int(Some(s.totals.retries))),
    ("missing", |s| Cell::int(Some(s.totals.missing))),
    ("joined", |s| Cell::int(Some(s.totals.joined))),
    ("left", |s| Cell::int(Some(s.totals.left))),
    ("complete", |s| Cell::claim(Some(s.complete))),
];

const HOST_COLUMNS: &[Column<Host>] = &[
    ("address", |h| Cell::text(Some(&h.spec.address))),
    ("port", |h| Cell::int(Some(h.spec.ssh_port()))),
    ("user", |h| Cell::text(h.spec.user.as_deref())),
    ("latitude", |h| Cell::float(h.spec.location.map(|l| l.latitude))),
    ("longitude", |h| Cell::float(h.spec.location.map(|l| l.longitude))),
    ("labels", |h| {
        let labels: Vec<_> = h.spec.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Cell::text(Some(labels.join(" ")))
    }),
    ("leaving", |h| Cell::claim(Some(h.leaving))),
    ("reachable", |h| Cell::claim(h.known.reachable)),
    ("running", |h| Cell::claim(h.known.running)),
    ("package", |h| Cell::own(h.known.package.as_ref())),
    ("node", |h| Cell::text(h.known.node.as_deref())),
    ("node_memory", |h| Cell::int(h.known.node_memory)),
    ("node_cpu_s", |h| Cell::float(h.known.node_cpu_s)),
    ("node_uptime_s", |h| Cell::int(h.known.node_uptime_s)),
    ("memory_total", |h| Cell::int(h.known.memory_total)),
    ("memory_available", |h| Cell::int(h.known.memory_available)),
    ("load", |h| Cell::float(h.known.load)),
    ("disk_free", |h| Cell::int(h.known.disk_free)),
    ("uptime_s", |h| Cell::int(h.known.uptime_s)),
    ("arch", |h| Cell::text(h.known.arch.as_deref())),
    ("problem", |h| Cell::text(h.known.problem.as_deref())),
    ("at", |h| Cell::own(h.known.at)),
];

const DEPLOYED_COLUMNS: &[Column<Deployed>] = &[
    ("host", |d| Cell::int(d.host.map(|host| host.0))),
    ("host_name", |d| Cell::text(d.host_name.as_deref())),
    ("state", |d| Cell::word(d.state.as_str())),
    ("wrong", |d| {
        let words: Vec<_> = d.wrong.iter().map(|wrong| wrong.as_str()).collect();
        Cell::own((!words.is_empty()).then(|| words.join(" ")))
    }),
    ("node", |d| Cell::text(d.node.as_deref())),
    ("version", |d| Cell::text(d.version.as_deref())),
    ("package", |d| Cell::own(d.package.as_ref())),
    ("namespace", |d| Cell::text(d.namespace.as_deref())),
    ("problem", |d| Cell::text(d.problem.as_deref())),
    ("looked_at", |d| Cell::own(d.looked_at)),
];

const TASK_COLUMNS: &[Column<Task>] = &[
    ("id", |t| Cell::int(Some(t.id.0))),
    ("pool", |t| Cell::text(Some(&t.pool_name))),
    ("action", |t| Cell::own(Some(t.action))),
    ("state", |t| Cell::own(Some(t.state.as_str()))),
    ("started_by", |t| Cell::text(Some(&t.started_by))),
    ("queued_at", |t| Cell::own(Some(t.queued_at))),
    ("started_at", |t| Cell::own(t.started_at)),
    ("ended_at", |t| Cell::own(t.ended_at)),
    ("hosts", |t| Cell::int(Some(t.counts.total()))),
    ("ok", |t| Cell::int(Some(t.counts.of(p2ppool_model::Outcome::Ok)))),
    ("unchanged", |t| Cell::int(Some(t.counts.of(p2ppool_model::Outcome::Unchanged)))),
    ("unreachable", |t| Cell::int(Some(t.counts.of(p2ppool_model::Outcome::Unreachable)))),
    ("refused", |t| Cell::int(Some(t.counts.of(p2ppool_model::Outcome::Refused)))),
    ("failed", |t| Cell::int(Some(t.counts.of(p2ppool_model::Outcome::Failed)))),
    ("cancelled", |t| Cell::int(Some(t.counts.of(p2ppool_model::Outcome::Cancelled)))),
    ("not_started", |t| Cell::int(Some(t.counts.of(p2ppool_model::Outcome::NotStarted)))),
    ("message", |t| Cell::text(Some(&t.message))),
];

const SESSION_COLUMNS: &[Column<NodeSession>] = &[
    ("address", |s| Cell::text(Some(&s.address))),
    ("before", |s| Cell::own(s.before)),
    ("began", |s| Cell::own(Some(s.began))),
    ("ended", |s| Cell::own(Some(s.ended))),
    ("after", |s| Cell::own(s.after)),
    ("least_s", |s| Cell::float(Some(s.least_ms() as f64 / 1000.0))),
    ("most_s", |s| Cell::float(s.most_ms().map(|ms| ms as f64 / 1000.0))),
    ("shorter_than_gap", |s| Cell::claim(Some(s.is_shorter_than_gap()))),
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

/// The name of an export: what it is of, when, and how it is written.
fn file_name(pool: &Pool, what: &str, at: Option<Time>, extension: &str) -> String {
    let at = at.unwrap_or_else(Time::now).to_string().chars().take(19).filter(|c| *c != ':').collect::<String>();
    format!("{}-{what}-{at}.{extension}", pool.name)
}

/// Every export twice: as CSV and as JSON, of the same rows and columns.
macro_rules! export {
    (
        $(#[$doc:meta])*
        $csv:ident = $csv_path:literal, $json:ident = $json_path:literal, tag = $tag:literal,
        $make:ident($($name:ident: $query:ty),*), path($($path:tt)*)
    ) => {
        export!(@ $(#[$doc])* $csv, $csv_path, "csv", "text/csv", String, $tag, $make($($name: $query),*), $($path)*);
        export!(@ $(#[$doc])* $json, $json_path, "json", "application/json", Vec<serde_json::Value>, $tag, $make($($name: $query),*), $($path)*);
    };
    (@ $(#[$doc:meta])* $handler:ident, $path:literal, $extension:literal, $media:literal, $body:ty, $tag:literal,
        $make:ident($($name:ident: $query:ty),*), pool) => {
        $(#[$doc])*
        #[utoipa::path(get, path = $path, tag = $tag, params(("pool" = String, Path), $($query),*),
            responses((status = 200, body = $body, content_type = $media), (status = 400, body = ErrorAnswer),
                (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
        pub(crate) async fn $handler(
            app: State,
            caller: Caller,
            Path(name): Path<String>,
            $(Query($name): Query<$query>),*
        ) -> Result<Response, Error> {
            let pool = pools::visible(&app, &caller.viewer, &name).await?;
            $make(&app, &pool, $extension, $($name),*).await
        }
    };
}

export!(
    /// Nodes of the newest snapshot, of a chosen one, or of every snapshot between `from` and `to`.
    nodes_csv = "/pools/{pool}/nodes.csv", nodes_json = "/pools/{pool}/nodes.json", tag = "nodes",
    nodes(query: NodesQuery, range: RangeQuery), path(pool)
);
export!(
    /// System statistics: one row per crawl, oldest first.
    stats_csv = "/pools/{pool}/stats.csv", stats_json = "/pools/{pool}/stats.json", tag = "nodes",
    stats(range: RangeQuery), path(pool)
);
export!(
    /// Sessions of nodes, of the last 30 days by default. Sorted as the list when `sort` or `order` say how; else those
    /// that go on, then those that ended, month by month, however many there are.
    sessions_csv = "/pools/{pool}/sessions.csv", sessions_json = "/pools/{pool}/sessions.json", tag = "nodes",
    sessions(range: RangeQuery, query: SessionsQuery), path(pool)
);
export!(
    /// Hosts of a pool.
    hosts_csv = "/pools/{pool}/hosts.csv", hosts_json = "/pools/{pool}/hosts.json", tag = "hosts",
    hosts(query: HostsQuery, wanted: ColumnsQuery), path(pool)
);

export!(
    /// Every host joined with the node that it should be, and the nodes that are not ours.
    deployed_csv = "/pools/{pool}/deployed.csv", deployed_json = "/pools/{pool}/deployed.json", tag = "hosts",
    deployed(query: DeployedQuery, wanted: ColumnsQuery), path(pool)
);

async fn nodes(
    app: &App,
    pool: &Pool,
    extension: &str,
    query: NodesQuery,
    range: RangeQuery,
) -> Result<Response, Error> {
    let columns = chosen(NODE_COLUMNS, range.columns.as_deref())?;
    let filter = query.filter()?;
    let within = range.range().checked()?;
    if within != Range::default() {
        let tables = app.store.stream_tables(pool.id, within.from, within.to);
        return Ok(export::answer(&file_name(pool, "nodes", None, extension), columns, lines(tables, filter)));
    }
    let snapshot = service::nodes::snapshot_of(app, pool, &query.when()).await?;
    let name = file_name(pool, "nodes", snapshot.as_ref().map(|snapshot| snapshot.started), extension);
    let table = match snapshot {
        Some(snapshot) => {
            let table = app.store.node_table(snapshot.id).await?;
            Some(Ok((snapshot, table)))
        }
        None => None,
    };
    Ok(export::answer(&name, columns, lines(stream::iter(table), filter)))
}

/// The nodes of snapshots that a filter lets through, in its order.
fn lines(
    tables: impl Stream<Item = Result<(Snapshot, Arc<NodeTable>), StoreError>> + Send + 'static,
    filter: NodeFilter,
) -> impl Stream<Item = Result<NodeLine, StoreError>> + Send {
    tables
        .map_ok(move |(snapshot, table)| {
            let snapshot = Arc::new(snapshot);
            let rows = filtered_rows(&table, &filter);
            stream::iter(rows.into_iter().map(move |row| {
                Ok(NodeLine { snapshot: Arc::clone(&snapshot), table: Arc::clone(&table), row: row as usize })
            }))
        })
        .try_flatten()
}

async fn stats(app: &App, pool: &Pool, extension: &str, range: RangeQuery) -> Result<Response, Error> {
    let columns = chosen(SNAPSHOT_COLUMNS, range.columns.as_deref())?;
    let within = range.range().checked()?;
    let rows = app.store.stream_snapshots(pool.id, within.from, within.to);
    Ok(export::answer(&file_name(pool, "stats", None, extension), columns, rows))
}

async fn sessions(
    app: &App,
    pool: &Pool,
    extension: &str,
    range: RangeQuery,
    query: SessionsQuery,
) -> Result<Response, Error> {
    let columns = chosen(SESSION_COLUMNS, range.columns.as_deref())?;
    let filter = query.filter()?;
    let name = file_name(pool, "sessions", None, extension);
    let Some(window) = service::churn::window(app, pool, range.range()).await? else {
        return Ok(export::answer(&name, columns, stream::empty::<Result<NodeSession, StoreError>>()));
    };
    if query.is_sorted() {
        let sorted = service::churn::sorted_sessions(app, pool, window, filter).await?;
        return Ok(export::answer(&name, columns, stream::iter(sorted.into_iter().map(Ok::<_, StoreError>))));
    }
    let sessions = app.store.stream_sessions(pool.id, window);
    let found = sessions.try_filter(move |one| std::future::ready(filter.lets_through(one)));
    Ok(export::answer(&name, columns, found))
}

async fn hosts(
    app: &Arc<App>,
    pool: &Pool,
    extension: &str,
    query: HostsQuery,
    wanted: ColumnsQuery,
) -> Result<Response, Error> {
    let columns = chosen(HOST_COLUMNS, wanted.columns.as_deref())?;
    let filter = query.filter()?;
    let (app, id) = (Arc::clone(app), pool.id);
    let rows = all_pages(move |page| {
        let (app, filter): (Arc<App>, _) = (Arc::clone(&app), filter.clone());
        async move { app.store.hosts(id, &filter, page).await }
    });
    Ok(export::answer(&file_name(pool, "hosts", None, extension), columns, rows))
}

async fn deployed(
    app: &App,
    pool: &Pool,
    extension: &str,
    query: DeployedQuery,
    wanted: ColumnsQuery,
) -> Result<Response, Error> {
    let columns = chosen(DEPLOYED_COLUMNS, wanted.columns.as_deref())?;
    let (crawl, lines) = service::deployed::whole(app, pool, query.when(), query.filter()?).await?;
    let name = file_name(pool, "deployed", crawl.map(|crawl| crawl.started), extension);
    Ok(export::answer(&name, columns, stream::iter(lines.into_iter().map(Ok::<_, StoreError>))))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct ColumnsQuery {
    /// Names of columns, separated by commas; all by default.
    columns: Option<String>,
}

/// Tasks, newest first.
#[utoipa::path(get, path = "/tasks.csv", tag = "tasks", params(TasksQuery, ColumnsQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 400, body = ErrorAnswer), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn tasks_csv(
    app: State,
    caller: Caller,
    Query(query): Query<TasksQuery>,
    Query(wanted): Query<ColumnsQuery>,
) -> Result<Response, Error> {
    tasks(&app, &caller, query, wanted, "tasks.csv").await
}

/// Tasks, newest first.
#[utoipa::path(get, path = "/tasks.json", tag = "tasks", params(TasksQuery, ColumnsQuery),
    responses((status = 200, body = Vec<serde_json::Value>, content_type = "application/json"), (status = 400, body = ErrorAnswer), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn tasks_json(
    app: State,
    caller: Caller,
    Query(query): Query<TasksQuery>,
    Query(wanted): Query<ColumnsQuery>,
) -> Result<Response, Error> {
    tasks(&app, &caller, query, wanted, "tasks.json").await
}

async fn tasks(
    app: &Arc<App>,
    caller: &Caller,
    query: TasksQuery,
    wanted: ColumnsQuery,
    name: &str,
) -> Result<Response, Error> {
    let filter = query.filter(app, &caller.viewer).await?;
    let columns = chosen(TASK_COLUMNS, wanted.columns.as_deref())?;
    let app = Arc::clone(app);
    let rows = all_pages(move |page| {
        let (app, filter): (Arc<App>, _) = (Arc::clone(&app), filter.clone());
        async move { app.store.tasks(&filter, page).await }
    });
    Ok(export::answer(name, columns, rows))
}
