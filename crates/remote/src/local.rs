//! Hosts that are folders on this machine: the same script, run by a local `sh`.

use std::process::Stdio;
use std::time::Duration;

use async_trait::async_trait;
use p2ppool_model::{Cause, Step};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

use crate::{Control, Ending, Exit, ExitWait, HostError, OutputTail, Pipe, Target, Transport};

/// Runs commands by the `sh` of this machine, each in a process group of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Local;

/// Variables that a login gives a command; the manager's others (secrets among them) aren't passed on.
const ENVIRONMENT: [&str; 7] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR", "TZ"];

/// Bytes read from a command's standard error at once.
const STDERR_CHUNK: usize = 4096;

/// How long a killed group may take to be reaped before it is left to the runtime.
const REAP: Duration = Duration::from_secs(5);

#[async_trait]
impl Transport for Local {
    async fn open(&self, target: &Target, command: &str, _connect: Duration) -> Result<Pipe, HostError> {
        let mut child = spawn(command).map_err(|e| {
            HostError::new(Cause::Other, Step::Connect, format!("start `sh` for {}: {e}", target.display()))
        })?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(HostError::new(Cause::Other, Step::Connect, "start `sh`: no pipes to it"));
        };
        let tail = OutputTail::default();
        tokio::spawn(keep_tail(stderr, tail.clone()));
        let (exit_sender, exit) = ExitWait::new();
        let (abort_sender, abort) = mpsc::channel(1);
        let (reaped_sender, reaped) = oneshot::channel();
        tokio::spawn(reap(child, abort, exit_sender, reaped_sender));
        let control = Control::new(move |ending| {
            Box::pin(async move {
                if matches!(ending, Ending::Abort(_)) {
                    // a full or closed queue means that it is being ended already
                    let _ = abort_sender.try_send(());
                }
                let _ = tokio::time::timeout(REAP, reaped).await;
            })
        });
        Ok(Pipe { stdin: Box::new(stdin), stdout: Box::new(stdout), stderr: tail, exit, first_contact: None, control })
    }
}

fn spawn(command: &str) -> std::io::Result<Child> {
    let kept = ENVIRONMENT.iter().filter_map(|name| std::env::var_os(name).map(|value| (name, value)));
    Command::new("sh")
        .arg("-c")
        .arg(command)
        .env_clear()
        .envs(kept)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

async fn keep_tail(mut stderr: impl AsyncRead + Unpin, tail: OutputTail) {
    let mut chunk = [0; STDERR_CHUNK];
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        tail.push(&chunk[..length]);
    }
}

/// Waits for the child; a message (or the loss of the control) kills its group first. The child is
/// not reaped before, so its process id can't be somebody else's.
async fn reap(
    mut child: Child,
    mut abort: mpsc::Receiver<()>,
    exit: oneshot::Sender<Exit>,
    reaped: oneshot::Sender<()>,
) {
    let mut group = Group(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw));
    let status = tokio::select! {
        status = child.wait() => status,
        message = abort.recv() => {
            if message.is_some() {
                group.kill();
            }
            child.wait().await
        }
    };
    group.0 = None;
    let _ = exit.send(match status {
        Ok(status) => exit_of(status),
        Err(e) => Exit::Missing(format!("wait for `sh`: {e}")),
    });
    let _ = reaped.send(());
}

/// The process group of a child that wasn't reaped yet. Killed when it is dropped: a runtime that
/// shuts down drops its tasks.
struct Group(Option<Pid>);

impl Group {
    fn kill(&mut self) {
        let Some(pid) = self.0.take() else { return };
        if let Err(error) = kill_process_group(pid, Signal::KILL) {
            tracing::debug!(%error, pid = pid.as_raw_nonzero(), "the process group had ended");
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code.unsigned_abs()),
        (None, Some(signal)) => Exit::Signal(signal.to_string()),
        (None, None) => Exit::Missing("ended without a status".into()),
    }
}
