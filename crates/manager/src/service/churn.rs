//! Sessions of nodes, churn, and the history of one node.

use std::collections::BTreeMap;

use futures::TryStreamExt as _;
use p2ppool_model::churn::{self, Churn, NodeClass, NodeSession, Share, Window};
use p2ppool_model::pool::Pool;
use p2ppool_model::snapshot::{NodeStatus, Snapshot};
use p2ppool_model::table::{List, NodeTable, Number, Word};
use p2ppool_model::{CrawlId, Time};
use p2ppool_store::{Listed, Order, Page, SnapshotRange, StoreError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::service::history::Range;
use crate::service::sorts::SessionSort;
use crate::service::{Error, blocking};

/// How far back churn looks when nobody says: a month.
const WINDOW_DEFAULT_MS: i64 = 30 * 86_400_000;
/// Most sessions that churn is worked out from; above it the answer asks for a shorter time.
const SESSIONS_MAX: usize = 2_000_000;
/// Crawls of a node's history when nobody says how many: two days of half-hourly crawls.
pub const POINTS_DEFAULT: u32 = 96;
/// Most crawls of a node's history: each is read and unpacked.
pub const POINTS_MAX: u32 = 500;
/// Most snapshots that a node's history chooses from: ten years of half-hourly crawls.
const SNAPSHOTS_MAX: u32 = 10_000;

/// The crawls of a range, of the last 30 days by default.
pub async fn window(app: &App, pool: &Pool, range: Range) -> Result<Option<Window>, Error> {
    let range = range.checked()?;
    let from = match range.from {
        Some(from) => Some(from),
        None => {
            let end = match range.to {
                Some(to) => Some(to),
                None => app.store.newest_snapshot(pool.id).await?.map(|newest| newest.started),
            };
            end.map(|end| Time(end.0 - WINDOW_DEFAULT_MS))
        }
    };
    Ok(app.store.window(pool.id, from, range.to).await?)
}

/// Churn in a range.
pub async fn churn(app: &App, pool: &Pool, range: Range) -> Result<Churn, Error> {
    let Some(window) = window(app, pool, range).await? else { return Ok(Churn::default()) };
    let known = app.store.count_known_nodes(pool.id, window.to).await?;
    let mut sessions = Vec::new();
    let mut stream = std::pin::pin!(app.store.stream_sessions(pool.id, window));
    while let Some(session) = stream.try_next().await? {
        if sessions.len() == SESSIONS_MAX {
            return Err(Error::BadRequest(format!("more than {SESSIONS_MAX} sessions; ask for a shorter time")));
        }
        sessions.push(session);
    }
    blocking(move || churn::churn(window, &sessions, known)).await
}

/// Sessions of a pool's nodes.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Sessions {
    /// The crawls that were looked at; null: there was none.
    pub window: Option<Window>,
    /// Sessions that match, on all pages.
    pub total: u64,
    /// Sessions of this page, the newest first.
    pub items: Vec<NodeSession>,
}

/// Which sessions, in which order.
#[derive(Clone, Debug)]
pub struct SessionFilter {
    /// Part of the overlay address; empty: all.
    pub text: String,
    /// Sorted by.
    pub sort: SessionSort,
    /// Up or down.
    pub order: Order,
}

impl SessionFilter {
    /// The session is one of those that are wanted.
    pub fn lets_through(&self, session: &NodeSession) -> bool {
        session.address.contains(&self.text)
    }
}

/// A page of the sessions that overlap a range and that a filter lets through.
pub async fn sessions(
    app: &App,
    pool: &Pool,
    range: Range,
    filter: SessionFilter,
    page: Page,
) -> Result<Sessions, Error> {
    let Some(window) = window(app, pool, range).await? else { return Ok(Sessions::default()) };
    let sorted = sorted_sessions(app, pool, window, filter).await?;
    let Listed { total, items } = part(sorted, page);
    Ok(Sessions { window: Some(window), total, items })
}

/// Every session that overlaps a window and that a filter lets through, in its order. For their whole number there
/// must be room in memory; without an order, [`p2ppool_store::Store::stream_sessions`] needs none.
pub async fn sorted_sessions(
    app: &App,
    pool: &Pool,
    window: Window,
    filter: SessionFilter,
) -> Result<Vec<NodeSession>, Error> {
    let mut found = Vec::new();
    let mut stream = std::pin::pin!(app.store.stream_sessions(pool.id, window));
    while let Some(session) = stream.try_next().await? {
        if filter.lets_through(&session) {
            if found.len() == SESSIONS_MAX {
                return Err(Error::BadRequest(format!("more than {SESSIONS_MAX} sessions; ask for a shorter time")));
            }
            found.push(session);
        }
    }
    blocking(move || {
        filter.sort.sort(&mut found, filter.order);
        found
    })
    .await
}

fn part<T>(all: Vec<T>, page: Page) -> Listed<T> {
    let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
    Listed { total: all.len() as u64, items: all.into_iter().skip(skip).take(page.limit as usize).collect() }
}

/// When a node was there.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodePresence {
    /// Overlay address.
    pub address: String,
    /// The first crawl that it answered.
    pub first_seen: Time,
    /// The last crawl that it answered.
    pub last_seen: Time,
    /// It answered the newest crawl that asked it.
    pub is_there: bool,
    /// How often it came, ever.
    pub came: u64,
    /// The crawls that were looked at.
    pub window: Window,
    /// How it behaved over them.
    pub class: NodeClass,
    /// The share of their time in which it was there.
    pub uptime: Share,
    /// Its sessions that overlap them, oldest first.
    pub sessions: Vec<NodeSession>,
}

