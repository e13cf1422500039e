//! The web page: files that were built into the program, and `index.html` for every page of the
//! single-page application.

use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// Vite puts files with a hash in their name here; they never change.
const HASHED: &str = "assets/";
const INDEX: &str = "index.html";

/// Handler: a file, or the application's page.
pub(crate) async fn serve(request: Request) -> Response {
    if request.uri().path().starts_with("/api/") {
        return (StatusCode::NOT_FOUND, "there is no such address in the API; see /api/v1/openapi.json")
            .into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = path_of(request.uri());
    let seen = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match Dist::get(&path) {
        Some(file) => answer(&path, &file, seen),
        None if looks_like_file(&path) => (StatusCode::NOT_FOUND, "no such file").into_response(),
        None => match Dist::get(INDEX) {
            Some(index) => answer(INDEX, &index, seen),
            None => (StatusCode::NOT_FOUND, "this build of p2ppool carries no web page; the API is at /api/v1")
                .into_response(),
        },
    }
}

fn path_of(uri: &Uri) -> String {
    match uri.path().trim_start_matches('/') {
        "" => INDEX.to_owned(),
        path => path.to_owned(),
    }
}

/// Pages have no dot in their last part, but below a pool's files they may.
fn looks_like_file(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    last.contains('.') && !path.starts_with("pools/")
}

fn answer(path: &str, file: &EmbeddedFile, seen: &str) -> Response {
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    // Compression makes the tag weak on its way out, so `W/"…"` may come back.
    let same = seen.split(',').any(|one| one.trim().trim_start_matches("W/") == tag);
    let mut response = if same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = file.metadata.mimetype().to_owned();
        ([(header::CONTENT_TYPE, kind)], file.data.clone()).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_fall_back_to_the_application_and_files_do_not() {
        for page in ["pools/x/nodes", "pools/x/files/logs.zip", "login", "tasks/7"] {
            assert!(!looks_like_file(page), "{page}");
        }
        for file in ["favicon.ico", "assets/x-1a2b.js"] {
            assert!(looks_like_file(file), "{file}");
        }
    }
}
