//! Accounts, grants and limited tokens.

use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

async fn with(app: &TestApp, token: &str, method: Method, path: &str, body: Value) -> crate::support::Answer {
    send(app.anonymous(method, path).bearer_auth(token).json(&body)).await
}

#[tokio::test]
async fn an_account_is_made_changed_locked_out_and_deleted() {
    let app = TestApp::start().await;
    let made = app.post("users", json!({ "name": "Anna", "role": "publisher" })).await.expect(201).json();
    let (id, password) = (made["id"].as_i64().unwrap(), made["password"].as_str().unwrap().to_owned());
    let path = format!("users/{id}");
    let token = app.token_of("anna", &password).await;
    assert_eq!(app.post("users", json!({ "name": "ANNA", "role": "viewer" })).await.problem(409)["code"], "conflict");

    with(&app, &token, Method::POST, "pools", json!({ "name": "hers" })).await.expect(201);
    assert_eq!(app.patch(&path, json!({ "role": "viewer" })).await.expect(200).json()["role"], "viewer");
    with(&app, &token, Method::PATCH, "pools/hers", json!({})).await.problem(403);
    with(&app, &token, Method::GET, "pools/hers", json!({})).await.expect(200);

    let reset = app.post(&format!("{path}/password"), json!({})).await.expect(200).json();
    assert!(reset["password"].as_str().unwrap().len() >= 20);
    let old = json!({ "name": "Anna", "password": password });
    send(app.anonymous(Method::POST, "login").json(&old)).await.expect(401);

    app.patch(&path, json!({ "disabled": true })).await.expect(200);
    with(&app, &token, Method::GET, "me", json!({})).await.problem(401);
    app.patch(&path, json!({ "disabled": false })).await.expect(200);
    with(&app, &token, Method::GET, "me", json!({})).await.expect(200);

    app.delete(&path).await.expect(204);
    with(&app, &token, Method::GET, "me", json!({})).await.problem(401);
    assert_eq!(app.get(&path).await.problem(404)["code"], "not_found");
    assert_eq!(app.get("pools/hers").await.expect(200).json()["owner"], json!(null));
}

#[tokio::test]
async fn the_last_super_administrator_stays() {
    let app = TestApp::start().await;
    let admin = app.get("users").await.expect(200).json()[0].clone();
    let path = format!("users/{}", admin["id"]);
    for edit in [json!({ "role": "viewer" }), json!({ "disabled": true })] {
        assert_eq!(app.patch(&path, edit).await.problem(409)["code"], "conflict");
    }
    app.delete(&path).await.problem(409);
    let still = app.get(&path).await.json();
    assert_eq!((&still["role"], &still["disabled"]), (&admin["role"], &json!(false)));
}

