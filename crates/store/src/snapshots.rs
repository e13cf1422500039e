//! Snapshots: what a crawl found, stored at once or not at all.

use std::collections::HashMap;
use std::sync::Arc;

use futures::stream::{self, Stream, TryStreamExt as _};
use p2ppool_model::snapshot::{Node, Snapshot, Totals};
use p2ppool_model::table::NodeTable;
use p2ppool_model::{CrawlId, PoolId, TaskId, Time};

use crate::db::on;
use crate::error::{Result, StoreError, Tried as _, referenced};
use crate::page::{Order, Page};
use crate::pools::lock_pool;
use crate::sql::{Sql, fetch_all};
use crate::text::{finite, int, uint};
use crate::{Store, detail, presence};

/// Snapshots read at once while streaming.
const STREAM_ROWS: i64 = 500;

/// A snapshot to store.
#[derive(Clone, Debug)]
pub struct NewSnapshot {
    /// The pool.
    pub pool: PoolId,
    /// The task that made it.
    pub task: Option<TaskId>,
    /// When the crawl began.
    pub started: Time,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// Everybody that was heard of was asked.
    pub complete: bool,
    /// The statistics.
    pub totals: Totals,
}

/// Which snapshots of a pool; the newest come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnapshotRange {
    /// Began then or later.
    pub from: Option<Time>,
    /// Began earlier.
    pub until: Option<Time>,
    /// Older than this one: the next page.
    pub before: Option<CrawlId>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT s.id, s.pool_id, s.task_id, s.started, s.duration_ms, s.complete, s.nodes, s.answering,
                    s.unreachable, s.dial_failed, s.connect_failed, s.ask_failed, s.not_dialled, s.consistency, s.connections,
                    s.tcp, s.udp, s.relayed, s.secure, s.retries, s.missing, s.nodes_joined, s.nodes_left
             FROM snapshots s ",
            $rest
        )
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    pool_id: i64,
    task_id: Option<i64>,
    started: i64,
    duration_ms: i64,
    complete: bool,
    nodes: i64,
    answering: i64,
    unreachable: i64,
    dial_failed: i64,
    connect_failed: i64,
    ask_failed: i64,
    not_dialled: i64,
    consistency: Option<f64>,
    connections: Option<i64>,
    tcp: Option<i64>,
    udp: Option<i64>,
    relayed: Option<i64>,
    secure: Option<i64>,
    retries: i64,
    missing: i64,
    nodes_joined: i64,
    nodes_left: i64,
}

impl From<Row> for Snapshot {
    fn from(row: Row) -> Self {
        Self {
            id: CrawlId(row.id),
            pool: PoolId(row.pool_id),
            task: row.task_id.map(TaskId),
            started: Time(row.started),
            duration_ms: uint(row.duration_ms),
            complete: row.complete,
            totals: Totals {
                nodes: uint(row.nodes),
                answering: uint(row.answering),
                unreachable: uint(row.unreachable),
                dial_failed: uint(row.dial_failed),
                connect_failed: uint(row.connect_failed),
                ask_failed: uint(row.ask_failed),
                not_dialled: uint(row.not_dialled),
                consistency: row.consistency,
                connections: row.connections.map(uint),
                tcp: row.tcp.map(uint),
                udp: row.udp.map(uint),
                relayed: row.relayed.map(uint),
                secure: row.secure.map(uint),
                retries: uint(row.retries),
                missing: uint(row.missing),
                joined: uint(row.nodes_joined),
                left: uint(row.nodes_left),
            },
        }
    }
}

