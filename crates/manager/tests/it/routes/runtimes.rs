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
