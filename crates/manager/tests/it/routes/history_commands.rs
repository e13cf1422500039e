//! What the command line tells of the past.

use p2ppool_model::{HostId, Time};
use serde_json::{Value, json};

use crate::routes::command_line::Shell;
use crate::support::{TestApp, crawl, node};

/// A pool of one host with three crawls: `goes` is in the first, `comes` in the last two.
async fn pool(app: &TestApp) -> i64 {
    app.pool("x", "h1", json!({})).await;
    let hosts = app.get("pools/x/hosts").await.expect(200).json();
    let host = hosts["items"][0]["id"].as_i64().unwrap();
    for (time, other) in [(1_000, "goes"), (2_000, "comes"), (3_000, "comes")] {
        let mut stays = node("stays", Some(0.5));
        stays.host = Some(HostId(host));
        stays.version = Some(format!("p2pnode/{}", time / 2_000));
        crawl(app, "x", Time(time), &[stays, node(other, None)]).await;
    }
    host
}

#[tokio::test]
async fn the_past_is_told_by_crawl_and_by_time() {
    let app = TestApp::start().await;
    pool(&app).await;
    let shell = Shell::new(&app);
    let first = "1970-01-01T00:00:01Z";
    let told = shell.ok(&["nodes", "x", "--at", first]).await;
    assert!(told.contains("goes") && !told.contains("comes"), "{told}");
    assert!(shell.ok(&["nodes", "x", "--at", first, "--csv"]).await.contains("goes"));
    assert!(shell.fails(&["nodes", "x", "--at", "noon"]).await.contains("--at"));
    assert!(shell.fails(&["nodes", "x", "--at", first, "--crawl", "1"]).await.contains("--crawl"));

    let all = shell.json(&["stats", "x"]).await;
    assert_eq!(all["items"].as_array().unwrap().len(), 3);
    let second = shell.json(&["stats", "x", "--from", "1970-01-01T00:00:02Z", "--to", "1970-01-01T00:00:03Z"]).await;
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert_eq!(second["items"][0]["started"], "1970-01-01T00:00:02.000Z");
    let cut = shell.json(&["stats", "x", "--from", first, "--buckets", "1"]).await;
    assert_eq!((&cut["crawls"], &cut["series"]["nodes"]["max"]), (&json!([3]), &json!([2.0])));
    assert!(shell.ok(&["stats", "x", "--from", first, "--buckets", "2"]).await.contains("consistency"));
    let csv = shell.ok(&["stats", "x", "--csv", "--to", "1970-01-01T00:00:02Z"]).await;
    assert_eq!(csv.lines().count(), 2, "{csv}");
    assert!(shell.fails(&["stats", "x", "--from", first, "--to", first]).await.contains("earlier"));

    let diff = shell.json(&["diff", "x", "--from", first, "--to", "1970-01-01T00:00:02Z"]).await;
    assert_eq!((&diff["joined"]["total"], &diff["left"]["total"]), (&json!(1), &json!(1)));
    let told = shell.ok(&["diff", "x", "--from", "1"]).await;
    assert!(told.contains("joined: 1\n  comes") && told.contains("version: p2pnode/0 -> p2pnode/1"), "{told}");
    assert!(shell.ok(&["diff", "x"]).await.contains("joined: 0"), "the newest and the one before");
    assert!(shell.fails(&["diff", "x", "--from", "first"]).await.contains("a crawl's number or a time"));
}

