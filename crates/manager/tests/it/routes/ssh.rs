//! How a pool's hosts are reached, beside its key.

use std::path::Path;
use std::process::Command;

use p2ppool::config::Settings;
use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

/// A new key file: its path and its public half.
pub(super) fn key(folder: &Path, name: &str, kind: &str) -> (String, String) {
    let path = folder.join(name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", kind, "-N", "", "-C", name, "-f"]).arg(&path).status();
    assert!(made.unwrap().success());
    let public = std::fs::read_to_string(path.with_extension("pub")).unwrap().trim().to_owned();
    (path.to_str().unwrap().to_owned(), public)
}

#[tokio::test]
async fn the_way_to_the_hosts_is_kept_and_what_is_wrong_with_it_is_named() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let first = app.get("pools/x/ssh").await.expect(200).json();
    assert_eq!((&first["agent"], &first["jumps"], &first["rotation"]), (&json!(false), &json!([]), &json!(null)));
    let wanted = json!({
        "agent": true, "agent_key": "SHA256:abc", "jump_handshakes": 4,
        "jumps": [{ "address": "gate.example", "port": 2200, "user": "ops" }, { "address": "inner" }],
    });
    let set = app.put("pools/x/ssh", wanted).await.expect(200).json();
    assert_eq!(
        set["jump_keys"][0],
        json!({ "address": "gate.example", "port": 2200, "own_key": null, "pinned": null, "shown": null })
    );
    assert_eq!(app.get("pools/x/ssh").await.expect(200).json(), set);
    for (wrong, field) in [
        (json!({ "agent_key": "SHA256:abc" }), "agent_key"),
        (json!({ "agent": true, "agent_key": "MD5:00" }), "agent_key"),
        (json!({ "jump_handshakes": 0 }), "jump_handshakes"),
        (json!({ "jumps": [{ "address": "-oProxyCommand=reboot" }] }), "jumps"),
        (json!({ "jumps": vec![json!({ "address": "a" }); 5] }), "jumps"),
        (json!({ "jumps": [{ "address": "a", "command": "x" }] }), "jumps"),
        (json!({ "jumps": [{ "address": "a", "handshakes": 0 }] }), "jumps"),
        (json!({ "jumps": [{ "address": "a" }, { "address": "A", "port": 22 }] }), "jumps"),
        (json!({ "colour": "red" }), "colour"),
    ] {
        let error = app.put("pools/x/ssh", wrong.clone()).await.problem(422);
        assert!(error["field"].as_str().unwrap().starts_with(field), "{wrong}: {error}");
    }
    assert_eq!(app.get("pools/x/ssh").await.expect(200).json(), set, "nothing is lost");
    app.put("pools/none/ssh", json!({})).await.problem(404);
}

#[tokio::test]
async fn only_who_manages_a_pool_sees_and_changes_its_way_to_the_hosts() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({ "visibility": "public" })).await;
    let vera = app.person("vera", Role::Viewer).await;
    for (method, path) in [
        (Method::GET, "pools/x/ssh"),
        (Method::PUT, "pools/x/ssh"),
        (Method::PUT, "pools/x/ssh/jump-key"),
        (Method::DELETE, "pools/x/ssh/jump-key"),
        (Method::POST, "pools/x/ssh/trust"),
        (Method::PUT, "pools/x/known-hosts"),
        (Method::POST, "pools/x/rotate_key"),
    ] {
        send(app.anonymous(method.clone(), path).json(&json!({}))).await.problem(401);
        send(app.anonymous(method, path).bearer_auth(&vera).json(&json!({}))).await.problem(403);
    }
    send(app.anonymous(Method::POST, "hosts/import").body("Host a")).await.problem(401);
}

