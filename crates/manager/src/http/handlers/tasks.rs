//! Tasks: what runs, what ran, and what became of each host.

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use p2ppool_model::role::Role;
use p2ppool_model::task::{Task, TaskHost};
use p2ppool_model::waiting::ShownTask;
use p2ppool_model::{HostId, Outcome, TaskId, Time};
use p2ppool_store::{TaskFilter, TaskHostFilter};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::accounts::Viewer;
use crate::app::App;
use crate::http::State;
use crate::http::body::{Json, Query};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::{Listed, page};
use crate::service::history::Range;
use crate::service::{Error, pools, tasks};

/// Which tasks.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct TasksQuery {
    /// Only of this pool.
    pool: Option<String>,
    /// Only in one of these states, separated by commas: `queued`, `running`, `succeeded`, …
    state: String,
    /// Only those that were asked for then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Only those that were asked for earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Time>,
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

impl TasksQuery {
    pub(crate) async fn filter(&self, app: &App, viewer: &Viewer) -> Result<TaskFilter, Error> {
        let range = Range { from: self.from, to: self.to }.checked()?;
        let pool = match self.pool.as_deref().filter(|name| !name.is_empty()) {
            Some(name) => Some(pools::visible(app, viewer, name).await?.id),
            None => None,
        };
        // Administrators see what became of tasks whose pool is gone, too.
        let all = pool.is_some() || (viewer.is_at_least(Role::Administrator) && !viewer.is_limited());
        let pools = if all { None } else { Some(pools::seen(app, viewer).await?) };
        let pools = pools.map(|pools| pools.into_iter().map(|pool| pool.id).collect());
        Ok(TaskFilter { pool, pools, states: words("state", &self.state)?, from: range.from, until: range.to })
    }
}

/// Which hosts of a task.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct TaskHostsQuery {
    /// Only with one of these outcomes, separated by commas: `ok`, `unreachable`, `failed`, …
    outcome: String,
    /// Part of address or message.
    q: Option<String>,
    /// Each host as the last attempt left it: also those of tasks that did some of the hosts again.
    merged: bool,
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

/// Words separated by commas.
fn words<T: std::str::FromStr<Err = String>>(field: &'static str, text: &str) -> Result<Vec<T>, Error> {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(|error: String| Error::field(field, error))).collect()
}

/// Tasks, newest first.
#[utoipa::path(get, path = "/tasks", tag = "tasks", params(TasksQuery),
    responses((status = 200, body = Listed<Task>), (status = 400, body = ErrorAnswer), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Query(query): Query<TasksQuery>,
) -> Result<axum::Json<Listed<Task>>, Error> {
    let page = page(query.limit, query.offset)?;
    let filter = query.filter(&app, &caller.viewer).await?;
    Ok(axum::Json(app.store.tasks(&filter, page).await?.into()))
}

/// One task; of one that waits: for what, and when it may start.
#[utoipa::path(get, path = "/tasks/{id}", tag = "tasks", params(("id" = i64, Path)),
    responses((status = 200, body = ShownTask), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(app: State, caller: Caller, Path(id): Path<TaskId>) -> Result<axum::Json<ShownTask>, Error> {
    let task = tasks::visible(&app, &caller.viewer, id).await?;
    Ok(axum::Json(tasks::shown(&app, task).await?))
}

/// Hosts of a task, by address.
#[utoipa::path(get, path = "/tasks/{id}/hosts", tag = "tasks", params(("id" = i64, Path), TaskHostsQuery),
    responses((status = 200, body = Listed<TaskHost>), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn hosts(
    app: State,
    caller: Caller,
    Path(id): Path<TaskId>,
    Query(query): Query<TaskHostsQuery>,
) -> Result<axum::Json<Listed<TaskHost>>, Error> {
    let page = page(query.limit, query.offset)?;
    let task = tasks::visible(&app, &caller.viewer, id).await?;
    let outcomes: Vec<Outcome> = words("outcome", &query.outcome)?;
    let filter = TaskHostFilter { outcomes, text: query.q.filter(|text| !text.is_empty()) };
    if query.merged {
        return Ok(axum::Json(tasks::merged_hosts(&app, task.id, &filter, page).await?.into()));
    }
    Ok(axum::Json(app.store.task_hosts(task.id, &filter, page).await?.into()))
}

/// The end of what a host printed in a task.
#[utoipa::path(get, path = "/tasks/{id}/hosts/{host}/output", tag = "tasks",
    params(("id" = i64, Path), ("host" = i64, Path)),
    responses((status = 200, body = String, content_type = "text/plain"), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn output(
    app: State,
    caller: Caller,
    Path((id, host)): Path<(TaskId, HostId)>,
) -> Result<impl IntoResponse, Error> {
    caller.person("reading what hosts printed")?;
    let task: Task = tasks::visible(&app, &caller.viewer, id).await?;
    let output = app.store.task_output(task.id, host).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], output.unwrap_or_default()))
}

/// Tells a task to end; hosts end at their next step boundary. One that has ended stays as it is.
#[utoipa::path(post, path = "/tasks/{id}/cancel", tag = "tasks", params(("id" = i64, Path)),
    responses((status = 200, body = Task), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn cancel(app: State, caller: Caller, Path(id): Path<TaskId>) -> Result<axum::Json<Task>, Error> {
    let person = caller.person("cancelling a task")?;
    Ok(axum::Json(tasks::cancel(&app, person, id).await?))
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Retry {
    /// Hosts with one of these outcomes; nothing given here and in `hosts`: all that are not right.
    only: Vec<Outcome>,
    /// These hosts, whatever became of them.
    hosts: Vec<HostId>,
}

/// Does the hosts of an ended task again that are not right, as a new task.
#[utoipa::path(post, path = "/tasks/{id}/retry", tag = "tasks", params(("id" = i64, Path)), request_body = Retry,
    responses((status = 202, body = Task), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
pub(crate) async fn retry(
    app: State,
    caller: Caller,
    Path(id): Path<TaskId>,
    Json(retry): Json<Retry>,
) -> Result<(StatusCode, axum::Json<Task>), Error> {
    let person = caller.person("retrying a task")?;
    Ok((StatusCode::ACCEPTED, axum::Json(tasks::retry(&app, person, id, &retry.only, &retry.hosts).await?)))
}
