//! Share links, and attempts to get more out of them than they show.

use p2ppool_model::Time;
use p2ppool_model::geo::Located;
use p2ppool_model::host::Location;
use p2ppool_model::role::Role;
use p2ppool_model::snapshot::Node;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, TestApp, crawl, node, send};

/// What must never come out of a link that does not tell hosts.
const HIDDEN: [&str; 5] = ["canary-host.example", "203.0.113.77", "198.51.100.9", "canary reason", "45.7643"];

fn secretive(address: &str) -> Node {
    Node {
        host_name: Some("canary-host.example".into()),
        ip: Some("203.0.113.77".into()),
        transport_addresses: vec!["/ip4/198.51.100.9/tcp/4650".into()],
        error: Some("canary reason: no answer of 203.0.113.77".into()),
        location: Location::new(45.7643, 4.8357),
        version: Some("=cmd|' /C calc'!A0".into()),
        ..node(address, Some(0.5))
    }
}

/// Crawls at hours 1, 2 and 3 of a pool with hosts, and one crawl of another pool.
async fn world() -> (TestApp, Vec<i64>, i64) {
    let app = TestApp::start().await;
    app.pool("x", "canary-host.example", json!({ "description": "our lab" })).await;
    app.pool("y", "other.example", json!({})).await;
    let mut crawls = Vec::new();
    for hour in 1..=3 {
        crawls.push(crawl(&app, "x", hours(hour), &[secretive(&format!("peer-{hour}"))]).await.0);
    }
    let other = crawl(&app, "y", hours(2), &[node("theirs", None)]).await.0;
    (app, crawls, other)
}

fn hours(hour: i64) -> Time {
    Time(hour * 3_600_000)
}

async fn link(app: &TestApp, settings: Value) -> String {
    let mut body = settings;
    body["name"] = json!("for the lab");
    app.post("pools/x/shares", body).await.expect(201).json()["token"].as_str().unwrap().to_owned()
}

async fn ask(app: &TestApp, token: &str, path: &str) -> Answer {
    send(app.anonymous(Method::GET, &format!("share/{token}{path}"))).await
}

const EVERYTHING: [&str; 4] = ["map", "nodes", "stats", "csv"];

#[tokio::test]
async fn a_link_shows_the_chosen_views_of_its_pool_without_an_account() {
    let (app, _, _) = world().await;
    let token = link(&app, json!({ "views": EVERYTHING })).await;
    let head = ask(&app, &token, "").await.expect(200).json();
    assert_eq!((&head["pool"], &head["description"], &head["hosts"]), (&json!("x"), &json!("our lab"), &json!(false)));
    let nodes = ask(&app, &token, "/nodes").await.expect(200).json();
    assert_eq!((&nodes["total"], &nodes["items"][0]["address"]), (&json!(1), &json!("peer-3")));
    assert_eq!(nodes["items"][0]["location"], json!({ "latitude": 46.0, "longitude": 5.0 }));
    let map = ask(&app, &token, "/map").await.expect(200).json();
    assert_eq!((&map["points"][0]["latitude"], &map["points"][0]["host_name"]), (&json!(46.0), &json!(null)));
    assert_eq!(ask(&app, &token, "/stats").await.expect(200).json().as_array().unwrap().len(), 3);
    assert_eq!(ask(&app, &token, "/stats.csv").await.expect(200).text.lines().count(), 4);
    let csv = ask(&app, &token, "/nodes.csv").await.expect(200).text;
    assert!(csv.contains("peer-3") && csv.contains("'=cmd"), "{csv}");

    let listed = app.get("pools/x/shares").await.expect(200);
    assert!(!listed.text.contains(&token), "the secret is told once");
    let listed = &listed.json()[0];
    assert_eq!((&listed["opened"], listed["last_opened"].is_string()), (&json!(1), true));
    assert!(!format!("{:?}", app.app.store.audit(&Default::default(), Default::default()).await).contains(&token));
}

