//! Secrets that could be told apart anywhere are given to a real manager that logs everything; whatever it says,
//! writes or answers in a whole run, right and wrong, is searched for them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use p2ppool_remote::testing::Sshd;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::contained::{Network, contained};
use super::world::node_binary;

/// How long a start or a task may take.
const PATIENCE: Duration = Duration::from_secs(180);
const PASSPHRASE: &str = "canary-passphrase-5d1f";
const WRONG_PASSPHRASE: &str = "canary-wrong-passphrase-77ab";
const HOOK_SECRET: &str = "canary-hook-secret-90c2";
const OIDC_SECRET: &str = "canary-oidc-secret-c41e";
const PASSWORD: &str = "canary-password-of-anna-0b3d";
const WRONG_PASSWORD: &str = "canary-wrong-password-2e6f";
const BACKUP_PASSPHRASE: &str = "canary-backup-passphrase-8a8a";
const NETWORK_SECRET: &str = "ca7a21e5ca7a21e5ca7a21e5ca7a21e5ca7a21e5ca7a21e5ca7a21e5ca7a21e5";

#[test]
fn nothing_that_is_said_or_kept_in_a_whole_run_holds_a_secret() {
    contained(
        concat!(module_path!(), "::nothing_that_is_said_or_kept_in_a_whole_run_holds_a_secret"),
        Network::Apart,
        whole_run,
    );
}

async fn whole_run() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = Run::start(folder.path()).await;
    let sshd = Sshd::with_hosts(2).unwrap();
    let key = protected_key(folder.path(), &sshd);

    run.post("users", json!({ "name": "anna", "role": "publisher", "password": PASSWORD }), 201).await;
    run.post("login", json!({ "name": "anna", "password": WRONG_PASSWORD }), 401).await;
    run.post("login", json!({ "name": "anna", "password": PASSWORD }), 200).await;
    let hook = json!({ "kind": "webhook", "url": "http://127.0.0.1:9/hook" });
    run.post("alert-targets", json!({ "name": "hook", "settings": hook, "secret": HOOK_SECRET }), 201).await;
    run.post("alert-targets/1/test", json!({}), 200).await;
    run.post("alert-targets", json!({ "name": "bad", "settings": { "kind": 7 }, "secret": HOOK_SECRET }), 422).await;

    let port = || std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    // the last host is not there
    let hosts = format!("{0}:{2}\n{1}:{2}\n127.0.0.1:1\n", sshd.address(0), sshd.address(1), sshd.port());
    let pool = json!({
        "name": "canary", "hosts": hosts, "ssh_user": sshd.user(), "install_path": "~/nodes/{host}",
        "ports": { "tcp": port(), "udp": null, "rpc": port() }, "network_secret": NETWORK_SECRET,
        "private_addresses": true,
    });
    run.post("pools", pool, 201).await;
    let with = |passphrase: &str| json!({ "key": key, "passphrase": passphrase });
    run.ask(Method::PUT, "pools/canary/key", Some(with(WRONG_PASSPHRASE)), 422).await;
    let cut = json!({ "key": key[..key.len() / 2], "passphrase": PASSPHRASE });
    run.ask(Method::PUT, "pools/canary/key", Some(cut), 422).await;
    run.ask(Method::PUT, "pools/canary/key", Some(with(PASSPHRASE)), 200).await;
    run.post("pools", json!({ "name": "other", "network_secret": NETWORK_SECRET, "nonsense": 1 }), 422).await;
    run.task("install").await;
    let too_long = json!({ "network_secret": format!("{NETWORK_SECRET}00") });
    run.ask(Method::PATCH, "pools/canary", Some(too_long), 422).await;
    for action in ["check", "crawl", "gather_logs", "gather_usage", "stop"] {
        run.task(action).await;
    }

    for path in [
        "me",
        "oidc",
        "users",
        "sessions",
        "tokens",
        "audit",
        "audit.csv",
        "pools",
        "pools/canary",
        "pools/canary/hosts",
        "pools/canary/hosts.csv",
        "pools/canary/key",
        "pools/canary/nodes",
        "pools/canary/deployed",
        "pools/canary/files",
        "tasks",
        "tasks.csv",
        "alert-targets",
        "alert-settings",
        "alerts",
        "events?last=1",
        "nonsense",
    ] {
        run.get(path).await;
    }
    run.backup(folder.path());
    run.end();
    run.search(folder.path(), &key);
    let shown = format!("{:?}", p2ppool_remote::Auth::key(&key, Some(PASSPHRASE)).unwrap());
    assert_eq!(found(&shown, &canaries(&key)), None);
}