/// When a node was there, over a range.
pub async fn presence(app: &App, pool: &Pool, address: &str, range: Range) -> Result<NodePresence, Error> {
    let missing = || Error::not_found("node", address);
    let node = app.store.known_node(pool.id, address).await?.ok_or_else(missing)?;
    let window = window(app, pool, range).await?.ok_or_else(missing)?;
    let sessions = app.store.sessions_of(pool.id, &node, window).await?;
    let refs: Vec<&NodeSession> = sessions.iter().collect();
    Ok(NodePresence {
        class: churn::class(window, &refs),
        uptime: churn::uptime(window, &refs),
        address: node.address.clone(),
        first_seen: node.first_seen,
        last_seen: node.last_seen,
        is_there: node.is_there,
        came: node.sessions,
        window,
        sessions,
    })
}

/// What a node told over time, oldest crawl first; every list has one item per crawl.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct NodeHistory {
    /// Overlay address.
    pub address: String,
    /// Crawls of the range that are left out between those that are shown.
    pub left_out: u64,
    /// The crawls.
    pub crawls: Vec<CrawlId>,
    /// When they began.
    pub time: Vec<Time>,
    /// Did it answer? Null: it is not in the snapshot.
    pub status: Vec<Option<NodeStatus>>,
    /// Name of its host, or its IP address.
    pub host_name: Vec<Option<String>>,
    /// Program and version.
    pub version: Vec<Option<String>>,
    /// How many neighbours it named.
    pub neighbours: Vec<Option<u64>>,
    /// Numbers by their name, as of a node.
    pub series: BTreeMap<String, Vec<Option<f64>>>,
}

const SERIES: [(&str, Number); 12] = [
    ("consistency", Number::Consistency),
    ("connections", Number::Connections),
    ("tcp", Number::Tcp),
    ("udp", Number::Udp),
    ("relayed", Number::Relayed),
    ("secure", Number::Secure),
    ("retries", Number::Retries),
    ("rtt_ms", Number::Rtt),
    ("uptime_s", Number::Uptime),
    ("memory", Number::Memory),
    ("cpu_s", Number::Cpu),
    ("load", Number::Load),
];

/// What a node told in at most `points` crawls of a range, evenly spaced; in the newest without a range.
pub async fn history(
    app: &App,
    pool: &Pool,
    address: &str,
    range: Range,
    points: Option<u32>,
) -> Result<NodeHistory, Error> {
    let range = range.checked()?;
    let points = points.unwrap_or(POINTS_DEFAULT);
    if !(1..=POINTS_MAX).contains(&points) {
        return Err(Error::BadRequest(format!("`points` is {points}; it must be 1 to {POINTS_MAX}")));
    }
    let limit = if range == Range::default() { points } else { SNAPSHOTS_MAX };
    let within = SnapshotRange { from: range.from, until: range.to, before: None };
    let mut snapshots = app.store.snapshots(pool.id, within, limit).await?;
    snapshots.reverse();
    let all = snapshots.len();
    let shown = spaced(snapshots, points as usize);
    let mut history =
        NodeHistory { address: address.to_owned(), left_out: (all - shown.len()) as u64, ..NodeHistory::default() };
    let mut reader = app.store.table_reader();
    for snapshot in shown {
        match reader.read(&snapshot).await {
            // its nodes are not kept any more
            Err(StoreError::NotFound { .. }) => {}
            table => add(&mut history, &snapshot, &*table?),
        }
    }
    if history.status.iter().all(Option::is_none) && app.store.known_node(pool.id, address).await?.is_none() {
        return Err(Error::not_found("node", address));
    }
    Ok(history)
}

/// Evenly spaced ones of many, the last among them.
fn spaced(mut snapshots: Vec<Snapshot>, count: usize) -> Vec<Snapshot> {
    let all = snapshots.len();
    if all > count {
        let mut at = 0;
        snapshots.retain(|_| {
            at += 1;
            at * count / all > (at - 1) * count / all
        });
    }
    snapshots
}

fn add(history: &mut NodeHistory, snapshot: &Snapshot, table: &NodeTable) {
    let row = table.row_of(&history.address);
    let word = |column| row.and_then(|row| table.word(column, row));
    history.crawls.push(snapshot.id);
    history.time.push(snapshot.started);
    history.status.push(row.map(|row| table.status(row)));
    history.host_name.push(word(Word::HostName).or_else(|| word(Word::Ip)).map(str::to_owned));
    history.version.push(word(Word::Version).map(str::to_owned));
    history.neighbours.push(row.map(|row| table.list(List::Neighbours, row).len() as u64));
    for (name, number) in SERIES {
        let value = row.and_then(|row| table.float(number, row));
        history.series.entry(name.to_owned()).or_default().push(value);
    }
}

#[cfg(test)]
mod tests {
    use p2ppool_model::PoolId;
    use p2ppool_model::snapshot::Totals;

    use super::*;

    #[test]
    fn of_many_crawls_evenly_spaced_ones_are_shown() {
        let snapshot = |id| Snapshot {
            id: CrawlId(id),
            pool: PoolId(1),
            task: None,
            started: Time(id),
            duration_ms: 0,
            complete: true,
            totals: Totals::default(),
        };
        let ids = |all, count| -> Vec<i64> {
            spaced((1..=all).map(snapshot).collect(), count).iter().map(|one| one.id.0).collect()
        };
        assert_eq!(ids(10, 5), [2, 4, 6, 8, 10]);
        assert_eq!(ids(10, 3), [4, 7, 10]);
        assert_eq!(ids(3, 5), [1, 2, 3]);
    }
}
