//! A plain command on a host, without the host script.

use std::time::Duration;

use p2ppool_model::host::PinnedKey;
use p2ppool_model::{Cause, Step};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::{Deadlines, Exit, HostError, OUTPUT_MAX, OutputTail, Target, Transport};

/// What a plain command left.
#[derive(Clone, Debug)]
pub struct Executed {
    /// How it ended: a status or a signal, never missing.
    pub exit: Exit,
    /// The last [`OUTPUT_MAX`] bytes of its standard output.
    pub stdout: OutputTail,
    /// The last [`OUTPUT_MAX`] bytes of its standard error.
    pub stderr: OutputTail,
    /// The host key, when none was pinned.
    pub first_contact: Option<PinnedKey>,
}

impl Executed {
    /// It ended with status 0.
    pub fn is_success(&self) -> bool {
        self.exit == Exit::Status(0)
    }
}

/// Runs one command line by the user's login shell, with nothing on its standard input. `within`
/// covers the command after the connection stands; a missing exit status is an error.
pub async fn exec(
    transport: &dyn Transport,
    target: &Target,
    command: &str,
    deadlines: &Deadlines,
    within: Duration,
) -> Result<Executed, HostError> {
    exec_with(transport, target, command, b"", deadlines, within).await
}

/// The same with these bytes on its standard input.
pub(crate) async fn exec_with(
    transport: &dyn Transport,
    target: &Target,
    command: &str,
    input: &[u8],
    deadlines: &Deadlines,
    within: Duration,
) -> Result<Executed, HostError> {
    let pipe = transport.open(target, command, deadlines.connect).await?;
    let stdout = OutputTail::default();
    let (mut exit, mut stdin) = (pipe.exit, pipe.stdin);
    let work = async {
        // a command that reads nothing ends all the same
        let _ = stdin.write_all(input).await;
        let _ = stdin.shutdown().await;
        drain(pipe.stdout, &stdout).await;
        exit.wait().await
    };
    let Ok(exit) = tokio::time::timeout(within, work).await else {
        pipe.control.abort().await;
        let message = format!("run `{command}` on {}: no end within {} s", target.display(), within.as_secs());
        return Err(HostError::new(Cause::StepTimeout, Step::Connect, message));
    };
    pipe.control.finished().await;
    if let Exit::Missing(why) = exit {
        let message = format!("run `{command}` on {}: connection lost: {why}", target.display());
        return Err(HostError::new(Cause::ConnectionLost, Step::Connect, message));
    }
    Ok(Executed { exit, stdout, stderr: pipe.stderr, first_contact: pipe.first_contact })
}

async fn drain(mut from: impl AsyncRead + Unpin, tail: &OutputTail) {
    let mut chunk = vec![0; OUTPUT_MAX];
    while let Ok(length @ 1..) = from.read(&mut chunk).await {
        tail.push(&chunk[..length]);
    }
}
