//! One session on every host of a task, with everything around it: limits, the host key's pin, the
//! outcome, what was learnt.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use p2ppool_model::host::{Host, HostKnown};
use p2ppool_model::pool::{Pool, TransportName};
use p2ppool_model::task::TaskHost;
use p2ppool_model::{Cause, HostId, Outcome, Step, Time};
use p2ppool_remote::{HostError, HostSession, HostStatus, NodeState, Slots, Target};
use p2ppool_store::Learnt;

use super::access::{Access, note_jumps};
use super::{ActionError, Context, Run};
use crate::engine::{Stop, Why};

/// How long a step that is under way may go on after its task was cancelled: most are over by then.
const STEP_GRACE: Duration = Duration::from_secs(1);

/// The host script waits some seconds for a step that is under way; so often it is asked to, which is longer than
/// the longest step may take.
const BUSY_TRIES: u32 = 24;

/// What is done on each host, once its session stands.
#[async_trait]
pub(crate) trait HostWork: Send + Sync + 'static {
    /// Does it. Asks [`Visit::step`] before each step: there it may be told to end.
    async fn on_host(&self, visit: &mut Visit, session: &mut HostSession) -> Result<Right, Halt>;
}

/// A host is as the task wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Right {
    /// It was not before.
    pub(crate) changed: bool,
    /// What there is to say about it.
    pub(crate) message: String,
}

/// Why the work on a host did not come to its end.
#[derive(Debug)]
pub(crate) enum Halt {
    /// A step failed.
    Host(HostError),
    /// The task was told to end.
    Told,
    /// It was told to end, and the step that was under way was ended on the host.
    Cut,
}

impl From<HostError> for Halt {
    fn from(error: HostError) -> Self {
        Self::Host(error)
    }
}

/// One host of a task while it is worked on.
pub(crate) struct Visit {
    pub(crate) run: Run,
    pub(crate) host: Host,
    /// What was learnt so far; written at the end.
    pub(crate) known: HostKnown,
    /// Nothing is known of it any more: it was uninstalled.
    pub(crate) forget: bool,
    /// What its package warned of, in plain words.
    pub(crate) warnings: Vec<String>,
    /// How the host is reached.
    pub(crate) target: Target,
    /// Its key, once the session stands.
    pub(crate) pinned: Option<String>,
    row: TaskHost,
    started: Instant,
}

impl Visit {
    /// The next step begins: shows it, unless the task was told to end.
    pub(crate) async fn step(&mut self, step: Step) -> Result<(), Halt> {
        if self.run.stop.is_requested() {
            return Err(Halt::Told);
        }
        self.row.step = Some(step);
        self.row.duration_ms = Some(self.elapsed_ms());
        self.run.recorder.host(self.row.clone(), None).await;
        Ok(())
    }

