use serde_json::json;

use crate::support::TestApp;

#[tokio::test]
async fn the_demo_is_a_pool_of_processes_on_this_machine() {
    let app = TestApp::start().await;
    let made = app.post("demo", json!({ "hosts": 3 })).await.expect(201).json();
    assert_eq!(
        (&made["name"], &made["transport"], &made["state"]),
        (&json!("demo"), &json!("local"), &json!("created"))
    );
    assert_eq!(made["hosts"]["total"], 3);
    let path = made["install_path"].as_str().unwrap();
    assert!(path.starts_with('/') && path.ends_with("/hosts/{host}"), "{path}");
    let hosts = app.get("pools/demo/hosts").await.expect(200).json();
    let all = hosts["items"].as_array().unwrap();
    assert!(all.iter().all(|host| host["address"].as_str().unwrap().starts_with("127.")), "{all:?}");
    assert!(all.iter().all(|host| host["location"].is_object()), "{all:?}");

    // there is one, and it stays as it is
    app.post("demo", json!({})).await.problem(409);
    assert_eq!(app.get("pools/demo").await.json()["hosts"]["total"], 3);
}

#[tokio::test]
async fn a_demo_of_no_or_too_many_hosts_is_refused() {
    let app = TestApp::start().await;
    for wrong in [json!({ "hosts": 0 }), json!({ "hosts": 101 }), json!({ "hosts": 300 }), json!({ "hostz": 1 })] {
        app.post("demo", wrong).await.problem(422);
    }
    assert_eq!(app.get("pools").await.json(), json!([]));
}
