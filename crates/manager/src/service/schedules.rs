//! Schedules: look at them, make them, change them, do one now.

use p2ppool_model::event::Change;
use p2ppool_model::pool::Pool;
use p2ppool_model::schedule::{CatchUp, JITTER_MAX_S, Overlap, Plan, RunOutcome, Schedule, ScheduleRun, Starts, When};
use p2ppool_model::{Action, ScheduleId, Time};
use p2ppool_store::{NextTime, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::accounts::Viewer;
use crate::actions::params;
use crate::app::App;
use crate::engine::schedule::clock::{self, Clock, ClockError};
use crate::service::{Error, pools};

/// Times to come that are shown.
const NEXT_SHOWN: usize = 5;
/// Last results that are shown in a list, and of one schedule.
const RUNS_SHOWN: (u32, u32) = (5, 50);
/// Longest settings of what is started, bytes of JSON.
const PARAMS_MAX: usize = 64 * 1024;

/// A schedule and how it is at the moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScheduleView {
    /// The schedule.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// When, in plain words.
    pub words: String,
    /// The next five times, before jitter; none while it is off.
    pub next: Vec<Time>,
    /// What became of the last times, newest first.
    pub runs: Vec<ScheduleRun>,
    /// The one who asks may change it.
    pub may_change: bool,
}

/// A schedule to make, or what to change of one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SchedulePatch {
    /// What it starts.
    pub starts: Option<StartsGiven>,
    /// When: five fields, minute hour day month weekday. Either this or `at`.
    pub cron: Option<String>,
    /// When: once.
    pub at: Option<Time>,
    /// IANA time zone of `cron` [default: UTC].
    pub time_zone: Option<String>,
    /// Longest time, in seconds, by which each time is put off [default: 0].
    pub jitter_s: Option<u32>,
    /// What to do about times at which no manager ran [default: run_once].
    pub catch_up: Option<CatchUp>,
    /// What to do when the last one's task still runs [default: skip].
    pub overlap: Option<Overlap>,
    /// It is on [default: true].
    pub enabled: Option<bool>,
}

/// What a schedule starts: either an action or a workflow.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StartsGiven {
    /// A task of this action.
    pub action: Option<Action>,
    /// Its settings.
    #[schema(value_type = Option<Object>)]
    pub params: Value,
    /// A run of this workflow.
    pub workflow: Option<String>,
}

/// What a cron expression means.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Preview {
    /// In plain words.
    pub words: String,
    /// The next five times.
    pub next: Vec<Time>,
}

/// Schedules of a pool, or of every pool that this viewer may see.
pub async fn list(app: &App, viewer: &Viewer, pool: Option<Pool>) -> Result<Vec<ScheduleView>, Error> {
    let pools = match pool {
        Some(pool) => vec![pool],
        None => app.store.pools().await?.into_iter().filter(|pool| viewer.may_see(pool)).collect(),
    };
    let only = if let [pool] = &pools[..] { Some(pool.id) } else { None };
    let now = app.store.now().await?;
    let mut runs = app.store.schedule_runs(None, RUNS_SHOWN.0).await?;
    let schedules = app.store.schedules(only).await?;
    let views = schedules.into_iter().filter_map(|schedule| {
        let pool = pools.iter().find(|pool| pool.id == schedule.pool)?;
        let runs = runs.remove(&schedule.id).unwrap_or_default();
        Some(view(schedule, runs, viewer.may_change(pool), now))
    });
    Ok(views.collect())
}

/// One schedule, when this viewer may see its pool.
pub async fn show(app: &App, viewer: &Viewer, id: ScheduleId) -> Result<ScheduleView, Error> {
    let (schedule, pool) = visible(app, viewer, id).await?;
    let runs = app.store.schedule_runs(Some(id), RUNS_SHOWN.1).await?.remove(&id).unwrap_or_default();
    Ok(view(schedule, runs, viewer.may_change(&pool), app.store.now().await?))
}

/// Makes a schedule of a pool that the viewer may change.
pub async fn create(app: &App, viewer: &Viewer, pool: Pool, given: SchedulePatch) -> Result<ScheduleView, Error> {
    let now = app.store.now().await?;
    let (plan, next) = planned(&pool, new_plan(given)?, now)?;
    let schedule = app.store.create_schedule(pool.id, &plan, next).await?;
    told(app, &pool);
    show(app, viewer, schedule.id).await
}

/// Changes what is given; the rest stays.
pub async fn edit(app: &App, viewer: &Viewer, id: ScheduleId, given: SchedulePatch) -> Result<ScheduleView, Error> {
    let (schedule, pool) = changeable(app, viewer, id).await?;
    let now = app.store.now().await?;
    let (plan, next) = planned(&pool, changed(schedule.plan, given)?, now)?;
    app.store.set_schedule(id, &plan, next).await?;
    told(app, &pool);
    show(app, viewer, id).await
}

/// Deletes a schedule; the tasks that it started stay.
pub async fn delete(app: &App, viewer: &Viewer, id: ScheduleId) -> Result<(), Error> {
    let (_, pool) = changeable(app, viewer, id).await?;
    app.store.delete_schedule(id).await?;
    told(app, &pool);
    Ok(())
}

/// Does it now, whether it is on or off; its own times stay as they are.
pub async fn run(app: &App, viewer: &Viewer, id: ScheduleId) -> Result<ScheduleRun, Error> {
    let (schedule, _) = changeable(app, viewer, id).await?;
    let run = app.engine.run_schedule(&schedule, viewer.name()).await?;
    match run.outcome {
        RunOutcome::Started => Ok(run),
        _ => Err(Error::Conflict { code: "refused", message: run.message }),
    }
}

