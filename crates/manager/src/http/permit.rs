//! Enforces the permission table before a handler is asked.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use p2ppool_model::TaskId;

use crate::accounts::permissions::{Needs, Refusal, Rule, decide, missing, rule_of};
use crate::accounts::{Right, Viewer};
use crate::app::App;
use crate::http::caller::Caller;
use crate::http::openapi::{self, PREFIX};
use crate::service::{Error, pools, tasks};

/// Where a session begins.
const LOGIN: &str = "/login";

/// Middleware: lets through what the table permits.
pub(crate) async fn enforce(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if is_no_route(&parts) {
        return next.run(Request::from_parts(parts, body)).await;
    }
    match permit(&app, &mut parts).await {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => error.into_response(),
    }
}

/// The path exists, but not with this method: the router answers that.
fn is_no_route(parts: &Parts) -> bool {
    let (method, route) = route_of(parts);
    rule_of(method, &route).is_none() && !openapi::has(method, &route)
}

/// Method and path as in the table.
fn route_of(parts: &Parts) -> (&str, String) {
    let route = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().replace("{*", "{"));
    let route = route.as_deref().and_then(|path| path.strip_prefix(PREFIX)).unwrap_or_default().to_owned();
    let method = if parts.method == Method::HEAD { "GET" } else { parts.method.as_str() };
    (method, route)
}

async fn permit(app: &Arc<App>, parts: &mut Parts) -> Result<(), Error> {
    let (method, route) = route_of(parts);
    let Some(rule) = rule_of(method, &route) else {
        return Err(Error::NoRule(missing(method, &route)));
    };
    let caller = Caller::from_request_parts(parts, app).await?;
    // Who logs in again uses nothing of the session that there is.
    if rule.path != LOGIN {
        caller.check_csrf(parts)?;
    }
    app.rates.admit(&caller)?;
    let right = match rule.needs {
        Needs::Pool(_) => right_on_pool(app, parts, &caller.viewer).await?,
        Needs::Task(_) => right_on_task(app, parts, &caller.viewer).await?,
        _ => None,
    };
    decide(rule.needs, &caller.viewer, right).map_err(|why| told(why, rule, parts))
}

async fn parameter(app: &Arc<App>, parts: &mut Parts, name: &str) -> Result<String, Error> {
    let all = RawPathParams::from_request_parts(parts, app)
        .await
        .map_err(|rejection| Error::BadRequest(rejection.body_text()))?;
    let found = all.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned());
    found.ok_or_else(|| Error::internal(anyhow::anyhow!("the route has no parameter {name}")))
}

async fn right_on_pool(app: &Arc<App>, parts: &mut Parts, viewer: &Viewer) -> Result<Option<Right>, Error> {
    let name = parameter(app, parts, "pool").await?;
    // One that can't be seen is told apart from none by nobody; `visible` words that.
    Ok(viewer.right_on(&pools::visible(app, viewer, &name).await?))
}

async fn right_on_task(app: &Arc<App>, parts: &mut Parts, viewer: &Viewer) -> Result<Option<Right>, Error> {
    let text = parameter(app, parts, "id").await?;
    let id: TaskId = text.parse().map_err(|_| Error::BadRequest(format!("`{text}` is not the number of a task")))?;
    let task = tasks::visible(app, viewer, id).await?;
    tasks::right_on(app, viewer, &task).await
}

fn told(why: Refusal, rule: &Rule, parts: &Parts) -> Error {
    let what = format!("{} {}", parts.method, rule.path);
    match why {
        Refusal::NeedsAccount => Error::Unauthenticated("this"),
        Refusal::Unseen => Error::not_found("pool", rule.path),
        Refusal::NeedsRole(role) => Error::Denied(format!("{what} needs the role {} or better", role.as_str())),
        Refusal::NeedsRight(Right::Own) => {
            Error::Denied(format!("{what} needs the role administrator or better, or to own the pool"))
        }
        Refusal::NeedsRight(_) => Error::Denied(format!(
            "{what} needs the role administrator or better, or the role publisher and to own or manage the pool"
        )),
        Refusal::Limited => Error::Denied(format!("{what} is not for a token that is limited to some pools")),
    }
}
