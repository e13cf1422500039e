//! Statistics over time, and what changed between two snapshots.

use axum::extract::Path;
use p2ppool_model::stats::Stats;
use p2ppool_model::{CrawlId, Time};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::State;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::history::{Range, SnapshotDiff};
use crate::service::nodes::When;
use crate::service::{Error, history, pools};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct StatsQuery {
    /// Crawls that began then or later. Without `from` and `to`: the last 20.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Crawls that began earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Time>,
    /// Buckets at most, 1 to 5,000; 400 by default. With no more crawls than that, each is its own bucket.
    buckets: Option<u32>,
}

/// System statistics over time: min, mean and max of each bucket.
#[utoipa::path(get, path = "/pools/{pool}/stats", tag = "nodes", params(("pool" = String, Path), StatsQuery),
    responses((status = 200, body = Stats), (status = 400, body = ErrorAnswer), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn stats(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<StatsQuery>,
) -> Result<axum::Json<Stats>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let range = Range { from: query.from, to: query.to };
    Ok(axum::Json(history::stats(&app, &pool, range, query.buckets).await?))
}

/// Which two snapshots.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct DiffQuery {
    /// Crawl of the first snapshot; by default the one before the second.
    #[param(value_type = Option<i64>)]
    from: Option<CrawlId>,
    /// Crawl of the second snapshot; the newest by default.
    #[param(value_type = Option<i64>)]
    to: Option<CrawlId>,
    /// Instead of `from`: the one that began nearest to this time.
    #[param(value_type = Option<String>, format = DateTime)]
    from_at: Option<Time>,
    /// Instead of `to`: the one that began nearest to this time.
    #[param(value_type = Option<String>, format = DateTime)]
    to_at: Option<Time>,
}

/// Who joined, left, moved, was upgraded or restarted, and whose neighbours changed between two snapshots.
#[utoipa::path(get, path = "/pools/{pool}/diff", tag = "nodes", params(("pool" = String, Path), DiffQuery),
    responses((status = 200, body = SnapshotDiff), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn diff(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<DiffQuery>,
) -> Result<axum::Json<SnapshotDiff>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let from = When { crawl: query.from, at: query.from_at };
    let to = When { crawl: query.to, at: query.to_at };
    Ok(axum::Json(history::changes(&app, &pool, from, to).await?))
}
