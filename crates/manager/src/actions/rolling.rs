//! A rolling upgrade: batch after batch, with a gate after each that asks hosts and overlay.
//!
//! What comes next is decided by [`Rollout`]; this file does it. Every new phase is written before
//! it is acted on, so that a manager that takes the task over goes on where the last one was. The
//! pool keeps its software and settings until the last gate was passed: a check in between would
//! bring hosts back to what the pool is, never forward.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use p2ppool_model::event::Change;
use p2ppool_model::host::Host;
use p2ppool_model::pool::Pool;
use p2ppool_model::rollout::{Fact, GateCheck, GateReading, Measured, Next, Phase, Release, Rollout};
use p2ppool_model::rollout_view::RolloutView;
use p2ppool_model::task::TaskHost;
use p2ppool_model::{HostId, Outcome, Time};
use p2ppool_remote::HostSession;
use serde_json::json;

use super::converge::{Aim, Converge};
use super::deploy::{bundle_for, crawl_afterwards};
use super::fleet::{Fleet, Halt, HostWork, Right, Visit};
use super::params::{self, UpgradeTaskParams};
use super::remove::forget_clean_leavers;
use super::{ActionError, End, Prepared, Run, crawl, deployed, pool_changed};
use crate::local_node;
use crate::service::pools;

/// Shortest and longest pause between two looks at a gate; a slow crawl is not repeated at once.
const PAUSES: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(30));
/// How soon a decision that was made through another manager is noticed.
const DECISION_LOOK: Duration = Duration::from_secs(5);
/// How often a paused upgrade crawls, so that who decides sees the overlay as it is.
const PAUSED_CRAWL: Duration = Duration::from_secs(600);

/// Does what the task's rolling upgrade needs, from where it is to its end.
pub(super) async fn run(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let mut roll = Roll::begin(run, pool).await?;
    loop {
        if run.stop.is_requested() {
            return Err(ActionError::Cut);
        }
        let fact = match roll.rollout.step() {
            Next::Measure => roll.measure().await?,
            Next::Deploy(batch) => roll.deploy(batch).await?,
            Next::Read { batch, .. } => roll.read(batch).await?,
            Next::Ask { until, .. } => roll.ask(until).await?,
            Next::RollBack => roll.roll_back().await?,
            Next::Finish => roll.finish().await?,
            Next::End => return roll.end(),
        };
        roll.advance(fact).await?;
    }
}

struct Roll<'a> {
    run: &'a Run,
    pool: Pool,
    params: UpgradeTaskParams,
    rollout: Rollout,
    target: Option<Arc<Prepared>>,
    /// How long the last look at a gate took; `None`: there was none since this claim began.
    looked: Option<Duration>,
}

impl<'a> Roll<'a> {
    /// Where an earlier claim left it, else with a new plan that is written before anything is touched.
    async fn begin(run: &'a Run, pool: Pool) -> Result<Self, ActionError> {
        let params: UpgradeTaskParams = params::of(&run.task.params);
        let known = run.context.store.rollout(run.task.id).await?;
        let is_new = known.is_none();
        let rollout = match known {
            Some(rollout) => rollout,
            None => plan(run, &pool, &params).await?,
        };
        let mut roll = Self { run, pool, params, rollout, target: None, looked: None };
        if is_new {
            roll.write(false).await?;
        }
        Ok(roll)
    }

    /// The pool as it will be.
    fn target_pool(&self) -> Pool {
        Pool { settings: self.rollout.target.settings.clone(), ..self.pool.clone() }
    }

    async fn target(&mut self) -> Result<Arc<Prepared>, ActionError> {
        if let Some(target) = &self.target {
            return Ok(Arc::clone(target));
        }
        let (pool, context) = (self.target_pool(), &self.run.context);
        let bundle = match &self.rollout.target.bundle {
            Some(digest) => context.store.bundle(digest).await?,
            None => bundle_for(self.run, &pool, self.params.bundle.as_ref()).await?,
        };
        let prepared = Arc::new(Prepared::of(context, &pool, &bundle).await?);
        self.target = Some(Arc::clone(&prepared));
        let target = &mut self.rollout.target;
        (target.bundle, target.package) = (Some(bundle.digest), Some(prepared.package.digest.clone()));
        Ok(prepared)
    }

