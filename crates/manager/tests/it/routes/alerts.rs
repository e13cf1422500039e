//! Alerts against real receivers on loopback: an HTTP server and an SMTP server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use p2ppool::alerts::{AlertPace, Alerts, Notice, notify};
use p2ppool_model::alert::{Message, MessageKind};
use p2ppool_model::role::Role;
use p2ppool_model::{AlertTargetId, Time};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::support::{TestApp, crawl, node, send};

/// What does not arrive within this never will.
const SOON: Duration = Duration::from_secs(30);

struct Post {
    headers: axum::http::HeaderMap,
    body: String,
}

struct Receiver {
    url: String,
    posts: mpsc::Receiver<Post>,
}

impl Receiver {
    /// Answers the first `refused` posts with 503.
    async fn start(refused: usize) -> Self {
        let (sender, posts) = mpsc::channel(100);
        let count = Arc::new(AtomicUsize::new(0));
        let hook = move |headers: axum::http::HeaderMap, body: String| async move {
            let _ = sender.send(Post { headers, body }).await;
            let busy = count.fetch_add(1, Ordering::Relaxed) < refused;
            if busy { axum::http::StatusCode::SERVICE_UNAVAILABLE } else { axum::http::StatusCode::NO_CONTENT }
        };
        let away = || async { axum::response::Redirect::temporary("http://169.254.169.254/latest/meta-data") };
        let router =
            axum::Router::new().route("/hook", axum::routing::post(hook)).route("/away", axum::routing::post(away));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, posts }
    }

    fn hook(&self) -> String {
        format!("{}/hook", self.url)
    }

    async fn next(&mut self) -> Post {
        tokio::time::timeout(SOON, self.posts.recv()).await.expect("a message in time").unwrap()
    }
}

fn message(post: &Post) -> Message {
    serde_json::from_str(&post.body).unwrap()
}

#[track_caller]
fn signed(post: &Post, secret: &str) {
    let header = |name: &str| post.headers[name].to_str().unwrap().to_owned();
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(format!("{}.{}", header("x-p2ppool-timestamp"), post.body).as_bytes());
    assert_eq!(header("x-p2ppool-signature"), format!("sha256={}", hex::encode(mac.finalize().into_bytes())));
    let sent: i64 = header("x-p2ppool-timestamp").parse().unwrap();
    assert!((sent - Time::now().0 / 1000).abs() < 60);
}

async fn allow_loopback(app: &TestApp) {
    app.put("alert-settings", json!({ "allowed_networks": ["127.0.0.0/8"] })).await.expect(200);
}

async fn webhook(app: &TestApp, url: &str) -> Value {
    let target = json!({ "name": "hook", "settings": { "kind": "webhook", "url": url } });
    app.post("alert-targets", target).await.expect(201).json()
}

