//! The real program as a client of the real server.

use std::process::Output;

use p2ppool_model::Time;
use serde_json::{Value, json};

use crate::support::{TestApp, crawl, node};

pub(super) struct Shell<'a> {
    app: &'a TestApp,
    pub(super) home: tempfile::TempDir,
}

impl<'a> Shell<'a> {
    pub(super) fn new(app: &'a TestApp) -> Self {
        Self { app, home: tempfile::tempdir().unwrap() }
    }

    async fn run(&self, words: &[&str]) -> Output {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_p2ppool"))
            .args(words)
            .env_clear()
            .env("HOME", self.home.path())
            .env("P2PPOOL_SERVER", format!("http://{}", self.app.address))
            .env("P2PPOOL_TOKEN", self.app.admin_token())
            .output()
            .await
            .unwrap()
    }

    pub(super) async fn ok(&self, words: &[&str]) -> String {
        let output = self.run(words).await;
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    pub(super) async fn json(&self, words: &[&str]) -> Value {
        let text = self.ok(&[words, &["--json"]].concat()).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{words:?}: {error}: {text}"))
    }

    pub(super) async fn fails(&self, words: &[&str]) -> String {
        let output = self.run(words).await;
        assert!(!output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

#[tokio::test]
async fn a_pool_is_made_listed_edited_and_deleted() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let hosts = shell.home.path().join("hosts.txt");
    std::fs::write(&hosts, "a.example\nb.example 45.7,4.8\n").unwrap();
    let hosts = hosts.to_str().unwrap();
    shell.ok(&["pool", "create", "planet", "--hosts", hosts, "--ssh-user", "ops"]).await;
    assert!(shell.ok(&["pool", "list"]).await.contains("planet"));
    assert_eq!(shell.json(&["pool", "list"]).await[0]["hosts"]["total"], 2);
    assert!(shell.ok(&["host", "list", "planet"]).await.contains("b.example"));
    shell.ok(&["pool", "edit", "planet", "--description", "all of it"]).await;
    assert_eq!(shell.json(&["pool", "show", "planet"]).await["description"], "all of it");
    shell.ok(&["key", "generate", "planet"]).await;
    shell.ok(&["pool", "delete", "planet", "--yes"]).await;
    assert_eq!(shell.json(&["pool", "list"]).await, json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_said_on_standard_error_and_by_the_exit_code() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    assert!(shell.fails(&["pool", "show", "none"]).await.contains("none"));
    let hosts = shell.home.path().join("hosts.txt");
    std::fs::write(&hosts, "good\nbad host!\n").unwrap();
    let told = shell.fails(&["pool", "create", "x", "--hosts", hosts.to_str().unwrap()]).await;
    assert!(told.contains("line 2"), "{told}");
    app.pool("x", "a", json!({})).await;
    assert!(shell.fails(&["suspend", "x"]).await.contains("install"));
}

#[tokio::test]
async fn a_wrong_key_leaves_no_pool_behind() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let key = shell.home.path().join("key");
    std::fs::write(&key, "not a key").unwrap();
    let told = shell.fails(&["pool", "create", "planet", "--key", key.to_str().unwrap()]).await;
    assert_eq!(told.matches("not a private key").count(), 1, "{told}");
    shell.ok(&["pool", "create", "planet"]).await;
}

#[tokio::test]
async fn changing_one_port_keeps_the_others() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    shell.ok(&["pool", "create", "planet", "--tcp-port", "7000", "--udp-port", "7001", "--rpc-port", "7002"]).await;
    shell.ok(&["pool", "edit", "planet", "--tcp-port", "7003"]).await;
    let ports = &shell.json(&["pool", "show", "planet"]).await["ports"];
    assert_eq!(*ports, json!({ "tcp": 7003, "udp": 7001, "rpc": 7002 }));
}

#[tokio::test]
async fn who_logs_in_again_gets_a_token_again() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let password = shell.home.path().join("password");
    std::fs::write(&password, &app.admin_password).unwrap();
    for _ in 0..3 {
        shell.ok(&["login", "--password-file", password.to_str().unwrap()]).await;
    }
}

#[tokio::test]
async fn a_password_is_reset_while_the_manager_runs() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let data = app.app.folders.root().to_str().unwrap();
    let told = shell.json(&["user", "reset-password", "admin", "--data", data]).await;
    let password = shell.home.path().join("password");
    std::fs::write(&password, told["password"].as_str().unwrap()).unwrap();
    shell.ok(&["login", "--password-file", password.to_str().unwrap()]).await;
    assert!(shell.fails(&["user", "reset-password", "nobody", "--data", data]).await.contains("nobody"));
}

#[tokio::test]
async fn nodes_and_statistics_are_tables_or_json() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    app.pool("x", "a", json!({})).await;
    crawl(&app, "x", Time(1_000), &[node("peer-one", Some(0.5))]).await;
    assert!(shell.ok(&["nodes", "x"]).await.contains("peer-one"));
    assert_eq!(shell.json(&["nodes", "x"]).await["items"][0]["consistency"], json!(0.5));
    shell.ok(&["stats", "x"]).await;
    assert_eq!(shell.json(&["stats", "x"]).await["items"][0]["nodes"], 1);
    assert_eq!(shell.json(&["openapi"]).await["info"]["title"], "P2PPool Manager");
}

#[tokio::test]
async fn accounts_and_grants_are_managed() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let made = shell.json(&["user", "create", "Anna", "--role", "publisher"]).await;
    let password = shell.home.path().join("password");
    std::fs::write(&password, made["password"].as_str().unwrap()).unwrap();
    shell.ok(&["login", "anna", "--password-file", password.to_str().unwrap()]).await;
    assert!(shell.fails(&["user", "create", "x", "--role", "king"]).await.contains("is not a role"));
    shell.ok(&["pool", "create", "planet"]).await;
    assert!(shell.ok(&["pool", "grant", "planet", "anna", "manage"]).await.contains("manage"));
    assert_eq!(shell.json(&["pool", "grants", "planet"]).await[0]["name"], "Anna");
    shell.ok(&["pool", "grant", "planet", "anna", "none"]).await;
    assert!(shell.fails(&["pool", "grant", "planet", "anna", "none"]).await.contains("no grant"));
    shell.ok(&["pool", "give", "planet", "anna"]).await;
    shell.ok(&["user", "edit", "anna", "--role", "viewer"]).await;
    shell.ok(&["user", "disable", "anna"]).await;
    assert!(shell.ok(&["user", "list"]).await.contains("locked out"));
    shell.ok(&["user", "enable", "anna"]).await;
    shell.ok(&["user", "delete", "anna", "--yes"]).await;
    assert!(shell.fails(&["user", "delete", "anna", "--yes"]).await.contains("no account anna"));
    assert!(shell.fails(&["user", "disable", "admin"]).await.contains("super administrator"));
    let token = shell.json(&["token", "create", "ci", "--role", "viewer", "--pool", "planet", "--days", "3"]).await;
    assert_eq!((&token["role"], token["expires"].is_string()), (&json!("viewer"), true));
}
