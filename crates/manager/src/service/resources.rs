//! What the hosts of a pool and their nodes use.

use std::collections::BTreeMap;
use std::time::Duration;

use p2ppool_model::host::Host;
use p2ppool_model::pool::Pool;
use p2ppool_model::usage::{Spread, UsageMetric, UsageSample};
use p2ppool_model::{HostId, Time};
use p2ppool_store::usage_bucket_start;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::service::Error;

/// Stretches when nobody says how many: a chart is some hundred pixels wide.
const BUCKETS_DEFAULT: u32 = 200;
/// Most stretches.
const BUCKETS_MAX: u32 = 2_000;
/// The time shown when nobody says which.
const RANGE_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3600);
/// Most samples of one host: an hour each for longer than they are kept.
const SAMPLES_MAX: u32 = 1_000;
/// Hosts of a top list when nobody says how many, and most.
const TOP: (u32, u32) = (10, 1_000);

/// What a pool used over time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Resources {
    /// Begin of the range.
    pub from: Time,
    /// End of the range.
    pub to: Time,
    /// Stretches with samples, oldest first; hours, or several when there are too many.
    pub buckets: Vec<ResourceBucket>,
    /// Samples of the one host that was asked for, oldest first.
    pub samples: Vec<UsageSample>,
}

/// What a pool used in one stretch of time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ResourceBucket {
    /// When it begins.
    pub at: Time,
    /// Spread over hosts and looks, by name of the number; what nobody told is left out.
    #[schema(value_type = BTreeMap<String, Spread>)]
    pub metrics: BTreeMap<UsageMetric, Spread>,
}

/// One host of a top list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TopHost {
    /// Address of the host, as in the host list.
    pub address: String,
    /// Its newest sample.
    #[serde(flatten)]
    pub sample: UsageSample,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct ResourceRange {
    /// Begin; a week before the end by default.
    pub from: Option<Time>,
    /// End; now by default.
    pub to: Option<Time>,
    /// Most stretches.
    pub buckets: Option<u32>,
    /// Samples of this host beside the pool's stretches.
    pub host: Option<HostId>,
}

/// What the pool used over time.
pub async fn resources(app: &App, pool: &Pool, range: ResourceRange) -> Result<Resources, Error> {
    let to = range.to.unwrap_or_else(Time::now);
    let from = range.from.unwrap_or_else(|| to.minus(RANGE_DEFAULT));
    if from >= to {
        return Err(Error::field("from", format!("{from} is not before {to}")));
    }
    let buckets = range.buckets.unwrap_or(BUCKETS_DEFAULT);
    if !(1..=BUCKETS_MAX).contains(&buckets) {
        return Err(Error::field("buckets", format!("{buckets} is not between 1 and {BUCKETS_MAX}")));
    }
    let samples = match range.host {
        None => Vec::new(),
        Some(id) => {
            let host = app.store.host(id).await?;
            if host.pool != pool.id {
                return Err(Error::not_found("host", id));
            }
            app.store.host_usage(id, from, to, SAMPLES_MAX).await?
        }
    };
    let mut by_start: BTreeMap<Time, BTreeMap<UsageMetric, Spread>> = BTreeMap::new();
    for row in app.store.pool_usage(pool.id, from, to, buckets).await? {
        let at = usage_bucket_start(from, to, buckets, row.bucket);
        by_start.entry(at).or_default().insert(row.metric, row.spread);
    }
    let buckets = by_start.into_iter().map(|(at, metrics)| ResourceBucket { at, metrics }).collect();
    Ok(Resources { from, to, buckets, samples })
}

/// The hosts that use most of something.
pub async fn top(app: &App, pool: &Pool, by: UsageMetric, limit: Option<u32>) -> Result<Vec<TopHost>, Error> {
    let limit = limit.unwrap_or(TOP.0);
    if limit > TOP.1 {
        return Err(Error::field("limit", format!("{limit} is more than {}", TOP.1)));
    }
    let samples = app.store.top_usage(pool.id, by, limit).await?;
    let hosts: std::collections::HashMap<HostId, Host> =
        app.store.pool_hosts(pool.id).await?.into_iter().map(|host| (host.id, host)).collect();
    let named = |sample: UsageSample| Some(TopHost { address: hosts.get(&sample.host)?.spec.display(), sample });
    Ok(samples.into_iter().filter_map(named).collect())
}
