//! A command on an open connection.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use p2ppool_model::{Cause, Step};
use russh::client::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Disconnect, Sig};
use tokio::io::AsyncWrite;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep};
use tokio_util::io::StreamReader;
use tokio_util::sync::DropGuard;

use super::handler::{Client, Shared, describe};
use crate::{Control, Ending, Exit, ExitWait, HostError, Pipe, Target};

/// Messages of at most 32 KiB between the connection and the reader of a command's output.
const UNREAD_MAX: usize = 4;

/// How long an upload waits for the server to say that something was read, before it goes on to
/// fill the window: a server may announce room only when its window is nearly used up.
const STALL: Duration = Duration::from_millis(200);

/// How long leaving a connection may take.
const LEAVE: Duration = Duration::from_secs(2);

/// How long ending a command on the host may take.
const KILL: Duration = Duration::from_secs(5);

/// A connection that is logged in, and what it goes through.
pub(super) struct Connection {
    pub(super) handle: Handle<Client>,
    pub(super) shared: Arc<Shared>,
    /// Closes the socket when it is dropped.
    pub(super) open: DropGuard,
    /// The connection to the jump host; dropped after ours.
    pub(super) jump: Option<Box<Connection>>,
    /// How long the host, or the jump host before it, took to answer the first packet.
    pub(super) round_trip: Duration,
}

impl Connection {
    /// Starts the command and returns its pipe.
    pub(super) async fn start(self, target: &Target, command: &str, in_flight: u32) -> Result<Pipe, HostError> {
        let refused = |cause, what: String| {
            let message = format!("start a command on {}: {what}", target.display());
            HostError::new(cause, Step::Connect, message)
        };
        let lost = |e: russh::Error| refused(Cause::ConnectionLost, format!("connection lost: {}", describe(&e)));
        let mut channel = match self.handle.channel_open_session().await {
            Ok(channel) => channel,
            Err(russh::Error::ChannelOpenFailure(reason)) => {
                return Err(refused(Cause::NoHostScript, format!("the server opens no session: {reason:?}")));
            }
            Err(error) => return Err(lost(error)),
        };
        channel.exec(true, command).await.map_err(lost)?;
        if !accepted(&mut channel).await {
            let why = format!("the server runs no commands: {}", self.shared.reason());
            return Err(refused(Cause::NoHostScript, why));
        }
        let first_contact = if target.pinned.is_none() { self.shared.presented() } else { None };
        Ok(self.pipe(channel, in_flight, first_contact))
    }

    fn pipe(
        self,
        channel: Channel<Msg>,
        in_flight: u32,
        first_contact: Option<p2ppool_model::host::PinnedKey>,
    ) -> Pipe {
        let shared = self.shared.clone();
        let (read, write) = channel.split();
        let (exit_sender, exit) = ExitWait::new();
        let (sender, mut receiver) = mpsc::channel(UNREAD_MAX);
        tokio::spawn(pump(read, sender, exit_sender, shared.clone()));
        let output = futures::stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|bytes| bytes.map(io::Result::Ok)));
        let stdin =
            Paced { inner: Box::pin(write.make_writer()), shared: shared.clone(), max: in_flight.into(), stall: None };
        Pipe {
            stdin: Box::new(stdin),
            stdout: Box::new(StreamReader::new(output)),
            stderr: shared.output.clone(),
            exit,
            first_contact,
            control: Control::new(move |ending| Box::pin(self.end(write, ending))),
        }
    }

    async fn end(self, command: ChannelWriteHalf<Msg>, ending: Ending) {
        let kill = async {
            if ending == Ending::Abort(None) {
                // OpenSSH since 7.9 passes it on, unless the user is root
                let _ = command.signal(Sig::KILL).await;
            }
            if let Ending::Abort(pid) = ending {
                kill(&self.handle, pid).await;
            }
        };
        let ended = tokio::time::timeout(KILL, kill).await.is_ok();
        if !ended {
            tracing::warn!(?ending, "a command may still run: the connection did not carry its end in time");
        }
        self.leave().await;
    }

    /// Says goodbye; then the jump host, too.
    pub(super) async fn leave(self) {
        let mut next = Some(Box::new(self));
        while let Some(connection) = next {
            let Connection { handle, jump, open, .. } = *connection;
            let goodbye = async {
                let _ = handle.disconnect(Disconnect::ByApplication, "", "").await;
                // ends when the socket is shut down
                let _ = handle.await;
            };
            let _ = tokio::time::timeout(LEAVE, goodbye).await;
            drop(open);
            next = jump;
        }
    }
}

