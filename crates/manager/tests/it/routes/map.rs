use p2ppool::config::Settings;
use p2ppool_model::role::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, send};

const TILES: &str = "https://tiles.example.org:8443/{z}/{x}/{y}.png?key=1";

async fn pictures(app: &TestApp, path: &str) -> String {
    let page = send(app.anonymous(Method::GET, path)).await;
    let policy = page.header("content-security-policy").to_owned();
    policy.split("; ").find(|directive| directive.starts_with("img-src ")).unwrap().to_owned()
}

fn unset() -> Value {
    json!({ "tiles": null, "attribution": "", "attribution_url": null, "zoom_max": 18, "hide_borders": false })
}

#[tokio::test]
async fn pages_may_get_pictures_from_the_tile_server_and_from_no_other() {
    let app = TestApp::start_with(Settings { base_path: Some("/pools-here".into()), ..Settings::default() }).await;
    let pages = ["/pools-here/", "/pools-here/pools/x/map", "/pools-here/share/made-up"];
    for page in pages {
        assert_eq!(pictures(&app, page).await, "img-src 'self' data: blob:");
    }
    let settings = json!({
        "tiles": TILES, "attribution": " © Somebody ", "attribution_url": "https://example.org/thanks", "zoom_max": 22,
        "hide_borders": true,
    });
    let kept = app.put("settings/map", settings).await.expect(200).json();
    assert_eq!((&kept["attribution"], &kept["zoom_max"]), (&json!("© Somebody"), &json!(22)));
    for page in pages {
        assert_eq!(pictures(&app, page).await, "img-src 'self' https://tiles.example.org:8443 data: blob:");
    }
    assert_eq!(pictures(&app, "/pools-here/api/v1/health").await, "img-src 'self' data: blob:");
    assert_eq!(app.get("settings/map").await.expect(200).json(), kept);

    assert_eq!(app.put("settings/map", json!({})).await.expect(200).json(), unset());
    assert_eq!(pictures(&app, "/pools-here/").await, "img-src 'self' data: blob:");
}

#[tokio::test]
async fn wrong_settings_are_named_and_nothing_is_changed() {
    let app = TestApp::start().await;
    let kept = app.put("settings/map", json!({ "tiles": TILES })).await.expect(200).json();
    for (wrong, field) in [
        (json!({ "tiles": "https://tiles.example.org/{z}/{x}.png" }), "tiles"),
        (json!({ "tiles": "javascript:{z}{x}{y}" }), "tiles"),
        (json!({ "tiles": "https://t;script-src/{z}/{x}/{y}" }), "tiles"),
        (json!({ "attribution_url": "data:text/html,x" }), "attribution_url"),
        (json!({ "attribution": "a".repeat(201) }), "attribution"),
        (json!({ "zoom_max": 0 }), "zoom_max"),
        (json!({ "zoom_max": 23 }), "zoom_max"),
        (json!({ "zoom_max": 300 }), "zoom_max"),
        (json!({ "zoom": 3 }), "zoom"),
    ] {
        assert_eq!(app.put("settings/map", wrong.clone()).await.problem(422)["field"], field, "{wrong}");
    }
    assert_eq!(app.get("settings/map").await.json(), kept);
}

#[tokio::test]
async fn everybody_sees_how_maps_are_drawn_and_the_super_administrator_decides_it() {
    let app = TestApp::start().await;
    let administrator = app.person("adm", Role::Administrator).await;
    assert_eq!(send(app.anonymous(Method::GET, "settings/map")).await.expect(200).json(), unset());
    let put = || app.anonymous(Method::PUT, "settings/map").json(&json!({ "hide_borders": true }));
    send(put()).await.problem(401);
    assert_eq!(send(put().bearer_auth(&administrator)).await.problem(403)["code"], "forbidden");
    app.put("settings/map", json!({ "hide_borders": true })).await.expect(200);
    let log = app.get("audit?action=PUT%20/settings/map").await.json();
    let told: Vec<_> = log["items"].as_array().unwrap().iter().map(|e| (&e["who"], &e["result"])).collect();
    assert_eq!(told, [(&json!("admin"), &json!("ok")), (&json!("adm"), &json!("refused"))]);
}
