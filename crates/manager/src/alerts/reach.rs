//! Which addresses messages may go to. People choose targets; none of them shall be a way into the manager's own network.
//!
//! Names are resolved here, every address is checked, and the connection is made to a checked address and to no other:
//! a name that answers something else a moment later changes nothing. Redirects are not followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

/// Longest time for a name's addresses.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(10);
/// Most addresses of a name that are looked at.
const ADDRESSES_MAX: usize = 16;

/// Public addresses of this name, or those of the allowed networks.
///
/// # Errors
/// A sentence: it has none, or only forbidden ones.
pub(crate) async fn checked(host: &str, port: u16, allowed: &[IpNet]) -> Result<Vec<SocketAddr>, String> {
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    let found: Vec<SocketAddr> = match literal {
        Some(ip) => vec![SocketAddr::new(ip, port)],
        None => tokio::time::timeout(RESOLVE_DEADLINE, tokio::net::lookup_host((host, port)))
            .await
            .map_err(|_| format!("no address for {host} within {} s", RESOLVE_DEADLINE.as_secs()))?
            .map_err(|error| format!("no address for {host}: {error}"))?
            .take(ADDRESSES_MAX)
            .collect(),
    };
    let may = |address: &&SocketAddr| may_reach(address.ip(), allowed);
    let right: Vec<SocketAddr> = found.iter().filter(may).copied().collect();
    if right.is_empty() {
        return Err(format!(
            "{host} is an address of this machine, of a private network or of none; \
             a super administrator can allow networks in the alert settings"
        ));
    }
    Ok(right)
}

/// It is a public address, or one of the allowed networks.
pub(crate) fn may_reach(ip: IpAddr, allowed: &[IpNet]) -> bool {
    let ip = ip.to_canonical();
    is_public(ip) || allowed.iter().any(|network| network.contains(&ip))
}

/// Routed on the public internet; per IANA's registries of special-purpose addresses.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 168, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (198, 18..=19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224.., ..)
    );
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [a, b, ..] = ip.segments();
    // what carries an IPv4 address is as public as that is
    if let Some(inner) = carried_v4(ip) {
        return is_public_v4(inner);
    }
    // only 2000::/3 is handed out; of it, documentation, ORCHID, Teredo and benchmarking are special
    (a & 0xe000) == 0x2000 && !(a == 0x2001 && b < 0x0200) && !(a == 0x2001 && b == 0x0db8) && a != 0x3fff
}

/// NAT64 (64:ff9b::/96, 64:ff9b:1::/48), 6to4 (2002::/16), IPv4-compatible and mapped addresses.
fn carried_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match s {
        [0x64, 0xff9b, ..] => Some(v4(s[6], s[7])),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] if high != 0 => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_managers_own_network_is_out_of_reach() {
        for wrong in [
            "127.0.0.1",
            "127.9.9.9",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "192.0.2.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::a00:1",
            "2002:7f00:1::",
            "2002:c0a8:101::1",
        ] {
            assert!(!may_reach(wrong.parse().unwrap(), &[]), "{wrong}");
        }
        for right in ["1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101", "::ffff:1.1.1.1"] {
            assert!(may_reach(right.parse().unwrap(), &[]), "{right}");
        }
    }

    #[test]
    fn allowed_networks_are_those_and_no_others() {
        let allowed = ["10.1.0.0/16".parse().unwrap(), "::1/128".parse().unwrap()];
        assert!(may_reach("10.1.2.3".parse().unwrap(), &allowed));
        assert!(may_reach("::ffff:10.1.2.3".parse().unwrap(), &allowed));
        assert!(may_reach("::1".parse().unwrap(), &allowed));
        assert!(!may_reach("10.2.2.3".parse().unwrap(), &allowed));
        assert!(!may_reach("127.0.0.1".parse().unwrap(), &allowed));
    }

    #[tokio::test]
    async fn names_of_this_machine_are_refused_by_their_addresses() {
        for host in ["localhost", "127.0.0.1", "[::1]", "0.0.0.0"] {
            let refused = checked(host, 80, &[]).await.unwrap_err();
            assert!(refused.contains("super administrator"), "{refused}");
        }
        let loopback = ["127.0.0.0/8".parse().unwrap()];
        assert_eq!(checked("localhost", 80, &loopback).await.unwrap(), ["127.0.0.1:80".parse().unwrap()]);
    }
}
