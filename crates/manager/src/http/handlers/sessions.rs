//! Sessions in browsers: one's own, and others' for those who manage people.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::{Time, UserId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::State;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, sessions};

/// A session in a browser.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    /// Row identity, to end it by.
    id: i64,
    /// Login.
    created: Time,
    /// Last use, to the minute.
    last_seen: Time,
    /// It ends when it isn't used until then.
    idle_until: Time,
    /// It ends then, however much it is used.
    expires: Time,
    /// Network address at login.
    address: String,
    /// Browser at login, as it says.
    agent: String,
    /// It is the one that asks.
    current: bool,
}

impl Session {
    fn new(session: p2ppool_store::Session, current: Option<i64>) -> Self {
        let p2ppool_store::Session { id, created, last_seen, idle_until, expires, address, agent, .. } = session;
        Self { id, created, last_seen, idle_until, expires, address, agent, current: current == Some(id) }
    }
}

/// How many sessions were ended.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ended {
    /// Sessions.
    ended: u64,
}

/// Your sessions, last used first.
#[utoipa::path(get, path = "/sessions", tag = "accounts",
    responses((status = 200, body = [Session]), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn list(app: State, caller: Caller) -> Result<axum::Json<Vec<Session>>, Error> {
    let person = caller.person("listing sessions")?;
    let current = sessions::current(&app, &caller.proof).await?;
    let all = sessions::of(&app, person.id()).await?;
    Ok(axum::Json(all.into_iter().map(|session| Session::new(session, current)).collect()))
}

/// Ends one of your sessions.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "accounts", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn delete(app: State, caller: Caller, Path(id): Path<i64>) -> Result<StatusCode, Error> {
    sessions::end(&app, caller.person("ending a session")?.id(), id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all your sessions but the one that asks.
#[utoipa::path(delete, path = "/sessions", tag = "accounts",
    responses((status = 200, body = Ended), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn delete_others(app: State, caller: Caller) -> Result<axum::Json<Ended>, Error> {
    let person = caller.person("ending sessions")?;
    let current = sessions::current(&app, &caller.proof).await?;
    Ok(axum::Json(Ended { ended: sessions::end_all(&app, person.id(), current).await? }))
}

/// Sessions of a person, last used first.
#[utoipa::path(get, path = "/users/{id}/sessions", tag = "users", params(("id" = i64, Path)),
    responses((status = 200, body = [Session]), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list_of(app: State, Path(id): Path<UserId>) -> Result<axum::Json<Vec<Session>>, Error> {
    let all = sessions::of(&app, Some(app.store.user(id).await?.id)).await?;
    Ok(axum::Json(all.into_iter().map(|session| Session::new(session, None)).collect()))
}

/// Ends every session of a person.
#[utoipa::path(delete, path = "/users/{id}/sessions", tag = "users", params(("id" = i64, Path)),
    responses((status = 200, body = Ended), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn delete_of(app: State, Path(id): Path<UserId>) -> Result<axum::Json<Ended>, Error> {
    let user = app.store.user(id).await?.id;
    Ok(axum::Json(Ended { ended: sessions::end_all(&app, Some(user), None).await? }))
}
