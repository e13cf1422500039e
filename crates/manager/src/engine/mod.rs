//! The task engine: what runs, when, and what becomes of it.
//!
//! ```text
//!  request ──► queue (pure) ──► tasks table ──► dispatch: claim by compare-and-set ──► runner ──► an action
//!                                   ▲                        ▲                           │
//!                 writer (batches) ─┘        heartbeat, recovery, scheduler               └─► recorder ──► writer
//! ```
//!
//! The database is the truth: a task belongs to the manager that holds its lease, every write names
//! the fence of its claim, and what viewers are told was committed before. Nothing polls for work;
//! the slow look every [`Pace::look`] is only a safety net, and how managers that share a database
//! find each other's tasks.

mod audit;
mod dispatch;
mod heartbeat;
mod local_nodes;
mod managers;
mod notices;
pub mod queue;
mod recorder;
mod request;
mod retention;
mod runner;
pub mod schedule;
mod selection;
mod share;
mod stop;
mod writer;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use p2ppool_model::event::Change;
use p2ppool_model::task::Task;
use p2ppool_model::{PoolId, TaskId, Time};
use p2ppool_store::{ManagerBeat, StoreError};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::actions::Context;
use crate::all_limits::Share;
use crate::limits::ManagerLimits;

pub use managers::Colleague;
pub(crate) use recorder::Recorder;
pub use request::{Ask, AskError};
pub(crate) use stop::{Stop, Why};

use writer::Writer;

/// How often the engine does things, and how long it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How long a claim is good without a heartbeat. Long enough for a database that is busy for a while.
    pub lease: Duration,
    /// Between two heartbeats; several fit into a lease.
    pub heartbeat: Duration,
    /// Between two looks for work that nobody told us of.
    pub look: Duration,
    /// How much this manager does at once at most. The engine keeps to the number of tasks; hosts are the fan-out's.
    pub limits: ManagerLimits,
    /// How long steps under way may take to end when the manager is told to end.
    pub goodbye: Duration,
}

impl Pace {
    /// With another lease, and as many heartbeats in it as usual.
    pub fn of(lease: Duration, limits: ManagerLimits) -> Self {
        let usual = Self::default();
        let heartbeats = u32::try_from(usual.lease.as_millis() / usual.heartbeat.as_millis().max(1)).unwrap_or(1);
        Self { lease, heartbeat: lease / heartbeats.max(1), limits, ..usual }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            heartbeat: Duration::from_secs(5),
            look: Duration::from_secs(10),
            limits: ManagerLimits::default(),
            goodbye: Duration::from_secs(30),
        }
    }
}

/// The engine of one manager. Cheap to clone; all clones are the same engine.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// What its parts share.
pub(crate) struct Inner {
    pub(crate) context: Arc<Context>,
    pace: Pace,
    /// This manager in the database; the same after a restart on the same data folder.
    owner: String,
    writer: Writer,
    running: Mutex<HashMap<TaskId, Running>>,
    /// There may be something to claim.
    wake: Notify,
    /// Schedules may have changed.
    schedules: Notify,
    /// A task of this manager may have been told to end by another one.
    beat: Notify,
    /// What this manager uses of the limits over all.
    share: watch::Sender<Share>,
    /// What other managers are told of this one.
    about: Mutex<ManagerBeat>,
    /// Rises with every task that ends here.
    ended: watch::Sender<u64>,
    /// When old months were forgotten last.
    forgot: watch::Sender<Option<Time>>,
    /// No further task is claimed.
    closing: CancellationToken,
    /// Nothing runs here any more.
    gone: CancellationToken,
    /// The loops and the runs.
    work: TaskTracker,
    loops: TaskTracker,
    /// Held while this manager has its data folder.
    _lock: std::fs::File,
}

/// A task that runs here.
struct Running {
    fence: i64,
    stop: Stop,
    /// The claim is no longer good: what runs here must not go on.
    lost: CancellationToken,
}

impl Engine {
    /// Takes up what an earlier run of this manager left, then claims and runs tasks until [`Engine::shutdown`].
    ///
    /// # Errors
    /// When the database can't be asked or the manager's name can't be kept in its data folder.
    pub async fn start(context: Context, pace: Pace) -> anyhow::Result<Self> {
        let lock = lock(&context.folders.private_root().join("lock"))?;
        let owner = owner_name(&context.folders.private_root().join("manager.id"))?;
        // not before the lock: another manager's uploads may be under way
        context.folders.empty_uploads()?;
        let about = managers::about(&owner, &pace.limits);
        context.store.add_manager(&about).await?;
        let context = Arc::new(context);
        let writer = Writer::start(&context);
        let inner = Arc::new(Inner {
            context,
            pace,
            owner,
            writer,
            running: Mutex::default(),
            wake: Notify::new(),
            schedules: Notify::new(),
            beat: Notify::new(),
            share: watch::Sender::new(Share::least()),
            about: Mutex::new(about),
            ended: watch::Sender::new(0),
            forgot: watch::Sender::new(None),
            closing: CancellationToken::new(),
            gone: CancellationToken::new(),
            work: TaskTracker::new(),
            loops: TaskTracker::new(),
            _lock: lock,
        });
        share::look(&inner).await?;
        heartbeat::take_over(&inner, heartbeat::Whose::AlsoOwn).await?;
        inner.loops.spawn(dispatch::run(Arc::clone(&inner)));
        inner.loops.spawn(heartbeat::run(Arc::clone(&inner)));
        inner.loops.spawn(schedule::run(Arc::clone(&inner)));
        inner.loops.spawn(crate::workflow::run_all(Self(Arc::clone(&inner))));
        inner.loops.spawn(local_nodes::run(Arc::clone(&inner)));
        inner.loops.spawn(notices::run(Arc::clone(&inner)));
        Ok(Self(inner))
    }

