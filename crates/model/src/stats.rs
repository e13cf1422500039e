//! System statistics over time, cut into buckets for charts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;

/// System statistics of a pool over time. Every list has one item per bucket; buckets without a crawl
/// are left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// When the first crawl began.
    pub from: Option<Time>,
    /// When the last one began.
    pub to: Option<Time>,
    /// Width of a bucket, milliseconds; 0: each crawl is a bucket of its own.
    pub bucket_ms: u64,
    /// When the first crawl of each bucket began.
    pub time: Vec<Time>,
    /// Crawls in each bucket.
    pub crawls: Vec<u64>,
    /// Each statistic by its name, as in a snapshot.
    pub series: BTreeMap<String, Spread>,
}

/// The values of one statistic in each bucket; null where no crawl knows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spread {
    /// The smallest.
    pub min: Vec<Option<f64>>,
    /// The mean over the crawls that know it.
    pub mean: Vec<Option<f64>>,
    /// The largest.
    pub max: Vec<Option<f64>>,
}

impl Spread {
    /// Adds a bucket.
    pub fn push(&mut self, min: Option<f64>, mean: Option<f64>, max: Option<f64>) {
        self.min.push(min);
        self.mean.push(mean);
        self.max.push(max);
    }
}
