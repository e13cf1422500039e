//! The demo.

use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::State;
use crate::http::body::Json;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::pools::PoolSummary;
use crate::service::{Error, demo};

/// A demo to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewDemo {
    /// How many hosts, 1 to 100.
    #[serde(default = "usual")]
    #[schema(minimum = 1, maximum = 100)]
    hosts: u8,
}

fn usual() -> u8 {
    demo::HOSTS_USUAL
}

/// Registers the pool `demo`, whose hosts are processes on the manager's machine; `install` starts them. It is
/// refused when there is such a pool already, and when several managers share the database.
#[utoipa::path(post, path = "/demo", tag = "pools", request_body = NewDemo,
    responses((status = 201, body = PoolSummary), (status = 409, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create(
    app: State,
    caller: Caller,
    Json(given): Json<NewDemo>,
) -> Result<(StatusCode, axum::Json<PoolSummary>), Error> {
    let person = caller.person("creating the demo")?;
    Ok((StatusCode::CREATED, axum::Json(demo::create(&app, person, given.hosts).await?)))
}
