//! The nodes of snapshots: blocks in the database, tables in memory.
//!
//! The first snapshot of a day (UTC) is a key block; the others of the day are deltas against it, so any
//! one takes two reads. When a delta would not be much shorter than a key, it becomes the day's next key.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use p2ppool_model::snapshot::Snapshot;
use p2ppool_model::table::NodeTable;
use p2ppool_model::{CrawlId, PoolId, Time};

use crate::Store;
use crate::blocks;
use crate::db::{Db, Tx, on};
use crate::error::{Result, StoreError, Tried as _};
use crate::months::{Month, ensure};

/// Memory for tables that were read, bytes: a dozen snapshots of 10,000 nodes, or one of 100,000.
const CACHE_BYTES_MAX: usize = 64 << 20;
const DAY_MS: i64 = 86_400_000;

/// Tables that were read or written lately.
#[derive(Debug, Default)]
pub(crate) struct TableCache(Mutex<VecDeque<(CrawlId, Arc<NodeTable>)>>);

impl TableCache {
    fn get(&self, crawl: CrawlId) -> Option<Arc<NodeTable>> {
        let mut tables = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = tables.iter().position(|(id, _)| *id == crawl)?;
        let found = tables.remove(at)?;
        let table = Arc::clone(&found.1);
        tables.push_back(found);
        Some(table)
    }

    /// What is forgotten in the database is forgotten here.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
    }

    fn put(&self, crawl: CrawlId, table: &Arc<NodeTable>) {
        let mut tables = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        tables.retain(|(id, _)| *id != crawl);
        tables.push_back((crawl, Arc::clone(table)));
        let mut bytes: usize = tables.iter().map(|(_, table)| table.bytes()).sum();
        while bytes > CACHE_BYTES_MAX && tables.len() > 1 {
            bytes -= tables.pop_front().map_or(0, |(_, table)| table.bytes());
        }
    }
}

/// Reads the nodes of snapshots past the cache: it keeps the last key block, and nothing else.
#[derive(Debug)]
pub struct TableReader {
    store: Store,
    key: Option<(CrawlId, Arc<NodeTable>)>,
}

impl TableReader {
    /// The nodes of a snapshot.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the pool does not keep them any more.
    pub async fn read(&mut self, snapshot: &Snapshot) -> Result<Arc<NodeTable>> {
        self.store.read_table(snapshot, &mut self.key).await
    }
}

/// A block as it lies in the database.
#[derive(sqlx::FromRow)]
struct BlockRow {
    key_id: Option<i64>,
    block: Vec<u8>,
}

/// The key that a new snapshot may be written against.
pub(crate) struct Key {
    id: CrawlId,
    table: Arc<NodeTable>,
    length: usize,
}

impl Store {
    /// Every node of a snapshot, as columns; from memory when it was read lately.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the pool does not keep them any more.
    pub async fn node_table(&self, crawl: CrawlId) -> Result<Arc<NodeTable>> {
        if let Some(table) = self.tables.get(crawl) {
            return Ok(table);
        }
        let snapshot = self.snapshot(crawl).await?;
        let mut key = None;
        let table = self.read_table(&snapshot, &mut key).await?;
        if let Some((id, key)) = &key {
            self.tables.put(*id, key);
        }
        self.tables.put(crawl, &table);
        Ok(table)
    }

    /// Reads a snapshot's nodes past the cache. `key` is the last key that was read; it is used, and replaced
    /// when another is needed.
    async fn read_table(
        &self,
        snapshot: &Snapshot,
        key: &mut Option<(CrawlId, Arc<NodeTable>)>,
    ) -> Result<Arc<NodeTable>> {
        if snapshot.totals.nodes == 0 {
            return Ok(Arc::default());
        }
        let gone = || {
            let (crawl, started) = (snapshot.id, snapshot.started);
            StoreError::not_found(format!("node detail of crawl {crawl} any more: it began {started}"))
        };
        let month = Month::of(snapshot.started);
        let row = read_block(&self.db, snapshot.pool, month, snapshot.id).await?.ok_or_else(gone)?;
        let table = match row.key_id.map(CrawlId) {
            None => {
                let table = decode(snapshot.id, row.block, None).await?;
                *key = Some((snapshot.id, Arc::clone(&table)));
                table
            }
            Some(id) => {
                let known = key.as_ref().filter(|(known, _)| *known == id).map(|(_, table)| Arc::clone(table));
                let base = match known.or_else(|| self.tables.get(id)) {
                    Some(table) => table,
                    None => {
                        let row = read_block(&self.db, snapshot.pool, month, id).await?.ok_or_else(gone)?;
                        decode(id, row.block, None).await?
                    }
                };
                *key = Some((id, Arc::clone(&base)));
                decode(snapshot.id, row.block, Some(base)).await?
            }
        };
        Ok(table)
    }

    /// Reads the nodes of many snapshots past the cache, one after the other.
    pub fn table_reader(&self) -> TableReader {
        TableReader { store: self.clone(), key: None }
    }

    /// Bytes that the nodes of a snapshot take in the database, compressed; 0 when they aren't kept any more.
    pub async fn block_bytes(&self, crawl: CrawlId) -> Result<u64> {
        let snapshot = self.snapshot(crawl).await?;
        let row = read_block(&self.db, snapshot.pool, Month::of(snapshot.started), crawl).await?;
        Ok(row.map_or(0, |row| row.block.len() as u64))
    }

