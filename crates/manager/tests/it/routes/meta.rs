use reqwest::Method;

use crate::support::{TestApp, send};

/// Run with `UPDATE_OPENAPI=1` to write the file; `make openapi` does.
#[tokio::test]
async fn web_openapi_json_is_what_the_server_says() {
    let app = TestApp::start().await;
    let served = send(app.anonymous(Method::GET, "openapi.json")).await.expect(200).text;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../web/openapi.json");
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &served).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    assert!(kept == served, "web/openapi.json is stale; run the tests once with UPDATE_OPENAPI=1 and commit it");
}

#[tokio::test]
async fn health_and_version_need_no_account() {
    let app = TestApp::start().await;
    let health = send(app.anonymous(Method::GET, "health")).await.expect(200).json();
    assert_eq!(health["status"], "ok");
    let version = send(app.anonymous(Method::GET, "version")).await.expect(200).json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    app.stop().await;
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let app = TestApp::start().await;
    for path in ["health", "nothing/here", "/", "/pools/x/nodes"] {
        let answer = send(app.anonymous(Method::GET, path)).await;
        let policy = answer.header("content-security-policy").to_owned();
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "same-origin");
        assert_eq!(answer.header("x-request-id").len(), 16);
    }
}

#[tokio::test]
async fn errors_of_the_framework_have_the_same_form() {
    let app = TestApp::start().await;
    assert_eq!(app.get("nothing/here").await.problem(404)["code"], "not_found");
    assert_eq!(send(app.admin(Method::PATCH, "health")).await.problem(405)["code"], "method_not_allowed");
    assert_eq!(app.delete("tokens/x").await.problem(400)["code"], "bad_request");
    let text = app.admin(Method::POST, "pools").header("content-type", "text/plain").body("{}");
    assert_eq!(send(text).await.problem(400)["code"], "bad_request");
    let long = app.admin(Method::POST, "pools").header("content-type", "application/json").body("x".repeat(2 << 20));
    assert_eq!(send(long).await.problem(413)["code"], "too_large");
}
