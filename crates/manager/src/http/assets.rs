//! The web page: files that were built into the program, and `index.html` for every page of the
//! single-page application. The build leaves packed copies beside the hashed files, so that they are
//! never compressed while somebody waits.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::http::State;
use crate::http::security::{self, Allowed};
use crate::service::{map, shares};

#[derive(RustEmbed)]
#[folder = "../../web/dist"]
#[allow_missing = true]
struct Dist;

/// Vite puts files with a hash in their name here; they never change.
const HASHED: &str = "assets/";
const INDEX: &str = "index.html";

/// Where the page is told below which folder it lives.
const BASE: &str = "<base href=\"/\"";

/// A file of the page; `index.html` knows its folder.
fn found(path: &str, base: &str) -> Option<EmbeddedFile> {
    let mut file = Dist::get(path)?;
    if path == INDEX && base != "/" {
        let text = String::from_utf8_lossy(&file.data).replacen(BASE, &format!("<base href=\"{base}\""), 1);
        file.data = text.into_bytes().into();
    }
    Some(file)
}

/// Packed copies of a hashed file: name of the encoding and end of the file's name, the smallest first.
const PACKED: [(&str, &str); 2] = [("br", ".br"), ("gzip", ".gz")];

/// What the browser says of what it has and takes, and what its answer says beside the file.
#[derive(Clone, Copy, Default)]
struct Asker<'a> {
    /// `If-None-Match`.
    seen: &'a str,
    /// `Accept-Encoding`.
    takes: &'a str,
    /// The Content-Security-Policy of the answer.
    policy: &'a [u8],
}

impl<'a> Asker<'a> {
    fn of(headers: &'a HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self { seen: text(header::IF_NONE_MATCH), takes: text(header::ACCEPT_ENCODING), policy: &[] }
    }

    /// The encoding is named, and not by a weight of zero (RFC 9110, 12.5.3).
    fn takes(&self, encoding: &str) -> bool {
        self.takes.split(',').any(|one| {
            let (name, weight) = one.split_once(';').unwrap_or((one, ""));
            let refused = weight.trim().strip_prefix("q=").and_then(|q| q.parse::<f32>().ok()) == Some(0.0);
            name.trim().eq_ignore_ascii_case(encoding) && !refused
        })
    }
}

/// Handler: a file, or the application's page.
pub(crate) fn route(base: &str) -> axum::routing::MethodRouter<Arc<App>> {
    let base: Arc<str> = base.into();
    axum::routing::any(async move |app: State, request: Request| {
        let allowed = allowed(&app, request.uri().path()).await;
        let policy = security::policy_for(&allowed);
        let asker = Asker { policy: policy.as_bytes(), ..Asker::of(request.headers()) };
        let mut response = respond(request.method(), request.uri(), asker, |path| found(path, &base));
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        response
    })
}

/// What the page at this path may do more than others. Files that never change are none.
async fn allowed(app: &App, path: &str) -> Allowed {
    if path.trim_start_matches('/').starts_with(HASHED) {
        return Allowed::default();
    }
    let link = path.strip_prefix("/share/").and_then(|rest| rest.split('/').next());
    let embed = shared(app, link.unwrap_or_default()).await.map(|opened| opened.share.settings.embed);
    // Without tiles the map is drawn all the same, so the page is worth sending.
    let pictures = map::settings(app).await.inspect_err(|error| tracing::error!("read the settings of maps: {error}"));
    Allowed { pictures: pictures.ok().and_then(|map| map.tile_origin()), embed: embed.unwrap_or_default() }
}

/// The share link whose page this is. One that can't be read is none: its page just can't be embedded.
async fn shared(app: &App, secret: &str) -> Option<shares::Opened> {
    if secret.is_empty() {
        return None;
    }
    shares::open(app, secret).await.ok()
}

