//! A limit shared fairly by several runs: free places go round robin to the runs that wait, so that
//! 5,000 hosts of one pool don't starve five of another.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Places of which at most so many are taken at once.
#[derive(Clone, Debug)]
pub(crate) struct FairLimit(Arc<Mutex<State>>);

/// One run's identity within a limit.
pub(crate) type RunId = u64;

#[derive(Debug)]
struct State {
    /// All of them, taken or not.
    places: usize,
    free: usize,
    /// Taken ones that go when they come back, because there are fewer now.
    owed: usize,
    /// Runs that have waiters, in the order of their turns.
    turns: VecDeque<RunId>,
    waiting: HashMap<RunId, VecDeque<oneshot::Sender<Place>>>,
}

/// A taken place; dropping it gives it to the next run's first waiter.
#[derive(Debug)]
pub(crate) struct Place(Option<FairLimit>);

impl FairLimit {
    pub(crate) fn new(places: usize) -> Self {
        let places = places.max(1);
        let state = State { places, free: places, owed: 0, turns: VecDeque::new(), waiting: HashMap::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Waits for a place. Dropping the future gives up the wait.
    pub(crate) async fn take(&self, run: RunId) -> Place {
        let waiter = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return self.place();
            }
            let (sender, waiter) = oneshot::channel();
            if state.waiting.entry(run).or_default().is_empty() {
                state.turns.push_back(run);
            }
            state.waiting.entry(run).or_default().push_back(sender);
            waiter
        };
        // the sender is only dropped by handing over a place, so the error can't happen
        waiter.await.unwrap_or(Place(None))
    }

    /// From now on there are so many places; 0 counts as 1. Taken ones stay taken until they are given back.
    pub(crate) fn set(&self, places: usize) {
        let more = self.lock().set(places.max(1));
        for _ in 0..more {
            self.give_back();
        }
    }

    fn place(&self) -> Place {
        Place(Some(self.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a place on, or frees it when nobody waits.
    fn give_back(&self) {
        loop {
            let Some(waiter) = self.lock().next() else { return };
            // refused by a waiter that gave up: the place comes back and goes to the next one
            match waiter.send(self.place()) {
                Ok(()) => return,
                Err(mut refused) => refused.0 = None,
            }
        }
    }
}

impl State {
    /// Answers how many new places are to be handed out.
    fn set(&mut self, places: usize) -> usize {
        let (before, now) = (self.places, places);
        self.places = now;
        let less = before.saturating_sub(now);
        let taken_away = less.min(self.free);
        self.free -= taken_away;
        self.owed += less - taken_away;
        let more = now.saturating_sub(before);
        let forgiven = more.min(self.owed);
        self.owed -= forgiven;
        more - forgiven
    }

    /// The waiter whose turn it is; without one the place becomes free.
    fn next(&mut self) -> Option<oneshot::Sender<Place>> {
        if self.owed > 0 {
            self.owed -= 1;
            return None;
        }
        while let Some(run) = self.turns.pop_front() {
            let Some(queue) = self.waiting.get_mut(&run) else { continue };
            let waiter = queue.pop_front();
            if queue.is_empty() {
                self.waiting.remove(&run);
            } else {
                self.turns.push_back(run);
            }
            if waiter.is_some() {
                return waiter;
            }
        }
        self.free += 1;
        None
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(limit) = self.0.take() {
            limit.give_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn runs_take_turns() {
        let limit = FairLimit::new(1);
        let first = limit.take(1).await;
        let mut big: Vec<_> = (0..3).map(|_| Box::pin(limit.take(1))).collect();
        for wait in &mut big {
            assert!(wait.as_mut().now_or_never().is_none());
        }
        let mut small = Box::pin(limit.take(2));
        assert!(small.as_mut().now_or_never().is_none());
        drop(first);
        // run 1 asked first and gets one; then it is the turn of run 2, before the rest of run 1
        let place = big[0].as_mut().now_or_never().unwrap();
        assert!(small.as_mut().now_or_never().is_none());
        drop(place);
        let place = small.as_mut().now_or_never().unwrap();
        assert!(big[1].as_mut().now_or_never().is_none());
        drop(place);
        assert!(big[1].as_mut().now_or_never().is_some());
    }

    #[tokio::test]
    async fn fewer_places_hold_as_taken_ones_come_back_and_more_are_handed_out_at_once() {
        let limit = FairLimit::new(3);
        let mut taken = vec![limit.take(1).await, limit.take(1).await, limit.take(1).await];
        limit.set(1);
        let mut waits = Box::pin(limit.take(1));
        for _ in 0..2 {
            taken.pop();
            assert!(waits.as_mut().now_or_never().is_none(), "one is still taken, and there is one");
        }
        taken.pop();
        let last = waits.as_mut().now_or_never().unwrap();
        let (mut second, mut third) = (Box::pin(limit.take(1)), Box::pin(limit.take(1)));
        assert!(second.as_mut().now_or_never().is_none() && third.as_mut().now_or_never().is_none());
        limit.set(2);
        let place = second.as_mut().now_or_never().expect("handed out at once");
        assert!(third.as_mut().now_or_never().is_none());
        drop((last, place));
        assert!(third.as_mut().now_or_never().is_some());
        drop(third);
        let state = limit.lock();
        assert_eq!((state.free, state.owed), (2, 0));
    }

    #[tokio::test]
    async fn a_waiter_that_gave_up_loses_no_place() {
        let limit = FairLimit::new(1);
        let place = limit.take(1).await;
        let mut gone = Box::pin(limit.take(2));
        assert!(gone.as_mut().now_or_never().is_none());
        drop(gone);
        drop(place);
        assert!(limit.take(3).now_or_never().is_some());
        assert_eq!(limit.lock().free, 1);
    }

    #[tokio::test]
    async fn a_place_handed_to_a_waiter_that_is_dropped_unseen_comes_back() {
        let limit = FairLimit::new(1);
        let place = limit.take(1).await;
        let mut waiter = Box::pin(limit.take(2));
        assert!(waiter.as_mut().now_or_never().is_none());
        drop(place);
        drop(waiter);
        assert!(limit.take(3).now_or_never().is_some());
    }
}
