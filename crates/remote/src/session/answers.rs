//! What the host script answers.

use p2ppool_model::{Cause, Digest, Step};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::HostError;
use crate::output::excerpt;

/// The first line of the script.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// Always `p2ppool-host`.
    pub hello: String,
    /// Version of the protocol.
    pub version: u32,
    /// Process id of the script, which leads its process group.
    pub pid: u32,
    /// The user it runs as.
    #[serde(default)]
    pub user: String,
    /// `uname -m`.
    #[serde(default)]
    pub arch: String,
    /// The user's home folder.
    #[serde(default)]
    pub home: String,
    /// Programs that the script needs and didn't find.
    #[serde(default)]
    pub missing: Vec<String>,
}

/// Whether the node of a host is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// Its process is up and ready.
    Running,
    /// The supervisor is starting it.
    Starting,
    /// Installed and not up.
    Stopped,
    /// Nothing is installed.
    None,
}

/// What the host was last told to keep its node at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// Up.
    Run,
    /// Down.
    Stop,
}

/// Answer of `status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostStatus {
    /// Every release that is unpacked.
    pub installed: Vec<Digest>,
    /// The release that runs or would run.
    pub current: Option<Digest>,
    /// The one before, kept for rollback.
    #[serde(default)]
    pub previous: Option<Digest>,
    /// Whether the node is up.
    pub state: NodeState,
    /// What it should be.
    #[serde(default)]
    pub wanted: Option<Wanted>,
    /// Process id of the node.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Process id of its supervisor.
    #[serde(default)]
    pub supervisor: Option<u32>,
    /// The release that the running node was started from; differs from `current` between an
    /// activate and the start after it.
    #[serde(default)]
    pub package: Option<Digest>,
    /// A config file changed since the node was started.
    #[serde(default)]
    pub stale: bool,
    /// How often the supervisor restarted the node since it was told to run it.
    #[serde(default)]
    pub restarts: u64,
    /// How the node ended last (`status 1`, `signal 9`).
    #[serde(default)]
    pub last_exit: Option<String>,
    /// What the node wrote about itself (`node.json`). Comes from the host: not to be trusted.
    #[serde(default)]
    pub node: Option<Value>,
    /// Every runtime that is unpacked.
    #[serde(default)]
    pub runtimes: Vec<Digest>,
    /// What the package warned of before the last start, in plain words.
    #[serde(default)]
    pub warnings: Vec<String>,
}

impl HostStatus {
    /// The node's own identity, when it wrote one.
    pub fn peer_id(&self) -> Option<&str> {
        self.node.as_ref()?.get("peer_id")?.as_str().filter(|id| id.len() <= 128)
    }
}

macro_rules! changed {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name {
            /// Something was different before.
            pub changed: bool,
        }
    };
}

/// Answer of `receive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// The host had this package already; nothing was sent.
    #[serde(default)]
    pub unchanged: bool,
}

changed!(
    /// Answer of `configure`.
    Configured
);
changed!(
    /// Answer of `activate`.
    Activated
);
changed!(
    /// Answer of `stop`.
    Stopped
);
/// Answer of `remove`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removed {
    /// Something was there.
    pub changed: bool,
    /// The folder is still there: it holds what others put into it.
    #[serde(default)]
    pub left: bool,
}

/// Answer of `start` and `restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// The node was not up before.
    #[serde(default)]
    pub changed: bool,
    /// Process id of the node.
    #[serde(default)]
    pub pid: Option<u32>,
}

/// A payload that came from a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes written to the sink (a tar.gz).
    pub size: u64,
    /// There was more than the limit; the newest was taken.
    pub truncated: bool,
}

/// Numbers of the node process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NodeUsage {
    /// Resident memory, bytes.
    #[serde(default)]
    pub rss: Option<u64>,
    /// CPU time since its start, seconds.
    #[serde(default)]
    pub cpu_s: Option<f64>,
    /// Seconds since its start.
    #[serde(default, deserialize_with = "whole_seconds")]
    pub uptime_s: Option<u64>,
}

/// Answer of `usage`; what a host can't tell is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostUsage {
    /// The node process, when one runs.
    #[serde(default)]
    pub node: Option<NodeUsage>,
    /// Memory of the host, bytes.
    #[serde(default)]
    pub memory_total: Option<u64>,
    /// Memory that new programs could get, bytes.
    #[serde(default)]
    pub memory_available: Option<u64>,
    /// One-minute load average.
    #[serde(default)]
    pub load: Option<f64>,
    /// Free space under the install path, bytes.
    #[serde(default)]
    pub disk_free: Option<u64>,
    /// Seconds since the host booted.
    #[serde(default, deserialize_with = "whole_seconds")]
    pub uptime_s: Option<u64>,
    /// Processors.
    #[serde(default)]
    pub cores: Option<u32>,
}

/// Seconds may come with a fraction, as `/proc/uptime` has them.
fn whole_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let seconds = Option::<f64>::deserialize(deserializer)?;
    // saturates: a negative or absurd number becomes the nearest possible one
    Ok(seconds.map(|s| s as u64))
}

/// One parsed answer line.
#[derive(Debug)]
pub(super) enum Answer {
    /// The script waits for the payload.
    Go,
    /// The step is done.
    Done(Value),
}

