//! The manager is killed at any instant and started again, with real processes on real SSH servers.
//!
//! The tasks are queued straight into the database, so that nothing has to know the manager's state.
//! `KILLS` says how often; the moments are chosen by a seed that is printed and can be given as `SEED`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use p2ppool::folders::Folders;
use p2ppool::secrets::{SSH_KEY, Secrets};
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{Pool, PoolSettings, Ports};
use p2ppool_model::task::{Task, TaskState};
use p2ppool_model::{Action, TaskId, Time};
use p2ppool_remote::testing::Sshd;
use p2ppool_store::{Admission, Admitted, NewTask, NewTaskHost, SecretScope, Store};
use serde_json::{Value, json};

use super::world::node_binary;

const HOSTS: usize = 20;
/// Kills when nobody says otherwise.
const KILLS: u64 = 3;
/// It is killed at most so long after the chosen number of hosts was done.
const PAUSE_MAX_MS: u64 = 200;
/// A task that has not ended by then, with a living manager, never will.
const PATIENCE: Duration = Duration::from_secs(120);

/// A manager in a process of its own.
struct Manager(Child);

impl Manager {
    fn start(data: &Path) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(data.with_extension("log")).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_p2ppool"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .env("P2PPOOL_NODE_BINARY", node_binary().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self(child)
    }

    /// SIGKILL: nothing of it runs after this.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Fleet {
    sshd: Sshd,
    store: Store,
    pool: Pool,
    data: PathBuf,
    _folder: tempfile::TempDir,
}

impl Fleet {
    async fn new() -> Self {
        let sshd = Sshd::with_hosts(HOSTS).unwrap();
        let folder = tempfile::Builder::new().prefix("p2ppool-kill-").tempdir().unwrap();
        let data = folder.path().join("data");
        let folders = Folders::open(&data).unwrap();
        let secrets = Secrets::load_or_create(&folders.secret_key()).unwrap();
        let store = Store::open(&format!("sqlite:{}", data.join("p2ppool.db").display())).await.unwrap();
        let port = || std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
        let settings = PoolSettings {
            ssh_user: sshd.user().to_owned(),
            install_path: "~/nodes/{host}".to_owned(),
            ports: Ports { tcp: Some(port()), udp: None, rpc: port() },
            private_addresses: true,
            is_test: true,
            ..PoolSettings::default()
        };
        let name = "kill".parse().unwrap();
        let pool = store.create_pool(&name, &settings.checked(&name).unwrap(), None, Time::now()).await.unwrap();
        let spec =
            |n| HostSpec { address: sshd.address(n).to_string(), port: Some(sshd.port()), ..HostSpec::default() };
        store.set_hosts(pool.id, &(0..HOSTS).map(spec).collect::<Vec<_>>()).await.unwrap();
        let key = sshd.private_key().as_bytes();
        secrets.put(&store, SecretScope::Pool(pool.id), SSH_KEY, key).await.unwrap();
        Self { sshd, store, pool, data, _folder: folder }
    }

    async fn queue(&self, action: Action, params: Value) -> TaskId {
        let hosts = self.store.pool_hosts(self.pool.id).await.unwrap();
        let host =
            |host: p2ppool_model::host::Host| NewTaskHost { host: host.id, address: host.spec.display(), attempt: 1 };
        let new = NewTask {
            pool: self.pool.id,
            action,
            asked: params.to_string(),
            started_by: "test".into(),
            params,
            retry_of: None,
            hosts: hosts.into_iter().map(host).collect(),
        };
        let admitted = self.store.admit_task(new, |_| Admission::Queue { make_room: vec![], waits_for: None }).await;
        let Admitted::Queued { task, .. } = admitted.unwrap() else { panic!("it was not queued") };
        task.id
    }

    async fn ended(&self, task: TaskId) -> Task {
        self.got_to(task, u64::MAX).await
    }

    /// Waits until so many hosts are done or the task has ended. Another process writes: its
    /// database is all that tells.
    async fn got_to(&self, task: TaskId, done: u64) -> Task {
        let begun = Instant::now();
        loop {
            let now = self.store.task(task).await.unwrap();
            if now.state.is_final() || (now.state == TaskState::Running && now.counts.done() >= done) {
                return now;
            }
            assert!(begun.elapsed() < PATIENCE, "task {task} never ended: {now:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Node processes by host folder: those that a p2pnode program of ours runs.
    fn nodes(&self) -> HashMap<PathBuf, usize> {
        let mut nodes = HashMap::new();
        for pid in self.sshd.processes() {
            let exe = std::fs::read_link(format!("/proc/{pid}/exe"));
            let cwd = std::fs::read_link(format!("/proc/{pid}/cwd"));
            if let (Ok(exe), Ok(cwd)) = (exe, cwd)
                && exe.file_name().is_some_and(|name| name == "p2pnode")
            {
                *nodes.entry(cwd).or_default() += 1;
            }
        }
        nodes
    }
}

/// A small generator, so that a failed run can be repeated by its seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().filter(|text| !text.is_empty()).map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn a_manager_that_is_killed_loses_nothing_and_doubles_nothing() {
    let seed = number("SEED").unwrap_or_else(|| Time::now().0.unsigned_abs());
    let kills = number("KILLS").unwrap_or(KILLS);
    println!("SEED={seed} KILLS={kills}");
    let mut chance = Chance(seed);
    let fleet = Fleet::new().await;
    let mut ended = 0;
    for round in 0..kills {
        let action = [Action::Install, Action::Upgrade, Action::Stop][(round % 3) as usize];
        if action == Action::Upgrade {
            let mut settings = fleet.pool.settings.clone();
            settings.bootstrap = vec![format!("/ip4/127.0.0.1/tcp/{}", 1 + round)];
            fleet.store.set_pool_settings(fleet.pool.id, &settings).await.unwrap();
        }
        let params = if action == Action::Stop { json!({"keep": true}) } else { json!({}) };
        let task = fleet.queue(action, params).await;
        let manager = Manager::start(&fleet.data);
        fleet.got_to(task, chance.below(HOSTS as u64)).await;
        tokio::time::sleep(Duration::from_millis(chance.below(PAUSE_MAX_MS))).await;
        manager.kill();
        let at_death = fleet.store.task(task).await.unwrap();

        let manager = Manager::start(&fleet.data);
        let end = fleet.ended(task).await;
        let rows = fleet.store.all_task_hosts(task).await.unwrap();
        let wrong: Vec<_> = rows.iter().filter(|row| !row.outcome.is_right()).collect();
        assert_eq!(end.state, TaskState::Succeeded, "{action} was killed: {} {wrong:?}", end.message);
        println!("{action} killed as {} with {} of {HOSTS} done", at_death.state.as_str(), at_death.counts.done());
        // what it queued itself ends, too
        for other in fleet.store.open_tasks(None).await.unwrap() {
            fleet.ended(other.id).await;
        }
        manager.kill();
        let nodes = fleet.nodes();
        let wanted = if action == Action::Stop { 0 } else { HOSTS };
        assert_eq!(nodes.len(), wanted, "hosts with a node after {action}");
        assert!(nodes.values().all(|count| *count == 1), "a host has two nodes: {nodes:?}");
        ended += 1;
    }
    assert_eq!(ended, kills);
}
