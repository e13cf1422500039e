//! Work on many hosts at once, with separate limits for connecting and for working.
//!
//! A dead host holds a place until its connect deadline; with one limit for both, a few dead hosts
//! would keep the living ones waiting. All runs of a manager share one [`FanOut`]; free places go
//! to them in turns.
//!
//! ```text
//! waiting ──connecting place──► work(item, slots) ──slots.connected()──► working place ──► result
//! ```

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures::{FutureExt, Stream};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::limit::{FairLimit, Place, RunId};
use crate::pace::Pace;

/// How many hosts may be at what at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// In name look-up, handshake and authentication: each costs CPU here and, on one machine with
    /// many hosts, there.
    pub connecting: usize,
    /// Connected and at a step: each costs memory here.
    pub working: usize,
    /// Connections started per second: what comes faster, networks take for an attack.
    pub per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connecting: 64, working: 256, per_second: 500 }
    }
}

/// The limits, shared by all runs. Clones share them, too.
#[derive(Clone, Debug)]
pub struct FanOut {
    /// Unread results of one run.
    room: usize,
    connecting: FairLimit,
    working: FairLimit,
    pace: Arc<Pace>,
    runs: Arc<AtomicU64>,
}

impl Default for FanOut {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl FanOut {
    /// With these limits; a limit of 0 counts as 1.
    pub fn new(limits: Limits) -> Self {
        Self {
            // as many unread results as hosts under way: a slow reader slows the run down
            room: limits.connecting.max(1) + limits.working.max(1),
            connecting: FairLimit::new(limits.connecting),
            working: FairLimit::new(limits.working),
            pace: Arc::new(Pace::new(limits.per_second)),
            runs: Arc::default(),
        }
    }

    /// From now on with these limits; a limit of 0 counts as 1. Hosts under way go on.
    pub fn set_limits(&self, limits: Limits) {
        self.connecting.set(limits.connecting);
        self.working.set(limits.working);
        self.pace.set(limits.per_second);
    }

    /// Runs `work` on every item and streams the results as they come. An item is only taken from
    /// the iterator when it has a place to connect, so a long list costs nothing. After `cancel`,
    /// no further item is started; those under way see it by [`Slots::cancel`] and end as they see
    /// fit. Dropping the results ends everything at once.
    pub fn run<I, W, F, T>(&self, items: I, cancel: CancellationToken, work: W) -> Results<T>
    where
        I: IntoIterator,
        I::IntoIter: Send + 'static,
        I::Item: Send + 'static,
        W: Fn(I::Item, Slots) -> F + Send + Sync + 'static,
        F: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(self.room);
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let driver = Driver { fan_out: self.clone(), run, cancel, sender };
        let driver = tokio::spawn(driver.drive(items.into_iter(), work));
        Results { receiver, driver }
    }
}

/// The places that one item holds.
#[derive(Debug)]
pub struct Slots {
    fan_out: FanOut,
    run: RunId,
    cancel: CancellationToken,
    place: Option<Place>,
}

impl Slots {
    /// The session stands: waits for a working place and gives the connecting one to the next host.
    pub async fn connected(&mut self) {
        let place = self.fan_out.working.take(self.run).await;
        self.place = Some(place);
    }

    /// The session is gone and a new one is to be opened: the way back. It gives up its place
    /// before it waits, so that two that wait for each other can't be.
    pub async fn reconnecting(&mut self) {
        self.place = None;
        self.place = Some(self.fan_out.connecting.take(self.run).await);
        self.fan_out.pace.turn().await;
    }

    /// Set when the run was cancelled.
    pub fn cancel(&self) -> &CancellationToken {
        &self.cancel
    }
}

/// One item's result.
#[derive(Debug)]
pub struct Finished<T> {
    /// Position of the item in its iterator.
    pub index: usize,
    /// What the work returned.
    pub result: Result<T, Panicked>,
}

/// The work panicked: a bug, but not one that may take the other hosts with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the work on this host panicked: {0}")]
pub struct Panicked(String);

/// The results of a run as they come. Ends when every started item has its result.
#[derive(Debug)]
pub struct Results<T> {
    receiver: mpsc::Receiver<Finished<T>>,
    driver: JoinHandle<()>,
}

impl<T> Results<T> {
    /// The next result; cancel safe.
    pub async fn next(&mut self) -> Option<Finished<T>> {
        self.receiver.recv().await
    }
}

impl<T> Stream for Results<T> {
    type Item = Finished<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.receiver.poll_recv(context)
    }
}

impl<T> Drop for Results<T> {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

struct Driver<T> {
    fan_out: FanOut,
    run: RunId,
    cancel: CancellationToken,
    sender: mpsc::Sender<Finished<T>>,
}

impl<T: Send + 'static> Driver<T> {
    async fn drive<W, F, X>(self, items: impl Iterator<Item = X> + Send, work: W)
    where
        W: Fn(X, Slots) -> F + Send + Sync + 'static,
        F: Future<Output = T> + Send + 'static,
        X: Send + 'static,
    {
        // dropped with this future, and all the work with it
        let mut tasks = JoinSet::new();
        for (index, item) in items.enumerate() {
            let Some((room, slots)) = self.cancel.run_until_cancelled(self.room()).await.flatten() else { break };
            if self.cancel.is_cancelled() {
                break;
            }
            let work = AssertUnwindSafe(work(item, slots)).catch_unwind();
            tasks.spawn(async move {
                let result = work.await.map_err(|panic| Panicked(text_of(panic.as_ref())));
                room.send(Finished { index, result });
            });
            while tasks.try_join_next().is_some() {}
        }
        drop(self.sender);
        while tasks.join_next().await.is_some() {}
    }

