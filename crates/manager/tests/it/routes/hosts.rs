use p2ppool_model::Time;
use p2ppool_model::host::{HostSpec, PinnedKey};
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, send};

#[tokio::test]
async fn hosts_are_searched_sorted_and_paged() {
    let app = TestApp::start().await;
    app.pool("x", "node2 site=lyon\nnode10\nother:2200 site=lyon\n", json!({})).await;
    let names = |query: &str| {
        let path = format!("pools/x/hosts?{query}");
        let app = &app;
        async move {
            let page = app.get(&path).await.expect(200).json();
            let items = page["items"].as_array().unwrap().iter();
            (
                page["total"].as_u64().unwrap(),
                items.map(|h| h["address"].as_str().unwrap().to_owned()).collect::<Vec<_>>(),
            )
        }
    };
    assert_eq!(names("sort=address").await, (3, vec!["node2".into(), "node10".into(), "other".into()]));
    assert_eq!(names("sort=address&order=desc&limit=1&offset=1").await, (3, vec!["node10".into()]));
    assert_eq!(names("q=site%3Dlyon").await.0, 2);
    for (query, field) in [
        ("sort=colour", "sort"),
        ("order=up", "order"),
        ("limit=99999999", "limit"),
        ("limit=x", "limit"),
        ("offset=-1", "offset"),
    ] {
        assert_eq!(app.get(&format!("pools/x/hosts?{query}")).await.problem(422)["field"], field, "{query}");
    }
}

#[tokio::test]
async fn a_host_list_is_parsed_without_storing_anything() {
    let app = TestApp::start().await;
    let text = "a\nb:0\nA:22\n\n::1\n";
    let parse = app.admin(Method::POST, "hosts/parse").header("content-type", "text/plain").body(text);
    let list = send(parse).await.expect(200).json();
    assert_eq!(list["hosts"].as_array().unwrap().len(), 2);
    assert_eq!((&list["errors"][0]["line"], &list["duplicates"][0]["line"]), (&json!(2), &json!(3)));
    send(app.anonymous(Method::POST, "hosts/parse").body("a")).await.expect(401);
    let latin1 = app.admin(Method::POST, "hosts/parse").body(vec![b'a', 0xe9]);
    assert!(send(latin1).await.problem(400)["message"].as_str().unwrap().contains("UTF-8"));
}

#[tokio::test]
async fn a_new_host_list_replaces_the_old_one_unless_a_line_is_wrong() {
    let app = TestApp::start().await;
    app.pool("x", "a\nb\n", json!({})).await;
    let error = app.put_text("pools/x/hosts", "a\nc c c\n").await.problem(422);
    assert_eq!(error["details"][0]["line"], 2);
    assert_eq!(app.get("pools/x").await.json()["hosts"]["total"], 2);
    let set = app.put_text("pools/x/hosts", "a\nc\nc\n").await.expect(200).json();
    assert_eq!((&set["added"], &set["kept"], &set["leaving"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(set["duplicates"][0]["line"], 3);
}

#[tokio::test]
async fn a_list_of_many_hosts_is_taken_and_a_larger_body_refused() {
    let app = TestApp::start().await;
    app.pool("x", "", json!({})).await;
    let many: String = (0..20_000)
        .map(|i| format!("host-number-{i}.some.where.example.org site=s{i} rack=r{i} owner=o{i}\n"))
        .collect();
    assert!(many.len() > 1 << 20);
    assert_eq!(app.put_text("pools/x/hosts", &many).await.expect(200).json()["added"], 20_000);
    assert_eq!(app.put_text("pools/x/hosts", &"x".repeat(9 << 20)).await.problem(413)["code"], "too_large");
}

#[tokio::test]
async fn a_changed_host_key_is_accepted_only_by_the_fingerprint_that_was_shown() {
    let app = TestApp::start().await;
    app.pool("x", "h.example:2222\n", json!({})).await;
    let id = app.get("pools/x/hosts").await.json()["items"][0]["id"].clone();
    let key = |name: &str| PinnedKey {
        public_key: format!("ssh-ed25519 {name}"),
        fingerprint: format!("SHA256:{name}"),
        since: Time(1),
    };
    let store = &app.app.store;
    store.pin_host_key("h.example", 2222, &key("old")).await.unwrap();
    let spec = HostSpec { address: "H.example".into(), port: Some(2222), ..HostSpec::default() };
    p2ppool::service::keys::note_shown(store, &spec, &key("new")).await.unwrap();

    for named in [id.to_string(), "h.example:2222".to_owned()] {
        let keys = app.get(&format!("pools/x/hosts/{named}/key")).await.expect(200).json();
        assert_eq!(keys["pinned"]["fingerprint"], "SHA256:old");
        assert_eq!(keys["shown"]["fingerprint"], "SHA256:new");
    }
    let trust =
        |fingerprint: &str| app.post("pools/x/hosts/h.example:2222/trust", json!({ "fingerprint": fingerprint }));
    assert_eq!(trust("SHA256:other").await.problem(422)["field"], "fingerprint");
    let keys = trust("SHA256:new").await.expect(200).json();
    assert_eq!((&keys["pinned"]["fingerprint"], &keys["shown"]), (&json!("SHA256:new"), &json!(null)));
    assert_eq!(store.host_key("h.example", 2222).await.unwrap().unwrap().public_key, "ssh-ed25519 new");
}

#[tokio::test]
async fn a_host_of_another_pool_is_not_found() {
    let app = TestApp::start().await;
    app.pool("x", "a\n", json!({})).await;
    app.pool("y", "b\n", json!({})).await;
    let other = app.get("pools/y/hosts").await.json()["items"][0]["id"].clone();
    for named in [other.to_string(), "b".into(), "999".into(), "no%20host!".into()] {
        assert_eq!(app.get(&format!("pools/x/hosts/{named}/key")).await.problem(404)["code"], "not_found", "{named}");
    }
}
