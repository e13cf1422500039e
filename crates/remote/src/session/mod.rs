//! A conversation with the host script over one connection.
//!
//! ```text
//! open ──hello──► idle ──request──► waiting ──answer──► idle ──bye──► closed
//!                                     │ go: payload to the host
//!                                     │ size: payload from the host
//!                                     └─ cut, late, nonsense, dropped future ──► broken
//! ```
//! A broken session answers every further request with an error; dropping it (or
//! [`HostSession::abort`]) ends the script on the host.

mod answers;
mod lines;
mod script;
mod steps;

pub use answers::{
    Activated, Configured, Fetched, Hello, HostStatus, HostUsage, NodeState, NodeUsage, Received, Removed, Started,
    Stopped, Wanted,
};
pub use lines::LINE_MAX;
pub use script::HOST_SCRIPT;
#[cfg(any(test, feature = "testing"))]
pub(crate) use script::script_bytes;

use std::time::Duration;

use bytes::Bytes;
use p2ppool_model::host::PinnedKey;
use p2ppool_model::{Cause, Step};
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use crate::output::excerpt;
use crate::{Control, Deadlines, Exit, ExitWait, HostError, OutputTail, Target, Transport};
use answers::Answer;
use lines::{LineError, Lines, PayloadError};

/// Bytes of start-up noise (login banners, start-up files) that may come before the hello line.
pub const NOISE_MAX: usize = 64 * 1024;

/// The protocol spoken here.
const VERSION: u32 = 1;

/// How long after the end of its output a script's exit status is waited for.
const EXIT_GRACE: Duration = Duration::from_secs(2);

/// How long a script that refused in the middle of an upload may take to swallow the rest of it.
const SWALLOW: Duration = Duration::from_secs(2);

/// Bytes of the remote output that an error message ends with.
const OUTPUT_EXCERPT: usize = 1000;

/// A host script that answers requests.
pub struct HostSession {
    host: String,
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    lines: Lines,
    stderr: OutputTail,
    exit: ExitWait,
    control: Control,
    deadlines: Deadlines,
    hello: Hello,
    first_contact: Option<PinnedKey>,
    broken: bool,
}

/// One request.
struct Call {
    step: Step,
    name: &'static str,
    words: Vec<String>,
}

impl HostSession {
    /// Connects and starts the host script.
    pub async fn open(
        transport: &dyn Transport,
        target: &Target,
        deadlines: &Deadlines,
    ) -> Result<HostSession, HostError> {
        Self::open_script(transport, target, deadlines, HOST_SCRIPT).await
    }

    /// Like [`HostSession::open`], with another script that speaks the same protocol.
    pub async fn open_script(
        transport: &dyn Transport,
        target: &Target,
        deadlines: &Deadlines,
        script: &str,
    ) -> Result<HostSession, HostError> {
        let command = script::serve_command(script, &target.install_path);
        let pipe = transport.open(target, &command, deadlines.connect).await?;
        let mut session = HostSession {
            host: target.display(),
            stdin: pipe.stdin,
            lines: Lines::new(pipe.stdout),
            stderr: pipe.stderr,
            exit: pipe.exit,
            control: pipe.control,
            deadlines: deadlines.clone(),
            hello: Hello::default(),
            first_contact: pipe.first_contact,
            broken: true,
        };
        match timeout(deadlines.hello, session.greet(script)).await {
            Ok(Ok(hello)) => {
                session.control.started(hello.pid);
                session.hello = hello;
                session.broken = false;
                Ok(session)
            }
            Ok(Err(error)) => Err(session.given_up(error).await),
            Err(_) => {
                let message = format!(
                    "start the host script on {}: no hello within {} s; its login shell may hang in a start-up file{}",
                    session.host,
                    deadlines.hello.as_secs(),
                    session.output_end()
                );
                Err(session.given_up(HostError::new(Cause::NoHostScript, Step::Connect, message)).await)
            }
        }
    }

    /// What the script said of the host.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// The host key, when none was pinned: to be pinned now.
    pub fn first_contact(&self) -> Option<&PinnedKey> {
        self.first_contact.as_ref()
    }

    /// The end of what the host wrote to its standard error so far.
    pub fn output(&self) -> String {
        self.stderr.text()
    }

    /// No request can be answered any more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Says goodbye and waits for the script's end. An exit status that never comes is an error.
    pub async fn close(mut self) -> Result<(), HostError> {
        if self.broken {
            self.control.abort().await;
            return Ok(());
        }
        let bye = script::request_line("bye", &[]);
        let end = async {
            // a script that is gone already tells so by its exit status
            let _ = self.stdin.write_all(bye.as_bytes()).await;
            let _ = self.stdin.shutdown().await;
            self.exit.wait().await
        };
        let exit = match timeout(self.deadlines.close, end).await {
            Ok(Exit::Missing(why)) => Err(why),
            Ok(_) => Ok(()),
            Err(_) => Err(format!("no exit status within {} s", self.deadlines.close.as_secs())),
        };
        match exit {
            Ok(()) => {
                self.control.finished().await;
                Ok(())
            }
            Err(why) => {
                self.control.abort().await;
                let message = format!("close the session on {}: connection lost: {why}", self.host);
                Err(HostError::new(Cause::ConnectionLost, Step::Connect, message))
            }
        }
    }

