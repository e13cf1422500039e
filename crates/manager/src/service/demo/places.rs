//! Where the demo's hosts pretend to stand, and which loopback addresses they get.

use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use p2ppool_model::host::{HostSpec, Location};
use p2ppool_model::pool::Ports;

use crate::service::Error;

/// Cities with their coordinates (rounded to a hundredth of a degree; Natural Earth, public domain).
const CITIES: [(&str, f64, f64); 24] = [
    ("lyon", 45.77, 4.83),
    ("nairobi", -1.28, 36.82),
    ("sao-paulo", -23.56, -46.63),
    ("toronto", 43.70, -79.42),
    ("tokyo", 35.69, 139.75),
    ("sydney", -33.92, 151.19),
    ("mumbai", 19.02, 72.86),
    ("helsinki", 60.18, 24.93),
    ("san-francisco", 37.74, -122.46),
    ("cape-town", -33.92, 18.43),
    ("singapore", 1.29, 103.85),
    ("reykjavik", 64.15, -21.95),
    ("mexico-city", 19.44, -99.13),
    ("istanbul", 41.11, 29.01),
    ("cairo", 30.05, 31.25),
    ("santiago", -33.45, -70.67),
    ("seoul", 37.57, 127.00),
    ("lagos", 6.44, 3.39),
    ("auckland", -36.85, 174.77),
    ("new-york", 40.75, -73.98),
    ("almaty", 43.33, 76.92),
    ("lisbon", 38.72, -9.14),
    ("anchorage", 61.22, -149.90),
    ("bogota", 4.60, -74.08),
];
/// Loopback networks `127.<n>.0.0/24` that are tried, so that several demos can run side by side.
const NETWORKS: std::ops::RangeInclusive<u8> = 20..=120;

/// The hosts and the ports of their nodes.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) hosts: Vec<HostSpec>,
    pub(super) ports: Ports,
}

/// `count` hosts in a loopback network that nobody uses.
pub(super) fn choose(count: u8) -> Result<Places, Error> {
    let ports = free_ports().map_err(Error::internal)?;
    let network = NETWORKS.into_iter().find(|network| is_free(*network, count, ports)).ok_or_else(|| {
        let message = "no free loopback network from 127.20.0.0 to 127.120.0.0; end some other demo".to_owned();
        Error::Conflict { code: "no_free_network", message }
    })?;
    let hosts = (0..count).map(|index| host(network, index)).collect();
    Ok(Places { hosts, ports })
}

/// A port of this machine that is free now.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

fn free_ports() -> io::Result<Ports> {
    let usual = Ports::default();
    let taken = |port: u16| !bindable(Ipv4Addr::LOCALHOST, port);
    if [usual.tcp, usual.udp, Some(usual.rpc)].into_iter().flatten().any(taken) {
        let overlay = free_port()?;
        return Ok(Ports { tcp: Some(overlay), udp: Some(overlay), rpc: free_port()? });
    }
    Ok(usual)
}

fn is_free(network: u8, count: u8, ports: Ports) -> bool {
    let ports = [ports.tcp, ports.udp, Some(ports.rpc)];
    (0..count).all(|index| ports.iter().flatten().all(|port| bindable(address(network, index), *port)))
}

fn bindable(address: Ipv4Addr, port: u16) -> bool {
    TcpListener::bind((address, port)).is_ok() && UdpSocket::bind((address, port)).is_ok()
}

fn address(network: u8, index: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, network, 0, index + 1)
}

fn host(network: u8, index: u8) -> HostSpec {
    let (city, latitude, longitude) = CITIES[usize::from(index) % CITIES.len()];
    // More hosts than cities: a second one stands a little beside the first.
    let aside = f64::from(index / CITIES.len() as u8) * 0.8;
    HostSpec {
        address: address(network, index).to_string(),
        location: Location::new(latitude + aside, longitude),
        labels: [("city".to_owned(), city.to_owned())].into(),
        ..HostSpec::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_an_address_and_a_place_of_its_own() {
        let places = choose(50).unwrap();
        let addresses: std::collections::HashSet<_> = places.hosts.iter().map(|host| &host.address).collect();
        assert_eq!(addresses.len(), 50);
        assert!(places.hosts.iter().all(|host| host.location.is_some()));
    }

    #[test]
    fn a_network_in_use_is_not_chosen() {
        let ports = Ports { tcp: Some(free_port().unwrap()), udp: None, rpc: free_port().unwrap() };
        let _taken = TcpListener::bind((address(*NETWORKS.start(), 0), ports.rpc)).unwrap();
        assert!(!is_free(*NETWORKS.start(), 3, ports));
    }
}
