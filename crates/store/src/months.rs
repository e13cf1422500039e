//! What is kept for a while lies in tables of its own, one set per pool and month (UTC), so that
//! forgetting a month is a drop: it takes the same moment whatever lay in it, and leaves no holes.
//!
//! - `blocks_<pool>_<month>`: the nodes of each snapshot ([`crate::detail`]).
//! - `ended_<pool>_<month>`: sessions that ended ([`crate::presence`]).
//!
//! `detail_months` lists which there are. Names are made of two numbers of ours, never of what people type.

use p2ppool_model::{PoolId, PoolName, Time};

use crate::Store;
use crate::db::{Db, On, Tx, execute, on};
use crate::error::{Result, Tried as _};
use crate::pools::lock_pool;

/// The first and the last times whose months have names of six digits.
const YEAR_1_MS: i64 = -62_135_596_800_000;
const YEAR_9999_MS: i64 = 253_402_128_000_000;

/// A month of the calendar in UTC, such as 202611.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month(pub(crate) i64);

impl Month {
    pub(crate) fn of(time: Time) -> Self {
        let stamp = time.0.clamp(YEAR_1_MS, YEAR_9999_MS);
        let stamp = jiff::Timestamp::from_millisecond(stamp).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let date = stamp.to_zoned(jiff::tz::TimeZone::UTC).date();
        Self(i64::from(date.year()) * 100 + i64::from(date.month()))
    }

    pub(crate) fn blocks(self, pool: PoolId) -> String {
        format!("blocks_{}_{}", pool.0, self.table_part())
    }

    pub(crate) fn ended(self, pool: PoolId) -> String {
        format!("ended_{}_{}", pool.0, self.table_part())
    }

    /// Years before 1 would bring a sign into a name.
    fn table_part(self) -> u64 {
        self.0.unsigned_abs()
    }
}

/// The month's tables, made when they aren't there yet.
pub(crate) async fn ensure(tx: &mut Tx, pool: PoolId, month: Month) -> Result<()> {
    let new = execute!(
        tx.conn(),
        "INSERT INTO detail_months (pool_id, month) VALUES ($1, $2) ON CONFLICT (pool_id, month) DO NOTHING",
        pool.0,
        month.0
    )
    .tried("note a month")?;
    if new == 0 {
        return Ok(());
    }
    let (blocks, ended) = (month.blocks(pool), month.ended(pool));
    let (bytes, id) = match tx.conn() {
        On::Sqlite(_) => ("BLOB", "INTEGER PRIMARY KEY"),
        On::Postgres(_) => ("BYTEA", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
    };
    let mut statements = vec![
        format!("CREATE TABLE {blocks} (snapshot_id BIGINT PRIMARY KEY, key_id BIGINT, block {bytes} NOT NULL)"),
        format!(
            "CREATE TABLE {ended} (id {id}, node_id BIGINT NOT NULL, before_at BIGINT, began BIGINT NOT NULL,
                 ended BIGINT NOT NULL, after_at BIGINT NOT NULL)"
        ),
        format!("CREATE INDEX {ended}_node ON {ended} (node_id, began)"),
    ];
    if let On::Postgres(_) = tx.conn() {
        // blocks are compressed already
        statements.push(format!("ALTER TABLE {blocks} ALTER COLUMN block SET STORAGE EXTERNAL"));
    }
    for statement in statements {
        run(tx, statement).await?;
    }
    Ok(())
}

/// The months of which a pool has detail, oldest first.
pub(crate) async fn months(db: &Db, pool: PoolId) -> Result<Vec<Month>> {
    let months: Vec<i64> = on!(db.read(), conn => {
        sqlx::query_scalar("SELECT month FROM detail_months WHERE pool_id = $1 ORDER BY month")
            .bind(pool.0)
            .fetch_all(conn)
            .await
    })
    .tried("list months")?;
    Ok(months.into_iter().map(Month).collect())
}

/// Forgets a month.
pub(crate) async fn drop_month(tx: &mut Tx, pool: PoolId, month: Month) -> Result<()> {
    run(tx, format!("DROP TABLE IF EXISTS {}", month.blocks(pool))).await?;
    run(tx, format!("DROP TABLE IF EXISTS {}", month.ended(pool))).await?;
    execute!(tx.conn(), "DELETE FROM detail_months WHERE pool_id = $1 AND month = $2", pool.0, month.0)
        .tried("forget a month")?;
    Ok(())
}

/// Forgets the nodes that are not there and of which no session is kept. The pool is locked.
async fn forget_nodes(tx: &mut Tx, pool: PoolId) -> Result<()> {
    let kept: Vec<i64> = on!(tx.conn(), conn => {
        sqlx::query_scalar("SELECT month FROM detail_months WHERE pool_id = $1").bind(pool.0).fetch_all(conn).await
    })
    .tried("list months")?;
    let without = kept.into_iter().map(|month| {
        format!(" AND NOT EXISTS (SELECT 1 FROM {} e WHERE e.node_id = known_nodes.id)", Month(month).ended(pool))
    });
    let sql = format!("DELETE FROM known_nodes WHERE pool_id = $1 AND began IS NULL{}", without.collect::<String>());
    on!(tx.conn(), conn => {
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(pool.0).persistent(false).execute(conn).await.map(drop)
    })
    .tried("forget nodes")
}

async fn run(tx: &mut Tx, statement: String) -> Result<()> {
    on!(tx.conn(), conn => {
        sqlx::query(sqlx::AssertSqlSafe(statement)).persistent(false).execute(conn).await.map(drop)
    })
    .tried("change the tables of a month")
}

impl Store {
    /// Forgets of every pool what it need not keep any more by its own setting, and tells how many months
    /// went of which pool.
    pub async fn forget_old_detail(&self, now: Time) -> Result<Vec<(PoolName, u64)>> {
        let mut forgotten = Vec::new();
        for pool in self.pools().await? {
            let months = self.drop_detail_before(pool.id, pool.settings.detail_since(now)).await?;
            if months > 0 {
                forgotten.push((pool.name, months));
            }
        }
        Ok(forgotten)
    }

    /// Forgets what a pool keeps for a while (nodes of snapshots, ended sessions) of the months that
    /// were over at a time, and the nodes of which nothing is left then; snapshots and their statistics stay.
    /// Tells how many months went.
    pub async fn drop_detail_before(&self, pool: PoolId, time: Time) -> Result<u64> {
        let old: Vec<Month> =
            months(&self.db, pool).await?.into_iter().filter(|month| *month < Month::of(time)).collect();
        for month in &old {
            let mut tx = self.db.begin_relaxed().await?;
            lock_pool(&mut tx, pool).await?;
            drop_month(&mut tx, pool, *month).await?;
            tx.commit().await?;
        }
        if !old.is_empty() {
            self.tables.clear();
            let mut tx = self.db.begin_relaxed().await?;
            lock_pool(&mut tx, pool).await?;
            forget_nodes(&mut tx, pool).await?;
            tx.commit().await?;
        }
        Ok(old.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_of_the_calendar_and_their_names_of_numbers() {
        let month = Month::of("2026-11-30T23:59:59Z".parse().unwrap());
        assert_eq!((month, month.blocks(PoolId(7)).as_str()), (Month(202_611), "blocks_7_202611"));
        assert_eq!(Month::of("2026-12-01T00:00:00Z".parse().unwrap()), Month(202_612));
        assert!(Month::of(Time(i64::MAX)) > month, "the end of time");
        let first = Month::of(Time(i64::MIN));
        assert!(first.ended(PoolId(1)).chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
    }
}
