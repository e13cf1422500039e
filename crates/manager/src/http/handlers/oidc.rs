//! Login by an OpenID Connect provider.

use axum::Extension;
use axum::http::{HeaderMap, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect};
use axum_extra::extract::CookieJar;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::accounts::{Reach, Viewer};
use crate::http::State;
use crate::http::audit::DoneBy;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::cookies;
use crate::http::error::ErrorAnswer;
use crate::http::openapi::PREFIX;
use crate::http::site::Connection;
use crate::service::{Error, accounts, oidc};

/// Cookie of a login that has begun.
const PENDING: &str = "p2ppool_login";

/// Whether there is a provider to log in by.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OidcInfo {
    /// There is one: send the browser to `oidc/login`.
    enabled: bool,
    /// Its address.
    issuer: Option<String>,
}

/// Is there a provider to log in by?
#[utoipa::path(get, path = "/oidc", tag = "accounts", responses((status = 200, body = OidcInfo)))]
pub(crate) async fn show(app: State) -> axum::Json<OidcInfo> {
    let issuer = app.oidc.as_ref().map(|config| config.issuer.clone());
    axum::Json(OidcInfo { enabled: issuer.is_some(), issuer })
}

/// Sends the browser to the provider.
#[utoipa::path(get, path = "/oidc/login", tag = "accounts", responses((status = 303), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn login(
    app: State,
    caller: Caller,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Error> {
    let begun = oidc::begin(&app, &callback(&app, connection, &headers)).await?;
    let cookie = caller.cookies.for_pending(PENDING, &begun.pending, oidc::PENDING_MAX.as_secs());
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&begun.url)))
}

fn callback(app: &State, connection: Connection, headers: &HeaderMap) -> String {
    let site = app.site.url(connection, headers);
    format!("{}{PREFIX}/oidc/callback", site.trim_end_matches('/'))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct CallbackQuery {
    /// The provider's code.
    code: String,
    /// What the login began with.
    state: String,
    /// Why the provider refused.
    error: Option<String>,
}

/// The provider sends the browser back to here; it is sent on to the page, logged in.
#[utoipa::path(get, path = "/oidc/callback", tag = "accounts", params(CallbackQuery),
    responses((status = 303), (status = 401, body = ErrorAnswer), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn finish(
    app: State,
    caller: Caller,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    Query(query): Query<CallbackQuery>,
) -> Result<impl IntoResponse, Error> {
    if let Some(error) = query.error {
        let shown: String = error.chars().filter(|c| !c.is_control()).take(100).collect();
        return Err(Error::LoginRefused(format!("the provider refused: {shown}")));
    }
    let pending = CookieJar::from_headers(&headers).get(PENDING).map(|cookie| cookie.value().to_owned());
    let back = oidc::Back {
        code: query.code,
        state: query.state,
        pending: pending.unwrap_or_default(),
        callback: callback(&app, connection, &headers),
    };
    let user = oidc::finish(&app, back).await?;
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let secret = accounts::begin_session(&app, user.id, caller.address, agent).await?;
    let done_by = Viewer::Person { id: user.id, name: user.name, role: user.role, reach: Reach::default() };
    let [session, csrf] = cookies::begin(&secret, &caller.cookies);
    let set = [session, csrf, caller.cookies.for_pending(PENDING, "", 0)];
    let set = AppendHeaders(set.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok((set, Extension(DoneBy(done_by)), Redirect::to(&app.site.base)))
}
