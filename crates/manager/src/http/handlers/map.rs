//! Settings of maps.

use crate::http::State;
use crate::http::body::Json;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, map};
use crate::tiles::MapSettings;

/// How maps are drawn below their points. Also without an account: maps of public pools and share links need it.
#[utoipa::path(get, path = "/settings/map", tag = "settings", responses((status = 200, body = MapSettings)))]
pub(crate) async fn show(app: State) -> Result<axum::Json<MapSettings>, Error> {
    Ok(axum::Json(map::settings(&app).await?))
}

/// Chooses picture tiles for maps; fields that are left out get their defaults. The page's Content-Security-Policy
/// permits the tiles' server from the next time that a browser loads the page.
#[utoipa::path(put, path = "/settings/map", tag = "settings", request_body = MapSettings,
    responses((status = 200, body = MapSettings), (status = 403, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set(app: State, Json(settings): Json<MapSettings>) -> Result<axum::Json<MapSettings>, Error> {
    Ok(axum::Json(map::set(&app, settings).await?))
}
