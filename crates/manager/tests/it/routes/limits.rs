//! Limits over all managers.

use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::routes::command_line::Shell;
use crate::support::{TestApp, send};

#[tokio::test]
async fn limits_over_all_managers_are_set_by_super_administrators_and_kept_to_at_once() {
    let app = TestApp::start().await;
    let none = json!({ "connecting": null, "working": null, "per_second": null, "tasks": null });
    assert_eq!(app.get("managers/limits").await.expect(200).json(), none);
    let wanted = json!({ "connecting": 8, "working": null, "per_second": null, "tasks": 3 });
    assert_eq!(app.put("managers/limits", wanted.clone()).await.expect(200).json(), wanted);
    assert_eq!(app.get("managers/limits").await.expect(200).json(), wanted);
    let managers = app.get("managers").await.expect(200).json();
    let share = json!({ "connecting": 8, "working": 256, "per_second": 500, "tasks": 3 });
    assert_eq!((&managers[0]["share"], &managers[0]["limits"]["tasks"]), (&share, &json!(64)));

    assert_eq!(app.put("managers/limits", json!({ "tasks": 0 })).await.problem(422)["field"], "tasks");
    assert_eq!(app.put("managers/limits", json!({ "working": 1_000_001 })).await.problem(422)["field"], "working");
    app.put("managers/limits", json!({ "hosts": 1 })).await.problem(422);
    assert_eq!(app.get("managers/limits").await.json(), wanted, "what is wrong changes nothing");
    let administrator = app.person("anna", Role::Administrator).await;
    let as_anna = |method| app.anonymous(method, "managers/limits").bearer_auth(&administrator);
    send(as_anna(Method::GET)).await.expect(200);
    send(as_anna(Method::PUT).json(&none)).await.problem(403);
    send(app.anonymous(Method::GET, "managers/limits")).await.problem(401);
}

#[tokio::test]
async fn limits_over_all_managers_are_shown_and_changed_one_by_one() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    assert!(shell.ok(&["managers", "limits"]).await.contains("none"));
    shell.ok(&["managers", "limits", "--tasks", "5", "--hosts-working", "20"]).await;
    let told = shell.json(&["managers", "limits", "--hosts-working", "none"]).await;
    assert_eq!(told, json!({ "connecting": null, "working": null, "per_second": null, "tasks": 5 }));
    assert!(shell.ok(&["managers"]).await.contains("0 of 5"));
    assert!(shell.fails(&["managers", "limits", "--tasks", "many"]).await.contains("none"));
    assert!(shell.fails(&["managers", "limits", "--tasks", "0"]).await.contains("tasks"));
}
