//! Tests in pid, mount and, if wanted, network namespaces of their own: when one is killed, whatever it
//! started and mounted is gone with it.

use std::process::Command;

/// Set in the run inside: the test's name.
const INSIDE: &str = "P2PPOOL_TEST_INSIDE";

/// The network that a contained test has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Network {
    /// That of the machine.
    Shared,
    /// Its own, with loopback and nothing else, so that tests never want the same port; where none can be made,
    /// that of the machine.
    Apart,
    /// Its own, or it does not run.
    Own,
}

/// Runs `test`, whose full name is `name` (as in `module_path!()::test`), again inside namespaces, and fails
/// when that fails. Where none can be made (that takes root), it runs as it is, or not at all when it needs
/// a network of its own.
pub(super) fn contained(name: &str, network: Network, test: impl AsyncFnOnce()) {
    let name = name.split_once("::").map_or(name, |(_, rest)| rest);
    let inside = std::env::var(INSIDE).is_ok_and(|at| at == name);
    let mut namespaces = vec!["--pid", "--fork", "--kill-child", "--mount", "--mount-proc"];
    namespaces.extend((network != Network::Shared).then_some("--net"));
    if !inside && can_be_made(&namespaces) {
        // the shell reaps what loses its parent; unshare dies with this process
        let status = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "unshare"])
            .args(&namespaces)
            .args(["sh", "-c", "ip link set lo up 2>/dev/null; \"$@\"; exit $?", "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture", "--include-ignored"])
            .env(INSIDE, name)
            .status()
            .unwrap();
        assert!(status.success(), "{name} inside namespaces: {status}");
        return;
    }
    if !inside && network == Network::Own {
        println!("no network namespace can be made here (that takes root)");
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(test());
}

fn can_be_made(namespaces: &[&str]) -> bool {
    let tried = Command::new("setpriv").args(["--pdeathsig", "KILL", "unshare"]).args(namespaces).arg("true").output();
    tried.is_ok_and(|output| output.status.success())
}
