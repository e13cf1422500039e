//! What keeps other web sites and injected markup out: answer headers and the origin check.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::service::Error;

/// Scripts and styles only from here, none inline; style attributes are allowed for charts and maps.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; \
     img-src 'self' data: blob: https:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self' blob:; \
     base-uri 'self'; form-action 'self'; frame-ancestors 'none'";

/// Middleware: adds the headers where the handler did not set its own.
pub(crate) async fn add_headers(request: Request, next: Next) -> Response {
    let for_api = request.uri().path().starts_with("/api/");
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut add = |name, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    add(header::CONTENT_SECURITY_POLICY, CONTENT_POLICY);
    add(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    add(header::REFERRER_POLICY, "same-origin");
    add(header::X_FRAME_OPTIONS, "DENY");
    add(axum::http::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    add(axum::http::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    if for_api {
        add(header::CACHE_CONTROL, "no-store");
    }
    response
}

/// Middleware: a changing request that a browser sends for another site is refused. Requests with
/// an `Authorization` header can't be forged that way and pass.
pub(crate) async fn check_origin(request: Request, next: Next) -> Response {
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if changes && !request.headers().contains_key(header::AUTHORIZATION) && !is_same_site(request.headers()) {
        return Error::CrossSite.into_response();
    }
    next.run(request).await
}

/// Browsers tell by `Sec-Fetch-Site`, older ones by `Origin`; programs that send neither are no
/// browsers and carry no foreign cookies.
fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: header::HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    match (text(header::HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            host.is_some() && host == text(header::HOST)
        }
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
        assert!(is_same_site(&headers(&[host])));
        assert!(is_same_site(&headers(&[host, ("sec-fetch-site", "same-origin")])));
        assert!(!is_same_site(&headers(&[host, ("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8080")])));
        assert!(!is_same_site(&headers(&[host, ("sec-fetch-site", "cross-site")])));
        assert!(is_same_site(&headers(&[host, ("origin", "http://127.0.0.1:8080")])));
        assert!(!is_same_site(&headers(&[host, ("origin", "http://127.0.0.1:8081")])));
        assert!(!is_same_site(&headers(&[host, ("origin", "null")])));
    }
}