#[tokio::test]
async fn sessions_churn_and_topology_are_told() {
    let app = TestApp::start().await;
    app.pool("empty", "a", json!({})).await;
    pool(&app).await;
    let shell = Shell::new(&app);
    assert!(shell.ok(&["churn", "empty"]).await.contains("no crawl"));
    assert!(shell.ok(&["topology", "empty"]).await.contains("never crawled"));
    let told = shell.ok(&["churn", "x"]).await;
    assert!(told.contains("1 online, 1 entered, 1 left"), "{told}");
    assert_eq!(shell.json(&["churn", "x", "--to", "1970-01-01T00:00:02Z"]).await["classes"]["online"], 2);

    assert!(shell.ok(&["sessions", "x"]).await.contains("3 of 3 sessions"));
    assert_eq!(shell.json(&["sessions", "x", "-q", "com"]).await["items"][0]["before"], "1970-01-01T00:00:01.000Z");
    let told = shell.ok(&["sessions", "x", "--node", "goes"]).await;
    assert!(told.contains("it is not there") && told.contains("uptime 0.0 % to 50.0 %"), "{told}");
    assert!(shell.fails(&["sessions", "x", "--node", "nobody"]).await.contains("nobody"));
    assert_eq!(shell.ok(&["sessions", "x", "--csv"]).await.lines().count(), 4);
    let told = shell.ok(&["topology", "x"]).await;
    assert!(told.contains("components: 2 (1, 1)") && told.contains("path length: - on average"), "{told}");
}

#[tokio::test]
async fn hosts_are_joined_with_nodes_and_repaired_by_name_or_state() {
    let app = TestApp::start().await;
    pool(&app).await;
    let shell = Shell::new(&app);
    let told = shell.ok(&["deployed", "x"]).await;
    assert!(told.contains("running_seen") && told.contains("1 running_seen, 1 seen_not_ours"), "{told}");
    let some = shell.json(&["deployed", "x", "--state", "seen_not_ours,unknown", "--at", "1970-01-01T00:00:01Z"]).await;
    assert_eq!((&some["total"], &some["items"][0]["node"]), (&json!(1), &json!("goes")));
    assert!(shell.fails(&["deployed", "x", "--state", "lost"]).await.contains("running_not_seen"));
    let sorted = shell.json(&["deployed", "x", "--sort", "node", "--desc", "--limit", "1"]).await;
    assert_eq!((&sorted["total"], &sorted["items"][0]["node"]), (&json!(2), &json!("stays")));
    let csv = shell.ok(&["deployed", "x", "--csv", "--state", "seen_not_ours"]).await;
    assert!(csv.lines().count() == 2 && csv.contains("seen_not_ours") && csv.contains("comes"), "{csv}");
    assert!(shell.fails(&["deployed", "x", "--sort", "colour"]).await.contains("looked_at"));
    assert!(shell.fails(&["repair", "x"]).await.contains("--host"));
    assert!(shell.fails(&["repair", "x", "--state", "running_seen"]).await.contains("nothing to repair"));
    assert!(shell.fails(&["repair", "x", "--host", "h1,h2"]).await.contains("no host `h2`"));
    assert!(shell.fails(&["repair", "x", "--host", "h1"]).await.contains("install"), "nothing is installed yet");
}

#[tokio::test]
async fn every_table_is_exported() {
    let app = TestApp::start().await;
    pool(&app).await;
    let shell = Shell::new(&app);
    for (table, rows) in [("nodes", 2), ("stats", 3), ("hosts", 1), ("deployed", 2), ("sessions", 3), ("tasks", 0)] {
        let csv = shell.ok(&["export", "x", table]).await;
        assert_eq!(csv.lines().count(), 1 + rows, "{table}: {csv}");
        let json: Value = serde_json::from_str(&shell.ok(&["export", "x", table, "--format", "json"]).await).unwrap();
        assert_eq!(json.as_array().unwrap().len(), rows, "{table}");
    }
    let chosen = ["--columns", "address", "--from", "1970-01-01T00:00:01Z", "-q", "com"];
    let csv = shell.ok(&[&["export", "x", "nodes"], &chosen[..]].concat()).await;
    assert_eq!(csv.lines().collect::<Vec<_>>(), ["address", "comes", "comes"]);
    let file = shell.home.path().join("stats.csv");
    let into = ["export", "x", "stats", "-o", file.to_str().unwrap()];
    assert_eq!(shell.ok(&into).await, "");
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count(), 4);
    assert!(shell.fails(&into).await.contains("stats.csv"), "nothing is written over");
}
