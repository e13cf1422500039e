//! Which multiaddresses the crawl may dial.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;

use crate::crawl::NamedBy;

/// What the pool allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Policy {
    /// Private, loopback and link-local addresses may be dialled.
    pub(super) private: bool,
    /// QUIC may be dialled.
    pub(super) quic: bool,
}

/// How a multiaddress is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Tcp,
    Quic,
}

impl Policy {
    /// How to dial this address; `None` when it may not be dialled, or not by this program.
    ///
    /// A name that some node tells could stand for any address, so it is only followed where any
    /// address may be dialled.
    pub(super) fn way(&self, address: &Multiaddr, named_by: NamedBy) -> Option<Way> {
        let mut parts = address.iter();
        let allowed = match parts.next()? {
            Protocol::Ip4(ip) => self.may_meet(IpAddr::V4(ip)),
            Protocol::Ip6(ip) => self.may_meet(IpAddr::V6(ip)),
            Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_) => self.private || named_by == NamedBy::Owner,
            _ => false,
        };
        let way = match parts.next()? {
            Protocol::Tcp(port) if port != 0 => Way::Tcp,
            Protocol::Udp(port) if port != 0 && parts.next() == Some(Protocol::QuicV1) => Way::Quic,
            _ => return None,
        };
        let ends = match parts.next() {
            None => true,
            Some(Protocol::P2p(_)) => parts.next().is_none(),
            Some(_) => false,
        };
        (allowed && ends && (way == Way::Tcp || self.quic)).then_some(way)
    }

    fn may_meet(&self, ip: IpAddr) -> bool {
        match reach(ip) {
            Reach::Public => true,
            Reach::Private => self.private,
            Reach::Nobody => false,
        }
    }
}

/// The IP address that a multiaddress begins with.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.into()),
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    /// One machine or one network.
    Private,
    /// No single machine.
    Nobody,
}

/// The IANA special-purpose registries, as far as they matter for dialling.
fn reach(ip: IpAddr) -> Reach {
    match ip {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

fn reach_v4(ip: Ipv4Addr) -> Reach {
    let [a, b, c, _] = ip.octets();
    if a == 0 || a >= 224 {
        return Reach::Nobody;
    }
    let shared = a == 100 && (64..128).contains(&b);
    let benchmark = a == 198 && (18..20).contains(&b);
    let protocol = (a, b, c) == (192, 0, 0);
    let local = ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_documentation();
    if local || shared || benchmark || protocol { Reach::Private } else { Reach::Public }
}

fn reach_v6(ip: Ipv6Addr) -> Reach {
    if let Some(inner) = embedded_v4(ip) {
        return reach_v4(inner);
    }
    let first = ip.segments()[0];
    if ip.is_unspecified() || ip.is_multicast() {
        return Reach::Nobody;
    }
    // unique local fc00::/7, link-local fe80::/10, site-local fec0::/10, documentation 2001:db8::/32
    let local = ip.is_loopback() || first & 0xfe00 == 0xfc00 || first & 0xff80 == 0xfe80;
    let documentation = (first, ip.segments()[1]) == (0x2001, 0x0db8);
    if local || documentation { Reach::Private } else { Reach::Public }
}

/// IPv4 inside IPv6: mapped, NAT64 (64:ff9b::/96), 6to4 (2002::/16).
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = ip.octets();
    let tail = Ipv4Addr::new(octets[12], octets[13], octets[14], octets[15]);
    if ip.to_ipv4_mapped().is_some() || octets[..12] == [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0] {
        return Some(tail);
    }
    (octets[..2] == [0x20, 0x02]).then(|| Ipv4Addr::new(octets[2], octets[3], octets[4], octets[5]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(policy: Policy, address: &str) -> Option<Way> {
        policy.way(&address.parse().unwrap(), NamedBy::Node)
    }

    const OPEN: Policy = Policy { private: true, quic: true };
    const STRICT: Policy = Policy { private: false, quic: true };

    #[test]
    fn tcp_and_quic_are_dialled_and_nothing_else() {
        assert_eq!(way(STRICT, "/ip4/9.9.9.9/tcp/4650"), Some(Way::Tcp));
        assert_eq!(way(STRICT, "/ip6/2620:fe::fe/udp/4650/quic-v1"), Some(Way::Quic));
        for other in [
            "/ip4/9.9.9.9/tcp/443/wss",
            "/ip4/9.9.9.9/udp/1",
            "/ip4/9.9.9.9/tcp/0",
            "/ip4/9.9.9.9/udp/1/quic-v1/webtransport",
            "/ip4/9.9.9.9/udp/1/quic",
            "/memory/5",
            "/unix/run",
        ] {
            assert_eq!(way(OPEN, other), None, "{other}");
        }
    }

    #[test]
    fn a_peer_id_may_follow_and_a_relay_may_not() {
        let direct: Multiaddr = format!("/ip4/9.9.9.9/tcp/1/p2p/{}", libp2p::PeerId::random()).parse().unwrap();
        assert_eq!(STRICT.way(&direct, NamedBy::Node), Some(Way::Tcp));
        assert_eq!(STRICT.way(&direct.with(Protocol::P2pCircuit), NamedBy::Node), None);
    }

    #[test]
    fn private_addresses_need_the_pools_word_and_some_are_never_dialled() {
        for private in
            ["127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "198.18.0.1"]
        {
            let address = format!("/ip4/{private}/tcp/1");
            assert_eq!((way(STRICT, &address), way(OPEN, &address)), (None, Some(Way::Tcp)), "{private}");
        }
        for private in ["::1", "fd00::1", "fe80::1", "::ffff:127.0.0.1", "64:ff9b::a00:1", "2002:7f00:1::"] {
            let address = format!("/ip6/{private}/tcp/1");
            assert_eq!((way(STRICT, &address), way(OPEN, &address)), (None, Some(Way::Tcp)), "{private}");
        }
        for nobody in [
            "/ip4/0.0.0.0/tcp/1",
            "/ip4/224.0.0.1/tcp/1",
            "/ip4/255.255.255.255/tcp/1",
            "/ip6/::/tcp/1",
            "/ip6/ff02::1/tcp/1",
        ] {
            assert_eq!(way(OPEN, nobody), None, "{nobody}");
        }
    }

    #[test]
    fn a_name_is_followed_only_for_the_owner() {
        let name: Multiaddr = "/dns4/localhost/tcp/22".parse().unwrap();
        assert_eq!(STRICT.way(&name, NamedBy::Node), None);
        assert_eq!(STRICT.way(&name, NamedBy::Owner), Some(Way::Tcp));
    }

    #[test]
    fn a_secret_network_has_no_quic() {
        let policy = Policy { private: true, quic: false };
        assert_eq!(way(policy, "/ip4/9.9.9.9/udp/1/quic-v1"), None);
    }
}