    async fn measure(&mut self) -> Result<Fact, ActionError> {
        self.run.recorder.say("building the package").await;
        self.target().await?;
        if !self.rollout.rolling.gate.needs_crawl() {
            return Ok(Fact::Measured(None));
        }
        self.run.recorder.say("looking at the overlay before the first batch").await;
        let snapshot = crawl::fresh(self.run, &self.pool).await?;
        Ok(Fact::Measured(Some(Measured::of(snapshot.id, &snapshot.totals))))
    }

    async fn deploy(&mut self, batch: usize) -> Result<Fact, ActionError> {
        let prepared = self.target().await?;
        let hosts: HashSet<HostId> = self.rollout.batches[batch].hosts.iter().copied().collect();
        let text = format!("{}: upgrading {} hosts", self.name_of(batch), hosts.len());
        self.run.recorder.say(text).await;
        let work = Converge { aim: Aim::Running(prepared), meter: None };
        self.work(&self.target_pool(), &hosts, work).await?;
        Ok(Fact::Deployed)
    }

    /// Works on these hosts until each is final.
    async fn work(&self, pool: &Pool, hosts: &HashSet<HostId>, work: impl HostWork) -> Result<(), ActionError> {
        Fleet::of(self.run, pool).await?.only(hosts).work(self.run, work).await;
        if self.run.stop.is_requested() { Err(ActionError::Cut) } else { Ok(()) }
    }

    async fn read(&mut self, batch: usize) -> Result<Fact, ActionError> {
        let right = self.right_of(batch);
        let now = self.run.context.store.now().await?;
        let on_hosts = self.rollout.judge(batch, right, None, now);
        if !self.rollout.rolling.gate.needs_crawl() || on_hosts.failed.contains(&GateCheck::HostsOk) {
            return Ok(Fact::Read(on_hosts));
        }
        if let Some(took) = self.looked {
            self.pause(took.clamp(PAUSES.0, PAUSES.1)).await?;
        }
        self.run.recorder.say(format!("{}: looking at the overlay", self.name_of(batch))).await;
        let begun = Instant::now();
        let snapshot = crawl::fresh(self.run, &self.target_pool()).await?;
        self.looked = Some(begun.elapsed());
        let found = Measured::of(snapshot.id, &snapshot.totals);
        let now = self.run.context.store.now().await?;
        Ok(Fact::Read(self.rollout.judge(batch, right, Some(found), now)))
    }

    fn right_of(&self, batch: usize) -> u64 {
        let hosts: HashSet<HostId> = self.rollout.batches[batch].hosts.iter().copied().collect();
        let right = |row: &TaskHost| hosts.contains(&row.host) && row.outcome.is_right();
        self.run.recorder.rows().iter().filter(|row| right(row)).count() as u64
    }

    async fn pause(&self, pause: Duration) -> Result<(), ActionError> {
        tokio::select! {
            () = tokio::time::sleep(pause) => Ok(()),
            () = self.run.stop.token().cancelled() => Err(ActionError::Cut),
        }
    }

    /// Waits for a person's word.
    async fn ask(&mut self, until: Time) -> Result<Fact, ActionError> {
        let store = &self.run.context.store;
        let why = self.why();
        self.run.recorder.say(format!("paused: {why}; go on, look again or roll back")).await;
        let mut events = self.run.context.events.subscribe(None);
        let mut crawled = Instant::now();
        loop {
            if let Some(decided) = store.rollout_decision(self.run.task.id).await? {
                let text = format!("{} said: {}", decided.by, decided.decision.as_str().replace('_', " "));
                self.run.recorder.say(text).await;
                self.looked = None;
                return Ok(Fact::Decided(decided.decision));
            }
            if store.now().await? >= until {
                return Ok(Fact::Waited);
            }
            if crawled.elapsed() >= PAUSED_CRAWL {
                crawled = Instant::now();
                crawl::fresh(self.run, &self.target_pool()).await?;
            }
            tokio::select! {
                _ = tokio::time::timeout(DECISION_LOOK, events.next()) => {}
                () = self.run.stop.token().cancelled() => return Err(ActionError::Cut),
            }
        }
    }

