//! What keeps other web sites and injected markup out: answer headers and the origin check.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::site::{Connection, Site};
use crate::service::Error;

/// Scripts and styles only from here, none inline; style attributes are allowed for charts and maps.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
     img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self' blob:; \
     base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// What a page may do more than others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// The one origin beside ours that it may get pictures from.
    pub(crate) pictures: Option<String>,
    /// These web sites may show it in a frame of theirs; nobody when there are none.
    pub(crate) embed: Vec<String>,
}

/// The policy of a page that may do this.
pub(crate) fn policy_for(allowed: &Allowed) -> HeaderValue {
    let mut policy = CONTENT_POLICY.to_owned();
    if let Some(origin) = &allowed.pictures {
        policy = policy.replace("img-src 'self'", &format!("img-src 'self' {origin}"));
    }
    if !allowed.embed.is_empty() {
        let sites = format!("frame-ancestors {}", allowed.embed.join(" "));
        policy = policy.replace("frame-ancestors 'none'", &sites);
    }
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static(CONTENT_POLICY))
}

/// Middleware: adds the headers where the handler did not set its own.
pub(crate) async fn add_headers(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let connection = request.extensions().get::<Connection>().copied().unwrap_or_default();
    let encrypted = site.is_encrypted(connection, request.headers());
    let for_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut add = |name, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    add(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    if encrypted {
        // Other services of this host may speak plain HTTP: so not for subdomains.
        add(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::REFERRER_POLICY, "same-origin");
    add(axum::http::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    add(axum::http::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    add(HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
    if for_api {
        add(header::CACHE_CONTROL, "no-store");
    }
    // For browsers that don't know frame-ancestors; it can't name who may.
    let unframed = headers
        .get(header::CONTENT_SECURITY_POLICY)
        .is_some_and(|policy| policy.to_str().is_ok_and(|policy| policy.contains("frame-ancestors 'none'")));
    if unframed {
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    response
}

/// Middleware: a request for a name that is not ours is refused, and so is a changing request that a browser sends
/// for another site. Requests with an `Authorization` header can't be forged that way and pass the second.
pub(crate) async fn check_origin(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    if let Some(host) = request.headers().get(header::HOST) {
        let host = host.to_str().unwrap_or("?");
        if !site.is_for_us(host) {
            return Error::ForeignHost(host.chars().take(100).collect()).into_response();
        }
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !request.headers().contains_key(header::AUTHORIZATION) && !is_same_site(&site, request.headers()) {
        return Error::CrossSite.into_response();
    }
    next.run(request).await
}

/// Browsers tell by `Sec-Fetch-Site`, older ones by `Origin`; programs that send neither are no
/// browsers and carry no foreign cookies.
fn is_same_site(site: &Site, headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text(header::HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        (Some(from), _) => matches!(from, "same-origin" | "none"),
        (None, Some(origin)) => site.is_our_origin(origin, text(header::HOST)),
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (header::HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_our_own_pages_and_programs_may_change_things() {
        let host = ("host", "127.0.0.1:8080");
        assert!(is_same_site(&Site::default(), &headers(&[host])));
        assert!(is_same_site(&Site::default(), &headers(&[host, ("sec-fetch-site", "same-origin")])));
        assert!(!is_same_site(
            &Site::default(),
            &headers(&[host, ("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8080")])
        ));
        assert!(!is_same_site(&Site::default(), &headers(&[host, ("sec-fetch-site", "cross-site")])));
        assert!(is_same_site(&Site::default(), &headers(&[host, ("origin", "http://127.0.0.1:8080")])));
        assert!(!is_same_site(&Site::default(), &headers(&[host, ("origin", "http://127.0.0.1:8081")])));
        assert!(!is_same_site(&Site::default(), &headers(&[host, ("origin", "null")])));
    }

    #[test]
    fn a_page_gets_pictures_from_one_more_server_and_nothing_else_changes() {
        let tiles = Allowed { pictures: Some("https://tiles.example:8443".into()), embed: Vec::new() };
        let policy = policy_for(&tiles).to_str().unwrap().to_owned();
        assert_eq!(policy.replace(" https://tiles.example:8443", ""), CONTENT_POLICY);
        let directive = policy.split("; ").find(|directive| directive.starts_with("img-src")).unwrap();
        assert_eq!(directive, "img-src 'self' https://tiles.example:8443 data: blob:");
        let both = Allowed { embed: vec!["https://a.example".into(), "https://b.example".into()], ..tiles };
        let both = policy_for(&both).to_str().unwrap().to_owned();
        assert!(both.ends_with("; frame-ancestors https://a.example https://b.example"), "{both}");
        assert_eq!(policy_for(&Allowed::default()), CONTENT_POLICY);
    }
}