#[tokio::test]
async fn nothing_hidden_comes_out_whatever_is_asked() {
    let (app, _, _) = world().await;
    let token = link(&app, json!({ "views": EVERYTHING })).await;
    for path in [
        "",
        "/map",
        "/nodes",
        "/nodes?limit=10000&sort=address",
        "/stats",
        "/nodes.csv",
        "/stats.csv",
        "/nodes.csv?columns=host_name,ip,latitude,longitude",
        "/nodes?q=canary",
        "/nodes?sort=host_name",
        "/nodes?sort=ip",
        "/nodes?sort=error",
        "/nodes?sort=location",
        "/nodes?sort=virtual_ip",
        "/nodes.csv?columns=transport_addresses",
        "/nodes.csv?columns=error",
        "/nodes.csv?q=203.0",
        "/nodes.csv?sort=ip",
        "/nodes?hosts=true",
        "/map?hosts=true",
    ] {
        let answer = ask(&app, &token, path).await;
        for hidden in HIDDEN {
            assert!(!answer.text.contains(hidden), "{path} tells {hidden}: {}", answer.text);
        }
    }
    // What is searched and sorted by would tell it, too: by what is found, and in which order.
    for path in
        ["/nodes?q=canary", "/nodes?sort=host_name", "/nodes?sort=ip", "/nodes.csv?q=x", "/nodes.csv?sort=location"]
    {
        ask(&app, &token, path).await.problem(422);
    }
    let open = link(&app, json!({ "views": EVERYTHING, "hosts": true })).await;
    let told = ask(&app, &open, "/nodes?q=canary").await.expect(200).json();
    assert_eq!(
        (&told["items"][0]["host_name"], &told["items"][0]["location"]["latitude"]),
        (&json!("canary-host.example"), &json!(45.76))
    );
}

