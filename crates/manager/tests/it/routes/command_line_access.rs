//! The command line of access: ways to hosts, share links, views, sessions, second factors.

use p2ppool_remote::testing::Sshd;
use serde_json::json;
use totp_rs::{Algorithm, Builder, Secret};

use super::command_line::Shell;
use super::ssh::key;
use crate::support::TestApp;

#[tokio::test]
async fn the_way_to_hosts_is_set_and_shown() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    app.pool("x", "one\ntwo\n", json!({})).await;
    shell.ok(&["ssh", "set", "x", "--jump", "ops@gate:2200,inner", "--jump-handshakes", "4"]).await;
    let shown = shell.json(&["ssh", "set", "x", "--agent", "yes"]).await;
    assert_eq!((&shown["agent"], &shown["jump_handshakes"]), (&json!(true), &json!(4)), "what isn't named stays");
    assert_eq!(shown["jumps"][0], json!({ "address": "gate", "port": 2200, "user": "ops", "handshakes": null }));
    let text = shell.ok(&["ssh", "show", "x"]).await;
    assert!(text.contains("ops@gate:2200") && text.contains("ssh-agent"), "{text}");
    let limited = shell.json(&["ssh", "set", "x", "--jump-limit", "inner=2", "--jump-limit", "ops@gate:2200=9"]).await;
    assert_eq!([0, 1].map(|at| limited["jumps"][at]["handshakes"].clone()), [json!(9), json!(2)]);
    let moved = shell.json(&["ssh", "set", "x", "--jump", "inner,gate:2200", "--jump-limit", "inner=default"]).await;
    assert_eq!([0, 1].map(|at| moved["jumps"][at]["handshakes"].clone()), [json!(null), json!(9)], "kept by machine");
    for wrong in ["inner", "inner=x", "inner=0", "other=2"] {
        shell.fails(&["ssh", "set", "x", "--jump-limit", wrong]).await;
    }
    assert!(shell.fails(&["ssh", "set", "x", "--jump", "a b"]).await.contains("no jump host"));
    assert_eq!(shell.json(&["ssh", "set", "x", "--jump", "none"]).await["jumps"], json!([]));

    let (file, public) = key(shell.home.path(), "gate_key", "ed25519");
    let kept = shell.json(&["ssh", "jump-key", "x", &file]).await;
    assert!(public.starts_with(kept["public_key"].as_str().unwrap()));
    assert!(shell.fails(&["ssh", "jump-key", "x", &file, "--jump", "inner"]).await.contains("jump host"));
    shell.ok(&["ssh", "set", "x", "--jump", "gate,inner"]).await;
    shell.ok(&["ssh", "jump-key", "x", &file, "--jump", "inner"]).await;
    let text = shell.ok(&["ssh", "show", "x"]).await;
    assert!(text.lines().any(|line| line.contains("inner") && line.contains("reached with SHA256:")), "{text}");
    shell.ok(&["ssh", "jump-key", "x", "--forget", "--jump", "inner"]).await;
    shell.ok(&["ssh", "set", "x", "--jump", "none"]).await;
    assert!(shell.fails(&["ssh", "jump-key", "x"]).await.contains("FILE"));
    shell.ok(&["ssh", "jump-key", "x", "--forget"]).await;
    assert!(shell.fails(&["ssh", "trust", "x", "gate", "--key", "SHA256:x"]).await.contains("jump host"));

    let known = shell.home.path().join("known_hosts");
    std::fs::write(&known, format!("one {public}\nbroken\n")).unwrap();
    let text = shell.ok(&["host", "known-hosts", "x", known.to_str().unwrap()]).await;
    assert!(text.contains("1 pinned") && text.contains("line 2"), "{text}");
    let config = shell.home.path().join("config");
    std::fs::write(&config, "Host n1\n  HostName n1.lan\n  ProxyJump gate\n").unwrap();
    let text = shell.ok(&["host", "import", config.to_str().unwrap()]).await;
    assert!(text.contains("n1.lan") && text.contains("--jump gate"), "{text}");
    // what it prints is a host list
    let list = shell.home.path().join("hosts.txt");
    std::fs::write(&list, &text).unwrap();
    assert_eq!(shell.json(&["host", "set", "x", list.to_str().unwrap()]).await["added"], 1);
}

