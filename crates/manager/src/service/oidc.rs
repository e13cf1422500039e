//! Login by an OpenID Connect provider: authorization code with PKCE, state and nonce.
//!
//! What has to be remembered between the two halves of a login travels in a sealed cookie of that browser: any of
//! several managers can finish what another one began, and nobody can finish a login that somebody else began.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreProviderMetadata};
use openidconnect::{
    AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, IssuerUrl, Nonce,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardErrorResponse,
    TokenResponse as _,
};
use p2ppool_model::Time;
use p2ppool_model::role::Role;
use p2ppool_store::{SecretScope, StoreError, User};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::app::App;
use crate::service::Error;
use crate::service::oidc_refusal::Refusal;

/// Name of the sealed client secret.
const SECRET: &str = "oidc_client_secret";
/// Where a pending login is sealed for.
const PENDING: &str = "oidc/login";
/// A person has this long to log in at the provider.
pub const PENDING_MAX: Duration = Duration::from_secs(10 * 60);
/// Longest wait for the provider.
const PROVIDER_DEADLINE: Duration = Duration::from_secs(10);
/// Largest answer of the provider, bytes.
const ANSWER_MAX: usize = 1024 * 1024;
/// Longest name that is taken over from the provider, bytes.
const NAME_MAX: usize = 100;

/// Which provider, and what its groups may do here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcConfig {
    /// Address of the provider; its description is at `…/.well-known/openid-configuration`.
    pub issuer: String,
    /// What the provider calls this manager.
    pub client_id: String,
    /// File with the client's secret; read at the start and kept sealed, then it may go.
    pub client_secret_file: Option<PathBuf>,
    /// The claim that lists a person's groups.
    pub groups_claim: String,
    /// The role of each group; a person gets the highest. `*` is everybody.
    pub roles: BTreeMap<String, Role>,
}

/// A login that has begun: where to send the browser, and what its cookie holds.
#[derive(Debug)]
pub struct Begun {
    /// The provider's page.
    pub url: String,
    /// Sealed; for the cookie.
    pub pending: String,
}

#[derive(Serialize, Deserialize)]
struct Pending {
    /// The page to end at, as it was asked for.
    #[serde(default)]
    next: String,
    state: String,
    nonce: String,
    verifier: String,
    until: Time,
}

