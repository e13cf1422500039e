use reqwest::Method;
use serde_json::json;

use p2ppool_model::Time;

use crate::support::{TestApp, crawl, node, send};

#[tokio::test]
async fn a_pool_is_created_shown_edited_and_deleted() {
    let app = TestApp::start().await;
    let made = app.pool("planet", "a.example\nb.example:2222 45.7,4.8\n", json!({ "ssh_user": "ops" })).await;
    assert_eq!(made["hosts"]["total"], 2);
    assert_eq!((&made["state"], &made["namespace"]), (&json!("created"), &json!("planet")));

    let edited =
        app.patch("pools/planet", json!({ "description": "x", "ports": { "tcp": 5000 } })).await.expect(200).json();
    assert_eq!(edited["ports"], json!({ "tcp": 5000, "udp": 4650, "rpc": 4651 }));
    assert_eq!(edited["ssh_user"], "ops");
    assert_eq!(edited["needs_upgrade"], json!(false));
    assert_eq!(app.get("pools").await.json()[0]["description"], "x");

    app.delete("pools/planet").await.expect(204);
    assert_eq!(app.get("pools/planet").await.problem(404)["code"], "not_found");
}

#[tokio::test]
async fn a_list_of_pools_tells_how_many_nodes_answered_the_last_crawls() {
    let app = TestApp::start().await;
    for name in ["crawled", "new"] {
        app.pool(name, "a", json!({})).await;
    }
    let nodes = ["a", "b", "c"].map(|address| node(address, None));
    for (i, answering) in [3, 1, 2].into_iter().enumerate() {
        crawl(&app, "crawled", Time(i as i64 * 1_000), &nodes[..answering]).await;
    }
    let pools = app.get("pools").await.expect(200).json();
    let recent: Vec<_> = pools.as_array().unwrap().iter().map(|pool| &pool["recent"]).collect();
    assert_eq!(recent, [&json!([3, 1, 2]), &json!([])]);
    assert_eq!(app.get("pools/crawled").await.json()["recent"], json!([3, 1, 2]));
}

#[tokio::test]
async fn wrong_fields_are_named_all_at_once() {
    let app = TestApp::start().await;
    let wrong = json!({ "name": "Bad Name", "ports": { "tcp": 5, "udp": null, "rpc": 5 }, "install_path": "../x" });
    let error = app.post("pools", wrong).await.problem(422);
    let fields: Vec<_> = error["details"].as_array().unwrap().iter().map(|d| d["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["name", "ports", "install_path"]);

    for (body, field) in [
        (json!({}), "name"),
        (json!({ "name": 7 }), "name"),
        (json!({ "name": "x", "ports": { "tcp": 70000, "udp": 1, "rpc": 2 } }), "ports.tcp"),
        (json!({ "name": "x", "colour": "red" }), "colour"),
        (json!({ "name": "x", "network_secret": "abc" }), "network_secret"),
        (json!({ "name": "x", "transport": "local" }), "install_path"),
        (json!({ "name": "x".repeat(64) }), "name"),
    ] {
        let error = app.post("pools", body.clone()).await.problem(422);
        assert_eq!((&error["code"], &error["field"]), (&json!("invalid_fields"), &json!(field)), "{body}");
    }
    assert_eq!(app.get("pools").await.json(), json!([]));
}

#[tokio::test]
async fn wrong_lines_of_a_host_list_are_named_and_nothing_is_created() {
    let app = TestApp::start().await;
    let hosts = "# comment\r\n\r\ngood\r\nbad host!\r\n[::1]:22\r\nh:99999\r\n";
    let error = app.post("pools", json!({ "name": "x", "hosts": hosts })).await.problem(422);
    let lines: Vec<_> = error["details"].as_array().unwrap().iter().map(|d| d["line"].as_u64().unwrap()).collect();
    assert_eq!((lines, &error["code"], &error["field"]), (vec![4, 6], &json!("invalid_hosts"), &json!("hosts")));
    assert!(error["message"].as_str().unwrap().contains("line 4: "), "{error}");
    assert_eq!(app.get("pools").await.json(), json!([]));
}

#[tokio::test]
async fn a_name_can_be_taken_only_once() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let error = app.post("pools", json!({ "name": "x" })).await.problem(409);
    assert!(error["message"].as_str().unwrap().contains("`x`"), "{error}");
}

#[tokio::test]
async fn a_network_secret_is_kept_sealed_and_never_sent_back() {
    let app = TestApp::start().await;
    let secret = "ab".repeat(32);
    app.pool("x", "a", json!({ "network_secret": secret })).await;
    for path in ["pools", "pools/x"] {
        assert!(!app.get(path).await.text.contains(&secret));
    }
    let pool = app.app.store.pools().await.unwrap().remove(0);
    assert_eq!(pool.settings.network_secret, None);
    let scope = p2ppool_store::SecretScope::Pool(pool.id);
    let sealed = app.app.store.secret(scope, "network_secret").await.unwrap().unwrap();
    assert!(!sealed.windows(8).any(|w| secret.as_bytes().starts_with(w)));
    let opened = app.app.secrets.get(&app.app.store, scope, "network_secret").await.unwrap().unwrap();
    assert_eq!(opened.as_slice(), secret.as_bytes());
    app.patch("pools/x", json!({ "network_secret": null })).await.expect(200);
    assert_eq!(app.app.store.secret(scope, "network_secret").await.unwrap(), None);
}

#[tokio::test]
async fn without_an_account_only_public_pools_are_seen() {
    let app = TestApp::start().await;
    app.pool("open", "a", json!({ "visibility": "public" })).await;
    app.pool("closed", "a", json!({})).await;
    let seen = send(app.anonymous(Method::GET, "pools")).await.expect(200).json();
    assert_eq!(seen.as_array().unwrap().iter().map(|p| &p["name"]).collect::<Vec<_>>(), [&json!("open")]);
    assert_eq!(seen[0]["may_change"], json!(false));
    send(app.anonymous(Method::GET, "pools/open/hosts")).await.expect(200);

    let closed = send(app.anonymous(Method::GET, "pools/closed")).await.problem(401);
    let missing = send(app.anonymous(Method::GET, "pools/missing")).await.problem(401);
    assert_eq!(closed["message"], missing["message"]);
    for (method, path) in [(Method::POST, "pools"), (Method::PATCH, "pools/open"), (Method::DELETE, "pools/open")] {
        assert_eq!(
            send(app.anonymous(method, path).json(&json!({ "name": "x" }))).await.problem(401)["code"],
            "unauthenticated"
        );
    }
}

#[tokio::test]
async fn strange_names_in_the_path_are_not_found() {
    let app = TestApp::start().await;
    for name in ["..", "%2e%2e", "a%2fb", "A", "%00", "x%27"] {
        let answer = app.get(&format!("pools/{name}/hosts")).await;
        assert!(matches!(answer.status.as_u16(), 404 | 400), "{name}: {}", answer.status);
    }
}