    /// Ends the script on the host now, at whatever it is.
    pub async fn abort(self) {
        self.control.abort().await;
    }

    /// Sends the script and waits for its hello.
    async fn greet(&mut self, script: &str) -> Result<Hello, HostError> {
        let script = script::sent_script(script);
        let sent = self.stdin.write_all(&script).await.is_ok() && self.stdin.flush().await.is_ok();
        if !sent {
            tracing::debug!(host = %self.host, "the shell took no script; its output tells why");
        }
        self.read_hello().await
    }

    async fn read_hello(&mut self) -> Result<Hello, HostError> {
        let mut noise = Vec::new();
        loop {
            let line = match self.lines.line(NOISE_MAX - noise.len()).await {
                Ok(line) => line,
                Err(LineError::End(rest)) => {
                    noise.extend(rest);
                    return Err(self.no_hello(&noise).await);
                }
                Err(LineError::TooLong(rest)) => {
                    noise.extend(rest);
                    return Err(self.too_noisy(&noise));
                }
            };
            if let Some(hello) = find_hello(&line) {
                return self.accept(hello);
            }
            noise.extend(line);
            noise.push(b'\n');
            if noise.len() >= NOISE_MAX {
                return Err(self.too_noisy(&noise));
            }
        }
    }

    fn accept(&self, hello: Hello) -> Result<Hello, HostError> {
        if hello.version == VERSION {
            return Ok(hello);
        }
        let message =
            format!("start the host script on {}: it speaks version {}, not {VERSION}", self.host, hello.version);
        Err(HostError::new(Cause::BadAnswer, Step::Connect, message))
    }

    fn too_noisy(&self, noise: &[u8]) -> HostError {
        let message = format!(
            "start the host script on {}: more than {NOISE_MAX} bytes came before it; they begin with `{}`",
            self.host,
            excerpt(noise, 120)
        );
        HostError::new(Cause::NoHostScript, Step::Connect, message)
    }

    async fn no_hello(&mut self, noise: &[u8]) -> HostError {
        let (cause, how) = match self.ended().await {
            Exit::Missing(why) => (Cause::ConnectionLost, format!("connection lost: {why}")),
            exit => (Cause::NoHostScript, format!("the login shell ended with {exit}")),
        };
        let printed = if noise.is_empty() { String::new() } else { format!("; it printed `{}`", excerpt(noise, 120)) };
        let message = format!("start the host script on {}: {how}{printed}{}", self.host, self.output_end());
        HostError::new(cause, Step::Connect, message)
    }

    /// Asks, uploads the payload when the script wants it, and returns the final answer. `None`:
    /// the script wanted a payload and none was there to give.
    async fn request(&mut self, call: &Call, payload: Option<&Bytes>) -> Result<Value, HostError> {
        if self.broken {
            let message = format!("{} on {}: the session broke at an earlier step", call.name, self.host);
            return Err(HostError::new(Cause::ConnectionLost, call.step, message));
        }
        // a future that is dropped while it waits leaves it broken
        self.broken = true;
        let within = self.deadlines.of(call.step, payload.map_or(0, |p| p.len() as u64));
        timeout(within, self.talk(call, payload)).await.unwrap_or_else(|_| Err(self.late(call, within)))
    }

    async fn talk(&mut self, call: &Call, payload: Option<&Bytes>) -> Result<Value, HostError> {
        let line = script::request_line(call.name, &call.words);
        if self.stdin.write_all(line.as_bytes()).await.is_err() || self.stdin.flush().await.is_err() {
            return Err(self.ended_at(call, LineError::End(Vec::new())).await);
        }
        match (self.answer(call).await?, payload) {
            (Answer::Done(value), _) => Ok(value),
            (Answer::Go, Some(payload)) => self.upload(call, payload).await,
            (Answer::Go, None) => Err(self.unexpected(call, "it waits for bytes that were not announced")),
        }
    }

    /// One answer line. The session is whole again when the script did or refused the step.
    async fn answer(&mut self, call: &Call) -> Result<Answer, HostError> {
        match self.lines.line(LINE_MAX).await {
            Ok(line) => self.parse(call, &line),
            Err(end) => Err(self.ended_at(call, end).await),
        }
    }

    fn parse(&mut self, call: &Call, line: &[u8]) -> Result<Answer, HostError> {
        let answer = answers::parse(line, call.name, call.step, &self.host);
        self.broken = match &answer {
            Ok(Answer::Done(_)) => false,
            Ok(Answer::Go) => true,
            Err(error) => error.cause == Cause::BadAnswer,
        };
        answer
    }

