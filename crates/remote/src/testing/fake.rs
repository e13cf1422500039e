//! Hosts in memory: they speak the protocol of the host script and keep state as it would.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use p2ppool_model::{Cause, Digest, Step};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream};

use crate::session::script_bytes;
use crate::{Control, Exit, ExitWait, HostError, OutputTail, Pipe, Target, Transport};

/// Bytes between a session and its fake host, each way.
const PIPE_BYTES: usize = 16 * 1024;

const HELLO: &str = concat!(
    r#"{"hello":"p2ppool-host","version":1,"pid":2,"user":"fake","arch":"x86_64","home":"/home/fake","missing":[]}"#,
    "\n"
);

/// How one host behaves.
#[derive(Clone, Debug, Default)]
pub struct FakeHost {
    /// Before the connection stands.
    pub connect_takes: Duration,
    /// The connection fails with this.
    pub unreachable: Option<Cause>,
    /// Before each answer.
    pub step_takes: Duration,
    /// Steps that fail: by name, with cause and message.
    pub fails: BTreeMap<String, (Cause, String)>,
    /// The connection is cut at this step, after the request.
    pub cut_at: Option<String>,
    /// This step is never answered.
    pub hangs_at: Option<String>,
}

/// What a fake host remembers between sessions.
#[derive(Clone, Debug, Default)]
pub struct FakeState {
    /// Releases that were received.
    pub installed: BTreeSet<Digest>,
    /// The active one.
    pub current: Option<Digest>,
    /// The one before.
    pub previous: Option<Digest>,
    /// The node is up.
    pub running: bool,
    /// Files that were configured.
    pub config: BTreeMap<String, Vec<u8>>,
    /// Every step that was asked for, in order.
    pub steps: Vec<String>,
    /// The configuration changed since the node was started.
    pub stale: bool,
}

type Behaviour = dyn Fn(&Target) -> FakeHost + Send + Sync;
type States = Mutex<HashMap<(String, u16), Arc<Mutex<FakeState>>>>;

/// A transport whose hosts live in memory.
pub struct Fake {
    behaviour: Box<Behaviour>,
    states: Arc<States>,
    open: Arc<AtomicUsize>,
    most: AtomicUsize,
}

impl Default for Fake {
    fn default() -> Self {
        Self::new(|_| FakeHost::default())
    }
}

impl Fake {
    /// Hosts that behave as this says; it is asked at each connection.
    pub fn new(behaviour: impl Fn(&Target) -> FakeHost + Send + Sync + 'static) -> Self {
        Self { behaviour: Box::new(behaviour), states: Arc::default(), open: Arc::default(), most: AtomicUsize::new(0) }
    }