/// Looks at a target until it is so: what arrived is noted a moment later.
async fn until(app: &TestApp, id: AlertTargetId, is: impl Fn(&Value) -> bool) -> Value {
    let looking = async {
        loop {
            let state = app.get(&format!("alert-targets/{id}")).await.expect(200).json();
            if is(&state) {
                return state;
            }
            // no event tells of it; slower than the limit of requests
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, looking).await.expect("the target is so in time")
}

#[tokio::test]
async fn an_alert_is_told_once_and_so_is_its_end() {
    let app = TestApp::start().await;
    let mut receiver = Receiver::start(0).await;
    allow_loopback(&app).await;
    app.pool("x", "a", json!({})).await;
    let target = webhook(&app, &receiver.hook()).await;
    let secret = target["secret"].as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 64, "made for it and told once");
    let again = app.get(&format!("alert-targets/{}", target["id"])).await.expect(200);
    assert!(!again.text.contains(&secret) && again.json()["has_secret"] == json!(true));

    let pool = app.app.store.pool_by_name(&"x".parse().unwrap()).await.unwrap();
    app.app.store.set_pool_state(pool.id, p2ppool_model::pool::PoolState::Running).await.unwrap();
    let rule = json!({
        "name": "falling apart", "condition": { "kind": "consistency_below", "below": 0.9, "crawls": 1, "of": 1 },
        "targets": [target["id"]],
    });
    app.post("pools/x/alert-rules", rule).await.expect(201);
    crawl(&app, "x", Time(1_000), &[node("n", Some(0.5))]).await;
    app.app.alerts.changed();
    let opened = receiver.next().await;
    signed(&opened, &secret);
    let told = message(&opened);
    assert_eq!((told.kind, told.pool.as_deref(), told.alerts.len()), (MessageKind::Opened, Some("x"), 1));
    assert!(told.title.contains("consistency was below 90.0 %"), "{}", told.title);
    let open = app.get("alerts?pool=x&state=open").await.expect(200).json();
    let id = open["items"][0]["id"].clone();
    let seen = app.post(&format!("alerts/{id}/acknowledge"), json!({ "comment": "on it" })).await.expect(200).json();
    assert_eq!((&seen["acknowledged_by"], &seen["comment"]), (&json!("admin"), &json!("on it")));

    // still wrong: nothing is told; over: told once
    crawl(&app, "x", Time(2_000), &[node("n", Some(0.4))]).await;
    app.app.alerts.changed();
    crawl(&app, "x", Time(3_000), &[node("n", Some(1.0))]).await;
    app.app.alerts.changed();
    let recovered = receiver.next().await;
    assert_eq!(message(&recovered).kind, MessageKind::Recovered);
    assert_ne!(opened.headers["x-p2ppool-delivery"], recovered.headers["x-p2ppool-delivery"]);
    let all = app.get("alerts").await.expect(200).json();
    assert_eq!((&all["total"], &all["items"][0]["state"]), (&json!(1), &json!("recovered")));
    app.app.alerts.shutdown().await;
    assert!(receiver.posts.try_recv().is_err(), "one message each");
}

#[tokio::test]
async fn a_message_survives_refusals_and_managers_and_comes_once() {
    let app = TestApp::start().await;
    // what runs in the server must not send
    app.app.alerts.shutdown().await;
    let mut receiver = Receiver::start(3).await;
    allow_loopback(&app).await;
    let target = webhook(&app, &receiver.hook()).await;
    let id = AlertTargetId(target["id"].as_i64().unwrap());
    let notice = Notice { from: "workflow nightly".into(), title: "done\nX: y".into(), ..Notice::default() };
    let store = &app.app.store;
    assert_eq!(notify(store, &[id, AlertTargetId(999)], notice).await.unwrap(), 1);
    assert_eq!(app.get(&format!("alert-targets/{id}")).await.json()["waiting"], 1, "nobody sends, nothing is lost");

    let pace = AlertPace { retry: Duration::from_millis(10), ..AlertPace::default() };
    let start = || Alerts::start(store.clone(), app.app.secrets.clone(), app.app.events.clone(), pace);
    let managers = [start(), start()];
    let mut numbers = Vec::new();
    for _ in 0..4 {
        let post = receiver.next().await;
        numbers.push(post.headers["x-p2ppool-delivery"].clone());
        assert_eq!(message(&post).kind, MessageKind::Notice);
    }
    numbers.dedup();
    assert_eq!(numbers.len(), 1, "every attempt carries the message's number");
    let state = until(&app, id, |state| state["waiting"] == 0).await;
    assert_eq!((&state["lost"], &state["error"]), (&json!(0), &json!(null)));
    for manager in &managers {
        manager.shutdown().await;
    }
    assert!(receiver.posts.try_recv().is_err(), "delivered once, by one of them");
    assert!(state["delivered"].is_string());
}

#[tokio::test]
async fn what_can_not_be_delivered_for_too_long_is_given_up_and_shown() {
    let app = TestApp::start().await;
    app.app.alerts.shutdown().await;
    let mut receiver = Receiver::start(usize::MAX).await;
    allow_loopback(&app).await;
    let target = webhook(&app, &receiver.hook()).await;
    let id = AlertTargetId(target["id"].as_i64().unwrap());
    notify(&app.app.store, &[id], Notice::default()).await.unwrap();
    let pace = AlertPace { give_up: Duration::ZERO, ..AlertPace::default() };
    let alerts = Alerts::start(app.app.store.clone(), app.app.secrets.clone(), app.app.events.clone(), pace);
    receiver.next().await;
    let state = until(&app, id, |state| state["lost"] == 1).await;
    assert!(state["error"].as_str().unwrap().contains("503"), "{state}");
    alerts.shutdown().await;
}

