//! Names, proxies, folders, TLS and limits, by real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use p2ppool::config::Settings;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Answer, TestApp, send};

/// Nobody waits longer than this for something that comes at once.
const SOON: Duration = Duration::from_secs(10);

async fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.expect("an end in time");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The head of the answer; the connection may stay open after it.
async fn head(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (mut read, mut write) = stream.split();
    let mut answer = Vec::new();
    let reading = async {
        let mut part = [0; 1024];
        while !answer.windows(4).any(|end| end == b"\r\n\r\n") {
            match read.read(&mut part).await {
                Ok(0) | Err(_) => return,
                Ok(count) => answer.extend_from_slice(&part[..count]),
            }
        }
    };
    // The server may answer before it has read everything.
    let both = async { tokio::join!(write.write_all(request.as_bytes()), reading).1 };
    tokio::time::timeout(SOON, both).await.expect("an answer in time");
    String::from_utf8_lossy(&answer).into_owned()
}

fn named(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n")
}

#[tokio::test]
async fn names_that_are_not_ours_are_refused_against_dns_rebinding() {
    let settings = Settings {
        public_url: Some("https://pool.example.org".into()),
        allowed_hosts: vec!["manager.lan".into()],
        ..Settings::default()
    };
    let app = TestApp::start_with(settings).await;
    for host in ["127.0.0.1", "localhost:8080", "pool.example.org", "manager.lan:80", "[::1]:8080"] {
        let answer = raw(app.address, &named(host, "/api/v1/health")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{host}: {answer}");
    }
    for host in ["evil.example", "127.0.0.1.evil.example:8080", "pool.example.org.evil.example"] {
        for path in ["/api/v1/health", "/"] {
            let answer = raw(app.address, &named(host, path)).await;
            assert!(answer.starts_with("HTTP/1.1 421") && answer.contains("foreign_host"), "{host}: {answer}");
        }
    }
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_asks_and_that_it_spoke_tls() {
    let app = TestApp::start_with(Settings { trusted_proxies: vec!["127.0.0.1".into()], ..Settings::default() }).await;
    let body = json!({ "name": "admin", "password": app.admin_password });
    let login = app
        .anonymous(Method::POST, "login")
        .header("x-forwarded-for", "203.0.113.9")
        .header("x-forwarded-proto", "https")
        .json(&body);
    let answer = send(login).await.expect(200);
    assert!(answer.headers.get_all("set-cookie").iter().all(|cookie| cookie.to_str().unwrap().ends_with("; Secure")));
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    let log = app.get("audit?action=POST%20/login").await.json();
    assert_eq!(log["items"][0]["address"], "203.0.113.9");

    let plain = TestApp::start().await;
    let login = plain
        .anonymous(Method::POST, "login")
        .header("x-forwarded-for", "203.0.113.9")
        .json(&json!({ "name": "admin", "password": "x" }));
    let answer = send(login).await.expect(401);
    assert_eq!(answer.header("strict-transport-security"), "");
    let log = plain.get("audit?result=refused").await.json();
    assert_eq!(log["items"][0]["address"], "127.0.0.1");
}

#[tokio::test]
async fn below_a_folder_everything_is_there_and_nothing_beside_it() {
    let app = TestApp::start_with(Settings { base_path: Some("/p2ppool".into()), ..Settings::default() });
    let app = app.await;
    let cookie = send(
        app.anonymous(Method::POST, "/p2ppool/api/v1/login")
            .json(&json!({ "name": "admin", "password": app.admin_password })),
    );
    let cookie = cookie.await.expect(200).header("set-cookie").to_owned();
    assert!(cookie.contains("Path=/p2ppool/;"), "{cookie}");
    let answer = raw(app.address, &named("localhost", "/p2ppool")).await;
    assert!(answer.starts_with("HTTP/1.1 308") && answer.contains("location: /p2ppool/\r\n"), "{answer}");
    for beside in ["/", "/api/v1/health", "/p2ppoolx/api/v1/health"] {
        let answer = raw(app.address, &named("localhost", beside)).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{beside}: {answer}");
    }
    let error = send(app.anonymous(Method::GET, "/p2ppool/api/v1/pools/x?a=b")).await.problem(401);
    assert_eq!(error["code"], "unauthenticated");
    let page = send(app.anonymous(Method::GET, "/p2ppool/")).await;
    assert!(page.status == StatusCode::NOT_FOUND || page.text.contains("<base href=\"/p2ppool/\""), "{}", page.text);
}

/// A manager that speaks TLS, and a client that knows its certificate.
async fn encrypted() -> (Arc<p2ppool::app::App>, SocketAddr, tempfile::TempDir) {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let data = tempfile::tempdir().unwrap();
    let settings = Settings { data: Some(data.path().join("data")), tls: Some("auto".into()), ..Settings::default() };
    let (app, _) = p2ppool::app::App::open(&settings.checked().unwrap()).await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Arc::clone(&app).serve(listener));
    (app, address, data)
}

fn pinned(fingerprint: &str) -> reqwest::Client {
    let tls = p2ppool::tls::pinned::client(fingerprint).unwrap();
    let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    builder.tls_backend_preconfigured(tls).build().unwrap()
}

#[tokio::test]
async fn tls_is_spoken_with_a_certificate_of_our_own_that_clients_can_pin() {
    let (app, address, _data) = encrypted().await;
    let fingerprint = app.tls.as_ref().unwrap().fingerprint();
    let health = format!("https://{address}/api/v1/health");
    let answer = pinned(&fingerprint).get(&health).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    let other = fingerprint.replace(&fingerprint[..2], if fingerprint.starts_with("00") { "11" } else { "00" });
    assert!(pinned(&other).get(&health).send().await.is_err(), "another certificate");
    let careless = reqwest::Client::new().get(&health).send().await;
    assert!(careless.is_err(), "no authority signed it");
    assert!(p2ppool::tls::pinned::client("AB:CD").is_none());

    let login = pinned(&fingerprint).post(format!("https://{address}/api/v1/login"));
    let refused = login.json(&json!({ "name": "admin", "password": "wrong" })).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    app.shutdown.cancel();
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart() {
    let (app, address, _data) = encrypted().await;
    let tls = app.tls.clone().unwrap();
    let first = tls.fingerprint();
    let names = p2ppool::tls::names(&app.site, address.ip());
    let health = format!("https://{address}/api/v1/health");
    assert_eq!(pinned(&first).get(&health).send().await.unwrap().status(), 200);
    let changed = tls.changed();
    p2ppool::tls::renew(&app.folders.tls(), &names, p2ppool_model::Time::now()).unwrap();
    let second = tokio::time::timeout(SOON * 2, changed).await.expect("the new certificate is used in time");
    assert_eq!(pinned(&second).get(&health).send().await.unwrap().status(), 200);
    assert!(pinned(&first).get(&health).send().await.is_err());
    app.shutdown.cancel();
}

#[tokio::test]
async fn plain_http_is_sent_on_to_https() {
    let (app, address, _data) = encrypted().await;
    let answer = raw(address, &named(&address.to_string(), "/pools/x?tab=map")).await;
    assert!(answer.starts_with("HTTP/1.1 308"), "{answer}");
    assert!(answer.contains(&format!("location: https://{address}/pools/x?tab=map\r\n")), "{answer}");
    let from = app.redirect_from("127.0.0.1:0".parse().unwrap(), 443).await.unwrap();
    let answer = raw(from, &named("pool.example.org", "/x")).await;
    assert!(answer.contains("location: https://pool.example.org/x\r\n"), "{answer}");
    for wrong in ["user@evil.example", "a b", "x/../y"] {
        let answer = raw(from, &named(wrong, "/x")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{wrong}: {answer}");
    }
    app.shutdown.cancel();
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let app = TestApp::start().await;
    let long = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx-long: {}\r\n\r\n", "x".repeat(1_000_000));
    let answer = head(app.address, &long).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many: String = (0..200).map(|i| format!("x-{i}: y\r\n")).collect();
    let answer = head(app.address, &format!("GET / HTTP/1.1\r\nhost: localhost\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn line_breaks_in_names_make_no_headers() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    let folder = app.app.folders.public(&"x".parse().unwrap());
    let name = "a\r\nset-cookie: evil=1\r\n.txt";
    std::fs::write(folder.join(name), "x").unwrap();
    let answer: Answer = app.get("pools/x/files/a%0D%0Aset-cookie:%20evil=1%0D%0A.txt").await.expect(200);
    assert_eq!(answer.header("set-cookie"), "");
    assert!(answer.header("content-disposition").starts_with("attachment"), "{:?}", answer.headers);
}

#[tokio::test]
async fn who_asks_too_often_waits_and_others_do_not() {
    let app = TestApp::start_with(Settings { trusted_proxies: vec!["127.0.0.1".into()], ..Settings::default() }).await;
    let ask = |from: &'static str| send(app.anonymous(Method::GET, "health").header("x-forwarded-for", from));
    let mut refused = None;
    for _ in 0..5_000 {
        let answer = ask("203.0.113.1").await;
        if answer.status != 200 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("there is a limit");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(refused.problem(429)["code"], "too_many_requests");
    ask("203.0.113.2").await.expect(200);
    app.get("health").await.expect(200);
}

#[tokio::test]
async fn one_person_has_so_many_event_streams_and_no_more() {
    let app = TestApp::start().await;
    let mut open = Vec::new();
    for _ in 0..20 {
        let stream = app.admin(Method::GET, "events").send().await.unwrap();
        assert_eq!(stream.status(), 200);
        open.push(stream);
    }
    assert_eq!(send(app.admin(Method::GET, "events")).await.problem(503)["code"], "busy");
    assert_eq!(app.anonymous(Method::GET, "events").send().await.unwrap().status(), 200, "others may");
}
