//! People with an account.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::role::{Grant, Role};
use p2ppool_model::{Time, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::Right;
use crate::http::State;
use crate::http::body::Json;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, users};

/// A person with an account.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct User {
    /// Row identity.
    id: UserId,
    /// Name; upper and lower case are the same.
    name: String,
    /// What they may do.
    role: Role,
    /// When the account was made.
    created: Time,
    /// They can't log in, and neither can their tokens.
    disabled: bool,
}

impl From<p2ppool_store::User> for User {
    fn from(user: p2ppool_store::User) -> Self {
        let p2ppool_store::User { id, name, role, created, disabled } = user;
        Self { id, name, role, created, disabled }
    }
}

/// A person and what they have.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserSummary {
    /// The person.
    #[serde(flatten)]
    user: User,
    /// Their last use, by session or token, to a minute; null: they were never there.
    last_seen: Option<Time>,
    /// API tokens that hold.
    tokens: u64,
    /// Pools that are theirs or on which they were given something, by name. Their role may reach further.
    pools: Vec<UserPool>,
}

/// A pool of a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UserPool {
    /// Its name.
    pool: String,
    /// `own`: it is theirs; `see` or `manage`: that was given to them.
    right: Right,
}

impl From<p2ppool_store::UserSummary> for UserSummary {
    fn from(summary: p2ppool_store::UserSummary) -> Self {
        let p2ppool_store::UserSummary { user, last_seen, tokens, pools } = summary;
        let pools = pools.into_iter().map(|one| {
            let right = match one.grant {
                None => Right::Own,
                Some(Grant::Manage) => Right::Manage,
                Some(Grant::See) => Right::See,
            };
            UserPool { pool: one.pool, right }
        });
        Self { user: user.into(), last_seen, tokens, pools: pools.collect() }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewUser {
    /// 1 to 100 bytes; upper and lower case are the same.
    name: String,
    /// What they may do.
    role: Role,
    /// At least 10 characters; a random one is made when none is given.
    #[serde(default)]
    #[schema(format = Password)]
    password: Option<String>,
}

/// A new account.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeUser {
    /// The account.
    #[serde(flatten)]
    user: User,
    /// The password that was made; it is not told again. Null when one was given.
    password: Option<String>,
}

/// Every account with its pools, its tokens and when it was last used, by name.
#[utoipa::path(get, path = "/users", tag = "users",
    responses((status = 200, body = [UserSummary]), (status = 403, body = ErrorAnswer)))]
pub(crate) async fn list(app: State) -> Result<axum::Json<Vec<UserSummary>>, Error> {
    Ok(axum::Json(users::list(&app).await?.into_iter().map(UserSummary::from).collect()))
}

/// Makes an account.
#[utoipa::path(post, path = "/users", tag = "users", request_body = NewUser,
    responses((status = 201, body = MadeUser), (status = 403, body = ErrorAnswer), (status = 409, body = ErrorAnswer),
        (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create(app: State, Json(new): Json<NewUser>) -> Result<(StatusCode, axum::Json<MadeUser>), Error> {
    let (user, made) = users::create(&app, &new.name, new.role, new.password).await?;
    let password = made.map(|secret| secret.reveal().to_owned());
    Ok((StatusCode::CREATED, axum::Json(MadeUser { user: user.into(), password })))
}

/// One account.
#[utoipa::path(get, path = "/users/{id}", tag = "users", params(("id" = i64, Path)),
    responses((status = 200, body = UserSummary), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(app: State, Path(id): Path<UserId>) -> Result<axum::Json<UserSummary>, Error> {
    Ok(axum::Json(users::show(&app, id).await?.into()))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EditUser {
    /// Another role.
    role: Option<Role>,
    /// Locked out (true) or let in again (false).
    disabled: Option<bool>,
}

/// Gives another role, locks out or lets in again. The last super administrator who can log in stays one.
#[utoipa::path(patch, path = "/users/{id}", tag = "users", params(("id" = i64, Path)), request_body = EditUser,
    responses((status = 200, body = User), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn edit(
    app: State,
    Path(id): Path<UserId>,
    Json(edit): Json<EditUser>,
) -> Result<axum::Json<User>, Error> {
    Ok(axum::Json(users::edit(&app, id, edit.role, edit.disabled).await?.into()))
}

/// Deletes an account with its sessions and tokens; its pools stay, without owner.
#[utoipa::path(delete, path = "/users/{id}", tag = "users", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn delete(app: State, Path(id): Path<UserId>) -> Result<StatusCode, Error> {
    users::delete(&app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct NewPassword {
    /// At least 10 characters; a random one is made when none is given.
    #[schema(format = Password)]
    password: Option<String>,
}

/// A password that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadePassword {
    /// The password; it is not told again. Null when one was given.
    password: Option<String>,
}

/// Gives another password and ends the person's sessions.
#[utoipa::path(post, path = "/users/{id}/password", tag = "users", params(("id" = i64, Path)), request_body = NewPassword,
    responses((status = 200, body = MadePassword), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn reset_password(
    app: State,
    Path(id): Path<UserId>,
    Json(new): Json<NewPassword>,
) -> Result<axum::Json<MadePassword>, Error> {
    let made = users::reset_password(&app, id, new.password).await?;
    Ok(axum::Json(MadePassword { password: made.map(|secret| secret.reveal().to_owned()) }))
}
