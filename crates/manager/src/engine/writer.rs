//! Writes what all running tasks record, many rows per transaction, and then tells viewers.
//!
//! A batch is whatever came in while the last one was being written: a lone write is written at
//! once, thousands per second cost a few transactions.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use p2ppool_model::event::Change;
use p2ppool_model::host::HostKnown;
use p2ppool_model::task::TaskHost;
use p2ppool_model::{HostId, TaskId};
use p2ppool_store::{HostWrite, Learnt, StepWrite, TaskBatch};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::Recorder;
use crate::actions::Context;

/// Writes that may wait; who records more waits for the database.
const WAITING_MAX: usize = 8_192;
/// Writes per transaction: at several hundred bytes each it takes some tens of milliseconds.
const BATCH_MAX: usize = 2_000;
/// First and longest pause before a transaction that failed is tried again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

pub(super) enum Write {
    Progress(Recorder),
    Host(Recorder, HostWrite),
    Step(Recorder, StepWrite, Option<oneshot::Sender<()>>),
    Known(HostId, Box<HostKnown>, Learnt),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

/// Where recorders send to. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Write>,
    task: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Writer {
    pub(super) fn start(context: &Arc<Context>) -> Self {
        let (queue, incoming) = mpsc::channel(WAITING_MAX);
        let task = tokio::spawn(run(Arc::clone(context), incoming));
        Self { queue, task: Arc::new(Mutex::new(Some(task))) }
    }

    pub(super) async fn send(&self, write: Write) {
        // gone only after a crash in a test
        let _ = self.queue.send(write).await;
    }

    /// Returns when everything sent before is written.
    pub(super) async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        self.send(Write::Flush(done)).await;
        let _ = flushed.await;
    }

    /// Writes what waits and ends.
    pub(super) async fn close(&self) {
        self.flush().await;
        self.abort();
    }

    pub(super) fn abort(&self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}

async fn run(context: Arc<Context>, mut incoming: mpsc::Receiver<Write>) {
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    while incoming.recv_many(&mut waiting, BATCH_MAX).await > 0 {
        let batch = Batch::of(waiting.drain(..));
        batch.write(&context).await;
    }
}

#[derive(Default)]
struct Batch {
    recorders: HashMap<TaskId, Recorder>,
    rows: TaskBatch,
    known: [Vec<(HostId, HostKnown)>; 2],
    done: Vec<oneshot::Sender<()>>,
}

impl Batch {
    fn of(writes: impl Iterator<Item = Write>) -> Self {
        let mut batch = Self::default();
        for write in writes {
            match write {
                Write::Progress(recorder) => batch.recorder(recorder),
                Write::Host(recorder, row) => {
                    recorder.writes(&row.host);
                    batch.recorder(recorder);
                    batch.rows.hosts.push(row);
                }
                Write::Step(recorder, step, done) => {
                    batch.recorder(recorder);
                    batch.rows.steps.push(step);
                    batch.done.extend(done);
                }
                Write::Known(host, known, Learnt::Some) => batch.known[0].push((host, *known)),
                Write::Known(host, known, Learnt::All) => batch.known[1].push((host, *known)),
                Write::Flush(done) => batch.done.push(done),
            }
        }
        batch.rows.tasks = batch.recorders.values().map(Recorder::progress).collect();
        batch
    }

    fn recorder(&mut self, recorder: Recorder) {
        self.recorders.insert(recorder.task(), recorder);
    }

    async fn write(self, context: &Context) {
        if !self.rows.tasks.is_empty() {
            let lost = persist("write what tasks did", || context.store.write_tasks(&self.rows)).await;
            for task in lost {
                if let Some(recorder) = self.recorders.get(&task) {
                    recorder.lost().cancel();
                }
            }
        }
        for (learnt, hosts) in [Learnt::Some, Learnt::All].into_iter().zip(&self.known) {
            if !hosts.is_empty() {
                persist("write what is known of hosts", || context.store.set_hosts_known(learnt, hosts)).await;
            }
        }
        for done in self.done {
            let _ = done.send(());
        }
        tell(context, &self.recorders, self.rows.hosts);
    }
}

/// Tries until it works: without its database the manager can do nothing better.
async fn persist<T, F: Future<Output = p2ppool_store::Result<T>>>(what: &str, attempt: impl Fn() -> F) -> T {
    let (mut pause, longest) = PAUSES;
    loop {
        match attempt().await {
            Ok(value) => return value,
            Err(error) => tracing::error!(%error, "{what}: will be tried again in {} ms", pause.as_millis()),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(longest);
    }
}

fn tell(context: &Context, recorders: &HashMap<TaskId, Recorder>, hosts: Vec<HostWrite>) {
    let mut by_task: HashMap<TaskId, Vec<TaskHost>> = HashMap::new();
    for write in hosts {
        by_task.entry(write.task).or_default().push(write.host);
    }
    for (id, recorder) in recorders {
        let task = recorder.shown();
        let pool = task.pool_name.clone();
        if let Some(hosts) = by_task.remove(id) {
            context.events.publish(Some(&pool), Change::TaskHosts { task: *id, hosts });
        }
        context.events.publish(Some(&pool), Change::Task { task: Box::new(task) });
    }
}
