//! The routing table: who comes in, who goes, and who is nearest.

use std::collections::HashMap;

use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, KBucketKey};
use libp2p::{Multiaddr, PeerId};
use p2ppool_overlay::libp2p::Neighbour;
use p2ppool_overlay::libp2p::info::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, NEIGHBOURS_MAX};

use crate::address::without_peer;

/// Dials in a row that may fail before a peer is dropped.
const FAILURES_MAX: u32 = 2;
/// Peers whose failures are remembered; beyond that a failure drops nobody.
const FAILING_PEERS_MAX: usize = 1024;

type Kad = kad::Behaviour<MemoryStore>;

/// The peer is reachable at these addresses, and at no other one that was known before.
pub fn set_addresses(kad: &mut Kad, peer: &PeerId, addresses: &[Multiaddr]) {
    for address in addresses {
        kad.add_address(peer, address.clone());
    }
    let Some(bucket) = kad.kbucket(*peer) else { return };
    let known: Vec<Multiaddr> = bucket
        .iter()
        .find(|entry| entry.node.key.preimage() == peer)
        .map(|entry| entry.node.value.iter().map(without_peer).collect())
        .unwrap_or_default();
    for stale in known.iter().filter(|address| !addresses.contains(address)) {
        kad.remove_address(peer, stale);
    }
}

/// Peers in the table.
pub fn size(kad: &mut Kad) -> usize {
    kad.kbuckets().map(|bucket| bucket.num_entries()).sum()
}

/// The peer is in the table.
pub fn contains(kad: &mut Kad, peer: &PeerId) -> bool {
    kad.kbucket(*peer).is_some_and(|bucket| bucket.iter().any(|entry| entry.node.key.preimage() == peer))
}

/// The entries nearest to `me`, nearest first, bounded.
pub fn neighbours(kad: &mut Kad, me: PeerId, is_connected: impl Fn(&PeerId) -> bool) -> Vec<Neighbour> {
    let my_key = KBucketKey::from(me);
    let mut entries: Vec<(KBucketKey<PeerId>, Vec<String>)> = kad
        .kbuckets()
        .flat_map(|bucket| {
            bucket.iter().map(|entry| (*entry.node.key, texts(entry.node.value.iter()))).collect::<Vec<_>>()
        })
        .collect();
    entries.sort_by_key(|(key, _)| key.distance(&my_key));
    entries
        .into_iter()
        .take(NEIGHBOURS_MAX)
        .map(|(key, addresses)| {
            let peer = key.into_preimage();
            Neighbour { peer: peer.to_string(), addresses, connected: is_connected(&peer) }
        })
        .collect()
}

fn texts<'a>(addresses: impl Iterator<Item = &'a Multiaddr>) -> Vec<String> {
    // the table may hold an address twice, with and without the peer's id
    let mut texts: Vec<String> = Vec::new();
    for text in addresses.map(|address| without_peer(address).to_string()) {
        if text.len() <= ADDRESS_BYTES_MAX && !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts.truncate(ADDRESSES_MAX);
    texts
}

/// Peers that could not be dialled lately.
#[derive(Debug, Default)]
pub struct Failures(HashMap<PeerId, u32>);

impl Failures {
    /// A dial failed; `true` when the peer should be dropped.
    pub fn failed(&mut self, peer: PeerId) -> bool {
        if self.0.len() >= FAILING_PEERS_MAX && !self.0.contains_key(&peer) {
            return false;
        }
        let failures = self.0.entry(peer).or_default();
        *failures += 1;
        let is_gone = *failures >= FAILURES_MAX;
        if is_gone {
            self.0.remove(&peer);
        }
        is_gone
    }

    /// The peer is there.
    pub fn succeeded(&mut self, peer: &PeerId) {
        self.0.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kad(me: PeerId) -> Kad {
        Kad::new(me, MemoryStore::new(me))
    }

    fn address(port: u16) -> Multiaddr {
        format!("/ip4/127.0.0.1/tcp/{port}").parse().unwrap()
    }

    #[test]
    fn neighbours_are_sorted_by_distance_and_bounded() {
        let me = PeerId::random();
        let mut kad = kad(me);
        for _ in 0..300 {
            set_addresses(&mut kad, &PeerId::random(), &[address(1)]);
        }
        let found = neighbours(&mut kad, me, |_| false);
        assert_eq!(found.len(), NEIGHBOURS_MAX.min(size(&mut kad)));
        let mine = KBucketKey::from(me);
        let distances: Vec<_> =
            found.iter().map(|n| KBucketKey::from(n.peer.parse::<PeerId>().unwrap()).distance(&mine)).collect();
        assert!(distances.is_sorted());
        assert_eq!(found[0].addresses, ["/ip4/127.0.0.1/tcp/1"]);
    }

    #[test]
    fn addresses_that_a_peer_left_are_forgotten() {
        let me = PeerId::random();
        let peer = PeerId::random();
        let mut kad = kad(me);
        set_addresses(&mut kad, &peer, &[address(1), address(2)]);
        set_addresses(&mut kad, &peer, &[address(2), address(3)]);
        let found = neighbours(&mut kad, me, |_| true);
        assert_eq!(found[0].addresses, ["/ip4/127.0.0.1/tcp/2", "/ip4/127.0.0.1/tcp/3"]);
        assert!(contains(&mut kad, &peer) && found[0].connected);
    }

    #[test]
    fn a_peer_goes_after_failures_in_a_row() {
        let mut failures = Failures::default();
        let peer = PeerId::random();
        assert!(!failures.failed(peer));
        failures.succeeded(&peer);
        assert!(!failures.failed(peer));
        assert!(failures.failed(peer));
    }
}
