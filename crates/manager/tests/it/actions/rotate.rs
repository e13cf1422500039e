//! The key of a pool is replaced on all of its hosts, on real OpenSSH servers: nobody is ever locked out.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use p2ppool::secrets::{PREVIOUS_SSH_KEY, SSH_KEY};
use p2ppool_model::pool::{Pool, PoolState};
use p2ppool_model::ssh::{JumpHost, SshAccess};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Outcome};
use p2ppool_remote::testing::Sshd;
use p2ppool_remote::{HostError, Pipe, Ssh, Target, Transport, check_key};
use serde_json::Value;
use tokio::sync::Notify;

use super::reach::{get, measured, put, reach_by, settings, spec};
use super::world::World;

/// The Base64 part of a private key's public half.
fn public(private: &str) -> String {
    check_key(private, None).unwrap().public_key.split(' ').nth(1).unwrap().to_owned()
}

async fn current(world: &World, pool: &Pool) -> String {
    public(&get(world, pool, SSH_KEY).await.unwrap())
}

/// The keys in a file, without options.
fn keys_in(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| line.split("ssh-ed25519 ").nth(1).unwrap().split(' ').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_key_stays_valid_where_the_new_one_was_not_proven_and_goes_when_it_was() {
    let sshd = Sshd::with_hosts(3).unwrap();
    let file = sshd.own_authorized_keys().unwrap();
    let mut late = Sshd::with_hosts(1).unwrap();
    let late_file = late.own_authorized_keys().unwrap();
    late.authorize(&check_key(sshd.private_key(), None).unwrap().public_key).unwrap();
    let world = World::with_agent(None).await;
    let mut specs: Vec<_> = (0..3).map(|host| spec(&sshd, host)).collect();
    specs.push(spec(&late, 0));
    let pool = world.pool("p", settings(&sshd), &specs, PoolState::Created).await;
    world.set_key(&pool, sshd.private_key()).await;
    late.go_down();

    let old = public(sshd.private_key());
    let first = world.done(&pool, Action::RotateKey).await;
    assert_eq!(first.state, TaskState::Partial, "{}", first.message);
    let rows = world.hosts(first.id).await;
    let unreachable: Vec<_> = rows.iter().filter(|row| row.outcome == Outcome::Unreachable).collect();
    assert_eq!(unreachable.len(), 1, "{rows:?}");
    assert!(unreachable[0].address.ends_with(&format!(":{}", late.port())), "{rows:?}");
    assert!(first.message.contains("1 of 4 hosts still have the old key alone"), "{}", first.message);
    let new = current(&world, &pool).await;
    assert_eq!(keys_in(&file), std::slice::from_ref(&new));
    assert!(keys_in(&late_file).contains(&old));
    assert_eq!(get(&world, &pool, PREVIOUS_SSH_KEY).await.as_deref(), Some(sshd.private_key()));

    // every task gets in everywhere, by the one key or the other
    late.come_back().unwrap();
    let seen = measured(&world, &pool).await;
    assert!(seen.iter().all(|(outcome, _)| *outcome == Outcome::Ok), "{seen:?}");

    // a retry of the one host is enough
    let retried = world.engine.retry(first.id, &[], &[], "test").await.unwrap();
    let second = world.ended(retried.id).await;
    assert_eq!(second.state, TaskState::Succeeded, "{}", second.message);
    assert_eq!(world.hosts(second.id).await.len(), 1);
    assert_eq!(current(&world, &pool).await, new, "no third key is made");
    assert_eq!(get(&world, &pool, PREVIOUS_SSH_KEY).await, None);
    assert!(!keys_in(&late_file).contains(&old) && keys_in(&late_file).contains(&new));
    let seen = measured(&world, &pool).await;
    assert!(seen.iter().all(|(outcome, _)| *outcome == Outcome::Ok), "{seen:?}");
}

/// SSH of which one connection, counted from 1, never comes about.
struct StuckAt {
    ssh: Ssh,
    number: usize,
    opened: AtomicUsize,
    reached: Notify,
}

impl StuckAt {
    fn new(number: usize) -> Arc<Self> {
        Arc::new(Self { ssh: Ssh::default(), number, opened: AtomicUsize::new(0), reached: Notify::new() })
    }
}

#[async_trait]
impl Transport for StuckAt {
    async fn open(&self, target: &Target, command: &str, connect: Duration) -> Result<Pipe, HostError> {
        if self.opened.fetch_add(1, Ordering::SeqCst) + 1 == self.number {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
        self.ssh.open(target, command, connect).await
    }
}

/// Connections of one host's rotation: its session, add, withdraw, see that the old key is refused.
const CONNECTIONS: usize = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_that_dies_before_any_connection_of_a_rotation_finishes_it_when_it_is_back() {
    let sshd = Sshd::with_hosts(1).unwrap();
    let file = sshd.own_authorized_keys().unwrap();
    let mut world = World::real().await;
    let pool = world.pool("p", settings(&sshd), &[spec(&sshd, 0)], PoolState::Running).await;
    world.set_key(&pool, sshd.private_key()).await;
    let mut before = public(sshd.private_key());
    for number in 1..=CONNECTIONS {
        let stuck = StuckAt::new(number);
        world = world.crash_and_start(stuck.clone()).await;
        let task = world.ask(&pool, Action::RotateKey, Value::Null).await.unwrap();
        tokio::time::timeout(Duration::from_secs(60), stuck.reached.notified()).await.expect("it connects");
        let cut = keys_in(&file);
        assert!(!cut.is_empty(), "connection {number}");
        world = world.crash_and_start(Arc::new(Ssh::default())).await;
        let ended = world.ended(task.id).await;
        assert_eq!(ended.state, TaskState::Succeeded, "connection {number}: {}", ended.message);
        let now = current(&world, &pool).await;
        assert_ne!(now, before, "connection {number}");
        assert_eq!(keys_in(&file), std::slice::from_ref(&now), "connection {number}; at the crash: {cut:?}");
        assert_eq!(get(&world, &pool, PREVIOUS_SSH_KEY).await, None, "connection {number}");
        assert_eq!(measured(&world, &pool).await[0].0, Outcome::Ok, "connection {number}");
        before = now;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_under_both_names_is_never_withdrawn() {
    let sshd = Sshd::with_hosts(1).unwrap();
    let file = sshd.own_authorized_keys().unwrap();
    let world = World::with_agent(None).await;
    let pool = world.pool("p", settings(&sshd), &[spec(&sshd, 0)], PoolState::Running).await;
    world.set_key(&pool, sshd.private_key()).await;
    put(&world, &pool, PREVIOUS_SSH_KEY, sshd.private_key()).await;
    let task = world.done(&pool, Action::RotateKey).await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", task.message);
    let now = current(&world, &pool).await;
    assert_ne!(now, public(sshd.private_key()));
    assert_eq!(keys_in(&file), [now]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_let_the_new_key_in_keeps_the_old_one() {
    // ~/.ssh/authorized_keys is not what this server reads
    let sshd = Sshd::with_hosts(1).unwrap();
    let world = World::with_agent(None).await;
    let pool = world.pool("p", settings(&sshd), &[spec(&sshd, 0)], PoolState::Running).await;
    world.set_key(&pool, sshd.private_key()).await;
    let task = world.done(&pool, Action::RotateKey).await;
    let host = &world.hosts(task.id).await[0];
    assert_eq!(host.outcome, Outcome::Refused, "{}", host.message);
    assert!(host.message.contains("the old one is kept"), "{}", host.message);
    assert_eq!(get(&world, &pool, PREVIOUS_SSH_KEY).await.as_deref(), Some(sshd.private_key()));
    assert_eq!(measured(&world, &pool).await[0].0, Outcome::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_another_pool_uses_on_the_host_stays_there() {
    let sshd = Sshd::with_hosts(2).unwrap();
    let file = sshd.own_authorized_keys().unwrap();
    let world = World::with_agent(None).await;
    let mut pools = Vec::new();
    for name in ["p", "q"] {
        let pool = world.pool(name, settings(&sshd), &[spec(&sshd, 0)], PoolState::Running).await;
        world.set_key(&pool, sshd.private_key()).await;
        pools.push(pool);
    }
    let old = public(sshd.private_key());
    let task = world.done(&pools[0], Action::RotateKey).await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", task.message);
    let message = &world.hosts(task.id).await[0].message;
    assert!(message.contains("stays, because pool `q`"), "{message}");
    assert!(keys_in(&file).contains(&old));
    assert_eq!(measured(&world, &pools[1]).await[0].0, Outcome::Ok, "the other pool is not locked out");
    // the last one that uses it takes it away
    world.done(&pools[1], Action::RotateKey).await;
    assert!(!keys_in(&file).contains(&old));
    for pool in &pools {
        assert_eq!(measured(&world, pool).await[0].0, Outcome::Ok);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_host_that_is_reached_with_the_key_gets_the_new_one_first_and_loses_the_old_one_last() {
    let gate = Sshd::with_hosts(1).unwrap();
    let gate_file = gate.own_authorized_keys().unwrap();
    let sshd = Sshd::with_hosts(2).unwrap();
    let file = sshd.own_authorized_keys().unwrap();
    gate.authorize(&check_key(sshd.private_key(), None).unwrap().public_key).unwrap();
    let old = public(sshd.private_key());
    let world = World::with_agent(None).await;
    let specs = [spec(&sshd, 0), spec(&sshd, 1)];
    let pool = world.pool("p", settings(&sshd), &specs, PoolState::Running).await;
    world.set_key(&pool, sshd.private_key()).await;
    let jump = JumpHost { address: gate.address(0).to_string(), port: Some(gate.port()), ..JumpHost::default() };
    reach_by(&world, &pool, &SshAccess { jumps: vec![jump], ..SshAccess::default() }).await;
    let task = world.done(&pool, Action::RotateKey).await;
    assert_eq!(task.state, TaskState::Succeeded, "{}", task.message);
    let now = current(&world, &pool).await;
    assert_eq!(keys_in(&file), std::slice::from_ref(&now));
    assert!(keys_in(&gate_file).contains(&now) && !keys_in(&gate_file).contains(&old));
    let seen = measured(&world, &pool).await;
    assert!(seen.iter().all(|(outcome, _)| *outcome == Outcome::Ok), "{seen:?}");
}
