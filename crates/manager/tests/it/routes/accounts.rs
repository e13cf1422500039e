use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

#[tokio::test]
async fn a_login_sets_a_cookie_that_scripts_cannot_read() {
    let app = TestApp::start().await;
    let body = json!({ "name": "Admin", "password": app.admin_password });
    let answer = send(app.anonymous(Method::POST, "login").json(&body)).await.expect(200);
    let cookie = answer.header("set-cookie").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
    assert_eq!(answer.json()["user"]["role"], "super_administrator");

    let claims_tls = app.anonymous(Method::POST, "login").header("x-forwarded-proto", "https").json(&body);
    assert!(!send(claims_tls).await.header("set-cookie").contains("; Secure"), "nobody is trusted to say so");
}

#[tokio::test]
async fn me_tells_nobody_or_the_person_and_logout_ends_the_session() {
    let app = TestApp::start().await;
    assert_eq!(send(app.anonymous(Method::GET, "me")).await.expect(200).json(), json!({ "user": null }));
    let cookie = app.cookie_of("admin", &app.admin_password).await;
    let me = || app.anonymous(Method::GET, "me").header("cookie", cookie.clone());
    assert_eq!(send(me()).await.json()["user"]["name"], "admin");
    send(app.session(Method::POST, "logout", &cookie)).await.expect(204);
    assert_eq!(send(me()).await.json()["user"], json!(null));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_look_alike_and_many_are_slowed_down() {
    let app = TestApp::start().await;
    let login = |name: &str| {
        app.anonymous(Method::POST, "login").json(&json!({ "name": name, "password": "wrong wrong wrong" }))
    };
    let mut wrong = send(login("admin")).await.problem(401);
    let mut unknown = send(login("nobody")).await.problem(401);
    for error in [&mut wrong, &mut unknown] {
        error["request_id"] = json!("");
    }
    assert_eq!(wrong, unknown);
    for _ in 0..5 {
        send(login("admin")).await.expect(401);
    }
    let slow = send(login("admin")).await.expect(429);
    assert!(slow.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(slow.json()["error"]["code"], "throttled");
}

#[tokio::test]
async fn a_token_works_until_it_is_deleted_and_is_told_once() {
    let app = TestApp::start().await;
    let made = app.post("tokens", json!({ "name": "ci", "role": "viewer" })).await.expect(201).json();
    let secret = made["token"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("p2p_"));
    let with = |path: &str, method| app.anonymous(method, path).bearer_auth(&secret);
    assert_eq!(send(with("me", Method::GET)).await.json()["user"]["role"], "viewer");
    let forbidden = send(with("pools", Method::POST).json(&json!({ "name": "x" }))).await.problem(403);
    assert!(forbidden["message"].as_str().unwrap().contains("publisher"), "{forbidden}");

    let list = app.get("tokens").await.expect(200);
    assert!(list.text.contains("\"ci\"") && !list.text.contains(&secret));
    assert_eq!(app.post("tokens", json!({ "name": "ci" })).await.problem(409)["code"], "conflict");
    app.delete(&format!("tokens/{}", made["id"])).await.expect(204);
    assert_eq!(send(with("me", Method::GET)).await.problem(401)["code"], "wrong_token");
}

#[tokio::test]
async fn a_made_up_token_is_an_error_and_never_nobody() {
    let app = TestApp::start().await;
    app.pool("open", "", json!({ "visibility": "public" })).await;
    let request = app.anonymous(Method::GET, "pools/open");
    send(request.try_clone().unwrap()).await.expect(200);
    assert_eq!(send(request.bearer_auth("p2p_x")).await.problem(401)["code"], "wrong_token");
}

#[tokio::test]
async fn other_web_sites_cannot_change_anything() {
    let app = TestApp::start().await;
    let cookie = app.cookie_of("admin", &app.admin_password).await;
    let create = |name: &str| app.session(Method::POST, "pools", &cookie).json(&json!({ "name": name }));
    for (header, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        let answer = send(create("forged").header(header, value)).await;
        assert_eq!(answer.problem(403)["code"], "cross_site", "{header}: {value}");
    }
    let login = app.anonymous(Method::POST, "login").header("sec-fetch-site", "cross-site").json(&json!({}));
    send(login).await.expect(403);
    assert_eq!(app.get("pools").await.json(), json!([]));
    send(create("ours").header("origin", format!("http://{}", app.address))).await.expect(201);
}

#[tokio::test]
async fn roles_and_owners() {
    let app = TestApp::start().await;
    app.pool("theirs", "a", json!({})).await;
    let publisher = app.person("pub", Role::Publisher).await;
    let viewer = app.person("view", Role::Viewer).await;
    let with = |token: &str, method, path: &str| app.anonymous(method, path).bearer_auth(token);

    app.pool("open", "a", json!({ "visibility": "public" })).await;
    send(with(&viewer, Method::GET, "pools/theirs")).await.expect(404);
    send(with(&viewer, Method::GET, "pools/open")).await.expect(200);
    send(with(&viewer, Method::PATCH, "pools/open").json(&json!({}))).await.expect(403);
    send(with(&publisher, Method::DELETE, "pools/open")).await.expect(403);
    let own = send(with(&publisher, Method::POST, "pools").json(&json!({ "name": "own" }))).await.expect(201).json();
    assert_eq!(own["may_change"], json!(true));
    send(with(&publisher, Method::PATCH, "pools/own").json(&json!({ "description": "mine" }))).await.expect(200);
    send(with(&viewer, Method::POST, "pools").json(&json!({ "name": "no" }))).await.expect(403);
}
