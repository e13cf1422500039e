//! The SSH transport: one connection for each command.
//!
//! ```text
//! resolve ─► connect ─► handshake ─► log in ─► start ─► Pipe
//!    ▲                     │ closed before we log in: again, with jitter
//!    └─────────────────────┘        all within one deadline
//! ```

mod algorithms;
mod channel;
mod dial;
mod handler;
mod login;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::BoxFuture;
use p2ppool_model::{Cause, Step};
use russh::client::{Handle, connect_stream};
use russh::keys::PublicKey;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::DropGuard;

use crate::keys::{fingerprint_of, read_public_key};
use crate::output::excerpt;
use crate::{HostError, Jump, Pipe, Target, Transport};
use channel::Connection;
use handler::{Client, Shared, describe};
use wire::{First, Wire};

/// Settings of the SSH transport.
#[derive(Clone, Debug)]
pub struct SshSettings {
    /// Bytes of an upload that may be under way to a near host and not yet taken by its program. An
    /// sshd tells what was taken after more than three packets of 32 KiB, so it must be more than
    /// that; with six under way instead of five, its CPU time doubles, with eight it triples.
    pub in_flight: u32,
    /// How often a connection that closes before authentication is tried, the first time included.
    pub attempts: u32,
}

impl Default for SshSettings {
    fn default() -> Self {
        Self { in_flight: 160 * 1024, attempts: 4 }
    }
}

/// A host that takes longer to answer than this is far: more must be under way to it, in proportion,
/// or the way there is never filled (160 KiB in 50 ms are 3 MB/s).
const NEAR: Duration = Duration::from_millis(50);

/// At most so many times the bytes under way to a near host, below the 2 MiB of an sshd's window.
const FAR_MAX: u32 = 8;

/// The first pause before another attempt; it doubles, and each is halved to doubled by chance.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Runs commands on hosts through SSH: one connection for each command.
#[derive(Debug, Default)]
pub struct Ssh {
    settings: SshSettings,
}

impl Ssh {
    /// With these settings.
    pub fn new(settings: SshSettings) -> Self {
        Self { settings }
    }

    async fn run(
        &self,
        target: &Target,
        command: &str,
        connect: Duration,
        phase: &PhaseCell,
    ) -> Result<Pipe, HostError> {
        let mut pause = RETRY_PAUSE;
        let mut attempt = 1;
        let connection = loop {
            match self.connect(target, target.pinned.as_deref(), connect, phase).await {
                Ok(connection) => break connection,
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Early(error)) if attempt >= self.settings.attempts => {
                    return Err(HostError { message: format!("{} ({attempt} attempts)", error.message), ..error });
                }
                Err(Failure::Early(error)) => {
                    tracing::debug!(host = %target.display(), %error, attempt, "again");
                    tokio::time::sleep(jittered(pause)).await;
                    attempt += 1;
                    pause *= 2;
                }
            }
        };
        phase.set(Phase::Start);
        let in_flight = under_way(self.settings.in_flight, connection.round_trip);
        connection.start(target, command, in_flight).await
    }

    fn connect<'a>(
        &'a self,
        target: &'a Target,
        pinned: Option<&'a str>,
        connect: Duration,
        phase: &'a PhaseCell,
    ) -> BoxFuture<'a, Result<Connection, Failure>> {
        Box::pin(async move {
            phase.set(Phase::Connect);
            let pinned = pinned_key(target, pinned)?;
            let began = Instant::now();
            let round_trip;
            let (mut handle, shared, open, jump) = match &target.jump {
                None => {
                    let stream = dial::dial(target, connect).await.map_err(Failure::Final)?;
                    round_trip = began.elapsed();
                    phase.set(Phase::Handshake);
                    let (handle, shared, open) = handshake(stream, target, pinned).await?;
                    (handle, shared, open, None)
                }
                Some(jump) => {
                    let through = self.connect(&jump.target, jump.pinned(), connect, phase).await;
                    let through = through.map_err(|failure| failure.at_jump(jump))?;
                    jump.met(through.shared.presented());
                    phase.set(Phase::Connect);
                    let stream = tunnel(&through, target).await.map_err(Failure::Final)?;
                    round_trip = through.round_trip;
                    phase.set(Phase::Handshake);
                    let (handle, shared, open) = handshake(stream, target, pinned).await?;
                    (handle, shared, open, Some(Box::new(through)))
                }
            };
            phase.set(Phase::Login);
            login::login(&mut handle, target, &shared).await.map_err(Failure::Final)?;
            Ok(Connection { handle, shared, open, jump, round_trip })
        })
    }
}