    async fn upload(&mut self, call: &Call, payload: &Bytes) -> Result<Value, HostError> {
        let early = {
            let write = async {
                self.stdin.write_all(payload).await?;
                self.stdin.flush().await
            };
            tokio::pin!(write);
            tokio::select! {
                biased;
                written = &mut write => { let _ = written; None }
                line = self.lines.line(LINE_MAX) => {
                    // refused in the middle: the rest must be swallowed before another request can be read
                    let swallowed = matches!(timeout(SWALLOW, write).await, Ok(Ok(())));
                    Some((line, swallowed))
                }
            }
        };
        let Some((line, swallowed)) = early else { return self.done(call).await };
        let answer = match line {
            Ok(line) => self.parse(call, &line),
            Err(end) => return Err(self.ended_at(call, end).await),
        };
        self.broken |= !swallowed;
        match answer? {
            Answer::Done(value) => Ok(value),
            Answer::Go => Err(self.unexpected(call, "it asks twice for the same bytes")),
        }
    }

    async fn done(&mut self, call: &Call) -> Result<Value, HostError> {
        match self.answer(call).await? {
            Answer::Done(value) => Ok(value),
            Answer::Go => Err(self.unexpected(call, "it asks twice for the same bytes")),
        }
    }

    /// Asks for a payload and copies it into the sink.
    async fn fetch(
        &mut self,
        call: &Call,
        max: u64,
        sink: &mut (dyn AsyncWrite + Send + Unpin),
    ) -> Result<Fetched, HostError> {
        let value = self.request(call, None).await?;
        self.broken = true;
        let Some(size) = value.get("size").and_then(Value::as_u64) else {
            return Err(self.unexpected(call, "no size"));
        };
        if size > max {
            return Err(self.unexpected(call, &format!("{size} bytes where at most {max} were asked for")));
        }
        let within = self.deadlines.of(call.step, size);
        let copied = timeout(within, self.lines.copy(size, sink)).await;
        match copied {
            Err(_) => Err(self.late(call, within)),
            Ok(Err(PayloadError::End(missing))) => {
                let mut error = self.ended_at(call, LineError::End(Vec::new())).await;
                error.message.push_str(&format!(" ({missing} of {size} bytes are missing)"));
                Err(error)
            }
            Ok(Err(PayloadError::Sink(e))) => {
                let message = format!("{} on {}: keep what was received: {e}", call.name, self.host);
                Err(HostError::new(Cause::Other, call.step, message))
            }
            Ok(Ok(())) => {
                self.broken = false;
                Ok(Fetched { size, truncated: value.get("truncated").and_then(Value::as_bool) == Some(true) })
            }
        }
    }

    fn late(&self, call: &Call, within: Duration) -> HostError {
        let message =
            format!("{} on {}: not done within {} s{}", call.name, self.host, within.as_secs(), self.output_end());
        HostError::new(Cause::StepTimeout, call.step, message)
    }

    fn unexpected(&self, call: &Call, what: &str) -> HostError {
        answers::bad_answer(call.step, &self.host, call.name, what, b"")
    }

    async fn ended_at(&mut self, call: &Call, end: LineError) -> HostError {
        let rest = match end {
            LineError::TooLong(rest) => {
                return answers::bad_answer(call.step, &self.host, call.name, "a line without end", &rest);
            }
            LineError::End(rest) => rest,
        };
        let (cause, how) = match self.ended().await {
            Exit::Missing(why) => (Cause::ConnectionLost, format!("connection lost: {why}")),
            exit => (Cause::BadAnswer, format!("the host script ended with {exit}")),
        };
        let rest = if rest.is_empty() { String::new() } else { format!(" after `{}`", excerpt(&rest, 120)) };
        let message = format!("{} on {}: {how}{rest}{}", call.name, self.host, self.output_end());
        HostError::new(cause, call.step, message)
    }

    async fn ended(&mut self) -> Exit {
        timeout(EXIT_GRACE, self.exit.wait()).await.unwrap_or_else(|_| Exit::Missing("no exit status came".into()))
    }

    /// `; remote output: …`, when there is any.
    fn output_end(&self) -> String {
        let end = self.stderr.last_lines(OUTPUT_EXCERPT);
        if end.is_empty() { end } else { format!("; remote output: {end}") }
    }

    /// Ends what was started; the host key that was seen stays known.
    async fn given_up(self, mut error: HostError) -> HostError {
        error.presented = self.first_contact.clone().map(Box::new);
        self.abort().await;
        error
    }
}

impl std::fmt::Debug for HostSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HostSession({}, broken: {})", self.host, self.broken)
    }
}

/// The hello in a line; a prompt or banner without line break may stand before it.
fn find_hello(line: &[u8]) -> Option<Hello> {
    const START: &[u8] = br#"{"hello":"p2ppool-host""#;
    let at = line.windows(START.len()).position(|window| window == START)?;
    serde_json::from_slice(line[at..].trim_ascii_end()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_found_behind_a_prompt() {
        let line = b"\x1b[0mwelcome> {\"hello\":\"p2ppool-host\",\"version\":1,\"pid\":7}\r";
        assert_eq!(find_hello(line).unwrap().pid, 7);
        assert!(find_hello(b"{\"hello\":\"world\"}").is_none());
        assert!(find_hello(b"{\"hello\":\"p2ppool-host\",").is_none());
    }
}