#[tokio::test]
async fn share_links_are_made_listed_and_revoked() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    app.pool("x", "a", json!({})).await;
    let made = shell.json(&["share", "create", "x", "for the paper", "--view", "map,stats", "--days", "3"]).await;
    let url = made["url"].as_str().unwrap();
    let token = url.rsplit_once("/share/").unwrap().1;
    assert_eq!(made["views"], json!(["map", "stats"]));
    assert!(made["expires"].is_string());
    let opened = app.anonymous(reqwest::Method::GET, &format!("share/{token}"));
    crate::support::send(opened).await.expect(200);
    let text = shell.ok(&["share", "list", "x"]).await;
    assert!(text.contains("for the paper") && text.contains("map,stats") && !text.contains(token), "{text}");
    let id = made["id"].to_string();
    shell.ok(&["share", "revoke", "x", &id]).await;
    assert!(shell.ok(&["share", "list", "x"]).await.contains("revoked"));
    assert!(shell.json(&["share", "list", "x"]).await[0]["revoked"].is_string());
    shell.fails(&["share", "revoke", "x", "999"]).await;
    shell.fails(&["share", "create", "x", "nothing"]).await;
    let told = shell.fails(&["share", "create", "x", "bad", "--view", "map", "--embed", "not a site"]).await;
    assert!(told.contains("embed"), "{told}");
    let limited = ["--view", "map", "--places", "city", "--namespace", "lab", "--namespace", "grid"];
    let narrow = shell.json(&[&["share", "create", "x", "narrow"][..], &limited].concat()).await;
    assert_eq!((&narrow["places"], &narrow["namespaces"]), (&json!("city"), &json!(["grid", "lab"])));
}

#[tokio::test]
async fn default_views_are_set_for_everybody_and_for_oneself() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    app.pool("x", "a", json!({})).await;
    let set =
        ["view", "set", "x", "nodes", "--columns", "address,consistency", "--sort", "consistency", "--order", "desc"];
    let set = shell.json(&[&set[..], &["--filter", "status=answering", "--range", "7d"]].concat()).await;
    assert_eq!(set["pool"]["columns"], json!(["address", "consistency"]));
    assert_eq!(set["pool"]["filters"], json!({ "status": "answering" }));
    let own = shell.json(&["view", "set", "x", "nodes", "--own", "--columns", "ip"]).await;
    assert_eq!((&own["own"]["columns"], &own["pool"]), (&json!(["ip"]), &set["pool"]));
    let text = shell.ok(&["view", "show", "x", "nodes"]).await;
    assert!(text.contains("columns address,consistency; by consistency desc; status=answering; range 7d"), "{text}");
    assert!(shell.fails(&["view", "set", "x", "nodes", "--columns", "a,a"]).await.contains("columns"));
    shell.ok(&["view", "reset", "x", "nodes", "--own"]).await;
    let left = shell.json(&["view", "show", "x", "nodes"]).await;
    assert_eq!((&left["own"], &left["pool"]), (&json!(null), &set["pool"]));
    assert!(shell.ok(&["view", "reset", "x", "nodes"]).await.contains("as the program has it"));
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let cookie = app.cookie_of("admin", &app.admin_password).await;
    let mine = async || crate::support::send(app.session(reqwest::Method::GET, "me", &cookie)).await;
    let listed = shell.json(&["session", "list"]).await;
    let newest = listed.as_array().unwrap().iter().map(|session| session["id"].as_i64().unwrap()).max().unwrap();
    assert!(shell.ok(&["session", "list"]).await.contains("127.0.0.1"));
    assert_eq!(mine().await.expect(200).json()["user"]["name"], "admin");
    shell.ok(&["session", "end", &newest.to_string()]).await;
    assert_eq!(mine().await.expect(200).json()["user"], json!(null));
    shell.fails(&["session", "end", &newest.to_string()]).await;
    shell.fails(&["session", "end"]).await;
    app.cookie_of("admin", &app.admin_password).await;
    assert!(shell.json(&["session", "end", "--all"]).await["ended"].as_u64().unwrap() >= 1);
    assert_eq!(shell.json(&["session", "list"]).await, json!([]));
}

#[tokio::test]
async fn a_second_factor_is_set_up_and_ended() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let password = shell.home.path().join("password");
    std::fs::write(&password, &app.admin_password).unwrap();
    let password = password.to_str().unwrap();
    assert!(shell.ok(&["totp", "show"]).await.contains("no second factor"));
    let begun = shell.json(&["totp", "begin", "--password-file", password]).await;
    let secret = Secret::try_from_base32(begun["secret"].as_str().unwrap()).unwrap();
    let builder = Builder::new().with_algorithm(Algorithm::SHA1).with_digits(6).with_step_duration(30);
    let phone = builder.with_secret(secret.as_bytes().to_vec()).build().unwrap();
    let code = phone.generate(u64::try_from(p2ppool_model::Time::now().0 / 1000).unwrap()).to_string();
    let codes = shell.json(&["totp", "confirm", &code]).await;
    let recovery = codes["recovery_codes"][0].as_str().unwrap();
    assert!(shell.ok(&["totp", "show"]).await.contains("10 recovery codes"));
    shell.fails(&["login", "--password-file", password]).await;
    shell.ok(&["login", "--password-file", password, "--code", recovery]).await;
    let wrong = shell.home.path().join("wrong");
    std::fs::write(&wrong, "wrong").unwrap();
    shell.fails(&["totp", "end", "--password-file", wrong.to_str().unwrap()]).await;
    shell.ok(&["totp", "end", "--password-file", password]).await;
    shell.ok(&["login", "--password-file", password]).await;
}

