//! Every request gets a number that its log lines and its error answer share.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// The answer's header.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Number of a request: process start (random) and a counter. What a client sends is not taken over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestId(u64);

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl RequestId {
    fn next() -> Self {
        static NEXT: std::sync::LazyLock<AtomicU64> = std::sync::LazyLock::new(|| {
            let start = getrandom::u64().unwrap_or(0) & 0xffff_ffff;
            AtomicU64::new(start << 32)
        });
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = std::convert::Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts.extensions.get().copied().unwrap_or_default())
    }
}

/// Middleware: numbers the request and tells the number in the answer.
pub(crate) async fn number(mut request: Request, next: Next) -> Response {
    let id = RequestId::next();
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
