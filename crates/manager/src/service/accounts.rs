//! Login, logout, API tokens, the first account.

use std::net::IpAddr;
use std::time::Duration;

use p2ppool_model::role::Role;
use p2ppool_model::{Time, TokenId};
use p2ppool_store::{NewSession, NewToken, Store, Token, User};

use crate::accounts::password::{PASSWORD_MAX, PASSWORD_MIN, Passwords};
use crate::accounts::{Secret, SecretHash, Viewer};
use crate::app::{App, FirstAccount};
use crate::service::Error;

/// A session ends after this long without use.
const SESSION_IDLE: Duration = Duration::from_secs(7 * 24 * 3600);
/// A session ends after this long, however much it is used.
pub const SESSION_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// A use is written down at most this often.
const TOUCH_EVERY: Duration = Duration::from_secs(60);
/// Longest name of a person or token, in bytes.
const NAME_MAX: usize = 100;
/// Tokens of one person.
const TOKENS_MAX: usize = 100;
/// The account of the first start.
pub const FIRST_NAME: &str = "admin";

/// Makes the account `admin` when there is no account at all.
pub async fn first_account(app: &App) -> Result<Option<FirstAccount>, Error> {
    if app.store.user_count().await? > 0 {
        return Ok(None);
    }
    let password = Secret::password();
    let hash = app.passwords.hash(password.reveal().to_owned()).await.map_err(Error::Internal)?;
    match app.store.create_user(FIRST_NAME, Some(&hash), Role::SuperAdministrator, Time::now()).await {
        Ok(user) => Ok(Some(FirstAccount { name: user.name, password })),
        // Another manager on the same database was faster.
        Err(p2ppool_store::StoreError::Conflict { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Gives a person another password; without one, a random one is made and returned.
pub async fn reset_password(
    store: &Store,
    passwords: &Passwords,
    name: &str,
    password: Option<String>,
) -> Result<Option<Secret>, Error> {
    let known = store.credentials(name).await?.ok_or_else(|| Error::not_found("user", name))?;
    let (password, made) = match password {
        Some(password) => (password, None),
        None => {
            let made = Secret::password();
            (made.reveal().to_owned(), Some(made))
        }
    };
    if password.chars().count() < PASSWORD_MIN || password.len() > PASSWORD_MAX {
        return Err(Error::field("password", format!("must have at least {PASSWORD_MIN} characters")));
    }
    let hash = passwords.hash(password).await.map_err(Error::Internal)?;
    store.set_user_password(known.user.id, Some(&hash)).await?;
    Ok(made)
}

/// Who logs in, and from where.
#[derive(Debug)]
pub struct Login {
    /// The account's name.
    pub name: String,
    /// Its password.
    pub password: String,
    /// Network address.
    pub address: IpAddr,
    /// Browser or program, as it says.
    pub agent: String,
}

/// Begins a session: the person, and the secret for their cookie.
pub async fn login(app: &App, login: Login) -> Result<(User, Secret), Error> {
    let now = Time::now();
    if login.name.len() > NAME_MAX || login.password.len() > PASSWORD_MAX {
        return Err(Error::WrongPassword);
    }
    app.throttle.attempt(&login.name, login.address, now).map_err(Error::Throttled)?;
    let known = app.store.credentials(&login.name).await?;
    let hash = known.as_ref().and_then(|known| known.password.clone());
    let right = app.passwords.verify(login.password, hash).await.map_err(Error::Internal)?;
    let user = match known {
        Some(known) if right && !known.user.disabled => known.user,
        _ => return Err(Error::WrongPassword),
    };
    app.throttle.succeeded(&login.name, login.address);
    let secret = Secret::session();
    let hash = secret.hash();
    let address = login.address.to_string();
    let session = NewSession {
        user: user.id,
        token_hash: hash.as_str(),
        now,
        idle_until: now.plus(SESSION_IDLE),
        expires: now.plus(SESSION_MAX),
        address: &address,
        agent: &login.agent,
    };
    app.store.create_session(session).await?;
    Ok((user, secret))
}

/// Ends a session. Fine when it ended before.
pub async fn logout(app: &App, session: &SecretHash) -> Result<(), Error> {
    Ok(app.store.delete_session_of(session.as_str()).await?)
}

/// The person of a session cookie; one that no longer holds is nobody.
pub async fn by_session(app: &App, hash: &SecretHash) -> Result<Viewer, Error> {
    let now = Time::now();
    let Some((session, user)) = app.store.session(hash.as_str(), now).await? else { return Ok(Viewer::Anonymous) };
    if now.since(session.last_seen) >= TOUCH_EVERY {
        app.store.touch_session(session.id, now, now.plus(SESSION_IDLE)).await?;
    }
    Ok(viewer(user, Role::SuperAdministrator))
}

/// The person of an API token; one that does not hold is an error, never nobody.
pub async fn by_token(app: &App, hash: &SecretHash) -> Result<Viewer, Error> {
    let now = Time::now();
    let (token, user) = app.store.token(hash.as_str(), now).await?.ok_or(Error::WrongToken)?;
    if token.last_used.is_none_or(|last| now.since(last) >= TOUCH_EVERY) {
        app.store.touch_token(token.id, now).await?;
    }
    Ok(viewer(user, token.role))
}

fn viewer(user: User, role_max: Role) -> Viewer {
    Viewer::Person { id: user.id, name: user.name, role: user.role.min(role_max) }
}

/// Tokens of this person.
pub async fn tokens(app: &App, person: &Viewer) -> Result<Vec<Token>, Error> {
    let id = person.id().ok_or(Error::Unauthenticated("listing tokens"))?;
    Ok(app.store.tokens(id).await?)
}

/// Makes a token for this person: what is kept of it, and the token itself, which is told once.
pub async fn create_token(
    app: &App,
    person: &Viewer,
    name: &str,
    role: Option<Role>,
    expires: Option<Time>,
) -> Result<(Token, Secret), Error> {
    let Viewer::Person { id, role: own, .. } = person else { return Err(Error::Unauthenticated("making a token")) };
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Error::field("name", format!("must be 1 to {NAME_MAX} bytes without control characters")));
    }
    if app.store.tokens(*id).await?.len() >= TOKENS_MAX {
        return Err(Error::field("name", format!("you have {TOKENS_MAX} tokens; delete one first")));
    }
    let now = Time::now();
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Error::field("expires", "must be in the future"));
    }
    let secret = Secret::token();
    // A token never carries more than the one it was made with.
    let role = role.unwrap_or(*own).min(*own);
    let hash = secret.hash();
    let new = NewToken { user: *id, name, token_hash: hash.as_str(), role, now, expires };
    Ok((app.store.create_token(new).await?, secret))
}

/// Revokes a token of this person.
pub async fn delete_token(app: &App, person: &Viewer, token: TokenId) -> Result<(), Error> {
    let id = person.id().ok_or(Error::Unauthenticated("deleting a token"))?;
    Ok(app.store.delete_token(id, token).await?)
}
