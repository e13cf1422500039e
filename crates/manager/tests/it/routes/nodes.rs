use p2ppool_model::Time;
use p2ppool_model::snapshot::{BrunetDetails, NodeDetails};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, crawl, node, send};

#[tokio::test]
async fn a_pool_that_was_never_crawled_has_no_nodes_and_no_map() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    assert_eq!(
        app.get("pools/x/nodes").await.expect(200).json(),
        json!({ "crawl": null, "total": 0, "items": [], "missing": [], "namespaces": [] })
    );
    assert_eq!(app.get("pools/x/map").await.expect(200).json()["ids"], json!([]));
    assert_eq!(app.get("pools/x/snapshots").await.expect(200).json(), json!({ "items": [], "before": null }));
}

#[tokio::test]
async fn nodes_of_the_newest_or_a_chosen_crawl_are_searched_sorted_and_paged() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    app.pool("y", "a", json!({})).await;
    let old = crawl(&app, "x", Time(1_000), &[node("old", None)]).await;
    let many: Vec<_> = (0..30).map(|i| node(&format!("peer{i:02}"), Some(f64::from(i) / 30.0))).collect();
    let new = crawl(&app, "x", Time(2_000), &many).await;
    let page = app.get("pools/x/nodes?sort=consistency&order=desc&limit=2&offset=1").await.expect(200).json();
    assert_eq!((&page["crawl"]["id"], &page["total"]), (&json!(new.0), &json!(30)));
    assert_eq!(addresses(&page), ["peer28", "peer27"]);
    assert_eq!(addresses(&app.get("pools/x/nodes?q=peer07").await.json()), ["peer07"]);
    assert_eq!(addresses(&app.get(&format!("pools/x/nodes?crawl={old}")).await.json()), ["old"]);
    assert_eq!(app.get("pools/x/nodes/peer03").await.expect(200).json()["consistency"], json!(0.1));
    assert_eq!(app.get("pools/x/nodes/nobody").await.problem(404)["code"], "not_found");

    assert_eq!(app.get(&format!("pools/y/nodes?crawl={old}")).await.problem(404)["code"], "not_found");
    assert_eq!(app.get("pools/x/nodes?crawl=7000").await.problem(404)["code"], "not_found");
    for (query, field) in
        [("sort=colour", "sort"), ("status=up", "status"), ("crawl=x", "crawl"), ("limit=10001", "limit")]
    {
        assert_eq!(app.get(&format!("pools/x/nodes?{query}")).await.problem(422)["field"], field);
    }
}

fn addresses(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|n| n["address"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn several_ipop_namespaces_of_one_overlay_are_told_apart_on_map_ring_and_list() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({ "kind": "brunet" })).await;
    let of = |address: &str, namespace: Option<&str>| {
        let mut node = node(address, Some(1.0));
        node.location = p2ppool_model::host::Location::new(1.0, 2.0);
        node.namespace = namespace.map(str::to_owned);
        node.details = NodeDetails::Brunet(BrunetDetails {
            ipop_namespace: namespace.map(str::to_owned),
            virtual_ips: vec!["10.128.0.5".into()],
            ..BrunetDetails::default()
        });
        node
    };
    // in the middle and on a quarter of the ring
    let half = "brunet:node:QAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let quarter = "brunet:node:IAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let nodes =
        [of(half, Some("grid")), of(quarter, Some("lab")), of("brunet:node:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", None)];
    crawl(&app, "x", Time(1_000), &nodes).await;
    let map = app.get("pools/x/map").await.expect(200).json();
    let topology = app.get("pools/x/topology").await.expect(200).json();
    for shown in [&map, &topology] {
        let place = |id: &str| shown["ids"].as_array().unwrap().iter().position(|known| known == id).unwrap();
        let name = |id: &str| &shown["namespaces"][shown["namespace"][place(id)].as_u64().unwrap() as usize];
        assert_eq!((name(half), name(quarter)), (&json!("grid"), &json!("lab")), "{shown}");
        assert_eq!(shown["namespace"].as_array().unwrap().iter().filter(|of| of.is_null()).count(), 1);
    }
    let place = topology["ids"].as_array().unwrap().iter().position(|id| id == half).unwrap();
    assert_eq!(topology["ring"][place], json!(0.5));
    let lab = app.get("pools/x/nodes?namespace=lab").await.expect(200).json();
    assert_eq!((&lab["total"], &lab["items"][0]["address"]), (&json!(1), &json!(quarter)));
    let all = json!([{ "name": "grid", "nodes": 1 }, { "name": "lab", "nodes": 1 }]);
    assert_eq!(lab["namespaces"], all, "those that may be chosen next, of every page");
    let lab = app.get("pools/x/map?namespace=lab").await.expect(200).json();
    assert_eq!((&lab["ids"], &lab["unlocated"]), (&json!([quarter]), &json!(0)));
    assert_eq!(lab["namespaces"].as_array().unwrap().len(), 2, "those that may be chosen next: {lab}");
    assert_eq!(app.get("pools/x/map?namespace=nobody").await.expect(200).json()["ids"], json!([]));
    assert_eq!(app.get("pools/x/map?namespace=").await.expect(200).json()["ids"].as_array().unwrap().len(), 3);
    assert_eq!(app.get("pools/x/nodes?q=10.128.0.5").await.expect(200).json()["total"], 3);
}

#[tokio::test]
async fn the_map_is_columns_of_located_nodes() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({ "visibility": "public" })).await;
    let mut here = node("here", Some(1.0));
    here.location = p2ppool_model::host::Location::new(45.7612, -4.8399);
    here.namespace = Some("x".into());
    crawl(&app, "x", Time(1_000), &[here, node("nowhere", None)]).await;
    let mut map = send(app.anonymous(Method::GET, "pools/x/map")).await.expect(200).json();
    assert_eq!(map["crawl"].take()["nodes"], 2);
    assert_eq!(
        map,
        json!({
            "crawl": null, "ids": ["here"], "lat": [45.76], "lon": [-4.84], "consistency": [1.0], "status": ["answering"],
            "hosts": [null], "namespace": [0], "namespaces": ["x"], "unlocated": 1, "credits": []
        })
    );
}

#[tokio::test]
async fn snapshots_come_newest_first_in_pages() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    for i in 1..=5 {
        crawl(&app, "x", Time(i * 1_000), &[node("n", Some(1.0))]).await;
    }
    let first = app.get("pools/x/snapshots?limit=2").await.expect(200).json();
    let started = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|s| s["started"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(started(&first), ["1970-01-01T00:00:05.000Z", "1970-01-01T00:00:04.000Z"]);
    let second = app.get(&format!("pools/x/snapshots?limit=3&before={}", first["before"])).await.json();
    assert_eq!((started(&second).len(), &second["before"]), (3, &json!(null)));
    let range = app.get("pools/x/snapshots?from=1970-01-01T00:00:02Z&to=1970-01-01T00:00:04Z").await.json();
    assert_eq!(started(&range).len(), 2);
    // as it was called first
    let until = app.get("pools/x/snapshots?until=1970-01-01T00:00:04Z").await.expect(200).json();
    assert_eq!(started(&until).len(), 3);
    app.get("pools/x/snapshots?from=1970-01-01T00:00:02Z&to=1970-01-01T00:00:02Z").await.problem(400);
    assert_eq!(app.get("pools/x/snapshots?from=yesterday").await.problem(422)["field"], "from");
}
