//! Tells viewers what changed: a ring of the newest events that any number of readers walk.
//!
//! An event is a hint; the store is the truth. Publishers commit first and publish afterwards. A
//! reader holds only a cursor (the id that it saw last), so a slow one costs nothing: when the ring
//! has moved past its cursor, it is told once to read everything again.
//!
//! Where several managers share a database, what is published goes through it ([`Events::shared`]): the
//! ring is then filled by what is read back, in one order and with the same ids in every manager, so that
//! a viewer may come back to another one.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use p2ppool_model::event::{Change, Event};
use p2ppool_model::task::TaskHost;
use p2ppool_model::{HostId, TaskId, Time};
use p2ppool_store::{NewEvent, Store, StoreError};
use tokio::sync::{mpsc, watch};

/// Most events kept for readers that resume.
const EVENTS_MAX: usize = 4_096;
/// Most task host rows inside the kept events; what bounds the ring's memory, at some 300 bytes each. A task on 10,000 hosts
/// makes 20,000 of them in some seconds: a reader that was away for longer reads everything again.
const ROWS_MAX: usize = 32_768;
/// Events that may wait for the database; what comes then is replaced by the advice to read again.
const OUTBOX_MAX: usize = 4_096;
/// Events per transaction, each with up to a batch of host rows.
const WRITE_MAX: usize = 256;
/// Events per read.
const READ_MAX: u32 = 512;
/// After the database refused.
const WRITE_PAUSE: Duration = Duration::from_secs(1);
/// Ids begin at the start time in milliseconds times this, so that they rise across restarts and
/// stay below 2^53, the largest integer that JavaScript keeps exact.
const IDS_PER_MS: u64 = 1_000;

/// The bus. Cheap to clone; all clones are the same bus.
#[derive(Clone, Debug)]
pub struct Events(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
    /// Where events go first when several managers share the database.
    outbox: Option<mpsc::Sender<NewEvent>>,
    /// Something did not fit into the outbox.
    overflowed: Arc<AtomicBool>,
}

#[derive(Debug)]
struct Ring {
    events: VecDeque<Arc<Event>>,
    rows: usize,
    newest: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self::starting_at(Time::now())
    }
}

impl Events {
    /// An empty bus of a manager that starts at `now`.
    pub fn starting_at(now: Time) -> Self {
        let newest = u64::try_from(now.0).unwrap_or(0).saturating_mul(IDS_PER_MS);
        Self::with(newest, None)
    }

    /// An empty bus whose events go through the database. Something has to be done with what it gives:
    /// [`Outbox::run`] writes, [`Events::catch_up`] reads.
    pub fn shared(begin: u64) -> (Self, Outbox) {
        let (outbox, incoming) = mpsc::channel(OUTBOX_MAX);
        let events = Self::with(begin, Some(outbox));
        let outbox = Outbox { overflowed: Arc::clone(&events.0.overflowed), incoming };
        (events, outbox)
    }

    fn with(newest: u64, outbox: Option<mpsc::Sender<NewEvent>>) -> Self {
        let ring = Mutex::new(Ring { events: VecDeque::new(), rows: 0, newest });
        let newest = watch::Sender::new(newest);
        Self(Arc::new(Inner { ring, newest, outbox, overflowed: Arc::default() }))
    }

    /// Reads what this and other managers published since the last time.
    pub async fn catch_up(&self, store: &Store) -> Result<(), StoreError> {
        loop {
            let events = store.events_after(self.newest(), READ_MAX).await?;
            let Some(last) = events.last().map(|event| event.id) else { return Ok(()) };
            let mut ring = self.ring();
            // another reader may have been faster
            let newest = ring.newest;
            events.into_iter().filter(|event| event.id > newest).for_each(|event| ring.push(event));
            drop(ring);
            self.0.newest.send_replace(last);
        }
    }

    /// Tells everybody. `pool` is the name of the pool it is about. Returns the event's id; of one that
    /// goes through the database, that of the newest before it.
    pub fn publish(&self, pool: Option<&str>, change: Change) -> u64 {
        if let Some(outbox) = &self.0.outbox {
            let event = NewEvent { at: Time::now(), pool: pool.map(str::to_owned), change };
            if outbox.try_send(event).is_err() {
                self.0.overflowed.store(true, Ordering::Relaxed);
            }
            return self.newest();
        }
        let mut ring = self.ring();
        let id = ring.newest + 1;
        ring.push(Event { id, at: Time::now(), pool: pool.map(str::to_owned), change });
        drop(ring);
        self.0.newest.send_replace(id);
        id
    }