#[async_trait]
impl Transport for Ssh {
    async fn open(&self, target: &Target, command: &str, connect: Duration) -> Result<Pipe, HostError> {
        // held until the handshakes are over; not part of the deadline, but each holder has one
        let _turns = turns(target).await;
        let phase = PhaseCell::default();
        let run = self.run(target, command, connect, &phase);
        tokio::time::timeout(connect, run).await.unwrap_or_else(|_| Err(phase.get().late(target, connect)))
    }
}

/// A place at every jump host before the target. They are asked in one order for all, so that two
/// connections never wait for each other.
async fn turns(target: &Target) -> Vec<tokio::sync::OwnedSemaphorePermit> {
    let mut jumps: Vec<_> = target.jump.iter().flat_map(|jump| jump.chain()).collect();
    jumps.sort_by_key(|jump| (jump.target.address.as_str(), jump.target.port));
    let mut turns = Vec::with_capacity(jumps.len());
    for jump in jumps {
        turns.extend(jump.handshakes.clone().acquire_owned().await.ok());
    }
    turns
}

/// Where a connection is, to say what a deadline cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    Connect,
    Handshake,
    Login,
    Start,
}

#[derive(Debug, Default)]
struct PhaseCell(AtomicU8);

impl PhaseCell {
    fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    fn get(&self) -> Phase {
        let phases = [Phase::Connect, Phase::Handshake, Phase::Login, Phase::Start];
        phases[usize::from(self.0.load(Ordering::Relaxed)) % phases.len()]
    }
}

impl Phase {
    fn late(self, target: &Target, within: Duration) -> HostError {
        let (cause, what) = match self {
            Phase::Connect => (Cause::ConnectTimeout, "no answer"),
            Phase::Handshake => {
                (Cause::HandshakeTimeout, "it accepted the connection and did not finish the handshake")
            }
            Phase::Login => (Cause::HandshakeTimeout, "it did not finish the log in"),
            Phase::Start => (Cause::HandshakeTimeout, "it did not start a command"),
        };
        let message = format!("connect to {}: {what} within {:.1} s", target.display(), within.as_secs_f32());
        HostError::new(cause, Step::Connect, message)
    }
}

/// An attempt that failed.
enum Failure {
    /// Before authentication, in a way that another attempt may not meet.
    Early(HostError),
    /// For good.
    Final(HostError),
}

impl Failure {
    /// It happened on the way: a key that was shown is the jump host's, not the target's.
    fn at_jump(self, jump: &Jump) -> Self {
        match self {
            Self::Final(mut error) => {
                let shown = error.presented.take();
                if let (Cause::HostKeyChanged, Some(shown)) = (error.cause, shown) {
                    jump.refused(*shown);
                }
                Self::Final(HostError { message: format!("the jump host: {}", error.message), ..error })
            }
            early @ Self::Early(_) => early,
        }
    }
}

fn pinned_key(target: &Target, pinned: Option<&str>) -> Result<Option<PublicKey>, Failure> {
    let Some(line) = pinned else { return Ok(None) };
    read_public_key(line).map(Some).map_err(|e| {
        let message = format!("connect to {}: the pinned host key can't be read: {e}", target.display());
        Failure::Final(HostError::new(Cause::Other, Step::Connect, message))
    })
}

