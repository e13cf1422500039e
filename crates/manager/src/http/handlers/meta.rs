//! Is it up, and which version is it?

use axum::Json;
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::State;
use crate::service::Error;

/// The manager and its database answer.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`; anything else is an error answer.
    status: &'static str,
    /// `sqlite` or `postgres`.
    database: &'static str,
}

/// Which program this is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    /// Version of the manager.
    version: &'static str,
}

/// Do the manager and its database answer?
#[utoipa::path(get, path = "/health", tag = "manager", responses((status = 200, body = Health)))]
pub(crate) async fn health(app: State) -> Result<Json<Health>, Error> {
    app.store.ping().await?;
    Ok(Json(Health { status: "ok", database: app.store.database() }))
}

/// The manager's version.
#[utoipa::path(get, path = "/version", tag = "manager", responses((status = 200, body = Version)))]
pub(crate) async fn version() -> Json<Version> {
    Json(Version { version: env!("CARGO_PKG_VERSION") })
}
