//! URL, status and JSON field. Handlers take the request apart, ask who may, and make one call.

pub mod assets;
pub(crate) mod audit;
pub mod body;
pub mod caller;
pub mod cookies;
pub mod error;
pub(crate) mod export;
pub mod handlers;
pub(crate) mod next;
pub mod openapi;
pub mod page;
pub(crate) mod permit;
pub mod rates;
pub mod request_id;
pub mod security;
pub mod server;
pub mod site;
pub mod sse;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::{Router, middleware};
use tower::ServiceExt as _;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, NotForContentType, Predicate};
use tower_http::timeout::TimeoutLayer;

use crate::app::App;

/// What every handler is given.
pub(crate) type State = axum::extract::State<Arc<App>>;

/// Longest time until an answer begins. Streams go on after that.
const ANSWER_DEADLINE: Duration = Duration::from_secs(30);

/// Everything that the server serves.
pub fn router(app: Arc<App>) -> Router {
    let (api, document) = openapi::routes().split_for_parts();
    let document = openapi::finish(document);
    let site = Arc::new(app.site.clone());
    let base = site.base.clone();
    let page = assets::route(&base);
    let inner = Router::new()
        .merge(
            // the last one is asked first
            api.route_layer(middleware::from_fn_with_state(Arc::clone(&app), permit::enforce))
                .route_layer(middleware::from_fn_with_state(Arc::clone(&app), audit::record)),
        )
        .merge(openapi::route(&document))
        .route("/metrics", axum::routing::get(handlers::metrics::metrics))
        .fallback(page)
        .with_state(app)
        .layer(DefaultBodyLimit::max(body::JSON_MAX))
        .layer(middleware::from_fn_with_state(Arc::clone(&site), security::check_origin))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(middleware::from_fn(error::write_errors))
        .layer(CompressionLayer::new().compress_when(worth_compressing()))
        .layer(middleware::from_fn_with_state(site, security::add_headers))
        .layer(middleware::from_fn(request_id::number));
    below(base, inner)
}

/// The same, below a folder: requests for anything else are answered by nothing of ours.
fn below(base: String, inner: Router) -> Router {
    if base == "/" {
        return inner;
    }
    let serve = move |mut request: Request| async move {
        let path = request.uri().path();
        if path == base.trim_end_matches('/') {
            return axum::response::Redirect::permanent(&base).into_response();
        }
        let Some(rest) = path.strip_prefix(&base) else { return StatusCode::NOT_FOUND.into_response() };
        let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
        match format!("/{rest}{query}").parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(_) => return StatusCode::BAD_REQUEST.into_response(),
        }
        inner.oneshot(request).await.into_response()
    };
    Router::new().fallback(serve)
}

/// Files of pools are mostly archives; streams of events must not wait for a full block.
fn worth_compressing() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("application/octet-stream"))
}

/// For routes that answer at once; not for uploads.
pub(crate) fn answer_deadline() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, ANSWER_DEADLINE)
}
