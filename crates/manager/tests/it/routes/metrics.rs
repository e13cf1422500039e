use std::collections::BTreeSet;

use p2ppool::config::Settings;
use p2ppool_model::Time;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, crawl, node, send};

/// A pool with a crawl, and a host that a task was run on.
async fn busy() -> TestApp {
    let app = TestApp::start().await;
    let path = app.app.folders.root().join("hosts/{host}");
    let settings = json!({ "transport": "local", "install_path": path });
    app.pool("x", "127.0.0.1 site=lyon\n", settings).await;
    crawl(&app, "x", Time(1_000), &[node("n", Some(0.5))]).await;
    let task = app.post("pools/x/gather_usage", json!({})).await.expect(202).json();
    let id = task["id"].as_i64().unwrap();
    app.app.engine.ended(p2ppool_model::TaskId(id)).await.unwrap();
    app
}

fn names(text: &str) -> BTreeSet<String> {
    let name = |line: &str| line.split(['{', ' ']).next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(name).collect()
}

#[tokio::test]
async fn every_query_of_the_dashboard_has_its_metric() {
    let app = busy().await;
    let text = send(app.anonymous(Method::GET, "/metrics")).await.expect(200).text;
    let served = names(&text);
    assert!(text.contains("p2ppool_pool_consistency{pool=\"x\"} 0.5"), "{text}");
    assert!(text.contains("p2ppool_host_outcomes_total{action=\"gather_usage\",outcome=\""), "{text}");
    let dashboard: Value = serde_json::from_str(include_str!("../../../../../packaging/grafana/p2ppool.json")).unwrap();
    assert!(dashboard["schemaVersion"].is_u64() && dashboard["uid"].is_string() && dashboard["title"].is_string());
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut asked = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{panel}");
        let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24 && at("h") > 0, "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            let words = target["expr"].as_str().unwrap().split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let metrics: Vec<&str> = words.filter(|word| word.starts_with("p2ppool_")).collect();
            assert!(!metrics.is_empty(), "{target}");
            asked.extend(metrics.into_iter().map(str::to_owned));
        }
    }
    let missing: Vec<_> = asked.difference(&served).collect();
    assert!(missing.is_empty(), "{missing:?} are in the dashboard and not in {served:?}");
}

#[tokio::test]
async fn metrics_are_for_this_machine_and_for_holders_of_a_token() {
    let app = TestApp::start().await;
    send(app.anonymous(Method::GET, "/metrics")).await.expect(200);
    let passed_on = || app.anonymous(Method::GET, "/metrics").header("x-forwarded-for", "192.0.2.1");
    send(passed_on()).await.problem(401);
    send(passed_on().bearer_auth("wrong")).await.problem(401);
    send(passed_on().bearer_auth(app.admin_token())).await.expect(200);
}

#[tokio::test]
async fn metrics_are_switched_off_or_always_want_a_token() {
    let with = |metrics: &str| Settings { metrics: Some(metrics.into()), ..Settings::default() };
    let app = TestApp::start_with(with("token")).await;
    send(app.anonymous(Method::GET, "/metrics")).await.problem(401);
    send(app.admin(Method::GET, "/metrics")).await.expect(200);
    let app = TestApp::start_with(with("off")).await;
    for request in [app.anonymous(Method::GET, "/metrics"), app.admin(Method::GET, "/metrics")] {
        assert!(send(request).await.problem(404)["message"].as_str().unwrap().contains("--metrics"));
    }
}

#[tokio::test]
async fn prometheus_finds_the_nodes() {
    let app = TestApp::start().await;
    app.pool(
        "x",
        "192.0.2.1 site-a=lyon\n[2001:db8::1]:2222\n",
        json!({ "ports": { "tcp": 1000, "udp": null, "rpc": 1001 } }),
    )
    .await;
    let groups = app.get("pools/x/prometheus-sd").await.expect(200).json();
    assert_eq!(groups[0]["targets"], json!(["192.0.2.1:1001"]));
    assert_eq!(groups[1]["targets"], json!(["[2001:db8::1]:1001"]));
    assert_eq!(groups[0]["labels"]["__meta_p2ppool_label_site_a"], "lyon");
    assert_eq!(groups[1]["labels"]["__meta_p2ppool_host"], "[2001:db8::1]:2222");
    for label in groups[0]["labels"].as_object().unwrap().keys() {
        assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'), "{label}");
    }
    send(app.anonymous(Method::GET, "pools/x/prometheus-sd")).await.problem(401);
}
