//! How bytes travel: TCP (noise, yamux) and QUIC, names resolved by our own resolver, optionally
//! inside a private network, optionally through relays.
//!
//! Never `getaddrinfo`: in a static executable it would load the host's libraries.

use std::time::Duration;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::transport::{Boxed, OptionalTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport as _, dns, noise, pnet, quic, relay, tcp, yamux};

use super::NetworkSecret;

/// A transport that gives authenticated, multiplexed connections.
pub type Transport = Boxed<(PeerId, StreamMuxerBox)>;

/// What a transport is made of.
#[derive(Clone, Copy, Debug)]
pub struct TransportSettings {
    /// Speak TCP only, encrypted with this secret.
    pub secret: Option<NetworkSecret>,
    /// Speak QUIC, too; without effect while there is a secret, which QUIC can't carry.
    pub quic: bool,
    /// Longest time from the first packet to an authenticated connection.
    pub deadline: Duration,
}

/// Builds the transport; `relay` is the half that [`relay::client::new`] gives to it.
///
/// # Errors
/// When the key can't sign.
pub fn transport(
    keypair: &Keypair,
    settings: &TransportSettings,
    relay: Option<relay::client::Transport>,
) -> Result<Transport, noise::Error> {
    let direct = named(keypair, settings)?;
    let Some(relay) = relay else {
        return Ok(direct);
    };
    let relayed = relay
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(yamux::Config::default())
        .timeout(settings.deadline)
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    // the relay's transport takes only relayed addresses, so it is asked first
    Ok(relayed.or_transport(direct).map(|either, _| either.into_inner()).boxed())
}

/// TCP and, where it may be, QUIC.
fn direct(keypair: &Keypair, settings: &TransportSettings) -> Result<Transport, noise::Error> {
    let noise = noise::Config::new(keypair)?;
    let tcp = tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let secret = settings.secret;
    let streams = tcp.and_then(move |stream, _| async move {
        Ok::<_, pnet::PnetError>(match secret {
            Some(secret) => futures::future::Either::Left(pnet::PnetConfig::new(secret.key()).handshake(stream).await?),
            None => futures::future::Either::Right(stream),
        })
    });
    let tcp = streams
        .upgrade(Version::V1Lazy)
        .authenticate(noise)
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let quic = if settings.quic && settings.secret.is_none() {
        OptionalTransport::some(quic::tokio::Transport::new(quic::Config::new(keypair)))
    } else {
        OptionalTransport::none()
    };
    let quic = quic.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)));
    let either = quic.or_transport(tcp).map(|either, _| either.into_inner());
    Ok(TransportTimeout::new(either, settings.deadline).boxed())
}

/// [`direct`], with `/dns…` addresses resolved by the system's name servers, or by none when the
/// system has none: then only addresses without names can be dialled.
fn named(keypair: &Keypair, settings: &TransportSettings) -> Result<Transport, noise::Error> {
    Ok(match dns::tokio::Transport::system(direct(keypair, settings)?) {
        Ok(system) => system.boxed(),
        Err(error) => {
            tracing::warn!(%error, "no usable /etc/resolv.conf: names will not be resolved");
            let (nobody, defaults) = (dns::ResolverConfig::default(), dns::ResolverOpts::default());
            dns::tokio::Transport::custom(direct(keypair, settings)?, nobody, defaults).boxed()
        }
    })
}

#[cfg(test)]
mod tests {
    use libp2p::core::transport::ListenerId;

    use super::*;

    #[tokio::test]
    async fn a_secret_leaves_no_quic() {
        let settings = |secret| TransportSettings { secret, quic: true, deadline: Duration::from_secs(5) };
        let keypair = Keypair::generate_ed25519();
        let listen = |secret| {
            let mut transport = transport(&keypair, &settings(secret), None).unwrap();
            let mut on = |address: &str| transport.listen_on(ListenerId::next(), address.parse().unwrap()).is_ok();
            (on("/ip4/127.0.0.1/tcp/0"), on("/ip4/127.0.0.1/udp/0/quic-v1"))
        };
        assert_eq!(listen(None), (true, true));
        assert_eq!(listen(Some("ab".repeat(32).parse().unwrap())), (true, false));
    }
}