    /// The id of the newest event.
    pub fn newest(&self) -> u64 {
        self.ring().newest
    }

    /// A reader that gets what comes after `after`, or only what is new when there is no `after`.
    pub fn subscribe(&self, after: Option<u64>) -> Subscription {
        let news = self.0.newest.subscribe();
        Subscription { events: self.clone(), cursor: after.unwrap_or_else(|| self.newest()), news }
    }

    fn ring(&self) -> std::sync::MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, event: Event) {
        self.newest = event.id;
        self.rows += rows(&event);
        self.events.push_back(Arc::new(event));
        while self.events.len() > EVENTS_MAX || (self.rows > ROWS_MAX && self.events.len() > 1) {
            self.rows -= self.events.pop_front().map_or(0, |gone| rows(&gone));
        }
    }

    /// Everything after `cursor`, or `None` when some of it is gone (or the cursor is not ours).
    fn after(&self, cursor: u64) -> Option<Vec<Arc<Event>>> {
        let oldest = self.events.front().map_or(self.newest + 1, |event| event.id);
        let ours = (oldest - 1..=self.newest).contains(&cursor);
        // ids rise, but a database may leave some out
        ours.then(|| self.events.range(self.events.partition_point(|event| event.id <= cursor)..).cloned().collect())
    }
}

/// What waits to be written for all managers.
#[derive(Debug)]
pub struct Outbox {
    overflowed: Arc<AtomicBool>,
    incoming: mpsc::Receiver<NewEvent>,
}

impl Outbox {
    /// Writes what is published until nobody can publish any more. What can't be written is replaced by the
    /// advice to read everything again.
    pub async fn run(mut self, store: Store) {
        let mut waiting = Vec::with_capacity(WRITE_MAX);
        while self.incoming.recv_many(&mut waiting, WRITE_MAX).await > 0 {
            if self.overflowed.swap(false, Ordering::Relaxed) {
                waiting.push(NewEvent { at: Time::now(), pool: None, change: Change::Reread });
            }
            if let Err(error) = store.append_events(&waiting).await {
                tracing::error!(%error, "tell viewers of all managers");
                self.overflowed.store(true, Ordering::Relaxed);
                tokio::time::sleep(WRITE_PAUSE).await;
            }
            waiting.clear();
        }
    }
}

fn rows(event: &Event) -> usize {
    match &event.change {
        Change::TaskHosts { hosts, .. } => hosts.len(),
        _ => 0,
    }
}

/// A reader of the bus.
#[derive(Debug)]
pub struct Subscription {
    events: Events,
    cursor: u64,
    news: watch::Receiver<u64>,
}

impl Subscription {
    /// Waits until there is something new and returns all of it, coalesced, oldest first. When some
    /// of it is lost, the answer is one [`Change::Reread`].
    pub async fn next(&mut self) -> Vec<Event> {
        loop {
            let batch = self.take();
            if !batch.is_empty() {
                return batch;
            }
            // The sender lives in `self.events`, so it can't be gone.
            let _ = self.news.changed().await;
        }
    }

    /// What is new now, coalesced; may be empty.
    fn take(&mut self) -> Vec<Event> {
        let ring = self.events.ring();
        let newest = ring.newest;
        let batch = ring.after(self.cursor);
        drop(ring);
        self.cursor = newest;
        match batch {
            Some(batch) => coalesce(&batch),
            None => vec![Event { id: newest, at: Time::now(), pool: None, change: Change::Reread }],
        }
    }
}

