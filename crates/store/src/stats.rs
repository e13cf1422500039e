//! System statistics over time: min, mean and max per bucket, worked out by the database.

use p2ppool_model::stats::{Spread, Stats};
use p2ppool_model::{PoolId, Time};
use sqlx::Row as _;

use crate::Store;
use crate::db::on;
use crate::error::{Result, Tried as _};
use crate::text::{int, uint};

/// Statistics and their columns.
macro_rules! series {
    ($first:literal $first_column:literal $(, $name:literal $column:literal)* $(,)?) => {
        const NAMES: &[&str] = &[$first, $($name),*];
        const BUCKETS: &str = concat!(
            "SELECT MIN(s.started), MAX(s.started), COUNT(*)",
            series!(@ $first_column), $(series!(@ $column),)*
            " FROM snapshots s WHERE s.pool_id = $1 AND s.started >= $2 AND s.started < $3
              GROUP BY (s.started - $2) / $4 ORDER BY 1"
        );
        const EACH: &str = concat!(
            "SELECT MIN(s.started), MAX(s.started), COUNT(*)",
            series!(@ $first_column), $(series!(@ $column),)*
            " FROM snapshots s WHERE s.pool_id = $1 AND s.started >= $2 AND s.started < $3
              GROUP BY s.started, s.id ORDER BY 1, s.id LIMIT $4"
        );
    };
    (@ $column:literal) => {
        concat!(
            ", CAST(MIN(s.", $column, ") AS DOUBLE PRECISION), CAST(AVG(s.", $column,
            ") AS DOUBLE PRECISION), CAST(MAX(s.", $column, ") AS DOUBLE PRECISION)"
        )
    };
}

series!(
    "duration_ms" "duration_ms",
    "nodes" "nodes",
    "answering" "answering",
    "unreachable" "unreachable",
    "dial_failed" "dial_failed",
    "connect_failed" "connect_failed",
    "ask_failed" "ask_failed",
    "not_dialled" "not_dialled",
    "consistency" "consistency",
    "connections" "connections",
    "tcp" "tcp",
    "udp" "udp",
    "relayed" "relayed",
    "secure" "secure",
    "retries" "retries",
    "missing" "missing",
    "joined" "nodes_joined",
    "left" "nodes_left",
);

impl Store {
    /// System statistics of the crawls that began in this time, in at most `buckets` buckets of equal
    /// width; when there are no more crawls than that, each is a bucket of its own.
    pub async fn stats(&self, pool: PoolId, from: Option<Time>, until: Option<Time>, buckets: u32) -> Result<Stats> {
        let (from, until) = (from.map_or(i64::MIN, |time| time.0), until.map_or(i64::MAX, |time| time.0));
        let (first, last, crawls): (Option<i64>, Option<i64>, i64) = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT MIN(started), MAX(started), COUNT(*) FROM snapshots
                 WHERE pool_id = $1 AND started >= $2 AND started < $3",
            )
            .bind(pool.0)
            .bind(from)
            .bind(until)
            .fetch_one(conn)
            .await
        })
        .tried("read statistics")?;
        let (Some(first), Some(last)) = (first, last) else { return Ok(Stats::default()) };
        let is_each = crawls <= i64::from(buckets);
        let width = if is_each { 0 } else { (last - first) / i64::from(buckets.max(1)) + 1 };
        let (sql, fourth) = if is_each { (EACH, i64::from(buckets)) } else { (BUCKETS, width) };
        let mut stats =
            Stats { from: Some(Time(first)), to: Some(Time(last)), bucket_ms: uint(width), ..Stats::default() };
        let mut spreads = vec![Spread::default(); NAMES.len()];
        on!(self.db.read(), conn => {
            let rows = sqlx::query(sql)
                .bind(pool.0)
                .bind(first)
                .bind(last.saturating_add(1))
                .bind(fourth)
                .fetch_all(conn)
                .await
                .tried("read statistics")?;
            for row in rows {
                stats.time.push(Time(row.try_get(0).tried("read statistics")?));
                stats.crawls.push(uint(row.try_get(2).tried("read statistics")?));
                for (at, spread) in spreads.iter_mut().enumerate() {
                    let value = |part: usize| row.try_get::<Option<f64>, _>(3 + 3 * at + part).tried("read statistics");
                    spread.push(value(0)?, value(1)?, value(2)?);
                }
            }
        });
        stats.series = NAMES.iter().map(|name| (*name).to_owned()).zip(spreads).collect();
        Ok(stats)
    }

    /// When the `count`-th newest crawl of a pool began, or its first when there are fewer.
    pub async fn started_of_newest(&self, pool: PoolId, count: u32) -> Result<Option<Time>> {
        let started: Option<i64> = on!(self.db.read(), conn => {
            sqlx::query_scalar(
                "SELECT MIN(started) FROM
                 (SELECT started FROM snapshots WHERE pool_id = $1 ORDER BY started DESC, id DESC LIMIT $2) newest",
            )
            .bind(pool.0)
            .bind(int(u64::from(count)))
            .fetch_one(conn)
            .await
        })
        .tried("read statistics")?;
        Ok(started.map(Time))
    }
}
