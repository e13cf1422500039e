//! Strangers join a pool by nothing but what `connect` tells them: a node of js-libp2p, and a p2pnode.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use p2ppool_model::TaskId;
use serde_json::{Value, json};

use crate::support::TestApp;

const HOSTS: usize = 3;
/// How long an overlay of some nodes may take until everybody knows everybody.
const JOINING: Duration = Duration::from_secs(90);

fn free_port() -> u16 {
    std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

async fn done(app: &TestApp, path: &str) -> Value {
    let task = app.post(path, json!({})).await.expect(202).json();
    let ended = app.app.engine.ended(TaskId(task["id"].as_i64().unwrap())).await.unwrap();
    serde_json::to_value(ended).unwrap()
}

/// Addresses of the answering nodes, as soon as there are this many.
async fn answering(app: &TestApp, count: usize) -> BTreeSet<String> {
    let begun = Instant::now();
    loop {
        done(app, "pools/x/crawl").await;
        let nodes = app.get("pools/x/nodes?status=answering").await.expect(200).json();
        let found: BTreeSet<String> = nodes["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["address"].as_str().unwrap().to_owned())
            .collect();
        if found.len() == count {
            return found;
        }
        assert!(begun.elapsed() < JOINING, "{} of {count} nodes answer", found.len());
    }
}

fn config(connect: &Value, name: &str) -> String {
    let configs = connect["configs"].as_array().unwrap();
    let found = configs.iter().find(|config| config["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {connect}"))["text"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn strangers_join_by_what_connect_tells() {
    let app = TestApp::start().await;
    let folder = tempfile::tempdir().unwrap();
    let hosts: String = (1..=HOSTS).map(|n| format!("127.79.0.{n}\n")).collect();
    let settings = json!({
        "transport": "local", "install_path": folder.path().join("hosts/{host}"), "private_addresses": true,
        "ports": { "tcp": free_port(), "udp": null, "rpc": free_port() },
    });
    app.pool("x", &hosts, settings).await;
    let installed = done(&app, "pools/x/install").await;
    assert_eq!(installed["state"], "succeeded", "{installed}");
    let nodes = answering(&app, HOSTS).await;
    let connect = app.get("pools/x/connect").await.expect(200).json();

    let file = folder.path().join("js-libp2p.json");
    std::fs::write(&file, config(&connect, "js-libp2p.json")).unwrap();
    let met = js(&file).await;
    assert_eq!(met, nodes, "js-libp2p finds every node of the pool");

    let shared = folder.path().join("p2pnode.toml");
    std::fs::write(&shared, config(&connect, "p2pnode.toml")).unwrap();
    // what only this machine needs: an address of its own, as all hosts are on it
    let own = folder.path().join("own.toml");
    std::fs::write(&own, format!("listen = [\"127.79.1.1\"]\nrpc = \"127.79.1.1:{}\"\n", free_port())).unwrap();
    let _node = tokio::process::Command::new(node_binary())
        .args(["run", "--config"])
        .arg(&shared)
        .arg("--host-config")
        .arg(&own)
        .arg("--data")
        .arg(folder.path().join("stranger"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let with_stranger = answering(&app, HOSTS + 1).await;
    assert!(with_stranger.is_superset(&nodes));
    assert_eq!(done(&app, "pools/x/stop").await["state"], "succeeded");
}

fn node_binary() -> std::path::PathBuf {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist/p2pnode");
    std::env::var_os("P2PNODE_BIN").map_or(built, Into::into)
}

async fn js(file: &Path) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../overlay/tests/js");
    if !folder.join("node_modules/libp2p").exists() {
        let mut npm = tokio::process::Command::new("npm");
        npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(&folder);
        assert!(npm.status().await.unwrap().success(), "npm ci");
    }
    let mut node = tokio::process::Command::new("node");
    node.arg("join.mjs").arg(file).arg(HOSTS.to_string()).current_dir(&folder).kill_on_drop(true);
    let output = tokio::time::timeout(JOINING, node.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    told["found"].as_array().unwrap().iter().map(|peer| peer.as_str().unwrap().to_owned()).collect()
}