/// Seals the client's secret, when a file with it is named. Called at each start.
pub async fn keep_secret(app: &App, config: &OidcConfig) -> anyhow::Result<()> {
    use anyhow::Context as _;
    let Some(file) = &config.client_secret_file else { return Ok(()) };
    let text = match std::fs::read_to_string(file) {
        Ok(text) => zeroize::Zeroizing::new(text),
        // Sealed at an earlier start.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    Ok(app.secrets.put(&app.store, SecretScope::Manager, SECRET, text.trim().as_bytes()).await?)
}

type Client = CoreClient<
    openidconnect::EndpointSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointNotSet,
    openidconnect::EndpointMaybeSet,
    openidconnect::EndpointMaybeSet,
>;

/// Begins a login. `callback` is the address that the provider sends the browser back to, `next` the page to end at.
pub async fn begin(app: &App, config: &OidcConfig, callback: &str, next: &str) -> Result<Begun, Refusal> {
    let client = client(app, config, callback).await?;
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (url, state, nonce) = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scope(Scope::new("profile".to_owned()))
        .add_scope(Scope::new("email".to_owned()))
        .set_pkce_challenge(challenge)
        .url();
    let pending = Pending {
        next: next.to_owned(),
        state: state.secret().clone(),
        nonce: nonce.secret().clone(),
        verifier: verifier.secret().clone(),
        until: Time::now().plus(PENDING_MAX),
    };
    let text = serde_json::to_vec(&pending).map_err(Error::internal)?;
    let sealed = app.secrets.seal(PENDING, &text).map_err(Error::internal)?;
    Ok(Begun { url: url.to_string(), pending: URL_SAFE_NO_PAD.encode(sealed) })
}

/// What the provider sent the browser back with.
#[derive(Debug)]
pub struct Back {
    /// The code, to be exchanged for who it is.
    pub code: String,
    /// What the login began with.
    pub state: String,
    /// The cookie of the browser that began it.
    pub pending: String,
    /// The address that it came back to.
    pub callback: String,
}

/// Ends a login: the person, made when they are new, with the role of their groups.
pub async fn finish(app: &App, config: &OidcConfig, back: Back) -> Result<User, Refusal> {
    let pending = opened(app, &back)?;
    let client = client(app, config, &back.callback).await?;
    let http = Http::new()?;
    let answer = client
        .exchange_code(AuthorizationCode::new(back.code))
        .map_err(Error::internal)?
        .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier))
        .request_async(&http)
        .await
        .map_err(exchange_failed)?;
    let token = answer.id_token().ok_or_else(|| not_accepted("the provider sent no ID token".to_owned()))?;
    let claims = token
        .claims(&client.id_token_verifier(), &Nonce::new(pending.nonce))
        .map_err(|error| not_accepted(format!("the provider's ID token does not hold: {error}")))?;
    // The token's signature has just been checked: what else it says can be read.
    let all = payload(&token.to_string()).unwrap_or(Value::Null);
    let subject = claims.subject().as_str();
    let role = role_of(config, &all[&config.groups_claim]).ok_or(Refusal::NoRole)?;
    let name = claims.preferred_username().map(|name| name.as_str().to_owned());
    let name = name.or_else(|| claims.email().map(|email| email.as_str().to_owned()));
    person(app, config, subject, name.unwrap_or_else(|| subject.to_owned()), role).await
}

/// The page that the pending login of this browser is to end at, also when it has expired; empty for the first page.
pub fn next_of(app: &App, pending: &str) -> String {
    unsealed(app, pending).map(|pending| pending.next).unwrap_or_default()
}

/// The provider, when there is one.
pub fn configured(app: &App) -> Result<&OidcConfig, Error> {
    app.oidc.as_ref().ok_or_else(|| Error::Missing("login by a provider on this manager".to_owned()))
}

/// The pending login of this browser, when the provider answers to exactly that one in time.
fn opened(app: &App, back: &Back) -> Result<Pending, Refusal> {
    let pending = unsealed(app, &back.pending).ok_or(Refusal::Expired)?;
    if pending.until <= Time::now() || pending.state != back.state {
        return Err(Refusal::Expired);
    }
    Ok(pending)
}

/// What a cookie of ours holds.
fn unsealed(app: &App, cookie: &str) -> Option<Pending> {
    let sealed = URL_SAFE_NO_PAD.decode(cookie).ok()?;
    serde_json::from_slice(&app.secrets.open(PENDING, &sealed).ok()?).ok()
}

async fn client(app: &App, config: &OidcConfig, callback: &str) -> Result<Client, Refusal> {
    let issuer = IssuerUrl::new(config.issuer.clone()).map_err(Error::internal)?;
    let http = Http::new()?;
    let metadata = CoreProviderMetadata::discover_async(issuer, &http).await;
    let metadata = metadata.map_err(|error| {
        Refusal::Unavailable(format!("ask the OpenID Connect provider {} who it is: {error}", config.issuer))
    })?;
    let secret = app.secrets.get(&app.store, SecretScope::Manager, SECRET).await.map_err(Error::from)?;
    let secret = secret.map(|bytes| ClientSecret::new(String::from_utf8_lossy(&bytes).into_owned()));
    let callback = RedirectUrl::new(callback.to_owned()).map_err(Error::internal)?;
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(config.client_id.clone()), secret);
    Ok(client.set_redirect_uri(callback))
}

