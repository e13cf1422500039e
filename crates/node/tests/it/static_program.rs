use std::fs;
use std::process::Command;

use p2ppool_overlay::libp2p::Libp2p;
use p2ppool_overlay::{OverlayKind as _, PackageFile};

/// The deployed program needs nothing of its host: no library, no `/dev`, no `/etc`.
///
/// Takes the static build from P2PNODE_BIN; `make test` builds it first and runs this.
#[test]
#[ignore = "needs P2PNODE_BIN, the static build"]
fn the_static_program_runs_in_an_empty_root() {
    let program = std::env::var("P2PNODE_BIN").expect("P2PNODE_BIN names the static build");
    let ldd = Command::new("ldd").arg(&program).output().unwrap();
    let told = String::from_utf8_lossy(&[ldd.stdout, ldd.stderr].concat()).into_owned();
    assert!(told.contains("statically linked") || told.contains("not a dynamic executable"), "{told}");

    let file = PackageFile { path: "p2pnode".into(), mode: 0o755, bytes: fs::read(&program).unwrap().into() };
    let found = Libp2p.recognise(&[file]).unwrap();
    assert_eq!(found.version.as_deref(), Some(env!("CARGO_PKG_VERSION")));
    assert_eq!(found.arch.as_deref(), Some(std::env::consts::ARCH));

    let root = tempfile::tempdir().unwrap();
    fs::copy(&program, root.path().join("p2pnode")).unwrap();
    // a user namespace lets anybody change the root; root doesn't need one
    let enter = "exec unshare --map-root-user chroot \"$0\" \"$@\" || exec chroot \"$0\" \"$@\"";
    let script = if is_root() { "exec chroot \"$0\" \"$@\"" } else { enter };
    let id =
        Command::new("sh").args(["-c", script]).arg(root.path()).args(["/p2pnode", "id", "--data", "/data"]).output();
    let id = id.unwrap();
    assert!(id.status.success(), "{}", String::from_utf8_lossy(&id.stderr));
    assert!(String::from_utf8(id.stdout).unwrap().starts_with("12D3KooW"));

    let config = "namespace = \"empty\"\ntcp_port = 24650\nudp_port = 24650\nlisten = [\"127.62.0.1\"]\nrpc = \"127.62.0.1:24651\"\n";
    fs::write(root.path().join("node.toml"), config).unwrap();
    let mut node = Command::new("sh")
        .args(["-c", script])
        .arg(root.path())
        .args(["/p2pnode", "run", "--config", "/node.toml", "--data", "/data"])
        .spawn()
        .unwrap();
    let file = root.path().join("data/node.json");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !file.exists() {
        let ended = node.try_wait().unwrap();
        let is_late = std::time::Instant::now() > deadline;
        if ended.is_some() || is_late {
            let _ = node.kill();
            panic!("not up: {ended:?}");
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(Command::new("kill").args(["-s", "TERM", &node.id().to_string()]).status().unwrap().success());
    assert_eq!(node.wait().unwrap().code(), Some(0));
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}
