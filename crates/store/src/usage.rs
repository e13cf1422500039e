//! What hosts and their nodes used, in hours.

use std::collections::HashMap;

use p2ppool_model::usage::{Spread, Usage, UsageMetric, UsageSample};
use p2ppool_model::{HostId, PoolId, Time};

use crate::Store;
use crate::db::{CHUNK_ROWS, Tx, execute, on};
use crate::error::{Result, Tried as _};
use crate::page::Page;
use crate::sql::{Sql, fetch_all};
use crate::text::{finite, int, uint};

/// Length of an hour, milliseconds.
const HOUR_MS: i64 = 3_600_000;

/// Spread of one metric over one stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub struct UsageBucket {
    /// Which stretch; the first is 0.
    pub bucket: u64,
    /// Which number.
    pub metric: UsageMetric,
    /// Over hosts and time.
    pub spread: Spread,
}

type HostRow = (i64, i64, Option<i64>, Option<f64>, Option<f64>, Option<f64>, Option<i64>);

fn sample((host, at, node_memory, node_cpu, memory_used, load, disk_free): HostRow) -> UsageSample {
    let (node_memory, disk_free) = (node_memory.map(uint), disk_free.map(uint));
    UsageSample {
        host: HostId(host),
        at: Time(at),
        usage: Usage { node_memory, node_cpu, memory_used, load, disk_free },
    }
}

impl Store {
    /// Keeps what was seen of some hosts of one pool. A second look in the same hour replaces what it knows better.
    pub async fn add_usage(&self, pool: PoolId, samples: &[UsageSample]) -> Result<()> {
        let mut newest = std::collections::BTreeMap::new();
        newest.extend(samples.iter().filter(|s| !s.usage.is_empty()).map(|s| ((s.host, s.at.0 / HOUR_MS), s)));
        let rows: Vec<&UsageSample> = newest.into_values().collect();
        let mut tx = self.db.begin_relaxed().await?;
        for chunk in rows.chunks(CHUNK_ROWS) {
            insert_hosts(&mut tx, pool, chunk).await?;
        }
        for ((hour, metric), spread) in sums(&rows) {
            execute!(
                tx.conn(),
                "INSERT INTO pool_usage (pool_id, hour, metric, samples, total, least, greatest)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (pool_id, metric, hour) DO UPDATE SET
                     samples = pool_usage.samples + excluded.samples, total = pool_usage.total + excluded.total,
                     least = CASE WHEN excluded.least < pool_usage.least THEN excluded.least ELSE pool_usage.least END,
                     greatest = CASE WHEN excluded.greatest > pool_usage.greatest THEN excluded.greatest
                                ELSE pool_usage.greatest END",
                pool.0,
                hour,
                metric.as_str(),
                int(spread.samples),
                spread.mean * spread.samples as f64,
                spread.min,
                spread.max,
            )
            .tried("add to what a pool used")?;
        }
        tx.commit().await
    }

    /// What a pool used between two times, in this many equal stretches; stretches without a sample are left out.
    pub async fn pool_usage(&self, pool: PoolId, from: Time, until: Time, buckets: u32) -> Result<Vec<UsageBucket>> {
        let first = from.0.div_euclid(HOUR_MS);
        let end = (until.0 + HOUR_MS - 1).div_euclid(HOUR_MS).max(first + 1);
        let width = bucket_hours(first, end, buckets);
        let rows: Vec<(i64, String, i64, f64, f64, f64)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT (hour - $1) / $2 AS bucket, metric, CAST(SUM(samples) AS BIGINT), SUM(total), MIN(least),
                     MAX(greatest)
                 FROM pool_usage WHERE pool_id = $3 AND hour >= $1 AND hour < $4
                 GROUP BY (hour - $1) / $2, metric ORDER BY bucket, metric",
            )
            .bind(first)
            .bind(width)
            .bind(pool.0)
            .bind(end)
            .fetch_all(conn)
            .await
        })
        .tried("read what a pool used")?;
        rows.into_iter()
            .map(|(bucket, metric, samples, total, min, max)| {
                let metric = crate::text::parse("a metric of usage", &metric)?;
                let spread = Spread { samples: uint(samples), min, mean: total / samples as f64, max };
                Ok(UsageBucket { bucket: uint(bucket), metric, spread })
            })
            .collect()
    }

    /// What one host used between two times, oldest first: one sample an hour, at most `limit` of the newest.
    pub async fn host_usage(&self, host: HostId, from: Time, until: Time, limit: u32) -> Result<Vec<UsageSample>> {
        let rows: Vec<HostRow> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT host_id, at, node_memory, node_cpu, memory_used, host_load, disk_free FROM host_usage
                 WHERE host_id = $1 AND at >= $2 AND at < $3 ORDER BY hour DESC LIMIT $4",
            )
            .bind(host.0)
            .bind(from.0)
            .bind(until.0)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
        })
        .tried("read what a host used")?;
        Ok(rows.into_iter().rev().map(sample).collect())
    }

    /// The hosts of a pool with the most of something (of free disk: the least), by each host's newest sample.
    pub async fn top_usage(&self, pool: PoolId, metric: UsageMetric, limit: u32) -> Result<Vec<UsageSample>> {
        let newest = Sql::new(
            "SELECT u.host_id, u.at, u.node_memory, u.node_cpu, u.memory_used, u.host_load, u.disk_free
             FROM hosts h JOIN host_usage u
             ON u.host_id = h.id AND u.hour = (SELECT MAX(n.hour) FROM host_usage n WHERE n.host_id = h.id)",
        )
        .with(" WHERE h.pool_id = ", pool.0);
        let (column, order) = match metric {
            UsageMetric::NodeMemory => ("u.node_memory", crate::Order::Descending),
            UsageMetric::NodeCpu => ("u.node_cpu", crate::Order::Descending),
            UsageMetric::MemoryUsed => ("u.memory_used", crate::Order::Descending),
            UsageMetric::Load => ("u.host_load", crate::Order::Descending),
            UsageMetric::DiskFree => ("u.disk_free", crate::Order::Ascending),
        };
        let top = newest.paged(&[column], order, "u.host_id", Page::first(limit));
        let rows = fetch_all!(self.db.read(), HostRow, top).tried("read which hosts use most")?;
        Ok(rows.into_iter().map(sample).filter(|sample| metric.of(&sample.usage).is_some()).collect())
    }

    /// Forgets what single hosts used before a time; the pools' sums stay.
    pub async fn prune_usage(&self, before: Time) -> Result<u64> {
        let mut tx = self.db.begin_relaxed().await?;
        let gone = execute!(tx.conn(), "DELETE FROM host_usage WHERE hour < $1", before.0.div_euclid(HOUR_MS))
            .tried("forget what hosts used")?;
        tx.commit().await?;
        Ok(gone)
    }
}

