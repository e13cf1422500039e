//! Statistics over time, and what changed between two snapshots.

use p2ppool_model::Time;
use p2ppool_model::diff::{Diff, diff};
use p2ppool_model::pool::Pool;
use p2ppool_model::snapshot::Snapshot;
use p2ppool_model::stats::Stats;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::service::nodes::{When, snapshot_of};
use crate::service::{Error, blocking};

/// Crawls that statistics show when nobody says which.
const CRAWLS_DEFAULT: u32 = 20;
/// Buckets when nobody says how many: as many as a chart is pixels wide, halved.
pub const BUCKETS_DEFAULT: u32 = 400;
/// Most buckets of one answer.
pub const BUCKETS_MAX: u32 = 5_000;

/// A part of a pool's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Began then or later.
    pub from: Option<Time>,
    /// Began earlier.
    pub to: Option<Time>,
}

impl Range {
    /// The same, when it is not empty by itself.
    pub fn checked(self) -> Result<Self, Error> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from >= to => {
                Err(Error::BadRequest(format!("`from` ({from}) must be earlier than `to` ({to})")))
            }
            _ => Ok(self),
        }
    }
}

/// Statistics of a range; of the last 20 crawls when there is no range.
pub async fn stats(app: &App, pool: &Pool, range: Range, buckets: Option<u32>) -> Result<Stats, Error> {
    let range = range.checked()?;
    let buckets = buckets.unwrap_or(BUCKETS_DEFAULT);
    if !(1..=BUCKETS_MAX).contains(&buckets) {
        return Err(Error::BadRequest(format!("`buckets` is {buckets}; it must be 1 to {BUCKETS_MAX}")));
    }
    let from = match range {
        Range { from: None, to: None } => app.store.started_of_newest(pool.id, CRAWLS_DEFAULT).await?,
        range => range.from,
    };
    Ok(app.store.stats(pool.id, from, range.to, buckets).await?)
}

/// Two snapshots and what changed between them.
#[derive(Debug, Serialize, ToSchema)]
pub struct SnapshotDiff {
    /// The first.
    pub from: Snapshot,
    /// The second.
    pub to: Snapshot,
    /// What changed.
    #[serde(flatten)]
    pub changes: Diff,
}

/// What changed from one snapshot to another. `to` is the newest by default, `from` the one before `to`.
pub async fn changes(app: &App, pool: &Pool, from: When, to: When) -> Result<SnapshotDiff, Error> {
    let none = || Error::not_found("snapshot of pool", &pool.name);
    let to = snapshot_of(app, pool, &to).await?.ok_or_else(none)?;
    let from = match from {
        When { crawl: None, at: None } => app.store.snapshot_before(&to).await?.ok_or_else(none)?,
        from => snapshot_of(app, pool, &from).await?.ok_or_else(none)?,
    };
    let (before, after) = (app.store.node_table(from.id).await?, app.store.node_table(to.id).await?);
    let between_s = to.started.since(from.started).as_secs();
    let changes = blocking(move || diff(&before, &after, between_s)).await?;
    Ok(SnapshotDiff { from, to, changes })
}
