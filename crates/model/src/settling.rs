//! When an overlay that has just been started is worth looking at. Pure.

use std::time::Duration;

use crate::snapshot::Totals;

/// Longest wait for an overlay to settle: Kademlia nodes of a pool find each other within seconds.
pub const SETTLE_MAX: Duration = Duration::from_secs(60);
/// Between two walks: about what nodes need to look up their neighbours.
const PAUSE: Duration = Duration::from_secs(2);
/// Walks in a row that found nothing better before the overlay counts as settled. One alone may
/// fall between two rounds of the nodes' own lookups.
const FLAT_WALKS: u32 = 3;

/// Watches walks over one overlay.
#[derive(Clone, Debug, Default)]
pub struct Settling {
    best: Option<(u64, f64)>,
    flat: u32,
}

impl Settling {
    /// The pause before the next walk, or `None`: everything is right, it gets no better, or `elapsed`
    /// since the first walk is too much.
    pub fn next(&mut self, totals: &Totals, elapsed: Duration) -> Option<Duration> {
        let now = (totals.answering, totals.consistency.unwrap_or(0.0));
        let right = totals.missing == 0 && totals.unreachable == 0 && totals.consistency.is_some_and(|c| c >= 1.0);
        if right || elapsed + PAUSE > SETTLE_MAX {
            return None;
        }
        let (nodes, consistency) = self.best.unwrap_or((0, 0.0));
        let better = now.0 > nodes || (now.0 == nodes && now.1 > consistency);
        if better {
            (self.best, self.flat) = (Some(now), 0);
        } else {
            self.flat += 1;
        }
        (self.flat < FLAT_WALKS).then_some(PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn totals(answering: u64, missing: u64, consistency: Option<f64>) -> Totals {
        Totals { nodes: answering, answering, missing, consistency, ..Totals::default() }
    }

    #[test]
    fn what_is_right_is_settled_at_once() {
        assert_eq!(Settling::default().next(&totals(12, 0, Some(1.0)), Duration::ZERO), None);
    }

    #[test]
    fn what_rises_is_waited_for_and_what_does_not_is_kept() {
        let mut settling = Settling::default();
        let second = Duration::from_secs;
        for (n, consistency) in [0.2, 0.5, 0.9].into_iter().enumerate() {
            assert!(settling.next(&totals(12, 0, Some(consistency)), second(n as u64)).is_some());
        }
        assert!(settling.next(&totals(12, 0, Some(0.9)), second(4)).is_some());
        assert!(settling.next(&totals(12, 0, Some(0.88)), second(5)).is_some());
        assert_eq!(settling.next(&totals(12, 0, Some(0.9)), second(6)), None);
    }

    #[test]
    fn more_nodes_that_know_less_are_better_than_fewer() {
        let mut settling = Settling::default();
        assert!(settling.next(&totals(2, 10, Some(1.0)), Duration::ZERO).is_some());
        assert!(settling.next(&totals(12, 0, Some(0.3)), Duration::ZERO).is_some());
        assert_eq!(settling.flat, 0);
    }

    proptest! {
        #[test]
        fn it_never_waits_longer_than_it_may(found in prop::collection::vec((0u64..50, 0u64..5, prop::option::of(0.0f64..0.999)), 100)) {
            let (mut settling, mut elapsed) = (Settling::default(), Duration::ZERO);
            let mut walks = 0;
            for (answering, missing, consistency) in found.into_iter().cycle() {
                walks += 1;
                match settling.next(&totals(answering, missing, consistency), elapsed) {
                    Some(pause) => elapsed += pause,
                    None => break,
                }
            }
            prop_assert!(elapsed <= SETTLE_MAX && walks <= 31);
        }
    }
}