    /// Room for a result, then a place to connect; `None` when nobody reads results any more.
    async fn room(&self) -> Option<(mpsc::OwnedPermit<Finished<T>>, Slots)> {
        let room = self.sender.clone().reserve_owned().await.ok()?;
        let place = self.fan_out.connecting.take(self.run).await;
        self.fan_out.pace.turn().await;
        let (fan_out, cancel) = (self.fan_out.clone(), self.cancel.clone());
        Some((room, Slots { fan_out, run: self.run, cancel, place: Some(place) }))
    }
}

fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::Semaphore;

    use super::*;

    fn limits(connecting: usize, working: usize) -> FanOut {
        FanOut::new(Limits { connecting, working, per_second: 1_000_000 })
    }

    async fn indices<T>(mut results: Results<T>) -> Vec<usize> {
        let mut seen = Vec::new();
        while let Some(finished) = results.next().await {
            seen.push(finished.index);
        }
        seen.sort_unstable();
        seen
    }

    #[tokio::test]
    async fn every_item_has_one_result() {
        let results = limits(3, 5).run(0..1000, CancellationToken::new(), |n, mut slots| async move {
            slots.connected().await;
            n * 2
        });
        assert_eq!(indices(results).await, (0..1000).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn limits_hold_and_items_are_taken_lazily() {
        let taken = Arc::new(AtomicUsize::new(0));
        let items = {
            let taken = taken.clone();
            (0..10_000).inspect(move |_| {
                taken.fetch_add(1, Ordering::SeqCst);
            })
        };
        let gate = Arc::new(Semaphore::new(0));
        let (reached, mut reaches) = mpsc::unbounded_channel();
        let work_gate = gate.clone();
        let mut results = limits(4, 8).run(items, CancellationToken::new(), move |_, mut slots| {
            let (gate, reached) = (work_gate.clone(), reached.clone());
            async move {
                slots.connected().await;
                reached.send(()).unwrap();
                gate.acquire().await.unwrap().forget();
            }
        });
        for _ in 0..8 {
            reaches.recv().await.unwrap();
        }
        // eight work, four are connected and wait for a working place, one is next
        tokio::task::yield_now().await;
        assert!(taken.load(Ordering::SeqCst) <= 13, "{}", taken.load(Ordering::SeqCst));
        assert!(reaches.try_recv().is_err());
        gate.add_permits(1);
        results.next().await.unwrap();
        reaches.recv().await.unwrap();
    }

    #[tokio::test]
    async fn a_small_run_is_not_starved_by_a_big_one() {
        let fan_out = limits(2, 2);
        let done = Arc::new(AtomicUsize::new(0));
        let count = done.clone();
        let big = fan_out.run(0..5000, CancellationToken::new(), move |_, mut slots| {
            let count = count.clone();
            async move {
                slots.connected().await;
                tokio::task::yield_now().await;
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        let small = fan_out.run(0..5, CancellationToken::new(), |_, mut slots| async move { slots.connected().await });
        assert_eq!(indices(small).await.len(), 5);
        assert!(done.load(Ordering::SeqCst) < 500, "{}", done.load(Ordering::SeqCst));
        assert_eq!(indices(big).await.len(), 5000);
    }

    #[tokio::test]
    async fn after_a_cancel_nothing_is_started() {
        let cancel = CancellationToken::new();
        let token = cancel.clone();
        let results = limits(1, 1).run(0..100, cancel, move |n, slots| {
            let token = token.clone();
            async move {
                if n == 2 {
                    token.cancel();
                }
                slots.cancel().is_cancelled()
            }
        });
        assert_eq!(indices(results).await, [0, 1, 2]);
    }

    #[tokio::test]
    async fn a_panic_is_one_hosts_result() {
        let mut results = limits(2, 2).run(0..3, CancellationToken::new(), |n, _slots| async move {
            assert!(n != 1, "host {n} is cursed");
        });
        let mut panics = Vec::new();
        while let Some(finished) = results.next().await {
            panics.extend(finished.result.err().map(|p| (finished.index, p.to_string())));
        }
        assert_eq!(panics, [(1, "the work on this host panicked: host 1 is cursed".to_owned())]);
    }

    #[tokio::test]
    async fn dropping_the_results_ends_the_work_and_frees_its_places() {
        let fan_out = limits(1, 1);
        let (reached, mut reaches) = mpsc::unbounded_channel();
        let results = fan_out.run(0..3, CancellationToken::new(), move |_, mut slots| {
            let reached = reached.clone();
            async move {
                slots.connected().await;
                reached.send(()).unwrap();
                std::future::pending::<()>().await;
            }
        });
        reaches.recv().await.unwrap();
        drop(results);
        let after = fan_out.run(0..3, CancellationToken::new(), |_, mut slots| async move { slots.connected().await });
        assert_eq!(indices(after).await.len(), 3);
    }
}
