//! Backup and restore by the real program, while the real server works.

use std::path::Path;
use std::process::{Command, Output};

use p2ppool::config::Settings;
use p2ppool_model::Time;
use p2ppool_store::testing;
use serde_json::{Value, json};

use crate::support::{TestApp, crawl, node};

const PASSPHRASE: &str = "correct horse battery staple\n";

fn program(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_p2ppool"))
        .args(words)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .unwrap()
}

#[track_caller]
fn right(output: Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn wrong(output: Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// A manager with a pool, a key, history and a file; its address of the database.
async fn manager(database: Option<String>) -> (TestApp, String) {
    let app = TestApp::start_with(Settings { database: database.clone(), ..Settings::default() }).await;
    app.pool("planet", "a.example\nb.example", json!({ "description": "all of it" })).await;
    app.post("pools/planet/key/generate", json!({})).await.expect(200);
    crawl(&app, "planet", Time(1_000), &[node("peer-one", Some(0.5))]).await;
    let public = app.app.folders.public(&"planet".parse().unwrap());
    std::fs::create_dir_all(&public).unwrap();
    std::fs::write(public.join("logs.zip"), b"logs of planet").unwrap();
    let database =
        database.unwrap_or_else(|| format!("sqlite:{}", app.app.folders.root().join("p2ppool.db").display()));
    (app, database)
}

async fn what_it_knows(app: &TestApp) -> Value {
    let mut pool = app.get("pools/planet").await.expect(200).json();
    pool.as_object_mut().unwrap().remove("tasks");
    let file = app.get("pools/planet/files/logs.zip").await.expect(200).text;
    let key = app.get("pools/planet/key").await.expect(200).json();
    json!([pool, file, key, app.get("pools/planet/nodes").await.expect(200).json()])
}

async fn a_manager_is_moved(database: Option<String>, new_database: Option<String>) {
    let (app, database) = manager(database).await;
    let known = what_it_knows(&app).await;
    let temp = tempfile::tempdir().unwrap();
    let passphrase = temp.path().join("passphrase");
    std::fs::write(&passphrase, PASSPHRASE).unwrap();
    let passphrase = passphrase.to_str().unwrap();
    let file = temp.path().join("backup");
    let file = file.to_str().unwrap();
    let data = app.app.folders.root().to_str().unwrap();
    let sealed = ["--passphrase-file", passphrase, "--json"];
    let made = right(program(&[&["backup", file, "--data", data, "--database", &database], &sealed[..]].concat()));
    assert_eq!((&made["has_key"], &made["sealed"]), (&json!(true), &json!(true)));
    let bytes = std::fs::read(file).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1"));
    let admin_password = app.admin_password.clone();
    // what comes after the backup is not in it
    app.pool("later", "", json!({})).await;
    app.stop().await;

    let place = tempfile::tempdir().unwrap();
    let data = place.path().join("data");
    let settings = Settings { data: Some(data.clone()), database: new_database.clone(), ..Settings::default() };
    let new = settings.clone().checked().unwrap().database;
    let to = ["--data", data.to_str().unwrap(), "--database", &new];
    let told = wrong(program(&[&["restore", file], &to[..]].concat()));
    assert!(told.contains("encrypted") && told.contains("--passphrase-file"), "{told}");
    assert!(!data.exists(), "a refused restore leaves nothing");
    let restored = right(program(&[&["restore", file], &to[..], &sealed[..]].concat()));
    assert_eq!(restored["pools"], 1);

    let again = TestApp::start_again(settings, place, &admin_password).await;
    assert_eq!(what_it_knows(&again).await, known);
    assert_eq!(again.get("pools").await.json().as_array().unwrap().len(), 1);
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_on_sqlite_is_moved_by_backup_and_restore() {
    a_manager_is_moved(None, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manager_on_postgresql_is_moved_by_backup_and_restore() {
    a_manager_is_moved(Some(testing::postgres_url().await), Some(testing::postgres_url().await)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_writes_nothing_over_and_refuses_what_is_damaged() {
    let (app, database) = manager(None).await;
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("backup");
    let name = file.to_str().unwrap();
    let data = app.app.folders.root().to_str().unwrap();
    right(program(&["backup", name, "--data", data, "--database", &database, "--json"]));
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "it holds the key");

    let told = wrong(program(&["restore", name, "--data", data]));
    assert!(told.contains("not empty"), "{told}");
    let new = temp.path().join("new");
    let new = new.to_str().unwrap();
    let elsewhere = ["--data", new, "--database", "postgres://127.0.0.1:1/none"];
    let told = wrong(program(&[&["restore", name], &elsewhere[..]].concat()));
    assert!(told.contains("SQLite") && told.contains("PostgreSQL"), "{told}");

    let whole = std::fs::read(&file).unwrap();
    for cut in [0, 1, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&file, &whole[..cut]).unwrap();
        wrong(program(&["restore", name, "--data", new]));
        assert!(!Path::new(new).exists(), "cut at {cut}");
    }
    std::fs::write(&file, bad_names()).unwrap();
    let told = wrong(program(&["restore", name, "--data", new]));
    assert!(told.contains("leads out"), "{told}");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 1, "only the backup is there");
}

/// An archive with a file that would lie outside the data folder.
fn bad_names() -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    let manifest = json!({
        "format": 1, "version": "0", "created": "2026-11-23T00:00:00Z", "database": "sqlite", "has_key": true,
    });
    for (name, bytes) in [("manifest.json", manifest.to_string().into_bytes()), ("private/../../escaped", vec![b'x'])] {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        tar.append(&header, &bytes[..]).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_is_changed_while_the_manager_works() {
    let (app, database) = manager(None).await;
    let data = app.app.folders.root().to_str().unwrap();
    let key = app.get("pools/planet/key").await.expect(200).json();
    let before = std::fs::read(app.app.folders.secret_key()).unwrap();
    let told = right(program(&["secrets", "rotate", "--data", data, "--database", &database, "--json"]));
    assert!(told["secrets"].as_u64().unwrap() >= 1, "{told}");
    assert_ne!(std::fs::read(app.app.folders.secret_key()).unwrap(), before);
    assert_eq!(app.get("pools/planet/key").await.expect(200).json(), key);
    app.post("pools/planet/key/generate", json!({})).await.expect(200);
    app.get("pools/planet/key").await.expect(200);
    app.stop().await;
}
