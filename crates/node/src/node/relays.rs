//! When a node that can't be dialled asks others to relay for it.

use std::collections::HashMap;

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// Reservations that a node keeps: one may go away.
const RESERVATIONS: usize = 2;
/// Peers that are remembered as possible relays.
const CANDIDATES_MAX: usize = 64;
/// Failed tests of an address that make a NAT, when no test succeeded.
const FAILED_TESTS: u32 = 3;

/// What is known of the node's own reachability.
#[derive(Debug)]
pub struct Reachability {
    is_deaf: bool,
    failed_tests: u32,
}

impl Reachability {
    /// Nothing was tested yet. A deaf node listens nowhere, so nobody can dial it.
    pub fn new(is_deaf: bool) -> Self {
        Self { is_deaf, failed_tests: 0 }
    }

    /// A peer tried to dial us at one of our addresses.
    pub fn tested(&mut self, is_reachable: bool) {
        self.failed_tests = if is_reachable { 0 } else { self.failed_tests.saturating_add(1) };
    }

    /// `public`, `private` or `unknown`; `direct` when an address without relay is confirmed.
    pub fn nat(&self, direct: bool) -> &'static str {
        match (direct, self.is_deaf || self.failed_tests >= FAILED_TESTS) {
            (true, _) => "public",
            (false, true) => "private",
            (false, false) => "unknown",
        }
    }
}

/// The relays that could be used, and those that are.
#[derive(Debug, Default)]
pub struct Relays {
    candidates: HashMap<PeerId, Multiaddr>,
    used: HashMap<ListenerId, PeerId>,
}

impl Relays {
    /// A connected peer relays for others and is reachable at `address`.
    pub fn found(&mut self, peer: PeerId, address: Multiaddr) {
        if self.candidates.len() < CANDIDATES_MAX || self.candidates.contains_key(&peer) {
            self.candidates.insert(peer, address);
        }
    }

    /// The peer is no candidate any more: it went away, or refused.
    pub fn lost(&mut self, peer: &PeerId) {
        self.candidates.remove(peer);
    }

    /// The next relay to reserve at, with the address to listen on; `None` when there are enough.
    pub fn next(&self) -> Option<(PeerId, Multiaddr)> {
        if self.used.len() >= RESERVATIONS {
            return None;
        }
        let (peer, address) = self.candidates.iter().find(|(peer, _)| !self.used.values().any(|used| used == *peer))?;
        Some((*peer, address.clone().with(Protocol::P2p(*peer)).with(Protocol::P2pCircuit)))
    }

    /// A listener at this relay was opened.
    pub fn listening(&mut self, listener: ListenerId, peer: PeerId) {
        self.used.insert(listener, peer);
    }

    /// The listener is gone; the relay that it was at.
    pub fn closed(&mut self, listener: ListenerId) -> Option<PeerId> {
        self.used.remove(&listener)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_different_relays_are_enough() {
        let mut relays = Relays::default();
        assert!(relays.next().is_none());
        for _ in 0..3 {
            relays.found(PeerId::random(), "/ip4/192.0.2.1/tcp/1".parse().unwrap());
        }
        let (first, address) = relays.next().unwrap();
        assert!(address.to_string().ends_with(&format!("/p2p/{first}/p2p-circuit")));
        let listener = ListenerId::next();
        relays.listening(listener, first);
        let (second, _) = relays.next().unwrap();
        assert_ne!(first, second);
        relays.listening(ListenerId::next(), second);
        assert!(relays.next().is_none());
        assert_eq!(relays.closed(listener), Some(first));
        relays.lost(&first);
        assert_ne!(relays.next().unwrap().0, first);
    }

    #[test]
    fn a_nat_is_what_several_tests_say_and_none_contradicts() {
        let mut reachability = Reachability::new(false);
        assert_eq!(reachability.nat(false), "unknown");
        (0..FAILED_TESTS).for_each(|_| reachability.tested(false));
        assert_eq!((reachability.nat(false), reachability.nat(true)), ("private", "public"));
        reachability.tested(true);
        assert_eq!(reachability.nat(false), "unknown");
    }
}
