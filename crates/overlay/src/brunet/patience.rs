//! How long a node may be silent. Pure.
//!
//! Each waiting call holds a thread of the local node, so few may wait at once; and a crawl must not
//! take a deadline for each handful of dead nodes. The more silence there was, the likelier the next
//! one is a dead node, too: its deadline halves with every [`CALLS_AT_ONCE`] silent calls. So all
//! waves of silence together take at most two deadlines, as 1 + 1/2 + 1/4 + … does.

use std::time::Duration;

/// Calls open at once: with 8 silent ones the local node still answers others in 8 ms, with 64 in 40 s.
/// 4 to 16 at once are also what gives the most answers per second.
pub const CALLS_AT_ONCE: usize = 8;
/// A call that has waited this long counts as silent: real answers take some milliseconds, over
/// continents some hundred.
const SILENT_AFTER: Duration = Duration::from_millis(500);
/// No deadline gets shorter than this.
const LEAST: Duration = Duration::from_millis(500);
/// Nor than so many times the slowest answer of this crawl.
const SLOWEST_TIMES: u32 = 4;

/// What a crawl has learnt about silence.
#[derive(Debug)]
pub(super) struct Patience {
    deadline: Duration,
    expired: usize,
    slowest: Duration,
    /// When each open call began; measured since the crawl began.
    open: Vec<Duration>,
}

impl Patience {
    pub(super) fn new(deadline: Duration) -> Self {
        Self { deadline, expired: 0, slowest: Duration::ZERO, open: Vec::new() }
    }

    /// A call begins; how long it may take.
    pub(super) fn begin(&mut self, now: Duration) -> Duration {
        let waiting = self.open.iter().filter(|began| now.saturating_sub(**began) >= SILENT_AFTER).count();
        self.open.push(now);
        let silent = (self.expired + waiting) as f64 / CALLS_AT_ONCE as f64;
        let shortened = self.deadline.mul_f64(0.5_f64.powf(silent));
        shortened.max(LEAST).max(self.slowest * SLOWEST_TIMES).min(self.deadline)
    }

    /// A call that began at `began` was answered.
    pub(super) fn answered(&mut self, began: Duration, now: Duration) {
        self.end(began);
        self.slowest = self.slowest.max(now.saturating_sub(began));
    }

    /// A call that began at `began` was not answered in time.
    pub(super) fn expired(&mut self, began: Duration) {
        self.end(began);
        self.expired += 1;
    }

    /// A call that began at `began` ended in some other way.
    pub(super) fn end(&mut self, began: Duration) {
        if let Some(at) = self.open.iter().position(|open| *open == began) {
            self.open.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(5);

    /// Asks `dead` silent nodes, [`CALLS_AT_ONCE`] at once; returns when the last was given up.
    fn all_silent(dead: usize) -> Duration {
        let mut patience = Patience::new(DEADLINE);
        let mut ends: Vec<(Duration, Duration)> = Vec::new();
        let mut now = Duration::ZERO;
        for asked in 0..dead {
            if ends.len() == CALLS_AT_ONCE {
                ends.sort_unstable();
                let (end, began) = ends.remove(0);
                now = end;
                patience.expired(began);
            }
            // no two calls begin in the same instant
            let began = now + Duration::from_micros(asked as u64);
            ends.push((began + patience.begin(began), began));
        }
        ends.into_iter().map(|(end, _)| end).max().unwrap_or_default()
    }

    #[test]
    fn twenty_dead_of_four_hundred_take_at_most_two_deadlines() {
        assert_eq!(all_silent(1), DEADLINE);
        assert!(all_silent(20) <= 2 * DEADLINE, "{:?}", all_silent(20));
        assert!(all_silent(32) <= 2 * DEADLINE, "{:?}", all_silent(32));
    }

    #[test]
    fn a_hundred_dead_ones_are_not_a_hundred_deadlines() {
        assert!(all_silent(100) < 4 * DEADLINE, "{:?}", all_silent(100));
    }

    #[test]
    fn slow_overlays_are_waited_for() {
        let mut patience = Patience::new(DEADLINE);
        let began = Duration::ZERO;
        patience.begin(began);
        patience.answered(began, Duration::from_secs(1));
        for _ in 0..100 {
            patience.begin(began);
            patience.expired(began);
        }
        assert_eq!(patience.begin(began), Duration::from_secs(4));
        assert!(patience.begin(began) <= DEADLINE);
    }
}
