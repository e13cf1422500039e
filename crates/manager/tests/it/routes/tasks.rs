use std::time::Duration;

use p2ppool_model::role::Role;
use p2ppool_model::{Action, TaskId};
use p2ppool_store::{Admission, Admitted, InLine, NewTask, Starts};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

/// A port of this machine on which nobody listens.
const NOBODY: &str = "127.201.0.1:9";

async fn ended(app: &TestApp, task: &Value) -> Value {
    let id = TaskId(task["id"].as_i64().unwrap());
    app.app.engine.ended(id).await.unwrap();
    app.get(&format!("tasks/{id}")).await.expect(200).json()
}

#[tokio::test]
async fn an_action_is_queued_and_ends_with_one_outcome_per_host() {
    let app = TestApp::start().await;
    app.pool("x", &format!("{NOBODY}\n127.201.0.2:9\n"), json!({ "ssh_user": "nobody" })).await;
    app.post("pools/x/key/generate", json!({})).await.expect(200);
    let task = app.post("pools/x/stop", json!({ "keep": true })).await.expect(202).json();
    assert_eq!(
        (&task["action"], &task["pool_name"], &task["started_by"]),
        (&json!("stop"), &json!("x"), &json!("admin"))
    );
    let task = ended(&app, &task).await;
    assert_eq!(task["counts"], json!({ "unreachable": 2 }), "{task}");
    assert_eq!(task["state"], "failed");

    let id = &task["id"];
    let hosts = app.get(&format!("tasks/{id}/hosts?outcome=unreachable&q=127.201.0.2")).await.expect(200).json();
    assert_eq!((&hosts["total"], &hosts["items"][0]["cause"]), (&json!(1), &json!("connection_refused")));
    assert_eq!(app.get(&format!("tasks/{id}/hosts?outcome=ok")).await.json()["total"], 0);
    let host = &hosts["items"][0]["host"];
    let output = app.get(&format!("tasks/{id}/hosts/{host}/output")).await.expect(200);
    assert_eq!(output.header("content-type"), "text/plain; charset=utf-8");

    assert_eq!(app.get("tasks?pool=x&state=failed").await.expect(200).json()["total"], 1);
    assert_eq!(app.get("tasks?state=running,queued").await.json()["total"], 0);
    assert_eq!(app.get("tasks?from=2100-01-01T00:00:00Z").await.json()["total"], 0);
    let exported = app.get("tasks.json?pool=x&to=2100-01-01T00:00:00Z").await.expect(200).json();
    assert_eq!(exported.as_array().unwrap().len(), 1);
    app.get("tasks.csv?from=2100-01-01T00:00:00Z&to=2000-01-01T00:00:00Z").await.problem(400);
    assert_eq!(app.post(&format!("tasks/{id}/cancel"), json!({})).await.expect(200).json()["state"], "failed");

    let retry = app.post(&format!("tasks/{id}/retry"), json!({ "only": ["unreachable"] })).await.expect(202).json();
    assert_eq!((&retry["retry_of"], &retry["action"]), (id, &json!("stop")));
    assert_eq!(ended(&app, &retry).await["counts"], json!({ "unreachable": 2 }));
    let none = app.post(&format!("tasks/{id}/retry"), json!({ "only": ["refused"] })).await.problem(409);
    assert_eq!(none["code"], "refused");
}

#[tokio::test]
async fn what_the_pools_state_does_not_allow_is_refused_with_the_reason() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    for action in ["upgrade", "suspend", "resume", "check", "crawl", "gather_logs", "gather_data"] {
        let error = app.post(&format!("pools/x/{action}"), json!({})).await.problem(409);
        assert_eq!(error["code"], "refused", "{action}");
        assert!(error["message"].as_str().unwrap().contains("install it first"), "{action}: {error}");
    }
    assert_eq!(app.get("tasks").await.json()["total"], 0);
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    let digest = "0".repeat(64);
    for (action, body, field) in [
        ("install", json!({ "bundle": "abc" }), "bundle"),
        ("install", json!({ "bundle": digest }), "bundle"),
        ("install", json!({ "fast": true }), "fast"),
        ("check", json!({ "x": 1 }), "x"),
        ("stop", json!({ "keep": true, "forget": true }), "params"),
        ("stop", json!({ "keep": "yes" }), "keep"),
        ("gather_data", json!({ "patterns": ["../*"] }), "params"),
        ("gather_data", json!({ "patterns": "x" }), "patterns"),
        ("gather_logs", json!({ "max_bytes": 0 }), "params"),
        ("upgrade", json!({ "settings": 1 }), "settings"),
    ] {
        let error = app.post(&format!("pools/x/{action}"), body.clone()).await.problem(422);
        assert_eq!(error["field"], field, "{action} {body}: {error}");
    }
    send(app.admin(Method::POST, "pools/x/explode").json(&json!({}))).await.expect(404);
    send(app.admin(Method::POST, "pools/none/check").json(&json!({}))).await.expect(404);
}

