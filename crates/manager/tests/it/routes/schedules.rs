use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

/// A port of this machine on which nobody listens.
const NOBODY: &str = "127.201.0.1:9";

async fn schedules(app: &TestApp, pool: &str) -> Vec<Value> {
    app.get(&format!("schedules?pool={pool}")).await.expect(200).json().as_array().unwrap().clone()
}

#[tokio::test]
async fn a_new_pool_is_crawled_and_checked_by_itself() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    let all = schedules(&app, "x").await;
    let told: Vec<_> =
        all.iter().map(|one| (one["starts"]["action"].as_str().unwrap(), one["cron"].as_str().unwrap())).collect();
    assert_eq!(told, [("crawl", "*/30 * * * *"), ("check", "20 3 * * *"), ("uninstall_check", "50 4 * * *")]);
    let words: Vec<_> = all.iter().map(|one| one["words"].as_str().unwrap()).collect();
    assert_eq!(words, ["every 30 minutes", "every day at 03:20", "every day at 04:50"]);
    for one in &all {
        assert_eq!(one["next"].as_array().unwrap().len(), 5, "{one}");
        assert_eq!(
            (&one["enabled"], &one["time_zone"], &one["may_change"]),
            (&json!(true), &json!("UTC"), &json!(true))
        );
    }
    // what a person deletes stays deleted
    let id = &all[0]["id"];
    app.delete(&format!("schedules/{id}")).await.expect(204);
    app.app.engine.schedules_changed();
    assert_eq!(schedules(&app, "x").await.len(), 2);
    app.get(&format!("schedules/{id}")).await.problem(404);
}

#[tokio::test]
async fn a_schedule_is_made_changed_done_and_deleted() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({ "ssh_user": "nobody" })).await;
    app.post("pools/x/key/generate", json!({})).await.expect(200);
    let given = json!({
        "starts": { "action": "stop", "params": { "keep": true } },
        "cron": "0 9 * * MON-FRI", "time_zone": "Europe/Berlin", "jitter_s": 60, "catch_up": "skip", "overlap": "queue",
    });
    let made = app.post("pools/x/schedules", given).await.expect(201).json();
    assert_eq!((&made["catch_up"], &made["overlap"], &made["jitter_s"]), (&json!("skip"), &json!("queue"), &json!(60)));
    let path = format!("schedules/{}", made["id"]);

    let changed = app.patch(&path, json!({ "cron": "30 9 * * *", "enabled": false })).await.expect(200).json();
    assert_eq!((&changed["cron"], &changed["time_zone"]), (&json!("30 9 * * *"), &json!("Europe/Berlin")));
    assert_eq!((&changed["next"], &changed["enabled"]), (&json!([]), &json!(false)));

    let run = app.post(&format!("{path}/run"), json!({})).await.expect(202).json();
    assert_eq!(run["outcome"], "started", "{run}");
    let task = p2ppool_model::TaskId(run["task"].as_i64().unwrap());
    let task = app.app.engine.ended(task).await.unwrap();
    assert_eq!(task.started_by, "admin");
    let shown = app.get(&path).await.expect(200).json();
    assert_eq!((&shown["runs"][0]["task"], &shown["runs"][0]["task_state"]), (&run["task"], &json!("failed")));

    let once = app.patch(&path, json!({ "at": "2099-01-01T00:00:00Z", "enabled": true })).await.expect(200).json();
    assert_eq!((once.get("cron"), &once["at"]), (None, &json!("2099-01-01T00:00:00.000Z")));
    assert_eq!(once["next"], json!(["2099-01-01T00:00:00.000Z"]));
    app.delete(&path).await.expect(204);
    app.delete(&path).await.problem(404);
}

#[tokio::test]
async fn what_can_not_start_now_says_why() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    let crawl = schedules(&app, "x").await.remove(0);
    let error = app.post(&format!("schedules/{}/run", crawl["id"]), json!({})).await.problem(409);
    assert!(error["message"].as_str().unwrap().contains("install it first"), "{error}");
    let shown = app.get(&format!("schedules/{}", crawl["id"])).await.json();
    assert_eq!((&shown["runs"][0]["outcome"], &shown["runs"][0]["task"]), (&json!("refused"), &Value::Null));
}

