//! When to dial which bootstrap address.
//!
//! A round dials a few addresses that are not connected. Rounds follow each other slower and slower:
//! while nobody is known at most [`ALONE_MAX`] apart, later up to [`KNOWN_MAX`], for ever, so that
//! two halves of an overlay that lost each other meet again.

use std::time::{Duration, Instant};

use libp2p::Multiaddr;

/// Addresses of one round: enough that one of them is up, few enough that a pool that starts
/// together doesn't dial everybody at once.
const ROUND: usize = 4;
/// The first pause; each next one is twice as long.
const FIRST: Duration = Duration::from_secs(1);
/// Longest pause while the routing table is empty.
const ALONE_MAX: Duration = Duration::from_secs(30);
/// Longest pause otherwise.
const KNOWN_MAX: Duration = Duration::from_secs(300);

/// The plan.
#[derive(Debug)]
pub struct Bootstrap {
    addresses: Vec<Multiaddr>,
    rounds: u32,
    due: Instant,
}

impl Bootstrap {
    /// A plan whose first round is due.
    pub fn new(addresses: Vec<Multiaddr>, now: Instant) -> Self {
        Self { addresses, rounds: 0, due: now }
    }

    /// The routing table ran empty: begin anew.
    pub fn restart(&mut self, now: Instant) {
        self.rounds = 0;
        self.due = now;
    }

    /// An address that turned out to be this node's own.
    pub fn forget(&mut self, address: &Multiaddr) {
        self.addresses.retain(|known| known != address);
    }

    /// The addresses to dial now; none when it is not time. `known` is the routing table's size.
    pub fn round(
        &mut self,
        now: Instant,
        known: usize,
        is_connected: impl Fn(&Multiaddr) -> bool,
        rng: &mut fastrand::Rng,
    ) -> Vec<Multiaddr> {
        if now < self.due {
            return Vec::new();
        }
        let longest = if known == 0 { ALONE_MAX } else { KNOWN_MAX };
        let pause = FIRST.saturating_mul(1 << self.rounds.min(16)).min(longest);
        self.rounds = self.rounds.saturating_add(1);
        self.due = now + pause.mul_f64(0.8 + 0.4 * rng.f64());
        let mut open: Vec<&Multiaddr> = self.addresses.iter().filter(|address| !is_connected(address)).collect();
        rng.shuffle(&mut open);
        open.into_iter().take(ROUND).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(count: usize) -> Vec<Multiaddr> {
        (0..count).map(|i| format!("/ip4/127.0.0.1/tcp/{}", i + 1).parse().unwrap()).collect()
    }

    /// Seconds after the start at which rounds happen within `seconds`.
    fn rounds(known: usize, seconds: u64) -> Vec<u64> {
        let start = Instant::now();
        let mut plan = Bootstrap::new(addresses(9), start);
        let mut rng = fastrand::Rng::with_seed(1);
        (0..seconds)
            .filter(|second| !plan.round(start + Duration::from_secs(*second), known, |_| false, &mut rng).is_empty())
            .collect()
    }

    #[test]
    fn a_lonely_node_keeps_trying_and_one_with_friends_slows_down() {
        let (lonely, social) = (rounds(0, 3600), rounds(5, 3600));
        assert!(lonely[..4].iter().all(|second| *second < 12), "{lonely:?}");
        assert!((90..160).contains(&lonely.len()), "{lonely:?}");
        assert!((15..28).contains(&social.len()), "{social:?}");
    }

    #[test]
    fn a_round_is_small_and_leaves_out_who_is_connected() {
        let now = Instant::now();
        let all = addresses(6);
        let mut plan = Bootstrap::new(all.clone(), now);
        plan.forget(&all[0]);
        let dialled = plan.round(now, 0, |address| all[1..3].contains(address), &mut fastrand::Rng::with_seed(2));
        assert_eq!(dialled.len(), 3);
        assert!(dialled.iter().all(|address| all[3..].contains(address)));
    }

    #[test]
    fn an_emptied_table_begins_anew_at_once() {
        let now = Instant::now();
        let mut plan = Bootstrap::new(addresses(1), now);
        let mut rng = fastrand::Rng::with_seed(3);
        for second in 0..500 {
            plan.round(now + Duration::from_secs(second), 3, |_| false, &mut rng);
        }
        let later = now + Duration::from_secs(500);
        plan.restart(later);
        assert_eq!(plan.round(later, 0, |_| false, &mut rng).len(), 1);
    }
}
