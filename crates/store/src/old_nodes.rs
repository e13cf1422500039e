//! Moves the node rows that schema 1 had into blocks, when a database is opened for the first time since.
//!
//! One snapshot per transaction, oldest first, so it may be interrupted and goes on the next time. Managers
//! that open together take turns: each looks for the next snapshot after it has locked the pool.

use std::sync::Arc;

use p2ppool_model::snapshot::Node;
use p2ppool_model::table::NodeTable;
use p2ppool_model::{CrawlId, PoolId, Time};

use crate::Store;
use crate::db::{Tx, execute, on};
use crate::error::{Result, StoreError, Tried as _};
use crate::node_rows::{NodeRow, select_nodes};
use crate::pools::lock_pool;
use crate::{detail, presence};

/// Between two lines of the log while many snapshots are moved.
const TELL_EVERY: u64 = 100;

/// The next snapshot to move, and what has to be known of it.
#[derive(sqlx::FromRow)]
struct Next {
    id: i64,
    pool_id: i64,
    started: i64,
    complete: bool,
}

impl Store {
    /// Moves every row that is still where schema 1 had it.
    pub(crate) async fn move_old_nodes(&self) -> Result<()> {
        let mut moved = 0_u64;
        while let Some(pool) = self.pool_to_move().await? {
            if self.move_one(pool).await? {
                moved += 1;
                if moved.is_multiple_of(TELL_EVERY) {
                    tracing::info!(snapshots = moved, "moving nodes of old snapshots into blocks");
                }
            }
        }
        let mut tx = self.db.begin().await?;
        let last = execute!(tx.conn(), "DELETE FROM snapshots_to_move WHERE snapshot_id = 0").tried("end moving")?;
        if last > 0 {
            execute!(tx.conn(), "DROP TABLE nodes_0001").tried("drop the table of old nodes")?;
        }
        tx.commit().await
    }

    async fn pool_to_move(&self) -> Result<Option<PoolId>> {
        let pool: Option<i64> = on!(self.db.read(), conn => {
            sqlx::query_scalar(
                "SELECT s.pool_id FROM snapshots_to_move m JOIN snapshots s ON s.id = m.snapshot_id LIMIT 1",
            )
            .fetch_optional(conn)
            .await
        })
        .tried("look for old snapshots")?;
        Ok(pool.map(PoolId))
    }

    async fn move_one(&self, pool: PoolId) -> Result<bool> {
        let mut tx = self.db.begin().await?;
        match lock_pool(&mut tx, pool).await {
            // deleted since
            Err(StoreError::NotFound { .. }) => return Ok(false),
            locked => locked?,
        }
        let next: Option<Next> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "SELECT s.id, s.pool_id, s.started, s.complete
                 FROM snapshots_to_move m JOIN snapshots s ON s.id = m.snapshot_id
                 WHERE s.pool_id = $1 ORDER BY s.started, s.id LIMIT 1",
            )
            .bind(pool.0)
            .fetch_optional(conn)
            .await
        })
        .tried("look for an old snapshot")?;
        let Some(next) = next else { return Ok(false) };
        let (crawl, pool, started) = (CrawlId(next.id), PoolId(next.pool_id), Time(next.started));
        let table = Arc::new(NodeTable::of(&rows(&mut tx, crawl).await?));
        let key = self.key_for(pool, started).await?;
        let block = detail::encode(&table, key).await?;
        presence::advance(&mut tx, pool, started, next.complete, &table).await?;
        detail::insert(&mut tx, pool, started, crawl, block).await?;
        execute!(tx.conn(), "UPDATE snapshots SET counted = $1 WHERE id = $2", true, crawl.0).tried("move nodes")?;
        execute!(tx.conn(), "DELETE FROM snapshots_to_move WHERE snapshot_id = $1", crawl.0).tried("move nodes")?;
        tx.commit().await?;
        Ok(true)
    }
}

async fn rows(tx: &mut Tx, crawl: CrawlId) -> Result<Vec<Node>> {
    let rows: Vec<NodeRow> = on!(tx.conn(), conn => {
        sqlx::query_as(select_nodes!("WHERE n.snapshot_id = $1 ORDER BY n.id")).bind(crawl.0).fetch_all(conn).await
    })
    .tried("read old nodes")?;
    rows.into_iter().map(NodeRow::node).collect()
}