async fn handshake<S>(
    stream: S,
    target: &Target,
    pinned: Option<PublicKey>,
) -> Result<(Handle<Client>, Arc<Shared>, DropGuard), Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shared = Arc::new(Shared::default());
    let config = algorithms::config(pinned.as_ref());
    let client = Client { pinned: pinned.clone(), shared: shared.clone() };
    let (wire, first, open) = Wire::new(stream);
    match connect_stream(config, wire, client).await {
        Ok(handle) => Ok((handle, shared, open)),
        Err(error) => Err(no_handshake(target, &error, &first, &shared, pinned.as_ref())),
    }
}

fn no_handshake(
    target: &Target,
    error: &russh::Error,
    first: &First,
    shared: &Shared,
    pinned: Option<&PublicKey>,
) -> Failure {
    let fail =
        |cause, what: String| HostError::new(cause, Step::Connect, format!("connect to {}: {what}", target.display()));
    if let (russh::Error::UnknownKey, Some(pinned), Some(shown)) = (error, pinned, shared.presented()) {
        let what = format!(
            "the host key changed: pinned is {}, the host shows {}; nothing was sent to it",
            fingerprint_of(pinned),
            shown.fingerprint
        );
        let changed = fail(Cause::HostKeyChanged, what);
        return Failure::Final(HostError { presented: Some(Box::new(shown)), ..changed });
    }
    let said = first.bytes();
    let is_ssh = said.starts_with(b"SSH-") || said.windows(5).any(|w| w == b"\nSSH-");
    let throttled = said.starts_with(b"Exceeded MaxStartups") || said.starts_with(b"Not allowed at this time");
    if !said.is_empty() && !is_ssh && !throttled {
        return Failure::Final(fail(Cause::ProtocolError, format!("no SSH server; it says `{}`", excerpt(&said, 60))));
    }
    if is_closed(error) {
        let said = if throttled { format!(" saying `{}`", excerpt(&said, 60)) } else { String::new() };
        let what = format!("it closed the connection during the handshake{said}: {}", describe(error));
        return Failure::Early(fail(Cause::HandshakeTimeout, what));
    }
    Failure::Final(fail(Cause::ProtocolError, format!("handshake: {}", describe(error))))
}

fn is_closed(error: &russh::Error) -> bool {
    use std::io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    match error {
        russh::Error::Disconnect | russh::Error::HUP => true,
        russh::Error::IO(e) => {
            matches!(e.kind(), ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof)
        }
        _ => false,
    }
}

/// A stream to the target through a jump host.
async fn tunnel(
    through: &Connection,
    target: &Target,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, HostError> {
    let opened = through.handle.channel_open_direct_tcpip(&target.address, target.port.into(), "127.0.0.1", 0).await;
    let channel = opened.map_err(|error| {
        use russh::{ChannelOpenFailure::ConnectFailed, Error::ChannelOpenFailure};
        let (cause, why) = match error {
            ChannelOpenFailure(ConnectFailed) => (Cause::ConnectionRefused, "it could not connect".to_owned()),
            ChannelOpenFailure(reason) => (Cause::ProtocolError, format!("it opens no way: {reason:?}")),
            other => (Cause::ConnectionLost, describe(&other)),
        };
        let message = format!("connect to {} through the jump host: {why}", target.display());
        HostError::new(cause, Step::Connect, message)
    })?;
    Ok(channel.into_stream())
}

/// Bytes that may be under way to a host that took so long to answer.
fn under_way(near: u32, round_trip: Duration) -> u32 {
    let times = u32::try_from(round_trip.as_millis() / NEAR.as_millis()).unwrap_or(FAR_MAX);
    near.saturating_mul(times.clamp(1, FAR_MAX))
}

/// Half to one and a half of a pause, so that hosts that were turned away together don't come back together.
fn jittered(pause: Duration) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let chance = RandomState::new().hash_one(()) % 1000;
    pause / 2 + pause * u32::try_from(chance).unwrap_or(0) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_under_way_to_a_far_host() {
        let ms = Duration::from_millis;
        assert_eq!(under_way(160, ms(0)), 160);
        assert_eq!(under_way(160, ms(99)), 160);
        assert_eq!(under_way(160, ms(200)), 640);
        assert_eq!(under_way(160, ms(60_000)), 1280);
    }
}
