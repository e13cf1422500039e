//! One message of the Kademlia protocol: FIND_NODE, and its answer.
//!
//! Format: `dht.pb.Message` of the libp2p Kademlia specification ("RPC messages"), with its length
//! as varint before it.

use libp2p::{Multiaddr, PeerId};

use super::protobuf::{Fields, ProtobufError, Value, put_bytes, put_number, put_varint};

/// Longest answer in bytes: 20 peers with some dozen addresses each have about 30 KiB.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Most peers taken from one answer; the specification's k is 20.
pub const PEERS_MAX: usize = 128;
/// Most addresses taken per peer.
pub const ADDRESSES_MAX: usize = 16;

const FIND_NODE: u64 = 4;
const FIELD_TYPE: u64 = 1;
const FIELD_KEY: u64 = 2;
const FIELD_CLOSER_PEERS: u64 = 8;
const FIELD_PEER_ID: u64 = 1;
const FIELD_PEER_ADDRESS: u64 = 2;

/// A peer with its addresses, as a node tells it.
pub type Peer = (PeerId, Vec<Multiaddr>);

/// The question for the peers closest to SHA-256 of `key`, with its length before it.
pub fn find_node(key: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(key.len() + 8);
    put_number(&mut message, FIELD_TYPE, FIND_NODE);
    put_bytes(&mut message, FIELD_KEY, key);
    framed(&message)
}

/// The closer peers of an answer (without its length). Peers and addresses that can't be read are
/// left out; so are those beyond the bounds.
///
/// # Errors
/// When it is not a protobuf message, or an answer to something else.
pub fn closer_peers(message: &[u8]) -> Result<Vec<Peer>, ProtobufError> {
    let mut peers = Vec::new();
    let mut answers = None;
    for field in Fields::of(message) {
        match field? {
            (FIELD_TYPE, Value::Varint(kind)) => answers = Some(kind),
            (FIELD_CLOSER_PEERS, Value::Bytes(bytes)) if peers.len() < PEERS_MAX => peers.extend(peer(bytes)),
            _ => {}
        }
    }
    if answers == Some(FIND_NODE) { Ok(peers) } else { Err(ProtobufError("it answers something else")) }
}

fn peer(message: &[u8]) -> Option<Peer> {
    let mut id = None;
    let mut addresses = Vec::new();
    for field in Fields::of(message) {
        match field.ok()? {
            (FIELD_PEER_ID, Value::Bytes(bytes)) => id = PeerId::from_bytes(bytes).ok(),
            (FIELD_PEER_ADDRESS, Value::Bytes(bytes)) if addresses.len() < ADDRESSES_MAX => {
                addresses.extend(Multiaddr::try_from(bytes.to_vec()));
            }
            _ => {}
        }
    }
    Some((id?, addresses))
}

/// `message` with its length before it.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(message.len() + 4);
    put_varint(&mut bytes, message.len() as u64);
    bytes.extend_from_slice(message);
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(peers: &[Peer]) -> Vec<u8> {
        let mut message = Vec::new();
        put_number(&mut message, FIELD_TYPE, FIND_NODE);
        for (id, addresses) in peers {
            let mut peer = Vec::new();
            put_bytes(&mut peer, FIELD_PEER_ID, &id.to_bytes());
            for address in addresses {
                put_bytes(&mut peer, FIELD_PEER_ADDRESS, address.as_ref());
            }
            put_number(&mut peer, 3, 1);
            put_bytes(&mut message, FIELD_CLOSER_PEERS, &peer);
        }
        message
    }

    #[test]
    fn the_question_has_the_bytes_of_the_specification() {
        assert_eq!(find_node(b"ab"), [6, 0x08, 4, 0x12, 2, b'a', b'b']);
    }

    #[test]
    fn what_can_not_be_read_is_left_out() {
        let good = (PeerId::random(), vec!["/ip4/192.0.2.1/tcp/1".parse().unwrap()]);
        let mut message = answer(std::slice::from_ref(&good));
        put_bytes(&mut message, FIELD_CLOSER_PEERS, b"\x0a\x02xx");
        put_bytes(&mut message, FIELD_CLOSER_PEERS, b"");
        assert_eq!(closer_peers(&message), Ok(vec![good]));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        assert!(closer_peers(b"").is_err() && closer_peers(b"\x08\x01").is_err());
        assert_eq!(closer_peers(b"\x08\x04"), Ok(vec![]));
    }

    #[test]
    fn an_endless_answer_is_bounded() {
        let peers: Vec<Peer> = (0..PEERS_MAX + 9)
            .map(|_| (PeerId::random(), vec!["/ip4/192.0.2.1/tcp/1".parse().unwrap(); ADDRESSES_MAX + 9]))
            .collect();
        let read = closer_peers(&answer(&peers)).unwrap();
        assert_eq!((read.len(), read[0].1.len()), (PEERS_MAX, ADDRESSES_MAX));
    }

    proptest! {
        #[test]
        fn peers_survive(ports in proptest::collection::vec(proptest::collection::vec(any::<u16>(), 0..5), 0..20)) {
            let address = |port: &u16| format!("/ip4/192.0.2.1/tcp/{port}").parse().unwrap();
            let peers: Vec<Peer> =
                ports.iter().map(|ports| (PeerId::random(), ports.iter().map(address).collect())).collect();
            prop_assert_eq!(closer_peers(&answer(&peers)), Ok(peers));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = closer_peers(&bytes);
        }

        #[test]
        fn no_broken_answer_panics(cut in any::<prop::sample::Index>(), flip in any::<prop::sample::Index>()) {
            let mut bytes = answer(&[(PeerId::random(), vec!["/ip4/192.0.2.1/tcp/1".parse().unwrap()])]);
            let at = flip.index(bytes.len());
            bytes[at] ^= 0x55;
            bytes.truncate(cut.index(bytes.len()) + 1);
            let _ = closer_peers(&bytes);
        }
    }
}
