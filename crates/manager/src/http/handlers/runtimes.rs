//! Runtimes: what nodes run on where hosts have nothing.

use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::State;
use crate::http::body::Json;
use crate::http::error::ErrorAnswer;
use crate::runtimes::Runtime;
use crate::service::{Error, runtimes};

/// How to make the relocatable Mono.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BuildMono {
    /// Fetch Debian's packages even when the manager's machine has a Mono of its own.
    pub(crate) from_packages: bool,
}

/// Every runtime that can be sent to hosts, with how its making goes.
#[utoipa::path(get, path = "/runtimes", tag = "runtimes",
    responses((status = 200, body = [Runtime]), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn list(app: State) -> Result<axum::Json<Vec<Runtime>>, Error> {
    Ok(axum::Json(runtimes::list(&app)))
}

/// Makes the relocatable Mono on the manager, of Debian's packages. It goes on after the answer; the list tells how far it is.
#[utoipa::path(post, path = "/runtimes/mono", tag = "runtimes", request_body = BuildMono,
    responses((status = 202, body = Runtime), (status = 403, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn build_mono(
    app: State,
    Json(BuildMono { from_packages }): Json<BuildMono>,
) -> Result<(StatusCode, axum::Json<Runtime>), Error> {
    Ok((StatusCode::ACCEPTED, axum::Json(runtimes::build_mono(&app, from_packages)?)))
}

/// Ends the making of the relocatable Mono; the one that was made before stays.
#[utoipa::path(post, path = "/runtimes/mono/cancel", tag = "runtimes",
    responses((status = 202, body = Runtime), (status = 403, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn cancel_mono(app: State) -> Result<(StatusCode, axum::Json<Runtime>), Error> {
    Ok((StatusCode::ACCEPTED, axum::Json(runtimes::cancel_mono(&app)?)))
}
