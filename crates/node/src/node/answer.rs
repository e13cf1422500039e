//! Who may ask how often.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// Questions that a peer may ask at once.
const BURST: f64 = 10.0;
/// A peer may ask again each time this passed.
const REFILL: Duration = Duration::from_secs(6);
/// Operators may ask this many times more: several tasks of a manager ask at once.
const OPERATOR_FACTOR: f64 = 10.0;
/// Peers whose questions are counted; when there are more, new ones wait.
const PEERS_MAX: usize = 1024;

/// A token bucket per peer.
#[derive(Debug, Default)]
pub struct Limiter(HashMap<PeerId, Bucket>);

#[derive(Debug)]
struct Bucket {
    used: f64,
    at: Instant,
}

impl Bucket {
    fn drained(&self, now: Instant, factor: f64) -> f64 {
        let refilled = now.saturating_duration_since(self.at).as_secs_f64() / REFILL.as_secs_f64() * factor;
        (self.used - refilled).max(0.0)
    }
}

impl Limiter {
    /// May this peer have an answer now?
    pub fn admits(&mut self, peer: PeerId, is_operator: bool, now: Instant) -> bool {
        let factor = if is_operator { OPERATOR_FACTOR } else { 1.0 };
        if self.0.len() >= PEERS_MAX && !self.0.contains_key(&peer) {
            self.0.retain(|_, bucket| bucket.drained(now, 1.0) > 0.0);
            if self.0.len() >= PEERS_MAX {
                return is_operator;
            }
        }
        let bucket = self.0.entry(peer).or_insert(Bucket { used: 0.0, at: now });
        bucket.used = bucket.drained(now, factor);
        bucket.at = now;
        let is_admitted = bucket.used + 1.0 <= BURST * factor;
        if is_admitted {
            bucket.used += 1.0;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(limiter: &mut Limiter, peer: PeerId, is_operator: bool, now: Instant) -> usize {
        (0..500).take_while(|_| limiter.admits(peer, is_operator, now)).count()
    }

    #[test]
    fn a_stranger_gets_a_burst_and_then_one_at_a_time() {
        let (mut limiter, peer, now) = (Limiter::default(), PeerId::random(), Instant::now());
        assert_eq!(admitted(&mut limiter, peer, false, now), 10);
        assert_eq!(admitted(&mut limiter, peer, false, now + REFILL / 2), 0);
        assert_eq!(admitted(&mut limiter, peer, false, now + REFILL), 1);
        assert_eq!(admitted(&mut limiter, PeerId::random(), false, now), 10);
        assert_eq!(admitted(&mut limiter, PeerId::random(), true, now), 100);
    }

    #[test]
    fn a_crowd_of_peers_is_bounded_and_does_not_keep_operators_out() {
        let (mut limiter, now) = (Limiter::default(), Instant::now());
        let admitted = (0..2 * PEERS_MAX).filter(|_| limiter.admits(PeerId::random(), false, now)).count();
        assert_eq!(admitted, PEERS_MAX);
        assert!(limiter.admits(PeerId::random(), true, now));
        assert!(limiter.admits(PeerId::random(), false, now + REFILL));
    }
}
