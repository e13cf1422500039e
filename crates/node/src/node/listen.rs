//! Where to listen, and what to say when that is impossible.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use p2ppool_overlay::libp2p::NodeConfig;

use crate::failure::{Class, Failure};

/// The addresses that the configuration asks for, each tried out, so that a taken port is told.
///
/// TCP ports are shared between sockets of one user by `SO_REUSEPORT` (dialling from the listening
/// port needs it), so listening alone would not notice another node on the same port. IPv6 is left
/// out with a warning where the machine has none.
pub fn addresses(config: &NodeConfig) -> Result<Vec<Multiaddr>, Failure> {
    let mut found = Vec::new();
    for ip in &config.listen {
        let tcp = config.tcp_port.map(|port| ("tcp", SocketAddr::new(*ip, port)));
        let quic = config.udp_port.filter(|_| config.has_quic()).map(|port| ("udp", SocketAddr::new(*ip, port)));
        for (protocol, socket) in [tcp, quic].into_iter().flatten() {
            match try_out(protocol, socket) {
                Ok(()) => found.push(multiaddr(protocol, socket)),
                Err(error) if is_missing_ipv6(socket.ip(), &error) => {
                    tracing::warn!(%socket, %error, "no IPv6 on this machine: not listened on");
                }
                Err(error) => return Err(failure(protocol, socket, &error)),
            }
        }
    }
    if found.is_empty() && !config.listen.is_empty() {
        return Err(Failure::new(Class::Config, "none of the listen addresses can be used on this machine"));
    }
    Ok(found)
}

/// Why a socket can't be listened on, as an end of the program.
pub fn failure(protocol: &str, socket: SocketAddr, error: &std::io::Error) -> Failure {
    let class = match error.kind() {
        ErrorKind::AddrInUse => Class::PortInUse,
        ErrorKind::AddrNotAvailable => Class::Config,
        _ => Class::Other,
    };
    Failure::new(class, format!("listen on {protocol} {socket}: {error}"))
}

fn try_out(protocol: &str, socket: SocketAddr) -> std::io::Result<()> {
    if protocol == "tcp" { TcpListener::bind(socket).map(drop) } else { UdpSocket::bind(socket).map(drop) }
}

fn is_missing_ipv6(ip: IpAddr, error: &std::io::Error) -> bool {
    /// `EAFNOSUPPORT`: the kernel has no IPv6 at all.
    const FAMILY_NOT_SUPPORTED: i32 = 97;
    let missing = error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(FAMILY_NOT_SUPPORTED);
    ip.is_ipv6() && ip.is_unspecified() && missing
}

fn multiaddr(protocol: &str, socket: SocketAddr) -> Multiaddr {
    let address = Multiaddr::from(socket.ip());
    if protocol == "tcp" {
        address.with(Protocol::Tcp(socket.port()))
    } else {
        address.with(Protocol::Udp(socket.port())).with(Protocol::QuicV1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(listen: &str, port: u16) -> NodeConfig {
        let mut config = NodeConfig::new("demo");
        config.listen = vec![listen.parse().unwrap()];
        config.tcp_port = Some(port);
        config.udp_port = Some(port);
        config
    }

    #[test]
    fn a_taken_port_is_named_and_has_its_own_class() {
        let other = TcpListener::bind("127.11.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let failure = addresses(&config("127.11.0.1", port)).unwrap_err();
        let text = failure.to_string();
        assert!(text.starts_with(&format!("listen on tcp 127.11.0.1:{port}: Address already in use")), "{text}");
        // the same port at another address is free
        assert_eq!(addresses(&config("127.11.0.2", port)).unwrap().len(), 2);
    }

    #[test]
    fn a_secret_leaves_tcp_only() {
        let mut config = config("127.11.0.3", 4650);
        config.network_secret = Some("ab".repeat(32).parse().unwrap());
        let addresses = addresses(&config).unwrap();
        assert_eq!(addresses, ["/ip4/127.11.0.3/tcp/4650".parse::<Multiaddr>().unwrap()]);
    }
}
