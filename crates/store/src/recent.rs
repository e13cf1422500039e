//! How many nodes answered the last crawls: what a small curve beside a pool's name is drawn from.

use std::collections::HashMap;

use p2ppool_model::PoolId;

use crate::Store;
use crate::db::on;
use crate::error::{Result, Tried as _};
use crate::text::parse;

/// Crawls that are told per pool: ten hours of half-hourly ones, as many points as a table's cell can show.
pub const RECENT_MAX: usize = 20;

impl Store {
    /// How many nodes answered each of the last crawls of every pool, or of one, oldest crawl first; at most
    /// [`RECENT_MAX`] per pool. Pools that were never crawled are left out.
    ///
    /// One statement whatever the number of pools; of each pool it reads the newest entries of an index.
    pub async fn recent_answering(&self, pool: Option<PoolId>) -> Result<HashMap<PoolId, Vec<u64>>> {
        let rows: Vec<(i64, Option<String>)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT p.id,
                     (SELECT string_agg(CAST(r.answering AS TEXT), ',' ORDER BY r.started, r.id)
                      FROM (SELECT s.answering, s.started, s.id FROM snapshots s WHERE s.pool_id = p.id
                            ORDER BY s.started DESC, s.id DESC LIMIT $1) r)
                 FROM pools p WHERE CAST($2 AS BIGINT) IS NULL OR p.id = $2",
            )
            .bind(RECENT_MAX as i64)
            .bind(pool.map(|pool| pool.0))
            .fetch_all(conn)
            .await
        })
        .tried("read how many nodes answered the last crawls")?;
        rows.into_iter()
            .filter_map(|(pool, counts)| Some((pool, counts?)))
            .map(|(pool, counts)| {
                let number = |count| parse(&format!("a crawl of pool {pool}"), count);
                Ok((PoolId(pool), counts.split(',').map(number).collect::<Result<_>>()?))
            })
            .collect()
    }
}
