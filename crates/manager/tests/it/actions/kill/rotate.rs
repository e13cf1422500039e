//! The manager is killed at any instant while it replaces a pool's key: nobody is ever locked out.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use p2ppool::folders::Folders;
use p2ppool::secrets::{PREVIOUS_SSH_KEY, SSH_KEY, Secrets};
use p2ppool_model::host::HostSpec;
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, TaskId, Time};
use p2ppool_remote::testing::Sshd;
use p2ppool_remote::{Auth, Deadlines, HostError, Ssh, Target, check_key, exec};
use p2ppool_store::SecretScope;
use serde_json::json;

use super::super::fleet::{Fleet, Manager, PATIENCE};
use super::{Chance, Duration, KILLS, KILLS_PER_TASK, MISSES_MAX, PAUSE_MAX_MS, number};

/// Machines, each with a list of keys of its own.
const MACHINES: usize = 6;
/// Logins of one machine's rotation: its session, the new key is added and proven, the old one withdrawn.
const LOGINS: u64 = 4;
/// How long the command that proves a login may take: it does nothing.
const PROOF: Duration = Duration::from_secs(60);

/// Real SSH servers that know the same key, and the database of the managers.
struct Machines {
    fleet: Fleet,
    others: Vec<Sshd>,
    files: Vec<PathBuf>,
    secrets: Secrets,
}

impl Machines {
    async fn new() -> Self {
        let fleet = Fleet::of(Sshd::with_hosts(1).unwrap(), None).await;
        let public = check_key(fleet.sshd.private_key(), None).unwrap().public_key;
        let others: Vec<_> = (1..MACHINES).map(|_| Sshd::with_hosts(1).unwrap()).collect();
        for sshd in &others {
            sshd.authorize(&public).unwrap();
        }
        let secrets = Secrets::load_or_create(&Folders::open(&fleet.data).unwrap().secret_key()).unwrap();
        let mut machines = Self { fleet, others, files: Vec::new(), secrets };
        machines.files = machines.all().map(|sshd| sshd.own_authorized_keys().unwrap()).collect();
        // what other keys a machine knows is not the pool's business: here it knows none
        for file in &machines.files {
            std::fs::write(file, format!("{public}\n")).unwrap();
        }
        let spec = |sshd: &Sshd| HostSpec {
            address: sshd.address(0).to_string(),
            port: Some(sshd.port()),
            ..HostSpec::default()
        };
        let specs: Vec<_> = machines.all().map(spec).collect();
        machines.fleet.store.set_hosts(machines.fleet.pool.id, &specs).await.unwrap();
        machines
    }

    fn all(&self) -> impl Iterator<Item = &Sshd> {
        std::iter::once(&self.fleet.sshd).chain(&self.others)
    }

    /// Logins that the servers let in so far.
    fn logins(&self) -> u64 {
        self.all().map(|sshd| sshd.log().matches("Accepted publickey").count() as u64).sum()
    }

    /// A key that the manager has.
    async fn key(&self, name: &str) -> Option<String> {
        let scope = SecretScope::Pool(self.fleet.pool.id);
        let key = self.secrets.get(&self.fleet.store, scope, name).await.unwrap();
        key.map(|bytes| String::from_utf8(bytes.to_vec()).unwrap())
    }

    /// Everybody is let in with what the manager has, the new key or the old one.
    async fn nobody_is_locked_out(&self, when: &str) {
        let current = self.key(SSH_KEY).await.expect("the pool has a key");
        let auth = |key: &str| Arc::new(Auth::key(key, None).unwrap());
        let auth = match self.key(PREVIOUS_SSH_KEY).await {
            Some(previous) => Arc::new(Auth::either([auth(&current), auth(&previous)])),
            None => auth(&current),
        };
        for sshd in self.all() {
            let proven = log_in(sshd, &auth).await;
            assert!(proven.is_ok(), "locked out of port {} {when}: {proven:?}", sshd.port());
        }
    }

    /// Starts a manager and kills it after some of the logins of the task; tells whether the task had not ended.
    async fn kill_during(&self, task: TaskId, chance: &mut Chance) -> bool {
        let wanted = self.logins() + chance.below(MACHINES as u64 * LOGINS + 1);
        let manager = Manager::start(&self.fleet.data, &[], &[]);
        let begun = std::time::Instant::now();
        while self.logins() < wanted && !self.fleet.store.task(task).await.unwrap().state.is_final() {
            assert!(begun.elapsed() < PATIENCE, "it never got there");
            // another process logs in elsewhere: the servers' logs are all that tells
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(chance.below(PAUSE_MAX_MS))).await;
        manager.kill();
        let at_death = self.fleet.store.task(task).await.unwrap();
        println!("killed as {} with {} of {MACHINES} done", at_death.state.as_str(), at_death.counts.done());
        !at_death.state.is_final()
    }
}

async fn log_in(sshd: &Sshd, auth: &Arc<Auth>) -> Result<(), HostError> {
    let target = Target {
        address: sshd.address(0).to_string(),
        port: sshd.port(),
        user: sshd.user().to_owned(),
        auth: Arc::clone(auth),
        pinned: None,
        install_path: String::new(),
        jump: None,
    };
    exec(&Ssh::default(), &target, "exit 0", &Deadlines::default(), PROOF).await.map(drop)
}

/// The keys in a file, without options.
fn keys_in(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().filter_map(|line| line.split_once("ssh-ed25519 ")?.1.split(' ').next().map(str::to_owned)).collect()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn a_key_rotation_under_kills_ends_with_the_new_key_alone_and_locks_nobody_out() {
    let seed = number("SEED").unwrap_or_else(|| Time::now().0.unsigned_abs());
    let kills = number("KILLS").unwrap_or(KILLS);
    println!("SEED={seed} KILLS={kills}");
    let mut chance = Chance(seed);
    let machines = Machines::new().await;
    let (mut killed, mut missed) = (0, 0);
    let mut before = machines.key(SSH_KEY).await.unwrap();
    while killed < kills {
        let task = machines.fleet.queue(Action::RotateKey, json!({})).await;
        for _ in 0..KILLS_PER_TASK {
            let hit = machines.kill_during(task, &mut chance).await;
            machines.nobody_is_locked_out("after a kill").await;
            if !hit {
                missed += 1;
                break;
            }
            killed += 1;
        }
        assert!(missed <= MISSES_MAX * kills, "nearly all kills came too late: {missed} beside {killed}");
        let manager = Manager::start(&machines.fleet.data, &[], &[]);
        let end = machines.fleet.ended(task).await;
        manager.kill();
        let rows = machines.fleet.store.all_task_hosts(task).await.unwrap();
        assert_eq!(end.state, TaskState::Succeeded, "{} {rows:?}", end.message);
        machines.nobody_is_locked_out("at the end").await;
        let now = machines.key(SSH_KEY).await.unwrap();
        assert_ne!(now, before, "it has another key");
        assert_eq!(machines.key(PREVIOUS_SSH_KEY).await, None, "the old one is forgotten");
        let public = check_key(&now, None).unwrap().public_key.split(' ').nth(1).unwrap().to_owned();
        for file in &machines.files {
            assert_eq!(keys_in(file), std::slice::from_ref(&public), "{}", file.display());
        }
        let old = Arc::new(Auth::key(&before, None).unwrap());
        for sshd in machines.all() {
            assert!(log_in(sshd, &old).await.is_err(), "the old key still opens port {}", sshd.port());
        }
        before = now;
    }
    println!("{killed} kills, {missed} too late");
}
