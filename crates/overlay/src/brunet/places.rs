//! Which node listens where.

use std::net::IpAddr;

use p2ppool_model::brunet::LocalNetwork;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::Ports;

use crate::kind::PoolView;

/// One host's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Its ports.
    pub(super) ports: Ports,
    /// It runs beside the manager.
    pub(super) is_local: bool,
    /// Its config is not the one that most hosts share.
    pub(super) has_own_config: bool,
}

impl Place {
    pub(super) fn of(pool: &PoolView<'_>, host: &HostSpec) -> Self {
        // the manager's machine may be a host of the pool, too: the local node's spec names no port
        let local = pool.local.filter(|local| local.host == *host && !pool.hosts.contains(host));
        if let Some(local) = local {
            return Self { ports: local.ports, is_local: true, has_own_config: true };
        }
        match rank(pool, host) {
            None => Self { ports: pool.settings.ports, is_local: false, has_own_config: false },
            Some(rank) => Self { ports: shifted(pool.settings.ports, rank), is_local: false, has_own_config: true },
        }
    }
}

/// Nodes listen on every address of their machine, so hosts that are only loopback addresses of one machine
/// need ports of their own: the pool's for the first, one higher for each further one. `None`: it is a machine of its own.
fn rank(pool: &PoolView<'_>, host: &HostSpec) -> Option<u16> {
    let key = |host: &HostSpec| Some((loopback(host)?, host.ssh_port()));
    let own = key(host)?;
    let before = pool.hosts.iter().filter_map(key).filter(|other| *other < own).count();
    u16::try_from(before).ok()
}

/// Can the local node be in a network namespace of its own? There it has the address of this machine, and reaches
/// neither that nor loopback: what listens there is elsewhere.
///
/// # Errors
/// Why not, for people.
pub(super) fn network(pool: &PoolView<'_>) -> Result<(), &'static str> {
    let own = pool.local.map(|local| local.host.address.as_str());
    match pool.settings.brunet.local_network {
        LocalNetwork::Host => Err("the pool's setting brunet.local_network is host"),
        LocalNetwork::Own if pool.hosts.iter().any(|host| loopback(host).is_some() || Some(&*host.address) == own) => {
            Err("this machine is a host of the pool, too, and could not be reached from there")
        }
        LocalNetwork::Own => Ok(()),
    }
}

fn loopback(host: &HostSpec) -> Option<IpAddr> {
    let address = if host.address.eq_ignore_ascii_case("localhost") { "127.0.0.1" } else { &host.address };
    address.parse::<IpAddr>().ok().filter(IpAddr::is_loopback)
}

/// Above the pool's ports; at the end of all ports it goes on at 1024.
fn shifted(ports: Ports, rank: u16) -> Ports {
    let shift = |port: u16| {
        let at = u32::from(port) + u32::from(rank);
        u16::try_from(at).unwrap_or_else(|_| 1024 + (at - 65_536) as u16)
    };
    Ports { tcp: ports.tcp.map(shift), udp: ports.udp.map(shift), rpc: ports.rpc }
}

/// Where others meet the pool's nodes: all hosts by TCP, then all by UDP, then what the owner added.
pub fn transport_addresses(pool: &PoolView<'_>) -> Vec<String> {
    let places: Vec<(&str, Ports)> = pool
        .hosts
        .iter()
        // nodes know no IPv6
        .filter(|host| !host.address.contains(':'))
        .map(|host| (host.address.as_str(), Place::of(pool, host).ports))
        .collect();
    let tcp = places.iter().filter_map(|(host, ports)| Some(format!("brunet.tcp://{host}:{}", ports.tcp?)));
    let udp = places.iter().filter_map(|(host, ports)| Some(format!("brunet.udp://{host}:{}", ports.udp?)));
    tcp.chain(udp).chain(pool.settings.bootstrap.iter().cloned()).collect()
}
