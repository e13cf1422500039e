//! People with an account.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::role::Role;
use p2ppool_model::{Time, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// Every account, by name.
#[utoipa::path(get, path = "/users", tag = "users",
    responses((status = 200, body = [User]), (status = 403, body = ErrorAnswer)))]
pub(crate) async fn list(app: State) -> Result<axum::Json<Vec<User>>, Error> {
    Ok(axum::Json(users::list(&app).await?.into_iter().map(User::from).collect()))
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
    responses((status = 200, body = User), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(app: State, Path(id): Path<UserId>) -> Result<axum::Json<User>, Error> {
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