    /// What a status tells of the host.
    pub(crate) fn learn(&mut self, status: &HostStatus) {
        // somebody else took it away
        self.forget |= status.current.is_none() && self.host.known.package.is_some();
        self.known.package = status.current.clone();
        self.known.running = Some(status.state == NodeState::Running);
        self.warnings.clone_from(&status.warnings);
        if let Some(peer) = status.peer_id() {
            self.known.node = Some(peer.to_owned());
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn end(mut self, result: Result<Right, Halt>, output: Option<String>) {
        let row = &mut self.row;
        let (outcome, cause, message) = match result {
            Ok(Right { changed, message }) => (if changed { Outcome::Ok } else { Outcome::Unchanged }, None, message),
            Err(Halt::Host(error)) => {
                row.step = Some(error.step);
                self.known.problem = Some(error.message.clone());
                (error.outcome(), Some(error.cause), error.message)
            }
            // it goes on later from where it is: the row stays as it is
            Err(Halt::Told | Halt::Cut) if self.run.stop.why() == Some(Why::Shutdown) => return,
            Err(Halt::Told) => (Outcome::Cancelled, Some(Cause::Cancelled), "ended between two steps".to_owned()),
            Err(Halt::Cut) => {
                let step = row.step.map_or_else(|| "a step".to_owned(), |step| format!("`{}`", step.as_str()));
                let message = format!("ended in {step}; what ran for it on the host was ended, too");
                (Outcome::Cancelled, Some(Cause::Cancelled), message)
            }
        };
        (row.outcome, row.cause, row.message) = (outcome, cause, message);
        row.duration_ms = Some(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
        match outcome {
            Outcome::Cancelled => {}
            Outcome::Unreachable => self.known.reachable = Some(false),
            // it answered, but refused or was refused before anything could be learnt
            Outcome::Refused => {}
            _ => self.known.reachable = Some(true),
        }
        crate::metrics::host_ended(self.run.task.action, outcome);
        self.known.at = Some(Time::now());
        let learnt = if self.forget { Learnt::All } else { Learnt::Some };
        self.run.recorder.known(self.host.id, self.known, learnt).await;
        self.run.recorder.host(self.row, output).await;
    }
}

/// The hosts that a task still has to do, and how they are reached.
pub(crate) struct Fleet {
    jobs: Vec<(Host, TaskHost)>,
    pool: Pool,
    access: Access,
}

impl Fleet {
    /// Of the task's hosts those that are not final yet. Hosts that were deleted since are right.
    pub(crate) async fn of(run: &Run, pool: &Pool) -> Result<Self, ActionError> {
        let mut hosts: HashMap<HostId, Host> =
            run.context.store.pool_hosts(pool.id).await?.into_iter().map(|host| (host.id, host)).collect();
        let mut jobs = Vec::new();
        for mut row in run.recorder.rows() {
            if row.outcome.is_final() {
                continue;
            }
            match hosts.remove(&row.host) {
                Some(host) => jobs.push((host, row)),
                None => {
                    (row.outcome, row.message) = (Outcome::Unchanged, "no longer on the pool's list".to_owned());
                    run.recorder.host(row, None).await;
                }
            }
        }
        // in the order of the list, so that people know what comes next
        jobs.sort_by_key(|(host, _)| host.id);
        let access = Access::of(&run.context, pool).await?;
        Ok(Self { jobs, pool: pool.clone(), access })
    }

    /// Only these hosts of it; the others stay as they are.
    pub(crate) fn only(mut self, hosts: &HashSet<HostId>) -> Self {
        self.jobs.retain(|(host, _)| hosts.contains(&host.id));
        self
    }

    /// Works on every host, many at once, until all are final or the task was told to end.
    pub(crate) async fn work(self, run: &Run, work: impl HostWork) {
        let shared = Arc::new((run.clone(), work));
        let transport = self.pool.settings.transport;
        let Self { jobs, pool, access } = self;
        let rows: Vec<TaskHost> = jobs.iter().map(|(_, row)| row.clone()).collect();
        let reached = access.clone();
        let targets = jobs.into_iter().map(move |(host, row)| {
            let target = reached.target(&pool, &host);
            (host, row, target)
        });
        let context = Arc::clone(&run.context);
        let mut results = context.fan_out.run(targets, run.stop.token().clone(), move |(host, row, target), slots| {
            let shared = Arc::clone(&shared);
            async move {
                let (run, work) = &*shared;
                Box::pin(visit(run.clone(), work, host, row, target, transport, slots)).await;
            }
        });
        while let Some(finished) = results.next().await {
            if let Err(panicked) = finished.result {
                let mut row = rows[finished.index].clone();
                (row.outcome, row.cause, row.message) = (Outcome::Failed, Some(Cause::Other), panicked.to_string());
                run.recorder.host(row, None).await;
            }
        }
        if let Err(error) = note_jumps(&context.store, access.jumps()).await {
            tracing::warn!(%error, "keep the keys of jump hosts");
        }
    }
}

async fn visit(
    run: Run,
    work: &dyn HostWork,
    host: Host,
    mut row: TaskHost,
    target: Target,
    transport: TransportName,
    mut slots: Slots,
) {
    if row.outcome == Outcome::Running {
        // a crash cut its last attempt
        row.attempt += 1;
    }
    (row.outcome, row.cause, row.message) = (Outcome::Running, None, String::new());
    let mut visit = Visit {
        run,
        host,
        known: HostKnown::default(),
        forget: false,
        warnings: Vec::new(),
        pinned: target.pinned.clone(),
        target: target.clone(),
        row,
        started: Instant::now(),
    };
    if visit.step(Step::Connect).await.is_err() {
        return visit.end(Err(Halt::Told), None).await;
    }
    let begun = Instant::now();
    let opened = open(&visit.run.context, &visit.host, &target, transport).await;
    crate::metrics::connected(begun, opened.is_ok());
    let mut session = match opened {
        Ok(session) => session,
        Err(error) => {
            note_shown(&visit, &error).await;
            return visit.end(Err(Halt::Host(error)), None).await;
        }
    };
    slots.connected().await;
    visit.pinned = visit.pinned.take().or_else(|| session.first_contact().map(|key| key.public_key.clone()));
    visit.known.arch = Some(session.hello().arch.clone()).filter(|arch| !arch.is_empty());
    let stop = visit.run.stop.clone();
    let result = tokio::select! {
        biased;
        result = patiently(work, &mut visit, &mut session) => result,
        () = cut(&stop) => Err(Halt::Cut),
    };
    let output = session.output();
    if matches!(result, Err(Halt::Cut)) {
        // ends the process group of the script; its steps leave nothing half
        session.abort().await;
    } else if let Err(error) = session.close().await {
        // every step was answered before: only the goodbye was lost
        tracing::debug!(host = %target.display(), %error, "close a session");
    }
    visit.end(result, Some(output)).await;
}

/// Comes back when a step that is under way has to end, too: its task was cancelled or makes room for
/// another. A manager that ends lets it go on.
async fn cut(stop: &Stop) {
    stop.token().cancelled().await;
    loop {
        tokio::time::sleep(STEP_GRACE).await;
        if stop.why() != Some(Why::Shutdown) {
            return;
        }
    }
}

/// Works on a host, again while another step is under way there: what a manager that died had begun goes on to its
/// end by itself.
async fn patiently(work: &dyn HostWork, visit: &mut Visit, session: &mut HostSession) -> Result<Right, Halt> {
    for _ in 1..BUSY_TRIES {
        match work.on_host(visit, session).await {
            Err(Halt::Host(error)) if error.cause == Cause::Busy => tracing::debug!(%error, "try the host again"),
            other => return other,
        }
    }
    work.on_host(visit, session).await
}

/// Keeps the key that a host showed instead of its pinned one, so that a person can accept it.
async fn note_shown(visit: &Visit, error: &HostError) {
    let (Cause::HostKeyChanged, Some(key)) = (error.cause, &error.presented) else { return };
    if let Err(error) = crate::service::keys::note_shown(&visit.run.context.store, &visit.host.spec, key).await {
        tracing::warn!(host.id = %visit.host.id, %error, "keep the key that a host showed");
    }
}

/// Opens a session and pins the host's key at first contact, before anything is done there.
async fn open(
    context: &Context,
    host: &Host,
    target: &Target,
    transport: TransportName,
) -> Result<HostSession, HostError> {
    let session = HostSession::open(&*context.transport(transport), target, &context.deadlines).await?;
    let Some(shown) = session.first_contact().cloned() else { return Ok(session) };
    let pinned =
        context.store.pin_host_key(&host.spec.address, host.spec.ssh_port(), &shown).await.map_err(|error| {
            HostError::new(Cause::Other, Step::Connect, format!("keep the host key of {}: {error}", target.display()))
        })?;
    if pinned.public_key != shown.public_key {
        let message = format!(
            "connect to {}: its host key {} is not the pinned {}",
            target.display(),
            shown.fingerprint,
            pinned.fingerprint
        );
        return Err(HostError::new(Cause::HostKeyChanged, Step::Connect, message));
    }
    Ok(session)
}
