//! Login, logout, API tokens, the first account.

use std::net::IpAddr;
use std::time::Duration;

use p2ppool_model::role::Role;
use p2ppool_model::{PoolId, Time, TokenId, UserId};
use p2ppool_store::{NewSession, NewToken, Store, Token, User};

use crate::accounts::password::{PASSWORD_MAX, PASSWORD_MIN, Passwords};
use crate::accounts::{Reach, Secret, SecretHash, Viewer};
use crate::app::{App, FirstAccount};
use crate::service::{Error, second_factor};

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
/// Pools that one token may be limited to: more is better said by no limit.
const TOKEN_POOLS_MAX: usize = 100;
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
    /// The code of their second factor, or a recovery code.
    pub code: Option<String>,
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
    if second_factor::is_needed(app, user.id).await? {
        // The try counts as failed until the code is right, too: codes are guessed no faster than passwords.
        let code = login.code.ok_or(Error::NeedsSecondFactor)?;
        if !second_factor::check(app, user.id, &user.name, &code).await? {
            return Err(Error::WrongCode);
        }
    }
    app.throttle.succeeded(&login.name, login.address);
    let secret = begin_session(app, user.id, login.address, &login.agent).await?;
    Ok((user, secret))
}

/// Begins a session of somebody who showed who they are: the secret for their cookie.
pub async fn begin_session(app: &App, user: UserId, address: IpAddr, agent: &str) -> Result<Secret, Error> {
    let now = Time::now();
    let secret = Secret::session();
    let hash = secret.hash();
    let address = address.to_string();
    let session = NewSession {
        user,
        token_hash: hash.as_str(),
        now,
        idle_until: now.plus(SESSION_IDLE),
        expires: now.plus(SESSION_MAX),
        address: &address,
        agent,
    };
    app.store.create_session(session).await?;
    Ok(secret)
}

/// What shows who somebody is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing.
    Nothing,
    /// A session cookie.
    Session(SecretHash),
    /// An API token.
    Token(SecretHash),
}

impl Proof {
    /// The session, to end it or to keep it.
    pub fn session(&self) -> Option<&SecretHash> {
        match self {
            Self::Session(hash) => Some(hash),
            _ => None,
        }
    }

    /// The token.
    pub fn token(&self) -> Option<&SecretHash> {
        match self {
            Self::Token(hash) => Some(hash),
            _ => None,
        }
    }
}

/// Whom this proves by now, without counting as a use: for streams that go on for hours.
pub async fn prove_again(app: &App, proof: &Proof) -> Result<Viewer, Error> {
    let now = Time::now();
    match proof {
        Proof::Nothing => Ok(Viewer::Anonymous),
        Proof::Session(hash) => match app.store.session(hash.as_str(), now).await? {
            Some((_, user)) => viewer(app, user, Role::SuperAdministrator, None).await,
            None => Ok(Viewer::Anonymous),
        },
        Proof::Token(hash) => {
            let (token, user) = app.store.token(hash.as_str(), now).await?.ok_or(Error::WrongToken)?;
            viewer(app, user, token.role, token.pools).await
        }
    }
}

/// A change of one's own password.
pub struct ChangePassword {
    /// The present one.
    pub old: String,
    /// The new one.
    pub new: String,
    /// Network address.
    pub address: IpAddr,
}

/// Changes one's own password; other sessions than `keep` end.
pub async fn change_password(
    app: &App,
    person: &Viewer,
    change: ChangePassword,
    keep: Option<&SecretHash>,
) -> Result<(), Error> {
    let id = person.id().ok_or(Error::Unauthenticated("changing a password"))?;
    let new = super::users::checked_password("new", change.new)?;
    check_password(app, person, change.old, change.address).await?;
    let hash = app.passwords.hash(new).await.map_err(Error::Internal)?;
    Ok(app.store.change_user_password(id, &hash, keep.map(SecretHash::as_str)).await?)
}

/// Asks somebody who is logged in for their password once more.
pub async fn check_password(app: &App, person: &Viewer, password: String, address: IpAddr) -> Result<(), Error> {
    if password.len() > PASSWORD_MAX {
        return Err(Error::WrongPassword);
    }
    app.throttle.attempt(person.name(), address, Time::now()).map_err(Error::Throttled)?;
    let known = app.store.credentials(person.name()).await?;
    let hash = known.and_then(|known| known.password);
    if !app.passwords.verify(password, hash).await.map_err(Error::Internal)? {
        return Err(Error::WrongPassword);
    }
    app.throttle.succeeded(person.name(), address);
    Ok(())
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
    viewer(app, user, Role::SuperAdministrator, None).await
}

