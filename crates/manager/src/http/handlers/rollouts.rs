//! Rolling upgrades, beside their tasks.

use axum::extract::Path;
use p2ppool_model::TaskId;
use p2ppool_model::rollout::Decision;
use p2ppool_model::rollout_view::RolloutView;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::http::State;
use crate::http::body::Json;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, rollouts};

/// Where the rolling upgrade of a task is: its phase, its batches and what their gates found.
#[utoipa::path(get, path = "/tasks/{id}/rollout", tag = "tasks", params(("id" = i64, Path)),
    responses((status = 200, body = RolloutView), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(app: State, caller: Caller, Path(id): Path<TaskId>) -> Result<axum::Json<RolloutView>, Error> {
    Ok(axum::Json(rollouts::view(&app, &caller.viewer, id).await?))
}

/// What a person says to a paused rolling upgrade.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Continue {
    /// Go on, look again, or roll back.
    decision: Decision,
}

/// Says what becomes of a paused rolling upgrade; it is ended by cancelling its task.
#[utoipa::path(post, path = "/tasks/{id}/continue", tag = "tasks", params(("id" = i64, Path)), request_body = Continue,
    responses((status = 200, body = RolloutView), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn decide(
    app: State,
    caller: Caller,
    Path(id): Path<TaskId>,
    Json(given): Json<Continue>,
) -> Result<axum::Json<RolloutView>, Error> {
    let person = caller.person("deciding on a rolling upgrade")?;
    Ok(axum::Json(rollouts::decide(&app, person, id, given.decision).await?))
}
