//! Nodes of js-libp2p, which know nothing of us: they are walked by FIND_NODE.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use p2ppool_model::snapshot::NodeDetails;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::{crawl_until_consistent, pool, probe};

const NODES: usize = 5;
const KAD: &str = "/ipfs/kad/1.0.0";

#[derive(Debug, Deserialize)]
struct JsNode {
    peer: String,
    addresses: Vec<String>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js")
}

/// Installs the packages of the lock file when they aren't there, or not these ones.
async fn install() {
    let lock = std::fs::read(folder().join("package-lock.json")).unwrap();
    let mark = folder().join("node_modules/.installed-lock.json");
    if std::fs::read(&mark).is_ok_and(|installed| installed == lock) {
        return;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).current_dir(folder());
    let status = npm.status().await.expect("npm is needed to run js-libp2p");
    assert!(status.success(), "npm ci: {status}");
    std::fs::write(mark, lock).unwrap();
}

/// The nodes and their process, which ends when it is dropped.
async fn start() -> (Vec<JsNode>, Child) {
    install().await;
    let mut process = Command::new("node")
        .args(["nodes.mjs", &NODES.to_string(), KAD])
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("Node.js is needed to run js-libp2p");
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).await.unwrap();
    (serde_json::from_str(&line).expect("the nodes tell their addresses in one line"), process)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_js_libp2p_network_is_walked_and_described() {
    let (nodes, _process) = start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut settings = pool("alpha");
    settings.kad_protocol = Some(KAD.into());
    let probe = probe(folder.path(), settings);
    let report = crawl_until_consistent(&*probe, &nodes[2].addresses, NODES).await;
    let mut seen: Vec<_> = report.nodes().map(|node| node.address).collect();
    let mut there: Vec<_> = nodes.iter().map(|node| node.peer.clone()).collect();
    seen.sort();
    there.sort();
    assert_eq!(seen, there);
    for node in report.nodes() {
        assert!(node.version.as_ref().is_some_and(|agent| agent.starts_with("js-libp2p/")), "{:?}", node.version);
        assert_eq!(node.neighbours.len(), NODES - 1);
        let NodeDetails::Libp2p { protocols, info, .. } = node.details else { panic!("kind changed") };
        assert!(!info && protocols.iter().any(|protocol| protocol == KAD), "{protocols:?}");
    }
}