/// Hours per stretch, so that there are at most `buckets` of them.
fn bucket_hours(first: i64, end: i64, buckets: u32) -> i64 {
    let buckets = i64::from(buckets.max(1));
    ((end - first) + buckets - 1).div_euclid(buckets).max(1)
}

/// When each stretch of [`Store::pool_usage`] begins.
pub fn usage_bucket_start(from: Time, until: Time, buckets: u32, bucket: u64) -> Time {
    let first = from.0.div_euclid(HOUR_MS);
    let end = (until.0 + HOUR_MS - 1).div_euclid(HOUR_MS).max(first + 1);
    Time((first + int(bucket) * bucket_hours(first, end, buckets)) * HOUR_MS)
}

fn sums(rows: &[&UsageSample]) -> HashMap<(i64, UsageMetric), Spread> {
    let mut sums: HashMap<(i64, UsageMetric), Spread> = HashMap::new();
    for row in rows {
        for metric in UsageMetric::ALL {
            let Some(value) = finite(metric.of(&row.usage)) else { continue };
            let one = Spread { samples: 1, min: value, mean: value, max: value };
            sums.entry((row.at.0 / HOUR_MS, metric)).and_modify(|sum| *sum = added(*sum, one)).or_insert(one);
        }
    }
    sums
}

fn added(a: Spread, b: Spread) -> Spread {
    let samples = a.samples + b.samples;
    let mean = (a.mean * a.samples as f64 + b.mean * b.samples as f64) / samples as f64;
    Spread { samples, min: a.min.min(b.min), mean, max: a.max.max(b.max) }
}

async fn insert_hosts(tx: &mut Tx, pool: PoolId, rows: &[&UsageSample]) -> Result<()> {
    on!(tx.conn(), conn: DB => {
        // a host that was deleted meanwhile has no history any more
        let mut query = sqlx::QueryBuilder::<DB>::new(
            "WITH seen (host_id, hour, pool_id, at, node_memory, node_cpu, memory_used, host_load, disk_free) AS (",
        );
        query.push_values(rows, |mut row, sample| {
            let usage = &sample.usage;
            row.push_bind(sample.host.0)
                .push_bind(sample.at.0 / HOUR_MS)
                .push_bind(pool.0)
                .push_bind(sample.at.0)
                .push_bind(usage.node_memory.map(int))
                .push_bind(finite(usage.node_cpu))
                .push_bind(finite(usage.memory_used))
                .push_bind(finite(usage.load))
                .push_bind(usage.disk_free.map(int));
        });
        query.push(
            ") INSERT INTO host_usage (host_id, hour, pool_id, at, node_memory, node_cpu, memory_used, host_load, disk_free)
             SELECT s.host_id, s.hour, s.pool_id, s.at, s.node_memory, s.node_cpu, s.memory_used, s.host_load, s.disk_free
             FROM seen s JOIN hosts h ON h.id = s.host_id WHERE h.pool_id = s.pool_id
             ON CONFLICT (host_id, hour) DO UPDATE SET at = excluded.at,
                 node_memory = COALESCE(excluded.node_memory, host_usage.node_memory),
                 node_cpu = COALESCE(excluded.node_cpu, host_usage.node_cpu),
                 memory_used = COALESCE(excluded.memory_used, host_usage.memory_used),
                 host_load = COALESCE(excluded.host_load, host_usage.host_load),
                 disk_free = COALESCE(excluded.disk_free, host_usage.disk_free)",
        );
        query.build().persistent(rows.len() == CHUNK_ROWS).execute(conn).await.map(drop)
    })
    .tried("write what hosts used")
}
