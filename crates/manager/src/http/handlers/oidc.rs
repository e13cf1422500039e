//! Login by an OpenID Connect provider.

use axum::Extension;
use axum::http::{HeaderMap, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use p2ppool_model::audit::AuditResult;
use serde::{Deserialize, Serialize};
use url::form_urlencoded;
use utoipa::{IntoParams, ToSchema};

use crate::accounts::{Reach, Viewer};
use crate::http::State;
use crate::http::audit::{DoneBy, LoginFailed};
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::cookies;
use crate::http::error::ErrorAnswer;
use crate::http::next::page_of;
use crate::http::openapi::PREFIX;
use crate::http::request_id::RequestId;
use crate::http::site::Connection;
use crate::service::oidc::OidcConfig;
use crate::service::oidc_refusal::Refusal;
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

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct LoginQuery {
    /// The page to end at, relative to the manager's folder, such as `pools/x/nodes?q=a`; without: the first one.
    next: String,
}

/// Sends the browser to the provider; when that can't be asked, back to the page of the login, as `oidc/callback` does.
#[utoipa::path(get, path = "/oidc/login", tag = "accounts", params(LoginQuery),
    responses((status = 303), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn login(
    app: State,
    caller: Caller,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    id: RequestId,
    Query(LoginQuery { next }): Query<LoginQuery>,
) -> Result<Response, Error> {
    let config = oidc::configured(&app)?;
    page_of(&app.site.base, &next).map_err(|why| Error::field("next", why))?;
    let begun = match oidc::begin(&app, config, &callback(&app, connection, &headers), &next).await {
        Ok(begun) => begun,
        Err(refusal) => return Ok(back_to_login(&app, id, &refusal, &next)),
    };
    let cookie = caller.cookies.for_pending(PENDING, &begun.pending, oidc::PENDING_MAX.as_secs());
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&begun.url)).into_response())
}

/// The page of the login, which has words for the code. Nothing of what the provider said gets there.
/// What the browser was to end at goes with it, for the next try.
fn back_to_login(app: &State, id: RequestId, refusal: &Refusal, next: &str) -> Response {
    let code = refusal.code();
    if refusal.is_refusal() {
        tracing::warn!(request.id = %id, "a login by the provider was refused ({code}): {refusal}");
    } else {
        tracing::error!(request.id = %id, "a login by the provider failed ({code}): {refusal}");
    }
    let failed = refusal.is_refusal().then_some(AuditResult::Refused);
    let mut to = format!("{}login?oidc={code}&request={id}", app.site.base);
    if !next.is_empty() {
        to.extend(["&next="].into_iter().chain(form_urlencoded::byte_serialize(next.as_bytes())));
    }
    (Extension(LoginFailed { code, result: failed }), Redirect::to(&to)).into_response()
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

/// The provider sends the browser back to here; it is sent on to the page where the login is to end, logged in.
///
/// When that comes to nothing it is sent on to `login?oidc=CODE&request=ID`, with `&next=PAGE` if there is one. The codes: `denied` (the person or the
/// provider said no), `expired` (not begun in this browser, or more than ten minutes ago), `not_accepted` (what the
/// provider told does not hold), `no_role` (none of the person's groups has a role here), `name_taken` (another account
/// has the name), `locked_out`, `unavailable` (the provider can't be asked) and `failed` (the manager's fault). Why
/// stands in the manager's log beside the number of the request.
#[utoipa::path(get, path = "/oidc/callback", tag = "accounts", params(CallbackQuery),
    responses((status = 303), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn finish(
    app: State,
    caller: Caller,
    Extension(connection): Extension<Connection>,
    headers: HeaderMap,
    id: RequestId,
    Query(query): Query<CallbackQuery>,
) -> Result<Response, Error> {
    let config = oidc::configured(&app)?;
    let callback = callback(&app, connection, &headers);
    let pending = CookieJar::from_headers(&headers).get(PENDING).map(|cookie| cookie.value().to_owned());
    let pending = pending.unwrap_or_default();
    let next = oidc::next_of(&app, &pending);
    let back = oidc::Back { code: query.code, state: query.state, pending, callback };
    let done = match query.error {
        Some(error) => Err(Refusal::of_provider(&error)),
        None => logged_in(&app, config, &caller, &headers, back, &next).await,
    };
    Ok(done.unwrap_or_else(|refusal| back_to_login(&app, id, &refusal, &next)))
}

async fn logged_in(
    app: &State,
    config: &OidcConfig,
    caller: &Caller,
    headers: &HeaderMap,
    back: oidc::Back,
    next: &str,
) -> Result<Response, Refusal> {
    let user = oidc::finish(app, config, back).await?;
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let secret = accounts::begin_session(app, user.id, caller.address, agent).await?;
    let done_by = Viewer::Person { id: user.id, name: user.name, role: user.role, reach: Reach::default() };
    let [session, csrf] = cookies::begin(&secret, &caller.cookies);
    let set = [session, csrf, caller.cookies.for_pending(PENDING, "", 0)];
    let set = AppendHeaders(set.map(|cookie| (header::SET_COOKIE, cookie)));
    // It was checked when the login began, perhaps by a manager with another folder.
    let to = page_of(&app.site.base, next).unwrap_or_else(|_| app.site.base.clone());
    Ok((set, Extension(DoneBy(done_by)), Redirect::to(&to)).into_response())
}