/// A key with a passphrase that the hosts accept.
fn protected_key(folder: &Path, sshd: &Sshd) -> String {
    let file = folder.join("key");
    let mut make = Command::new("ssh-keygen");
    make.args(["-q", "-t", "ed25519", "-C", "canary", "-N", PASSPHRASE, "-f"]).arg(&file);
    assert!(make.status().unwrap().success());
    sshd.authorize(std::fs::read_to_string(file.with_extension("pub")).unwrap().trim()).unwrap();
    let key = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    key
}

/// Every secret as it would be seen; a key by its lines.
fn canaries(key: &str) -> Vec<String> {
    let said = [
        PASSPHRASE,
        WRONG_PASSPHRASE,
        HOOK_SECRET,
        OIDC_SECRET,
        PASSWORD,
        WRONG_PASSWORD,
        BACKUP_PASSPHRASE,
        NETWORK_SECRET,
    ];
    // the first lines hold the public half, too
    let lines = key.lines().filter(|line| !line.starts_with('-')).skip(3);
    said.into_iter().chain(lines).map(str::to_owned).collect()
}

/// The first secret in a text, however it is written there.
fn found(text: &str, canaries: &[String]) -> Option<String> {
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    let bytes = |text: &str| format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned();
    let forms = |secret: &String| [secret.clone(), hex(secret), bytes(secret)];
    let lower = text.to_ascii_lowercase();
    canaries.iter().find(|secret| forms(secret).iter().any(|form| lower.contains(&form.to_ascii_lowercase()))).cloned()
}

/// A manager in a process of its own, and everything that it answered.
struct Run {
    manager: Child,
    folder: PathBuf,
    server: String,
    token: String,
    client: Client,
    answers: String,
}

