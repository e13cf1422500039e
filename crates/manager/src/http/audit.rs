//! Who changed what: one line of the audit log for each request that changed something.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use p2ppool_model::Time;
use p2ppool_store::AuditEntry;
use serde_json::json;

use crate::accounts::Viewer;
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::openapi::PREFIX;

/// Routes that change nothing although they are asked by POST.
const CHANGES_NOTHING: [&str; 1] = ["/hosts/parse"];

/// Middleware: writes down changes that were made, and logins that failed.
pub(crate) async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.as_deref().and_then(|path| path.strip_prefix(PREFIX)).map(str::to_owned);
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let Some(route) = route.filter(|route| changes && !CHANGES_NOTHING.contains(&route.as_str())) else {
        return next.run(request).await;
    };
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &app).await.ok();
    let method = parts.method.clone();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let response = next.run(Request::from_parts(parts, body)).await;
    let login_failed = route == "/login" && response.status() == StatusCode::UNAUTHORIZED;
    if response.status().is_success() || login_failed {
        let entry = entry(&method, &route, &path, caller.as_ref(), response.status());
        if let Err(error) = app.store.append_audit(&entry).await {
            tracing::error!("write {} into the audit log: {error}", entry.action);
        }
    }
    response
}

fn entry(method: &Method, route: &str, path: &str, caller: Option<&Caller>, status: StatusCode) -> AuditEntry {
    let pool = path.strip_prefix("/pools/").and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let viewer = caller.map_or(&Viewer::Anonymous, |caller| &caller.viewer);
    AuditEntry {
        at: Time::now(),
        user: viewer.id(),
        actor: viewer.name().to_owned(),
        action: format!("{method} {route}"),
        pool,
        subject: path.trim_start_matches('/').to_owned(),
        details: json!({ "status": status.as_u16() }),
        address: caller.map(|caller| caller.address.to_string()),
    }
}
