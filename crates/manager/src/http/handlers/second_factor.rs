//! One's own second factor, and its end for those who lost theirs.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::UserId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::State;
use crate::http::body::Json;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, accounts, second_factor};

/// Whether you have a second factor.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecondFactor {
    /// It is asked for at login.
    enabled: bool,
    /// Recovery codes that are left.
    recovery_codes: u64,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithPassword {
    /// Your password.
    #[schema(format = Password)]
    password: String,
}

/// What you put into your app.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewSecondFactor {
    /// The secret in Base32, to type it in.
    secret: String,
    /// The same as an address, to scan it.
    url: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WithCode {
    /// The code that the app shows.
    code: String,
}

/// Codes that each work once, for the day when the app is lost.
#[derive(Serialize, ToSchema)]
pub(crate) struct RecoveryCodes {
    /// The codes; they are not told again.
    recovery_codes: Vec<String>,
}

/// Whether you have a second factor.
#[utoipa::path(get, path = "/me/totp", tag = "accounts",
    responses((status = 200, body = SecondFactor), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn show(app: State, caller: Caller) -> Result<axum::Json<SecondFactor>, Error> {
    let second_factor::State { enabled, recovery_codes } = second_factor::state(&app, &caller.viewer).await?;
    Ok(axum::Json(SecondFactor { enabled, recovery_codes }))
}

/// Begins to have a second factor; it is asked for once it is confirmed.
#[utoipa::path(post, path = "/me/totp", tag = "accounts", request_body = WithPassword,
    responses((status = 200, body = NewSecondFactor), (status = 401, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn begin(
    app: State,
    caller: Caller,
    Json(given): Json<WithPassword>,
) -> Result<axum::Json<NewSecondFactor>, Error> {
    accounts::check_password(&app, &caller.viewer, given.password, caller.address).await?;
    let begun = second_factor::begin(&app, &caller.viewer).await?;
    Ok(axum::Json(NewSecondFactor { secret: begun.secret, url: begun.url }))
}

/// Shows a code of the new second factor, which is asked for from now on.
#[utoipa::path(post, path = "/me/totp/confirm", tag = "accounts", request_body = WithCode,
    responses((status = 200, body = RecoveryCodes), (status = 401, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn confirm(
    app: State,
    caller: Caller,
    Json(given): Json<WithCode>,
) -> Result<axum::Json<RecoveryCodes>, Error> {
    let recovery_codes = second_factor::confirm(&app, &caller.viewer, &given.code).await?;
    Ok(axum::Json(RecoveryCodes { recovery_codes }))
}

/// Ends your second factor.
#[utoipa::path(post, path = "/me/totp/end", tag = "accounts", request_body = WithPassword,
    responses((status = 204), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn end(app: State, caller: Caller, Json(given): Json<WithPassword>) -> Result<StatusCode, Error> {
    accounts::check_password(&app, &caller.viewer, given.password, caller.address).await?;
    let id = caller.viewer.id().ok_or(Error::Unauthenticated("ending a second factor"))?;
    second_factor::end(&app, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends the second factor of a person who lost it.
#[utoipa::path(delete, path = "/users/{id}/totp", tag = "users", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn end_of(app: State, Path(id): Path<UserId>) -> Result<StatusCode, Error> {
    second_factor::end(&app, app.store.user(id).await?.id).await?;
    Ok(StatusCode::NO_CONTENT)
}
