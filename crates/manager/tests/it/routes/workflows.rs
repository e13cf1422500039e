//! Workflows and their runs through the API.

use p2ppool_model::pool::PoolState;
use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

const NOBODY: &str = "127.201.0.1:9";
const ASKS: &str = "description: Asks\nsteps:\n- name: ask\n  approve: Go on?\n  on: {failure: no}\n- name: tell\n  notify: It went on\n  on: {success: end}\n- name: no\n  notify: It did not\n";

async fn run_is(app: &TestApp, id: &Value, is: impl Fn(&Value) -> bool) -> Value {
    let mut events = app.app.events.subscribe(None);
    let wait = async {
        loop {
            let run = app.get(&format!("workflow-runs/{id}")).await.expect(200).json();
            if is(&run) {
                return run;
            }
            events.next().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), wait).await.expect("the run never got there")
}

#[tokio::test]
async fn a_workflow_is_kept_checked_run_and_answered() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    let kept = app.post("workflows", json!({ "name": "asks", "text": ASKS })).await.expect(201).json();
    assert_eq!((&kept["version"], &kept["steps"], &kept["description"]), (&json!(1), &json!(3), &json!("Asks")));
    assert_eq!(kept["graph"]["steps"][0]["then"], json!({ "success": "tell", "partial": "no", "failure": "no" }));
    app.post("workflows", json!({ "name": "asks", "text": ASKS })).await.problem(409);
    assert_eq!(app.put("workflows/asks", json!({ "text": ASKS })).await.expect(200).json()["version"], 2);
    assert_eq!(app.get("workflows").await.expect(200).json()[0]["name"], "asks");

    for (approve, last, state) in [(true, "tell", "succeeded"), (false, "no", "succeeded")] {
        let run = app.post("workflows/asks/runs", json!({ "pool": "x" })).await.expect(202).json();
        let id = &run["id"];
        assert_eq!((&run["state"], &run["at"]), (&json!("running"), &json!("ask")));
        let path = format!("workflow-runs/{id}/approve");
        app.post(&path, json!({ "step": "tell", "approve": true })).await.problem(409);
        app.post(&path, json!({ "step": "ask", "approve": approve, "comment": "as agreed" })).await.expect(200);
        let ended = run_is(&app, id, |run| run["state"] != "running").await;
        assert_eq!(ended["state"], state, "{ended}");
        let step = |name: &str| ended["steps"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap().clone();
        assert_eq!(step(last)["state"], "succeeded");
        assert_eq!(step(if approve { "no" } else { "tell" })["state"], "skipped");
        assert_eq!(step("ask")["decided_by"], "admin");
        assert!(step("ask")["message"].as_str().unwrap().ends_with("by admin: as agreed"));
        assert_eq!(ended["graph"]["steps"][0]["question"], "Go on?");
    }
    let audit =
        app.app.store.audit(&p2ppool_store::AuditFilter::default(), p2ppool_store::Page::first(50)).await.unwrap();
    assert!(audit.items.iter().any(|line| line.entry.details["message"] == "It went on"), "a notice is written down");
    let listed = app.get("workflow-runs?pool=x&workflow=asks&state=succeeded").await.expect(200).json();
    assert_eq!((&listed["total"], &listed["items"][0]["graph"]), (&json!(2), &Value::Null));

    send(app.admin(Method::DELETE, "workflows/asks")).await.expect(204);
    app.get("workflows/asks").await.problem(404);
    app.post("workflows/asks/runs", json!({ "pool": "x" })).await.problem(404);
    assert_eq!(app.get("workflow-runs").await.json()["total"], 2, "its runs stay");
}

#[tokio::test]
async fn errors_of_a_text_name_line_and_column() {
    let app = TestApp::start().await;
    let wrong = "steps:\n- name: a\n  run: check\n  with: {fast: true}\n- name: b\n  wait: speed > 5\n";
    let checked = app.post("workflows/check", json!({ "text": wrong })).await.expect(200).json();
    assert_eq!(checked["errors"][0]["line"], 6, "{checked}");
    let unsettled = "steps:\n- name: a\n  run: check\n  with: {fast: true}\n";
    let error = app.put("workflows/a", json!({ "text": unsettled })).await.problem(422);
    assert_eq!(error["field"], "text");
    assert!(error["message"].as_str().unwrap().contains("line 2, column 9: settings of check"), "{error}");
    let error = app.post("workflows", json!({ "name": "A b", "text": ASKS })).await.problem(422);
    assert_eq!(error["field"], "name");
    assert_eq!(app.get("workflows").await.json(), json!([]));
}