/// Waits for the answer to `exec`.
async fn accepted(channel: &mut Channel<Msg>) -> bool {
    loop {
        match channel.wait().await {
            Some(ChannelMsg::Success) => return true,
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            _ => return false,
        }
    }
}

/// Ends the process group of a command by a short second one: closing a channel leaves what it ran
/// alive. A command that never told its process id is found as the other child of this connection's
/// sshd. TERM lets a script clean up; a group that ignores it for two seconds is killed.
async fn kill(handle: &Handle<Client>, pid: Option<u32>) {
    // 0 and 1 are no process groups of ours, whatever a host says
    if handle.is_closed() || pid.is_some_and(|pid| pid < 2) {
        return;
    }
    let Ok(mut channel) = handle.channel_open_session().await else { return };
    let groups = pid.map(|pid| pid.to_string()).unwrap_or_default();
    let command = format!("exec sh -c '{KILL_GROUPS}' sh \"{groups}\" </dev/null >/dev/null 2>&1");
    if channel.exec(false, command).await.is_err() {
        return;
    }
    while let Some(message) = channel.wait().await {
        if matches!(message, ChannelMsg::Close | ChannelMsg::Failure) {
            return;
        }
    }
}

const KILL_GROUPS: &str = r#"
groups=$1
[ -n "$groups" ] || for file in /proc/[0-9]*/stat; do
    read -r stat <"$file" || continue
    pid=${file#/proc/}
    pid=${pid%/stat}
    set -- ${stat##*) }
    [ "$2" != "$PPID" ] || [ "$pid" = $$ ] || groups="$groups $pid"
done
# dropbear gives a command no group of its own
for group in $groups; do kill -s TERM -- -$group || kill -s TERM $group; done
looks=0
while [ $looks -lt 20 ]; do
    alive=
    for group in $groups; do { kill -s 0 -- -$group || kill -s 0 $group; } && alive=yes; done
    [ -n "$alive" ] || exit 0
    looks=$((looks + 1))
    sleep 0.1 || exit 0
done
for group in $groups; do kill -s KILL -- -$group || kill -s KILL $group; done
"#;

/// Moves what the command writes to whoever reads it. It goes on when nobody does any more: a
/// channel that isn't drained blocks its whole connection.
async fn pump(
    mut channel: ChannelReadHalf,
    stdout: mpsc::Sender<Bytes>,
    exit_sender: oneshot::Sender<Exit>,
    shared: Arc<Shared>,
) {
    let mut exit = None;
    let mut stdout = Some(stdout);
    while let Some(message) = channel.wait().await {
        match message {
            ChannelMsg::Data { data } => {
                if let Some(sender) = &stdout
                    && sender.send(data).await.is_err()
                {
                    stdout = None;
                }
            }
            ChannelMsg::ExtendedData { data, .. } => shared.output.push(&data),
            ChannelMsg::ExitStatus { exit_status } => exit = Some(Exit::Status(exit_status)),
            ChannelMsg::ExitSignal { signal_name, .. } => exit = Some(Exit::Signal(format!("{signal_name:?}"))),
            ChannelMsg::Eof => stdout = None,
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    drop(stdout);
    // nobody may wait for it any more
    let _ = exit_sender.send(exit.unwrap_or_else(|| Exit::Missing(shared.reason())));
}

/// A writer that keeps only so many bytes under way: flooding an sshd doubles its CPU time.
struct Paced<W> {
    inner: Pin<Box<W>>,
    shared: Arc<Shared>,
    max: u64,
    stall: Option<Pin<Box<Sleep>>>,
}

impl<W: AsyncWrite> Paced<W> {
    /// Ready when there is room under way, or when nothing was taken for [`STALL`].
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let flow = &self.shared.flow;
        if flow.in_flight() < self.max {
            self.stall = None;
            return Poll::Ready(());
        }
        flow.register(cx.waker());
        if flow.in_flight() < self.max {
            self.stall = None;
            return Poll::Ready(());
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + STALL)));
        std::task::ready!(stall.as_mut().poll(cx));
        self.stall = None;
        Poll::Ready(())
    }
}

impl<W: AsyncWrite> AsyncWrite for Paced<W> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.poll_room(cx));
        let written = std::task::ready!(self.inner.as_mut().poll_write(cx, buf))?;
        self.shared.flow.add(written as u64);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner.as_mut().poll_shutdown(cx)
    }
}