#[tokio::test]
async fn targets_are_no_way_into_the_managers_network() {
    let app = TestApp::start().await;
    let mut receiver = Receiver::start(0).await;
    let target = webhook(&app, &receiver.hook()).await;
    let test = format!("alert-targets/{}/test", target["id"]);
    let refused = app.post(&test, json!({})).await.expect(200).json();
    assert_eq!(refused["delivered"], json!(false));
    assert!(refused["error"].as_str().unwrap().contains("super administrator"), "{refused}");
    let port = receiver.url.rsplit_once(':').unwrap().1.to_owned();
    for url in [
        format!("http://localhost:{port}/hook"),
        format!("http://[::ffff:127.0.0.1]:{port}/hook"),
        format!("http://2130706433:{port}/hook"),
        format!("http://0x7f.1:{port}/hook"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "http://[fd00:ec2::254]/".to_owned(),
    ] {
        let settings = json!({ "settings": { "kind": "webhook", "url": url } });
        app.patch(&format!("alert-targets/{}", target["id"]), settings).await.expect(200);
        let refused = app.post(&test, json!({})).await.expect(200).json();
        assert!(refused["error"].as_str().unwrap().contains("super administrator"), "{url}: {refused}");
    }
    assert!(receiver.posts.try_recv().is_err());

    allow_loopback(&app).await;
    let path = format!("alert-targets/{}", target["id"]);
    app.patch(&path, json!({ "settings": { "kind": "webhook", "url": receiver.hook() } })).await.expect(200);
    assert_eq!(app.post(&test, json!({})).await.expect(200).json()["delivered"], json!(true));
    assert_eq!(message(&receiver.next().await).kind, MessageKind::Test);
    let away = json!({ "settings": { "kind": "webhook", "url": format!("{}/away", receiver.url) } });
    app.patch(&path, away).await.expect(200);
    let redirected = app.post(&test, json!({})).await.expect(200).json();
    assert!(redirected["error"].as_str().unwrap().contains("redirects are not followed"), "{redirected}");
}

/// A small SMTP server (RFC 5321) without TLS that takes one mail and returns its envelope and text.
async fn smtp() -> (u16, tokio::task::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let (mut heard, mut in_text) = (Vec::new(), false);
        writer.write_all(b"220 test ESMTP\r\n").await.unwrap();
        while let Some(line) = lines.next_line().await.unwrap() {
            heard.push(line.clone());
            let answer = match line.split(' ').next().unwrap_or_default() {
                "." if in_text => {
                    in_text = false;
                    "250 taken"
                }
                _ if in_text => continue,
                "EHLO" => "250-test\r\n250 AUTH PLAIN LOGIN",
                "AUTH" => "235 welcome",
                "DATA" => {
                    in_text = true;
                    "354 go on"
                }
                "QUIT" => break,
                _ => "250 fine",
            };
            writer.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            if answer == "250 taken" {
                break;
            }
        }
        heard
    });
    (port, server)
}

#[tokio::test]
async fn mail_goes_through_an_smtp_server() {
    let app = TestApp::start().await;
    allow_loopback(&app).await;
    let (port, server) = smtp().await;
    let target = json!({ "name": "ops", "secret": "pass word", "settings": {
        "kind": "mail", "server": "localhost", "port": port, "security": "none", "user": "me",
        "from": "P2PPool <p2ppool@example.org>", "to": ["ops@example.org", "Night <night@example.org>"],
    }});
    let target = app.post("alert-targets", target).await.expect(201);
    assert!(!target.text.contains("pass word"));
    let test = format!("alert-targets/{}/test", target.json()["id"]);
    let sent = app.post(&test, json!({})).await.expect(200).json();
    assert_eq!(sent, json!({ "delivered": true, "error": null }));
    let heard = tokio::time::timeout(SOON, server).await.unwrap().unwrap();
    for line in ["MAIL FROM:<p2ppool@example.org>", "RCPT TO:<ops@example.org>", "RCPT TO:<night@example.org>"] {
        assert!(heard.iter().any(|heard| heard.starts_with(line)), "{heard:?}");
    }
    assert!(heard.iter().any(|line| line.starts_with("AUTH PLAIN")), "{heard:?}");
    assert!(heard.contains(&"Subject: P2PPool Manager: a test".to_owned()), "{heard:?}");

    let nobody = app.post(&test, json!({})).await.expect(200).json();
    assert_eq!(nobody["delivered"], json!(false), "the server is gone: {nobody}");
}