    /// The day's key of a pool, if it has one.
    pub(crate) async fn key_for(&self, pool: PoolId, started: Time) -> Result<Option<Key>> {
        let Some((id, length)) = newest_key(&self.db, pool, started).await? else { return Ok(None) };
        let table = self.node_table(id).await?;
        Ok(Some(Key { id, table, length }))
    }

    /// Keeps a table that was just stored at hand.
    pub(crate) fn remember(&self, crawl: CrawlId, table: &Arc<NodeTable>) {
        self.tables.put(crawl, table);
    }
}

/// Writes a table's block: against the key when that is much shorter.
pub(crate) async fn encode(table: &Arc<NodeTable>, key: Option<Key>) -> Result<(Option<CrawlId>, Vec<u8>)> {
    let table = Arc::clone(table);
    on_a_core(move || {
        if let Some(key) = key {
            let delta = blocks::delta(&table, &key.table);
            if delta.len() < key.length / 2 + MIN_GAIN {
                return (Some(key.id), delta);
            }
        }
        (None, blocks::key(&table))
    })
    .await
}

/// Below this, in bytes, a delta is written whatever its share.
const MIN_GAIN: usize = 1024;

/// Stores a block.
pub(crate) async fn insert(
    tx: &mut Tx,
    pool: PoolId,
    started: Time,
    crawl: CrawlId,
    (key, block): (Option<CrawlId>, Vec<u8>),
) -> Result<()> {
    let month = Month::of(started);
    ensure(tx, pool, month).await?;
    let sql = format!("INSERT INTO {} (snapshot_id, key_id, block) VALUES ($1, $2, $3)", month.blocks(pool));
    on!(tx.conn(), conn => {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(crawl.0)
            .bind(key.map(|id| id.0))
            .bind(block)
            .persistent(false)
            .execute(conn)
            .await
            .map(drop)
    })
    .tried("store nodes")
}

async fn read_block(db: &Db, pool: PoolId, month: Month, crawl: CrawlId) -> Result<Option<BlockRow>> {
    if !has_month(db, pool, month).await? {
        return Ok(None);
    }
    let sql = format!("SELECT key_id, block FROM {} WHERE snapshot_id = $1", month.blocks(pool));
    on!(db.read(), conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(crawl.0).persistent(false).fetch_optional(conn).await
    })
    .tried("read nodes")
}

async fn has_month(db: &Db, pool: PoolId, month: Month) -> Result<bool> {
    let found: Option<i64> = on!(db.read(), conn => {
        sqlx::query_scalar("SELECT month FROM detail_months WHERE pool_id = $1 AND month = $2")
            .bind(pool.0)
            .bind(month.0)
            .fetch_optional(conn)
            .await
    })
    .tried("look for a month")?;
    Ok(found.is_some())
}

async fn newest_key(db: &Db, pool: PoolId, started: Time) -> Result<Option<(CrawlId, usize)>> {
    let month = Month::of(started);
    if !has_month(db, pool, month).await? {
        return Ok(None);
    }
    let sql = format!(
        "SELECT b.snapshot_id, CAST(LENGTH(b.block) AS BIGINT) FROM {} b JOIN snapshots s ON s.id = b.snapshot_id
         WHERE b.key_id IS NULL AND s.started >= $1 AND s.started <= $2 ORDER BY s.started DESC, s.id DESC LIMIT 1",
        month.blocks(pool)
    );
    let midnight = started.0.div_euclid(DAY_MS) * DAY_MS;
    let row: Option<(i64, i64)> = on!(db.read(), conn => {
        sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(midnight)
            .bind(started.0)
            .persistent(false)
            .fetch_optional(conn)
            .await
    })
    .tried("look for a key block")?;
    Ok(row.map(|(id, length)| (CrawlId(id), usize::try_from(length).unwrap_or(0))))
}

async fn decode(crawl: CrawlId, block: Vec<u8>, key: Option<Arc<NodeTable>>) -> Result<Arc<NodeTable>> {
    let read = on_a_core(move || blocks::read(&block, key.as_deref())).await?;
    read.map(Arc::new).map_err(|why| StoreError::unreadable(format!("nodes of crawl {crawl}"), why))
}

/// Work that takes a core for some milliseconds keeps nobody waiting.
pub(crate) async fn on_a_core<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|why| StoreError::unreadable("a block", why))
}

#[cfg(test)]
mod tests {
    use p2ppool_model::snapshot::{Node, NodeDetails};

    use super::*;

    #[test]
    fn the_cache_holds_what_was_used_last_within_its_bytes() {
        let details = || NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
        let large = |i: usize| {
            let nodes: Vec<Node> = (0..20_000).map(|n| Node::unknown(format!("{i}{n:0>200}"), details())).collect();
            Arc::new(NodeTable::of(&nodes))
        };
        let cache = TableCache::default();
        let count = CACHE_BYTES_MAX / large(0).bytes() + 2;
        for i in 0..count {
            cache.put(CrawlId(i as i64), &large(i));
            assert!(cache.get(CrawlId(0)).is_some(), "used all the time");
        }
        assert!(cache.get(CrawlId(1)).is_none(), "least used");
        assert!(cache.get(CrawlId(count as i64 - 1)).is_some());
    }
}
