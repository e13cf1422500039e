//! How hosts are reached, on real OpenSSH servers, agents and certificates; what a cancel leaves there.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use p2ppool::secrets::{JUMP_KEY, SSH_CERTIFICATE, SSH_KEY, SSH_PASSPHRASE, of_jump};
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{Pool, PoolSettings, PoolState};
use p2ppool_model::ssh::{JumpHost, SshAccess};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Cause, Outcome, TaskId, Time};
use p2ppool_remote::testing::{Sshd, SshdOptions};
use p2ppool_remote::{HostError, Pipe, Ssh, Target, Transport};
use p2ppool_store::SecretScope;
use serde_json::{Value, json};

use super::world::World;

pub(super) fn settings(sshd: &Sshd) -> PoolSettings {
    PoolSettings {
        ssh_user: sshd.user().to_owned(),
        install_path: "~/nodes/{pool}/{host}".to_owned(),
        private_addresses: true,
        ..PoolSettings::default()
    }
}

pub(super) fn spec(sshd: &Sshd, host: usize) -> HostSpec {
    HostSpec { address: sshd.address(host).to_string(), port: Some(sshd.port()), ..HostSpec::default() }
}

pub(super) async fn put(world: &World, pool: &Pool, name: &str, text: &str) {
    let scope = SecretScope::Pool(pool.id);
    world.context.secrets.put(&world.context.store, scope, name, text.as_bytes()).await.unwrap();
}

pub(super) async fn get(world: &World, pool: &Pool, name: &str) -> Option<String> {
    let scope = SecretScope::Pool(pool.id);
    let secret = world.context.secrets.get(&world.context.store, scope, name).await.unwrap();
    secret.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
}

pub(super) async fn reach_by(world: &World, pool: &Pool, access: &SshAccess) {
    access.check().unwrap();
    world
        .context
        .store
        .set_setting(&p2ppool_store::setting_of_pool(pool.id, "ssh_access"), access, Time::now())
        .await
        .unwrap();
}

/// Measures every host: the shortest way to see who is let in.
pub(super) async fn measured(world: &World, pool: &Pool) -> Vec<(Outcome, String)> {
    let task = world.done(pool, Action::GatherUsage).await;
    world.hosts(task.id).await.into_iter().map(|host| (host.outcome, host.message)).collect()
}

fn keygen(arguments: &[&str]) {
    let done = Command::new("ssh-keygen").args(arguments).output().unwrap();
    assert!(done.status.success(), "{done:?}");
}

