//! Runs one claimed task to its end.
//!
//! ```text
//!  claimed ──► action ──► every host final ──► succeeded | partial | failed
//!                │  │ └── told to end ───────► cancelled | preempted
//!                │  └──── the manager ends ──► given back: still running, nobody's
//!                │ └───── panic, error ──────► failed
//!                └─────── claim lost ────────► nothing: somebody else has it
//! ```

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use p2ppool_model::task::{Counts, SuccessPolicy, TaskState};
use p2ppool_model::{Outcome, PoolId, TaskId};
use p2ppool_store::{Claimed, StoreError};
use tokio_util::sync::CancellationToken;

use super::{Inner, Recorder, Running, Stop, Why};
use crate::actions::{self, ActionError, End, Run};

/// Is it the first claim of the task?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begins {
    /// It never ran.
    New,
    /// An earlier claim began it.
    Again,
}

pub(super) fn start(inner: &Arc<Inner>, claimed: Claimed, begins: Begins) {
    let (stop, lost) = (Stop::default(), CancellationToken::new());
    if let Some(request) = claimed.task.end_request {
        stop.request(Why::from(request));
    }
    let running = Running { fence: claimed.fence, stop: stop.clone(), lost: lost.clone() };
    inner.running().insert(claimed.task.id, running);
    if inner.closing.is_cancelled() {
        stop.request(Why::Shutdown);
    }
    let inner = Arc::clone(inner);
    inner.work.clone().spawn(async move {
        let (id, fence) = (claimed.task.id, claimed.fence);
        tokio::select! {
            biased;
            () = lost.cancelled() => tracing::warn!(task.id = %id, "lost the claim of a task; leaves it"),
            ended = run(&inner, claimed, begins, stop, lost.clone()) => {
                if let Err(error) = ended {
                    tracing::error!(task.id = %id, %error, "write the end of a task; another claim will");
                }
            }
        }
        forget(&inner, id, fence);
        inner.task_ended();
    });
}

/// Only this claim's entry: the task may run here again already.
fn forget(inner: &Inner, id: TaskId, fence: i64) {
    let mut running = inner.running();
    if running.get(&id).is_some_and(|entry| entry.fence == fence) {
        running.remove(&id);
    }
}

async fn run(
    inner: &Arc<Inner>,
    claimed: Claimed,
    begins: Begins,
    stop: Stop,
    lost: CancellationToken,
) -> Result<(), StoreError> {
    let Claimed { task, fence } = claimed;
    let id = task.id;
    let rows = inner.context.store.all_task_hosts(id).await?;
    let recorder = Recorder::new(task.clone(), fence, rows, inner.writer.clone(), lost);
    let run = Run {
        context: Arc::clone(&inner.context),
        engine: super::Engine(Arc::clone(inner)),
        task,
        recorder: recorder.clone(),
        stop: stop.clone(),
        resumed: begins == Begins::Again,
    };
    let result = AssertUnwindSafe(actions::run(&run)).catch_unwind().await;
    let result = result.unwrap_or_else(|panic| Err(ActionError::Failed(panic_text(panic.as_ref()))));
    inner.writer.flush().await;

    let counts = recorder.counts();
    let policy = success_policy(inner, run.task.pool).await;
    let Some((state, message)) = ending(&result, &counts, stop.why(), policy.as_ref()) else {
        tracing::info!(task.id = %id, "gives a task back");
        return inner.context.store.release_task(id, fence).await;
    };
    recorder.last_words(message);
    let outcome = result.ok().and_then(|end| end.result);
    if let Some(task) = inner.context.store.end_task(&recorder.progress(), state, outcome.as_ref()).await? {
        tracing::info!(task.id = %id, pool = %task.pool_name, action = %task.action, state = state.as_str(), "task ended: {}", task.message);
        inner.tell(&task);
    }
    Ok(())
}

/// How the task's pool measures success; as usual when the pool is gone.
async fn success_policy(inner: &Inner, pool: PoolId) -> Option<SuccessPolicy> {
    match inner.context.store.pool(pool).await {
        Ok(pool) => pool.settings.success,
        Err(StoreError::NotFound { .. }) => None,
        Err(error) => {
            tracing::warn!(%error, "read how a pool measures success");
            None
        }
    }
}

