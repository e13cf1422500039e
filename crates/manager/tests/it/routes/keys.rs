use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

/// Written by ssh-keygen with the passphrase `open sesame`.
fn encrypted_key() -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let made = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "open sesame", "-C", "test", "-f"])
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_said_at_upload() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let encrypted = encrypted_key();
    for (key, passphrase, told) in [
        (encrypted.as_str(), None, "passphrase"),
        (encrypted.as_str(), Some("wrong"), "passphrase"),
        ("hello", None, ""),
        ("", None, ""),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ me", None, "public"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", None, ""),
    ] {
        let error = app.put("pools/x/key", json!({ "key": key, "passphrase": passphrase })).await.problem(422);
        assert_eq!(error["field"], "key");
        assert!(error["message"].as_str().unwrap().contains(told), "{error}");
    }
    assert_eq!(app.get("pools/x/key").await.expect(200).json(), json!(null));
}

#[tokio::test]
async fn a_key_is_kept_sealed_and_never_sent_back() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let key = encrypted_key();
    let set = app.put("pools/x/key", json!({ "key": key, "passphrase": "open sesame" })).await.expect(200).json();
    assert_eq!((&set["algorithm"], &set["encrypted"]), (&json!("ssh-ed25519"), &json!(true)));
    let shown = app.get("pools/x/key").await.expect(200);
    assert_eq!(shown.json(), set);
    assert!(!shown.text.contains("PRIVATE") && !shown.text.contains("sesame"));
    let pool = app.app.store.pools().await.unwrap()[0].id;
    for name in ["ssh_key", "ssh_passphrase"] {
        let sealed = app.app.store.secret(p2ppool_store::SecretScope::Pool(pool), name).await.unwrap().unwrap();
        let text = String::from_utf8_lossy(&sealed).into_owned();
        assert!(!text.contains("OPENSSH") && !text.contains("sesame"));
    }
    send(app.anonymous(Method::GET, "pools/x/key")).await.expect(401);
}

#[tokio::test]
async fn a_generated_key_is_a_line_for_authorized_keys() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let made = app.post("pools/x/key/generate", json!({})).await.expect(200).json();
    assert!(made["public_key"].as_str().unwrap().starts_with("ssh-ed25519 AAAA"), "{made}");
    assert!(made["fingerprint"].as_str().unwrap().starts_with("SHA256:"));
}
