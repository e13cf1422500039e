//! What a running task knows of its hosts, and how it gets written.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p2ppool_model::host::HostKnown;
use p2ppool_model::task::{Counts, Task, TaskHost};
use p2ppool_model::{HostId, Outcome, Step, TaskId, Time};
use p2ppool_store::{HostWrite, StepResult, StepWrite, TaskProgress};
use tokio_util::sync::CancellationToken;

use super::writer::{Write, Writer};

/// The record of one claim of a task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Inner>);

struct Inner {
    task: TaskId,
    fence: i64,
    state: Mutex<State>,
    steps: AtomicU32,
    writer: Writer,
    lost: CancellationToken,
}

struct State {
    /// As viewers may see it: its counts are those of what was given to the database.
    task: Task,
    /// What was given to the database.
    written: HashMap<HostId, Outcome>,
    /// As it is now.
    rows: HashMap<HostId, TaskHost>,
}

impl Recorder {
    pub(super) fn new(task: Task, fence: i64, rows: Vec<TaskHost>, writer: Writer, lost: CancellationToken) -> Self {
        let id = task.id;
        let rows: HashMap<HostId, TaskHost> = rows.into_iter().map(|row| (row.host, row)).collect();
        let written = rows.values().map(|row| (row.host, row.outcome)).collect();
        let mut state = State { task, written, rows };
        state.task.counts = count(state.rows.values());
        Self(Arc::new(Inner { task: id, fence, state: Mutex::new(state), steps: AtomicU32::new(0), writer, lost }))
    }

    pub(crate) fn task(&self) -> TaskId {
        self.0.task
    }

    /// The claim, to be named with what is written beside the task.
    pub(crate) fn fence(&self) -> i64 {
        self.0.fence
    }

    pub(crate) fn lost(&self) -> &CancellationToken {
        &self.0.lost
    }

    /// Hosts of the task, in no special order.
    pub(crate) fn rows(&self) -> Vec<TaskHost> {
        self.state().rows.values().cloned().collect()
    }

    /// Hosts by outcome, as it is now.
    pub(crate) fn counts(&self) -> Counts {
        count(self.state().rows.values())
    }

    /// The task as viewers should see it.
    pub(crate) fn shown(&self) -> Task {
        self.state().task.clone()
    }

    pub(crate) fn progress(&self) -> TaskProgress {
        let state = self.state();
        TaskProgress {
            task: self.0.task,
            fence: self.0.fence,
            counts: state.task.counts.clone(),
            message: state.task.message.clone(),
        }
    }

    /// What the task is doing, as a sentence.
    pub(crate) async fn say(&self, message: impl Into<String>) {
        self.state().task.message = message.into();
        self.0.writer.send(Write::Progress(self.clone())).await;
    }

    /// The message with which the task ends; written with its end.
    pub(crate) fn last_words(&self, message: String) {
        self.state().task.message = message;
    }

    /// A host is now so.
    pub(crate) async fn host(&self, mut row: TaskHost, output: Option<String>) {
        row.at = Some(Time::now());
        self.state().rows.insert(row.host, row.clone());
        let output = output.filter(|text| !text.is_empty());
        let write = HostWrite { task: self.0.task, host: row, output };
        self.0.writer.send(Write::Host(self.clone(), write)).await;
    }

    /// The writer is about to write this row: from now on it counts.
    pub(super) fn writes(&self, row: &TaskHost) {
        let mut state = self.state();
        let before = state.written.insert(row.host, row.outcome);
        let counts = &mut state.task.counts.0;
        if let Some(before) = before
            && let Some(n) = counts.get_mut(&before)
        {
            *n -= 1;
            if *n == 0 {
                counts.remove(&before);
            }
        }
        *counts.entry(row.outcome).or_default() += 1;
    }

    /// What was learnt of a host on the way.
    pub(crate) async fn known(&self, host: HostId, known: HostKnown, all: p2ppool_store::Learnt) {
        self.0.writer.send(Write::Known(host, Box::new(known), all)).await;
    }

    /// Notes in the journal that a step that changes something begins; returns when that is durable.
    pub(crate) async fn step_begins(&self, host: HostId, step: Step) -> u32 {
        let number = self.0.steps.fetch_add(1, Ordering::Relaxed);
        self.journal(host, number, step, None, Wait::Durable).await;
        number
    }

    /// Notes how it ended.
    pub(crate) async fn step_ended(&self, host: HostId, number: u32, step: Step, result: StepResult) {
        self.journal(host, number, step, Some(result), Wait::Sent).await;
    }

    async fn journal(&self, host: HostId, number: u32, step: Step, result: Option<StepResult>, wait: Wait) {
        let write = StepWrite { task: self.0.task, fence: self.0.fence, host, number, step, result };
        match wait {
            Wait::Sent => self.0.writer.send(Write::Step(self.clone(), write, None)).await,
            Wait::Durable => {
                let (done, written) = tokio::sync::oneshot::channel();
                self.0.writer.send(Write::Step(self.clone(), write, Some(done))).await;
                // an error means that the writer is gone, and the manager with it
                let _ = written.await;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Wait {
    Sent,
    Durable,
}

fn count<'a>(rows: impl Iterator<Item = &'a TaskHost>) -> Counts {
    let mut counts = std::collections::BTreeMap::<Outcome, u64>::new();
    for row in rows {
        *counts.entry(row.outcome).or_default() += 1;
    }
    Counts(counts)
}