    async fn roll_back(&mut self) -> Result<Fact, ActionError> {
        if self.rollout.undo.is_empty() {
            // first of all, so that a later claim knows which hosts are back already
            self.rollout.undo = self.touched();
            self.write(false).await?;
        }
        self.reset_hosts().await;
        let text = format!("rolling back {} hosts: {}", self.rollout.undo.len(), self.why());
        self.run.recorder.say(text).await;
        let (before, context) = (self.rollout.before.clone(), &self.run.context);
        let prepared = Arc::new(Prepared::of_release(context, &self.pool, &before).await?);
        let hosts: HashSet<HostId> = self.rollout.undo.keys().copied().collect();
        let pool = Pool { settings: before.settings.clone(), ..self.pool.clone() };
        let work = Back(Converge { aim: Aim::Running(Arc::clone(&prepared)), meter: None });
        self.work(&pool, &hosts, work).await?;

        let now = context.store.pool(self.pool.id).await?;
        let settings = deployed::on_hosts(&before.settings, &now.settings);
        context.store.set_pool_settings(now.id, &settings).await?;
        if let Some(bundle) = &before.bundle {
            let pool = Pool { settings, ..now };
            deployed::set(context, &pool, bundle, &prepared.package.digest).await?;
            pool_changed(context, &pool);
        }
        Ok(Fact::RolledBack)
    }

    /// Hosts that are not as they were, with the attempt that brings each back.
    fn touched(&self) -> std::collections::BTreeMap<HostId, u32> {
        let planned: HashSet<HostId> = self.rollout.batches.iter().flat_map(|batch| batch.hosts.clone()).collect();
        let touched = |row: &TaskHost| planned.contains(&row.host) && row.outcome != Outcome::NotStarted;
        self.run.recorder.rows().into_iter().filter(touched).map(|row| (row.host, row.attempt + 1)).collect()
    }

    /// Hosts that have to go back and did not begin to yet.
    async fn reset_hosts(&self) {
        for mut row in self.run.recorder.rows() {
            let Some(attempt) = self.rollout.undo.get(&row.host).copied() else { continue };
            if row.attempt < attempt {
                (row.outcome, row.attempt, row.step, row.cause) = (Outcome::NotStarted, attempt, None, None);
                row.message.clear();
                self.run.recorder.host(row, None).await;
            }
        }
    }

    async fn finish(&mut self) -> Result<Fact, ActionError> {
        let (prepared, context) = (self.target().await?, &self.run.context);
        self.run.recorder.say("every gate was passed").await;
        let pool = self.target_pool();
        // hosts that left the list
        let work = Converge { aim: Aim::Running(Arc::clone(&prepared)), meter: None };
        Fleet::of(self.run, &pool).await?.work(self.run, work).await;
        if self.run.stop.is_requested() {
            return Err(ActionError::Cut);
        }
        forget_clean_leavers(self.run, &pool).await?;
        let mut now = context.store.pool(pool.id).await?;
        now.settings = with_patch(&now, &self.params)?;
        context.store.set_pool_settings(now.id, &now.settings).await?;
        if let Some(bundle) = &self.rollout.target.bundle {
            deployed::set(context, &now, bundle, &prepared.package.digest).await?;
        }
        pool_changed(context, &now);
        local_node::bring(self.run, &prepared, true).await;
        if !self.rollout.rolling.gate.needs_crawl() {
            crawl_afterwards(self.run, now).await;
        }
        Ok(Fact::Finished)
    }

    /// Notes what came of a step, and tells viewers.
    async fn advance(&mut self, fact: Fact) -> Result<(), ActionError> {
        let taken_up = matches!(fact, Fact::Decided(_));
        let now = self.run.context.store.now().await?;
        if matches!(fact, Fact::Deployed) {
            self.looked = None;
        }
        self.rollout = self.rollout.clone().after(fact, now);
        self.write(taken_up).await
    }

