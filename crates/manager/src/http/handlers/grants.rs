//! Who else may see or manage a pool, and whose it is.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::role::Grant;
use p2ppool_model::{Time, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::State;
use crate::http::body::Json;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, grants, pools};

/// What a person was given on a pool of somebody else.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PoolGrant {
    /// Who has it.
    user: UserId,
    /// Their name.
    name: String,
    /// What they may; `manage` only has effect with the role publisher or better.
    grant: Grant,
    /// Who gave it.
    given_by: String,
    /// When.
    given: Time,
}

impl From<p2ppool_store::PoolGrant> for PoolGrant {
    fn from(given: p2ppool_store::PoolGrant) -> Self {
        let p2ppool_store::PoolGrant { user, name, grant, given_by, given } = given;
        Self { user, name, grant, given_by, given }
    }
}

fn told(given: Vec<p2ppool_store::PoolGrant>) -> axum::Json<Vec<PoolGrant>> {
    axum::Json(given.into_iter().map(PoolGrant::from).collect())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewGrant {
    /// Name of the account.
    user: String,
    /// What they may from now on.
    grant: Grant,
}

/// Who was given what on this pool, by name. The owner and administrators need no grant.
#[utoipa::path(get, path = "/pools/{pool}/grants", tag = "pools", params(("pool" = String, Path)),
    responses((status = 200, body = [PoolGrant]), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<Vec<PoolGrant>>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(told(grants::list(&app, &pool).await?))
}

/// Lets a person see or manage this pool; answers all grants.
#[utoipa::path(put, path = "/pools/{pool}/grants", tag = "pools", params(("pool" = String, Path)), request_body = NewGrant,
    responses((status = 200, body = [PoolGrant]), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn give(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(new): Json<NewGrant>,
) -> Result<axum::Json<Vec<PoolGrant>>, Error> {
    let pool = pools::owned(&app, &caller.viewer, &name).await?;
    Ok(told(grants::give(&app, &caller.viewer, &pool, &new.user, new.grant).await?))
}

/// Takes a grant back.
#[utoipa::path(delete, path = "/pools/{pool}/grants/{user}", tag = "pools",
    params(("pool" = String, Path), ("user" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn take_back(
    app: State,
    caller: Caller,
    Path((name, user)): Path<(String, UserId)>,
) -> Result<StatusCode, Error> {
    let pool = pools::owned(&app, &caller.viewer, &name).await?;
    grants::take_back(&app, &pool, user).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewOwner {
    /// Name of the account.
    user: String,
}

/// Whose a pool is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Owner {
    /// The account.
    user: UserId,
    /// Its name.
    name: String,
}

/// Gives the pool to somebody else.
#[utoipa::path(put, path = "/pools/{pool}/owner", tag = "pools", params(("pool" = String, Path)), request_body = NewOwner,
    responses((status = 200, body = Owner), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn give_away(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(new): Json<NewOwner>,
) -> Result<axum::Json<Owner>, Error> {
    let pool = pools::owned(&app, &caller.viewer, &name).await?;
    let user = grants::give_away(&app, &pool, &new.user).await?;
    Ok(axum::Json(Owner { user: user.id, name: user.name }))
}
