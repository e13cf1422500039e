//! What hosts and nodes use.

use axum::extract::Path;
use p2ppool_model::{HostId, Time};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::State;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::word;
use crate::service::resources::{self, ResourceRange, Resources, TopHost};
use crate::service::{Error, pools};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ResourcesQuery {
    /// Begin, RFC 3339; a week before the end by default.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// End, RFC 3339; now by default.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Time>,
    /// Stretches at most, 1 to 2,000; 200 by default. None is shorter than an hour.
    buckets: Option<u32>,
    /// Id of a host whose own samples are wanted, too.
    #[param(value_type = Option<i64>)]
    host: Option<HostId>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct TopQuery {
    /// `node_memory` (default), `node_cpu`, `memory_used`, `load` or `disk_free` (the least first).
    by: Option<String>,
    /// Hosts at most; 10 by default.
    limit: Option<u32>,
}

/// Memory, CPU, load and disk of a pool's hosts and nodes over time: min, mean and max of each stretch.
#[utoipa::path(get, path = "/pools/{pool}/resources", tag = "resources", params(("pool" = String, Path), ResourcesQuery),
    responses((status = 200, body = Resources), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<ResourcesQuery>,
) -> Result<axum::Json<Resources>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let ResourcesQuery { from, to, buckets, host } = query;
    Ok(axum::Json(resources::resources(&app, &pool, ResourceRange { from, to, buckets, host }).await?))
}

/// The hosts that use most of something, by their newest samples.
#[utoipa::path(get, path = "/pools/{pool}/resources/top", tag = "resources", params(("pool" = String, Path), TopQuery),
    responses((status = 200, body = Vec<TopHost>), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn top(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<TopQuery>,
) -> Result<axum::Json<Vec<TopHost>>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let by = word("by", query.by.as_deref())?.unwrap_or_default();
    Ok(axum::Json(resources::top(&app, &pool, by, query.limit).await?))
}
