//! How tables of a pool are shown.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::PoolId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::State;
use crate::http::body::Json;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::views::{self, ViewChoice, ViewSettings};
use crate::service::{Error, pools};

/// How a view (`nodes`, `stats` or `hosts`) is shown: what the pool's managers chose, and what you did.
#[utoipa::path(get, path = "/pools/{pool}/views/{view}", tag = "views", params(("pool" = String, Path), ("view" = String, Path)),
    responses((status = 200, body = ViewChoice), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path((name, view)): Path<(String, String)>,
) -> Result<axum::Json<ViewChoice>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(views::of(&app, &caller.viewer, &pool, view.parse()?).await?))
}

/// Sets how a view is shown to everybody who did not choose otherwise.
#[utoipa::path(put, path = "/pools/{pool}/views/{view}", tag = "views", params(("pool" = String, Path), ("view" = String, Path)),
    request_body = ViewSettings, responses((status = 200, body = ViewChoice), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set(
    app: State,
    caller: Caller,
    Path((name, view)): Path<(String, String)>,
    Json(settings): Json<ViewSettings>,
) -> Result<axum::Json<ViewChoice>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(views::set(&app, &caller.viewer, &pool, view.parse()?, Some(settings)).await?))
}

/// Shows a view as the program has it again.
#[utoipa::path(delete, path = "/pools/{pool}/views/{view}", tag = "views", params(("pool" = String, Path), ("view" = String, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn reset(
    app: State,
    caller: Caller,
    Path((name, view)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    views::set(&app, &caller.viewer, &pool, view.parse()?, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A view as you chose it for yourself.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OwnView {
    /// The pool's number.
    pool: PoolId,
    /// `nodes`, `stats` or `hosts`.
    view: String,
    /// How it is shown to you.
    settings: ViewSettings,
}

/// Every view that you chose for yourself.
#[utoipa::path(get, path = "/me/views", tag = "views",
    responses((status = 200, body = [OwnView]), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn own(app: State, caller: Caller) -> Result<axum::Json<Vec<OwnView>>, Error> {
    let all = views::own(&app, &caller.viewer).await?;
    Ok(axum::Json(all.into_iter().map(|(pool, view, settings)| OwnView { pool, view, settings }).collect()))
}

/// Chooses how a view is shown to you.
#[utoipa::path(put, path = "/me/views/{pool}/{view}", tag = "views", params(("pool" = String, Path), ("view" = String, Path)),
    request_body = ViewSettings, responses((status = 200, body = ViewChoice), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set_own(
    app: State,
    caller: Caller,
    Path((name, view)): Path<(String, String)>,
    Json(settings): Json<ViewSettings>,
) -> Result<axum::Json<ViewChoice>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(views::set_own(&app, &caller.viewer, &pool, view.parse()?, Some(settings)).await?))
}

/// Shows a view to you as the pool has it again.
#[utoipa::path(delete, path = "/me/views/{pool}/{view}", tag = "views", params(("pool" = String, Path), ("view" = String, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn reset_own(
    app: State,
    caller: Caller,
    Path((name, view)): Path<(String, String)>,
) -> Result<StatusCode, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    views::set_own(&app, &caller.viewer, &pool, view.parse()?, None).await?;
    Ok(StatusCode::NO_CONTENT)
}
