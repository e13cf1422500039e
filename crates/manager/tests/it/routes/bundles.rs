use std::io::Write;

use p2ppool::service::{Error, bundles};
use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, TestApp, send};

async fn upload(app: &TestApp, name: &str, bytes: Vec<u8>) -> Answer {
    send(app.admin(Method::POST, &format!("bundles?name={name}")).body(bytes)).await
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn nothing_is_left(app: &TestApp) {
    for folder in [app.app.folders.uploads(), app.app.folders.bundles()] {
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{}", folder.display());
    }
}

#[tokio::test]
async fn what_is_no_bundle_is_refused_with_the_reason_and_leaves_nothing_behind() {
    let app = TestApp::start().await;
    for (name, bytes) in [
        ("empty.zip", Vec::new()),
        ("text.zip", b"hello".to_vec()),
        ("half.zip", zip_of(&[("p2pnode", b"\x7fELF")])[..30].to_vec()),
        ("no-program.zip", zip_of(&[("README", b"x")])),
        ("outside.zip", zip_of(&[("../../etc/cron.d/x", b"x"), ("p2pnode", b"#!/bin/sh\n")])),
        ("absolute.zip", zip_of(&[("/etc/passwd", b"x")])),
    ] {
        let error = upload(&app, name, bytes).await.problem(422);
        assert_eq!((&error["code"], &error["field"]), (&json!("invalid_fields"), &json!("bundle")), "{name}");
        assert!(error["message"].as_str().unwrap().contains(name), "{error}");
        nothing_is_left(&app);
    }
    assert_eq!(app.get("bundles").await.expect(200).json(), json!([]));
}

#[tokio::test]
async fn names_and_people_are_checked_before_a_byte_is_kept() {
    let app = TestApp::start().await;
    for name in ["", "a%2Fb", "..%2Fx", "a%00", &"x".repeat(300)] {
        assert_eq!(upload(&app, name, vec![0; 10]).await.problem(422)["field"], "name", "{name}");
    }
    assert_eq!(send(app.admin(Method::POST, "bundles").body("x")).await.problem(422)["field"], "name");
    let viewer = app.person("view", Role::Viewer).await;
    send(app.anonymous(Method::POST, "bundles?name=x").bearer_auth(viewer).body("x")).await.expect(403);
    send(app.anonymous(Method::POST, "bundles?name=x").body("x")).await.expect(401);
    send(app.anonymous(Method::GET, "bundles")).await.expect(401);
    nothing_is_left(&app);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_cut_off() {
    let app = TestApp::start().await;
    let parts = futures::stream::iter((0..10).map(|_| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![0; 1000]))));
    let admin = p2ppool::accounts::Viewer::Person {
        id: p2ppool_model::UserId(1),
        name: "admin".into(),
        role: Role::Publisher,
        reach: Default::default(),
    };
    let error = bundles::upload(&app.app, &admin, "x.zip", parts, 5_000).await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 5_000, .. }), "{error}");
    nothing_is_left(&app);
}

#[tokio::test]
async fn an_announced_size_beyond_the_limit_is_refused_at_once() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let app = TestApp::start().await;
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /api/v1/bundles?name=x.zip HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 600000000\r\nconnection: close\r\n\r\n",
        app.admin_token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer[..read]));
    nothing_is_left(&app);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing_behind() {
    use tokio::io::AsyncWriteExt;
    let app = TestApp::start().await;
    let mut stream = tokio::net::TcpStream::connect(app.address).await.unwrap();
    let head = format!(
        "POST /api/v1/bundles?name=x.zip HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-length: 100000\r\n\r\nPK",
        app.admin_token()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The upload has begun once its file is there; it ends with the connection.
    let folder = app.app.folders.uploads();
    let files = || std::fs::read_dir(&folder).unwrap().count();
    until(|| files() == 1).await;
    drop(stream);
    until(|| files() == 0).await;
}

/// The file system tells nobody, so it is asked again and again, for a while.
async fn until(reached: impl Fn() -> bool) {
    let asking = async {
        while !reached() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(10), asking).await.expect("reached in time");
}
