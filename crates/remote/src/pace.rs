//! So many a second, evenly, over all who ask.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

#[derive(Debug)]
struct Turns {
    interval: Duration,
    next: Option<Instant>,
}

/// Hands out one turn per interval, in the order of asking.
#[derive(Debug)]
pub(crate) struct Pace {
    turns: Mutex<Turns>,
}

impl Pace {
    /// So many turns a second; 0 counts as 1.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { turns: Mutex::new(Turns { interval: interval(per_second), next: None }) }
    }

    /// From the next turn but one on, so many a second; 0 counts as 1.
    pub(crate) fn set(&self, per_second: u32) {
        self.lock().interval = interval(per_second);
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut turns = self.lock();
        let turn = turns.next.map_or(now, |next| next.max(now));
        turns.next = Some(turn + turns.interval);
        turn
    }
}

fn interval(per_second: u32) -> Duration {
    Duration::from_secs(1) / per_second.max(1)
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
        pace.set(2);
        let turns: Vec<_> = (0..3).map(|_| (pace.take(later) - later).as_millis()).collect();
        assert_eq!(turns, [300, 800, 1_300]);
    }
}
