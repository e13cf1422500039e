//! What identify told of a peer, and what follows from it.

use libp2p::{Multiaddr, StreamProtocol, identify, relay};
use p2ppool_overlay::libp2p::info::ADDRESSES_MAX;

use super::connections::Connection;
use crate::address::usable;

/// What a peer is to us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// It takes part in our overlay: it speaks our Kademlia protocol.
    pub is_member: bool,
    /// It relays for others.
    pub is_relay: bool,
    /// Where it can be dialled; the address that just worked first.
    pub addresses: Vec<Multiaddr>,
}

/// Judges what a peer told over `connection`. `own` are addresses of this node, which another one
/// on the same machine or behind the same NAT may tell, too.
pub fn judge(told: &identify::Info, connection: &Connection, kad: &StreamProtocol, own: &[Multiaddr]) -> Identified {
    let mut addresses = usable(&told.listen_addrs, &connection.remote, ADDRESSES_MAX);
    addresses.retain(|address| !own.contains(address));
    if connection.dialled {
        addresses.retain(|address| *address != connection.remote);
        addresses.truncate(ADDRESSES_MAX - 1);
        addresses.insert(0, connection.remote.clone());
    }
    Identified {
        is_member: told.protocols.contains(kad),
        is_relay: told.protocols.contains(&relay::HOP_PROTOCOL_NAME),
        addresses,
    }
}

#[cfg(test)]
mod tests {
    use libp2p::PeerId;
    use libp2p::identity::Keypair;

    use super::*;
    use crate::address::Via;

    const KAD: StreamProtocol = StreamProtocol::new("/p2ppool/demo/kad/1.0.0");

    fn told(addresses: &[&str], protocols: &[StreamProtocol]) -> identify::Info {
        identify::Info {
            public_key: Keypair::generate_ed25519().public(),
            protocol_version: String::new(),
            agent_version: String::new(),
            listen_addrs: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            protocols: protocols.to_vec(),
            observed_addr: Multiaddr::empty(),
            signed_peer_record: None,
        }
    }

    fn connection(dialled: bool) -> Connection {
        let remote = "/ip4/127.0.0.2/tcp/1".parse().unwrap();
        Connection { peer: PeerId::random(), via: Via::Tcp, remote, dialled, is_test: false }
    }

    #[test]
    fn the_address_that_was_dialled_is_known_to_work() {
        let told = told(&["/ip4/127.0.0.2/udp/1/quic-v1", "/ip4/127.0.0.2/tcp/1"], &[KAD]);
        let addresses = |dialled| judge(&told, &connection(dialled), &KAD, &[]).addresses;
        assert_eq!(addresses(true)[0].to_string(), "/ip4/127.0.0.2/tcp/1");
        assert_eq!(addresses(true).len(), 2);
        assert_eq!(addresses(false)[0].to_string(), "/ip4/127.0.0.2/udp/1/quic-v1");
    }

    #[test]
    fn who_does_not_speak_our_kademlia_is_no_member() {
        let other = StreamProtocol::new("/p2ppool/other/kad/1.0.0");
        assert!(judge(&told(&[], &[KAD]), &connection(true), &KAD, &[]).is_member);
        assert!(!judge(&told(&[], &[other]), &connection(true), &KAD, &[]).is_member);
    }

    #[test]
    fn our_own_address_is_not_a_peers() {
        let told = told(&["/ip4/127.0.0.9/tcp/1", "/ip4/127.0.0.2/tcp/1"], &[KAD]);
        let own = ["/ip4/127.0.0.9/tcp/1".parse().unwrap()];
        assert_eq!(judge(&told, &connection(false), &KAD, &own).addresses.len(), 1);
    }
}
