//! Who sends a request: by API token, by session cookie, or nobody known.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum_extra::extract::CookieJar;

use crate::accounts::{Secret, SecretHash, Viewer};
use crate::app::App;
use crate::service::accounts::Proof;
use crate::service::{Error, accounts};

/// Name of the session cookie.
pub const SESSION_COOKIE: &str = "p2ppool_session";

/// Who sends a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) viewer: Viewer,
    /// From where.
    pub(crate) address: IpAddr,
    /// What shows it.
    pub(crate) proof: Proof,
}

impl Caller {
    /// The person, or an error that says what needs one.
    pub(crate) fn person(&self, what: &'static str) -> Result<&Viewer, Error> {
        match &self.viewer {
            Viewer::Anonymous => Err(Error::Unauthenticated(what)),
            person @ Viewer::Person { .. } => Ok(person),
        }
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Error;

    /// Found out once for each request.
    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Error> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let caller = Self::find_out(parts, app).await?;
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

impl Caller {
    async fn find_out(parts: &Parts, app: &Arc<App>) -> Result<Self, Error> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip());
        if let Some(given) = parts.headers.get(header::AUTHORIZATION) {
            let token = given.to_str().ok().and_then(bearer).ok_or(Error::WrongToken)?;
            let hash = SecretHash::of(token);
            let viewer = accounts::by_token(app, &hash).await?;
            return Ok(Self { viewer, address, proof: Proof::Token(hash) });
        }
        let cookie = CookieJar::from_headers(&parts.headers).get(SESSION_COOKIE).map(|c| SecretHash::of(c.value()));
        let viewer = match &cookie {
            Some(hash) => accounts::by_session(app, hash).await?,
            None => Viewer::Anonymous,
        };
        Ok(Self { viewer, address, proof: cookie.map_or(Proof::Nothing, Proof::Session) })
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// `Set-Cookie` of a new session. Behind a proxy that speaks TLS it is marked `Secure`.
pub(crate) fn session_cookie(secret: &Secret, headers: &HeaderMap) -> String {
    let secure = headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
    let secure = if secure { "; Secure" } else { "" };
    let seconds = accounts::SESSION_MAX.as_secs();
    format!("{SESSION_COOKIE}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}", secret.reveal())
}

/// `Set-Cookie` that makes the browser forget its session.
pub(crate) fn no_session_cookie() -> String {
    format!("{SESSION_COOKIE}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0")
}
