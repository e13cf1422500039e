//! Workflows: write them, run them, look at runs, answer what they ask.

use p2ppool_model::pool::is_name;
use p2ppool_model::workflow::run::{RunState, StepRun};
use p2ppool_model::workflow::{Workflow, WorkflowError};
use p2ppool_model::{PoolId, Time};
use p2ppool_store::{Answer, Listed, Page, RunFilter, StoreError, StoredWorkflow, WorkflowRun};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::Viewer;
use crate::app::App;
use crate::service::{Error, FieldError, pools};
use crate::workflow::{self, StartError, Times};

/// Longest comment on an answer, in bytes.
const COMMENT_MAX: usize = 1000;

/// A workflow in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowSummary {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How many steps it has.
    pub steps: usize,
    /// Rises with every change, from 1.
    pub version: u64,
    /// When it was changed last.
    pub changed: Time,
    /// By whom.
    pub changed_by: String,
}

/// A workflow with its text and its graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WorkflowView {
    /// As in a list.
    #[serde(flatten)]
    pub summary: WorkflowSummary,
    /// YAML or JSON, as it was written.
    pub text: String,
    /// What it says; none when this version of the program can't read it.
    pub graph: Option<Workflow>,
    /// What is wrong with it then.
    pub errors: Vec<WorkflowError>,
}

/// What a text says, or everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// What it says.
    pub graph: Option<Workflow>,
    /// What is wrong, by line.
    pub errors: Vec<WorkflowError>,
}

/// One run of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    /// Its number.
    pub id: i64,
    /// Name of the workflow.
    pub workflow: String,
    /// Its version when the run began.
    pub version: u64,
    /// Name of the pool.
    pub pool: String,
    /// Where it is.
    pub state: RunState,
    /// The step that is under way.
    pub at: Option<String>,
    /// Why it ended, as a sentence.
    pub message: String,
    /// Who or what started it.
    pub started_by: String,
    /// When.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Who told it to end, if anybody.
    pub cancelled_by: Option<String>,
    /// Every step with its state.
    pub steps: Vec<StepRun>,
    /// The graph that it walks, as the text said when it began; only of a single run.
    pub graph: Option<Workflow>,
}

/// The answer to a step that asks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AnswerGiven {
    /// The step.
    pub step: String,
    /// Yes or no.
    pub approve: bool,
    /// Why.
    #[serde(default)]
    pub comment: String,
}

/// What a text says, or what is wrong with it.
pub fn check(text: &str) -> Checked {
    match workflow::check(text) {
        Ok(graph) => Checked { graph: Some(graph), errors: Vec::new() },
        Err(errors) => Checked { graph: None, errors },
    }
}

/// Every workflow.
pub async fn list(app: &App) -> Result<Vec<WorkflowSummary>, Error> {
    Ok(app.store.workflows().await?.into_iter().map(|stored| view(stored).summary).collect())
}

/// One workflow.
pub async fn show(app: &App, name: &str) -> Result<WorkflowView, Error> {
    match app.store.workflow(name).await {
        Ok(stored) => Ok(view(stored)),
        Err(StoreError::NotFound { .. }) => Err(Error::not_found("workflow", name)),
        Err(error) => Err(error.into()),
    }
}

/// Keeps a workflow; with `new`, only when there is none of that name.
pub async fn put(app: &App, viewer: &Viewer, name: &str, text: &str, new: bool) -> Result<WorkflowView, Error> {
    if !is_name(name) {
        return Err(Error::field("name", "must be 1 to 63 of a-z, 0-9 and `-`"));
    }
    if let Err(errors) = workflow::check(text) {
        let field = |error: &WorkflowError| FieldError { field: "text".to_owned(), reason: error.to_string() };
        return Err(Error::Fields(errors.iter().map(field).collect()));
    }
    Ok(view(app.store.put_workflow(name, text, viewer.name(), new).await?))
}

/// Forgets a workflow; its runs stay, and those under way go on.
pub async fn delete(app: &App, name: &str) -> Result<(), Error> {
    if app.store.delete_workflow(name).await? { Ok(()) } else { Err(Error::not_found("workflow", name)) }
}

/// Begins a run on a pool that the viewer may change.
pub async fn start(app: &App, viewer: &Viewer, name: &str, pool: &str) -> Result<RunView, Error> {
    let pool = pools::changeable(app, viewer, pool).await?;
    let run = workflow::start(app.engine.context(), name, &pool, viewer.name(), Times::Any).await;
    match run {
        Ok(run) => Ok(run_view(run, true)),
        Err(StartError::Store(StoreError::NotFound { .. })) => Err(Error::not_found("workflow", name)),
        Err(StartError::Store(error)) => Err(error.into()),
        Err(error) => Err(Error::Conflict { code: "unusable", message: error.to_string() }),
    }
}

