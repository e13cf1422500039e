//! So many a second, evenly, over all who ask.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Hands out one turn per interval, in the order of asking.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// So many turns a second; 0 counts as 1.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { interval: Duration::from_secs(1) / per_second.max(1), next: Mutex::new(None) }
    }

    /// Waits for the next turn. One that is given up while it waits is lost.
    pub(crate) async fn turn(&self) {
        let now = Instant::now();
        let turn = self.take(now);
        if turn > now {
            sleep_until(turn).await;
        }
    }

    /// When the one who asks now has its turn.
    fn take(&self, now: Instant) -> Instant {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + self.interval);
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_come_evenly_and_unused_ones_are_not_saved_up() {
        let pace = Pace::new(10);
        let began = Instant::now();
        let turns: Vec<_> = (0..3).map(|_| (pace.take(began) - began).as_millis()).collect();
        assert_eq!(turns, [0, 100, 200]);
        let later = began + Duration::from_secs(60);
        let turns: Vec<_> = (0..3).map(|_| (pace.take(later) - later).as_millis()).collect();
        assert_eq!(turns, [0, 100, 200]);
    }
}
