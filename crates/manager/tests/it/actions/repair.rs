//! Hosts that went wrong in every way, on real SSH servers with real nodes, mended by one call.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use p2ppool::config::Settings;
use p2ppool_model::TaskId;
use p2ppool_remote::testing::Sshd;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::world::{free_ports, node_binary};
use crate::support::TestApp;

/// How long an overlay of some nodes may take until everybody is seen.
const JOINING: Duration = Duration::from_secs(90);

/// The way to a host's SSH server, which can be closed.
struct Door(AbortOnDropHandle<()>);

impl Door {
    async fn open(at: SocketAddr, to: SocketAddr) -> (Self, SocketAddr) {
        let listener = TcpListener::bind(at).await.unwrap();
        let at = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            let mut passing = tokio::task::JoinSet::new();
            while let Ok((mut inside, _)) = listener.accept().await {
                passing.spawn(async move {
                    let mut outside = TcpStream::connect(to).await?;
                    tokio::io::copy_bidirectional(&mut inside, &mut outside).await
                });
            }
        });
        (Self(AbortOnDropHandle::new(accepting)), at)
    }

    async fn close(self) {
        self.0.abort();
        let _ = self.0.await;
    }
}

struct Pool<'a> {
    app: &'a TestApp,
    sshd: &'a Sshd,
    far: SocketAddr,
}

/// What will be wrong with each host; the last two stay right.
const HOSTS: [&str; 7] = ["down", "gone", "far", "behind", "elsewhere", "right", "right"];

impl Pool<'_> {
    /// The host list; those of these kinds can't be logged into.
    fn list(&self, locked: &[&str]) -> String {
        let line = |(n, kind): (usize, &&str)| {
            let user = if locked.contains(kind) { "nobody-of-this-name" } else { self.sshd.user() };
            let address = SocketAddr::from((self.sshd.address(n), self.sshd.port()));
            let address = if *kind == "far" { self.far } else { address };
            format!("{user}@{address} kind={kind}\n")
        };
        HOSTS.iter().enumerate().map(line).collect()
    }

    async fn lock(&self, kinds: &[&str]) {
        self.app.put_text("pools/x/hosts", &self.list(kinds)).await.expect(200);
    }

    /// Runs an action to its end and answers its task.
    async fn done(&self, path: &str, body: Value) -> Value {
        let task = self.app.post(&format!("pools/x/{path}"), body).await.expect(202).json();
        let id = task["id"].as_i64().unwrap();
        self.app.app.engine.ended(TaskId(id)).await.unwrap();
        self.app.get(&format!("tasks/{id}")).await.expect(200).json()
    }

    /// State and what is wrong of each host.
    async fn deployed(&self) -> Vec<(String, Value)> {
        let list = self.app.get("pools/x/deployed").await.expect(200).json();
        let items = list["items"].as_array().unwrap().iter();
        items.map(|one| (one["state"].as_str().unwrap().to_owned(), one["wrong"].clone())).collect()
    }

    /// Crawls until the hosts stand so.
    async fn crawled_until(&self, is: impl Fn(&[(String, Value)]) -> bool) -> Vec<(String, Value)> {
        let begun = Instant::now();
        loop {
            self.done("crawl", json!({ "settle": true })).await;
            let now = self.deployed().await;
            if is(&now) || begun.elapsed() > JOINING {
                return now;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn one_call_repairs_hosts_that_went_wrong_in_every_way() {
    assert!(node_binary().is_some(), "no p2pnode: run `make node`, or name one by P2PNODE_BIN");
    let sshd = Sshd::with_hosts(HOSTS.len()).unwrap();
    let app = TestApp::start_with(Settings { node_binary: node_binary(), ..Settings::default() }).await;
    let inside = SocketAddr::from((sshd.address(2), sshd.port()));
    let (door, far) = Door::open(([127, 10, 255, 1], 0).into(), inside).await;
    let pool = Pool { app: &app, sshd: &sshd, far };
    let settings = json!({ "install_path": "~/nodes/{pool}/{host}", "private_addresses": true, "ports": free_ports(),
        "namespace": "first" });
    app.pool("x", &pool.list(&[]), settings).await;
    app.put("pools/x/key", json!({ "key": sshd.private_key() })).await.expect(200);
    let count = |task: &Value, outcome: &str| task["counts"][outcome].as_u64().unwrap_or_default();

    let install = pool.done("install", json!({})).await;
    assert_eq!((&install["state"], count(&install, "ok")), (&json!("succeeded"), 7), "{install}");
    for (setting, left_out) in [
        (json!({ "namespace": "second" }), vec!["elsewhere"]),
        (json!({ "bootstrap": ["/ip4/127.0.0.1/tcp/9"] }), vec!["elsewhere", "behind"]),
    ] {
        pool.lock(&left_out).await;
        app.patch("pools/x", setting).await.expect(200);
        let upgrade = pool.done("upgrade", json!({})).await;
        assert_eq!(count(&upgrade, "ok"), 7 - left_out.len() as u64, "{upgrade}");
    }
    pool.lock(&[]).await;
    for kind in ["down", "gone", "far"] {
        let killed = pool.done("fault", json!({ "kind": "kill", "labels": { "kind": kind } })).await;
        assert_eq!(count(&killed, "ok"), 1, "{killed}");
    }
    let gone = format!("nodes/x/{}_{}", sshd.address(1), sshd.port());
    std::fs::remove_dir_all(sshd.home().join(gone)).unwrap();
    door.close().await;
    pool.done("gather_usage", json!({})).await;

    let (nothing, package) = (json!([]), json!(["package"]));
    let wrong = [
        ("installed_not_running", &nothing),
        ("not_installed", &nothing),
        ("unreachable", &nothing),
        ("seen_wrong", &package),
        ("running_not_seen", &package),
        ("running_seen", &nothing),
        ("running_seen", &nothing),
    ];
    let wrong = wrong.map(|(state, wrong)| (state.to_owned(), wrong.clone()));
    assert_eq!(pool.crawled_until(|now| now == wrong).await, wrong);

    let (_door, _) = Door::open(far, inside).await;
    let states = ["installed_not_running", "not_installed", "unreachable", "seen_wrong", "running_not_seen"];
    let repair = pool.done("repair", json!({ "state": states })).await;
    assert_eq!((&repair["state"], count(&repair, "ok")), (&json!("succeeded"), 5), "{repair}");
    assert_eq!((&repair["action"], count(&repair, "unchanged")), (&json!("check"), 0), "nobody else is visited");
    let right = vec![("running_seen".to_owned(), nothing); HOSTS.len()];
    assert_eq!(pool.crawled_until(|now| now == right).await, right);
    let nothing_left = app.post("pools/x/repair", json!({ "state": states })).await.problem(409);
    assert!(nothing_left["message"].as_str().unwrap().contains("no host of that kind"), "{nothing_left}");
    pool.done("stop", json!({})).await;
}