#[tokio::test]
async fn only_those_who_may_change_a_pool_act_on_it() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({ "visibility": "public" })).await;
    let viewer = app.person("view", Role::Viewer).await;
    let task = app.post("pools/x/stop", json!({ "keep": true })).await.expect(202).json();
    let id = &task["id"];
    ended(&app, &task).await;
    for path in ["pools/x/stop".to_owned(), format!("tasks/{id}/cancel"), format!("tasks/{id}/retry")] {
        send(app.anonymous(Method::POST, &path).json(&json!({}))).await.expect(401);
        send(app.anonymous(Method::POST, &path).bearer_auth(&viewer).json(&json!({}))).await.expect(403);
    }
    // The pool is public: its tasks are seen, what hosts printed is not.
    send(app.anonymous(Method::GET, &format!("tasks/{id}"))).await.expect(200);
    send(app.anonymous(Method::GET, "tasks?pool=x")).await.expect(200);
    assert_eq!(send(app.anonymous(Method::GET, "tasks")).await.expect(200).json()["total"], 1);
    send(app.anonymous(Method::GET, &format!("tasks/{id}/hosts/1/output"))).await.expect(401);
}

#[tokio::test]
async fn tasks_of_private_pools_are_not_told_apart_from_none() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    let task = app.post("pools/x/stop", json!({ "keep": true })).await.expect(202).json();
    let told = |path: String| {
        let app = &app;
        async move { send(app.anonymous(Method::GET, &path)).await.problem(401)["message"].clone() }
    };
    assert_eq!(told(format!("tasks/{}", task["id"])).await, told("tasks/7777".to_owned()).await);
    assert_eq!(app.get("tasks/7777").await.problem(404)["code"], "not_found");
    ended(&app, &task).await;
}

#[tokio::test]
async fn a_task_is_told_even_after_its_pool_is_gone() {
    let app = TestApp::start().await;
    app.pool("x", "", json!({ "visibility": "public" })).await;
    app.post("pools/x/key/generate", json!({})).await.expect(200);
    let task = app.post("pools/x/stop", json!({})).await.expect(202).json();
    let task = ended(&app, &task).await;
    assert_eq!(task["state"], "succeeded", "{task}");
    app.get("pools/x").await.problem(404);

    let id = &task["id"];
    app.get(&format!("tasks/{id}/hosts")).await.expect(200);
    let error = app.post(&format!("tasks/{id}/retry"), json!({})).await.problem(409);
    assert!(error["message"].as_str().unwrap().contains("was deleted"), "{error}");
    assert_eq!(send(app.anonymous(Method::GET, &format!("tasks/{id}"))).await.status, 401);
}

#[tokio::test]
async fn a_waiting_task_says_for_which_one_and_managers_say_how_much_they_do_at_once() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    let store = &app.app.store;
    let pool = store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    let queue = async |action: Action, waits_for: Option<TaskId>| {
        let new = NewTask {
            pool: pool.id,
            action,
            asked: String::new(),
            started_by: "anna".into(),
            params: Value::Null,
            retry_of: None,
            hosts: vec![],
        };
        let admission = |_: &[InLine]| Admission::Queue { make_room: vec![], waits_for };
        let admitted = store.admit_task(new, admission).await.unwrap();
        let Admitted::Queued { task, .. } = admitted else { panic!("{admitted:?}") };
        task.id
    };
    // another manager runs the first one
    let first = queue(Action::Upgrade, Some(TaskId(999))).await;
    let all = |line: &[InLine]| Starts { start: line.iter().map(|one| one.id).collect(), ..Starts::default() };
    store.claim_tasks(pool.id, "another", Duration::from_secs(600), all).await.unwrap();
    let second = queue(Action::Check, Some(first)).await;
    let shown = app.get(&format!("tasks/{second}")).await.expect(200).json();
    let text = format!("waits for upgrade #{first}, which is under way");
    assert_eq!(shown["waiting"], json!({ "task": first, "text": text, "may_start_at": null }), "{shown}");
    assert_eq!(app.get(&format!("tasks/{first}")).await.expect(200).json()["waiting"], Value::Null);

    let managers = app.get("managers").await.expect(200).json();
    assert_eq!(managers[0]["limits"], json!({ "connecting": 64, "working": 256, "per_second": 500, "tasks": 64 }));
    assert_eq!(managers[0]["share"], managers[0]["limits"]);
}