/// A new key file with this passphrase.
fn key_file(folder: &Path, name: &str, passphrase: &str) -> String {
    let path = folder.join(name).to_str().unwrap().to_owned();
    keygen(&["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", &path]);
    path
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// An ssh-agent of the test's own; ends with it.
struct Agent {
    process: Child,
    socket: std::path::PathBuf,
}

impl Agent {
    fn start(folder: &Path) -> Self {
        let socket = folder.join("agent");
        let process = Command::new("ssh-agent").arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).spawn().unwrap();
        let began = std::time::Instant::now();
        while std::os::unix::net::UnixStream::connect(&socket).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "the agent does not listen");
            std::thread::yield_now();
        }
        Self { process, socket }
    }

    fn add(&self, key: &str) {
        let done = Command::new("ssh-add").arg(key).env("SSH_AUTH_SOCK", &self.socket).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_an_agent_let_in_and_one_of_them_can_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let sshd = Sshd::with_hosts(1).unwrap();
    let agent = Agent::start(folder.path());
    let (known, unknown) = (key_file(folder.path(), "known", ""), key_file(folder.path(), "unknown", ""));
    sshd.authorize(read(&format!("{known}.pub")).trim()).unwrap();
    agent.add(&unknown);
    agent.add(&known);
    let world = World::with_agent(Some(agent.socket.clone())).await;
    let pool = world.pool("p", settings(&sshd), &[spec(&sshd, 0)], PoolState::Running).await;
    // the pool's own key is not authorized anywhere
    assert_eq!(measured(&world, &pool).await[0].0, Outcome::Refused);
    reach_by(&world, &pool, &SshAccess { agent: true, ..SshAccess::default() }).await;
    assert_eq!(measured(&world, &pool).await[0].0, Outcome::Ok);
    let print = |key: &str| p2ppool_remote::fingerprint(read(&format!("{key}.pub")).trim()).unwrap();
    for (key, outcome) in [(&known, Outcome::Ok), (&unknown, Outcome::Refused)] {
        let access = SshAccess { agent: true, agent_key: Some(print(key)), ..SshAccess::default() };
        reach_by(&world, &pool, &access).await;
        let seen = &measured(&world, &pool).await[0];
        assert_eq!(seen.0, outcome, "{}", seen.1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_a_key_with_a_passphrase_lets_in() {
    let folder = tempfile::tempdir().unwrap();
    let authority = key_file(folder.path(), "ca", "");
    let trusted_ca = Some(read(&format!("{authority}.pub")));
    let sshd = Sshd::start(SshdOptions { trusted_ca, ..SshdOptions::default() }).unwrap();
    let key = key_file(folder.path(), "user", "open sesame");
    keygen(&["-q", "-s", &authority, "-I", "test", "-n", sshd.user(), "-V", "+1h", &format!("{key}.pub")]);
    let world = World::with_agent(None).await;
    let pool = world.pool("p", settings(&sshd), &[spec(&sshd, 0)], PoolState::Running).await;
    put(&world, &pool, SSH_KEY, &read(&key)).await;
    put(&world, &pool, SSH_PASSPHRASE, "open sesame").await;
    assert_eq!(measured(&world, &pool).await[0].0, Outcome::Refused, "the key alone is unknown");
    put(&world, &pool, SSH_CERTIFICATE, &read(&format!("{key}-cert.pub"))).await;
    let seen = &measured(&world, &pool).await[0];
    assert_eq!(seen.0, Outcome::Ok, "{}", seen.1);
}

/// Hosts behind the jump host, more than its sshd takes handshakes at once.
const BEHIND: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn hosts_behind_a_jump_host_are_reached_by_its_own_key_within_its_limit() {
    let options = SshdOptions { max_startups: "4:100:4".into(), ..SshdOptions::default() };
    let mut gate = Sshd::start(options).unwrap();
    let sshd = Sshd::with_hosts(BEHIND).unwrap();
    let world = World::with_agent(None).await;
    let specs: Vec<_> = (0..BEHIND).map(|host| spec(&sshd, host)).collect();
    let pool = world.pool("p", settings(&sshd), &specs, PoolState::Running).await;
    world.set_key(&pool, sshd.private_key()).await;
    let jump = JumpHost { address: gate.address(0).to_string(), port: Some(gate.port()), ..JumpHost::default() };
    let access = SshAccess { jumps: vec![jump.clone()], jump_handshakes: Some(2), ..SshAccess::default() };
    reach_by(&world, &pool, &access).await;
    for (outcome, message) in measured(&world, &pool).await {
        assert_eq!(outcome, Outcome::Refused, "the gate knows another key: {message}");
        assert!(message.contains("the jump host"), "{message}");
    }
    put(&world, &pool, JUMP_KEY, gate.private_key()).await;
    for (outcome, message) in measured(&world, &pool).await {
        assert_eq!(outcome, Outcome::Ok, "{message}");
    }
    let log = gate.log();
    assert_eq!(log.matches("Accepted publickey").count(), BEHIND, "{log}");
    assert!(!log.contains("MaxStartups"), "{log}");

    let (address, port) = jump.key();
    let pinned = world.context.store.host_key(&address, port).await.unwrap().expect("the jump host's key is pinned");
    gate.change_host_keys().unwrap();
    for (outcome, message) in measured(&world, &pool).await {
        assert_eq!(outcome, Outcome::Refused, "{message}");
        assert!(message.contains("the jump host") && message.contains(&pinned.fingerprint), "{message}");
    }
    let shown: Option<Value> = world.context.store.setting(&format!("shown_host_key/{address}/{port}")).await.unwrap();
    assert!(shown.is_some_and(|key| key["fingerprint"] != pinned.fingerprint));
}

/// Hosts behind a chain of jump hosts, more than the second one's sshd takes handshakes at once.
const CHAIN: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn each_jump_host_of_a_chain_is_reached_with_its_own_key_within_its_own_limit() {
    let outer = Sshd::start(SshdOptions { max_startups: "4:100:4".into(), ..SshdOptions::default() }).unwrap();
    // with the pool's limit of eight its sshd would drop most
    let inner = Sshd::start(SshdOptions { max_startups: "2:100:2".into(), ..SshdOptions::default() }).unwrap();
    let sshd = Sshd::with_hosts(CHAIN).unwrap();
    sshd.own_authorized_keys().unwrap();
    let world = World::with_agent(None).await;
    let specs: Vec<_> = (0..CHAIN).map(|host| spec(&sshd, host)).collect();
    let pool = world.pool("p", settings(&sshd), &specs, PoolState::Running).await;
    world.set_key(&pool, sshd.private_key()).await;
    let jump = |gate: &Sshd, handshakes| JumpHost {
        address: gate.address(0).to_string(),
        port: Some(gate.port()),
        user: None,
        handshakes,
    };
    let jumps = vec![jump(&outer, None), jump(&inner, Some(1))];
    reach_by(&world, &pool, &SshAccess { jumps: jumps.clone(), ..SshAccess::default() }).await;
    let only = |outcome: Outcome, seen: &[(Outcome, String)]| {
        assert!(seen.iter().all(|one| one.0 == outcome), "{outcome:?}: {seen:?}");
    };
    put(&world, &pool, JUMP_KEY, outer.private_key()).await;
    only(Outcome::Refused, &measured(&world, &pool).await);
    assert_eq!(inner.log().matches("Accepted publickey").count(), 0, "it knows another key than that of all");
    let [key, ..] = of_jump(&jumps[1]);
    put(&world, &pool, &key, inner.private_key()).await;
    only(Outcome::Ok, &measured(&world, &pool).await);
    let log = inner.log();
    assert_eq!(log.matches("Accepted publickey").count(), CHAIN, "{log}");
    assert!(!log.contains("MaxStartups"), "{log}");

    // each its own, and the pool's key is changed at its hosts alone: the jump hosts would not let a new one in
    let [outer_key, ..] = of_jump(&jumps[0]);
    put(&world, &pool, &outer_key, outer.private_key()).await;
    put(&world, &pool, JUMP_KEY, sshd.private_key()).await;
    only(Outcome::Ok, &measured(&world, &pool).await);
    let none = world.context.store.delete_secret(SecretScope::Pool(pool.id), JUMP_KEY).await;
    none.unwrap();
    let task = world.done(&pool, Action::RotateKey).await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", task.message);
    only(Outcome::Ok, &measured(&world, &pool).await);
}

/// A host on which measuring never ends: it asks a `df` for the free space that ignores TERM, too.
struct Blocked {
    folder: tempfile::TempDir,
    sshd: Sshd,
}

impl Blocked {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let slow = folder.path().join("df");
        let text =
            "#!/bin/sh\ntrap '' TERM\necho $$ >\"${0%/*}/new\"\nmv \"${0%/*}/new\" \"${0%/*}/asked\"\nexec sleep 600\n";
        std::fs::write(&slow, text).unwrap();
        let made = Command::new("chmod").arg("755").arg(&slow).status().unwrap();
        assert!(made.success());
        let bashrc = format!("export PATH='{}':\"$PATH\"\n", folder.path().display());
        let sshd = Sshd::start(SshdOptions { bashrc, ..SshdOptions::default() }).unwrap();
        Self { folder, sshd }
    }

    fn asked(&self) -> std::path::PathBuf {
        self.folder.path().join("asked")
    }

    /// A task that measures, at the step that never ends.
    async fn stuck(&self, world: &World) -> (Pool, TaskId) {
        let pool = world.pool("p", settings(&self.sshd), &[spec(&self.sshd, 0)], PoolState::Running).await;
        world.set_key(&pool, self.sshd.private_key()).await;
        let task = world.ask(&pool, Action::GatherUsage, Value::Null).await.unwrap();
        eventually(|| self.asked().exists()).await;
        (pool, task.id)
    }
}

/// It runs; one that only waits to be reaped doesn't.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_step_is_ended_on_the_host() {
    let blocked = Blocked::new();
    let world = World::with_agent(None).await;
    let (_, task) = blocked.stuck(&world).await;
    let step = std::fs::read_to_string(blocked.asked()).unwrap();
    assert!(is_alive(&step));
    world.engine.cancel(task, "test").await.unwrap();
    let task = world.ended(task).await;
    assert!(!is_alive(&step), "the task ended before its step on the host");
    assert_eq!(task.state, TaskState::Cancelled, "{}", task.message);
    let host = &world.hosts(task.id).await[0];
    assert_eq!((host.outcome, host.cause), (Outcome::Cancelled, Some(Cause::Cancelled)), "{}", host.message);
    assert!(host.message.contains("`usage`") && host.message.contains("was ended"), "{}", host.message);
    eventually(|| blocked.sshd.processes().is_empty()).await;
}

/// SSH that notes at each connection whether the process of this file is alive.
struct Witness {
    ssh: Ssh,
    pid_file: std::path::PathBuf,
    seen: Mutex<Vec<Option<bool>>>,
}

#[async_trait]
impl Transport for Witness {
    async fn open(&self, target: &Target, command: &str, connect: Duration) -> Result<Pipe, HostError> {
        let alive = std::fs::read_to_string(&self.pid_file).ok().map(|pid| is_alive(&pid));
        self.seen.lock().unwrap().push(alive);
        self.ssh.open(target, command, connect).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_successor_does_not_touch_a_host_before_the_predecessor_has_left_it() {
    let blocked = Blocked::new();
    let witness = Witness { ssh: Ssh::default(), pid_file: blocked.asked(), seen: Mutex::default() };
    let witness = Arc::new(witness);
    let world = World::with_ssh(witness.clone()).await;
    let (pool, first) = blocked.stuck(&world).await;
    let second = world.ask(&pool, Action::Stop, json!({ "keep": true })).await.unwrap();
    let second = world.ended(second.id).await;
    assert_eq!(world.ended(first).await.state, TaskState::Preempted);
    assert_eq!(second.state, TaskState::Succeeded, "{}", second.message);
    let seen = witness.seen.lock().unwrap().clone();
    assert_eq!(seen[0], None, "the first one connected before its step began");
    assert!(seen.len() > 1 && seen[1..].iter().all(|alive| *alive == Some(false)), "{seen:?}");
}

async fn eventually(is: impl Fn() -> bool) {
    let wait = async {
        while !is() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("it never came");
}
