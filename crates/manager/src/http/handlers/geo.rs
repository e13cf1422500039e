//! Geolocation: sources, settings, looking an address up.

use serde::Deserialize;
use utoipa::IntoParams;

use crate::geo::GeoSettings;
use crate::http::State;
use crate::http::body::{Json, Query, Text};
use crate::http::error::ErrorAnswer;
use crate::service::Error;
use crate::service::geo::{self, GeoAnswer, GeoState};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LookupQuery {
    /// IPv4 or IPv6 address.
    ip: String,
}

/// Which files places come from, how old they are, and whom to thank.
#[utoipa::path(get, path = "/geo", tag = "geo",
    responses((status = 200, body = GeoState), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn show(app: State) -> Result<axum::Json<GeoState>, Error> {
    Ok(axum::Json(geo::state(&app).await?))
}

/// Chooses the files.
#[utoipa::path(put, path = "/geo", tag = "geo", request_body = GeoSettings,
    responses((status = 200, body = GeoState), (status = 403, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set(app: State, Json(settings): Json<GeoSettings>) -> Result<axum::Json<GeoState>, Error> {
    Ok(axum::Json(geo::set(&app, settings).await?))
}

/// Where an address is, and which source says so.
#[utoipa::path(get, path = "/geo/lookup", tag = "geo", params(LookupQuery),
    responses((status = 200, body = GeoAnswer), (status = 401, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn lookup(app: State, Query(query): Query<LookupQuery>) -> Result<axum::Json<GeoAnswer>, Error> {
    Ok(axum::Json(geo::lookup(&app, &query.ip).await?))
}

/// The text of geo-overrides.csv: one `cidr,lat,lon,city,country` a line.
#[utoipa::path(get, path = "/geo/overrides", tag = "geo",
    responses((status = 200, body = String, content_type = "text/csv"), (status = 403, body = ErrorAnswer)))]
pub(crate) async fn overrides(app: State) -> Result<impl axum::response::IntoResponse, Error> {
    Ok(([(axum::http::header::CONTENT_TYPE, "text/csv; charset=utf-8")], geo::overrides(&app).await?))
}

/// Replaces geo-overrides.csv; wrong lines are named and nothing is changed.
#[utoipa::path(put, path = "/geo/overrides", tag = "geo", request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = GeoState), (status = 403, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set_overrides(app: State, Text(text): Text) -> Result<axum::Json<GeoState>, Error> {
    Ok(axum::Json(geo::set_overrides(&app, text).await?))
}
