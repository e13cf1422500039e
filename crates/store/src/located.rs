//! How the nodes of each snapshot came to their places on the map.

use p2ppool_model::geo::Located;
use p2ppool_model::{CrawlId, PoolId};

use crate::Store;
use crate::db::{execute, on};
use crate::error::{Result, Tried as _};
use crate::text::{int, uint};

impl Store {
    /// Notes it for one snapshot.
    pub async fn set_located(&self, pool: PoolId, crawl: CrawlId, located: Located) -> Result<()> {
        let mut tx = self.db.begin_relaxed().await?;
        execute!(
            tx.conn(),
            "INSERT INTO located (crawl_id, pool_id, host, overrides, own_database, dbip, unlocated)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (crawl_id) DO UPDATE SET host = excluded.host, overrides = excluded.overrides,
                 own_database = excluded.own_database, dbip = excluded.dbip, unlocated = excluded.unlocated",
            crawl.0,
            pool.0,
            int(located.host),
            int(located.overrides),
            int(located.database),
            int(located.dbip),
            int(located.unlocated),
        )
        .tried("note where nodes were found to be")?;
        tx.commit().await
    }

    /// What was noted for a snapshot.
    pub async fn located(&self, crawl: CrawlId) -> Result<Option<Located>> {
        let row: Option<(i64, i64, i64, i64, i64)> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT host, overrides, own_database, dbip, unlocated FROM located WHERE crawl_id = $1")
                .bind(crawl.0)
                .fetch_optional(conn)
                .await
        })
        .tried("read where nodes were found to be")?;
        Ok(row.map(|(host, overrides, database, dbip, unlocated)| Located {
            host: uint(host),
            overrides: uint(overrides),
            database: uint(database),
            dbip: uint(dbip),
            unlocated: uint(unlocated),
        }))
    }
}
