//! Managers in processes of their own, and a pool of real SSH servers for them.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
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
use serde_json::Value;

use super::world::node_binary;

/// A task that has not ended by then, with a living manager, never will; also on a machine that is
/// many times slower than usual.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);

/// How often what is left is killed.
const ROUNDS_OF_KILLS: u32 = 20;

/// A manager in a process of its own.
pub(crate) struct Manager {
    process: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Manager {
    /// On this data folder, with more arguments and variables.
    pub(crate) fn start(data: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(data.with_extension("log")).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_p2ppool"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .args(arguments)
            .envs(variables.iter().copied())
            .env("P2PPOOL_NODE_BINARY", node_binary().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The next line it prints that has this in it; `None` when it ended without one.
    pub(crate) fn says(&mut self, part: &str) -> Option<String> {
        self.lines.by_ref().map_while(Result::ok).find(|line| line.contains(part))
    }

    /// SIGKILL: nothing of it runs after this.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// How it ended by itself.
    pub(crate) fn wait(&mut self) -> std::process::ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A folder whose processes end with it: local nodes of managers that were killed live on, as they should.
struct Home(tempfile::TempDir);

impl Home {
    /// Processes that run a program of this folder, or name it.
    fn processes(&self) -> Vec<u32> {
        let folder = self.0.path().to_str().unwrap();
        let names_it = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let exe = std::fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(folder) || exe.starts_with(folder)
        };
        let all =
            std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        all.filter(|pid| *pid != std::process::id()).filter(names_it).collect()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        // a supervisor may start another node before it is killed itself
        for _ in 0..ROUNDS_OF_KILLS {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            let pids = left.iter().map(u32::to_string);
            let _ = Command::new("kill").arg("-KILL").args(pids).stderr(Stdio::null()).status();
        }
    }
}

/// Real SSH servers, and the database and data folder of the managers.
pub(crate) struct Fleet {
    pub(crate) sshd: Sshd,
    pub(crate) store: Store,
    pub(crate) pool: Pool,
    pub(crate) data: PathBuf,
    _folder: Home,
}

impl Fleet {
    /// So many hosts; the database is `url`, or SQLite in the data folder.
    pub(crate) async fn new(hosts: usize, url: Option<&str>) -> Self {
        Self::of(Sshd::with_hosts(hosts).unwrap(), url).await
    }

    /// The hosts of this server.
    pub(crate) async fn of(sshd: Sshd, url: Option<&str>) -> Self {
        let hosts = sshd.hosts();
        let folder = tempfile::Builder::new().prefix("p2ppool-kill-").tempdir().unwrap();
        let data = folder.path().join("data");
        let folders = Folders::open(&data).unwrap();
        let secrets = Secrets::load_or_create(&folders.secret_key()).unwrap();
        let sqlite = format!("sqlite:{}", data.join("p2ppool.db").display());
        let store = Store::open(url.unwrap_or(&sqlite)).await.unwrap();
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
        store.set_hosts(pool.id, &(0..hosts).map(spec).collect::<Vec<_>>()).await.unwrap();
        let key = sshd.private_key().as_bytes();
        secrets.put(&store, SecretScope::Pool(pool.id), SSH_KEY, key).await.unwrap();
        Self { sshd, store, pool, data, _folder: Home(folder) }
    }

    /// The folder of host `n`; hosts with a port of their own have it in the name.
    pub(crate) fn install_path(&self, n: usize) -> PathBuf {
        self.sshd.home().join("nodes").join(format!("{}_{}", self.sshd.address(n), self.sshd.port()))
    }

    pub(crate) async fn queue(&self, action: Action, params: Value) -> TaskId {
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

    pub(crate) async fn ended(&self, task: TaskId) -> Task {
        self.got_to(task, u64::MAX).await
    }

    /// Waits until so many hosts are done or the task has ended. Another process writes: its
    /// database is all that tells.
    pub(crate) async fn got_to(&self, task: TaskId, done: u64) -> Task {
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
    pub(crate) fn nodes(&self) -> HashMap<PathBuf, usize> {
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
