//! Starting p2pnode processes, each on a loopback address of its own, and asking them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use p2ppool_overlay::libp2p::{HostConfig, NodeConfig};
use serde_json::Value;
use tempfile::TempDir;

/// Longest wait for anything; on an idle machine everything takes a few seconds.
const DEADLINE: Duration = Duration::from_secs(60);
/// Pause between two looks at a process.
const PAUSE: Duration = Duration::from_millis(50);
/// Ports of every node; the addresses differ.
pub const PORT: u16 = 24650;
pub const RPC_PORT: u16 = 24651;

/// A folder, and loopback addresses that no other test uses.
pub struct Net {
    pub folder: TempDir,
    subnet: u8,
}

impl Net {
    pub fn new() -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(0);
        let subnet = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { folder: tempfile::tempdir().unwrap(), subnet }
    }

    /// Address of the `host`th host. Each process has addresses of its own, and in it each test.
    pub fn address(&self, host: u8) -> String {
        let process = std::process::id();
        format!("127.{}.{}.{host}", 64 + process % 128, process / 128 % 8 * 32 + u32::from(self.subnet) % 32)
    }

    pub fn tcp(&self, host: u8) -> String {
        format!("/ip4/{}/tcp/{PORT}", self.address(host))
    }

    pub fn quic(&self, host: u8) -> String {
        format!("/ip4/{}/udp/{PORT}/quic-v1", self.address(host))
    }

    pub fn rpc(&self, host: u8) -> SocketAddr {
        format!("{}:{RPC_PORT}", self.address(host)).parse().unwrap()
    }

    pub fn data(&self, host: u8) -> PathBuf {
        self.folder.path().join(format!("host{host}"))
    }

    /// A pool's configuration, with both transports of these hosts as bootstrap addresses.
    pub fn config(&self, namespace: &str, hosts: impl IntoIterator<Item = u8>) -> NodeConfig {
        let mut config = NodeConfig::new(namespace);
        config.tcp_port = Some(PORT);
        config.udp_port = Some(PORT);
        config.bootstrap =
            hosts.into_iter().flat_map(|host| [self.tcp(host), self.quic(host)]).map(|a| a.parse().unwrap()).collect();
        config
    }

    /// What makes `host` listen on its own address.
    pub fn host_config(&self, host: u8) -> HostConfig {
        HostConfig {
            host_tag: Some(self.address(host)),
            listen: Some(vec![self.address(host).parse().unwrap()]),
            rpc: Some(self.rpc(host)),
            ..HostConfig::default()
        }
    }

    /// Starts a node and waits until it is up.
    pub fn start(&self, host: u8, config: &NodeConfig) -> Node {
        self.start_as(host, config, &self.host_config(host))
    }

    pub fn start_as(&self, host: u8, config: &NodeConfig, host_config: &HostConfig) -> Node {
        let mut node = self.spawn(host, config, host_config);
        let pid = node.child.id();
        let file = self.data(host).join("node.json");
        node.wait("node.json", |_| {
            fs::read_to_string(&file).is_ok_and(|text| text.starts_with(&format!("{{\"pid\":{pid},")))
        });
        node
    }

    pub fn spawn(&self, host: u8, config: &NodeConfig, host_config: &HostConfig) -> Node {
        let data = self.data(host);
        fs::create_dir_all(&data).unwrap();
        fs::write(data.join("node.toml"), config.to_toml()).unwrap();
        fs::write(data.join("host.toml"), host_config.to_toml()).unwrap();
        let log = data.join("log");
        let child = p2pnode(["run", "--package", &"ab".repeat(32)])
            .arg("--config")
            .arg(data.join("node.toml"))
            .arg("--host-config")
            .arg(data.join("host.toml"))
            .arg("--data")
            .arg(&data)
            .env("RUST_LOG", "p2pnode=debug,warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let rpc = host_config.rpc.unwrap_or(config.rpc);
        Node { child, rpc, data, log }
    }
}

/// A running node; killed when dropped.
pub struct Node {
    child: Child,
    pub rpc: SocketAddr,
    pub data: PathBuf,
    log: PathBuf,
}

impl Node {
    /// Looks until `is_right`; fails with the node's log after a minute.
    pub fn wait(&mut self, what: &str, is_right: impl FnMut(&mut Self) -> bool) {
        self.wait_within(DEADLINE, what, is_right);
    }

    /// [`Self::wait`] with a deadline of its own.
    pub fn wait_within(&mut self, longest: Duration, what: &str, mut is_right: impl FnMut(&mut Self) -> bool) {
        let deadline = Instant::now() + longest;
        while !is_right(self) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "{what}: the node ended ({ended:?})\n{}", self.log());
            assert!(Instant::now() < deadline, "{what}: not within {longest:?}\n{}", self.log());
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits until this many peers are in its table.
    pub fn wait_for_neighbours(&mut self, count: usize) {
        self.wait(&format!("{count} neighbours"), |node| node.neighbours().len() == count);
    }

    pub fn info(&self) -> Value {
        let (status, body) = http(self.rpc, "GET", "/v1/info");
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    pub fn peer_id(&self) -> String {
        self.info()["peer_id"].as_str().unwrap().to_owned()
    }

    /// Peer ids of its neighbours, sorted.
    pub fn neighbours(&self) -> Vec<String> {
        let info = self.info();
        let peer = |neighbour: &Value| neighbour["peer"].as_str().unwrap().to_owned();
        let mut peers: Vec<String> = info["neighbours"].as_array().unwrap().iter().map(peer).collect();
        peers.sort();
        peers
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for its end; the exit code, `None` after a signal.
    pub fn ended(&mut self) -> Option<i32> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < deadline, "the node didn't end\n{}", self.log());
            std::thread::sleep(PAUSE);
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program under test, with these arguments.
pub fn p2pnode<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_p2pnode"));
    command.args(arguments);
    command
}

/// Runs the program to its end.
pub fn output<const N: usize>(arguments: [&str; N]) -> Output {
    p2pnode(arguments).output().unwrap()
}

/// What a command that must succeed printed.
pub fn printed<const N: usize>(arguments: [&str; N]) -> String {
    let output = output(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Asks a node over the network by `p2pnode info`.
pub fn asked<const N: usize>(arguments: [&str; N]) -> Value {
    serde_json::from_str(&printed(arguments)).unwrap()
}

/// One HTTP request; status and body.
pub fn http(rpc: SocketAddr, method: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(rpc).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: {rpc}\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
