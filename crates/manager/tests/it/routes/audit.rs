use p2ppool_store::{AuditFilter, Page};
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

#[tokio::test]
async fn changes_and_failed_logins_are_written_down_and_looks_are_not() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({ "network_secret": "ab".repeat(32) })).await;
    app.get("pools/x").await.expect(200);
    app.post("pools", json!({ "name": "Wrong Name" })).await.expect(422);
    app.delete("pools/x").await.expect(204);
    send(app.anonymous(Method::POST, "login").json(&json!({ "name": "admin", "password": "no" }))).await.expect(401);
    let lines = app.app.store.audit(&AuditFilter::default(), Page::default()).await.unwrap().items;
    let mut told: Vec<_> = lines.iter().map(|l| (l.entry.actor.as_str(), l.entry.action.as_str())).collect();
    told.sort_unstable();
    assert_eq!(
        told,
        [
            ("admin", "DELETE /pools/{pool}"),
            ("admin", "POST /pools"),
            ("admin", "POST /tokens"),
            ("anonymous", "POST /login"),
            ("anonymous", "POST /login"),
        ]
    );
    let deleted = lines.iter().find(|l| l.entry.action.starts_with("DELETE")).unwrap();
    assert_eq!((deleted.entry.pool.as_deref(), deleted.entry.address.as_deref()), (Some("x"), Some("127.0.0.1")));
    assert!(!format!("{lines:?}").contains("abab"));
}
