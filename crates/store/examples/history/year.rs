//! A year of half-hourly crawls: one day is stored as the manager does it; the other days are copies of its
//! rows, so that a year takes minutes instead of hours.

use std::time::{Duration, Instant};

use p2ppool_model::pool::{PoolSettings, Visibility};
use p2ppool_model::snapshot::{Node, Totals};
use p2ppool_model::{CrawlId, PoolId, Time};
use p2ppool_store::{NewSnapshot, Store};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::overlay::{self, Dice, NODES};

/// Half-hourly.
pub(crate) const CRAWLS_A_DAY: i64 = 48;
const GAP_MS: i64 = 1_800_000;
/// 2026-01-01T00:00:00Z.
pub(crate) const BEGIN: i64 = 1_767_225_600_000;
pub(crate) const DAY_MS: i64 = CRAWLS_A_DAY * GAP_MS;
/// Crawls that are stored after the year, as the manager does it.
pub(crate) const MORE: i64 = 12;

/// What was stored.
pub(crate) struct Year {
    pub(crate) pool: PoolId,
    pub(crate) crawls: Vec<CrawlId>,
    /// How long it took to store each snapshot of the day.
    pub(crate) store: Vec<Duration>,
    /// Bytes that the day's blocks take.
    pub(crate) bytes: u64,
    /// The overlay as it is after the day.
    nodes: Vec<Node>,
}

pub(crate) fn snapshot(pool: PoolId, crawl: i64, nodes: &[Node]) -> NewSnapshot {
    let started = Time(BEGIN + crawl * GAP_MS);
    NewSnapshot { pool, task: None, started, duration_ms: 9_000, complete: true, totals: Totals::of(nodes, None, 0) }
}

/// A pool that everybody may look at.
pub(crate) async fn pool(store: &Store, name: &str) -> PoolId {
    let settings = PoolSettings { visibility: Visibility::Public, detail_days: 36_500, ..PoolSettings::default() };
    store.create_pool(&name.parse().unwrap(), &settings, None, Time::now()).await.unwrap().id
}

/// Bytes per node and crawl of a day on which nothing changes but uptimes.
pub(crate) async fn quiet(store: &Store) -> f64 {
    let pool = pool(store, "quiet").await;
    let mut nodes = overlay::overlay();
    let mut bytes = 0;
    for crawl in 0..CRAWLS_A_DAY {
        overlay::rest(&mut nodes);
        let id = store.store_snapshot(&snapshot(pool, crawl, &nodes), &nodes).await.unwrap().id;
        bytes += store.block_bytes(id).await.unwrap();
    }
    per_node(bytes)
}

/// Bytes of a day's blocks per node and crawl.
pub(crate) fn per_node(bytes: u64) -> f64 {
    bytes as f64 / (NODES as i64 * CRAWLS_A_DAY) as f64
}

/// Stores a day, then copies it.
pub(crate) async fn fill(store: &Store, url: &str, days: i64) -> Year {
    let pool = pool(store, "year").await;
    let mut nodes = overlay::overlay();
    let mut dice = Dice(7);
    let (mut times, mut bytes, mut first) = (Vec::new(), 0, None);
    for crawl in 0..CRAWLS_A_DAY {
        overlay::live(&mut nodes, &mut dice);
        let new = snapshot(pool, crawl, &nodes);
        let begun = Instant::now();
        let id = store.store_snapshot(&new, &nodes).await.unwrap().id;
        times.push(begun.elapsed());
        bytes += store.block_bytes(id).await.unwrap();
        first.get_or_insert(id.0);
    }
    let first = first.unwrap();
    let begun = Instant::now();
    for day in 1..days {
        copy(url, pool, first, day).await;
    }
    if url.starts_with("postgres") {
        // the copies named their ids themselves
        execute(url, "SELECT setval(pg_get_serial_sequence('snapshots', 'id'), (SELECT MAX(id) FROM snapshots))").await;
    }
    eprintln!("  {} days more, copied in {:.1} s", days - 1, begun.elapsed().as_secs_f64());
    let crawls = (first..first + days * CRAWLS_A_DAY).map(CrawlId).collect();
    Year { pool, crawls, store: times, bytes, nodes }
}

/// Stores some more crawls when the year is there, and tells how long each took.
pub(crate) async fn go_on(store: &Store, year: &Year, days: i64) -> Vec<Duration> {
    let (mut nodes, mut dice, mut times) = (year.nodes.clone(), Dice(11), Vec::new());
    for crawl in days * CRAWLS_A_DAY..days * CRAWLS_A_DAY + MORE {
        overlay::live(&mut nodes, &mut dice);
        let new = snapshot(year.pool, crawl, &nodes);
        let begun = Instant::now();
        store.store_snapshot(&new, &nodes).await.unwrap();
        times.push(begun.elapsed());
    }
    times
}

/// The rows of the first day once more, so many days later.
async fn copy(url: &str, pool: PoolId, first: i64, day: i64) {
    let month = |day: i64| Time(BEGIN + day * DAY_MS).to_string()[..7].replace('-', "");
    let (blocks, ended) = (format!("blocks_{}_{}", pool.0, month(day)), format!("ended_{}_{}", pool.0, month(day)));
    let base = format!("blocks_{}_{}", pool.0, month(0));
    let (id, of) = if url.starts_with("sqlite") {
        ("INTEGER PRIMARY KEY", "BLOB")
    } else {
        ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA")
    };
    let mut statements = Vec::new();
    if month(day) != month(day - 1) {
        statements.push(format!("INSERT INTO detail_months VALUES ({}, {})", pool.0, month(day)));
        statements.push(format!(
            "CREATE TABLE {blocks} (snapshot_id BIGINT PRIMARY KEY, key_id BIGINT, block {of} NOT NULL)"
        ));
        statements.push(format!(
            "CREATE TABLE {ended} (id {id}, node_id BIGINT NOT NULL, before_at BIGINT, began BIGINT NOT NULL,
                 ended BIGINT NOT NULL, after_at BIGINT NOT NULL)"
        ));
    }
    let (shift, later, end) = (day * CRAWLS_A_DAY, day * DAY_MS, first + CRAWLS_A_DAY);
    statements.push(format!(
        "INSERT INTO snapshots (id, pool_id, started, duration_ms, complete, nodes, answering, unreachable,
             dial_failed, connect_failed, ask_failed, not_dialled, consistency, connections, tcp, udp, relayed,
             secure, retries, missing, nodes_joined, nodes_left, counted)
         SELECT id + {shift}, pool_id, started + {later}, duration_ms + {day}, complete, nodes, answering, unreachable,
             dial_failed, connect_failed, ask_failed, not_dialled, consistency, connections, tcp, udp, relayed,
             secure, retries, missing, nodes_joined, nodes_left, counted
         FROM snapshots WHERE pool_id = {} AND id >= {first} AND id < {end}",
        pool.0,
    ));
    statements.push(format!(
        "INSERT INTO {blocks} SELECT snapshot_id + {shift}, key_id + {shift}, block FROM {base}
         WHERE snapshot_id >= {first} AND snapshot_id < {end}",
    ));
    execute(url, &statements.join(";\n")).await;
}

/// Runs statements in one transaction.
pub(crate) async fn execute(url: &str, statements: &str) {
    let text = AssertSqlSafe(format!("BEGIN;\n{statements};\nCOMMIT"));
    if url.starts_with("sqlite") {
        let mut conn = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(text).execute(&mut conn).await.unwrap();
    } else {
        let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(text).execute(&mut conn).await.unwrap();
    }
}
