use p2ppool_model::Time;
use serde_json::json;

use crate::support::{TestApp, crawl, node};

fn rows(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[tokio::test]
async fn nodes_as_csv_cannot_carry_formulas_into_a_spreadsheet() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let mut evil = node("=cmd|' /C calc'!A0", Some(0.5));
    evil.version = Some("+1,\"quoted\"\r\nnext".into());
    evil.namespace = Some("@SUM(A1)".into());
    evil.location = p2ppool_model::host::Location::new(-1.5, 2.0);
    crawl(&app, "x", Time(1_000), &[evil]).await;
    let answer = app.get("pools/x/nodes.csv?columns=time,address,version,namespace,latitude,rtt_ms").await.expect(200);
    assert_eq!(answer.header("content-type"), "text/csv; charset=utf-8");
    assert!(answer.header("content-disposition").starts_with("attachment; filename=\"x-nodes-1970-01-01T000001.csv\""));
    assert_eq!(
        rows(&answer.text),
        [
            ["time", "address", "version", "namespace", "latitude", "rtt_ms"].map(String::from).to_vec(),
            ["1970-01-01T00:00:01.000Z", "'=cmd|' /C calc'!A0", "'+1,\"quoted\"\r\nnext", "'@SUM(A1)", "-1.5", ""]
                .map(String::from)
                .to_vec(),
        ]
    );
    assert_eq!(app.get("pools/x/nodes.csv?columns=address,nope").await.problem(422)["field"], "columns");
}

#[tokio::test]
async fn a_csv_is_the_whole_list_with_the_same_filter() {
    let app = TestApp::start().await;
    let hosts: String = (0..4_500).map(|i| format!("host{i}\n")).collect();
    app.pool("x", &hosts, json!({})).await;
    let all = rows(&app.get("pools/x/hosts.csv").await.expect(200).text);
    assert_eq!((all.len(), all[1][0].as_str(), all[4_500][0].as_str()), (4_501, "host0", "host4499"));
    let some = rows(&app.get("pools/x/hosts.csv?q=host449&columns=address,port&sort=address&order=desc").await.text);
    assert_eq!((some.len(), some[1].as_slice()), (12, &["host4499".to_owned(), "22".to_owned()][..]));
}

#[tokio::test]
async fn nodes_and_stats_of_a_time_range() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    for i in 1..=4 {
        crawl(&app, "x", Time(i * 1_000), &[node("a", Some(1.0)), node("b", None)]).await;
    }
    let range = "from=1970-01-01T00:00:02Z&until=1970-01-01T00:00:04Z";
    let nodes = rows(&app.get(&format!("pools/x/nodes.csv?{range}&columns=time,address")).await.expect(200).text);
    assert_eq!(nodes.len(), 1 + 4);
    assert_eq!(nodes[1], ["1970-01-01T00:00:02.000Z", "a"]);
    let stats = rows(&app.get(&format!("pools/x/stats.csv?{range}")).await.expect(200).text);
    assert_eq!((stats.len(), stats[1][3].as_str()), (3, "2"));
    assert_eq!(rows(&app.get("tasks.csv").await.expect(200).text).len(), 1);
}

