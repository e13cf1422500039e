//! The files of a pool that people may fetch.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;

use crate::http::State;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::export::attachment;
use crate::service::files::PoolFile;
use crate::service::{Error, files, pools};

/// Files of a pool.
#[utoipa::path(get, path = "/pools/{pool}/files", tag = "files", params(("pool" = String, Path)),
    responses((status = 200, body = [PoolFile]), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<Vec<PoolFile>>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(files::list(&app, &pool).await?))
}

/// One file, as an attachment that no browser runs.
#[utoipa::path(get, path = "/pools/{pool}/files/{*path}", tag = "files",
    params(("pool" = String, Path), ("path" = String, Path)),
    responses((status = 200, body = Vec<u8>, content_type = "application/octet-stream"), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn download(
    app: State,
    caller: Caller,
    Path((name, path)): Path<(String, String)>,
) -> Result<Response, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let file = files::open(&app, &pool, &path).await?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream")),
        (header::CONTENT_LENGTH, HeaderValue::from(file.size)),
        (header::CONTENT_DISPOSITION, attachment(&file.name)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'; frame-ancestors 'none'"),
        ),
    ];
    // No more than was announced, should the file grow while it is read.
    let reader = tokio::io::AsyncReadExt::take(file.file, file.size);
    Ok((headers, Body::from_stream(ReaderStream::new(reader))).into_response())
}
