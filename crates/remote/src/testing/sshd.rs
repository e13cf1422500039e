//! A real OpenSSH server whose loopback addresses are distinct hosts.

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::processes;
use crate::{Auth, Target, generate_key};

/// Addresses that one sshd listens on: OpenSSH takes at most 16.
const ADDRESSES_EACH: usize = 16;

/// Ports that are tried, below the range that the kernel gives to clients.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// How often another port is tried.
const ATTEMPTS: usize = 20;

/// How long an sshd may take to listen.
const LISTENS: Duration = Duration::from_secs(10);

/// Marks every process that was started through a fixture.
const MARK: &str = "P2PPOOL_FIXTURE";

/// Where Debian and others put it.
const SSHD: [&str; 3] = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"];

/// The algorithm of the host keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKeyKind {
    /// `ssh-ed25519`.
    Ed25519,
    /// `ecdsa-sha2-nistp256`.
    Ecdsa,
    /// `ssh-rsa` of 2048 bits.
    Rsa,
}

impl HostKeyKind {
    fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }
}

/// What is special about a server.
#[derive(Clone, Debug)]
pub struct SshdOptions {
    /// Number of hosts, that is, of addresses 127.10.x.y.
    pub hosts: usize,
    /// The user's `.bashrc`, which Debian's bash runs for each command of sshd.
    pub bashrc: String,
    /// Run this instead of what the client asks for.
    pub force_command: Option<String>,
    /// One key of each kind.
    pub host_keys: Vec<HostKeyKind>,
    /// A certificate authority for users: its public key line.
    pub trusted_ca: Option<String>,
    /// `MaxStartups`.
    pub max_startups: String,
    /// More lines for `sshd_config`; they win over the fixture's own.
    pub config: String,
}

impl Default for SshdOptions {
    fn default() -> Self {
        Self {
            hosts: 1,
            bashrc: String::new(),
            force_command: None,
            host_keys: vec![HostKeyKind::Ed25519],
            trusted_ca: None,
            max_startups: "2000:30:4000".into(),
            config: String::new(),
        }
    }
}

/// A running server with its own folder, keys and home. Dropping it ends it, its sessions and
/// whatever was started through them.
#[derive(Debug)]
pub struct Sshd {
    folder: tempfile::TempDir,
    options: SshdOptions,
    port: u16,
    user: String,
    auth: Arc<Auth>,
    private_key: String,
    children: Vec<Child>,
}

impl Sshd {
    /// Starts one. It works as root and as anybody else; who isn't root can only log in as themselves.
    pub fn start(options: SshdOptions) -> Result<Sshd, String> {
        let folder = tempfile::Builder::new().prefix("p2ppool-sshd-").tempdir().map_err(|e| e.to_string())?;
        let key = generate_key().map_err(|e| e.to_string())?;
        let auth = Auth::key(&key.private, None).map_err(|e| e.to_string())?;
        let mut sshd = Sshd {
            folder,
            options,
            port: 0,
            user: output_of(Command::new("id").arg("-un"))?,
            auth: Arc::new(auth),
            private_key: key.private.to_string(),
            children: Vec::new(),
        };
        sshd.prepare(&key.info.public_key)?;
        sshd.listen()?;
        Ok(sshd)
    }

    /// With these many hosts and nothing special.
    pub fn with_hosts(hosts: usize) -> Result<Sshd, String> {
        Self::start(SshdOptions { hosts, ..SshdOptions::default() })
    }

    /// The number of hosts.
    pub fn hosts(&self) -> usize {
        self.options.hosts
    }

    /// The SSH port of every host.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user that logs in.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The private key that is accepted.
    pub fn private_key(&self) -> &str {
        &self.private_key
    }

    /// The folder of the server: config, keys, `home`, `hosts`.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The home folder of sessions.
    pub fn home(&self) -> PathBuf {
        self.folder().join("home")
    }

    /// The address of host `n`, counted from 0.
    pub fn address(&self, n: usize) -> Ipv4Addr {
        address(n)
    }

    /// Host `n` with its own install path, its key not yet pinned.
    pub fn target(&self, n: usize) -> Target {
        let address = self.address(n).to_string();
        Target {
            install_path: self.install_path(n).to_string_lossy().into_owned(),
            address,
            port: self.port,
            user: self.user.clone(),
            auth: self.auth.clone(),
            pinned: None,
            jump: None,
        }
    }

