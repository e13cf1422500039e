//! From a node's addresses to one authenticated connection.
//!
//! All TCP addresses are tried at once. QUIC ones, whose handshake costs a node twice as much, are
//! tried when TCP failed, or beside it when half of the deadline has passed.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use futures::future::{BoxFuture, Either};
use futures::stream::FuturesUnordered;
use libp2p::core::Endpoint;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, DialOpts, PortUse, TransportError};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport as _, dns, noise, pnet, quic, tcp, yamux};
use tokio::time::Instant;

use super::policy::Way;
use crate::crawl::{ProbeError, Stage};
use crate::libp2p::NetworkSecret;

/// Most addresses whose errors are told.
const ERRORS_TOLD_MAX: usize = 3;

type Transport = Boxed<(PeerId, StreamMuxerBox)>;

tokio::task_local! {
    /// When the first of the addresses that this task dials accepted TCP.
    static ACCEPTED: Cell<Option<Instant>>;
}

/// Dials nodes; shared by all questions.
pub(super) struct Dialer {
    tcp: Mutex<Transport>,
    quic: Option<Mutex<Transport>>,
}

/// An authenticated connection.
pub(super) struct Dialled {
    pub(super) peer: PeerId,
    pub(super) address: Multiaddr,
    pub(super) muxer: StreamMuxerBox,
    /// How long TCP took to be accepted: one round trip.
    pub(super) round_trip: Option<Duration>,
}

impl Dialer {
    /// With this identity and secret; a secret leaves TCP only.
    ///
    /// # Errors
    /// When the key can't sign.
    pub(super) fn new(keypair: &Keypair, secret: Option<NetworkSecret>) -> Result<Self, noise::Error> {
        let tcp = Mutex::new(named(|| over_tcp(keypair, secret))?);
        let quic = secret.is_none().then(|| named(|| Ok(over_quic(keypair)))).transpose()?.map(Mutex::new);
        Ok(Self { tcp, quic })
    }

    /// Connects to `expected` (or to whoever is there) at one of `addresses`.
    pub(super) async fn dial(
        &self,
        addresses: &[(Multiaddr, Way)],
        expected: Option<PeerId>,
        deadline: Duration,
    ) -> Result<Dialled, ProbeError> {
        ACCEPTED.scope(Cell::new(None), self.race(addresses, expected, deadline)).await
    }

    async fn race(
        &self,
        addresses: &[(Multiaddr, Way)],
        expected: Option<PeerId>,
        deadline: Duration,
    ) -> Result<Dialled, ProbeError> {
        let started = Instant::now();
        let (first, mut later): (Vec<_>, Vec<_>) = addresses.iter().partition(|(_, way)| *way == Way::Tcp);
        let mut racing: FuturesUnordered<_> = first.into_iter().map(|address| self.start(address)).collect();
        let mut failures = Vec::new();
        loop {
            if racing.is_empty() && later.is_empty() {
                return Err(failed(&failures, expected));
            }
            if racing.is_empty() || (!later.is_empty() && started.elapsed() >= deadline / 2) {
                racing.extend(later.drain(..).map(|address| self.start(address)));
            }
            tokio::select! {
                Some((address, result)) = racing.next() => match result {
                    Ok((peer, muxer)) if expected.is_none_or(|expected| expected == peer) => {
                        let round_trip = ACCEPTED.with(Cell::get).map(|at| at - started);
                        return Ok(Dialled { peer, address, muxer, round_trip });
                    }
                    Ok((peer, _)) => failures.push((address, Failure::SomebodyElse(peer))),
                    Err(error) => failures.push((address, Failure::Transport(error))),
                },
                () = tokio::time::sleep_until(started + deadline / 2), if !later.is_empty() => {}
                () = tokio::time::sleep_until(started + deadline) => return Err(too_late(addresses, deadline)),
            }
        }
    }

    fn start(&self, (address, way): &(Multiaddr, Way)) -> BoxFuture<'static, (Multiaddr, DialResult)> {
        let transport = match way {
            Way::Tcp => Some(&self.tcp),
            Way::Quic => self.quic.as_ref(),
        };
        let opts = DialOpts { role: Endpoint::Dialer, port_use: PortUse::New };
        let opts = if *way == Way::Quic { DialOpts { port_use: PortUse::Reuse, ..opts } } else { opts };
        let dialling = transport.map(|transport| {
            transport.lock().unwrap_or_else(PoisonError::into_inner).dial(without_peer(address), opts)
        });
        let address = address.clone();
        Box::pin(async move {
            let result = match dialling {
                Some(Ok(dialling)) => dialling.await,
                Some(Err(TransportError::Other(error))) => Err(error),
                Some(Err(TransportError::MultiaddrNotSupported(_))) | None => Err(io::ErrorKind::Unsupported.into()),
            };
            (address, result)
        })
    }
}