#[tokio::test]
async fn a_run_is_cancelled_and_one_whose_action_is_refused_fails() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    app.put("workflows/asks", json!({ "text": ASKS })).await.expect(200);
    let run = app.post("workflows/asks/runs", json!({ "pool": "x" })).await.expect(202).json();
    app.post(&format!("workflow-runs/{}/cancel", run["id"]), json!({})).await.expect(200);
    let ended = run_is(&app, &run["id"], |run| run["state"] != "running").await;
    assert_eq!((&ended["state"], &ended["message"]), (&json!("cancelled"), &json!("cancelled by admin")));
    assert_eq!(ended["steps"][0]["state"], "cancelled");

    app.put("workflows/crawls", json!({ "text": "steps: [{name: a, run: crawl}]" })).await.expect(200);
    let run = app.post("workflows/crawls/runs", json!({ "pool": "x" })).await.expect(202).json();
    let ended = run_is(&app, &run["id"], |run| run["state"] != "running").await;
    assert_eq!(ended["state"], "failed");
    assert!(ended["message"].as_str().unwrap().contains("install it first"), "{ended}");
}

#[tokio::test]
async fn only_those_who_may_change_a_pool_run_and_answer_on_it() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    app.put("workflows/asks", json!({ "text": ASKS })).await.expect(200);
    let run = app.post("workflows/asks/runs", json!({ "pool": "x" })).await.expect(202).json();
    let path = format!("workflow-runs/{}", run["id"]);
    let other = app.person("other", Role::Publisher).await;
    let viewer = app.person("view", Role::Viewer).await;
    let as_one = |method: Method, path: &str, who: &str| app.anonymous(method, path).bearer_auth(who);
    send(as_one(Method::PUT, "workflows/asks", &viewer).json(&json!({ "text": ASKS }))).await.expect(403);
    send(app.anonymous(Method::GET, &path)).await.expect(404);
    let start = as_one(Method::POST, "workflows/asks/runs", &other).json(&json!({ "pool": "x" }));
    assert!([403, 404].contains(&send(start).await.status.as_u16()));
    for (path, body) in [("cancel", json!({})), ("approve", json!({ "step": "ask", "approve": true }))] {
        let refused =
            send(as_one(Method::POST, &format!("workflow-runs/{}/{path}", run["id"]), &other).json(&body)).await;
        assert!([403, 404].contains(&refused.status.as_u16()), "{path}: {}", refused.text);
    }
    assert_eq!(app.get(&path).await.json()["state"], "running");
}

#[tokio::test]
async fn a_fault_records_its_seed_and_refuses_what_it_can_not_mean() {
    let app = TestApp::start().await;
    app.pool("x", &format!("{NOBODY}\n127.201.0.2:9\n"), json!({ "ssh_user": "nobody" })).await;
    app.post("pools/x/key/generate", json!({})).await.expect(200);
    app.post("pools/x/fault", json!({ "kind": "stop", "share": "50%" })).await.problem(409);
    let store = &app.app.store;
    let pool = store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    store.set_pool_state(pool.id, PoolState::Running).await.unwrap();
    for (body, field) in [
        (json!({ "kind": "stop" }), "params"),
        (json!({ "kind": "explode" }), "kind"),
        (json!({ "kind": "kill", "share": "0%" }), "params"),
        (json!({ "kind": "kill", "share": "150%" }), "share"),
    ] {
        let error = app.post("pools/x/fault", body.clone()).await.problem(422);
        assert_eq!(error["field"], field, "{body}: {error}");
    }
    let task = app.post("pools/x/fault", json!({ "kind": "stop", "share": "50%" })).await.expect(202).json();
    assert_eq!((&task["action"], task["params"]["seed"].is_u64()), (&json!("fault"), true), "{task}");
    assert_eq!(task["counts"], json!({ "not_started": 1 }));
    app.app.engine.ended(p2ppool_model::TaskId(task["id"].as_i64().unwrap())).await.unwrap();
}