/// The highest role of somebody's groups.
fn role_of(config: &OidcConfig, groups: &Value) -> Option<Role> {
    let groups: Vec<&str> = match groups {
        Value::String(one) => vec![one],
        Value::Array(all) => all.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    };
    let has = |group: &String| group == "*" || groups.contains(&group.as_str());
    config.roles.iter().filter(|(group, _)| has(group)).map(|(_, role)| *role).max()
}

async fn person(app: &App, config: &OidcConfig, subject: &str, name: String, role: Role) -> Result<User, Refusal> {
    let now = Time::now();
    let user = match app.store.identity(&config.issuer, subject).await? {
        Some(user) => user,
        None => {
            let name: String = name.chars().filter(|c| !c.is_control() && *c != '#').take(NAME_MAX / 4).collect();
            let made = match app.store.create_user(name.trim(), None, role, now).await {
                // An account that is there already is not theirs just because the provider uses the same name.
                Err(StoreError::Conflict { .. }) => return Err(Refusal::NameTaken(name.trim().to_owned())),
                made => made?,
            };
            app.store.set_identity(&config.issuer, subject, made.id, now).await?;
            made
        }
    };
    if user.disabled {
        return Err(Refusal::LockedOut);
    }
    if user.role == role {
        return Ok(user);
    }
    match app.store.set_user_role(user.id, role).await {
        Ok(()) => Ok(app.store.user(user.id).await?),
        // The last super administrator stays one.
        Err(StoreError::Conflict { .. }) => Ok(user),
        Err(error) => Err(error.into()),
    }
}

fn not_accepted(why: String) -> Refusal {
    Refusal::NotAccepted(why)
}

/// The code could not be exchanged: because of what the provider says, or because it says nothing.
fn exchange_failed<E: std::error::Error + 'static>(
    error: RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
) -> Refusal {
    match error {
        RequestTokenError::Request(error) => Refusal::Unavailable(format!("exchange the code: {error}")),
        error => not_accepted(format!("the provider did not take the code: {error}")),
    }
}

/// What a signed token says; its signature is checked elsewhere.
fn payload(token: &str) -> Option<Value> {
    let text = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&text).ok()
}

/// The HTTP client for the provider: no redirects (they could lead into the manager's own network), little time.
struct Http(reqwest::Client);

/// What the provider's connection said.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct HttpError(String);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.send(request))
    }
}

impl Http {
    fn new() -> Result<Self, Error> {
        let builder = reqwest::Client::builder().timeout(PROVIDER_DEADLINE).redirect(reqwest::redirect::Policy::none());
        builder.build().map(Self).map_err(Error::internal)
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let fail = |error: reqwest::Error| HttpError(format!("{error:?}"));
        let request = reqwest::Request::try_from(request).map_err(fail)?;
        let mut answer = self.0.execute(request).await.map_err(fail)?;
        let mut response = axum::http::Response::builder().status(answer.status());
        for (name, value) in answer.headers() {
            response = response.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(fail)? {
            if body.len() + part.len() > ANSWER_MAX {
                return Err(HttpError(format!("the answer is larger than {ANSWER_MAX} bytes")));
            }
            body.extend_from_slice(&part);
        }
        response.body(body).map_err(|error| HttpError(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_highest_role_of_ones_groups_counts() {
        let config = OidcConfig {
            issuer: String::new(),
            client_id: String::new(),
            client_secret_file: None,
            groups_claim: "groups".into(),
            roles: [("ops".to_owned(), Role::Administrator), ("lab".to_owned(), Role::Viewer)].into(),
        };
        assert_eq!(role_of(&config, &json!(["lab", "ops"])), Some(Role::Administrator));
        assert_eq!(role_of(&config, &json!("lab")), Some(Role::Viewer));
        for none in [json!(null), json!([]), json!(["*"]), json!(["OPS"]), json!({ "ops": true })] {
            assert_eq!(role_of(&config, &none), None, "{none}");
        }
        let everybody = OidcConfig { roles: [("*".to_owned(), Role::Viewer)].into(), ..config };
        assert_eq!(role_of(&everybody, &json!(null)), Some(Role::Viewer));
    }
}