    async fn write(&mut self, taken_up: bool) -> Result<(), ActionError> {
        let (task, recorder) = (self.run.task.id, &self.run.recorder);
        if !self.run.context.store.write_rollout(task, recorder.fence(), &self.rollout, taken_up).await? {
            recorder.lost().cancel();
            return Err(ActionError::Cut);
        }
        let view = RolloutView::of(task, &self.rollout, &recorder.rows());
        let change = Change::Rollout { rollout: Box::new(view) };
        self.run.context.events.publish(Some(&self.run.task.pool_name), change);
        Ok(())
    }

    fn name_of(&self, batch: usize) -> String {
        let of = self.rollout.batches.len();
        let canary = if self.rollout.batches[batch].canary { " (canary)" } else { "" };
        format!("batch {} of {of}{canary}", batch + 1)
    }

    /// Why it stands where it is.
    fn why(&self) -> String {
        let Some((number, batch)) = self.rollout.at_gate() else { return String::new() };
        let found = batch.reading.as_ref().map(shortfall).unwrap_or_default();
        format!("the gate after {} was not passed ({found})", self.name_of(number))
    }

    fn end(&self) -> Result<End, ActionError> {
        let target = &self.rollout.target;
        match self.rollout.phase {
            Phase::RolledBack { .. } => {
                let rows = self.run.recorder.rows();
                let back =
                    rows.iter().filter(|row| self.rollout.undo.contains_key(&row.host) && row.outcome.is_right());
                let (back, of) = (back.count(), self.rollout.undo.len());
                Err(ActionError::Failed(format!("rolled back {back} of {of} hosts: {}", self.why())))
            }
            Phase::Abandoned { .. } => {
                Err(ActionError::Failed(format!("nobody decided in time: {}; hosts stay as they are", self.why())))
            }
            _ => Ok(End {
                message: String::new(),
                result: Some(json!({
                    "package": target.package, "bundle": target.bundle, "batches": self.rollout.batches.len(),
                })),
            }),
        }
    }
}

/// What a gate missed, in words.
fn shortfall(reading: &GateReading) -> String {
    let percent = |part: Option<f64>| part.map_or("unknown".to_owned(), |part| format!("{:.1} %", part * 100.0));
    let count = |count: Option<u64>| count.map_or("unknown".to_owned(), |count| count.to_string());
    let part = |check: &GateCheck| match check {
        GateCheck::HostsOk => {
            format!("{} of {} hosts right, {} needed", reading.hosts_ok, reading.hosts, reading.hosts_ok_min)
        }
        GateCheck::Nodes => {
            format!("{} nodes answer, {} needed", count(reading.nodes), count(reading.nodes_min))
        }
        GateCheck::Consistency => {
            format!("consistency {}, {} needed", percent(reading.consistency), percent(reading.consistency_min))
        }
    };
    reading.failed.iter().map(part).collect::<Vec<_>>().join(", ")
}

async fn plan(run: &Run, pool: &Pool, params: &UpgradeTaskParams) -> Result<Rollout, ActionError> {
    let rolling = params.rolling.clone().unwrap_or_default();
    let before = deployed::get(&run.context, pool).await?;
    let settings = with_patch(pool, params)?;
    let in_task: HashSet<HostId> = run.recorder.rows().iter().map(|row| row.host).collect();
    let hosts = run.context.store.pool_hosts(pool.id).await?;
    let mut staying: Vec<&Host> = hosts.iter().filter(|host| !host.leaving && in_task.contains(&host.id)).collect();
    staying.sort_by_key(|host| host.id);
    let batches = rolling.batches(&staying).map_err(ActionError::Failed)?;
    let target = Release { package: None, bundle: None, settings };
    Ok(Rollout::new(rolling, before, target, batches))
}

/// The pool's settings as they will be.
fn with_patch(pool: &Pool, params: &UpgradeTaskParams) -> Result<p2ppool_model::pool::PoolSettings, ActionError> {
    let patch = params.settings.clone().unwrap_or_default();
    pools::changed(pool, patch).map_err(|error| ActionError::Failed(error.to_string()))
}

/// Brings a host back, and says so.
struct Back(Converge);

#[async_trait]
impl HostWork for Back {
    async fn on_host(&self, visit: &mut Visit, session: &mut HostSession) -> Result<Right, Halt> {
        let right = self.0.on_host(visit, session).await?;
        Ok(Right { message: "back on the release before".to_owned(), ..right })
    }
}
