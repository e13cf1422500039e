//! Rolling upgrades as people see them and decide on them.

use std::time::Duration;

use p2ppool_model::pool::PoolSettings;
use p2ppool_model::role::Role;
use p2ppool_model::rolling::Rolling;
use p2ppool_model::rollout::{Decision, Phase, Release, Rollout};
use p2ppool_model::{Action, TaskId, Time};
use p2ppool_store::{Admission, Admitted, NewTask, Starts};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

const NOBODY: &str = "127.201.0.1:9";

/// A rolling upgrade that another manager runs and that waits for a person.
async fn paused(app: &TestApp) -> TaskId {
    app.pool("x", NOBODY, json!({ "visibility": "public" })).await;
    let store = &app.app.store;
    let pool = store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    let new = NewTask {
        pool: pool.id,
        action: Action::Upgrade,
        asked: String::new(),
        started_by: "anna".into(),
        params: Value::Null,
        retry_of: None,
        hosts: vec![],
    };
    let waits = Some(TaskId(999));
    let admitted = store.admit_task(new, |_| Admission::Queue { make_room: vec![], waits_for: waits }).await.unwrap();
    let Admitted::Queued { task, .. } = admitted else { panic!("{admitted:?}") };
    let all = |line: &[p2ppool_store::InLine]| Starts {
        start: line.iter().map(|one| one.id).collect(),
        wait: vec![],
        ..Starts::default()
    };
    let (claimed, _) = store.claim_tasks(pool.id, "another", Duration::from_secs(600), all).await.unwrap();
    let release = || Release { package: None, bundle: None, settings: PoolSettings::default() };
    let rollout = Rollout {
        phase: Phase::Paused { batch: 0, since: Time::now() },
        ..Rollout::new(
            Rolling::default(),
            release(),
            release(),
            vec![p2ppool_model::rolling::PlannedBatch { hosts: vec![], canary: true }],
        )
    };
    assert!(store.write_rollout(task.id, claimed[0].fence, &rollout, false).await.unwrap());
    task.id
}

#[tokio::test]
async fn a_paused_upgrade_is_shown_and_decided_on_once() {
    let app = TestApp::start().await;
    let id = paused(&app).await;
    let view = send(app.anonymous(Method::GET, &format!("tasks/{id}/rollout"))).await.expect(200).json();
    assert_eq!((&view["phase"], &view["batches"][0]["state"]), (&json!("paused"), &json!("failed")), "{view}");
    assert_eq!(view["gate"]["consistency_min"], json!(0.9));
    assert!(view["decide_until"].is_string());

    let path = format!("tasks/{id}/continue");
    let viewer = app.person("view", Role::Viewer).await;
    let body = json!({ "decision": "roll_back" });
    send(app.anonymous(Method::POST, &path).json(&body)).await.expect(401);
    send(app.anonymous(Method::POST, &path).bearer_auth(&viewer).json(&body)).await.expect(403);
    assert_eq!(app.post(&path, json!({ "decision": "explode" })).await.problem(422)["field"], "decision");
    app.post(&path, json!({})).await.problem(422);
    app.post(&path, body.clone()).await.expect(200);
    let kept = app.app.store.rollout_decision(id).await.unwrap().unwrap();
    assert_eq!((kept.decision, kept.by.as_str()), (Decision::RollBack, "admin"));
    let error = app.post(&path, body).await.problem(409);
    assert!(error["message"].as_str().unwrap().contains("admin has decided"), "{error}");
}

#[tokio::test]
async fn what_is_no_rolling_upgrade_has_none() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({ "ssh_user": "nobody" })).await;
    app.post("pools/x/key/generate", json!({})).await.expect(200);
    let task = app.post("pools/x/stop", json!({ "keep": true })).await.expect(202).json();
    app.get(&format!("tasks/{}/rollout", task["id"])).await.problem(404);
    let path = format!("tasks/{}/continue", task["id"]);
    app.post(&path, json!({ "decision": "continue" })).await.problem(404);
    app.app.engine.ended(TaskId(task["id"].as_i64().unwrap())).await.unwrap();
}

#[tokio::test]
async fn wrong_ways_to_roll_are_named() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    let store = &app.app.store;
    let pool = store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    store.set_pool_state(pool.id, p2ppool_model::pool::PoolState::Running).await.unwrap();
    for (body, field) in [
        (json!({ "rolling": { "batch": 0 } }), "rolling"),
        (json!({ "rolling": { "batch": "ten" } }), "rolling.batch"),
        (json!({ "rolling": { "gate": { "consistency_min": 95 } } }), "rolling.gate.consistency_min"),
        (json!({ "rolling": { "gate": { "within_s": 0 } } }), "rolling"),
        (json!({ "rolling": {}, "settings": { "network_secret": "a".repeat(64) } }), "settings.network_secret"),
        (json!({ "rolling": {}, "settings": { "namespace": "Not a name" } }), "namespace"),
    ] {
        let error = app.post("pools/x/upgrade", body.clone()).await.problem(422);
        assert_eq!(error["field"], field, "{body}: {error}");
    }
    store.set_pool_state(pool.id, p2ppool_model::pool::PoolState::Suspended).await.unwrap();
    let error = app.post("pools/x/upgrade", json!({ "rolling": {} })).await.problem(409);
    assert!(error["message"].as_str().unwrap().contains("resume it first"), "{error}");
    assert_eq!(app.get("tasks").await.json()["total"], 0);
}