    /// The install path of host `n`.
    pub fn install_path(&self, n: usize) -> PathBuf {
        self.folder().join("hosts").join(self.address(n).to_string())
    }

    /// The public line of a host key.
    pub fn host_key(&self, kind: HostKeyKind) -> Result<String, String> {
        let path = self.key_file(kind).with_extension("pub");
        let line = fs::read_to_string(&path).map_err(|e| format!("read {}: {e}", path.display()))?;
        Ok(line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
    }

    /// Ends the server and starts it again with other host keys, on the same addresses and port.
    pub fn change_host_keys(&mut self) -> Result<(), String> {
        self.go_down();
        for kind in self.options.host_keys.clone() {
            let file = self.key_file(kind);
            let _ = fs::remove_file(&file);
            let _ = fs::remove_file(file.with_extension("pub"));
        }
        self.make_host_keys()?;
        self.come_back()
    }

    /// Ends the server and its sessions; nobody listens until it comes back.
    pub fn go_down(&mut self) {
        self.end();
    }

    /// Starts the server again, on the same addresses and port.
    pub fn come_back(&mut self) -> Result<(), String> {
        self.spawn_all()?;
        self.wait_listening()
    }

    /// Lets the user's own `~/.ssh/authorized_keys` be the file that the server reads.
    pub fn own_authorized_keys(&self) -> Result<PathBuf, String> {
        let file = self.home().join(".ssh/authorized_keys");
        let folder = file.parent().ok_or("no folder")?;
        fs::create_dir_all(folder).map_err(|e| format!("create {}: {e}", folder.display()))?;
        let linked = std::os::unix::fs::symlink(self.folder().join("authorized_keys"), &file);
        linked.map_err(|e| format!("link {}: {e}", file.display()))?;
        Ok(file)
    }

    /// Adds a line to `authorized_keys`.
    pub fn authorize(&self, public_key: &str) -> Result<(), String> {
        let path = self.folder().join("authorized_keys");
        let mut lines = fs::read_to_string(&path).map_err(|e| e.to_string())?;
        let _ = writeln!(lines, "{public_key}");
        fs::write(&path, lines).map_err(|e| e.to_string())
    }

    /// Processes that were started through the server and still run: sessions, nodes, anything.
    pub fn processes(&self) -> Vec<u32> {
        processes::with_environment(MARK, &self.mark())
    }

    /// CPU seconds that the server and its ended sessions have used.
    pub fn cpu_seconds(&self) -> f64 {
        self.children.iter().map(|child| processes::cpu_seconds(child.id())).sum()
    }

    /// What the server logged.
    pub fn log(&self) -> String {
        (0..self.children.len())
            .map(|n| fs::read_to_string(self.folder().join(format!("sshd-{n}.log"))).unwrap_or_default())
            .collect()
    }

    fn prepare(&self, public_key: &str) -> Result<(), String> {
        if self.user == "root" {
            // sshd refuses to start as root without it; a fresh container has none
            let _ = fs::create_dir_all("/run/sshd");
        }
        let folder = self.folder();
        for name in ["home", "hosts"] {
            fs::create_dir(folder.join(name)).map_err(|e| format!("create {name}: {e}"))?;
        }
        let write =
            |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|e| format!("write {name}: {e}"));
        write("home/.bashrc", &self.options.bashrc)?;
        write("authorized_keys", &format!("{public_key}\n"))?;
        if let Some(ca) = &self.options.trusted_ca {
            write("ca.pub", &format!("{ca}\n"))?;
        }
        self.make_host_keys()
    }

    fn make_host_keys(&self) -> Result<(), String> {
        for kind in &self.options.host_keys {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-N", "", "-C", "fixture", "-t", kind.name(), "-f"]).arg(self.key_file(*kind));
            if *kind == HostKeyKind::Rsa {
                command.args(["-b", "2048"]);
            }
            output_of(&mut command)?;
        }
        Ok(())
    }

    fn key_file(&self, kind: HostKeyKind) -> PathBuf {
        self.folder().join(format!("host_{}", kind.name()))
    }

    fn mark(&self) -> String {
        self.folder().to_string_lossy().into_owned()
    }

