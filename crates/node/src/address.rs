//! Which addresses of a peer are worth keeping, and over what a connection runs.

use std::net::{IpAddr, Ipv4Addr};

use libp2p::Multiaddr;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;

/// From how far away an address means the same machine; wider is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Only on that machine.
    Loopback,
    /// On one link, or in one organisation's network.
    Private,
    /// Everywhere; names count as that.
    Public,
}

/// What a connection runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// TCP.
    Tcp,
    /// QUIC.
    Quic,
    /// A relay, whatever lies below.
    Relay,
}

/// The scope of an address; of a relayed one, the relay's. `None` for what can't be dialled by us.
pub fn scope(address: &Multiaddr) -> Option<Scope> {
    match address.iter().next()? {
        Protocol::Ip4(ip) if ip.is_unspecified() || ip.is_multicast() => None,
        Protocol::Ip6(ip) if ip.is_unspecified() || ip.is_multicast() => None,
        // would need the name of a network interface of this machine
        Protocol::Ip6(ip) if ip.is_unicast_link_local() => None,
        Protocol::Ip4(ip) => Some(scope_of_ip(ip.into())),
        Protocol::Ip6(ip) => Some(scope_of_ip(ip.into())),
        Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) | Protocol::Dnsaddr(_) => Some(Scope::Public),
        _ => None,
    }
}

fn scope_of_ip(ip: IpAddr) -> Scope {
    let private =
        |v4: Ipv4Addr| v4.is_private() || v4.is_link_local() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64);
    match ip {
        ip if ip.is_loopback() => Scope::Loopback,
        IpAddr::V4(v4) if private(v4) => Scope::Private,
        IpAddr::V6(v6) if v6.is_unique_local() => Scope::Private,
        _ => Scope::Public,
    }
}

/// Of the addresses that a peer tells, those that mean that peer for us, too: of at least the scope
/// that the connection to it has. Without peer id, without duplicates, at most `max`.
pub fn usable(told: &[Multiaddr], connection: &Multiaddr, max: usize) -> Vec<Multiaddr> {
    let floor = scope(connection).unwrap_or(Scope::Public);
    let mut kept: Vec<Multiaddr> = Vec::new();
    for address in told.iter().filter(|address| scope(address).is_some_and(|scope| scope >= floor)) {
        let address = without_peer(address);
        if !kept.contains(&address) {
            kept.push(address);
        }
        if kept.len() == max {
            break;
        }
    }
    kept
}

/// The address without a peer id at its end.
pub fn without_peer(address: &Multiaddr) -> Multiaddr {
    let mut address = address.clone();
    if matches!(address.iter().last(), Some(Protocol::P2p(_))) {
        address.pop();
    }
    address
}

/// What this connection runs over.
pub fn via(endpoint: &ConnectedPoint) -> Via {
    let local = match endpoint {
        ConnectedPoint::Dialer { address, .. } => address,
        ConnectedPoint::Listener { local_addr, .. } => local_addr,
    };
    if endpoint.is_relayed() {
        Via::Relay
    } else if local.iter().any(|part| matches!(part, Protocol::QuicV1 | Protocol::Quic)) {
        Via::Quic
    } else {
        Via::Tcp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<Multiaddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn the_loopback_address_of_a_far_peer_is_not_its_address() {
        let told = addresses(&[
            "/ip4/127.0.0.1/tcp/1",
            "/ip4/10.0.0.7/tcp/1",
            "/ip4/192.0.2.1/tcp/1",
            "/dns/a.example/tcp/1",
            "/ip6/::1/tcp/1",
            "/ip6/fd00::1/tcp/1",
            "/ip4/0.0.0.0/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/ip4/100.64.0.1/tcp/1",
            "/memory/1",
        ]);
        let kept = |connection: &str| usable(&told, &connection.parse().unwrap(), 16).len();
        assert_eq!(kept("/ip4/127.0.0.1/tcp/9"), 7);
        assert_eq!(kept("/ip4/192.168.0.1/tcp/9"), 5);
        assert_eq!(kept("/ip4/198.51.100.1/udp/9/quic-v1"), 2);
    }

    #[test]
    fn addresses_are_bounded_and_told_once() {
        let peer = libp2p::PeerId::random();
        let told = addresses(&[
            &format!("/ip4/192.0.2.1/tcp/1/p2p/{peer}"),
            "/ip4/192.0.2.1/tcp/1",
            "/ip4/192.0.2.2/tcp/1",
            "/ip4/192.0.2.3/tcp/1",
        ]);
        let kept = usable(&told, &told[1], 2);
        assert_eq!(kept, addresses(&["/ip4/192.0.2.1/tcp/1", "/ip4/192.0.2.2/tcp/1"]));
    }
}
