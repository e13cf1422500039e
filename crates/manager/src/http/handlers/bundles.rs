//! Bundles.

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use p2ppool_model::bundle::Bundle;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::State;
use crate::http::body::{BUNDLE_MAX, Query};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, bundles};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct UploadQuery {
    /// File name of the archive.
    name: String,
}

/// Every bundle, newest first.
#[utoipa::path(get, path = "/bundles", tag = "bundles",
    responses((status = 200, body = [Bundle]), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn list(app: State, caller: Caller) -> Result<axum::Json<Vec<Bundle>>, Error> {
    caller.person("listing bundles")?;
    Ok(axum::Json(bundles::list(&app).await?))
}

/// Uploads an archive (zip or tar.gz) as the body itself. The same bytes again are the same bundle.
#[utoipa::path(post, path = "/bundles", tag = "bundles", params(UploadQuery),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Bundle), (status = 413, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn upload(
    app: State,
    caller: Caller,
    Query(query): Query<UploadQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, axum::Json<Bundle>), Error> {
    let person = caller.person("uploading a bundle")?;
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > BUNDLE_MAX) {
        return Err(Error::TooLarge { what: "the bundle", limit: BUNDLE_MAX });
    }
    let bundle = bundles::upload(&app, person, &query.name, body.into_data_stream(), BUNDLE_MAX).await?;
    Ok((StatusCode::CREATED, axum::Json(bundle)))
}
