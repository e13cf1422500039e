use std::time::Duration;

use p2ppool::config::Settings;
use p2ppool_model::Time;
use serde_json::json;

use crate::routes::command_line::Shell;
use crate::support::{TestApp, crawl, node};

/// How long a manager may take to look for old months after its start, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn how_long_nodes_are_kept_is_a_setting() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let made = app.post("pools", json!({ "name": "x", "hosts": "a" })).await.expect(201).json();
    assert_eq!(made["detail_days"], 365);
    for wrong in [json!(0), json!(36_501), json!(-1), json!("a year")] {
        assert_eq!(app.patch("pools/x", json!({ "detail_days": wrong })).await.problem(422)["field"], "detail_days");
    }
    let edited = app.patch("pools/x", json!({ "detail_days": 90 })).await.expect(200).json();
    assert_eq!((&edited["detail_days"], &edited["needs_upgrade"]), (&json!(90), &json!(false)));
    shell.ok(&["pool", "edit", "x", "--detail-days", "30"]).await;
    assert!(shell.ok(&["pool", "show", "x"]).await.contains("30 days"));
    assert_eq!(shell.json(&["pool", "show", "x"]).await["detail_days"], 30);
}

#[tokio::test]
async fn a_manager_forgets_old_nodes_by_itself_and_keeps_their_statistics() {
    let app = TestApp::start().await;
    let password = app.admin_password.clone();
    app.pool("short", "a", json!({ "detail_days": 30 })).await;
    app.pool("long", "a", json!({ "detail_days": 36_500 })).await;
    let old = "2020-05-05T00:00:00Z".parse().unwrap();
    let mut crawls = Vec::new();
    for pool in ["short", "long"] {
        crawls.push((pool, crawl(&app, pool, old, &[node("old", Some(0.5))]).await));
        crawl(&app, pool, Time::now(), &[node("new", None)]).await;
    }
    let data = app.stop().await;

    let settings = Settings { data: Some(data.path().join("data")), ..Settings::default() };
    let app = TestApp::start_again(settings, data, &password).await;
    let mut forgot = app.app.engine.forgot();
    tokio::time::timeout(PATIENCE, forgot.wait_for(Option::is_some)).await.unwrap().unwrap();
    let (short, long) = (crawls[0].1, crawls[1].1);
    let gone = app.get(&format!("pools/short/nodes?crawl={short}")).await.problem(404);
    assert!(gone["message"].as_str().unwrap().contains("any more"), "{gone}");
    app.get(&format!("pools/short/topology?crawl={short}")).await.problem(404);
    app.get(&format!("pools/short/diff?from={short}")).await.problem(404);
    assert_eq!(app.get("pools/short/nodes").await.expect(200).json()["items"][0]["address"], "new");
    assert_eq!(app.get(&format!("pools/long/nodes?crawl={long}")).await.expect(200).json()["total"], 1);
    let range = "from=2020-01-01T00:00:00Z";
    for pool in ["short", "long"] {
        let stats = app.get(&format!("pools/{pool}/stats?{range}")).await.expect(200).json();
        assert_eq!(stats["series"]["consistency"]["mean"], json!([0.5, null]), "statistics are kept for ever");
    }
    let csv = app.get(&format!("pools/short/nodes.csv?{range}&columns=address")).await.expect(200).text;
    assert_eq!(csv.lines().collect::<Vec<_>>(), ["address", "new"]);
}
