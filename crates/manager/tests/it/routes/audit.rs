use p2ppool_model::role::Role;
use p2ppool_store::{AuditFilter, Page};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

#[tokio::test]
async fn changes_and_failed_logins_are_written_down_and_looks_are_not() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({ "network_secret": "ab".repeat(32) })).await;
    app.get("pools/x").await.expect(200);
    app.post("pools", json!({ "name": "Wrong Name" })).await.expect(422);
    app.delete("pools/x").await.expect(204);
    send(app.anonymous(Method::POST, "login").json(&json!({ "name": "admin", "password": "no" }))).await.expect(401);
    let lines = app.app.store.audit(&AuditFilter::default(), Page::default()).await.unwrap().items;
    let mut told: Vec<_> = lines.iter().map(|l| (l.entry.actor.as_str(), l.entry.action.as_str())).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("admin", "DELETE /pools/{pool}"),
            ("admin", "POST /login"),
            ("admin", "POST /pools"),
            ("admin", "POST /tokens"),
            ("anonymous", "POST /login"),
        ]
    );
    let deleted = lines.iter().find(|l| l.entry.action.starts_with("DELETE")).unwrap();
    assert_eq!((deleted.entry.pool.as_deref(), deleted.entry.address.as_deref()), (Some("x"), Some("127.0.0.1")));
    assert!(!format!("{lines:?}").contains("abab"));
}

#[tokio::test]
async fn the_log_tells_who_did_what_from_where_and_how_it_ended() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let anna = app.person("anna", Role::Publisher).await;
    app.put("pools/x/grants", json!({ "user": "anna", "grant": "see" })).await.expect(200);
    send(app.anonymous(Method::DELETE, "pools/x").bearer_auth(&anna)).await.expect(403);
    app.get("pools/x/connect").await.expect(200);
    app.get("pools/x/key").await.expect(200);

    let items = async |query: &str| {
        let log = app.get(&format!("audit?{query}")).await.expect(200).json();
        log["items"].as_array().unwrap().clone()
    };
    let refused = &items("who=ANNA&result=refused").await[0];
    assert_eq!(
        (&refused["action"], &refused["pool"], &refused["address"], &refused["details"]),
        (&json!("DELETE /pools/{pool}"), &json!("x"), &json!("127.0.0.1"), &json!({ "status": 403 }))
    );
    assert_eq!(items("action=GET%20/pools/%7Bpool%7D/connect").await.len(), 1, "who looks at a secret");
    assert_eq!(items("action=GET%20/pools/%7Bpool%7D/key").await.len(), 1);
    assert_eq!(items("pool=x&q=grants").await.len(), 1);
    let at = refused["at"].as_str().unwrap();
    assert!(items(&format!("from={at}")).await.len() >= 3 && !items(&format!("to={at}")).await.contains(refused));
    assert_eq!(app.get("audit?result=maybe").await.problem(422)["field"], "result");

    for (token, status) in [(Some(&anna), 403), (None, 401)] {
        for path in ["audit", "audit.csv"] {
            let request = app.anonymous(Method::GET, path);
            let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
            send(request).await.expect(status);
        }
    }
    for method in [Method::DELETE, Method::PUT, Method::PATCH, Method::POST] {
        send(app.admin(method, "audit").json(&json!({}))).await.expect(405);
    }
}

#[tokio::test]
async fn strangers_can_not_fill_the_log_and_cells_are_no_formulas() {
    let app = TestApp::start().await;
    let before = app.get("audit").await.json()["total"].clone();
    for path in ["pools", "tokens", "users", "hosts/parse", "pools/x/install"] {
        send(app.anonymous(Method::POST, path).json(&json!({}))).await.expect(401);
    }
    assert_eq!(app.get("audit").await.json()["total"], before);
    app.post("users", json!({ "name": "=1+2", "role": "publisher", "password": "correct horse battery" }))
        .await
        .expect(201);
    app.token_of("=1+2", "correct horse battery").await;
    let csv = app.get("audit.csv?columns=who,action").await.expect(200).text;
    assert!(csv.starts_with("who,action") && csv.contains("'=1+2,POST /tokens"), "{csv}");
    assert_eq!(app.get("audit.csv?columns=password").await.problem(422)["field"], "columns");
}

#[tokio::test]
async fn a_long_log_is_exported_whole() {
    let app = TestApp::start().await;
    for i in 0..4_500 {
        let entry = p2ppool_store::AuditEntry {
            at: p2ppool_model::Time(i),
            user: None,
            actor: "schedule nightly".into(),
            action: "check".into(),
            pool: None,
            subject: i.to_string(),
            details: Value::Null,
            address: None,
            result: None,
        };
        app.app.store.append_audit(&entry).await.unwrap();
    }
    let csv = app.get("audit.csv?who=schedule%20nightly&columns=subject").await.expect(200).text;
    let subjects: Vec<_> = csv.lines().skip(1).map(|line| line.parse::<i64>().unwrap()).collect();
    assert_eq!(subjects, (0..4_500).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_the_manager_does_by_itself_names_its_schedule() {
    let app = TestApp::start().await;
    app.pool("x", "", json!({})).await;
    let pool = app.app.store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    let ask = p2ppool::engine::Ask {
        pool,
        action: p2ppool_model::Action::UninstallCheck,
        params: Value::Null,
        started_by: "schedule #7".into(),
    };
    let task = app.app.engine.request(ask).await.unwrap();
    let line = app.get("audit?who=schedule%20%237").await.expect(200).json()["items"][0].clone();
    assert_eq!((&line["pool"], &line["subject"]), (&json!("x"), &json!(format!("task #{}", task.id))));
    assert_eq!(
        app.post("users", json!({ "name": "schedule #7", "role": "viewer" })).await.problem(422)["field"],
        "name"
    );
}