#[tokio::test]
async fn the_list_of_people_tells_their_pools_tokens_and_when_they_were_last_there() {
    let app = TestApp::start().await;
    let anna = app.person("anna", Role::Publisher).await;
    let ben = app.post("users", json!({ "name": "ben", "role": "viewer" })).await.expect(201).json();
    with(&app, &anna, Method::POST, "pools", json!({ "name": "hers" })).await.expect(201);
    app.pool("lab", "", json!({})).await;
    let grant = json!({ "user": "anna", "grant": "see" });
    app.put("pools/lab/grants", grant).await.expect(200);
    let users = app.get("users").await.expect(200).json();
    let of = |name: &str| users.as_array().unwrap().iter().find(|user| user["name"] == name).unwrap().clone();
    let (hers, his) = (of("anna"), of("ben"));
    let pools = json!([{ "pool": "hers", "right": "own" }, { "pool": "lab", "right": "see" }]);
    assert_eq!((&hers["pools"], &hers["tokens"], &hers["role"]), (&pools, &json!(1), &json!("publisher")));
    assert!(hers["last_seen"].is_string(), "{hers}");
    assert_eq!((&his["pools"], &his["tokens"], &his["last_seen"]), (&json!([]), &json!(0), &json!(null)));
    assert_eq!(app.get(&format!("users/{}", ben["id"])).await.expect(200).json(), his);
    assert_eq!(app.get("users/999").await.problem(404)["code"], "not_found");
    with(&app, &anna, Method::GET, "users", json!({})).await.problem(403);
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_named() {
    let app = TestApp::start().await;
    for (body, field) in [
        (json!({ "name": "", "role": "viewer" }), "name"),
        (json!({ "name": "a\nb", "role": "viewer" }), "name"),
        (json!({ "name": "x".repeat(101), "role": "viewer" }), "name"),
        (json!({ "name": "x", "role": "king" }), "role"),
        (json!({ "name": "x", "role": "viewer", "password": "short" }), "password"),
        (json!({ "name": "x", "role": "viewer", "password": "x".repeat(2000) }), "password"),
        (json!({ "name": "x", "role": "viewer", "admin": true }), "admin"),
    ] {
        assert_eq!(app.post("users", body.clone()).await.problem(422)["field"], field, "{body}");
    }
    assert_eq!(app.get("users").await.json().as_array().unwrap().len(), 1);
    app.patch("users/77", json!({ "role": "viewer" })).await.problem(404);
    app.post("users/77/password", json!({})).await.problem(404);
}

#[tokio::test]
async fn a_changed_password_needs_the_old_one_and_ends_other_sessions() {
    let app = TestApp::start().await;
    app.person("anna", Role::Viewer).await;
    let (here, there) =
        (app.cookie_of("anna", "correct horse battery").await, app.cookie_of("anna", "correct horse battery").await);
    let change = |old: &str, new: &str| {
        let body = json!({ "old": old, "new": new });
        send(app.session(Method::POST, "me/password", &here).json(&body))
    };
    assert_eq!(change("wrong", "another good one").await.problem(401)["code"], "wrong_password");
    assert_eq!(change("correct horse battery", "short").await.problem(422)["field"], "new");
    change("correct horse battery", "another good one").await.expect(204);
    let me = |cookie: &str| send(app.anonymous(Method::GET, "me").header("cookie", cookie.to_owned()));
    assert_eq!(me(&here).await.json()["user"]["name"], "anna");
    assert_eq!(me(&there).await.json()["user"], json!(null));
    app.cookie_of("anna", "another good one").await;
}

#[tokio::test]
async fn an_owner_lets_others_see_and_manage_and_takes_it_back() {
    let app = TestApp::start().await;
    let (anna, ben) = (app.person("anna", Role::Publisher).await, app.person("ben", Role::Publisher).await);
    with(&app, &anna, Method::POST, "pools", json!({ "name": "hers" })).await.expect(201);
    with(&app, &ben, Method::GET, "pools/hers", json!({})).await.problem(404);
    assert_eq!(with(&app, &ben, Method::GET, "pools", json!({})).await.json(), json!([]));

    let grant = |grant: &str| json!({ "user": "ben", "grant": grant });
    with(&app, &anna, Method::PUT, "pools/hers/grants", grant("see")).await.expect(200);
    let seen = with(&app, &ben, Method::GET, "pools/hers", json!({})).await.expect(200).json();
    assert_eq!((&seen["right"], &seen["may_change"]), (&json!("inspect"), &json!(false)));
    with(&app, &ben, Method::PATCH, "pools/hers", json!({})).await.problem(403);

    let all = with(&app, &anna, Method::PUT, "pools/hers/grants", grant("manage")).await.expect(200).json();
    assert_eq!((&all[0]["grant"], &all[0]["given_by"]), (&json!("manage"), &json!("anna")));
    with(&app, &ben, Method::PATCH, "pools/hers", json!({ "description": "ours" })).await.expect(200);
    for (method, path, body) in [
        (Method::PUT, "pools/hers/grants".to_owned(), json!({ "user": "admin", "grant": "see" })),
        (Method::PUT, "pools/hers/owner".to_owned(), json!({ "user": "ben" })),
        (Method::DELETE, format!("pools/hers/grants/{}", all[0]["user"]), json!({})),
        (Method::DELETE, "pools/hers".to_owned(), json!({})),
    ] {
        with(&app, &ben, method, &path, body).await.problem(403);
    }

    with(&app, &anna, Method::DELETE, &format!("pools/hers/grants/{}", all[0]["user"]), json!({})).await.expect(204);
    with(&app, &ben, Method::GET, "pools/hers", json!({})).await.problem(404);
    assert_eq!(
        with(&app, &anna, Method::PUT, "pools/hers/grants", json!({ "user": "x", "grant": "see" })).await.problem(422)
            ["field"],
        "user"
    );
    with(&app, &anna, Method::PUT, "pools/hers/owner", json!({ "user": "ben" })).await.expect(200);
    with(&app, &anna, Method::GET, "pools/hers", json!({})).await.problem(404);
    assert_eq!(with(&app, &ben, Method::GET, "pools/hers", json!({})).await.expect(200).json()["right"], "own");
}

#[tokio::test]
async fn a_limited_token_reaches_its_pools_and_can_make_no_wider_one() {
    let app = TestApp::start().await;
    for name in ["in", "out"] {
        app.pool(name, "", json!({})).await;
    }
    app.pool("open", "", json!({ "visibility": "public" })).await;
    let soon = p2ppool_model::Time::now().plus(std::time::Duration::from_secs(600));
    let wanted = json!({ "name": "ci", "role": "administrator", "pools": ["in"], "expires": soon });
    let made = app.post("tokens", wanted).await.expect(201).json();
    assert_eq!(made["pools"].as_array().unwrap().len(), 1);
    let token = made["token"].as_str().unwrap();
    with(&app, token, Method::PATCH, "pools/in", json!({})).await.expect(200);
    with(&app, token, Method::GET, "pools/out", json!({})).await.problem(404);
    with(&app, token, Method::PATCH, "pools/open", json!({})).await.problem(403);
    let names: Vec<_> = with(&app, token, Method::GET, "pools", json!({}))
        .await
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["name"].clone())
        .collect();
    assert_eq!(names, ["in", "open"]);
    for (method, path) in [(Method::POST, "pools"), (Method::POST, "bundles?name=x")] {
        let refused = with(&app, token, method, path, json!({ "name": "new" })).await.problem(403);
        assert!(refused["message"].as_str().unwrap().contains("limited"), "{refused}");
    }
    with(&app, token, Method::GET, "tasks?pool=out", json!({})).await.problem(404);

    let child = |body: Value| with(&app, token, Method::POST, "tokens", body);
    assert_eq!(child(json!({ "name": "a", "pools": ["open"] })).await.problem(422)["field"], "pools");
    assert_eq!(child(json!({ "name": "a", "pools": ["out"] })).await.problem(422)["field"], "pools");
    let child = child(json!({ "name": "b", "role": "super_administrator" })).await.expect(201).json();
    assert_eq!(
        (&child["pools"], &child["role"], &child["expires"]),
        (&made["pools"], &json!("administrator"), &made["expires"])
    );
    for path in ["pools", "tasks", "users"] {
        let _ = with(&app, child["token"].as_str().unwrap(), Method::GET, path, json!({})).await;
    }
    with(&app, child["token"].as_str().unwrap(), Method::GET, "users", json!({})).await.problem(403);
}
