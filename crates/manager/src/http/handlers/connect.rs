//! How to join a pool.

use axum::extract::Path;

use crate::http::State;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::connect::{self, Connect};
use crate::service::{Error, pools};

/// Bootstrap addresses and ready configs with which a node joins this pool.
#[utoipa::path(get, path = "/pools/{pool}/connect", tag = "pools", params(("pool" = String, Path)),
    responses((status = 200, body = Connect), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(app: State, caller: Caller, Path(name): Path<String>) -> Result<axum::Json<Connect>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(connect::connect(&app, &caller.viewer, &pool).await?))
}
