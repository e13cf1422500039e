//! System statistics: one row per crawl.

use axum::extract::Path;
use p2ppool_model::snapshot::Snapshot;
use p2ppool_model::{CrawlId, Time};
use p2ppool_store::SnapshotRange;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::State;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::page;
use crate::service::history::Range;
use crate::service::{Error, pools};

/// Rows when nobody says how many.
const LIMIT_DEFAULT: u32 = 20;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SnapshotsQuery {
    /// Rows at most; 20 by default.
    limit: Option<u32>,
    /// Older than this crawl: the next page.
    #[param(value_type = Option<i64>)]
    before: Option<CrawlId>,
    /// Began then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Began earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    #[serde(alias = "until")]
    to: Option<Time>,
}

/// Some snapshots, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Snapshots {
    /// The snapshots.
    items: Vec<Snapshot>,
    /// Give it as `before` for older ones; null when there are none.
    before: Option<CrawlId>,
}

/// Snapshots of a pool, newest first.
#[utoipa::path(get, path = "/pools/{pool}/snapshots", tag = "nodes", params(("pool" = String, Path), SnapshotsQuery),
    responses((status = 200, body = Snapshots), (status = 400, body = ErrorAnswer), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<SnapshotsQuery>,
) -> Result<axum::Json<Snapshots>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let limit = page(query.limit.or(Some(LIMIT_DEFAULT)), None)?.limit;
    let within = Range { from: query.from, to: query.to }.checked()?;
    let range = SnapshotRange { from: within.from, until: within.to, before: query.before };
    // One more tells whether there is another page.
    let mut items = app.store.snapshots(pool.id, range, limit + 1).await?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let before = if more { items.last().map(|snapshot| snapshot.id) } else { None };
    Ok(axum::Json(Snapshots { items, before }))
}
