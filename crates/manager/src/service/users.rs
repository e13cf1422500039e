//! People with an account, as the one who manages them sees them.

use p2ppool_model::role::Role;
use p2ppool_model::{Time, UserId};
use p2ppool_store::{User, UserSummary};

use crate::accounts::Secret;
use crate::accounts::password::{PASSWORD_MAX, PASSWORD_MIN};
use crate::app::App;
use crate::service::Error;

/// Longest name of a person, in bytes.
const NAME_MAX: usize = 100;

/// Everybody with what they have, by name.
pub async fn list(app: &App) -> Result<Vec<UserSummary>, Error> {
    Ok(app.store.user_summaries(None, Time::now()).await?)
}

/// One person with what they have.
pub async fn show(app: &App, id: UserId) -> Result<UserSummary, Error> {
    let found = app.store.user_summaries(Some(id), Time::now()).await?;
    found.into_iter().next().ok_or_else(|| Error::not_found("user", id))
}

/// Makes an account. Without a password, a random one is made and answered.
pub async fn create(
    app: &App,
    name: &str,
    role: Role,
    password: Option<String>,
) -> Result<(User, Option<Secret>), Error> {
    let name = checked_name(name)?;
    let (password, made) = given_or_made(password)?;
    let hash = app.passwords.hash(password).await.map_err(Error::Internal)?;
    Ok((app.store.create_user(name, Some(&hash), role, Time::now()).await?, made))
}

/// Gives another role, locks out or lets in again. The last super administrator stays one.
pub async fn edit(app: &App, id: UserId, role: Option<Role>, disabled: Option<bool>) -> Result<User, Error> {
    if let Some(role) = role {
        app.store.set_user_role(id, role).await?;
    }
    match disabled {
        Some(true) => app.store.disable_user(id).await?,
        Some(false) => app.store.enable_user(id).await?,
        None => {}
    }
    Ok(app.store.user(id).await?)
}

/// Gives another password and ends the person's sessions. Without a password, a random one is made and answered.
pub async fn reset_password(app: &App, id: UserId, password: Option<String>) -> Result<Option<Secret>, Error> {
    app.store.user(id).await?;
    let (password, made) = given_or_made(password)?;
    let hash = app.passwords.hash(password).await.map_err(Error::Internal)?;
    app.store.set_user_password(id, Some(&hash)).await?;
    Ok(made)
}

/// Deletes an account with its sessions and tokens; its pools stay, without owner.
pub async fn delete(app: &App, id: UserId) -> Result<(), Error> {
    Ok(app.store.delete_user(id).await?)
}

fn checked_name(name: &str) -> Result<&str, Error> {
    let name = name.trim();
    // What the manager does by itself has a number for a name.
    let right = (1..=NAME_MAX).contains(&name.len()) && !name.chars().any(|c| c.is_control() || c == '#');
    if right {
        return Ok(name);
    }
    Err(Error::field("name", format!("must be 1 to {NAME_MAX} bytes without `#` and control characters")))
}

/// The password that was given, when it is good enough; else a new random one.
pub(super) fn given_or_made(password: Option<String>) -> Result<(String, Option<Secret>), Error> {
    match password {
        Some(password) => checked_password("password", password).map(|password| (password, None)),
        None => {
            let made = Secret::password();
            Ok((made.reveal().to_owned(), Some(made)))
        }
    }
}

/// A password that may be chosen.
pub(super) fn checked_password(field: &'static str, password: String) -> Result<String, Error> {
    if password.chars().count() < PASSWORD_MIN || password.len() > PASSWORD_MAX {
        return Err(Error::field(field, format!("must have {PASSWORD_MIN} to {PASSWORD_MAX} characters")));
    }
    Ok(password)
}
