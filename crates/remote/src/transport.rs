//! A way to run one command on a host and talk to it.

use async_trait::async_trait;
use futures::future::BoxFuture;
use p2ppool_model::host::PinnedKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::{HostError, OutputTail, Target};

/// Runs commands on hosts: [`Ssh`](crate::Ssh), [`Local`](crate::Local) or a fake in tests.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Connects and starts `command` (a line for the user's login shell). The whole of it has to be
    /// done within `connect`; errors have [`Step::Connect`](p2ppool_model::Step::Connect).
    async fn open(&self, target: &Target, command: &str, connect: std::time::Duration) -> Result<Pipe, HostError>;
}

/// A command that runs on a host.
pub struct Pipe {
    /// Its standard input; shutting it down is end of file.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its standard output; ends when the command closes it or the connection breaks.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// The end of its standard error, filled while it runs.
    pub stderr: OutputTail,
    /// How it ended.
    pub exit: ExitWait,
    /// The host key, when none was pinned.
    pub first_contact: Option<PinnedKey>,
    /// Ends the command and the connection.
    pub control: Control,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this status; 0 is success.
    Status(u32),
    /// By this signal.
    Signal(String),
    /// Not told: the connection broke first. Never a success.
    Missing(String),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
            Self::Missing(why) => write!(f, "connection lost: {why}"),
        }
    }
}

/// Waits for the end of a command.
#[derive(Debug)]
pub struct ExitWait(oneshot::Receiver<Exit>);

impl ExitWait {
    /// The wait and what ends it; dropping the sender is an exit that was never told.
    pub fn new() -> (oneshot::Sender<Exit>, Self) {
        let (sender, receiver) = oneshot::channel();
        (sender, Self(receiver))
    }

    /// The end; may be awaited once and is cancel safe.
    pub async fn wait(&mut self) -> Exit {
        (&mut self.0).await.unwrap_or_else(|_| Exit::Missing("the connection was given up".into()))
    }
}

/// How a [`Control`] should end its command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The command ended by itself: only leave the connection politely.
    Finished,
    /// End it now: the process group of this process id (when the command told it), then the connection.
    Abort(Option<u32>),
}

type End = Box<dyn FnOnce(Ending) -> BoxFuture<'static, ()> + Send>;

/// Holds a command and its connection. When it is dropped before [`Control::finished`], the
/// command is ended, in the background.
pub struct Control {
    end: Option<End>,
    pid: Option<u32>,
}

impl Control {
    /// `end` does the work, once; it must be bounded in time.
    pub fn new(end: impl FnOnce(Ending) -> BoxFuture<'static, ()> + Send + 'static) -> Self {
        Self { end: Some(Box::new(end)), pid: None }
    }

    /// The command told its process id, which leads its process group.
    pub fn started(&mut self, pid: u32) {
        self.pid = Some(pid);
    }

    /// The command has ended; leaves the connection.
    pub async fn finished(mut self) {
        if let Some(end) = self.end.take() {
            end(Ending::Finished).await;
        }
    }

    /// Ends the command now.
    pub async fn abort(mut self) {
        let pid = self.pid;
        if let Some(end) = self.end.take() {
            end(Ending::Abort(pid)).await;
        }
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let Some(end) = self.end.take() else { return };
        // without a runtime its tasks are gone, and the connection with them
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(end(Ending::Abort(self.pid)));
        }
    }
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Control(pid {:?})", self.pid)
    }
}

impl std::fmt::Debug for Pipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pipe({:?})", self.control)
    }
}