/// Runs of the pools that this viewer may see, newest first.
pub async fn runs(
    app: &App,
    viewer: &Viewer,
    pool: Option<&str>,
    workflow: Option<String>,
    state: Option<RunState>,
    page: Page,
) -> Result<Listed<RunView>, Error> {
    let pools: Vec<PoolId> = match pool {
        Some(name) => vec![pools::visible(app, viewer, name).await?.id],
        None => app.store.pools().await?.into_iter().filter(|pool| viewer.may_see(pool)).map(|pool| pool.id).collect(),
    };
    let filter = RunFilter { pools: Some(pools), workflow, state };
    let runs = app.store.workflow_runs(&filter, page).await?;
    Ok(Listed { total: runs.total, items: runs.items.into_iter().map(|run| run_view(run, false)).collect() })
}

/// One run, when this viewer may see its pool.
pub async fn run(app: &App, viewer: &Viewer, id: i64) -> Result<RunView, Error> {
    Ok(run_view(visible(app, viewer, id).await?, true))
}

/// Tells a run to end, and the task of its step. One that has ended stays as it is.
pub async fn cancel(app: &App, viewer: &Viewer, id: i64) -> Result<RunView, Error> {
    changeable(app, viewer, id).await?;
    app.store.cancel_run(id, viewer.name()).await?;
    told(app, id).await
}

/// Answers the step that asks.
pub async fn answer(app: &App, viewer: &Viewer, id: i64, given: AnswerGiven) -> Result<RunView, Error> {
    changeable(app, viewer, id).await?;
    if given.comment.len() > COMMENT_MAX {
        return Err(Error::field("comment", format!("longer than {COMMENT_MAX} bytes")));
    }
    let AnswerGiven { step, approve, comment } = given;
    app.store.answer_run(id, &Answer { step, approve, comment, by: viewer.name().to_owned() }).await?;
    told(app, id).await
}

/// The one who runs it hears of it.
async fn told(app: &App, id: i64) -> Result<RunView, Error> {
    let run = app.store.workflow_run(id).await?;
    workflow::tell(app.engine.context(), &run);
    Ok(run_view(run, true))
}

async fn visible(app: &App, viewer: &Viewer, id: i64) -> Result<WorkflowRun, Error> {
    let anonymous = *viewer == Viewer::Anonymous;
    let found = match app.store.workflow_run(id).await {
        Ok(run) => Some(run),
        Err(StoreError::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let seen = match found {
        Some(run) => match app.store.pool(run.pool).await {
            Ok(pool) if viewer.may_see(&pool) => Some(run),
            // runs outlive their pool: people with an account still see what became of them
            Err(StoreError::NotFound { .. }) if !anonymous => Some(run),
            Ok(_) | Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    seen.ok_or_else(|| Error::not_found("workflow run", id))
}

async fn changeable(app: &App, viewer: &Viewer, id: i64) -> Result<(), Error> {
    let run = visible(app, viewer, id).await?;
    match app.store.pool(run.pool).await {
        Ok(pool) => pools::changeable(app, viewer, pool.name.as_str()).await.map(drop),
        Err(StoreError::NotFound { .. }) => Err(Error::Conflict {
            code: "refused",
            message: format!("the pool of run {id} was deleted; there is nothing left to do in it"),
        }),
        Err(error) => Err(error.into()),
    }
}

fn view(stored: StoredWorkflow) -> WorkflowView {
    let Checked { graph, errors } = check(&stored.text);
    let summary = WorkflowSummary {
        name: stored.name,
        description: graph.as_ref().map(|graph| graph.description.clone()).unwrap_or_default(),
        steps: graph.as_ref().map_or(0, |graph| graph.steps.len()),
        version: stored.version,
        changed: stored.changed,
        changed_by: stored.changed_by,
    };
    WorkflowView { summary, text: stored.text, graph, errors }
}

fn run_view(run: WorkflowRun, with_graph: bool) -> RunView {
    RunView {
        id: run.id,
        graph: if with_graph { workflow::check(&run.text).ok() } else { None },
        workflow: run.workflow,
        version: run.version,
        pool: run.pool_name,
        state: run.progress.state,
        at: run.progress.at,
        message: run.progress.message,
        started_by: run.started_by,
        started_at: run.started_at,
        ended_at: run.ended_at,
        cancelled_by: run.cancelled_by,
        steps: run.progress.steps,
    }
}
