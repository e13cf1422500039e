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
    let seen = request.headers().get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    respond(request.method(), request.uri(), seen, Dist::get)
}

fn respond(method: &Method, uri: &Uri, seen: &str, find: impl Fn(&str) -> Option<EmbeddedFile>) -> Response {
    if uri.path().starts_with("/api/") {
        return (StatusCode::NOT_FOUND, "there is no such address in the API; see /api/v1/openapi.json")
            .into_response();
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = path_of(uri);
    match find(&path) {
        Some(file) => answer(&path, &file, seen),
        None if looks_like_file(&path) => (StatusCode::NOT_FOUND, "no such file").into_response(),
        None => match find(INDEX) {
            Some(index) => answer(INDEX, &index, seen),
            None => {
                let told = "this build of p2ppool carries no web page; the API is at /api/v1";
                (StatusCode::NOT_FOUND, told).into_response()
            }
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

    /// Files of this source tree stand in for those of a built page.
    #[derive(RustEmbed)]
    #[folder = "src/http"]
    struct Sources;

    fn find(path: &str) -> Option<EmbeddedFile> {
        match path {
            INDEX => Sources::get("mod.rs"),
            "favicon.svg" | "assets/app-1a2b.js" => Sources::get("page.rs"),
            _ => None,
        }
    }

    fn get(path: &str, seen: &str) -> Response {
        respond(&Method::GET, &path.parse().unwrap(), seen, find)
    }

    fn header_of(response: &Response, name: header::HeaderName) -> &str {
        response.headers().get(name).map_or("", |value| value.to_str().unwrap())
    }

    #[test]
    fn pages_fall_back_to_the_application_and_files_do_not() {
        let index = header_of(&get("/", ""), header::ETAG).to_owned();
        for page in ["/pools/x/nodes?q=a.b", "/pools/x/files/logs.zip", "/login", "/tasks/7", "/index.html"] {
            let response = get(page, "");
            assert_eq!(
                (response.status(), header_of(&response, header::ETAG)),
                (StatusCode::OK, index.as_str()),
                "{page}"
            );
        }
        for file in ["/favicon.ico", "/assets/app-old.js", "/.env", "/api/v1/nothing"] {
            assert_eq!(get(file, "").status(), StatusCode::NOT_FOUND, "{file}");
        }
        let post = respond(&Method::POST, &"/".parse().unwrap(), "", find);
        assert_eq!(post.status(), StatusCode::METHOD_NOT_ALLOWED);
    }

    #[test]
    fn hashed_files_are_kept_for_ever_and_others_are_asked_for_again() {
        assert!(header_of(&get("/assets/app-1a2b.js", ""), header::CACHE_CONTROL).contains("immutable"));
        let first = get("/favicon.svg", "");
        assert_eq!(header_of(&first, header::CACHE_CONTROL), "no-cache");
        let tag = header_of(&first, header::ETAG).to_owned();
        for seen in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
            assert_eq!(get("/favicon.svg", &seen).status(), StatusCode::NOT_MODIFIED, "{seen}");
        }
        assert_eq!(get("/favicon.svg", "\"other\"").status(), StatusCode::OK);
    }

    #[test]
    fn a_build_without_the_page_says_so() {
        let response = respond(&Method::GET, &"/".parse().unwrap(), "", |_| None);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}