#[tokio::test]
async fn quiet_hours_hold_messages_back() {
    let app = TestApp::start().await;
    allow_loopback(&app).await;
    let mut receiver = Receiver::start(0).await;
    let target = webhook(&app, &receiver.hook()).await;
    let path = format!("alert-targets/{}", target["id"]);
    // quiet all around the clock but for the minute that ended half a day ago
    let noon: Time = Time(Time::now().0 + 12 * 3_600_000);
    let clock = |time: Time| time.to_string()[11..16].to_owned();
    let quiet = json!({ "from": clock(Time(noon.0 + 60_000)), "until": clock(noon), "time_zone": "UTC" });
    assert_eq!(
        app.patch(&path, json!({ "quiet": { "from": "25:00", "until": "07:00" } })).await.problem(422)["field"],
        "quiet.from"
    );
    app.patch(&path, json!({ "quiet": quiet })).await.expect(200);
    let id = AlertTargetId(target["id"].as_i64().unwrap());
    notify(&app.app.store, &[id], Notice { title: "later".into(), ..Notice::default() }).await.unwrap();
    app.app.alerts.changed();
    // a test is sent although it is quiet, and what waits still waits then
    app.post(&format!("{path}/test"), json!({})).await.expect(200);
    assert_eq!(message(&receiver.next().await).kind, MessageKind::Test);
    assert_eq!(app.get(&path).await.json()["waiting"], 1);
    assert!(receiver.posts.try_recv().is_err());
}

#[tokio::test]
async fn people_use_their_own_targets_and_change_rules_of_their_own_pools() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({ "visibility": "public" })).await;
    let (owner, other) = (app.person("own", Role::Publisher).await, app.person("oth", Role::Publisher).await);
    let as_person = |token: &str, method: Method, path: &str| app.anonymous(method, path).bearer_auth(token.to_owned());
    let made = json!({ "name": "mine", "settings": { "kind": "webhook", "url": "https://example.org/" }, "secret": "s3cret-canary" });
    let made = send(as_person(&owner, Method::POST, "alert-targets").json(&made)).await.expect(201).json();
    let path = format!("alert-targets/{}", made["id"]);
    assert_eq!(send(as_person(&other, Method::GET, &path)).await.problem(404)["code"], "not_found");
    assert_eq!(send(as_person(&other, Method::GET, "alert-targets")).await.expect(200).json(), json!([]));
    let seen = app.get("alert-targets").await.expect(200);
    assert_eq!(seen.json().as_array().unwrap().len(), 1, "administrators see all");
    assert!(!seen.text.contains("s3cret-canary"));

    let rule = |targets: Value| json!({ "name": "r", "condition": { "kind": "version_mismatch" }, "targets": targets });
    send(as_person(&other, Method::POST, "pools/x/alert-rules").json(&rule(json!([])))).await.problem(403);
    send(app.anonymous(Method::GET, "pools/x/alert-rules")).await.problem(401);
    let made_rule = app.post("pools/x/alert-rules", rule(json!([made["id"]]))).await.expect(201).json();
    assert_eq!(app.post("pools/x/alert-rules", rule(json!([999]))).await.problem(422)["field"], "targets");
    let wrong = json!({ "name": "r", "condition": { "kind": "nodes_below", "percent": 0 } });
    assert_eq!(app.post("pools/x/alert-rules", wrong).await.problem(422)["field"], "condition.percent");
    let rule_path = format!("alert-rules/{}", made_rule["id"]);
    send(as_person(&other, Method::PATCH, &rule_path).json(&json!({ "enabled": false }))).await.problem(403);
    assert_eq!(app.patch(&rule_path, json!({ "enabled": false })).await.expect(200).json()["enabled"], json!(false));
    app.delete(&rule_path).await.expect(204);
    app.get(&rule_path).await.problem(404);
    let admin = app.person("adm", Role::Administrator).await;
    send(as_person(&admin, Method::PUT, "alert-settings").json(&json!({}))).await.problem(403);
    send(as_person(&owner, Method::DELETE, &path)).await.expect(204);
    let left = app.app.store.secret_names(p2ppool_store::SecretScope::Manager).await.unwrap();
    assert!(!left.iter().any(|name| name.starts_with("alert_target/")), "{left:?}");
}