#[tokio::test]
async fn a_key_of_the_jump_hosts_is_kept_sealed_and_forgotten() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let folder = tempfile::tempdir().unwrap();
    let ((file, public), (other, _)) = (key(folder.path(), "one", "ed25519"), key(folder.path(), "two", "ecdsa"));
    let text = std::fs::read_to_string(&file).unwrap();
    let set = app.put("pools/x/ssh/jump-key", json!({ "key": text })).await.expect(200);
    assert!(public.starts_with(set.json()["public_key"].as_str().unwrap()) && !set.text.contains("PRIVATE"));
    let scope = p2ppool_store::SecretScope::Pool(app.app.store.pools().await.unwrap()[0].id);
    let sealed = app.app.store.secret(scope, "jump_key").await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("OPENSSH"));
    assert_eq!(app.get("pools/x/ssh").await.json()["jump_key"], set.json()["fingerprint"]);
    // a certificate for another key
    let signed = Command::new("ssh-keygen").args(["-q", "-I", "x", "-n", "x", "-s", &other, &file]).status().unwrap();
    assert!(signed.success());
    let certificate = std::fs::read_to_string(format!("{file}-cert.pub")).unwrap();
    for path in ["pools/x/ssh/jump-key", "pools/x/key"] {
        let body = json!({ "key": std::fs::read_to_string(&other).unwrap(), "certificate": certificate });
        let error = app.put(path, body).await.problem(422);
        assert_eq!(error["field"], "certificate", "{error}");
        app.put(path, json!({ "key": text, "certificate": certificate })).await.expect(200);
    }
    app.delete("pools/x/ssh/jump-key").await.expect(204);
    assert_eq!(app.get("pools/x/ssh").await.json()["jump_key"], json!(null));
    let left = app.app.store.secret_names(scope).await.unwrap();
    assert!(left.iter().all(|name| !name.starts_with("jump")), "{left:?}");
}

#[tokio::test]
async fn a_jump_host_has_a_key_of_its_own_as_long_as_it_is_one() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let jumps =
        json!({ "jumps": [{ "address": "gate", "user": "ops", "handshakes": 3 }, { "address": "in", "port": 2200 }] });
    let shown = app.put("pools/x/ssh", jumps.clone()).await.expect(200).json();
    assert_eq!((&shown["jumps"][0]["handshakes"], &shown["jumps"][1]["handshakes"]), (&json!(3), &json!(null)));
    let folder = tempfile::tempdir().unwrap();
    let (file, _) = key(folder.path(), "one", "ed25519");
    let body = json!({ "key": std::fs::read_to_string(&file).unwrap() });
    let set = app.put("pools/x/ssh/jump-key?jump=in:2200", body.clone()).await.expect(200).json();
    let keys = |shown: serde_json::Value| [0, 1].map(|at| shown["jump_keys"][at]["own_key"].clone());
    assert_eq!(keys(app.get("pools/x/ssh").await.json()), [json!(null), set["fingerprint"].clone()]);
    for (jump, status) in [("other", 404), ("in:22", 404), ("%27%3B--", 404), ("", 404)] {
        app.put(&format!("pools/x/ssh/jump-key?jump={jump}"), body.clone()).await.problem(status);
        app.delete(&format!("pools/x/ssh/jump-key?jump={jump}")).await.problem(status);
    }
    app.put("pools/x/ssh/jump-key?jump=in", json!({ "key": "none" })).await.problem(422);
    // that of all is another one
    app.put("pools/x/ssh/jump-key", body.clone()).await.expect(200);
    app.delete("pools/x/ssh/jump-key").await.expect(204);
    assert_eq!(keys(app.get("pools/x/ssh").await.json()), [json!(null), set["fingerprint"].clone()]);
    app.delete("pools/x/ssh/jump-key?jump=in").await.expect(204);
    assert_eq!(keys(app.get("pools/x/ssh").await.json()), [json!(null), json!(null)]);
    // nothing is left of a machine that is a jump host no more
    app.put("pools/x/ssh/jump-key?jump=in", body).await.expect(200);
    app.put("pools/x/ssh", json!({ "jumps": [{ "address": "gate" }] })).await.expect(200);
    let scope = p2ppool_store::SecretScope::Pool(app.app.store.pools().await.unwrap()[0].id);
    let left = app.app.store.secret_names(scope).await.unwrap();
    assert!(left.iter().all(|name| !name.starts_with("jump")), "{left:?}");
    assert_eq!(keys(app.put("pools/x/ssh", jumps).await.expect(200).json()), [json!(null), json!(null)]);
}

