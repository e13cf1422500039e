use p2ppool_model::snapshot::NodeStatus;
use p2ppool_model::{HostId, Time};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, crawl, node, send};

async fn hosts_of(app: &TestApp, pool: &str) -> Vec<i64> {
    let listed = app.get(&format!("pools/{pool}/hosts")).await.expect(200).json();
    listed["items"].as_array().unwrap().iter().map(|host| host["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn statistics_are_cut_into_buckets_of_min_mean_and_max() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    assert_eq!(app.get("pools/x/stats").await.expect(200).json()["time"], json!([]));
    for i in 0..30 {
        let nodes: Vec<_> = (0..=i).map(|n| node(&format!("n{n}"), Some(0.5))).collect();
        crawl(&app, "x", Time(i * 1_000), &nodes).await;
    }
    let newest = app.get("pools/x/stats").await.expect(200).json();
    assert_eq!(newest["crawls"], json!(vec![1; 20]), "the last 20 crawls, each by itself");
    assert_eq!(newest["time"][0], "1970-01-01T00:00:10.000Z");
    assert_eq!(newest["series"]["nodes"]["mean"][19], 30.0);

    let range = "from=1970-01-01T00:00:00Z&to=1970-01-01T00:00:20Z&buckets=4";
    let cut = app.get(&format!("pools/x/stats?{range}")).await.expect(200).json();
    assert_eq!(cut["crawls"], json!([5, 5, 5, 5]));
    let nodes = &cut["series"]["nodes"];
    assert_eq!((&nodes["min"][1], &nodes["mean"][1], &nodes["max"][1]), (&json!(6.0), &json!(8.0), &json!(10.0)));
    assert_eq!(cut["series"]["secure"]["mean"], json!([null, null, null, null]), "nobody tells, so it is not known");

    for wrong in ["buckets=0", "buckets=5001", "from=1970-01-01T00:00:20Z&to=1970-01-01T00:00:20Z"] {
        app.get(&format!("pools/x/stats?{wrong}")).await.problem(400);
    }
    assert_eq!(app.get("pools/x/stats?from=monday").await.problem(422)["field"], "from");
    send(app.anonymous(Method::GET, "pools/x/stats")).await.problem(401);
}

#[tokio::test]
async fn two_snapshots_are_compared() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    app.get("pools/x/diff").await.problem(404);
    let mut before = node("same", None);
    before.version = Some("p2pnode/1".into());
    let first = crawl(&app, "x", Time(1_000), &[before.clone(), node("gone", None)]).await;
    app.get("pools/x/diff").await.problem(404);
    before.version = Some("p2pnode/2".into());
    crawl(&app, "x", Time(2_000), &[before.clone(), node("new", None)]).await;
    crawl(&app, "x", Time(3_000), &[before]).await;
    let newest = app.get("pools/x/diff").await.expect(200).json();
    assert_eq!((&newest["left"]["total"], &newest["joined"]["total"]), (&json!(1), &json!(0)));
    let diff = app.get(&format!("pools/x/diff?from={first}&to_at=1970-01-01T00:00:02Z")).await.expect(200).json();
    assert_eq!(diff["joined"]["items"][0]["address"], "new");
    assert_eq!(diff["left"]["items"][0]["address"], "gone");
    assert_eq!(diff["upgraded"]["items"][0]["to"], "p2pnode/2");
    assert_eq!(app.get("pools/x/diff?from=1&from_at=1970-01-01T00:00:02Z").await.problem(422)["field"], "at");
}

#[tokio::test]
async fn every_view_shows_the_past() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    crawl(&app, "x", Time(1_000), &[node("old", None)]).await;
    crawl(&app, "x", Time(2_000), &[node("new", None)]).await;
    let at = "at=1970-01-01T00:00:01Z";
    assert_eq!(app.get(&format!("pools/x/nodes?{at}")).await.expect(200).json()["items"][0]["address"], "old");
    app.get(&format!("pools/x/nodes/old?{at}")).await.expect(200);
    assert_eq!(app.get(&format!("pools/x/topology?{at}")).await.expect(200).json()["ids"], json!(["old"]));
    let deployed = app.get(&format!("pools/x/deployed?{at}&state=seen_not_ours")).await.expect(200).json();
    assert_eq!(deployed["items"][0]["node"], "old");
    assert_eq!(app.get(&format!("pools/x/map?{at}")).await.expect(200).json()["unlocated"], 1);
    assert!(app.get(&format!("pools/x/nodes.csv?{at}&columns=address")).await.expect(200).text.contains("old"));
    assert_eq!(app.get("pools/x/nodes?at=now").await.problem(422)["field"], "at");
}

