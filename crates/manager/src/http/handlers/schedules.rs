//! Schedules: what starts by itself.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::ScheduleId;
use p2ppool_model::schedule::ScheduleRun;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::State;
use crate::http::body::{Json, Query};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::schedules::{self, Preview, SchedulePatch, ScheduleView};
use crate::service::{Error, pools};

/// Which schedules.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct SchedulesQuery {
    /// Only of this pool.
    pool: Option<String>,
}

/// A cron expression to be explained.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct PreviewQuery {
    /// Minute, hour, day of month, month, day of week.
    cron: String,
    /// IANA time zone, such as `Europe/Berlin`; UTC by default.
    time_zone: Option<String>,
}

/// Schedules of a pool, or of every pool that you may see.
#[utoipa::path(get, path = "/schedules", tag = "schedules", params(SchedulesQuery),
    responses((status = 200, body = [ScheduleView]), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Query(query): Query<SchedulesQuery>,
) -> Result<axum::Json<Vec<ScheduleView>>, Error> {
    let pool = match query.pool.as_deref().filter(|name| !name.is_empty()) {
        Some(name) => Some(pools::visible(&app, &caller.viewer, name).await?),
        None => None,
    };
    Ok(axum::Json(schedules::list(&app, &caller.viewer, pool).await?))
}

/// One schedule, with what became of its last times.
#[utoipa::path(get, path = "/schedules/{id}", tag = "schedules", params(("id" = i64, Path)),
    responses((status = 200, body = ScheduleView), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path(id): Path<ScheduleId>,
) -> Result<axum::Json<ScheduleView>, Error> {
    Ok(axum::Json(schedules::show(&app, &caller.viewer, id).await?))
}

/// Makes a schedule: what it `starts`, and when, by `cron` or by `at`.
#[utoipa::path(post, path = "/pools/{pool}/schedules", tag = "schedules", params(("pool" = String, Path)),
    request_body = SchedulePatch,
    responses((status = 201, body = ScheduleView), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create(
    app: State,
    caller: Caller,
    Path(pool): Path<String>,
    Json(given): Json<SchedulePatch>,
) -> Result<(StatusCode, axum::Json<ScheduleView>), Error> {
    let pool = pools::changeable(&app, &caller.viewer, &pool).await?;
    let view = schedules::create(&app, &caller.viewer, pool, given).await?;
    Ok((StatusCode::CREATED, axum::Json(view)))
}

/// Changes what is given; the rest stays.
#[utoipa::path(patch, path = "/schedules/{id}", tag = "schedules", params(("id" = i64, Path)), request_body = SchedulePatch,
    responses((status = 200, body = ScheduleView), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn edit(
    app: State,
    caller: Caller,
    Path(id): Path<ScheduleId>,
    Json(given): Json<SchedulePatch>,
) -> Result<axum::Json<ScheduleView>, Error> {
    Ok(axum::Json(schedules::edit(&app, &caller.viewer, id, given).await?))
}

/// Deletes a schedule; the tasks that it started stay.
#[utoipa::path(delete, path = "/schedules/{id}", tag = "schedules", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn delete(app: State, caller: Caller, Path(id): Path<ScheduleId>) -> Result<StatusCode, Error> {
    schedules::delete(&app, &caller.viewer, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Does it now, whether it is on or off; its own times stay as they are.
#[utoipa::path(post, path = "/schedules/{id}/run", tag = "schedules", params(("id" = i64, Path)),
    responses((status = 202, body = ScheduleRun), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn run(
    app: State,
    caller: Caller,
    Path(id): Path<ScheduleId>,
) -> Result<(StatusCode, axum::Json<ScheduleRun>), Error> {
    Ok((StatusCode::ACCEPTED, axum::Json(schedules::run(&app, &caller.viewer, id).await?)))
}

/// What a cron expression means: in plain words, and its next five times.
#[utoipa::path(get, path = "/schedules/preview", tag = "schedules", params(PreviewQuery),
    responses((status = 200, body = Preview), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn preview(
    app: State,
    caller: Caller,
    Query(query): Query<PreviewQuery>,
) -> Result<axum::Json<Preview>, Error> {
    caller.person("explaining a schedule")?;
    let zone = query.time_zone.as_deref().filter(|zone| !zone.is_empty()).unwrap_or("UTC");
    Ok(axum::Json(schedules::preview(&app, &query.cron, zone).await?))
}
