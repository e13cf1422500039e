//! An engine with a data folder of its own.

use std::sync::Arc;
use std::time::Duration;

use p2ppool::actions::Context;
use p2ppool::bundles::{Bundles, NodeSource};
use p2ppool::engine::{Ask, AskError, Engine, Pace};
use p2ppool::events::{Events, Subscription};
use p2ppool::folders::Folders;
use p2ppool::secrets::{SSH_KEY, Secrets};
use p2ppool_model::event::Change;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{Pool, PoolSettings, PoolState, Ports, TransportName};
use p2ppool_model::task::{Task, TaskHost};
use p2ppool_model::{Action, Outcome, PoolName, TaskId, Time};
use p2ppool_remote::Transport;
use p2ppool_store::{SecretScope, Store};
use serde_json::Value;

/// A task that has not ended by then never will.
const PATIENCE: Duration = Duration::from_secs(120);

/// Everything that an engine needs, and its engine.
pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) context: Context,
    folder: Option<tempfile::TempDir>,
}

/// How fast tests want it: leases short enough to see them end.
pub(crate) fn pace() -> Pace {
    Pace { lease: Duration::from_secs(2), heartbeat: Duration::from_millis(200), ..Pace::default() }
}

impl World {
    /// With this instead of SSH.
    pub(crate) async fn with_ssh(ssh: Arc<dyn Transport>) -> Self {
        let folder = tempfile::Builder::new().prefix("p2ppool-world-").tempdir().unwrap();
        let context = Context { ssh, ..context(folder.path()).await };
        let engine = Engine::start(context.clone(), pace()).await.unwrap();
        Self { engine, context, folder: Some(folder) }
    }

    /// With SSH as it is.
    pub(crate) async fn real() -> Self {
        Self::with_ssh(Arc::new(p2ppool_remote::Ssh::default())).await
    }

    /// With SSH as it is, and this agent's socket.
    pub(crate) async fn with_agent(agent: Option<std::path::PathBuf>) -> Self {
        let folder = tempfile::Builder::new().prefix("p2ppool-world-").tempdir().unwrap();
        let context = Context { agent, ..context(folder.path()).await };
        let engine = Engine::start(context.clone(), pace()).await.unwrap();
        Self { engine, context, folder: Some(folder) }
    }

    /// Another manager on this database, with the same key for secrets.
    pub(crate) async fn beside(&self, url: &str, ssh: Arc<dyn Transport>) -> Self {
        Self::on(url, ssh, Some(&self.context.folders.secret_key())).await
    }

    /// On a database that others may use, too.
    pub(crate) async fn on(url: &str, ssh: Arc<dyn Transport>, key: Option<&std::path::Path>) -> Self {
        let folder = tempfile::Builder::new().prefix("p2ppool-world-").tempdir().unwrap();
        if let Some(key) = key {
            std::fs::copy(key, Folders::open(folder.path().join("data")).unwrap().secret_key()).unwrap();
        }
        let context = Context { ssh, ..context_on(folder.path(), url).await };
        let engine = Engine::start(context.clone(), pace()).await.unwrap();
        Self { engine, context, folder: Some(folder) }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }

    /// The manager dies and another one starts on the same data.
    pub(crate) async fn crash_and_start(mut self, ssh: Arc<dyn Transport>) -> Self {
        let folder = self.folder.take().unwrap();
        self.engine.crash().await;
        self.context.store.close().await;
        drop(self.context);
        let context = Context { ssh, ..context(folder.path()).await };
        let engine = Engine::start(context.clone(), pace()).await.unwrap();
        Self { engine, context, folder: Some(folder) }
    }

    /// The manager is told to end and another one starts on the same data.
    pub(crate) async fn end_and_start(mut self, ssh: Arc<dyn Transport>) -> Self {
        let folder = self.folder.take().unwrap();
        self.engine.shutdown().await;
        drop(self.engine);
        self.context.store.close().await;
        drop(self.context);
        let context = Context { ssh, ..context(folder.path()).await };
        let engine = Engine::start(context.clone(), pace()).await.unwrap();
        Self { engine, context, folder: Some(folder) }
    }

