//! The open connections and who is at their other ends.

use std::collections::{HashMap, HashSet};

use libp2p::core::ConnectedPoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};

use super::Counts;
use crate::address::{Via, via, without_peer};

/// One connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Who is at the other end.
    pub peer: PeerId,
    /// What it runs over.
    pub via: Via,
    /// The other end's address.
    pub remote: Multiaddr,
    /// We dialled, so the other end listens at `remote`.
    pub dialled: bool,
    /// It was dialled from a port of its own, which AutoNAT does to test an address.
    pub is_test: bool,
}

/// All open connections; as many as the swarm's limits allow.
#[derive(Debug, Default)]
pub struct Connections {
    open: HashMap<ConnectionId, Connection>,
    members: HashSet<PeerId>,
}

impl Connections {
    /// A connection was opened.
    pub fn opened(&mut self, id: ConnectionId, peer: PeerId, endpoint: &ConnectedPoint) {
        let remote = without_peer(endpoint.get_remote_address());
        let is_test = matches!(endpoint, ConnectedPoint::Dialer { port_use: PortUse::New, .. });
        let connection = Connection { peer, via: via(endpoint), remote, dialled: endpoint.is_dialer(), is_test };
        self.open.insert(id, connection);
    }

    /// We dialled a peer whom we were directly connected with: it was met by an address without peer
    /// id. Only the dialler may close such a connection, so that never both of two are closed.
    pub fn is_spare(&self, id: ConnectionId) -> bool {
        let Some(new) = self.open.get(&id).filter(|new| new.dialled && !new.is_test && new.via != Via::Relay) else {
            return false;
        };
        self.open.iter().any(|(other, connection)| {
            *other != id && connection.peer == new.peer && !connection.is_test && connection.via != Via::Relay
        })
    }

    /// A connection was closed; `left` others with the same peer stay.
    pub fn closed(&mut self, id: ConnectionId, peer: &PeerId, left: u32) {
        self.open.remove(&id);
        if left == 0 {
            self.members.remove(peer);
        }
    }

    /// The connection of this id.
    pub fn get(&self, id: ConnectionId) -> Option<&Connection> {
        self.open.get(&id)
    }

    /// Identify told that the peer takes part in the overlay, or that it doesn't.
    pub fn set_member(&mut self, peer: PeerId, is_member: bool) {
        if is_member {
            self.members.insert(peer);
        } else {
            self.members.remove(&peer);
        }
    }

    /// Somebody is connected at this address.
    pub fn has_address(&self, address: &Multiaddr) -> bool {
        let address = without_peer(address);
        self.open.values().any(|connection| connection.remote == address)
    }

    /// Connections of any kind.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Connections with members of the overlay; those of crawlers and strangers don't count.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for connection in self.open.values().filter(|connection| self.members.contains(&connection.peer)) {
            match connection.via {
                Via::Tcp => counts.tcp += 1,
                Via::Quic => counts.quic += 1,
                Via::Relay => counts.relayed += 1,
            }
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(local: &str, remote: &str) -> ConnectedPoint {
        ConnectedPoint::Listener { local_addr: local.parse().unwrap(), send_back_addr: remote.parse().unwrap() }
    }

    fn dialer(address: &str, port_use: PortUse) -> ConnectedPoint {
        let role_override = libp2p::core::Endpoint::Dialer;
        ConnectedPoint::Dialer { address: address.parse().unwrap(), role_override, port_use }
    }

    #[test]
    fn a_second_dial_to_the_same_peer_is_spare_unless_it_tests_or_replaces_a_relayed_one() {
        let mut connections = Connections::default();
        let (peer, relayed) = (PeerId::random(), PeerId::random());
        let ids: Vec<_> = (0..5).map(ConnectionId::new_unchecked).collect();
        connections.opened(ids[0], peer, &dialer("/ip4/127.0.0.2/tcp/1", PortUse::Reuse));
        assert!(!connections.is_spare(ids[0]));
        connections.opened(ids[1], peer, &dialer("/ip4/127.0.0.2/udp/1/quic-v1", PortUse::Reuse));
        assert!(connections.is_spare(ids[1]));
        connections.opened(ids[2], peer, &dialer("/ip4/127.0.0.2/tcp/1", PortUse::New));
        assert!(!connections.is_spare(ids[2]));
        let circuit = format!("/ip4/127.0.0.3/tcp/1/p2p/{}/p2p-circuit", PeerId::random());
        connections.opened(ids[3], relayed, &dialer(&circuit, PortUse::Reuse));
        connections.opened(ids[4], relayed, &dialer("/ip4/127.0.0.4/tcp/1", PortUse::Reuse));
        assert!(!connections.is_spare(ids[4]));
    }

    #[test]
    fn only_members_are_counted() {
        let mut connections = Connections::default();
        let (member, crawler) = (PeerId::random(), PeerId::random());
        let ids: Vec<_> = (0..4).map(ConnectionId::new_unchecked).collect();
        connections.opened(ids[0], member, &listener("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.2/tcp/1"));
        connections.opened(ids[1], member, &listener("/ip4/127.0.0.1/udp/1/quic-v1", "/ip4/127.0.0.2/udp/1/quic-v1"));
        let circuit = format!("/ip4/127.0.0.3/tcp/1/p2p/{}/p2p-circuit", PeerId::random());
        connections.opened(ids[2], member, &listener(&circuit, &format!("/p2p/{member}")));
        connections.opened(ids[3], crawler, &listener("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.9/tcp/1"));
        connections.set_member(member, true);
        assert_eq!(connections.counts(), Counts { tcp: 1, quic: 1, relayed: 1 });
        assert_eq!(connections.len(), 4);
        assert!(connections.has_address(&"/ip4/127.0.0.2/tcp/1".parse().unwrap()));
        connections.closed(ids[0], &member, 0);
        assert_eq!(connections.counts(), Counts::default());
    }
}
