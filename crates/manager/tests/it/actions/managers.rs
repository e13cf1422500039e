//! Three managers on one PostgreSQL, as processes, with real SSH servers.

use std::collections::{BTreeSet, HashMap};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use p2ppool_model::event::{Change, Event};
use p2ppool_model::task::TaskState;
use p2ppool_model::time::CLOCK_OFFSET_ENV;
use p2ppool_model::{Action, HostId, Step, TaskId, Time};
use p2ppool_remote::testing::Sshd;
use p2ppool_store::testing;
use serde_json::{Value, json};

use super::fleet::{Fleet, Manager, PATIENCE};

const HOSTS: usize = 30;
/// Of the managers under test, seconds: long enough for heartbeats on a busy machine.
const LEASE_S: u64 = 8;
/// Hosts that are done when the manager is killed, at least.
const DONE_AT_DEATH: u64 = 5;
/// Hosts that can't be done before that.
const BEHIND_THE_GATE: usize = 4;

/// A manager with a data folder of its own and the key of the others.
struct Colleague {
    manager: Manager,
    address: String,
}

impl Colleague {
    fn start(fleet: &Fleet, name: &str, url: &str, clock_offset_s: i64) -> (Self, Option<String>) {
        let (data, key) = (folder(fleet, name), fleet.data.join("private/secret.key"));
        let (lease, offset) = (LEASE_S.to_string(), clock_offset_s.to_string());
        let key = key.to_str().unwrap();
        let variables = [("P2PPOOL_KEY_FILE", key), (CLOCK_OFFSET_ENV, &offset)];
        let mut manager = Manager::start(&data, &["--database", url, "--lease-s", &lease], &variables);
        let line = manager.says("P2PPool Manager on ").unwrap_or_else(|| panic!("manager {name} did not start"));
        let address = line.split_whitespace().last().unwrap().to_owned();
        let is_first = name == "a";
        let password =
            is_first.then(|| manager.says("password").unwrap().split_whitespace().nth(1).unwrap().to_owned());
        (Self { manager, address }, password)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.address)
    }
}

fn folder(fleet: &Fleet, name: &str) -> PathBuf {
    fleet.data.with_file_name(format!("data-{name}"))
}

/// An administrator's token, which every manager takes.
async fn token(http: &reqwest::Client, manager: &Colleague, password: &str) -> String {
    let body = json!({ "name": "admin", "password": password });
    let answer = http.post(manager.url("login")).json(&body).send().await.unwrap();
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies: Vec<_> = cookies.map(|value| value.to_str().unwrap().split(';').next().unwrap()).collect();
    let repeated = cookies.iter().find_map(|cookie| cookie.strip_prefix("p2ppool_csrf=")).unwrap().to_owned();
    let request = http.post(manager.url("tokens")).header("cookie", cookies.join("; "));
    let made = request.header("x-csrf-token", repeated).json(&json!({ "name": "t" })).send().await.unwrap();
    made.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
}