#[tokio::test]
async fn the_topology_is_columns_and_measures() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    assert_eq!(app.get("pools/x/topology").await.expect(200).json()["crawl"], json!(null));
    let named = |address: &str, names: &[&str]| {
        let mut node = node(address, Some(1.0));
        node.neighbours = names.iter().map(|name| (*name).to_owned()).collect();
        node
    };
    let peer = "12D3KooWGRUEvGTTuUv5DFv9kXaJXTiMk4DPUJ5TiqgeRbvVBKYp";
    crawl(&app, "x", Time(1), &[named("a", &["b", "zz"]), named("b", &["a"]), named(peer, &["a"])]).await;
    let shown = app.get("pools/x/topology").await.expect(200).json();
    assert_eq!(shown["ids"], json!([peer, "a", "b"]));
    assert_eq!(shown["neighbours"], json!([[1], [2], [1]]));
    assert_eq!((&shown["strangers"], &shown["measures"]["components"]), (&json!(1), &json!(1)));
    assert_eq!(shown["one_sided"], json!([1, 0, 0]));
    let ring: Vec<Option<f64>> = serde_json::from_value(shown["ring"].clone()).unwrap();
    assert!(ring[0].is_some_and(|at| (0.0..1.0).contains(&at)) && ring[1].is_none(), "{ring:?}");
}