#[tokio::test]
async fn keys_of_a_known_hosts_file_are_pinned_and_a_pinned_one_is_never_replaced() {
    let app = TestApp::start().await;
    app.pool("x", "one\ntwo:2222\nthree\nfour\n", json!({})).await;
    app.put("pools/x/ssh", json!({ "jumps": [{ "address": "gate" }] })).await.expect(200);
    let folder = tempfile::tempdir().unwrap();
    let [(_, a), (_, b), (_, c)] = ["a", "b", "c"].map(|name| key(folder.path(), name, "ed25519"));
    let text = format!("one,10.0.0.1 {a}\n[two]:2222 {b}\ngate {c}\n@revoked gate {c}\nfour {c}\n");
    let file = folder.path().join("known_hosts");
    std::fs::write(&file, text).unwrap();
    // names become hashes, as HashKnownHosts leaves them
    let hashed = Command::new("ssh-keygen").arg("-H").arg("-f").arg(&file).output().unwrap();
    assert!(hashed.status.success(), "{hashed:?}");
    let text = std::fs::read_to_string(&file).unwrap() + &format!("@cert-authority *.example {a}\nnonsense\n");
    assert!(text.contains("|1|"), "{hashed:?}");
    let result = app.put_text("pools/x/known-hosts", &text).await.expect(200).json();
    assert_eq!(result["pinned"], json!(["one", "two:2222"]), "{result}");
    assert_eq!(result["unknown"], json!(["gate", "three", "four"]), "what is revoked is nobody's: {result}");
    let reasons: Vec<&str> = result["errors"].as_array().unwrap().iter().filter_map(|e| e["reason"].as_str()).collect();
    assert!(reasons.iter().any(|reason| reason.contains("@cert-authority")), "{result}");
    let again = app.put_text("pools/x/known-hosts", &text).await.expect(200).json();
    assert_eq!((&again["pinned"], &again["unchanged"]), (&json!([]), &json!(2)));

    let pinned = app.get("pools/x/hosts/one/key").await.expect(200).json()["pinned"].clone();
    let other = app.put_text("pools/x/known-hosts", &format!("one {b}\n")).await.expect(200).json();
    assert_eq!(other["different"][0]["host"], "one");
    assert_eq!(other["different"][0]["pinned"], pinned["fingerprint"]);
    assert_eq!(app.get("pools/x/hosts/one/key").await.expect(200).json()["pinned"], pinned);
}

#[tokio::test]
async fn hosts_of_an_ssh_configuration_are_read_and_nothing_is_stored() {
    let app = TestApp::start().await;
    let text = "Host gate\n  HostName gate.example\nHost n1 n2\n  User ops\n  ProxyJump gate\n  IdentityFile ~/.ssh/fleet\n\
                Host n2\n  Port 2222\nMatch exec reboot\n  Port 1\n";
    let request = app.admin(Method::POST, "hosts/import").header("content-type", "text/plain").body(text);
    let read: Value = send(request).await.expect(200).json();
    let hosts = read["hosts"].as_array().unwrap();
    assert_eq!(hosts.len(), 3, "{read}");
    assert_eq!((&hosts[1]["host"]["address"], &hosts[1]["host"]["user"]), (&json!("n1"), &json!("ops")));
    assert_eq!((&hosts[2]["host"]["port"], &hosts[2]["jumps"][0]["address"]), (&json!(2222), &json!("gate.example")));
    assert_eq!(read["errors"][0]["line"], 9);
}

#[tokio::test]
async fn a_key_is_not_changed_while_a_task_puts_one_on_the_hosts() {
    let app = TestApp::start().await;
    // it accepts connections and says nothing, so the task has a while to go
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    app.pool("x", &silent.local_addr().unwrap().to_string(), json!({})).await;
    app.post("pools/x/key/generate", json!({})).await.expect(200);
    let task = app.post("pools/x/rotate_key", json!({})).await.expect(202).json();
    assert_eq!(task["action"], "rotate_key");
    let error = app.post("pools/x/key/generate", json!({})).await.problem(409);
    assert_eq!(error["code"], "key_rotates");
    app.post(&format!("tasks/{}/cancel", task["id"]), json!({})).await;
}

#[tokio::test]
async fn people_see_with_what_this_manager_reaches_hosts() {
    let settings = Settings { hosts_connecting: Some(7), connections_per_second: Some(3), ..Settings::default() };
    let app = TestApp::start_with(settings).await;
    send(app.anonymous(Method::GET, "settings/ssh")).await.problem(401);
    let viewer = app.person("view", Role::Viewer).await;
    let facts = send(app.anonymous(Method::GET, "settings/ssh").bearer_auth(&viewer)).await.expect(200).json();
    assert_eq!((&facts["limits"]["connecting"], &facts["limits"]["per_second"]), (&json!(7), &json!(3)));
    assert_eq!((&facts["share"], &facts["all"]["connecting"]), (&facts["limits"], &json!(null)));
    assert_eq!((&facts["host_keys"], &facts["jumps"]["most"]), (&json!("pin_first"), &json!(4)));
    let deadlines = p2ppool_remote::Deadlines::default();
    assert_eq!(facts["deadlines"]["connect_s"], json!(deadlines.connect.as_secs()));
    assert_eq!(facts["deadlines"]["slowest"], json!(deadlines.slowest));
    app.put("managers/limits", json!({ "connecting": 5 })).await.expect(200);
    assert_eq!(app.get("settings/ssh").await.json()["all"]["connecting"], json!(5));
}