#[tokio::test]
async fn a_link_keeps_to_its_dates_and_its_pool() {
    let (app, crawls, other) = world().await;
    let token = link(&app, json!({ "views": EVERYTHING, "from": hours(2), "to": hours(3) })).await;
    assert_eq!(
        ask(&app, &token, "/nodes").await.json()["crawl"]["id"],
        json!(crawls[1]),
        "the newest within its dates"
    );
    let stats = async |query: &str| {
        let rows = ask(&app, &token, &format!("/stats{query}")).await.expect(200).json();
        rows.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let (long_ago, far_off) = ("1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z");
    assert_eq!(stats("").await, [crawls[1]]);
    assert_eq!(stats(&format!("?from={long_ago}&to={far_off}&limit=100")).await, [crawls[1]]);
    assert_eq!(stats(&format!("?before={}", crawls[1])).await, [0; 0]);
    assert_eq!(ask(&app, &token, &format!("/stats.csv?from={long_ago}")).await.text.lines().count(), 2);
    for view in ["nodes", "map", "nodes.csv"] {
        for crawl in [crawls[0], crawls[2], other, 777] {
            let missing = ask(&app, &token, &format!("/{view}?crawl={crawl}")).await.problem(404);
            assert_eq!(missing["message"], format!("there is no crawl `{crawl}`"), "{view}: all alike");
        }
    }
    let early = link(&app, json!({ "views": ["nodes", "map"], "to": hours(1) })).await;
    assert_eq!(ask(&app, &early, "/nodes").await.expect(200).json(), json!({ "crawl": null, "total": 0, "items": [] }));
    assert_eq!(ask(&app, &early, "/map").await.expect(200).json()["points"], json!([]));
}

#[tokio::test]
async fn a_link_shows_no_other_view_and_opens_nothing_else() {
    let (app, _, _) = world().await;
    let token = link(&app, json!({ "views": ["map"] })).await;
    ask(&app, &token, "/map").await.expect(200);
    for path in ["/nodes", "/stats", "/nodes.csv", "/stats.csv", "/hosts", "/files", "/tasks", "/connect"] {
        ask(&app, &token, path).await.expect(404);
    }
    let csv_alone = link(&app, json!({ "views": ["csv", "stats"] })).await;
    ask(&app, &csv_alone, "/stats.csv").await.expect(200);
    ask(&app, &csv_alone, "/nodes.csv").await.expect(404);
    for path in ["pools/x", "pools/x/nodes", "me", "tokens"] {
        let with = app.anonymous(Method::GET, path).bearer_auth(&token);
        assert_eq!(send(with).await.problem(401)["code"], "wrong_token", "{path}");
        let cookie = app.anonymous(Method::GET, path).header("cookie", format!("p2ppool_session={token}"));
        let answer = send(cookie).await;
        assert!(answer.status == 401 || answer.json()["user"].is_null(), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn ended_revoked_and_made_up_links_are_alike() {
    let (app, _, _) = world().await;
    let soon = Time::now().plus(std::time::Duration::from_secs(3600));
    let token = link(&app, json!({ "views": ["map"], "expires": soon })).await;
    let hash = p2ppool::accounts::SecretHash::of(&token);
    let later = soon.plus(std::time::Duration::from_secs(1));
    let settings = app.app.store.share::<Value>(hash.as_str(), later).await.unwrap();
    assert_eq!(settings, None, "it ends by itself");
    ask(&app, &token, "/map").await.expect(200);
    let id = app.get("pools/x/shares").await.json()[0]["id"].clone();
    app.delete(&format!("pools/y/shares/{id}")).await.problem(404);
    app.delete(&format!("pools/x/shares/{id}")).await.expect(204);
    app.delete(&format!("pools/x/shares/{id}")).await.problem(404);
    let revoked = ask(&app, &token, "/map").await.problem(404)["message"].clone();
    for made_up in ["x", "%27", hash.as_str(), &token[1..]] {
        assert_eq!(ask(&app, made_up, "/map").await.problem(404)["message"], revoked, "{made_up}");
    }
    app.app.store.delete_pool(app.app.store.pool_by_name(&"x".parse().unwrap()).await.unwrap().id).await.unwrap();
    assert_eq!(app.app.store.share::<Value>(hash.as_str(), Time(0)).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_wrong_with_a_link_is_named_and_only_managers_make_one() {
    let (app, _, _) = world().await;
    for (body, field) in [
        (json!({ "name": "", "views": ["map"] }), "name"),
        (json!({ "name": "a", "views": [] }), "views"),
        (json!({ "name": "a", "views": ["files"] }), "views[0]"),
        (json!({ "name": "a", "views": ["map"], "from": hours(3), "to": hours(2) }), "to"),
        (json!({ "name": "a", "views": ["map"], "expires": Time(1) }), "expires"),
        (json!({ "name": "a", "views": ["map"], "embed": ["https://a; script-src *"] }), "embed"),
        (json!({ "name": "a", "views": ["map"], "places": "none" }), "places"),
        (json!({ "name": "a", "views": ["map"], "places": "street" }), "places"),
        (json!({ "name": "a", "views": ["map"], "namespaces": [""] }), "namespaces"),
        (json!({ "name": "a", "views": ["map"], "namespaces": vec!["x\u{0}"; 2] }), "namespaces"),
        (json!({ "name": "a", "views": ["map"], "embed": ["https://a.example\r\nset-cookie: x"] }), "embed"),
    ] {
        assert_eq!(app.post("pools/x/shares", body.clone()).await.problem(422)["field"], field, "{body}");
    }
    let viewer = app.person("view", Role::Viewer).await;
    let body = json!({ "name": "a", "views": ["map"] });
    send(app.anonymous(Method::POST, "pools/x/shares").bearer_auth(viewer).json(&body)).await.problem(404);
    assert_eq!(app.get("pools/x/shares").await.json(), json!([]));
}

#[tokio::test]
async fn only_the_named_sites_may_embed_the_page_of_a_link() {
    let (app, _, _) = world().await;
    let token =
        link(&app, json!({ "views": ["map"], "embed": ["https://Lab.example.org/", "http://intra:8080"] })).await;
    let page = send(app.anonymous(Method::GET, &format!("/share/{token}"))).await;
    let policy = page.header("content-security-policy");
    assert!(policy.ends_with("frame-ancestors https://lab.example.org http://intra:8080"), "{policy}");
    assert!(policy.contains("script-src 'self';") && page.header("x-frame-options").is_empty());
    let alone = link(&app, json!({ "views": ["map"] })).await;
    for path in [format!("/share/{alone}"), "/share/made-up".to_owned(), "/".to_owned(), "/pools/x".to_owned()] {
        let page = send(app.anonymous(Method::GET, &path)).await;
        assert!(page.header("content-security-policy").ends_with("frame-ancestors 'none'"), "{path}");
        assert_eq!(page.header("x-frame-options"), "DENY");
    }
}

#[tokio::test]
async fn places_are_told_as_exactly_as_the_link_says_and_are_sorted_by_only_when_they_are() {
    let (app, _, _) = world().await;
    for (hosts, places, latitude) in [
        (false, json!(null), json!(46.0)),
        (true, json!(null), json!(45.76)),
        (true, json!("degree"), json!(46.0)),
        (true, json!("city"), json!(45.8)),
        (false, json!("exact"), json!(45.76)),
        (true, json!("none"), json!(null)),
    ] {
        let views = if places == "none" { &EVERYTHING[1..] } else { &EVERYTHING[..] };
        let token = link(&app, json!({ "views": views, "hosts": hosts, "places": places })).await;
        let node = ask(&app, &token, "/nodes").await.expect(200).json()["items"][0].clone();
        assert_eq!(node["location"]["latitude"], latitude, "{hosts} {places}");
        let csv = ask(&app, &token, "/nodes.csv?columns=address,latitude").await.expect(200).text;
        let told = latitude.as_f64().map(|latitude| latitude.to_string()).unwrap_or_default();
        assert_eq!(csv.lines().nth(1).unwrap_or_default(), format!("peer-3,{told}"), "{hosts} {places}");
        if latitude != json!(null) {
            assert_eq!(ask(&app, &token, "/map").await.expect(200).json()["points"][0]["latitude"], latitude);
        }
        let sorted = ask(&app, &token, "/nodes?sort=location").await;
        assert_eq!(sorted.status == 200, latitude == json!(45.76), "{hosts} {places}: {}", sorted.text);
    }
}

#[tokio::test]
async fn whoever_placed_the_shown_nodes_is_thanked() {
    let (app, _, _) = world().await;
    let token = link(&app, json!({ "views": ["map"] })).await;
    assert_eq!(ask(&app, &token, "/map").await.expect(200).json()["credits"], json!([]));
    let newest = crawl(&app, "x", hours(4), &[secretive("peer-4")]).await;
    let pool = app.app.store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    let located = Located { dbip: 1, ..Located::default() };
    app.app.store.set_located(pool.id, newest, located).await.unwrap();
    let map = ask(&app, &token, "/map").await.expect(200).json();
    assert_eq!(
        (&map["points"][0]["status"], &map["credits"][0]["url"]),
        (&json!("answering"), &json!("https://db-ip.com"))
    );
}

/// Two crawls of nodes in the namespaces `lab` and `canary-grid`, and one that says none.
async fn namespaces(app: &TestApp) {
    let of = |address: &str, namespace: Option<&str>| {
        let place = Location::new(10.0, 20.0);
        let (version, namespace) = (Some("v".into()), namespace.map(str::to_owned));
        Node { namespace, location: place, version, connections: Some(7), ..node(address, Some(0.5)) }
    };
    let grid = |n: u32| of(&format!("canary-{n}"), Some("canary-grid"));
    let first = [of("lab-1", Some("lab")), of("lab-2", Some("lab")), grid(1), grid(2), of("canary-none", None)];
    crawl(app, "x", hours(5), &first).await;
    crawl(app, "x", hours(6), &[of("lab-2", Some("lab")), of("lab-3", Some("lab")), of("lab-4", Some("lab")), grid(3)])
        .await;
}

#[tokio::test]
async fn a_link_that_is_limited_to_a_namespace_tells_nothing_of_the_others_whatever_is_asked() {
    let (app, _, _) = world().await;
    namespaces(&app).await;
    let views = json!({ "views": EVERYTHING, "hosts": true, "namespaces": ["lab"], "from": hours(5) });
    let token = link(&app, views).await;
    assert_eq!(ask(&app, &token, "").await.expect(200).json()["namespaces"], json!(["lab"]));
    for path in [
        "/map",
        "/map?namespace=canary-grid",
        "/nodes",
        "/nodes?limit=10000&sort=namespace&order=desc",
        "/nodes?namespace=canary-grid",
        "/nodes?q=canary",
        "/nodes?namespaces=canary-grid",
        "/nodes?within=canary-grid",
        "/nodes.csv",
        "/nodes.csv?namespace=canary-grid",
        "/nodes.csv?q=canary",
        "/stats",
        "/stats.csv",
    ] {
        let answer = ask(&app, &token, path).await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        assert!(!answer.text.contains("canary"), "{path}: {}", answer.text);
    }
    let nodes = ask(&app, &token, "/nodes").await.json();
    assert_eq!((&nodes["total"], &nodes["crawl"]["nodes"]), (&json!(3), &json!(3)));
    assert_eq!(ask(&app, &token, "/nodes?namespace=canary-grid").await.json()["total"], 0);
    let map = ask(&app, &token, "/map").await.json();
    assert_eq!((map["points"].as_array().unwrap().len(), &map["unlocated"]), (3, &json!(0)));
    assert_eq!(ask(&app, &token, "/map?namespace=canary-grid").await.json()["points"], json!([]));
    // sums are over the shown nodes alone, also who joined and left
    let sums =
        |row: &Value| ["nodes", "answering", "connections", "joined", "left"].map(|name| row[name].as_u64().unwrap());
    let stats = ask(&app, &token, "/stats").await.json();
    let stats: Vec<_> = stats.as_array().unwrap().iter().map(sums).collect();
    assert_eq!(stats, [[3, 3, 21, 2, 1], [2, 2, 14, 0, 0]]);
    assert_eq!(sums(&nodes["crawl"]), stats[0]);
    let one = ask(&app, &token, "/stats?limit=1").await.json();
    assert_eq!(sums(&one[0]), stats[0], "the one before is read to see who joined");
    assert_eq!(one.as_array().unwrap().len(), 1);
    let csv = ask(&app, &token, "/stats.csv?columns=nodes,answering,joined,left").await.text;
    assert_eq!(csv.lines().collect::<Vec<_>>(), ["nodes,answering,joined,left", "2,2,0,0", "3,3,2,1"]);
    // an unlimited one sees all
    let open = link(&app, json!({ "views": EVERYTHING, "from": hours(5) })).await;
    assert_eq!(ask(&app, &open, "/stats").await.json()[0]["nodes"], 4);
    assert_eq!(ask(&app, &open, "/map?namespace=canary-grid").await.json()["points"].as_array().unwrap().len(), 1);
}