impl Run {
    async fn start(folder: &Path) -> Self {
        let secret = folder.join("oidc-secret");
        std::fs::write(&secret, OIDC_SECRET).unwrap();
        let file = |name: &str| std::fs::File::create(folder.join(name)).unwrap();
        let manager = Command::new(env!("CARGO_BIN_EXE_p2ppool"))
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--oidc-issuer",
                "http://127.0.0.1:9/",
                "--oidc-client-id",
                "me",
            ])
            .args(["--oidc-role", "*=viewer", "--oidc-client-secret-file"])
            .arg(&secret)
            .arg("--data")
            .arg(folder.join("data"))
            .env("P2PPOOL_NODE_BINARY", node_binary().unwrap())
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("log"))
            .spawn()
            .unwrap();
        let begun = Instant::now();
        let said = loop {
            let said = std::fs::read_to_string(folder.join("out")).unwrap();
            if said.contains("(shown only now)") {
                break said;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not start: {said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        // it is kept sealed now
        std::fs::remove_file(&secret).unwrap();
        let word = |before: &str| said.split(before).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        let server = word(" on ").trim_end_matches('/').to_owned();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::new();
        let mut run =
            Self { manager, folder: folder.to_owned(), server, token: String::new(), client, answers: String::new() };
        run.token = run.first_token(&word("user"), &word("password")).await;
        run
    }

    async fn first_token(&self, name: &str, password: &str) -> String {
        let login = self.client.post(format!("{}/api/v1/login", self.server));
        let answer = login.json(&json!({ "name": name, "password": password })).send().await.unwrap();
        let cookies: Vec<String> = answer
            .headers()
            .get_all("set-cookie")
            .iter()
            .map(|value| value.to_str().unwrap().split(';').next().unwrap().to_owned())
            .collect();
        let csrf =
            cookies.iter().find_map(|cookie| cookie.strip_prefix("p2ppool_csrf=")).unwrap_or_default().to_owned();
        let made = self.client.post(format!("{}/api/v1/tokens", self.server));
        let made = made.header("cookie", cookies.join("; ")).header("x-csrf-token", csrf);
        let made = made.json(&json!({ "name": "canary" })).send().await.unwrap();
        made.json::<Value>().await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<Value>, status: u16) -> String {
        let (code, text) = self.answer(method.clone(), path, body).await;
        assert_eq!(code.as_u16(), status, "{method} {path}: {text}");
        text
    }

    async fn answer(&mut self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, String) {
        let request = self.client.request(method, format!("{}/api/v1/{path}", self.server)).bearer_auth(&self.token);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        // of a stream, what comes first
        let answer = request.timeout(Duration::from_secs(60)).send().await.unwrap();
        let (code, headers) = (answer.status(), format!("{:?}", answer.headers()));
        let text = match path.starts_with("events") {
            true => String::new(),
            false => answer.text().await.unwrap(),
        };
        self.answers.push_str(&format!("{path} {code} {headers}\n{text}\n"));
        (code, text)
    }

    async fn post(&mut self, path: &str, body: Value, status: u16) {
        self.ask(Method::POST, path, Some(body), status).await;
    }

    async fn get(&mut self, path: &str) {
        let (code, text) = self.answer(Method::GET, path, None).await;
        assert!(code.as_u16() < 500, "{path}: {code} {text}");
    }

    /// Runs an action to its end, whatever that is.
    async fn task(&mut self, action: &str) {
        let path = format!("pools/canary/{}", action);
        let (code, text) = self.answer(Method::POST, &path, Some(json!({}))).await;
        assert_eq!(code, StatusCode::ACCEPTED, "{action}: {text}");
        let task: Value = serde_json::from_str(&text).unwrap();
        let id = task["id"].as_i64().unwrap();
        let begun = Instant::now();
        loop {
            let now: Value =
                serde_json::from_str(&self.ask(Method::GET, &format!("tasks/{id}"), None, 200).await).unwrap();
            if !["queued", "running", "cancelling"].contains(&now["state"].as_str().unwrap()) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{action} never ended: {now}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.get(&format!("tasks/{id}/hosts")).await;
    }

    /// Two backups, one of them sealed; what is said of them counts, too.
    fn backup(&mut self, folder: &Path) {
        let passphrase = folder.join("backup-passphrase");
        std::fs::write(&passphrase, BACKUP_PASSPHRASE).unwrap();
        let data = folder.join("data");
        for (file, sealed) in [("backup", false), ("backup.age", true)] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_p2ppool"));
            command.arg("backup").arg(folder.join(file)).arg("--data").arg(&data).env("RUST_LOG", "trace");
            if sealed {
                command.arg("--passphrase-file").arg(&passphrase);
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{output:?}");
            self.answers.push_str(&String::from_utf8_lossy(&output.stdout));
            self.answers.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        std::fs::remove_file(&passphrase).unwrap();
        let listing = Command::new("tar").arg("-tvf").arg(folder.join("backup")).output().unwrap();
        self.answers.push_str(&String::from_utf8_lossy(&listing.stdout));
    }

    fn end(&mut self) {
        let _ = self.manager.kill();
        let _ = self.manager.wait();
    }

    fn search(&self, folder: &Path, key: &str) {
        let canaries = canaries(key);
        assert_eq!(found(&self.answers, &canaries), None, "in an answer");
        assert!(self.answers.contains("audit") && self.answers.len() > 10_000, "there was something to search");
        for name in ["out", "log"] {
            let said = String::from_utf8_lossy(&std::fs::read(self.folder.join(name)).unwrap()).into_owned();
            if let Some(line) = said.lines().find(|line| found(line, &canaries).is_some() || line.contains(&self.token))
            {
                panic!("in {name}: {line}");
            }
            assert!(name == "out" || said.contains("DEBUG"), "it logs what it can");
        }
        // nor in what it keeps: everything is sealed. Nodes have to read their network's secret.
        let kept: Vec<String> = canaries.into_iter().filter(|secret| secret != NETWORK_SECRET).collect();
        for file in ["data", "backup", "backup.age"] {
            let files = Command::new("find").arg(folder.join(file)).args(["-type", "f"]).output().unwrap();
            for path in String::from_utf8(files.stdout).unwrap().lines() {
                let text = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
                assert_eq!(found(&text, &kept), None, "in {path}");
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.end();
    }
}