    /// What a host remembers; empty for one that was never reached.
    pub fn state(&self, address: &str, port: u16) -> FakeState {
        let state = self.state_of(address, port);
        state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes what a host remembers, as somebody at its console would.
    pub fn change(&self, address: &str, port: u16, change: impl FnOnce(&mut FakeState)) {
        let state = self.state_of(address, port);
        change(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Sessions that are open now.
    pub fn open_sessions(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// The most sessions that were ever open at once.
    pub fn most_sessions(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    fn state_of(&self, address: &str, port: u16) -> Arc<Mutex<FakeState>> {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        states.entry((address.to_owned(), port)).or_default().clone()
    }
}

#[async_trait]
impl Transport for Fake {
    async fn open(&self, target: &Target, command: &str, connect: Duration) -> Result<Pipe, HostError> {
        let host = (self.behaviour)(target);
        let failed = |cause: Cause| {
            let message = format!("connect to {}: {}", target.display(), cause.as_str());
            HostError::new(cause, Step::Connect, message)
        };
        if tokio::time::timeout(connect, tokio::time::sleep(host.connect_takes)).await.is_err() {
            return Err(failed(Cause::ConnectTimeout));
        }
        if let Some(cause) = host.unreachable {
            return Err(failed(cause));
        }
        let (stdin, host_in) = tokio::io::duplex(PIPE_BYTES);
        let (host_out, stdout) = tokio::io::duplex(PIPE_BYTES);
        let (exit_sender, exit) = ExitWait::new();
        let state = self.state_of(&target.address, target.port);
        let script_bytes = script_bytes(command);
        let count = OpenCount::new(&self.open, &self.most);
        let serving = tokio::spawn(async move {
            let _count = count;
            let served =
                Server { host, script_bytes, state, input: BufReader::new(host_in), output: host_out }.serve().await;
            let _ = exit_sender.send(served);
        });
        let abort = serving.abort_handle();
        Ok(Pipe {
            stdin: Box::new(stdin),
            stdout: Box::new(stdout),
            stderr: OutputTail::default(),
            exit,
            first_contact: None,
            control: Control::new(move |_| {
                Box::pin(async move {
                    abort.abort();
                    let _ = serving.await;
                })
            }),
        })
    }
}

struct OpenCount(Arc<AtomicUsize>);

impl OpenCount {
    fn new(open: &Arc<AtomicUsize>, most: &AtomicUsize) -> Self {
        let now = open.fetch_add(1, Ordering::SeqCst) + 1;
        most.fetch_max(now, Ordering::SeqCst);
        Self(open.clone())
    }
}

impl Drop for OpenCount {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Server {
    host: FakeHost,
    script_bytes: usize,
    state: Arc<Mutex<FakeState>>,
    input: BufReader<DuplexStream>,
    output: DuplexStream,
}

impl Server {
    async fn serve(mut self) -> Exit {
        match self.requests().await {
            Ok(exit) => exit,
            Err(error) => Exit::Missing(error.to_string()),
        }
    }

    async fn requests(&mut self) -> std::io::Result<Exit> {
        let mut script = (&mut self.input).take(self.script_bytes as u64);
        tokio::io::copy(&mut script, &mut tokio::io::sink()).await?;
        // as the script prints it: the name first
        self.output.write_all(HELLO.as_bytes()).await?;
        let mut line = String::new();
        loop {
            line.clear();
            if self.input.read_line(&mut line).await? == 0 {
                return Ok(Exit::Status(0));
            }
            let words: Vec<String> = line.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect();
            let Some(step) = words.first().cloned() else { continue };
            if step == "bye" {
                return Ok(Exit::Status(0));
            }
            if self.host.hangs_at.as_deref() == Some(&step) {
                std::future::pending::<()>().await;
            }
            if self.host.cut_at.as_deref() == Some(&step) {
                return Ok(Exit::Missing("cut by the test".into()));
            }
            tokio::time::sleep(self.host.step_takes).await;
            self.step(&step, &words[1..]).await?;
        }
    }

    async fn step(&mut self, step: &str, words: &[String]) -> std::io::Result<()> {
        self.change(|state| state.steps.push(step.to_owned()));
        if let Some((cause, message)) = self.host.fails.get(step).cloned() {
            return self.say(&json!({"step": step, "ok": false, "cause": cause, "message": message})).await;
        }
        let word = |name: &str| words.iter().find_map(|w| w.strip_prefix(name)).unwrap_or_default().to_owned();
        let size: usize = word("size=").parse().unwrap_or(0);
        let mut answer = match step {
            "receive" => return self.receive(&word("digest="), &word("plain="), size).await,
            "configure" => return self.configure(&word("name="), size).await,
            "status" => self.change(status),
            "activate" => match word("digest=").parse() {
                Ok(digest) => json!({"changed": self.change(|state| activate(state, digest))}),
                Err(_) => Value::Null,
            },
            "start" => json!({"changed": self.change(start), "pid": 2}),
            "restart" => json!({"changed": self.change(|state| { stop(state); start(state) }), "pid": 2}),
            "stop" => json!({"changed": self.change(stop)}),
            "remove" => json!({"changed": self.change(remove)}),
            "usage" => json!({"node": null, "memory_total": 1 << 30, "memory_available": 1 << 29, "load": 0.5,
                "disk_free": 1u64 << 33, "uptime_s": 1000, "cores": 1}),
            "logs" | "data" => json!({"size": 4}),
            _ => Value::Null,
        };
        match answer.as_object_mut() {
            Some(fields) => {
                fields.insert("step".into(), step.into());
                fields.insert("ok".into(), true.into());
            }
            None => answer = json!({"step": step, "ok": false, "cause": Cause::Other, "message": "unknown step"}),
        }
        self.say(&answer).await?;
        if matches!(step, "logs" | "data") { self.output.write_all(b"fake").await } else { Ok(()) }
    }

    async fn receive(&mut self, digest: &str, plain: &str, size: usize) -> std::io::Result<()> {
        let named: Option<Digest> = digest.parse().ok();
        let has = named.as_ref().is_some_and(|digest| self.change(|state| state.installed.contains(digest)));
        if has {
            return self.say(&json!({"step": "receive", "ok": true, "unchanged": true})).await;
        }
        let bytes = self.payload("receive", size).await?;
        let arrived = Digest::of(&bytes);
        let wanted = if plain.is_empty() { digest } else { plain };
        let Some(named) = named.filter(|_| arrived.as_str() == wanted) else {
            let message = format!("{arrived} arrived");
            return self
                .say(&json!({"step": "receive", "ok": false, "cause": Cause::DigestMismatch, "message": message}))
                .await;
        };
        self.change(|state| state.installed.insert(named));
        self.say(&json!({"step": "receive", "ok": true, "unchanged": false})).await
    }

    async fn configure(&mut self, name: &str, size: usize) -> std::io::Result<()> {
        let bytes = self.payload("configure", size).await?;
        let changed = self.change(|state| {
            let changed = state.config.get(name) != Some(&bytes);
            state.stale |= changed;
            state.config.insert(name.to_owned(), bytes);
            changed
        });
        self.say(&json!({"step": "configure", "ok": true, "changed": changed})).await
    }

    async fn payload(&mut self, step: &str, size: usize) -> std::io::Result<Vec<u8>> {
        self.say(&json!({"step": step, "go": true})).await?;
        let mut bytes = vec![0; size];
        self.input.read_exact(&mut bytes).await?;
        Ok(bytes)
    }

    async fn say(&mut self, answer: &Value) -> std::io::Result<()> {
        self.output.write_all(format!("{answer}\n").as_bytes()).await
    }

    fn change<T>(&self, change: impl FnOnce(&mut FakeState) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn status(state: &mut FakeState) -> Value {
    let name = match (&state.current, state.running) {
        (None, _) => "none",
        (Some(_), true) => "running",
        (Some(_), false) => "stopped",
    };
    json!({"installed": state.installed, "current": state.current, "previous": state.previous, "state": name,
        "wanted": if state.running { "run" } else { "stop" }, "pid": state.running.then_some(2),
        "supervisor": state.running.then_some(2), "restarts": 0, "stale": state.stale,
        "package": if state.running { state.current.clone() } else { None }, "node": null})
}

fn activate(state: &mut FakeState, digest: Digest) -> bool {
    if state.current.as_ref() == Some(&digest) {
        return false;
    }
    state.previous = state.current.replace(digest);
    true
}

fn start(state: &mut FakeState) -> bool {
    state.stale = false;
    !std::mem::replace(&mut state.running, true)
}

fn stop(state: &mut FakeState) -> bool {
    std::mem::replace(&mut state.running, false)
}

fn remove(state: &mut FakeState) -> bool {
    let steps = std::mem::take(&mut state.steps);
    let was = !state.installed.is_empty() || state.current.is_some();
    *state = FakeState { steps, ..FakeState::default() };
    was
}

impl std::fmt::Debug for Fake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fake({} sessions open)", self.open_sessions())
    }
}
