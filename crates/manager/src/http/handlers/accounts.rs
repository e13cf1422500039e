//! Login, logout, who am I, API tokens.

use axum::Extension;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse};
use p2ppool_model::role::Role;
use p2ppool_model::{PoolId, Time, TokenId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::{Reach, Viewer};
use crate::http::State;
use crate::http::audit::DoneBy;
use crate::http::body::Json;
use crate::http::caller::Caller;
use crate::http::cookies;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, accounts};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// The account's name.
    name: String,
    /// Its password.
    #[schema(format = Password)]
    password: String,
    /// The code of its second factor, or a recovery code, when it has one.
    #[serde(default)]
    code: Option<String>,
}

/// Who sends the requests.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// The person; null without an account.
    user: Option<Person>,
}

/// A person with an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Person {
    /// Row identity.
    id: UserId,
    /// Name.
    name: String,
    /// What they may do; with a token, what it carries.
    role: Role,
}

impl From<&Viewer> for Me {
    fn from(viewer: &Viewer) -> Self {
        let user = match viewer {
            Viewer::Anonymous => None,
            Viewer::Person { id, name, role, .. } => Some(Person { id: *id, name: name.clone(), role: *role }),
        };
        Self { user }
    }
}

/// Begins a session; the answer sets its cookie.
#[utoipa::path(post, path = "/login", tag = "accounts", request_body = Login,
    responses((status = 200, body = Me), (status = 401, body = ErrorAnswer), (status = 429, body = ErrorAnswer)))]
pub(crate) async fn login(
    app: State,
    caller: Caller,
    headers: HeaderMap,
    Json(given): Json<Login>,
) -> Result<impl IntoResponse, Error> {
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let login = accounts::Login {
        name: given.name,
        password: given.password,
        code: given.code,
        address: caller.address,
        agent: agent.to_owned(),
    };
    let (user, secret) = accounts::login(&app, login).await?;
    let done_by = Viewer::Person { id: user.id, name: user.name.clone(), role: user.role, reach: Reach::default() };
    let me = Me { user: Some(Person { id: user.id, name: user.name, role: user.role }) };
    let cookies = AppendHeaders(cookies::begin(&secret, &caller.cookies).map(set_cookie));
    Ok((cookies, Extension(DoneBy(done_by)), axum::Json(me)))
}

/// Ends the session.
#[utoipa::path(post, path = "/logout", tag = "accounts", responses((status = 204)))]
pub(crate) async fn logout(app: State, caller: Caller) -> Result<impl IntoResponse, Error> {
    if let Some(session) = caller.proof.session() {
        accounts::logout(&app, session).await?;
    }
    Ok((StatusCode::NO_CONTENT, AppendHeaders(cookies::end(&caller.cookies).map(set_cookie))))
}

fn set_cookie(value: String) -> (HeaderName, String) {
    (header::SET_COOKIE, value)
}

/// Who sends this request? Answers without an account, too.
#[utoipa::path(get, path = "/me", tag = "accounts", responses((status = 200, body = Me)))]
pub(crate) async fn me(caller: Caller) -> impl IntoResponse {
    // A page that was opened with an older session learns what its changes have to repeat.
    let known = caller.viewer != Viewer::Anonymous;
    let csrf = caller.proof.session().filter(|_| known).map(|session| cookies::csrf(session, &caller.cookies));
    (AppendHeaders(csrf.map(set_cookie)), axum::Json(Me::from(&caller.viewer)))
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangePassword {
    /// The present one.
    #[schema(format = Password)]
    old: String,
    /// The new one, at least 10 characters.
    #[schema(format = Password)]
    new: String,
}

/// Changes your own password and ends your other sessions.
#[utoipa::path(post, path = "/me/password", tag = "accounts", request_body = ChangePassword,
    responses((status = 204), (status = 401, body = ErrorAnswer), (status = 422, body = ErrorAnswer), (status = 429, body = ErrorAnswer)))]
pub(crate) async fn change_password(
    app: State,
    caller: Caller,
    Json(given): Json<ChangePassword>,
) -> Result<StatusCode, Error> {
    let person = caller.person("changing a password")?;
    let change = accounts::ChangePassword { old: given.old, new: given.new, address: caller.address };
    accounts::change_password(&app, person, change, caller.proof.session()).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An API token, without the token.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Token {
    /// Row identity, to delete it by.
    id: TokenId,
    /// What it is for.
    name: String,
    /// Its holder has this role at most.
    role: Role,
    /// It reaches these pools (by number) and what is public; null: whatever its holder may.
    pools: Option<Vec<PoolId>>,
    /// When it was made.
    created: Time,
    /// It ends then; null: when it is deleted.
    expires: Option<Time>,
    /// Last use, to the minute.
    last_used: Option<Time>,
}

impl From<p2ppool_store::Token> for Token {
    fn from(token: p2ppool_store::Token) -> Self {
        let p2ppool_store::Token { id, name, role, pools, created, expires, last_used, .. } = token;
        Self { id, name, role, pools, created, expires, last_used }
    }
}

/// A new API token.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    /// The token itself; it is not told again. Send it as `Authorization: Bearer p2p_…`.
    token: String,
    /// What is kept of it.
    #[serde(flatten)]
    kept: Token,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewToken {
    /// What it is for; one person's tokens have different names.
    name: String,
    /// Its holder has at most this role; your own by default.
    #[serde(default)]
    role: Option<Role>,
    /// It reaches only these pools, by name; all by default.
    #[serde(default)]
    pools: Option<Vec<String>>,
    /// It ends then.
    #[serde(default)]
    expires: Option<Time>,
}

/// Your API tokens.
#[utoipa::path(get, path = "/tokens", tag = "accounts",
    responses((status = 200, body = [Token]), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn tokens(app: State, caller: Caller) -> Result<axum::Json<Vec<Token>>, Error> {
    let tokens = accounts::tokens(&app, caller.person("listing tokens")?).await?;
    Ok(axum::Json(tokens.into_iter().map(Token::from).collect()))
}

/// Makes an API token.
#[utoipa::path(post, path = "/tokens", tag = "accounts", request_body = NewToken,
    responses((status = 201, body = MadeToken), (status = 401, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create_token(
    app: State,
    caller: Caller,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, axum::Json<MadeToken>), Error> {
    let person = caller.person("making a token")?;
    let wanted = accounts::WantedToken { name: new.name, role: new.role, pools: new.pools, expires: new.expires };
    let (token, secret) = accounts::create_token(&app, person, wanted, caller.proof.token()).await?;
    Ok((StatusCode::CREATED, axum::Json(MadeToken { token: secret.reveal().to_owned(), kept: token.into() })))
}

/// Deletes an API token; it stops working at once.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "accounts", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn delete_token(app: State, caller: Caller, Path(id): Path<TokenId>) -> Result<StatusCode, Error> {
    accounts::delete_token(&app, caller.person("deleting a token")?, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
