//! What the tests share: a package with a small node, and a proxy that cuts connections.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use p2ppool_remote::Package;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A package whose node sleeps; `padding` bytes that don't compress are added, so that its size is known.
pub(crate) fn package(padding: usize) -> Package {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &[u8]| fs::write(folder.path().join(name), text).unwrap();
    file("host.sh", p2ppool_remote::HOST_SCRIPT.as_bytes());
    file(
        "run",
        b"echo node $PACKAGE starts\necho '{\"pid\":'$$',\"peer_id\":\"12D3KooWtest\"}' > node.json\nexec sleep 1000\n",
    );
    file("ready", b"kill -0 \"$NODE_PID\"\n");
    file("stop_signal", b"TERM\n");
    file("padding", &noise(padding));
    let out = Command::new("tar").arg("-czf").arg("-").arg("-C").arg(folder.path()).arg(".").output().unwrap();
    assert!(out.status.success());
    Package::new(out.stdout)
}

/// Bytes that gzip can't shrink.
pub(crate) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(size).collect()
}

/// Forwards one connection to `to` and cuts it after so many bytes from the client.
pub(crate) async fn cutting_proxy(to: SocketAddr, after: usize) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let forward = tokio::spawn(async move {
        let (client, _) = listener.accept().await.unwrap();
        let server = TcpStream::connect(to).await.unwrap();
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let back = tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        let mut left = after;
        let mut chunk = vec![0; 16 * 1024];
        while left > 0 {
            let room = left.min(chunk.len());
            let Ok(length @ 1..) = from_client.read(&mut chunk[..room]).await else { break };
            to_server.write_all(&chunk[..length]).await.unwrap();
            left -= length;
        }
        back.abort();
    });
    (at, forward)
}

/// Waits until a claim about the outside world holds.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(15), wait).await.unwrap_or_else(|_| panic!("not in time: {what}"));
}