    fn listen(&mut self) -> Result<(), String> {
        let mut why = String::new();
        for _ in 0..ATTEMPTS {
            let Some(port) = free_port() else { continue };
            self.port = port;
            match self.spawn_all().and_then(|()| self.wait_listening()) {
                Ok(()) => return Ok(()),
                Err(e) => why = format!("{e}: {}", self.log()),
            }
            self.end();
        }
        Err(format!("start sshd: {why}"))
    }

    fn spawn_all(&mut self) -> Result<(), String> {
        let program = SSHD.into_iter().map(Path::new).find(|path| processes::is_program(path));
        let program = program.ok_or("sshd is not installed: apt-get install openssh-server")?;
        let addresses: Vec<_> = (0..self.options.hosts.max(1)).map(address).collect();
        for (n, some) in addresses.chunks(ADDRESSES_EACH).enumerate() {
            let config = self.folder().join(format!("sshd_config-{n}"));
            fs::write(&config, self.config(some)).map_err(|e| format!("write {}: {e}", config.display()))?;
            let log = self.folder().join(format!("sshd-{n}.log"));
            let log = fs::File::create(&log).map_err(|e| format!("create {}: {e}", log.display()))?;
            let child = Command::new(program)
                .args(["-D", "-e", "-f"])
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .process_group(0)
                .spawn()
                .map_err(|e| format!("start {}: {e}", program.display()))?;
            self.children.push(child);
        }
        Ok(())
    }

    fn config(&self, addresses: &[Ipv4Addr]) -> String {
        let folder = self.folder().display();
        // of two lines for one setting, sshd takes the first
        let mut text = format!(
            "{}\nPort {}\nAuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nUsePAM no\nStrictModes no\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\n\
             MaxStartups {}\nMaxSessions 100\nLoginGraceTime 60\nUseDNS no\nPrintMotd no\nPrintLastLog no\n\
             LogLevel INFO\nSetEnv HOME={folder}/home {MARK}={folder}\n",
            self.options.config, self.port, self.options.max_startups
        );
        for address in addresses {
            let _ = writeln!(text, "ListenAddress {address}");
        }
        for kind in &self.options.host_keys {
            let _ = writeln!(text, "HostKey {}", self.key_file(*kind).display());
        }
        if self.options.trusted_ca.is_some() {
            let _ = writeln!(text, "TrustedUserCAKeys {folder}/ca.pub");
        }
        if let Some(command) = &self.options.force_command {
            let _ = write!(text, "\nForceCommand {command}\n");
        }
        text
    }

    fn wait_listening(&mut self) -> Result<(), String> {
        let until = Instant::now() + LISTENS;
        for n in (0..self.options.hosts.max(1)).step_by(ADDRESSES_EACH) {
            let at = SocketAddr::new(IpAddr::V4(address(n)), self.port);
            while TcpStream::connect(at).is_err() {
                let ended = self.children.iter_mut().any(|child| !matches!(child.try_wait(), Ok(None)));
                if ended || Instant::now() > until {
                    return Err(format!("nothing listens at {at}"));
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        let ended = self.children.iter_mut().any(|child| !matches!(child.try_wait(), Ok(None)));
        if ended { Err("one server ended".into()) } else { Ok(()) }
    }

    fn end(&mut self) {
        for mut child in self.children.drain(..) {
            let below = processes::descendants(child.id());
            let _ = child.kill();
            let _ = child.wait();
            processes::end(&below);
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.end();
        processes::end(&self.processes());
    }
}

fn address(n: usize) -> Ipv4Addr {
    const EACH: usize = 250;
    let octet = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    Ipv4Addr::new(127, 10, octet(n / EACH), octet(n % EACH + 1))
}

/// A port that is free on the first address; different processes begin at different ones.
fn free_port() -> Option<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let step = NEXT.fetch_add(1, Ordering::Relaxed);
    let seed = std::process::id().wrapping_mul(61).wrapping_add(step.wrapping_mul(7));
    let span = u32::from(PORTS.end - PORTS.start);
    let port = PORTS.start + u16::try_from(seed % span).ok()?;
    TcpListener::bind((address(0), port)).ok().map(|_| port)
}

fn output_of(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|e| format!("run {command:?}: {e}"))?;
    if !output.status.success() {
        return Err(format!("run {command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