/// Measures the pool's hosts: every outcome.
async fn measured(app: &TestApp, shell: &Shell<'_>) -> Vec<String> {
    let id = shell.json(&["gather", "usage", "x"]).await["id"].as_i64().unwrap();
    app.app.engine.ended(p2ppool_model::TaskId(id)).await.unwrap();
    let hosts = app.get(&format!("tasks/{id}/hosts")).await.expect(200).json();
    hosts["items"].as_array().unwrap().iter().map(|host| host["outcome"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_host_key_refuses_the_host_raises_an_alert_and_is_trusted_by_its_fingerprint() {
    let mut sshd = Sshd::with_hosts(1).unwrap();
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let host = format!("{}:{}", sshd.address(0), sshd.port());
    app.pool("x", &host, json!({ "ssh_user": sshd.user(), "private_addresses": true })).await;
    app.put("pools/x/key", json!({ "key": sshd.private_key() })).await.expect(200);
    let rule = json!({ "name": "keys", "condition": { "kind": "host_key_changed" }, "targets": [] });
    app.post("pools/x/alert-rules", rule).await.expect(201);
    assert_eq!(measured(&app, &shell).await, ["ok"]);
    let before = shell.json(&["host", "trust", "x", &host]).await;
    assert_eq!(before["shown"], json!(null));

    sshd.change_host_keys().unwrap();
    assert_eq!(measured(&app, &shell).await, ["refused"]);
    let keys = shell.json(&["host", "trust", "x", &host]).await;
    let (pinned, shown) =
        (keys["pinned"]["fingerprint"].as_str().unwrap(), keys["shown"]["fingerprint"].as_str().unwrap());
    assert_eq!(pinned, before["pinned"]["fingerprint"]);
    assert_ne!(pinned, shown);
    let text = shell.ok(&["host", "trust", "x", &host]).await;
    assert!(text.contains(pinned) && text.contains(shown), "{text}");
    until(&shell, |alerts| alerts.contains("another host key")).await;

    assert_eq!(measured(&app, &shell).await, ["refused"], "until a person accepts it");
    shell.fails(&["host", "trust", "x", &host, "--key", "SHA256:guessed"]).await;
    shell.ok(&["host", "trust", "x", &host, "--key", shown]).await;
    assert_eq!(measured(&app, &shell).await, ["ok"]);
    until(&shell, |alerts| !alerts.contains("another host key")).await;
}

/// Looks at the open alerts until they are so.
async fn until(shell: &Shell<'_>, is: impl Fn(&str) -> bool) {
    let looking = async {
        while !is(&shell.ok(&["alert", "list", "--state", "open"]).await) {
            // slower than the limit of requests
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), looking).await.expect("the alerts never were so");
}

#[tokio::test]
async fn how_maps_are_drawn_is_shown_and_changed() {
    let app = TestApp::start().await;
    let shell = Shell::new(&app);
    let tiles = "https://tiles.example.org/{z}/{x}/{y}.png";
    let set = shell.json(&["map", "--tiles", tiles, "--attribution", "© Somebody", "--zoom-max", "19"]).await;
    assert_eq!((&set["tiles"], &set["zoom_max"], &set["hide_borders"]), (&json!(tiles), &json!(19), &json!(false)));
    let kept = shell.json(&["map", "--hide-borders", "true"]).await;
    assert_eq!((&kept["tiles"], &kept["hide_borders"]), (&json!(tiles), &json!(true)), "what isn't given stays");
    let text = shell.ok(&["map"]).await;
    assert!(text.contains(tiles) && text.contains("© Somebody") && text.contains("hidden"), "{text}");
    assert!(shell.fails(&["map", "--tiles", "https://tiles.example.org/"]).await.contains("must hold {z} once"));
    assert!(shell.fails(&["map", "--zoom-max", "23"]).await.contains("1 to 22"));
    assert_eq!(shell.json(&["map", "--tiles", "none"]).await["tiles"], json!(null));
}
