//! Sessions in browsers, and what keeps other web sites from using them.

use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

#[tokio::test]
async fn a_change_with_a_cookie_needs_what_only_our_own_pages_can_read() {
    let app = TestApp::start().await;
    let cookie = app.cookie_of("admin", &app.admin_password).await;
    let other = app.cookie_of("admin", &app.admin_password).await;
    let csrf_of = |cookie: &str| cookie.split("p2ppool_csrf=").nth(1).unwrap().to_owned();
    let create = |csrf: Option<String>| {
        let request =
            app.anonymous(Method::POST, "pools").header("cookie", cookie.clone()).json(&json!({ "name": "x" }));
        if let Some(csrf) = csrf { request.header("x-csrf-token", csrf) } else { request }
    };
    for forged in [None, Some(String::new()), Some("0".repeat(64)), Some(csrf_of(&other))] {
        assert_eq!(send(create(forged.clone())).await.problem(403)["code"], "csrf", "{forged:?}");
    }
    // A cookie that a neighbouring site planted does not help: the header is compared with the session itself.
    let session = cookie.split("; ").next().unwrap();
    let planted = app
        .anonymous(Method::POST, "pools")
        .header("cookie", format!("{session}; p2ppool_csrf=planted"))
        .header("x-csrf-token", "planted")
        .json(&json!({ "name": "x" }));
    assert_eq!(send(planted).await.problem(403)["code"], "csrf");
    assert_eq!(app.get("pools").await.json(), json!([]));
    send(create(Some(csrf_of(&cookie)))).await.expect(201);

    // Logging in again needs nothing of the session before.
    let login = json!({ "name": "admin", "password": app.admin_password });
    send(app.anonymous(Method::POST, "login").header("cookie", cookie.clone()).json(&login)).await.expect(200);

    // Replayed after logout, in the next session.
    send(app.session(Method::POST, "logout", &cookie)).await.expect(204);
    let next = app.cookie_of("admin", &app.admin_password).await;
    let replayed =
        app.anonymous(Method::DELETE, "pools/x").header("cookie", next).header("x-csrf-token", csrf_of(&cookie));
    assert_eq!(send(replayed).await.problem(403)["code"], "csrf");
    let ended = app.session(Method::DELETE, "pools/x", &cookie);
    assert_eq!(send(ended).await.problem(401)["code"], "unauthenticated");
}

#[tokio::test]
async fn an_older_page_is_told_what_to_repeat() {
    let app = TestApp::start().await;
    let cookie = app.cookie_of("admin", &app.admin_password).await;
    let session = cookie.split("; ").next().unwrap().to_owned();
    let me = send(app.anonymous(Method::GET, "me").header("cookie", session)).await.expect(200);
    let told = me.header("set-cookie");
    assert!(told.starts_with(cookie.split("; ").nth(1).unwrap()) && !told.contains("HttpOnly"), "{told}");
    assert_eq!(send(app.anonymous(Method::GET, "me")).await.header("set-cookie"), "");
}

#[tokio::test]
async fn sessions_are_listed_and_ended_by_their_owner() {
    let app = TestApp::start().await;
    app.person("anna", Role::Viewer).await;
    let login = async || app.cookie_of("anna", "correct horse battery").await;
    let (here, there) = (login().await, login().await);
    let list = send(app.session(Method::GET, "sessions", &here)).await.expect(200).json();
    let current: Vec<_> = list.as_array().unwrap().iter().filter(|s| s["current"] == true).collect();
    assert_eq!((list.as_array().unwrap().len(), current.len()), (3, 1), "{list}");
    assert_eq!(current[0]["address"], "127.0.0.1");

    let others = list.as_array().unwrap().iter().find(|s| s["current"] == false).unwrap();
    let ben = app.person("ben", Role::Viewer).await;
    let theirs = app.anonymous(Method::DELETE, &format!("sessions/{}", others["id"])).bearer_auth(ben);
    send(theirs).await.problem(404);
    let ended = send(app.session(Method::DELETE, "sessions", &here)).await.expect(200).json();
    assert_eq!(ended, json!({ "ended": 2 }));
    let me = async |cookie: &str| send(app.session(Method::GET, "me", cookie)).await.json()["user"]["name"].clone();
    assert_eq!((me(&here).await, me(&there).await), (json!("anna"), json!(null)));
    send(app.session(Method::DELETE, &format!("sessions/{}", current[0]["id"]), &here)).await.expect(204);
    assert_eq!(me(&here).await, json!(null));
}

#[tokio::test]
async fn who_manages_people_ends_their_sessions() {
    let app = TestApp::start().await;
    let anna = app.person("anna", Role::Administrator).await;
    let cookie = app.cookie_of("anna", "correct horse battery").await;
    let id = app.app.store.credentials("anna").await.unwrap().unwrap().user.id;
    let path = format!("users/{id}/sessions");
    assert_eq!(app.get(&path).await.expect(200).json().as_array().unwrap().len(), 2);
    send(app.anonymous(Method::DELETE, &path).bearer_auth(anna)).await.problem(403);
    assert_eq!(app.delete(&path).await.expect(200).json(), json!({ "ended": 2 }));
    assert_eq!(send(app.session(Method::GET, "me", &cookie)).await.json()["user"], json!(null));
    app.get("users/77/sessions").await.problem(404);
}

#[tokio::test]
async fn forged_and_guessed_cookies_are_nobody() {
    let app = TestApp::start().await;
    let cookie = app.cookie_of("admin", &app.admin_password).await;
    let secret = cookie.split("; ").next().unwrap().split_once('=').unwrap().1.to_owned();
    let hash = p2ppool::accounts::SecretHash::of(&secret);
    for forged in ["", "x", "admin", hash.as_str(), &secret[1..], &format!("{secret}x"), "%00", "1 OR 1=1"] {
        let request = app.anonymous(Method::GET, "me").header("cookie", format!("p2ppool_session={forged}"));
        assert_eq!(send(request).await.expect(200).json()["user"], json!(null), "{forged}");
    }
}
