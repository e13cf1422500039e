use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, crawl, node, send};

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

#[tokio::test]
async fn programs_that_need_peer_ids_are_told_those_of_the_newest_crawl() {
    let app = TestApp::start().await;
    let secret = "0123456789abcdef".repeat(4);
    let settings = json!({ "network_secret": secret, "kad_protocol": "/ipfs/kad/1.0.0" });
    app.pool("x", "192.0.2.1\n192.0.2.2\n", settings).await;
    let pool = app.app.store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    let hosts = app.app.store.pool_hosts(pool.id).await.unwrap();
    let seen = p2ppool_model::snapshot::Node { host: Some(hosts[1].id), ..node("12D3KooWpeer", Some(1.0)) };
    crawl(&app, "x", p2ppool_model::Time(1_000), &[seen, node("stranger", Some(1.0))]).await;
    let connect = app.get("pools/x/connect").await.expect(200).json();
    let config = |name: &str| {
        let found = connect["configs"].as_array().unwrap().iter().find(|config| config["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {connect}"))["text"].as_str().unwrap().to_owned()
    };
    let list = json!(["/ip4/192.0.2.2/tcp/4650/p2p/12D3KooWpeer"]);
    let js: serde_json::Value = serde_json::from_str(&config("js-libp2p.json")).unwrap();
    assert_eq!(js["peerDiscovery"]["bootstrap"]["list"], list);
    assert_eq!(
        (&js["services"]["kadDHT"]["protocol"], &js["privateNetwork"]),
        (&json!("/ipfs/kad/1.0.0"), &json!(true))
    );
    let kubo: serde_json::Value = serde_json::from_str(&config("kubo.json")).unwrap();
    assert_eq!(kubo["Bootstrap"], list);
    assert_eq!(config("swarm.key"), format!("/key/swarm/psk/1.0.0/\n/base16/\n{secret}\n"));
}