#[tokio::test]
async fn hosts_are_joined_with_the_nodes_that_they_should_be() {
    let app = TestApp::start().await;
    app.pool("x", "h1\nh2\nh3", json!({})).await;
    let ids = hosts_of(&app, "x").await;
    let mut ours = node("ours", Some(1.0));
    ours.host = Some(HostId(ids[0]));
    let mut wrong = node("wrong", Some(1.0));
    wrong.host = Some(HostId(ids[1]));
    wrong.namespace = Some("elsewhere".into());
    let mut silent = node("silent", None);
    (silent.host, silent.status) = (Some(HostId(ids[2])), NodeStatus::DialFailed);
    crawl(&app, "x", Time(1), &[ours, wrong, silent, node("stranger", None)]).await;
    let all = app.get("pools/x/deployed").await.expect(200).json();
    let states: Vec<&Value> = all["items"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
    assert_eq!(states, ["running_seen", "seen_wrong", "unknown", "seen_not_ours"]);
    assert_eq!(all["items"][1]["wrong"], json!(["namespace"]));
    assert_eq!((&all["counts"]["running_seen"], &all["counts"]["unreachable"]), (&json!(1), &json!(0)));
    let some = app.get("pools/x/deployed?state=unknown,seen_wrong&q=H2").await.expect(200).json();
    assert_eq!((&some["total"], &some["items"][0]["host_name"]), (&json!(1), &json!("h2")));
    assert_eq!(app.get("pools/x/deployed?state=lost").await.problem(422)["field"], "state");

    let sorted = app.get("pools/x/deployed?sort=node&order=desc&limit=2&offset=1").await.expect(200).json();
    let nodes: Vec<&Value> = sorted["items"].as_array().unwrap().iter().map(|one| &one["node"]).collect();
    assert_eq!(nodes, ["stranger", "ours"], "after `wrong`; what is not known would be last");
    assert_eq!(app.get("pools/x/deployed?sort=colour").await.problem(422)["field"], "sort");
    assert_eq!(app.get("pools/x/deployed?sort=node&order=up").await.problem(422)["field"], "order");
}

#[tokio::test]
async fn the_join_is_exported_with_the_filter_and_order_of_the_view() {
    let app = TestApp::start().await;
    app.pool("x", "h1\nh2", json!({})).await;
    let ids = hosts_of(&app, "x").await;
    let mut wrong = node("wrong", Some(1.0));
    (wrong.host, wrong.namespace) = (Some(HostId(ids[1])), Some("elsewhere".into()));
    let mut stranger = node("stranger", None);
    stranger.version = Some("=1+1".into());
    crawl(&app, "x", Time(1_000), &[wrong, stranger]).await;
    crawl(&app, "x", Time(2_000), &[]).await;
    let at = "at=1970-01-01T00:00:01Z";
    let columns = "columns=host_name,state,wrong,node,version";
    let query = format!("{at}&{columns}&state=seen_wrong,seen_not_ours&sort=node");
    let answer = app.get(&format!("pools/x/deployed.csv?{query}")).await.expect(200);
    assert!(answer.header("content-disposition").contains("x-deployed-1970-01-01T000001.csv"));
    let lines: Vec<&str> = answer.text.lines().collect();
    assert_eq!(
        lines,
        ["host_name,state,wrong,node,version", ",seen_not_ours,,stranger,'=1+1", "h2,seen_wrong,namespace,wrong,"]
    );
    let json = app.get(&format!("pools/x/deployed.json?{columns}&q=H1")).await.expect(200).json();
    assert_eq!(json, json!([{ "host_name": "h1", "state": "unknown", "wrong": null, "node": null, "version": null }]));
    assert_eq!(app.get("pools/x/deployed.csv?columns=colour").await.problem(422)["field"], "columns");
    assert_eq!(app.get("pools/x/deployed.json?state=lost").await.problem(422)["field"], "state");
    app.get("pools/nobody/deployed.csv").await.problem(404);
    let eve = app.person("eve", p2ppool_model::role::Role::Viewer).await;
    send(app.anonymous(Method::GET, "pools/x/deployed.csv").bearer_auth(eve)).await.problem(404);
}

#[tokio::test]
async fn repair_wants_hosts_of_the_pool_that_can_be_repaired() {
    let app = TestApp::start().await;
    app.pool("x", "h1\nh2", json!({})).await;
    app.pool("y", "h1", json!({})).await;
    let theirs = hosts_of(&app, "y").await[0];
    for (body, field) in [
        (json!({}), "hosts"),
        (json!({ "hosts": [theirs] }), "hosts"),
        (json!({ "state": ["running_seen"] }), "state"),
        (json!({ "state": ["lost"] }), "state[0]"),
    ] {
        assert_eq!(app.post("pools/x/repair", body).await.problem(422)["field"], field);
    }
    let refused = app.post("pools/x/repair", json!({ "state": ["unknown"] })).await.problem(409);
    assert!(refused["message"].as_str().unwrap().contains("install"), "{refused}");
    let stranger = app.person("eve", p2ppool_model::role::Role::Viewer).await;
    let request = app.anonymous(Method::POST, "pools/x/repair").bearer_auth(stranger).json(&json!({ "hosts": [1] }));
    send(request).await.problem(404);
}

#[tokio::test]
async fn sessions_and_churn_are_told_with_their_bounds() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    assert_eq!(app.get("pools/x/churn").await.expect(200).json()["window"], json!(null));
    assert_eq!(app.get("pools/x/sessions").await.expect(200).json()["total"], 0);
    for (time, nodes) in [(1_000, vec!["stays", "goes"]), (2_000, vec!["stays", "comes"]), (3_000, vec!["stays"])] {
        let nodes: Vec<_> = nodes.into_iter().map(|name| node(name, Some(1.0))).collect();
        crawl(&app, "x", Time(time), &nodes).await;
    }
    let churn = app.get("pools/x/churn").await.expect(200).json();
    let classes = &churn["classes"];
    assert_eq!(
        (&classes["online"], &classes["left"], &classes["one_off"], &classes["offline"]),
        (&json!(1), &json!(1), &json!(1), &json!(0))
    );
    assert_eq!((&churn["began"], &churn["shorter_than_gap"]), (&json!(1), &json!(1)));

    let listed = app.get("pools/x/sessions?q=come").await.expect(200).json();
    assert_eq!(
        listed["items"],
        json!([{
            "address": "comes", "before": "1970-01-01T00:00:01.000Z", "began": "1970-01-01T00:00:02.000Z",
            "ended": "1970-01-01T00:00:02.000Z", "after": "1970-01-01T00:00:03.000Z"
        }])
    );
    let order = |query: &'static str| {
        let app = &app;
        async move {
            let listed = app.get(&format!("pools/x/sessions?{query}")).await.expect(200).json();
            let names =
                listed["items"].as_array().unwrap().iter().map(|one| one["address"].as_str().unwrap().to_owned());
            names.collect::<Vec<_>>().join(" ")
        }
    };
    assert_eq!(order("").await, "comes goes stays", "the newest first");
    assert_eq!(order("sort=ended").await, "goes comes stays", "what goes on ends last");
    assert_eq!(order("sort=length&order=desc&limit=1").await, "stays");
    assert_eq!(order("sort=address&order=desc&limit=2").await, "stays goes");
    assert_eq!(app.get("pools/x/sessions?sort=colour").await.problem(422)["field"], "sort");
    let goes = app.get("pools/x/nodes/goes/sessions").await.expect(200).json();
    assert_eq!((&goes["class"], &goes["is_there"], &goes["came"]), (&json!("left"), &json!(false), &json!(1)));
    assert_eq!(goes["uptime"], json!({ "least": 0.0, "most": 0.5 }));
    app.get("pools/x/nodes/nobody/sessions").await.problem(404);
    app.get("pools/x/churn?from=1970-01-01T00:00:09Z&to=1970-01-01T00:00:01Z").await.problem(400);
    let found = app.get("pools/x/sessions.csv?columns=address&q=oe").await.expect(200).text;
    assert_eq!(found.lines().collect::<Vec<_>>(), ["address", "goes"]);
    let csv = app.get("pools/x/sessions.csv?columns=address,most_s,shorter_than_gap").await.expect(200).text;
    let mut lines: Vec<&str> = csv.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["address,most_s,shorter_than_gap", "comes,2,true", "goes,,true", "stays,,false"]);
}

#[tokio::test]
async fn what_a_node_told_over_time_is_columns() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    for i in 1..=6 {
        let nodes = [node("always", Some(f64::from(i) / 10.0)), node("even", None)];
        crawl(&app, "x", Time(i64::from(i) * 1_000), &nodes[..if i % 2 == 0 { 2 } else { 1 }]).await;
    }
    let history = app.get("pools/x/nodes/even/history").await.expect(200).json();
    assert_eq!(history["status"], json!([null, "answering", null, "answering", null, "answering"]));
    let history = app
        .get("pools/x/nodes/always/history?points=2&from=1970-01-01T00:00:02Z&to=1970-01-01T00:00:06Z")
        .await
        .expect(200)
        .json();
    assert_eq!(history["series"]["consistency"], json!([0.3, 0.5]));
    assert_eq!(history["left_out"], 2);
    app.get("pools/x/nodes/nobody/history").await.problem(404);
    app.get("pools/x/nodes/always/history?points=501").await.problem(400);
}