type DialResult = io::Result<(PeerId, StreamMuxerBox)>;

#[derive(Debug)]
enum Failure {
    SomebodyElse(PeerId),
    Transport(io::Error),
}

fn failed(failures: &[(Multiaddr, Failure)], expected: Option<PeerId>) -> ProbeError {
    let impostor = failures.iter().any(|(_, failure)| matches!(failure, Failure::SomebodyElse(_)));
    let stage = if impostor || ACCEPTED.with(Cell::get).is_some() { Stage::Connect } else { Stage::Dial };
    let mut told: Vec<String> = failures.iter().take(ERRORS_TOLD_MAX).map(|(a, f)| tell(a, f, expected)).collect();
    if failures.len() > ERRORS_TOLD_MAX {
        told.push(format!("and {} more addresses", failures.len() - ERRORS_TOLD_MAX));
    }
    ProbeError { may_retry: !impostor, ..ProbeError::new(stage, told.join("; ")) }
}

fn tell(address: &Multiaddr, failure: &Failure, expected: Option<PeerId>) -> String {
    match (failure, expected) {
        (Failure::SomebodyElse(peer), _) => format!("connect to {address}: {peer} is there"),
        (Failure::Transport(error), _) => format!("dial {address}: {}", root_cause(error)),
    }
}

fn too_late(addresses: &[(Multiaddr, Way)], deadline: Duration) -> ProbeError {
    let accepted = ACCEPTED.with(Cell::get).is_some();
    let (stage, what) = match accepted {
        true => (Stage::Connect, "it accepted, but the handshake did not end"),
        false => (Stage::Dial, "no answer"),
    };
    let first = addresses.first().map(|(address, _)| address.to_string()).unwrap_or_default();
    ProbeError::new(stage, format!("dial {first}: {what} within {} s", deadline.as_secs_f32()))
}

/// The innermost error, which says what happened; the outer ones say only where.
fn root_cause(error: &io::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    let inner = |error: &dyn std::error::Error| error.to_string();
    let mut text = inner(cause);
    while let Some(next) = cause.source() {
        cause = next;
        text = inner(cause);
    }
    text
}

fn without_peer(address: &Multiaddr) -> Multiaddr {
    address.iter().filter(|part| !matches!(part, Protocol::P2p(_))).collect()
}

fn over_tcp(keypair: &Keypair, secret: Option<NetworkSecret>) -> Result<Transport, noise::Error> {
    let noise = noise::Config::new(keypair)?;
    let transport = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
        .and_then(move |stream, _| {
            note_accepted();
            protect(stream, secret)
        })
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux::Config::default());
    Ok(transport.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed())
}

fn note_accepted() {
    // Outside of a dial there is nobody to tell.
    let _ = ACCEPTED.try_with(|accepted| {
        if accepted.get().is_none() {
            accepted.set(Some(Instant::now()));
        }
    });
}

async fn protect<S>(stream: S, secret: Option<NetworkSecret>) -> Result<Either<pnet::PnetOutput<S>, S>, pnet::PnetError>
where
    S: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
{
    Ok(match secret {
        Some(secret) => Either::Left(pnet::PnetConfig::new(secret.key()).handshake(stream).await?),
        None => Either::Right(stream),
    })
}

fn over_quic(keypair: &Keypair) -> Transport {
    let transport = quic::tokio::Transport::new(quic::Config::new(keypair));
    transport.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))).boxed()
}

/// With names resolved by the system's name servers, or by none when it has none: then only
/// addresses without names can be dialled.
fn named(transport: impl Fn() -> Result<Transport, noise::Error>) -> Result<Transport, noise::Error> {
    Ok(match dns::tokio::Transport::system(transport()?) {
        Ok(system) => system.boxed(),
        Err(error) => {
            tracing::warn!(%error, "no usable /etc/resolv.conf: names will not be resolved");
            let (nobody, defaults) = (dns::ResolverConfig::default(), dns::ResolverOpts::default());
            dns::tokio::Transport::custom(transport()?, nobody, defaults).boxed()
        }
    })
}

/// Dial futures cross threads with their task.
const _: fn() = || {
    fn is_send<T: Future + Send>(_: &T) {}
    fn check(dialer: &Dialer) {
        is_send(&dialer.dial(&[], None, Duration::ZERO));
    }
    let _ = check;
};