fn respond(method: &Method, uri: &Uri, asker: Asker<'_>, find: impl Fn(&str) -> Option<EmbeddedFile>) -> Response {
    if uri.path().starts_with("/api/") {
        return (StatusCode::NOT_FOUND, "there is no such address in the API; see /api/v1/openapi.json")
            .into_response();
    }
    if !matches!(*method, Method::GET | Method::HEAD) {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = path_of(uri);
    match find(&path) {
        Some(file) if path.starts_with(HASHED) => {
            let mut response = match packed(&path, asker, &find) {
                Some((encoding, copy)) => with_encoding(answer(&path, &file, &copy, asker), encoding),
                None => answer(&path, &file, &file, asker),
            };
            response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
            response
        }
        Some(file) => answer(&path, &file, &file, asker),
        None if looks_like_file(&path) => (StatusCode::NOT_FOUND, "no such file").into_response(),
        None => match find(INDEX) {
            Some(index) => answer(INDEX, &index, &index, asker),
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

fn packed(
    path: &str,
    asker: Asker<'_>,
    find: impl Fn(&str) -> Option<EmbeddedFile>,
) -> Option<(&'static str, EmbeddedFile)> {
    PACKED
        .into_iter()
        .filter(|(encoding, _)| asker.takes(encoding))
        .find_map(|(encoding, end)| Some((encoding, find(&format!("{path}{end}"))?)))
}

fn with_encoding(mut response: Response, encoding: &'static str) -> Response {
    response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    response
}

/// `copy` is what is sent of `file`: itself, or a packed copy.
fn answer(path: &str, file: &EmbeddedFile, copy: &EmbeddedFile, asker: Asker<'_>) -> Response {
    // A browser that kept the page with another policy has to take it again: some leave the headers as they were.
    let policy = Sha256::digest(asker.policy);
    let hash: String =
        copy.metadata.sha256_hash()[..16].iter().chain(&policy[..4]).map(|byte| format!("{byte:02x}")).collect();
    let tag = format!("\"{hash}\"");
    let cache = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    // Compression makes the tag weak on its way out, so `W/"…"` may come back.
    let same = asker.seen.split(',').any(|one| one.trim().trim_start_matches("W/") == tag);
    let mut response = if same {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = file.metadata.mimetype().to_owned();
        ([(header::CONTENT_TYPE, kind)], copy.data.clone()).into_response()
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
            "assets/app-1a2b.js.br" => Sources::get("export.rs"),
            "assets/app-1a2b.js.gz" => Sources::get("sse.rs"),
            _ => None,
        }
    }

    fn get(path: &str, seen: &str) -> Response {
        respond(&Method::GET, &path.parse().unwrap(), Asker { seen, ..Asker::default() }, find)
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
        let post = respond(&Method::POST, &"/".parse().unwrap(), Asker::default(), find);
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
    fn a_page_that_was_kept_with_another_policy_is_sent_again() {
        let ask = |seen, policy| respond(&Method::GET, &"/".parse().unwrap(), Asker { seen, policy, takes: "" }, find);
        let first = ask("", b"img-src 'self'");
        let tag = header_of(&first, header::ETAG);
        assert_eq!(ask(tag, b"img-src 'self'").status(), StatusCode::NOT_MODIFIED);
        assert_eq!(ask(tag, b"img-src 'self' https://tiles.example").status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn the_smallest_packed_copy_that_the_browser_takes_is_sent() {
        let script = "/assets/app-1a2b.js";
        let ask = |takes| respond(&Method::GET, &script.parse().unwrap(), Asker { takes, ..Asker::default() }, find);
        for (takes, encoding, sent) in [
            ("gzip, deflate, br, zstd", "br", "export.rs"),
            ("gzip;q=0.5, br;q=0", "gzip", "sse.rs"),
            ("deflate", "", "page.rs"),
            ("", "", "page.rs"),
        ] {
            let response = ask(takes);
            assert_eq!(header_of(&response, header::CONTENT_ENCODING), encoding, "{takes}");
            assert_eq!(header_of(&response, header::VARY), "accept-encoding");
            let plain = Sources::get("page.rs").unwrap().metadata.mimetype().to_owned();
            assert_eq!(header_of(&response, header::CONTENT_TYPE), plain, "{takes}");
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert_eq!(body.as_ref(), Sources::get(sent).unwrap().data.as_ref(), "{takes}");
        }
        assert_eq!(header_of(&get("/favicon.svg", ""), header::CONTENT_ENCODING), "");
    }

    #[test]
    fn a_build_without_the_page_says_so() {
        let response = respond(&Method::GET, &"/".parse().unwrap(), Asker::default(), |_| None);
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
}
