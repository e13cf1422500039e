//! How tables are shown: to everybody, and to each person.

use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

#[tokio::test]
async fn managers_choose_for_everybody_and_each_person_for_themselves() {
    let app = TestApp::start().await;
    app.pool("x", "", json!({ "visibility": "public" })).await;
    let anna = app.person("anna", Role::Viewer).await;
    let hers = async |method: Method, path: &str, body: Value| {
        send(app.anonymous(method, path).bearer_auth(&anna).json(&body)).await
    };
    let wanted = json!({ "columns": ["address", "consistency"], "sort": "consistency", "order": "desc", "filters": { "status": "answering" }, "range": "7d" });
    hers(Method::PUT, "pools/x/views/nodes", wanted.clone()).await.problem(403);
    let set = app.put("pools/x/views/nodes", wanted.clone()).await.expect(200).json();
    assert_eq!(set, json!({ "pool": wanted, "own": null }));
    assert_eq!(send(app.anonymous(Method::GET, "pools/x/views/nodes")).await.expect(200).json()["pool"], wanted);

    let own = json!({ "columns": ["ip"], "sort": null, "order": null, "filters": {}, "range": null });
    let both = hers(Method::PUT, "me/views/x/nodes", own.clone()).await.expect(200).json();
    assert_eq!(both, json!({ "pool": wanted, "own": own }));
    assert_eq!(app.get("pools/x/views/nodes").await.json()["own"], json!(null), "hers alone");
    assert_eq!(hers(Method::GET, "me/views", json!({})).await.expect(200).json()[0]["settings"], own);
    hers(Method::DELETE, "me/views/x/nodes", json!({})).await.expect(204);
    assert_eq!(
        hers(Method::GET, "pools/x/views/nodes", json!({})).await.json(),
        json!({ "pool": wanted, "own": null })
    );
    app.delete("pools/x/views/nodes").await.expect(204);
    assert_eq!(app.get("pools/x/views/nodes").await.json(), json!({ "pool": null, "own": null }));
    send(app.anonymous(Method::PUT, "me/views/x/nodes").json(&own)).await.problem(401);
}

#[tokio::test]
async fn what_can_not_be_shown_is_named() {
    let app = TestApp::start().await;
    app.pool("x", "", json!({})).await;
    for (body, field) in [
        (json!({ "columns": ["a", "a"] }), "columns"),
        (json!({ "columns": vec!["a"; 65] }), "columns"),
        (json!({ "columns": ["<script>"] }), "columns"),
        (json!({ "sort": "" }), "sort"),
        (json!({ "order": "up" }), "order"),
        (json!({ "filters": { "q": "x".repeat(201) } }), "filters"),
        (json!({ "range": "7 days" }), "range"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        for path in ["pools/x/views/stats", "me/views/x/stats"] {
            assert_eq!(app.put(path, body.clone()).await.problem(422)["field"], field, "{body}");
        }
    }
    assert_eq!(app.get("pools/x/views/map").await.problem(404)["code"], "not_found");
}