/// Reads a stream of events until one is as wanted; answers all up to it.
async fn events_until(
    http: &reqwest::Client,
    manager: &Colleague,
    token: &str,
    after: Option<u64>,
    wanted: impl Fn(&Event) -> bool,
) -> Vec<Event> {
    let mut request = http.get(manager.url("events")).bearer_auth(token);
    if let Some(after) = after {
        request = request.header("last-event-id", after);
    }
    let mut stream = request.send().await.unwrap().error_for_status().unwrap().bytes_stream();
    let (mut text, mut seen) = (String::new(), Vec::new());
    let read = async {
        loop {
            let chunk = stream.next().await.expect("the stream goes on").unwrap();
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text.find("\n\n") {
                let message: String = text.drain(..end + 2).collect();
                let data = message.lines().find_map(|line| line.strip_prefix("data: "));
                let Some(event) = data.and_then(|data| serde_json::from_str::<Event>(data).ok()) else { continue };
                let found = wanted(&event);
                seen.push(event);
                if found {
                    return;
                }
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("no such event on {}", manager.address));
    seen
}

fn task_is(event: &Event, id: TaskId, is: impl Fn(TaskState, u64) -> bool) -> bool {
    matches!(&event.change, Change::Task { task } if task.id == id && is(task.state, task.counts.done()))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn when_one_of_three_managers_dies_another_ends_its_task_and_does_nothing_twice() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let url = testing::postgres_url().await;
    let (fleet, gate) = gated_fleet(&url).await;
    // one clock is right, the others are ten minutes wrong
    let (a, password) = Colleague::start(&fleet, "a", &url, 0);
    let (b, _) = Colleague::start(&fleet, "b", &url, 600);
    let (c, _) = Colleague::start(&fleet, "c", &url, -600);
    let mut all: Vec<Colleague> = vec![a, b, c];
    let http = reqwest::Client::new();
    let token = token(&http, &all[0], &password.unwrap()).await;

    let task = fleet.queue(Action::Install, json!({})).await;
    fleet.got_to(task, DONE_AT_DEATH).await;
    let runs_it = fleet.store.managers().await.unwrap().into_iter().find(|seen| seen.tasks > 0).expect("one runs it");
    let position = all.iter().position(|one| one.manager.pid() == runs_it.beat.pid).expect("it is one of ours");
    let victim = all.remove(position);
    println!("{} of three runs it", ["the first", "the second", "the third"][position]);
    let told = events_until(&http, &all[0], &token, Some(0), |event| {
        task_is(event, task, |state, done| state == TaskState::Running && done >= DONE_AT_DEATH)
    });
    let last = told.await.last().expect("the wanted one").id;

    victim.manager.kill();
    let at_death = fleet.store.task(task).await.unwrap();
    assert_eq!(at_death.state, TaskState::Running, "hosts behind the gate are never done: {at_death:?}");
    std::fs::remove_file(gate).unwrap();
    taken_over_in_time(&fleet, task, &runs_it.beat.id).await;
    // on the other one that lives, from where the first one's stream was left
    let taken = events_until(&http, &all[1], &token, Some(last), |event| {
        task_is(event, task, |_, done| done > at_death.counts.done())
            || task_is(event, task, |state, _| state.is_final())
    });
    let taken = taken.await;
    assert!(!taken.iter().any(|event| event.change == Change::Reread), "the stream was resumed: {taken:?}");
    assert!(taken.iter().all(|event| event.id > last));
    let end = fleet.ended(task).await;
    println!("killed with {} of {HOSTS} done", at_death.counts.done());
    let rows = fleet.store.all_task_hosts(task).await.unwrap();
    let wrong: Vec<_> = rows.iter().filter(|row| !row.outcome.is_right()).collect();
    assert_eq!(end.state, TaskState::Succeeded, "{} {wrong:?}", end.message);
    let nodes = fleet.nodes();
    assert!(nodes.len() == HOSTS && nodes.values().all(|count| *count == 1), "{nodes:?}");
    nothing_was_done_twice(&fleet, task).await;

    local_node_is_on_a_living_one(&fleet, &runs_it.beat.id).await;
    // whichever of the two writes a file, both have it
    let path = format!("pools/{}/gather_logs", fleet.pool.name);
    let gather = http.post(all[0].url(&path)).bearer_auth(&token).json(&json!({})).send().await.unwrap();
    let gather: Value = gather.error_for_status().unwrap().json().await.unwrap();
    let gathered = fleet.ended(TaskId(gather["id"].as_i64().unwrap())).await;
    assert_eq!(gathered.state, TaskState::Succeeded, "{}", gathered.message);
    let mut files = Vec::new();
    for manager in &all {
        let path = format!("pools/{}/files/logs.zip", fleet.pool.name);
        let answer = http.get(manager.url(&path)).bearer_auth(&token).send().await.unwrap();
        files.push(answer.error_for_status().unwrap().bytes().await.unwrap());
    }
    assert!(files[0].starts_with(b"PK") && files[0] == files[1], "{} and {} bytes", files[0].len(), files[1].len());

    let told: Vec<Value> =
        http.get(all[0].url("managers")).bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    let alive = |alive: bool| told.iter().filter(|one| one["alive"] == alive).count();
    assert_eq!((alive(true), alive(false)), (2, 1), "{told:?}");
}

/// Hosts of which the last few unpack nothing as long as a file is there; so that no manager, however fast,
/// ends an install before it is killed.
async fn gated_fleet(url: &str) -> (Fleet, PathBuf) {
    let sshd = Sshd::with_hosts(HOSTS).unwrap();
    let (home, closed) = (sshd.home(), sshd.home().join("closed"));
    std::fs::write(&closed, "").unwrap();
    std::fs::create_dir(home.join("gate")).unwrap();
    let tar = home.join("gate/tar");
    let script = "#!/bin/sh\nwhile [ -e \"$HOME/closed\" ]; do sleep 0.1; done\nPATH=${PATH#*:}\nexec tar \"$@\"\n";
    std::fs::write(&tar, script).unwrap();
    std::fs::set_permissions(&tar, std::fs::Permissions::from_mode(0o755)).unwrap();
    let pattern = |n| format!("*' {} '*", sshd.address(n));
    let patterns: Vec<String> = (HOSTS - BEHIND_THE_GATE..HOSTS).map(pattern).collect();
    let choose = format!("case \"$SSH_CONNECTION\" in {}) PATH=\"$HOME/gate:$PATH\" ;; esac\n", patterns.join("|"));
    std::fs::write(home.join(".bashrc"), choose).unwrap();
    (Fleet::of(sshd, Some(url)).await, closed)
}

/// Waits until another manager has the task of a dead one. It must not be before the end of the lease, and it
/// must be the first that looks after it: a manager looks several times in a lease, so two leases are enough.
/// All by the database's clock, in the managers' own beats, so that a slow machine changes nothing.
async fn taken_over_in_time(fleet: &Fleet, task: TaskId, dead: &str) {
    let begun = Instant::now();
    let ends = testing::lease_until(&fleet.store, task).await.expect("its claim has a lease");
    let mut looked: HashMap<String, BTreeSet<Time>> = HashMap::new();
    loop {
        let seen = fleet.store.managers().await.unwrap();
        let silent = seen.iter().find(|one| one.beat.id == dead).expect("it is remembered");
        let now = silent.seen_at.plus(silent.silent);
        if let Some(heir) = seen.iter().find(|one| one.tasks > 0 && one.beat.id != dead) {
            assert!(now > ends, "it was taken at {now:?}, before the lease's end at {ends:?}");
            println!("process {} has it {:.1} s after the lease's end", heir.beat.pid, now.since(ends).as_secs_f64());
            return;
        }
        for one in seen.iter().filter(|one| one.beat.id != dead && one.seen_at > ends) {
            let looks = looked.entry(one.beat.id.clone()).or_default();
            looks.insert(one.seen_at);
            assert!(looks.len() < 2, "process {} looked after the lease's end and left the task", one.beat.pid);
        }
        assert!(begun.elapsed() < PATIENCE, "no manager lives");
        // other processes write: their database is all that tells
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The dead manager's local node is brought up beside one that lives.
async fn local_node_is_on_a_living_one(fleet: &Fleet, dead: &str) {
    let begun = Instant::now();
    loop {
        let held = fleet.store.local_node_owner(fleet.pool.id).await.unwrap().expect("an install has a local node");
        if held.is_held && held.owner != dead {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "nobody took the local node: {held:?}");
        // other processes write: their database is all that tells
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// No step changed the same thing on the same host in both claims.
async fn nothing_was_done_twice(fleet: &Fleet, task: TaskId) {
    let mut changed: HashMap<(HostId, Step), u32> = HashMap::new();
    let journal = fleet.store.journal(task).await.unwrap();
    for entry in journal.iter().filter(|entry| entry.result.as_deref() == Some("changed")) {
        *changed.entry((entry.host, entry.step)).or_default() += 1;
    }
    let twice: Vec<_> = changed.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "done twice: {twice:?}");
    let started = changed.keys().filter(|(_, step)| *step == Step::Start).count();
    assert!(started <= HOSTS && journal.iter().any(|entry| entry.fence > 1), "a second claim went on");
    let first: std::collections::HashSet<HostId> =
        journal.iter().filter(|entry| entry.fence == 1).map(|entry| entry.host).collect();
    println!("{} journal entries, {} hosts begun by the first claim", journal.len(), first.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_with_another_key_is_refused_and_so_are_two_on_one_folder() {
    let url = testing::postgres_url().await;
    let temp = tempfile::tempdir().unwrap();
    let arguments = ["--database", url.as_str()];
    let mut first = Manager::start(&temp.path().join("one"), &arguments, &[]);
    first.says("P2PPool Manager on ").expect("the first one starts");

    let mut other = Manager::start(&temp.path().join("two"), &arguments, &[]);
    assert_eq!(other.says("P2PPool Manager on "), None);
    assert!(!other.wait().success());
    let log = std::fs::read_to_string(temp.path().join("two.log")).unwrap();
    assert!(log.contains("sealed with another key") && log.contains("P2PPOOL_KEY_FILE"), "{log}");

    let mut same = Manager::start(&temp.path().join("one"), &arguments, &[]);
    assert_eq!(same.says("P2PPool Manager on "), None);
    assert!(!same.wait().success());
    let log = std::fs::read_to_string(temp.path().join("one.log")).unwrap();
    assert!(log.contains("another manager runs on this data folder"), "{log}");
}