#[tokio::test]
async fn every_table_is_json_too() {
    let app = TestApp::start().await;
    app.pool("x", "a\nb", json!({})).await;
    assert_eq!(app.get("pools/x/nodes.json").await.expect(200).json(), json!([]));
    for i in 1..=2 {
        crawl(&app, "x", Time(i * 1_000), &[node("=a", Some(0.5)), node("b", None)]).await;
    }
    let range = "from=1970-01-01T00:00:00Z&to=1970-01-01T00:00:02Z&columns=crawl,time,address,consistency,rtt_ms";
    let answer = app.get(&format!("pools/x/nodes.json?{range}")).await.expect(200);
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.header("content-disposition").contains(".json"));
    let rows = answer.json();
    let time = "1970-01-01T00:00:01.000Z";
    assert_eq!(
        rows,
        json!([
            { "crawl": rows[0]["crawl"], "time": time, "address": "=a", "consistency": 0.5, "rtt_ms": null },
            { "crawl": rows[0]["crawl"], "time": time, "address": "b", "consistency": null, "rtt_ms": null },
        ])
    );
    assert!(rows[0]["crawl"].is_i64());
    let stats = app.get("pools/x/stats.json").await.expect(200).json();
    assert_eq!(
        (&stats[1]["nodes"], &stats[1]["secure"], &stats[1]["complete"]),
        (&json!(2), &json!(null), &json!(true))
    );
    let hosts = app.get("pools/x/hosts.json?q=b").await.expect(200).json();
    assert_eq!((&hosts[0]["address"], &hosts[0]["leaving"]), (&json!("b"), &json!(false)));
    assert_eq!(app.get("tasks.json").await.expect(200).json(), json!([]));
}

#[tokio::test]
async fn the_filter_of_the_view_holds_for_every_snapshot_of_a_range() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    for i in 1..=3 {
        crawl(&app, "x", Time(i * 1_000), &[node("one", Some(0.5)), node("two", None)]).await;
    }
    let query = "q=TWO&columns=time,address&from=1970-01-01T00:00:00Z";
    let found = rows(&app.get(&format!("pools/x/nodes.csv?{query}")).await.expect(200).text);
    assert_eq!((found.len(), found[1][1].as_str(), found[3][0].as_str()), (4, "two", "1970-01-01T00:00:03.000Z"));
    for wrong in ["nodes.csv", "stats.csv", "nodes.json", "sessions.csv"] {
        let range = "from=1970-01-01T00:00:02Z&to=1970-01-01T00:00:01Z";
        let problem = app.get(&format!("pools/x/{wrong}?{range}")).await.problem(400);
        assert!(problem["message"].as_str().unwrap().contains("earlier"), "{problem}");
    }
}

#[tokio::test]
async fn sessions_are_exported_as_the_list_shows_them() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    // "long" is there all the time, "late" comes last, "short" goes first
    for (at, nodes) in [(1, vec!["long", "short"]), (2, vec!["long"]), (3, vec!["long", "late"])] {
        let nodes: Vec<_> = nodes.into_iter().map(|address| node(address, None)).collect();
        crawl(&app, "x", Time(at * 1_000), &nodes).await;
    }
    for query in
        ["sort=address&order=asc", "sort=began&order=desc", "sort=length", "sort=ended&order=desc", "order=desc"]
    {
        let list = app.get(&format!("pools/x/sessions?{query}")).await.expect(200).json();
        let listed: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| one["address"].clone()).collect();
        assert_eq!(listed.len(), 3, "{list}");
        let json = app.get(&format!("pools/x/sessions.json?{query}&columns=address")).await.expect(200).json();
        let exported: Vec<_> = json.as_array().unwrap().iter().map(|one| one["address"].clone()).collect();
        assert_eq!(exported, listed, "{query}");
        let csv = rows(&app.get(&format!("pools/x/sessions.csv?{query}&columns=address")).await.expect(200).text);
        let exported: Vec<_> = csv[1..].iter().map(|row| json!(row[0])).collect();
        assert_eq!(exported, listed, "{query}");
    }
    let found = rows(&app.get("pools/x/sessions.csv?q=l&sort=address&columns=address").await.expect(200).text);
    assert_eq!(found, [["address"], ["late"], ["long"]]);
    let all = rows(&app.get("pools/x/sessions.csv?q=l&columns=address").await.expect(200).text);
    assert_eq!(all.len(), 3, "without an order, too");
    for (query, field) in [("sort=nope", "sort"), ("order=up", "order")] {
        assert_eq!(app.get(&format!("pools/x/sessions.csv?{query}")).await.problem(422)["field"], field);
    }
}