/// The fields that every answer has.
#[derive(Deserialize)]
struct Head {
    step: String,
    #[serde(default)]
    ok: Option<bool>,
    #[serde(default)]
    go: bool,
    #[serde(default)]
    cause: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

/// Characters of a wrong answer that are shown.
const EXCERPT: usize = 120;

/// Characters of a host's own message that are kept.
const MESSAGE_MAX: usize = 4000;

/// Reads an answer line to the request `asked` (its name may differ from the step's: `restart`).
pub(super) fn parse(line: &[u8], asked: &str, step: Step, host: &str) -> Result<Answer, HostError> {
    let wrong = |what: &str| bad_answer(step, host, asked, what, line);
    let value: Value = serde_json::from_slice(line).map_err(|_| wrong("not a line of JSON"))?;
    let head: Head = serde_json::from_value(value.clone()).map_err(|_| wrong("no answer to a step"))?;
    if head.step != asked {
        return Err(wrong("an answer to another step"));
    }
    match (head.ok, head.go) {
        (None, true) => Ok(Answer::Go),
        (Some(true), false) => Ok(Answer::Done(value)),
        (Some(false), false) => Err(refused(&head, asked, step, host)),
        _ => Err(wrong("neither done nor failed")),
    }
}

/// Reads the fields of a finished step.
pub(super) fn fields<T: for<'de> Deserialize<'de>>(
    value: &Value,
    asked: &str,
    step: Step,
    host: &str,
) -> Result<T, HostError> {
    T::deserialize(value).map_err(|e| bad_answer(step, host, asked, &e.to_string(), value.to_string().as_bytes()))
}

pub(super) fn bad_answer(step: Step, host: &str, asked: &str, what: &str, line: &[u8]) -> HostError {
    // what is wrong may be told in the host's own words
    let what = excerpt(what.as_bytes(), EXCERPT);
    let message = format!("{asked} on {host}: bad answer ({what}): `{}`", excerpt(line, EXCERPT));
    HostError::new(Cause::BadAnswer, step, message)
}

fn refused(head: &Head, asked: &str, step: Step, host: &str) -> HostError {
    let cause = head.cause.as_deref().and_then(|name| name.parse().ok()).unwrap_or(Cause::Other);
    let said = head.message.as_deref().unwrap_or("no reason given");
    let said: String = crate::output::printable(said.as_bytes()).chars().take(MESSAGE_MAX).collect();
    HostError::new(cause, step, format!("{asked} on {host}: {said}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Answer, HostError> {
        parse(line.as_bytes(), "status", Step::Status, "h")
    }

    #[test]
    fn a_status_is_read() {
        let digest = Digest::of(b"x");
        let line = format!(
            r#"{{"step":"status","ok":true,"installed":["{digest}"],"current":"{digest}","previous":null,"state":"running","wanted":"run","pid":5,"supervisor":4,"restarts":0,"node":{{"peer_id":"12D3"}}}}"#
        );
        let Answer::Done(value) = read(&line).unwrap() else { panic!() };
        let status: HostStatus = fields(&value, "status", Step::Status, "h").unwrap();
        assert_eq!((status.current, status.state, status.pid), (Some(digest), NodeState::Running, Some(5)));
    }

    #[test]
    fn what_is_wrong_is_told_without_the_hosts_control_characters() {
        let line =
            format!(r#"{{"step":"status","ok":true,"installed":[],"current":"\u001b[2J{}"}}"#, "x".repeat(9_000));
        let Answer::Done(value) = read(&line).unwrap() else { panic!() };
        let error = fields::<HostStatus>(&value, "status", Step::Status, "h").unwrap_err();
        assert!(!error.message.contains('\u{1b}') && error.message.len() < 1_000, "{error}");
    }

    #[test]
    fn a_refusal_keeps_cause_and_message() {
        let error =
            read(r#"{"step":"status","ok":false,"cause":"disk_full","message":"no space\u001b[2J"}"#).unwrap_err();
        assert_eq!(error.cause, Cause::DiskFull);
        assert_eq!(error.message, "status on h: no space\u{fffd}[2J");
        let error = read(r#"{"step":"status","ok":false,"cause":"invented"}"#).unwrap_err();
        assert_eq!(error.cause, Cause::Other);
    }

    #[test]
    fn anything_else_is_a_bad_answer() {
        for line in [
            "",
            "hello",
            "[]",
            "1",
            "{}",
            r#"{"step":"start","ok":true}"#,
            r#"{"step":"status"}"#,
            r#"{"step":"status","ok":true,"go":true}"#,
            r#"{"step":"status","ok":"yes"}"#,
        ] {
            assert_eq!(read(line).unwrap_err().cause, Cause::BadAnswer, "{line}");
        }
        let wrong = serde_json::json!({"step": "status", "ok": true, "installed": ["../x"], "state": "running"});
        assert_eq!(fields::<HostStatus>(&wrong, "status", Step::Status, "h").unwrap_err().cause, Cause::BadAnswer);
    }

    #[test]
    fn usage_may_have_fractions_and_gaps() {
        let value = serde_json::json!({"uptime_s": 12.9, "load": 0.5, "node": {"cpu_s": 0.25, "uptime_s": null}});
        let usage: HostUsage = fields(&value, "usage", Step::Usage, "h").unwrap();
        assert_eq!((usage.uptime_s, usage.memory_total), (Some(12), None));
        assert_eq!(usage.node.unwrap().cpu_s, Some(0.25));
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            let _ = parse(&line, "status", Step::Status, "h");
        }
    }
}