/// The person of an API token; one that does not hold is an error, never nobody.
pub async fn by_token(app: &App, hash: &SecretHash) -> Result<Viewer, Error> {
    let now = Time::now();
    let (token, user) = app.store.token(hash.as_str(), now).await?.ok_or(Error::WrongToken)?;
    if token.last_used.is_none_or(|last| now.since(last) >= TOUCH_EVERY) {
        app.store.touch_token(token.id, now).await?;
    }
    viewer(app, user, token.role, token.pools).await
}

async fn viewer(app: &App, user: User, role_max: Role, only: Option<Vec<PoolId>>) -> Result<Viewer, Error> {
    let grants = app.store.user_grants(user.id).await?;
    let reach = Reach { grants, only: only.map(|pools| pools.into_iter().collect()) };
    Ok(Viewer::Person { id: user.id, name: user.name, role: user.role.min(role_max), reach })
}

/// Tokens of this person.
pub async fn tokens(app: &App, person: &Viewer) -> Result<Vec<Token>, Error> {
    let id = person.id().ok_or(Error::Unauthenticated("listing tokens"))?;
    Ok(app.store.tokens(id).await?)
}

/// A token that somebody wants.
#[derive(Debug)]
pub struct WantedToken {
    /// What it is for.
    pub name: String,
    /// Its holder has at most this role; one's own by default.
    pub role: Option<Role>,
    /// It reaches only these pools, by name.
    pub pools: Option<Vec<String>>,
    /// It ends then.
    pub expires: Option<Time>,
}

/// Makes a token for this person: what is kept of it, and the token itself, which is told once. A token never
/// carries more than the one (`by`) that it was made with, nor longer.
pub async fn create_token(
    app: &App,
    person: &Viewer,
    wanted: WantedToken,
    by: Option<&SecretHash>,
) -> Result<(Token, Secret), Error> {
    let Viewer::Person { id, role: own, reach, .. } = person else {
        return Err(Error::Unauthenticated("making a token"));
    };
    let name = wanted.name.trim();
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Error::field("name", format!("must be 1 to {NAME_MAX} bytes without control characters")));
    }
    if app.store.tokens(*id).await?.len() >= TOKENS_MAX {
        return Err(Error::field("name", format!("you have {TOKENS_MAX} tokens; delete one first")));
    }
    let now = Time::now();
    let made_with = match by {
        Some(hash) => app.store.token(hash.as_str(), now).await?.map(|(token, _)| token),
        None => None,
    };
    let ends = made_with.and_then(|token| token.expires);
    let expires = [wanted.expires, ends].into_iter().flatten().min();
    let pools = token_pools(app, person, reach, wanted.pools).await?;
    if expires.is_some_and(|expires| expires <= now) {
        return Err(Error::field("expires", "must be in the future"));
    }
    let secret = Secret::token();
    let role = wanted.role.unwrap_or(*own).min(*own);
    let hash = secret.hash();
    let new = NewToken { user: *id, name, token_hash: hash.as_str(), role, pools: pools.as_deref(), now, expires };
    Ok((app.store.create_token(new).await?, secret))
}

/// The pools that a new token reaches: those that were asked for, within those of the token it is made with.
async fn token_pools(
    app: &App,
    person: &Viewer,
    reach: &Reach,
    wanted: Option<Vec<String>>,
) -> Result<Option<Vec<PoolId>>, Error> {
    let Some(names) = wanted else { return Ok(reach.only.as_ref().map(|only| only.iter().copied().collect())) };
    if names.len() > TOKEN_POOLS_MAX {
        return Err(Error::field("pools", format!("a token is limited to {TOKEN_POOLS_MAX} pools at most")));
    }
    let mut pools = Vec::new();
    for name in names {
        let pool = super::pools::visible(app, person, &name).await;
        let pool = pool.map_err(|error| Error::field("pools", error.to_string()))?;
        if reach.only.as_ref().is_some_and(|only| !only.contains(&pool.id)) {
            return Err(Error::field("pools", format!("the token that you use does not reach `{name}`")));
        }
        pools.push(pool.id);
    }
    Ok(Some(pools))
}

/// Revokes a token of this person.
pub async fn delete_token(app: &App, person: &Viewer, token: TokenId) -> Result<(), Error> {
    let id = person.id().ok_or(Error::Unauthenticated("deleting a token"))?;
    Ok(app.store.delete_token(id, token).await?)
}
