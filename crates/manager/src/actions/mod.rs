//! What tasks do, one file per action.
//!
//! Most of them are one walk over the pool's hosts: [`fleet`] opens a session on each, within the
//! manager's limits, [`plan`] says (purely) which step comes next, [`converge`] does it. An action
//! may begin again after a crash: hosts that are final are left out, and every other one is asked
//! for its status first.

pub(crate) mod access;
mod check;
mod converge;
mod crawl;
mod deploy;
pub(crate) mod deployed;
mod fault;
mod fleet;
mod gather;
pub mod params;
mod plan;
mod prepare;
mod remove;
mod rolling;
pub(crate) mod rotate;
mod suspend;
mod usage;

use std::sync::Arc;

use p2ppool_model::Action;
use p2ppool_model::pool::{Pool, TransportName};
use p2ppool_model::task::Task;
use p2ppool_remote::{Deadlines, FanOut, Transport};
use p2ppool_store::{Store, StoreError};

use crate::bundles::Bundles;
use crate::engine::{Engine, Recorder, Stop};
use crate::events::Events;
use crate::files::SharedFiles;
use crate::folders::Folders;
use crate::geo::Geo;
use crate::runtimes::Runtimes;
use crate::secrets::Secrets;

pub(crate) use converge::{LocalStep, walk_local};
pub(crate) use plan::Goal;
pub use prepare::PackageCache;
pub(crate) use prepare::{Prepared, Rendered};

/// What actions work with.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub store: Store,
    /// Tells viewers.
    pub events: Events,
    /// Files beside the database.
    pub folders: Folders,
    /// Files that every manager can read.
    pub files: SharedFiles,
    /// Opens keys.
    pub secrets: Secrets,
    /// Hosts at once, over all tasks.
    pub fan_out: FanOut,
    /// Reaches hosts by SSH.
    pub ssh: Arc<dyn Transport>,
    /// Reaches hosts that are folders of this machine, and the local nodes.
    pub local: Arc<dyn Transport>,
    /// How long hosts may take.
    pub deadlines: Deadlines,
    /// Software to deploy.
    pub bundles: Bundles,
    /// Packages that were made of it.
    pub packages: PackageCache,
    /// Places nodes on the map.
    pub geo: Geo,
    /// What packages may need beside themselves.
    pub runtimes: Runtimes,
    /// Socket of the ssh-agent of the user who runs the manager.
    pub agent: Option<std::path::PathBuf>,
    /// Places at jump hosts.
    pub jumps: access::JumpPlaces,
}

impl Context {
    /// With the usual limits, SSH for real hosts and processes of this machine for local ones.
    pub fn new(store: Store, events: Events, folders: Folders, secrets: Secrets, bundles: Bundles) -> Self {
        Self {
            packages: PackageCache::new(folders.clone()),
            geo: Geo::new(folders.geo()),
            runtimes: Runtimes::new(folders.clone()),
            store,
            events,
            folders,
            files: SharedFiles::in_folder(),
            secrets,
            fan_out: FanOut::default(),
            ssh: Arc::new(p2ppool_remote::Ssh::default()),
            local: Arc::new(p2ppool_remote::Local),
            deadlines: Deadlines::default(),
            agent: std::env::var_os("SSH_AUTH_SOCK").map(Into::into),
            jumps: access::JumpPlaces::default(),
            bundles,
        }
    }

    pub(crate) fn transport(&self, name: TransportName) -> Arc<dyn Transport> {
        match name {
            TransportName::Ssh => Arc::clone(&self.ssh),
            TransportName::Local => Arc::clone(&self.local),
        }
    }
}

/// One claim of a task, as its action sees it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) context: Arc<Context>,
    pub(crate) engine: Engine,
    pub(crate) task: Task,
    pub(crate) recorder: Recorder,
    pub(crate) stop: Stop,
    /// An earlier claim began it.
    pub(crate) resumed: bool,
}

/// How an action ended. Whether that is a success is told by its hosts' outcomes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct End {
    /// A sentence; empty: the hosts by outcome.
    pub(crate) message: String,
    /// Action-specific result.
    pub(crate) result: Option<serde_json::Value>,
}

/// Why an action as a whole did not end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActionError {
    /// It was told to end, and did before its work was done.
    #[error("told to end")]
    Cut,
    /// It can't be done; hosts were not at fault.
    #[error("{0}")]
    Failed(String),
}

impl From<StoreError> for ActionError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Does what the task says.
pub(crate) async fn run(run: &Run) -> Result<End, ActionError> {
    let pool = match run.context.store.pool(run.task.pool).await {
        Err(StoreError::NotFound { .. }) => return pool_gone(run.task.action),
        other => other?,
    };
    if run.stop.is_requested() {
        return Err(ActionError::Cut);
    }
    match run.task.action {
        Action::Install | Action::Upgrade => Box::pin(deploy::run(run, pool)).await,
        Action::Check => Box::pin(check::run(run, pool)).await,
        Action::Suspend => Box::pin(suspend::suspend(run, pool)).await,
        Action::Resume => Box::pin(suspend::resume(run, pool)).await,
        Action::Stop => Box::pin(remove::stop(run, pool)).await,
        Action::UninstallCheck => Box::pin(remove::uninstall_check(run, pool)).await,
        Action::Crawl => Box::pin(crawl::run(run, pool)).await,
        Action::GatherLogs => Box::pin(gather::logs(run, pool)).await,
        Action::GatherData => Box::pin(gather::data(run, pool)).await,
        Action::GatherUsage => Box::pin(gather::usage(run, pool)).await,
        Action::Fault => Box::pin(fault::run(run, pool)).await,
        Action::RotateKey => Box::pin(rotate::run(run, pool)).await,
    }
}

/// A pool that an earlier task has taken away is what stop wants; nothing else can be done with it.
fn pool_gone(action: Action) -> Result<End, ActionError> {
    match action {
        Action::Stop | Action::UninstallCheck => Ok(End { message: "the pool is gone already".into(), result: None }),
        _ => Err(ActionError::Failed("the pool is gone".into())),
    }
}

/// Tells viewers that the pool itself changed.
pub(crate) fn pool_changed(context: &Context, pool: &Pool) {
    context.events.publish(Some(pool.name.as_str()), p2ppool_model::event::Change::Pool);
}