/// What a cron expression means.
pub async fn preview(app: &App, cron: &str, time_zone: &str) -> Result<Preview, Error> {
    let clock = Clock::parse(cron, time_zone)?;
    let next = clock.next_times(app.store.now().await?, NEXT_SHOWN);
    if next.is_empty() {
        return Err(never());
    }
    Ok(Preview { words: clock.words(), next })
}

fn view(schedule: Schedule, runs: Vec<ScheduleRun>, may_change: bool, now: Time) -> ScheduleView {
    let words = match &schedule.plan.when {
        When::Cron(cron) => Clock::parse(cron, &schedule.plan.time_zone).map(|clock| clock.words()).unwrap_or_default(),
        When::At(at) => format!("once, at {at}"),
    };
    let next = clock::next_times(&schedule.plan, now, NEXT_SHOWN);
    ScheduleView { words, next, runs, may_change, schedule }
}

async fn visible(app: &App, viewer: &Viewer, id: ScheduleId) -> Result<(Schedule, Pool), Error> {
    // who may not see it is not told that it is there
    let missing = || Error::not_found("schedule", id);
    let schedule = match app.store.schedule(id).await {
        Err(StoreError::NotFound { .. }) => return Err(missing()),
        other => other?,
    };
    let pool = app.store.pool(schedule.pool).await?;
    if viewer.may_see(&pool) { Ok((schedule, pool)) } else { Err(missing()) }
}

async fn changeable(app: &App, viewer: &Viewer, id: ScheduleId) -> Result<(Schedule, Pool), Error> {
    let (schedule, pool) = visible(app, viewer, id).await?;
    let pool = pools::changeable(app, viewer, pool.name.as_str()).await?;
    Ok((schedule, pool))
}

fn told(app: &App, pool: &Pool) {
    app.engine.schedules_changed();
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
}

fn new_plan(given: SchedulePatch) -> Result<Plan, Error> {
    let Some(starts) = given.starts.clone() else {
        return Err(Error::field("starts", "is missing: say an action or a workflow"));
    };
    if given.cron.is_none() && given.at.is_none() {
        return Err(Error::field("cron", "is missing: say when, by `cron` or by `at`"));
    }
    let begun = Plan {
        starts: starts_of(starts)?,
        when: When::At(Time(0)),
        time_zone: "UTC".to_owned(),
        jitter_s: 0,
        catch_up: CatchUp::default(),
        overlap: Overlap::default(),
        enabled: true,
    };
    changed(begun, SchedulePatch { starts: None, ..given })
}

fn changed(mut plan: Plan, given: SchedulePatch) -> Result<Plan, Error> {
    if let Some(starts) = given.starts {
        plan.starts = starts_of(starts)?;
    }
    match (given.cron, given.at) {
        (Some(_), Some(_)) => {
            return Err(Error::field("at", "can't be given together with `cron`: once, or again and again"));
        }
        (Some(cron), None) => plan.when = When::Cron(cron.trim().to_owned()),
        (None, Some(at)) => plan.when = When::At(at),
        (None, None) => {}
    }
    if let Some(seconds) = given.jitter_s {
        if seconds > JITTER_MAX_S {
            return Err(Error::field("jitter_s", format!("{seconds} is more than {JITTER_MAX_S}, a day")));
        }
        plan.jitter_s = seconds;
    }
    plan.time_zone = given.time_zone.unwrap_or(plan.time_zone);
    plan.catch_up = given.catch_up.unwrap_or(plan.catch_up);
    plan.overlap = given.overlap.unwrap_or(plan.overlap);
    plan.enabled = given.enabled.unwrap_or(plan.enabled);
    Ok(plan)
}

fn starts_of(given: StartsGiven) -> Result<Starts, Error> {
    match (given.action, given.workflow) {
        (Some(action), None) => {
            let params = params::checked(action, &given.params).map_err(|why| Error::field("starts.params", why))?;
            if params.to_string().len() > PARAMS_MAX {
                return Err(Error::field("starts.params", format!("has more than {PARAMS_MAX} bytes")));
            }
            Ok(Starts::Action { action, params })
        }
        (None, Some(workflow)) => Ok(Starts::Workflow { workflow }),
        (Some(_), Some(_)) => Err(Error::field("starts", "names an action and a workflow; make two schedules")),
        (None, None) => Err(Error::field("starts", "names neither an action nor a workflow")),
    }
}

/// The plan, when it can be kept to, and when it comes next.
fn planned(pool: &Pool, plan: Plan, now: Time) -> Result<(Plan, Option<NextTime>), Error> {
    // the time zone is checked even where nothing is read in it
    Clock::parse("* * * * *", &plan.time_zone)?;
    let next = clock::next_time(&plan, pool.id, now)?;
    match (&plan.when, next) {
        (When::At(at), None) if plan.enabled => {
            Err(Error::field("at", format!("{at} is over; it is {now} by the database's clock")))
        }
        (When::Cron(_), None) => Err(never()),
        _ => Ok((plan, next)),
    }
}

fn never() -> Error {
    Error::field("cron", "names no time that ever comes, such as 31 February")
}

impl From<ClockError> for Error {
    fn from(error: ClockError) -> Self {
        Self::field(error.field, error.reason)
    }
}
