//! Alerts: rules, targets, what was found.

use axum::extract::Path;
use p2ppool_model::alert::{Alert, AlertRule, AlertState};
use p2ppool_model::{AlertId, AlertRuleId, AlertTargetId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::accounts::Right;
use crate::alerts::AlertSettings;
use crate::http::State;
use crate::http::body::{Json, Query};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::{Listed, page, word};
use crate::service::alerts::{self, NewRule, NewTarget, RuleChange, TargetChange, TargetState, TestResult};
use crate::service::{Error, pools};

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct AlertsQuery {
    /// Only of this pool.
    pool: Option<String>,
    /// `pending`, `open` or `recovered`.
    state: Option<String>,
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

/// What somebody says to an alert.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Acknowledgement {
    /// For the others.
    comment: Option<String>,
}

fn number<T: std::str::FromStr>(what: &'static str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| Error::not_found(what, text))
}

/// What is wrong, or was; newest first.
#[utoipa::path(get, path = "/alerts", tag = "alerts", params(AlertsQuery),
    responses((status = 200, body = Listed<Alert>), (status = 401, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Query(query): Query<AlertsQuery>,
) -> Result<axum::Json<Listed<Alert>>, Error> {
    let state: Option<AlertState> = word("state", query.state.as_deref())?;
    let page = page(query.limit, query.offset)?;
    let pool = query.pool.as_deref().filter(|name| !name.is_empty());
    Ok(axum::Json(alerts::alerts(&app, &caller.viewer, pool, state, page).await?.into()))
}

/// Says that an alert was seen.
#[utoipa::path(post, path = "/alerts/{id}/acknowledge", tag = "alerts", params(("id" = i64, Path)), request_body = Acknowledgement,
    responses((status = 200, body = Alert), (status = 403, body = ErrorAnswer), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn acknowledge(
    app: State,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<Acknowledgement>,
) -> Result<axum::Json<Alert>, Error> {
    let id: AlertId = number("alert", &id)?;
    Ok(axum::Json(alerts::acknowledge(&app, &caller.viewer, id, body.comment.as_deref()).await?))
}

/// The rules of a pool.
#[utoipa::path(get, path = "/pools/{pool}/alert-rules", tag = "alerts", params(("pool" = String, Path)),
    responses((status = 200, body = Vec<AlertRule>), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn rules(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<Vec<AlertRule>>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(alerts::rules(&app, &pool).await?))
}

/// Makes a rule.
#[utoipa::path(post, path = "/pools/{pool}/alert-rules", tag = "alerts", params(("pool" = String, Path)), request_body = NewRule,
    responses((status = 201, body = AlertRule), (status = 403, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create_rule(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(new): Json<NewRule>,
) -> Result<(axum::http::StatusCode, axum::Json<AlertRule>), Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    let rule = alerts::create_rule(&app, &caller.viewer, &pool, new).await?;
    Ok((axum::http::StatusCode::CREATED, axum::Json(rule)))
}

/// One rule.
#[utoipa::path(get, path = "/alert-rules/{id}", tag = "alerts", params(("id" = i64, Path)),
    responses((status = 200, body = AlertRule), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn rule(app: State, caller: Caller, Path(id): Path<String>) -> Result<axum::Json<AlertRule>, Error> {
    let id: AlertRuleId = number("alert rule", &id)?;
    Ok(axum::Json(alerts::rule(&app, &caller.viewer, id, Right::Inspect).await?.0))
}

/// Changes a rule; what isn't given stays.
#[utoipa::path(patch, path = "/alert-rules/{id}", tag = "alerts", params(("id" = i64, Path)), request_body = RuleChange,
    responses((status = 200, body = AlertRule), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn change_rule(
    app: State,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<RuleChange>,
) -> Result<axum::Json<AlertRule>, Error> {
    let id: AlertRuleId = number("alert rule", &id)?;
    Ok(axum::Json(alerts::change_rule(&app, &caller.viewer, id, change).await?))
}

/// Forgets a rule; its open alerts are over.
#[utoipa::path(delete, path = "/alert-rules/{id}", tag = "alerts", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn delete_rule(
    app: State,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::http::StatusCode, Error> {
    alerts::delete_rule(&app, &caller.viewer, number("alert rule", &id)?).await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// Where messages can go: one's own targets; administrators see all.
#[utoipa::path(get, path = "/alert-targets", tag = "alerts",
    responses((status = 200, body = Vec<TargetState>), (status = 403, body = ErrorAnswer)))]
pub(crate) async fn targets(app: State, caller: Caller) -> Result<axum::Json<Vec<TargetState>>, Error> {
    Ok(axum::Json(alerts::targets(&app, &caller.viewer).await?))
}

/// Makes a target.
#[utoipa::path(post, path = "/alert-targets", tag = "alerts", request_body = NewTarget,
    responses((status = 201, body = TargetState), (status = 403, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create_target(
    app: State,
    caller: Caller,
    Json(new): Json<NewTarget>,
) -> Result<(axum::http::StatusCode, axum::Json<TargetState>), Error> {
    let target = alerts::create_target(&app, &caller.viewer, new).await?;
    Ok((axum::http::StatusCode::CREATED, axum::Json(target)))
}

/// One target, and how its messages fare.
#[utoipa::path(get, path = "/alert-targets/{id}", tag = "alerts", params(("id" = i64, Path)),
    responses((status = 200, body = TargetState), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn target(
    app: State,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<TargetState>, Error> {
    Ok(axum::Json(alerts::target(&app, &caller.viewer, number("alert target", &id)?).await?))
}

/// Changes a target; what isn't given stays.
#[utoipa::path(patch, path = "/alert-targets/{id}", tag = "alerts", params(("id" = i64, Path)), request_body = TargetChange,
    responses((status = 200, body = TargetState), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn change_target(
    app: State,
    caller: Caller,
    Path(id): Path<String>,
    Json(change): Json<TargetChange>,
) -> Result<axum::Json<TargetState>, Error> {
    let id: AlertTargetId = number("alert target", &id)?;
    Ok(axum::Json(alerts::change_target(&app, &caller.viewer, id, change).await?))
}

/// Forgets a target and the messages that wait for it.
#[utoipa::path(delete, path = "/alert-targets/{id}", tag = "alerts", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn delete_target(
    app: State,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::http::StatusCode, Error> {
    alerts::delete_target(&app, &caller.viewer, number("alert target", &id)?).await?;
    Ok(axum::http::StatusCode::NO_CONTENT)
}

/// Sends a test message now, and tells how it went.
#[utoipa::path(post, path = "/alert-targets/{id}/test", tag = "alerts", params(("id" = i64, Path)),
    responses((status = 200, body = TestResult), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn test_target(
    app: State,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<axum::Json<TestResult>, Error> {
    Ok(axum::Json(alerts::test_target(&app, &caller.viewer, number("alert target", &id)?).await?))
}

/// Networks that messages may go to although they are not public.
#[utoipa::path(get, path = "/alert-settings", tag = "alerts",
    responses((status = 200, body = AlertSettings), (status = 403, body = ErrorAnswer)))]
pub(crate) async fn settings(app: State) -> Result<axum::Json<AlertSettings>, Error> {
    Ok(axum::Json(AlertSettings::of(&app.store).await?))
}

/// Allows networks.
#[utoipa::path(put, path = "/alert-settings", tag = "alerts", request_body = AlertSettings,
    responses((status = 200, body = AlertSettings), (status = 403, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set_settings(
    app: State,
    Json(settings): Json<AlertSettings>,
) -> Result<axum::Json<AlertSettings>, Error> {
    settings.set(&app.store).await?;
    app.alerts.changed();
    Ok(axum::Json(settings))
}
