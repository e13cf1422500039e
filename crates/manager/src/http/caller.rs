//! Who sends a request: by API token, by session cookie, or nobody known.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, header};
use axum_extra::extract::CookieJar;

use crate::accounts::{SecretHash, Viewer};
use crate::app::App;
use crate::http::cookies::{CSRF_HEADER, SESSION, Scope, csrf_of};
use crate::http::site::Connection;
use crate::service::accounts::Proof;
use crate::service::{Error, accounts};

/// Who sends a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// Who.
    pub(crate) viewer: Viewer,
    /// From where.
    pub(crate) address: IpAddr,
    /// Where cookies hold that the answer sets.
    pub(crate) cookies: Scope,
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

    /// A change that a browser sends with a session cookie has to repeat what only our own pages can read.
    pub(crate) fn check_csrf(&self, parts: &Parts) -> Result<(), Error> {
        let (Proof::Session(session), Viewer::Person { .. }) = (&self.proof, &self.viewer) else { return Ok(()) };
        let reads = matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let repeated = parts.headers.get(CSRF_HEADER).map(|value| value.as_bytes());
        if reads || repeated == Some(csrf_of(session).as_bytes()) {
            return Ok(());
        }
        Err(Error::Csrf)
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
        let connection = parts.extensions.get::<Connection>().copied().unwrap_or_default();
        let address = app.site.address(connection, &parts.headers);
        let cookies = Scope { base: app.site.base.clone(), secure: app.site.is_encrypted(connection, &parts.headers) };
        if let Some(given) = parts.headers.get(header::AUTHORIZATION) {
            let token = given.to_str().ok().and_then(bearer).ok_or(Error::WrongToken)?;
            let hash = SecretHash::of(token);
            let viewer = accounts::by_token(app, &hash).await?;
            return Ok(Self { viewer, address, cookies, proof: Proof::Token(hash) });
        }
        let cookie = CookieJar::from_headers(&parts.headers).get(SESSION).map(|c| SecretHash::of(c.value()));
        let viewer = match &cookie {
            Some(hash) => accounts::by_session(app, hash).await?,
            None => Viewer::Anonymous,
        };
        Ok(Self { viewer, address, cookies, proof: cookie.map_or(Proof::Nothing, Proof::Session) })
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}