#[tokio::test]
async fn a_wrong_schedule_is_refused_with_its_field() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({})).await;
    let starts = json!({ "action": "crawl" });
    for (given, field) in [
        (json!({ "cron": "* * * * *" }), "starts"),
        (json!({ "starts": {}, "cron": "* * * * *" }), "starts"),
        (json!({ "starts": { "action": "explode" }, "cron": "* * * * *" }), "starts.action"),
        (json!({ "starts": { "action": "crawl", "workflow": "w" }, "cron": "* * * * *" }), "starts"),
        (json!({ "starts": { "action": "stop", "params": { "keep": 1 } }, "cron": "* * * * *" }), "starts.params"),
        (json!({ "starts": starts }), "cron"),
        (json!({ "starts": starts, "cron": "61 * * * *" }), "cron"),
        (json!({ "starts": starts, "cron": "* * * * * *" }), "cron"),
        (json!({ "starts": starts, "cron": "0 0 31 2 *" }), "cron"),
        (json!({ "starts": starts, "cron": "* * * * *", "time_zone": "Mars" }), "time_zone"),
        (json!({ "starts": starts, "cron": "* * * * *", "at": "2099-01-01T00:00:00Z" }), "at"),
        (json!({ "starts": starts, "at": "2001-01-01T00:00:00Z" }), "at"),
        (json!({ "starts": starts, "cron": "* * * * *", "jitter_s": 90_000 }), "jitter_s"),
        (json!({ "starts": starts, "cron": "* * * * *", "overlap": "maybe" }), "overlap"),
        (json!({ "starts": starts, "cron": "* * * * *", "often": true }), "often"),
    ] {
        let error = app.post("pools/x/schedules", given.clone()).await.problem(422);
        assert_eq!(error["field"], field, "{given}: {error}");
    }
    assert_eq!(schedules(&app, "x").await.len(), 3);
    app.post("pools/none/schedules", json!({})).await.problem(404);
}

#[tokio::test]
async fn a_cron_expression_is_explained() {
    let app = TestApp::start().await;
    let told = app.get("schedules/preview?cron=20+3+*+*+*&time_zone=Europe/Berlin").await.expect(200).json();
    assert_eq!(
        (told["words"].as_str(), told["next"].as_array().unwrap().len()),
        (Some("every day at 03:20"), 5),
        "{told}"
    );
    assert_eq!(app.get("schedules/preview?cron=20+3").await.problem(422)["field"], "cron");
    assert_eq!(app.get("schedules/preview?cron=*+*+*+*+*&time_zone=x").await.problem(422)["field"], "time_zone");
    send(app.anonymous(Method::GET, "schedules/preview?cron=*+*+*+*+*")).await.expect(401);
}

#[tokio::test]
async fn only_those_who_may_change_a_pool_change_its_schedules() {
    let app = TestApp::start().await;
    app.pool("x", NOBODY, json!({ "visibility": "public" })).await;
    app.pool("hidden", NOBODY, json!({})).await;
    let viewer = app.person("view", Role::Viewer).await;
    let id = schedules(&app, "x").await[0]["id"].clone();
    let hidden = schedules(&app, "hidden").await[0]["id"].clone();
    assert_eq!(send(app.anonymous(Method::GET, "schedules")).await.expect(200).json().as_array().unwrap().len(), 3);
    send(app.anonymous(Method::GET, &format!("schedules/{id}"))).await.expect(200);
    send(app.anonymous(Method::GET, &format!("schedules/{hidden}"))).await.expect(404);
    for (method, path) in [
        (Method::POST, "pools/x/schedules".to_owned()),
        (Method::PATCH, format!("schedules/{id}")),
        (Method::DELETE, format!("schedules/{id}")),
        (Method::POST, format!("schedules/{id}/run")),
    ] {
        send(app.anonymous(method.clone(), &path).json(&json!({}))).await.expect(401);
        send(app.anonymous(method, &path).bearer_auth(&viewer).json(&json!({}))).await.expect(403);
    }
    let told = send(app.anonymous(Method::GET, &format!("schedules/{id}")).bearer_auth(&viewer)).await.expect(200);
    assert_eq!(told.json()["may_change"], false);
}