/// The state and the last words of a task; `None`: it goes on later.
fn ending(
    result: &Result<End, ActionError>,
    counts: &Counts,
    why: Option<Why>,
    policy: Option<&SuccessPolicy>,
) -> Option<(TaskState, String)> {
    let unfinished = counts.done() < counts.total() || counts.of(Outcome::Cancelled) > 0;
    let cut = match result {
        Ok(_) => unfinished,
        Err(ActionError::Cut) => true,
        Err(ActionError::Failed(message)) => return Some((TaskState::Failed, message.clone())),
    };
    match (cut, why) {
        (true, Some(Why::Shutdown)) => None,
        (true, Some(Why::Cancel)) => Some((TaskState::Cancelled, format!("cancelled: {}", left_at(counts)))),
        (true, Some(Why::Preempt)) => Some((TaskState::Preempted, format!("made room: {}", left_at(counts)))),
        (true, None) => Some((TaskState::Failed, format!("ended before its work was done: {}", left_at(counts)))),
        (false, _) => {
            let message = result.as_ref().map(|end| end.message.clone()).unwrap_or_default();
            Some((counts.end_state_by(policy), if message.is_empty() { summary(counts) } else { message }))
        }
    }
}

/// "stopped on 197 of 200, 3 unreachable".
fn left_at(counts: &Counts) -> String {
    if counts.total() == 0 {
        return "it was cut before its end".to_owned();
    }
    let unreachable = counts.of(Outcome::Unreachable);
    let quiet = counts.total() - unreachable - counts.of(Outcome::Running);
    let mut text = format!("stopped on {quiet} of {} hosts", counts.total());
    if unreachable > 0 {
        text.push_str(&format!(", {unreachable} unreachable"));
    }
    let right = counts.of(Outcome::Ok) + counts.of(Outcome::Unchanged);
    text.push_str(&format!("; {right} were done"));
    text
}

/// "12 ok, 3 unchanged, 1 unreachable".
fn summary(counts: &Counts) -> String {
    let part = |(outcome, n): (&Outcome, &u64)| format!("{n} {}", outcome.as_str().replace('_', " "));
    let parts: Vec<String> = counts.0.iter().map(part).collect();
    if parts.is_empty() { "done".to_owned() } else { parts.join(", ") }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    format!("the manager has a bug; the task panicked: {text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(pairs: &[(Outcome, u64)]) -> Counts {
        Counts(pairs.iter().copied().collect())
    }

    fn done() -> Result<End, ActionError> {
        Ok(End::default())
    }

    #[test]
    fn a_task_that_was_cut_says_where_it_stopped() {
        let cut = counts(&[
            (Outcome::Ok, 100),
            (Outcome::Cancelled, 7),
            (Outcome::NotStarted, 90),
            (Outcome::Unreachable, 3),
        ]);
        let (state, message) = ending(&done(), &cut, Some(Why::Preempt), None).unwrap();
        assert_eq!(state, TaskState::Preempted);
        assert_eq!(message, "made room: stopped on 197 of 200 hosts, 3 unreachable; 100 were done");
        assert_eq!(ending(&done(), &cut, Some(Why::Cancel), None).unwrap().0, TaskState::Cancelled);
        assert_eq!(ending(&done(), &cut, Some(Why::Shutdown), None), None, "it goes on later");
    }

    #[test]
    fn a_request_that_came_too_late_changes_nothing() {
        let all = counts(&[(Outcome::Ok, 2), (Outcome::Unreachable, 1)]);
        for why in [None, Some(Why::Cancel), Some(Why::Preempt), Some(Why::Shutdown)] {
            assert_eq!(ending(&done(), &all, why, None).unwrap(), (TaskState::Partial, "2 ok, 1 unreachable".into()));
        }
    }

    #[test]
    fn whatever_happens_there_is_a_named_end() {
        let none = Counts::default();
        let failed = Err(ActionError::Failed("no".into()));
        assert_eq!(ending(&failed, &none, None, None).unwrap(), (TaskState::Failed, "no".into()));
        assert_eq!(ending(&Err(ActionError::Cut), &none, None, None).unwrap().0, TaskState::Failed);
        assert_eq!(ending(&Err(ActionError::Cut), &none, Some(Why::Cancel), None).unwrap().0, TaskState::Cancelled);
    }
}
