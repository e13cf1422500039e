//! Workflows and their runs.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::workflow::run::RunState;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::http::State;
use crate::http::body::{Json, Query};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::{Listed, page};
use crate::service::workflows::{AnswerGiven, Checked, RunView, WorkflowSummary, WorkflowView};
use crate::service::{Error, workflows};

/// A workflow to keep.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewWorkflow {
    /// 1 to 63 of a-z, 0-9 and `-`.
    name: String,
    /// YAML or JSON.
    text: String,
}

/// The text of a workflow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WorkflowText {
    /// YAML or JSON.
    text: String,
}

/// Where a workflow is run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunOn {
    /// Name of the pool.
    pool: String,
}

/// Which runs.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct RunsQuery {
    /// Only of this pool.
    pool: Option<String>,
    /// Only of this workflow.
    workflow: Option<String>,
    /// Only in this state.
    state: Option<RunState>,
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

/// Every workflow.
#[utoipa::path(get, path = "/workflows", tag = "workflows", operation_id = "list_workflows",
    responses((status = 200, body = [WorkflowSummary])))]
pub(crate) async fn list(app: State) -> Result<axum::Json<Vec<WorkflowSummary>>, Error> {
    Ok(axum::Json(workflows::list(&app).await?))
}

/// Keeps a new workflow. Errors of its text name line and column.
#[utoipa::path(post, path = "/workflows", tag = "workflows", operation_id = "create_workflow", request_body = NewWorkflow,
    responses((status = 201, body = WorkflowView), (status = 409, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create(
    app: State,
    caller: Caller,
    Json(given): Json<NewWorkflow>,
) -> Result<(StatusCode, axum::Json<WorkflowView>), Error> {
    let person = caller.person("writing a workflow")?;
    let kept = workflows::put(&app, person, &given.name, &given.text, true).await?;
    Ok((StatusCode::CREATED, axum::Json(kept)))
}

/// What a text says, or everything that is wrong with it, by line; keeps nothing.
#[utoipa::path(post, path = "/workflows/check", tag = "workflows", operation_id = "check_workflow", request_body = WorkflowText,
    responses((status = 200, body = Checked)))]
pub(crate) async fn check(Json(given): Json<WorkflowText>) -> axum::Json<Checked> {
    axum::Json(workflows::check(&given.text))
}

/// One workflow with its text and its graph.
#[utoipa::path(get, path = "/workflows/{name}", tag = "workflows", operation_id = "show_workflow", params(("name" = String, Path)),
    responses((status = 200, body = WorkflowView), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(app: State, Path(name): Path<String>) -> Result<axum::Json<WorkflowView>, Error> {
    Ok(axum::Json(workflows::show(&app, &name).await?))
}

/// Keeps a workflow under this name. Runs under way keep the text that they began with.
#[utoipa::path(put, path = "/workflows/{name}", tag = "workflows", operation_id = "put_workflow", params(("name" = String, Path)),
    request_body = WorkflowText, responses((status = 200, body = WorkflowView), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn put(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(given): Json<WorkflowText>,
) -> Result<axum::Json<WorkflowView>, Error> {
    let person = caller.person("writing a workflow")?;
    Ok(axum::Json(workflows::put(&app, person, &name, &given.text, false).await?))
}

/// Forgets a workflow; its runs stay, and those under way go on.
#[utoipa::path(delete, path = "/workflows/{name}", tag = "workflows", operation_id = "delete_workflow", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn delete(app: State, Path(name): Path<String>) -> Result<StatusCode, Error> {
    workflows::delete(&app, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Begins a run of a workflow on a pool.
#[utoipa::path(post, path = "/workflows/{name}/runs", tag = "workflows", operation_id = "start_workflow_run", params(("name" = String, Path)),
    request_body = RunOn, responses((status = 202, body = RunView), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn start(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(on): Json<RunOn>,
) -> Result<(StatusCode, axum::Json<RunView>), Error> {
    let person = caller.person("running a workflow")?;
    Ok((StatusCode::ACCEPTED, axum::Json(workflows::start(&app, person, &name, &on.pool).await?)))
}

/// Runs of workflows, newest first.
#[utoipa::path(get, path = "/workflow-runs", tag = "workflows", operation_id = "list_workflow_runs", params(RunsQuery),
    responses((status = 200, body = Listed<RunView>)))]
pub(crate) async fn runs(
    app: State,
    caller: Caller,
    Query(query): Query<RunsQuery>,
) -> Result<axum::Json<Listed<RunView>>, Error> {
    let page = page(query.limit, query.offset)?;
    let some = |text: Option<String>| text.filter(|text| !text.is_empty());
    let pool = some(query.pool);
    let runs = workflows::runs(&app, &caller.viewer, pool.as_deref(), some(query.workflow), query.state, page).await?;
    Ok(axum::Json(runs.into()))
}

/// One run: every step with its state, and the graph that it walks.
#[utoipa::path(get, path = "/workflow-runs/{id}", tag = "workflows", operation_id = "show_workflow_run", params(("id" = i64, Path)),
    responses((status = 200, body = RunView), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn run(app: State, caller: Caller, Path(id): Path<i64>) -> Result<axum::Json<RunView>, Error> {
    Ok(axum::Json(workflows::run(&app, &caller.viewer, id).await?))
}

/// Tells a run to end, and the task of its step. One that has ended stays as it is.
#[utoipa::path(post, path = "/workflow-runs/{id}/cancel", tag = "workflows", operation_id = "cancel_workflow_run", params(("id" = i64, Path)),
    responses((status = 200, body = RunView), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn cancel(app: State, caller: Caller, Path(id): Path<i64>) -> Result<axum::Json<RunView>, Error> {
    let person = caller.person("cancelling a run")?;
    Ok(axum::Json(workflows::cancel(&app, person, id).await?))
}

/// Answers the step that asks a person.
#[utoipa::path(post, path = "/workflow-runs/{id}/approve", tag = "workflows", operation_id = "approve_workflow_run", params(("id" = i64, Path)),
    request_body = AnswerGiven, responses((status = 200, body = RunView), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn approve(
    app: State,
    caller: Caller,
    Path(id): Path<i64>,
    Json(given): Json<AnswerGiven>,
) -> Result<axum::Json<RunView>, Error> {
    let person = caller.person("answering a workflow")?;
    Ok(axum::Json(workflows::answer(&app, person, id, given).await?))
}
