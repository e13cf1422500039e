//! Login by a real OpenID Connect provider over HTTP.

use std::sync::Arc;

use p2ppool::config::Settings;
use reqwest::Method;
use serde_json::json;

use crate::support::provider::{CLIENT, Provider, SECRET, Wrong};
use crate::support::{Answer, TestApp, send};

async fn world() -> (TestApp, Arc<Provider>) {
    world_below(None).await
}

async fn world_below(base_path: Option<String>) -> (TestApp, Arc<Provider>) {
    let provider = Provider::start().await;
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let settings = Settings {
        oidc_issuer: Some(provider.issuer.clone()),
        oidc_client_id: Some(CLIENT.into()),
        oidc_client_secret_file: Some(secret),
        oidc_roles: vec!["ops=administrator".into(), "lab=viewer".into()],
        base_path,
        ..Settings::default()
    };
    // The file with the secret is gone when the folder is: from then on the sealed one is used.
    (TestApp::start_with(settings).await, provider)
}

/// Begins: the provider's address, and the browser's cookie.
async fn begin(app: &TestApp) -> (String, String) {
    begin_for(app, "").await
}

/// Begins a login that is to end at this page.
async fn begin_for(app: &TestApp, next: &str) -> (String, String) {
    let answer = send(app.anonymous(Method::GET, "oidc/login").query(&[("next", next)])).await.expect(303);
    let cookie = answer.header("set-cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    (answer.header("location").to_owned(), cookie.split(';').next().unwrap().to_owned())
}

async fn come_back(app: &TestApp, address: &str, cookie: &str) -> Answer {
    let path = address.strip_prefix(&format!("http://{}", app.address)).unwrap();
    send(app.anonymous(Method::GET, path).header("cookie", cookie)).await
}

/// The browser was sent back to the page of the login with this code, and nothing else.
fn refused(answer: Answer, code: &str) {
    let answer = answer.expect(303);
    let to = answer.header("location").to_owned();
    let id = answer.header("x-request-id");
    assert_eq!(to, format!("/login?oidc={code}&request={id}"));
    assert_eq!((session_of(&answer).as_str(), answer.text.as_str()), ("", ""), "{code}");
}

fn session_of(answer: &Answer) -> String {
    let cookies = answer.headers.get_all("set-cookie").iter();
    cookies.map(|value| value.to_str().unwrap().split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

#[tokio::test]
async fn a_person_logs_in_by_the_provider_with_the_role_of_their_groups() {
    let (app, provider) = world().await;
    assert_eq!(send(app.anonymous(Method::GET, "oidc")).await.expect(200).json()["enabled"], true);
    let log_in = async |groups: &[&str]| {
        let (url, cookie) = begin(&app).await;
        assert!(!url.contains(SECRET));
        let back = provider.log_in(&url, "subject-1", "anna", groups, Wrong::Nothing);
        let answer = come_back(&app, &back, &cookie).await.expect(303);
        assert_eq!(answer.header("location"), "/");
        let me = send(app.session(Method::GET, "me", &session_of(&answer))).await;
        (session_of(&answer), me.expect(200).json()["user"].clone())
    };
    let (session, me) = log_in(&["lab", "ops"]).await;
    assert_eq!((&me["name"], &me["role"]), (&json!("anna"), &json!("administrator")));
    send(app.session(Method::POST, "pools", &session).json(&json!({ "name": "hers" }))).await.expect(201);
    let (_, again) = log_in(&["lab"]).await;
    assert_eq!((&again["id"], &again["role"]), (&me["id"], &json!("viewer")), "the same person, with less");
    let users = app.get("users").await.json();
    assert_eq!(users.as_array().unwrap().len(), 2);
    let log = app.get("audit?who=anna&action=GET%20/oidc/callback").await.expect(200);
    assert_eq!(log.json()["total"], 2);
    for secret in [SECRET, "code-0"] {
        assert!(!log.text.contains(secret), "{secret}");
    }
    let no_password = json!({ "name": "anna", "password": "" });
    send(app.anonymous(Method::POST, "login").json(&no_password)).await.problem(401);
}

#[tokio::test]
async fn tokens_that_do_not_hold_log_nobody_in() {
    let (app, provider) = world().await;
    for wrong in [Wrong::Nonce, Wrong::Audience, Wrong::Issuer, Wrong::Expiry, Wrong::Signature, Wrong::NoSignature] {
        let (url, cookie) = begin(&app).await;
        let back = provider.log_in(&url, "subject-1", "anna", &["ops"], wrong);
        refused(come_back(&app, &back, &cookie).await, "not_accepted");
    }
    assert_eq!(app.get("users").await.json().as_array().unwrap().len(), 1, "nobody was made");
}

#[tokio::test]
async fn a_login_is_finished_only_in_the_browser_that_began_it_and_once() {
    let (app, provider) = world().await;
    let (url, cookie) = begin(&app).await;
    let (_, other) = begin(&app).await;
    let back = provider.log_in(&url, "subject-1", "anna", &["ops"], Wrong::Nothing);
    for wrong in [other.as_str(), "", "p2ppool_login=x", "p2ppool_login="] {
        refused(come_back(&app, &back, wrong).await, "expired");
    }
    let changed = back.replace("state=", "state=x");
    refused(come_back(&app, &changed, &cookie).await, "expired");
    assert_eq!(come_back(&app, &back, &cookie).await.expect(303).header("location"), "/");
    // a code is exchanged once
    refused(come_back(&app, &back, &cookie).await, "not_accepted");
}

#[tokio::test]
async fn whatever_a_provider_says_instead_becomes_a_word_of_ours() {
    let (app, _) = world().await;
    let (_, cookie) = begin(&app).await;
    let callback = format!("http://{}/api/v1/oidc/callback", app.address);
    for (said, code) in [
        ("access_denied", "denied"),
        ("consent_required", "denied"),
        ("temporarily_unavailable", "unavailable"),
        ("invalid_scope", "not_accepted"),
        ("%3Cscript%3Ealert(1)%3C/script%3E", "not_accepted"),
        ("x%0D%0Aset-cookie:%20p2ppool_session=x", "not_accepted"),
        ("", "not_accepted"),
    ] {
        let back = format!("{callback}?error={said}&error_description=%3Cb%3Ecall%20the%20office%3C/b%3E");
        refused(come_back(&app, &back, &cookie).await, code);
    }
    refused(come_back(&app, &callback, &cookie).await, "expired");
    let log = app.get("audit?action=GET%20/oidc/callback").await.expect(200).json();
    let written: Vec<_> = log["items"].as_array().unwrap().iter().map(|line| &line["details"]["code"]).collect();
    assert_eq!(written.iter().filter(|code| **code == "denied").count(), 2, "{log}");
    assert!(log["items"].as_array().unwrap().iter().all(|line| line["result"] == "refused"), "{log}");
}

#[tokio::test]
async fn a_provider_that_is_down_is_said_on_the_page_of_the_login() {
    let (app, provider) = world().await;
    let (url, cookie) = begin(&app).await;
    let back = provider.log_in(&url, "subject-1", "anna", &["ops"], Wrong::Nothing);
    provider.go_down().await;
    refused(send(app.anonymous(Method::GET, "oidc/login")).await, "unavailable");
    refused(come_back(&app, &back, &cookie).await, "unavailable");
    assert_eq!(app.get("audit?action=GET%20/oidc/callback").await.json()["total"], 0, "nobody was refused");
}

#[tokio::test]
async fn neither_strangers_nor_namesakes_get_in() {
    let (app, provider) = world().await;
    for (subject, name, groups, code) in
        [("s-1", "eve", &["guests"][..], "no_role"), ("s-2", "admin", &["ops"][..], "name_taken")]
    {
        let (url, cookie) = begin(&app).await;
        let back = provider.log_in(&url, subject, name, groups, Wrong::Nothing);
        refused(come_back(&app, &back, &cookie).await, code);
    }
    let (url, cookie) = begin(&app).await;
    come_back(&app, &provider.log_in(&url, "s-3", "ben", &["lab"], Wrong::Nothing), &cookie).await.expect(303);
    let ben = app.app.store.credentials("ben").await.unwrap().unwrap().user.id;
    app.patch(&format!("users/{ben}"), json!({ "disabled": true })).await.expect(200);
    let (url, cookie) = begin(&app).await;
    let back = provider.log_in(&url, "s-3", "ben", &["lab"], Wrong::Nothing);
    refused(come_back(&app, &back, &cookie).await, "locked_out");
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_to_log_in_by() {
    let app = TestApp::start().await;
    assert_eq!(send(app.anonymous(Method::GET, "oidc")).await.json(), json!({ "enabled": false, "issuer": null }));
    send(app.anonymous(Method::GET, "oidc/login")).await.problem(404);
    send(app.anonymous(Method::GET, "oidc/callback?code=x&state=y")).await.problem(404);
}

const PAGE: &str = "pools/x/nodes?q=a%20b&from=2026-11-23T10:00:00Z";

#[tokio::test]
async fn a_login_ends_at_the_page_it_began_at() {
    for (base_path, base) in [(None, "/"), (Some("/p2ppool".to_owned()), "/p2ppool/")] {
        let (app, provider) = world_below(base_path).await;
        let (url, cookie) = begin_for(&app, PAGE).await;
        assert!(!url.contains("nodes"), "the provider learns nothing of it: {url}");
        let back = provider.log_in(&url, "subject-1", "anna", &["ops"], Wrong::Nothing);
        let answer = come_back(&app, &back, &cookie).await.expect(303);
        assert_eq!(answer.header("location"), format!("{base}{PAGE}"));
    }
}

#[tokio::test]
async fn a_refused_login_can_be_tried_again_from_the_same_page() {
    let (app, provider) = world().await;
    let (url, cookie) = begin_for(&app, PAGE).await;
    let back = provider.log_in(&url, "s-1", "eve", &["guests"], Wrong::Nothing);
    let answer = come_back(&app, &back, &cookie).await.expect(303);
    let to = url::Url::parse(&format!("http://manager{}", answer.header("location"))).unwrap();
    let told: std::collections::HashMap<_, _> = to.query_pairs().collect();
    assert_eq!((to.path(), &*told["oidc"], &*told["next"]), ("/login", "no_role", PAGE));
    // what another browser was to end at is nobody's business
    let answer = come_back(&app, &back, "").await;
    refused(answer, "expired");
    provider.go_down().await;
    let answer = send(app.anonymous(Method::GET, "oidc/login").query(&[("next", "tasks/7")])).await.expect(303);
    assert!(answer.header("location").ends_with("&next=tasks%2F7"), "{}", answer.header("location"));
}

#[tokio::test]
async fn no_login_leads_to_another_site() {
    let (app, _) = world_below(Some("/p2ppool".to_owned())).await;
    for next in [
        "//evil.example",
        "https://evil.example",
        "https:evil.example",
        "/p2ppool/pools",
        "/pools",
        "..",
        "../pools",
        "\\\\evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "\t//evil.example",
        "api/v1/oidc/login",
    ] {
        let answer = send(app.anonymous(Method::GET, "oidc/login").query(&[("next", next)])).await;
        assert_eq!((answer.header("location"), answer.header("set-cookie")), ("", ""), "{next}");
        assert_eq!(answer.problem(422)["field"], "next", "{next}");
    }
}
