//! Pools.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::pool::PoolSettings;
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::http::State;
use crate::http::body::Json;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::pools::{EditedPool, PoolSummary};
use crate::service::{Error, pools};

/// A pool to create: its name, its settings and, if known, its hosts.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NewPool {
    /// 1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit.
    name: String,
    /// Text of a host list.
    hosts: Option<String>,
    /// The settings.
    #[serde(flatten)]
    settings: PoolSettings,
}

/// Every pool that you may see.
#[utoipa::path(get, path = "/pools", tag = "pools", responses((status = 200, body = [PoolSummary])))]
pub(crate) async fn list(app: State, caller: Caller) -> Result<axum::Json<Vec<PoolSummary>>, Error> {
    Ok(axum::Json(pools::list(&app, &caller.viewer).await?))
}

/// Registers a pool. When a field or a line of the host list is wrong, nothing is created.
#[utoipa::path(post, path = "/pools", tag = "pools", request_body = NewPool,
    responses((status = 201, body = PoolSummary), (status = 409, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create(
    app: State,
    caller: Caller,
    Json(given): Json<Map<String, Value>>,
) -> Result<(StatusCode, axum::Json<PoolSummary>), Error> {
    let person = caller.person("creating a pool")?;
    Ok((StatusCode::CREATED, axum::Json(pools::create(&app, person, given).await?)))
}

/// One pool.
#[utoipa::path(get, path = "/pools/{pool}", tag = "pools", params(("pool" = String, Path)),
    responses((status = 200, body = PoolSummary), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<PoolSummary>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(pools::summary(&app, &caller.viewer, pool).await?))
}

/// Changes the settings that are given; `needs_upgrade` tells that hosts keep the old ones until an upgrade.
#[utoipa::path(patch, path = "/pools/{pool}", tag = "pools", params(("pool" = String, Path)), request_body = PoolSettings,
    responses((status = 200, body = EditedPool), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn edit(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(given): Json<Map<String, Value>>,
) -> Result<axum::Json<EditedPool>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(pools::edit(&app, &caller.viewer, pool, given).await?))
}

/// Deletes a pool with its files and its history. Refused while it is installed anywhere.
#[utoipa::path(delete, path = "/pools/{pool}", tag = "pools", params(("pool" = String, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn delete(app: State, caller: Caller, Path(name): Path<String>) -> Result<StatusCode, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    pools::delete(&app, &pool).await?;
    Ok(StatusCode::NO_CONTENT)
}
