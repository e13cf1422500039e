use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

#[tokio::test]
async fn a_pool_tells_how_to_join_it() {
    let app = TestApp::start().await;
    app.pool("x", "192.0.2.1\n[2001:db8::1]:2222\nnode.example\n", json!({ "visibility": "public" })).await;
    let connect = send(app.anonymous(Method::GET, "pools/x/connect")).await.expect(200).json();
    assert_eq!(connect["bootstrap"].as_array().unwrap().len(), 6);
    assert_eq!(connect["bootstrap"][0], "/ip4/192.0.2.1/tcp/4650");
    assert_eq!(connect["secret_withheld"], json!(false));
    let configs = connect["configs"].as_array().unwrap();
    assert!(configs.iter().any(|c| c["text"].as_str().unwrap().contains("/dns/node.example/tcp/4650")), "{connect}");
}

#[tokio::test]
async fn only_those_who_may_change_a_pool_are_told_its_secret() {
    let app = TestApp::start().await;
    let secret = "0123456789abcdef".repeat(4);
    app.pool("x", "192.0.2.1\n", json!({ "visibility": "public", "network_secret": secret })).await;
    let viewer = app.person("view", Role::Viewer).await;
    for request in [
        app.anonymous(Method::GET, "pools/x/connect"),
        app.anonymous(Method::GET, "pools/x/connect").bearer_auth(viewer),
    ] {
        let answer = send(request).await.expect(200);
        assert!(!answer.text.contains(&secret));
        assert_eq!(answer.json()["secret_withheld"], json!(true));
        assert_eq!(answer.json()["bootstrap"], json!(["/ip4/192.0.2.1/tcp/4650"]));
    }
    let answer = app.get("pools/x/connect").await.expect(200);
    assert_eq!(answer.json()["secret_withheld"], json!(false));
    assert!(answer.text.contains(&secret), "{}", answer.text);
}