    /// A pool with these hosts, in this state, with an SSH key.
    pub(crate) async fn pool(&self, name: &str, settings: PoolSettings, hosts: &[HostSpec], state: PoolState) -> Pool {
        let store = &self.context.store;
        let name: PoolName = name.parse().unwrap();
        let settings = settings.checked(&name).unwrap();
        let pool = store.create_pool(&name, &settings, None, Time::now()).await.unwrap();
        store.set_hosts(pool.id, hosts).await.unwrap();
        store.set_pool_state(pool.id, state).await.unwrap();
        let key = p2ppool_remote::generate_key().unwrap();
        self.set_key(&pool, &key.private).await;
        store.pool(pool.id).await.unwrap()
    }

    /// Settings of a pool whose hosts are folders on this machine.
    pub(crate) fn local(&self) -> PoolSettings {
        PoolSettings {
            transport: TransportName::Local,
            install_path: self.folder().join("hosts/{pool}/{host}").to_str().unwrap().to_owned(),
            ports: free_ports(),
            private_addresses: true,
            ..PoolSettings::default()
        }
    }

    pub(crate) async fn set_key(&self, pool: &Pool, key: &str) {
        let scope = SecretScope::Pool(pool.id);
        self.context.secrets.put(&self.context.store, scope, SSH_KEY, key.as_bytes()).await.unwrap();
    }

    /// Asks for a task, as a person would.
    pub(crate) async fn ask(&self, pool: &Pool, action: Action, params: Value) -> Result<Task, AskError> {
        let pool = self.context.store.pool(pool.id).await.unwrap();
        self.engine.request(Ask { pool, action, params, started_by: "test".into() }).await
    }

    /// Asks for a task and waits for its end.
    pub(crate) async fn done(&self, pool: &Pool, action: Action) -> Task {
        let task = self.ask(pool, action, Value::Null).await.unwrap();
        self.ended(task.id).await
    }

    pub(crate) async fn ended(&self, task: TaskId) -> Task {
        let ended = tokio::time::timeout(PATIENCE, self.engine.ended(task)).await;
        ended.unwrap_or_else(|_| panic!("task {task} never ended")).unwrap()
    }

    pub(crate) async fn task(&self, task: TaskId) -> Task {
        self.context.store.task(task).await.unwrap()
    }

    /// Hosts of a task by address.
    pub(crate) async fn hosts(&self, task: TaskId) -> Vec<TaskHost> {
        let mut hosts = self.context.store.all_task_hosts(task).await.unwrap();
        hosts.sort_by(|a, b| a.address.cmp(&b.address));
        hosts
    }

    pub(crate) fn watch(&self) -> Subscription {
        self.context.events.subscribe(None)
    }
}

/// Waits until an event says that the task is so.
pub(crate) async fn until(events: &mut Subscription, task: TaskId, is: impl Fn(&Task) -> bool) -> Task {
    let wait = async {
        loop {
            for event in events.next().await {
                if let Change::Task { task: now } = event.change
                    && now.id == task
                    && is(&now)
                {
                    return *now;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("task {task} never got there"))
}

/// Host lists of the shape 127.77.x.y.
pub(crate) fn hosts(count: usize) -> Vec<HostSpec> {
    let address = |n: usize| format!("127.77.{}.{}", n / 250, n % 250 + 1);
    (0..count).map(|n| HostSpec { address: address(n), ..HostSpec::default() }).collect()
}

pub(crate) fn count(task: &Task, outcome: Outcome) -> u64 {
    task.counts.of(outcome)
}

async fn context(folder: &std::path::Path) -> Context {
    context_on(folder, &format!("sqlite:{}", folder.join("data/p2ppool.db").display())).await
}

async fn context_on(folder: &std::path::Path, database: &str) -> Context {
    let folders = Folders::open(folder.join("data")).unwrap();
    let secrets = Secrets::load_or_create(&folders.secret_key()).unwrap();
    let store = Store::open(database).await.unwrap();
    let source = NodeSource { chosen: node_binary(), ..NodeSource::of_this_process(None) };
    let bundles = Bundles::new(folders.clone(), store.clone(), source);
    Context::new(store, Events::default(), folders, secrets, bundles)
}

/// The p2pnode under test: the environment's, else the one that `make node` leaves.
pub(crate) fn node_binary() -> Option<std::path::PathBuf> {
    let built = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/p2pnode");
    let named = std::env::var_os("P2PNODE_BIN").map(std::path::PathBuf::from);
    named.or_else(|| built.is_file().then_some(built))
}

/// Ports that nobody uses on this machine now, so that test runs beside each other don't meet.
pub(crate) fn free_ports() -> Ports {
    let port = || std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    Ports { tcp: Some(port()), udp: None, rpc: port() }
}
