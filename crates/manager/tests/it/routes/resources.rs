use p2ppool_model::Time;
use p2ppool_model::usage::{Usage, UsageSample};
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

#[tokio::test]
async fn a_pool_tells_what_its_hosts_use_over_time_and_which_use_most() {
    let app = TestApp::start().await;
    app.pool("x", "small\nlarge\n", json!({ "visibility": "public" })).await;
    app.pool("y", "other\n", json!({})).await;
    let store = &app.app.store;
    let pool = store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    let hosts = store.pool_hosts(pool.id).await.unwrap();
    let at: Time = "2026-05-01T10:20:00Z".parse().unwrap();
    let samples: Vec<_> = (1..)
        .zip(&hosts)
        .map(|(n, host)| {
            let usage = Usage { node_memory: Some(n * 1000), node_cpu: Some(0.25), ..Usage::default() };
            UsageSample { host: host.id, at, usage }
        })
        .collect();
    store.add_usage(pool.id, &samples).await.unwrap();

    let path = "pools/x/resources?from=2026-05-01T00:00:00Z&to=2026-05-02T00:00:00Z";
    let told = send(app.anonymous(Method::GET, path)).await.expect(200).json();
    assert_eq!(told["buckets"].as_array().unwrap().len(), 1);
    assert_eq!(told["buckets"][0]["at"], "2026-05-01T10:00:00.000Z");
    assert_eq!(
        told["buckets"][0]["metrics"]["node_memory"],
        json!({ "samples": 2, "min": 1000.0, "mean": 1500.0, "max": 2000.0 })
    );
    assert_eq!(told["buckets"][0]["metrics"].get("disk_free"), None, "what nobody told is left out");
    let one = app.get(&format!("{path}&host={}", hosts[1].id)).await.expect(200).json();
    assert_eq!(one["samples"][0]["node_memory"], 2000);

    let top = app.get("pools/x/resources/top?by=node_memory&limit=1").await.expect(200).json();
    assert_eq!((&top[0]["address"], &top[0]["node_memory"]), (&json!("large"), &json!(2000)));
    assert_eq!(app.get("pools/x/resources/top?by=load").await.expect(200).json(), json!([]));

    send(app.anonymous(Method::GET, "pools/y/resources")).await.problem(401);
    send(app.anonymous(Method::GET, "pools/y/resources/top")).await.problem(401);
    app.get(&format!("pools/y/resources?host={}", hosts[0].id)).await.problem(404);
    for (query, field) in
        [("from=x", "from"), ("buckets=0", "buckets"), ("from=2026-05-02T00:00:00Z&to=2026-05-01T00:00:00Z", "from")]
    {
        assert_eq!(app.get(&format!("pools/x/resources?{query}")).await.problem(422)["field"], field);
    }
    assert_eq!(app.get("pools/x/resources/top?by=colour").await.problem(422)["field"], "by");
}
