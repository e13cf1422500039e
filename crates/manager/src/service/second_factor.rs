//! A second factor at login: time-based one-time codes (RFC 6238) and recovery codes.

use p2ppool_model::{Time, UserId};
use p2ppool_store::SecretScope;
use totp_rs::{Algorithm, Builder, Totp};

use crate::accounts::{SecretHash, Viewer};
use crate::app::App;
use crate::service::Error;

/// Name of the sealed secret.
const SECRET: &str = "totp";
/// Random bytes of a secret: as many as SHA-1 has (RFC 4226 section 4).
const SECRET_BYTES: usize = 20;
/// Recovery codes of one person; each works once.
const RECOVERY_CODES: usize = 10;
/// Random bytes of a recovery code.
const RECOVERY_BYTES: usize = 10;
/// Seconds of one code.
const STEP_S: u64 = 30;
/// A clock may be off by this many steps.
const SKEW: u16 = 1;

/// What somebody puts into their app.
pub struct Begun {
    /// The secret in Base32, to type it in.
    pub secret: String,
    /// The same as an address, to scan it (`otpauth://…`).
    pub url: String,
}

/// Whether somebody has a second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// It is asked for at login.
    pub enabled: bool,
    /// Recovery codes that are left.
    pub recovery_codes: u64,
}

/// Whether this person has a second factor.
pub async fn state(app: &App, person: &Viewer) -> Result<State, Error> {
    let id = id_of(person)?;
    Ok(State { enabled: is_needed(app, id).await?, recovery_codes: app.store.recovery_codes(id).await? })
}

/// The login of this person asks for a second factor.
pub async fn is_needed(app: &App, user: UserId) -> Result<bool, Error> {
    Ok(app.store.second_factor(user).await?.is_some_and(|factor| factor.confirmed.is_some()))
}

/// Begins to have one. It is asked for once a code of it was shown.
pub async fn begin(app: &App, person: &Viewer) -> Result<Begun, Error> {
    let id = id_of(person)?;
    if is_needed(app, id).await? {
        let message = "you have a second factor already; end that one first".to_owned();
        return Err(Error::Conflict { code: "has_second_factor", message });
    }
    let mut secret = zeroize::Zeroizing::new(vec![0_u8; SECRET_BYTES]);
    getrandom::fill(&mut secret).map_err(|error| Error::internal(anyhow::anyhow!("no random bytes: {error}")))?;
    let totp = totp(&secret, person.name())?;
    app.secrets.put(&app.store, SecretScope::User(id), SECRET, &secret).await?;
    app.store.begin_second_factor(id).await?;
    Ok(Begun { secret: totp.secret().to_base32(), url: totp.to_url().map_err(Error::internal)? })
}

/// Shows a code of it: from now on it is asked for. Answers the recovery codes, which are told once.
pub async fn confirm(app: &App, person: &Viewer, code: &str) -> Result<Vec<String>, Error> {
    let id = id_of(person)?;
    if is_needed(app, id).await? {
        let message = "it is confirmed already".to_owned();
        return Err(Error::Conflict { code: "has_second_factor", message });
    }
    if !use_code(app, id, person.name(), code).await? {
        return Err(Error::field("code", "is not the present code; look at the app, and at the clocks"));
    }
    let codes = (0..RECOVERY_CODES).map(|_| recovery_code()).collect::<Result<Vec<_>, _>>()?;
    let hashes: Vec<_> = codes.iter().map(|code| hash_of(id, code)).collect();
    app.store.confirm_second_factor(id, &hashes, Time::now()).await?;
    Ok(codes)
}

/// Ends it.
pub async fn end(app: &App, user: UserId) -> Result<(), Error> {
    app.store.delete_second_factor(user).await?;
    Ok(app.store.delete_secret(SecretScope::User(user), SECRET).await?)
}

/// Is it a present code that nobody used before, or a recovery code? Either works once.
pub async fn check(app: &App, user: UserId, name: &str, code: &str) -> Result<bool, Error> {
    if use_code(app, user, name, code).await? {
        return Ok(true);
    }
    Ok(app.store.use_recovery_code(user, &hash_of(user, code)).await?)
}

async fn use_code(app: &App, user: UserId, name: &str, code: &str) -> Result<bool, Error> {
    let Some(secret) = app.secrets.get(&app.store, SecretScope::User(user), SECRET).await? else { return Ok(false) };
    let now = u64::try_from(Time::now().0 / 1000).unwrap_or(0);
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    match totp(&secret, name)?.check(&code, now) {
        Some(step) => Ok(app.store.use_second_factor(user, i64::try_from(step).map_err(Error::internal)?).await?),
        None => Ok(false),
    }
}

fn totp(secret: &[u8], account: &str) -> Result<Totp, Error> {
    // The form of the address leaves no `:` in names.
    let account = account.replace(':', " ");
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_skew(SKEW)
        .with_step_duration(STEP_S)
        .with_secret(secret.to_vec())
        .with_account_name(account)
        .with_issuer(Some("P2PPool Manager"))
        .build()
        .map_err(|error| Error::internal(anyhow::anyhow!("make a one-time code: {error}")))
}

fn recovery_code() -> Result<String, Error> {
    let mut bytes = [0_u8; RECOVERY_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::internal(anyhow::anyhow!("no random bytes: {error}")))?;
    let text = hex::encode(bytes);
    Ok([&text[..5], &text[5..10], &text[10..15], &text[15..]].join("-"))
}

fn hash_of(user: UserId, code: &str) -> String {
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    SecretHash::of(&format!("recovery code of {user}: {code}")).as_str().to_owned()
}

fn id_of(person: &Viewer) -> Result<UserId, Error> {
    person.id().ok_or(Error::Unauthenticated("a second factor"))
}
