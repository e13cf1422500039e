//! Who did what: one line of the audit log for each request that changed something, tried to, or read a secret.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use p2ppool_model::Time;
use p2ppool_model::audit::AuditResult;
use p2ppool_store::AuditEntry;
use serde_json::json;

use crate::accounts::Viewer;
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::openapi::PREFIX;

/// Routes that change nothing although they are asked by POST.
const CHANGES_NOTHING: [&str; 2] = ["/hosts/parse", "/workflows/check"];
/// Routes whose answers may hold a secret (the network's, for those who manage the pool) or speak of one.
const READS_SECRETS: [&str; 2] = ["/pools/{pool}/connect", "/pools/{pool}/key"];
/// Routes at which somebody shows who they are: that it failed is written down, too.
const SHOWS_WHO: [&str; 4] = ["/login", "/me/password", "/me/totp", "/oidc/callback"];

/// Set by a handler that knows better who did it: the one who has just logged in.
#[derive(Clone, Debug)]
pub(crate) struct DoneBy(pub(crate) Viewer);

/// Set by a handler that knows on what it was done.
#[derive(Clone, Debug)]
pub(crate) struct DoneOn(pub(crate) String);

/// Set by a handler that sends the browser elsewhere because a login failed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LoginFailed {
    /// Why, in a word.
    pub(crate) code: &'static str,
    /// How it is written down; `None`: not at all.
    pub(crate) result: Option<AuditResult>,
}

/// Middleware: writes down changes and reads of secrets, refused and failed ones included. What was only asked in a
/// wrong way (a field that can't be, a name that is taken) changed nothing and is left out.
pub(crate) async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.as_deref().and_then(|path| path.strip_prefix(PREFIX)).unwrap_or_default().to_owned();
    if !is_recorded(request.method(), &route) {
        return next.run(request).await;
    }
    let (mut parts, body) = request.into_parts();
    let caller = Caller::from_request_parts(&mut parts, &app).await.ok();
    let method = parts.method.clone();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let response = next.run(Request::from_parts(parts, body)).await;
    let known = caller.as_ref().is_some_and(|caller| caller.viewer != Viewer::Anonymous);
    let result = match response.extensions().get::<LoginFailed>() {
        Some(failed) => failed.result,
        None => result_of(&route, known, response.status()),
    };
    if let Some(result) = result {
        let entry = entry(&method, &route, &path, caller.as_ref(), &response, result);
        if let Err(error) = app.store.append_audit(&entry).await {
            tracing::error!("write {} into the audit log: {error}", entry.action);
        }
    }
    response
}

fn is_recorded(method: &Method, route: &str) -> bool {
    let reads = matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS);
    if reads { READS_SECRETS.contains(&route) || SHOWS_WHO.contains(&route) } else { !CHANGES_NOTHING.contains(&route) }
}

/// Strangers who are refused leave no line, so that nobody without an account can fill the log; their failed
/// logins, which are slowed down, do.
fn result_of(route: &str, known: bool, status: StatusCode) -> Option<AuditResult> {
    let shows_who = SHOWS_WHO.contains(&route);
    match status {
        status if status.is_success() || status.is_redirection() => Some(AuditResult::Ok),
        StatusCode::UNAUTHORIZED if shows_who => Some(AuditResult::Refused),
        StatusCode::FORBIDDEN if known => Some(AuditResult::Refused),
        status if status.is_server_error() && status != StatusCode::SERVICE_UNAVAILABLE && known => {
            Some(AuditResult::Failed)
        }
        _ => None,
    }
}

fn entry(
    method: &Method,
    route: &str,
    path: &str,
    caller: Option<&Caller>,
    response: &Response,
    result: AuditResult,
) -> AuditEntry {
    let pool = path.strip_prefix("/pools/").and_then(|rest| rest.split('/').next()).map(str::to_owned);
    let done_by = response.extensions().get::<DoneBy>().map(|DoneBy(viewer)| viewer);
    let viewer = done_by.or(caller.map(|caller| &caller.viewer)).unwrap_or(&Viewer::Anonymous);
    let done_on = response.extensions().get::<DoneOn>().map(|DoneOn(subject)| subject.clone());
    let mut details = json!({ "status": response.status().as_u16() });
    if let Some(LoginFailed { code, .. }) = response.extensions().get() {
        details["code"] = json!(code);
    }
    AuditEntry {
        at: Time::now(),
        user: viewer.id(),
        actor: viewer.name().to_owned(),
        action: format!("{method} {route}"),
        pool,
        // The token of a share link is a secret, and stands in its path.
        subject: done_on.unwrap_or_else(|| path.trim_start_matches('/').to_owned()),
        details,
        address: caller.map(|caller| caller.address.to_string()),
        result: Some(result),
    }
}