impl Store {
    /// Stores a snapshot with its nodes in one transaction.
    pub async fn store_snapshot(&self, new: &NewSnapshot, nodes: &[Node]) -> Result<Snapshot> {
        let totals = &new.totals;
        let table = Arc::new(NodeTable::of(nodes));
        let block = match nodes {
            [] => None,
            _ => Some(detail::encode(&table, self.key_for(new.pool, new.started).await?).await?),
        };
        let mut tx = self.db.begin_relaxed().await?;
        lock_pool(&mut tx, new.pool).await?;
        presence::advance(&mut tx, new.pool, new.started, new.complete, &table).await?;
        let inserted: sqlx::Result<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar(
                "INSERT INTO snapshots (pool_id, task_id, started, duration_ms, complete, nodes, answering, unreachable,
                     dial_failed, connect_failed, ask_failed, not_dialled, consistency, connections, tcp, udp,
                     relayed, secure, retries, missing, nodes_joined, nodes_left, counted)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
                     $21, $22, $23) RETURNING id",
            )
            .bind(new.pool.0)
            .bind(new.task.map(|id| id.0))
            .bind(new.started.0)
            .bind(int(new.duration_ms))
            .bind(new.complete)
            .bind(int(totals.nodes))
            .bind(int(totals.answering))
            .bind(int(totals.unreachable))
            .bind(int(totals.dial_failed))
            .bind(int(totals.connect_failed))
            .bind(int(totals.ask_failed))
            .bind(int(totals.not_dialled))
            .bind(finite(totals.consistency))
            .bind(totals.connections.map(int))
            .bind(totals.tcp.map(int))
            .bind(totals.udp.map(int))
            .bind(totals.relayed.map(int))
            .bind(totals.secure.map(int))
            .bind(int(totals.retries))
            .bind(int(totals.missing))
            .bind(int(totals.joined))
            .bind(int(totals.left))
            .bind(true)
            .fetch_one(conn)
            .await
        });
        let id = CrawlId(referenced(inserted, "store a snapshot", || format!("pool {}", new.pool))?);
        if let Some(block) = block {
            detail::insert(&mut tx, new.pool, new.started, id, block).await?;
        }
        tx.commit().await?;
        self.remember(id, &table);
        Ok(Snapshot {
            id,
            pool: new.pool,
            task: new.task,
            started: new.started,
            duration_ms: new.duration_ms,
            complete: new.complete,
            totals: totals.clone(),
        })
    }

    /// The snapshot of this crawl.
    pub async fn snapshot(&self, id: CrawlId) -> Result<Snapshot> {
        let row: Option<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(select!("WHERE s.id = $1")).bind(id.0).fetch_optional(conn).await
        })
        .tried("read a snapshot")?;
        row.map(Snapshot::from).ok_or_else(|| StoreError::not_found(format!("crawl {id}")))
    }

    /// The newest snapshot of a pool, if it was ever crawled.
    pub async fn newest_snapshot(&self, pool: PoolId) -> Result<Option<Snapshot>> {
        let newest = self.snapshots(pool, SnapshotRange::default(), 1).await?;
        Ok(newest.into_iter().next())
    }

    /// The snapshot of the same pool that came before this one.
    pub async fn snapshot_before(&self, snapshot: &Snapshot) -> Result<Option<Snapshot>> {
        let range = SnapshotRange { before: Some(snapshot.id), ..SnapshotRange::default() };
        Ok(self.snapshots(snapshot.pool, range, 1).await?.into_iter().next())
    }

    /// The newest snapshot of each pool that was ever crawled.
    pub async fn newest_snapshots(&self) -> Result<HashMap<PoolId, Snapshot>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(select!(
                "WHERE s.id IN (
                     SELECT (SELECT id FROM snapshots WHERE pool_id = p.id ORDER BY started DESC, id DESC LIMIT 1)
                     FROM pools p)"
            ))
            .fetch_all(conn)
            .await
        })
        .tried("read the newest snapshots")?;
        Ok(rows.into_iter().map(Snapshot::from).map(|snapshot| (snapshot.pool, snapshot)).collect())
    }

    /// The snapshot of a pool whose crawl began nearest to a time; of two that are equally near, the earlier.
    pub async fn snapshot_near(&self, pool: PoolId, time: Time) -> Result<Option<Snapshot>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(select!(
                "WHERE s.id = (SELECT id FROM snapshots WHERE pool_id = $1 AND started <= $2
                               ORDER BY started DESC, id DESC LIMIT 1)
                    OR s.id = (SELECT id FROM snapshots WHERE pool_id = $1 AND started > $2
                               ORDER BY started, id LIMIT 1)
                 ORDER BY s.started, s.id"
            ))
            .bind(pool.0)
            .bind(time.0)
            .fetch_all(conn)
            .await
        })
        .tried("read a snapshot")?;
        Ok(rows.into_iter().min_by_key(|row| row.started.abs_diff(time.0)).map(Snapshot::from))
    }

    /// Snapshots of a pool in a range, newest first, at most `limit`.
    pub async fn snapshots(&self, pool: PoolId, range: SnapshotRange, limit: u32) -> Result<Vec<Snapshot>> {
        let wanted = Sql::new(select!(""))
            .with("WHERE s.pool_id = ", pool.0)
            .with_some(" AND s.started >= ", range.from.map(|time| time.0))
            .with_some(" AND s.started < ", range.until.map(|time| time.0))
            .with_some(
                " AND (s.started, s.id) < (SELECT b.started, b.id FROM snapshots b WHERE b.id = ",
                range.before.map(|id| id.0),
            );
        let closed = if range.before.is_some() { wanted.closed() } else { wanted };
        let newest = closed.paged(&["s.started"], Order::Descending, "s.id DESC", Page::first(limit));
        let rows = fetch_all!(self.db.read(), Row, newest).tried("list snapshots")?;
        Ok(rows.into_iter().map(Snapshot::from).collect())
    }

    /// Every snapshot of a pool whose crawl began in this time, oldest first, with flat memory.
    /// `None`: no bound.
    pub fn stream_snapshots(
        &self,
        pool: PoolId,
        from: Option<Time>,
        until: Option<Time>,
    ) -> impl Stream<Item = Result<Snapshot>> + Send + use<> {
        let from = from.map_or(i64::MIN, |time| time.0);
        let until = until.map_or(i64::MAX, |time| time.0);
        let part = move |(store, after): (Store, (i64, i64))| async move {
            let rows: Vec<Row> = on!(store.db.read(), conn => {
                sqlx::query_as(select!(
                    "WHERE s.pool_id = $1 AND (s.started, s.id) > ($2, $3) AND s.started < $4
                     ORDER BY s.started, s.id LIMIT $5"
                ))
                .bind(pool.0)
                .bind(after.0)
                .bind(after.1)
                .bind(until)
                .bind(STREAM_ROWS)
                .fetch_all(conn)
                .await
            })
            .tried("read snapshots")?;
            let next = rows.last().map(|row| (row.started, row.id));
            let items = rows.into_iter().map(|row| Ok::<_, StoreError>(Snapshot::from(row)));
            Ok(next.map(|next| (stream::iter(items), (store, next))))
        };
        stream::try_unfold((self.clone(), (from, 0)), part).try_flatten()
    }
}