/// Keeps only the newest state of each task, each host of a task and each pool. A merged event has
/// the id of its newest part, so nothing is lost when a reader resumes in the middle of a batch.
pub fn coalesce(events: &[Arc<Event>]) -> Vec<Event> {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    enum Key {
        Task(TaskId),
        Hosts(TaskId),
        Rollout(TaskId),
        Run(i64),
        Pool(Option<String>),
        Alerts(Option<String>),
        Single(u64),
    }
    let mut newest: BTreeMap<Key, Event> = BTreeMap::new();
    let mut hosts: BTreeMap<TaskId, BTreeMap<HostId, TaskHost>> = BTreeMap::new();
    for event in events {
        let key = match &event.change {
            Change::Task { task } => Key::Task(task.id),
            Change::TaskHosts { task, hosts: rows } => {
                let merged = hosts.entry(*task).or_default();
                merged.extend(rows.iter().map(|row| (row.host, row.clone())));
                Key::Hosts(*task)
            }
            Change::Rollout { rollout } => Key::Rollout(rollout.task),
            Change::WorkflowRun { run, .. } => Key::Run(*run),
            Change::Pool => Key::Pool(event.pool.clone()),
            Change::Alerts => Key::Alerts(event.pool.clone()),
            Change::Crawl { .. } | Change::Reread => Key::Single(event.id),
        };
        newest.insert(key, Event::clone(event));
    }
    let mut merged: Vec<Event> = newest.into_values().collect();
    for event in &mut merged {
        if let Change::TaskHosts { task, hosts: rows } = &mut event.change
            && let Some(all) = hosts.remove(task)
        {
            *rows = all.into_values().collect();
        }
    }
    merged.sort_by_key(|event| event.id);
    merged
}

#[cfg(test)]
mod tests {
    use p2ppool_model::{Outcome, Step};

    use super::*;

    fn row(host: i64, outcome: Outcome) -> TaskHost {
        TaskHost {
            host: HostId(host),
            address: format!("h{host}"),
            outcome,
            step: Some(Step::Receive),
            cause: None,
            message: String::new(),
            attempt: 1,
            duration_ms: None,
            at: None,
        }
    }

    fn hosts(task: i64, rows: Vec<TaskHost>) -> Change {
        Change::TaskHosts { task: TaskId(task), hosts: rows }
    }

    #[tokio::test]
    async fn a_reader_gets_what_comes_after_its_id() {
        let events = Events::default();
        let first = events.publish(Some("a"), Change::Pool);
        events.publish(Some("b"), Change::Pool);
        let mut resumed = events.subscribe(Some(first));
        let batch = resumed.next().await;
        assert_eq!(batch.iter().map(|e| e.pool.as_deref()).collect::<Vec<_>>(), [Some("b")]);

        let mut fresh = events.subscribe(None);
        events.publish(Some("c"), Change::Pool);
        assert_eq!(fresh.next().await[0].pool.as_deref(), Some("c"));
        assert_eq!(resumed.next().await[0].pool.as_deref(), Some("c"));
    }

    #[tokio::test]
    async fn a_reader_that_fell_behind_is_told_to_reread_once() {
        let events = Events::default();
        let mut slow = events.subscribe(None);
        for _ in 0..=EVENTS_MAX {
            events.publish(None, Change::Pool);
        }
        let batch = slow.next().await;
        assert_eq!(batch.len(), 1);
        assert_eq!((batch[0].id, &batch[0].change), (events.newest(), &Change::Reread));
        events.publish(Some("x"), Change::Pool);
        assert_eq!(slow.next().await[0].change, Change::Pool);
    }

    #[tokio::test]
    async fn an_id_of_an_earlier_run_or_from_the_future_means_reread() {
        let before = Events::starting_at(Time(1_000));
        let old = before.publish(None, Change::Pool);
        let now = Events::starting_at(Time(2_000));
        for strange in [old, 0, u64::MAX] {
            let mut reader = now.subscribe(Some(strange));
            assert_eq!(reader.next().await[0].change, Change::Reread, "{strange}");
        }
    }

    #[test]
    fn many_rows_push_old_events_out() {
        let events = Events::default();
        for _ in 0..3 {
            events.publish(None, hosts(1, (0..ROWS_MAX as i64 / 2).map(|i| row(i, Outcome::Ok)).collect()));
        }
        assert_eq!(events.ring().events.len(), 2);
        assert!(events.ring().rows <= ROWS_MAX);
    }

    #[tokio::test]
    async fn updates_of_one_task_are_merged_and_the_newest_wins() {
        let events = Events::default();
        let mut reader = events.subscribe(None);
        events.publish(Some("p"), hosts(1, vec![row(1, Outcome::Running), row(2, Outcome::Running)]));
        events.publish(Some("p"), hosts(2, vec![row(1, Outcome::Ok)]));
        let last = events.publish(Some("p"), hosts(1, vec![row(1, Outcome::Ok)]));
        let batch = reader.next().await;
        assert_eq!(batch.len(), 2);
        assert_eq!(batch[1].id, last);
        assert_eq!(batch[1].change, hosts(1, vec![row(1, Outcome::Ok), row(2, Outcome::Running)]));
    }
}