    /// Waits until the task has ended, and returns it.
    pub async fn ended(&self, task: TaskId) -> Result<Task, StoreError> {
        let mut ended = self.0.ended.subscribe();
        loop {
            let now = self.0.context.store.task(task).await?;
            if now.state.is_final() {
                return Ok(now);
            }
            // another manager may be the one that ends it
            let _ = tokio::time::timeout(self.0.pace.look, ended.changed()).await;
        }
    }

    /// Ends a pool's local node and deletes what it has; for a pool that goes without a stop.
    pub async fn remove_local_node(&self, pool: &p2ppool_model::pool::Pool) {
        crate::local_node::remove(&self.0.context, pool).await;
    }

    pub(crate) fn context(&self) -> &Arc<Context> {
        &self.0.context
    }

    /// Cancelled when nothing more is begun.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.0.closing
    }

    /// Ids of the tasks that run in this manager.
    pub fn running(&self) -> Vec<TaskId> {
        let mut ids: Vec<TaskId> = self.0.running().keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// Ends in order: claims nothing more, lets steps under way end (for [`Pace::goodbye`] at most)
    /// and gives the tasks back, to be gone on with by the next start or another manager.
    pub async fn shutdown(&self) {
        self.0.closing.cancel();
        for running in self.0.running().values() {
            running.stop.request(Why::Shutdown);
        }
        self.0.work.close();
        if tokio::time::timeout(self.0.pace.goodbye, self.0.work.wait()).await.is_err() {
            tracing::warn!("some tasks did not come to a step's end within {} s", self.0.pace.goodbye.as_secs());
            for running in self.0.running().values() {
                running.lost.cancel();
            }
            self.0.work.wait().await;
        }
        self.0.writer.flush().await;
        self.0.gone.cancel();
        self.0.loops.close();
        self.0.loops.wait().await;
        self.0.writer.close().await;
        if let Err(error) = self.0.context.store.remove_manager(&self.0.owner).await {
            tracing::error!(%error, "sign this manager off");
        }
    }

    /// Drops everything where it is, as a crash would; for tests of what comes after one.
    #[doc(hidden)]
    pub async fn crash(self) {
        self.0.writer.abort();
        self.0.closing.cancel();
        self.0.gone.cancel();
        for running in self.0.running().values() {
            running.lost.cancel();
        }
        self.0.work.close();
        self.0.work.wait().await;
        self.0.loops.close();
        self.0.loops.wait().await;
    }
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, HashMap<TaskId, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells viewers how a task is now.
    fn tell(&self, task: &Task) {
        let change = Change::Task { task: Box::new(task.clone()) };
        self.context.events.publish(Some(&task.pool_name), change);
    }

    /// A task told to end runs here: tells it at once.
    fn signal(&self, task: TaskId, why: Why) {
        if let Some(running) = self.running().get(&task) {
            running.stop.request(why);
        }
    }

    fn task_ended(&self) {
        self.ended.send_modify(|count| *count += 1);
        self.wake.notify_one();
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Engine({}, running {:?})", self.0.owner, self.running())
    }
}

/// A queue was changed by somebody else than the engine, such as a deleted pool.
impl Engine {
    /// Ends every task of a pool that is about to be deleted.
    pub async fn cancel_all(&self, pool: PoolId, why: &str) -> Result<(), StoreError> {
        for task in self.0.context.store.open_tasks(Some(pool)).await? {
            self.end_task(task.id, why).await?;
        }
        Ok(())
    }
}

/// Two managers on one data folder would take each other for themselves.
fn lock(path: &std::path::Path) -> anyhow::Result<std::fs::File> {
    use anyhow::Context as _;
    let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
    let file = file.with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            anyhow::bail!("another manager runs on this data folder ({} is locked)", path.display())
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}

/// The name of this manager: random, kept in its data folder.
fn owner_name(path: &std::path::Path) -> anyhow::Result<String> {
    use anyhow::Context as _;
    let kept = |text: String| {
        let name = text.trim().to_owned();
        (name.len() == 32 && name.bytes().all(|b| b.is_ascii_hexdigit())).then_some(name)
    };
    if let Some(name) = std::fs::read_to_string(path).ok().and_then(kept) {
        return Ok(name);
    }
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("make the manager's name: {error}"))?;
    let name = hex::encode(bytes);
    crate::folders::write_private(path, name.as_bytes()).with_context(|| format!("write {}", path.display()))?;
    Ok(name)
}
