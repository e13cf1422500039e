use p2ppool::runtimes::{MonoSource, RuntimeError};
use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

#[tokio::test]
async fn nobody_made_a_runtime_yet_and_only_administrators_may() {
    let app = TestApp::start().await;
    let list = app.get("runtimes").await.expect(200).json();
    assert_eq!((&list[0]["name"], &list[0]["state"]), (&json!("mono"), &json!("none")));
    send(app.anonymous(Method::GET, "runtimes")).await.expect(401);
    let publisher = app.person("pub", Role::Publisher).await;
    let build = |request: reqwest::RequestBuilder| send(request.json(&json!({})));
    build(app.anonymous(Method::POST, "runtimes/mono").bearer_auth(publisher)).await.expect(403);
    send(app.admin(Method::POST, "runtimes/mono").json(&json!({ "fast": true }))).await.problem(422);
}

#[tokio::test]
async fn a_mono_is_made_by_the_command_line_and_told_by_the_api() {
    let app = TestApp::start().await;
    let built = p2ppool(&app, &["runtime", "build", "mono"]).await;
    let said = String::from_utf8_lossy(&built.stderr).into_owned();
    assert!(built.status.success(), "{said}");
    assert!(said.contains("mono: "), "it tells what is being done: {said}");
    let list = app.get("runtimes").await.expect(200).json();
    assert_eq!(list[0]["state"], "ready", "{list}");
    let made = &list[0]["made"];
    let file = app.app.folders.root().join(format!("runtimes/{}.tgz", made["digest"].as_str().unwrap()));
    assert_eq!(std::fs::metadata(file).unwrap().len(), made["size"].as_u64().unwrap());
    let shown = p2ppool(&app, &["runtime", "list"]).await;
    assert!(String::from_utf8_lossy(&shown.stdout).contains(made["version"].as_str().unwrap()), "{shown:?}");
}

#[tokio::test]
async fn a_making_is_cancelled_and_what_was_made_before_stays() {
    let app = TestApp::start().await;
    app.post("runtimes/mono/cancel", json!({})).await.expect(409);
    let publisher = app.person("pub", Role::Publisher).await;
    send(app.anonymous(Method::POST, "runtimes/mono/cancel").bearer_auth(publisher)).await.expect(403);
    let making = app.app.runtimes.begin(MonoSource::Any).unwrap();
    app.post("runtimes/mono", json!({})).await.expect(409);
    let cancelled = app.post("runtimes/mono/cancel", json!({})).await.expect(202).json();
    assert_eq!(cancelled["state"], "building", "its end is told by the list");
    assert!(matches!(making.await, Err(RuntimeError::Cancelled)));
    let list = app.get("runtimes").await.expect(200).json();
    assert_eq!((&list[0]["state"], &list[0]["message"]), (&json!("failed"), &json!("the making was cancelled")));
    let none = p2ppool(&app, &["runtime", "cancel", "mono"]).await;
    assert!(!none.status.success());
    assert!(String::from_utf8_lossy(&none.stderr).contains("no runtime is being made"), "{none:?}");
}

async fn p2ppool(app: &TestApp, arguments: &[&str]) -> std::process::Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_p2ppool"))
        .args(arguments)
        .env("P2PPOOL_SERVER", format!("http://{}", app.address))
        .env("P2PPOOL_TOKEN", app.admin_token())
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn brunet_settings_are_checked_and_merged() {
    let app = TestApp::start().await;
    let create = |body: serde_json::Value| send(app.admin(Method::POST, "pools").json(&body));
    let error = create(json!({ "name": "b", "kind": "brunet", "brunet": { "nodes_per_host": 0 } })).await.problem(422);
    assert_eq!(error["field"], "brunet", "{error}");
    let both_off = json!({ "tcp": null, "udp": null, "rpc": 1 });
    create(json!({ "name": "b", "kind": "brunet", "ports": both_off })).await.problem(422);
    let pool =
        create(json!({ "name": "b", "kind": "brunet", "namespace": "Grid_1", "brunet": { "nodes_per_host": 2 } }));
    assert_eq!(pool.await.expect(201).json()["brunet"]["runtime"], "system");
    let patch = json!({ "brunet": { "runtime": "bundled" } });
    let edited = send(app.admin(Method::PATCH, "pools/b").json(&patch)).await.expect(200).json();
    assert_eq!((&edited["brunet"]["runtime"], &edited["brunet"]["nodes_per_host"]), (&json!("bundled"), &json!(2)));
}
