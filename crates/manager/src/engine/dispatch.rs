//! Claims what may start and starts it.

use std::sync::Arc;

use p2ppool_model::PoolId;
use p2ppool_store::{InLine, Starts, StoreError};

use super::{Inner, queue, runner};

pub(super) async fn run(inner: Arc<Inner>) {
    while !inner.closing.is_cancelled() {
        if let Err(error) = look(&inner).await {
            tracing::error!(%error, "look for tasks to start");
        }
        tokio::select! {
            () = inner.wake.notified() => {}
            () = tokio::time::sleep(inner.pace.look) => {}
            () = inner.closing.cancelled() => {}
        }
    }
}

async fn look(inner: &Arc<Inner>) -> Result<(), StoreError> {
    for pool in inner.context.store.pools_with_queue().await? {
        if inner.closing.is_cancelled() {
            break;
        }
        claim(inner, pool).await?;
    }
    Ok(())
}

async fn claim(inner: &Arc<Inner>, pool: PoolId) -> Result<(), StoreError> {
    let tasks_max = inner.limits().tasks as usize;
    let room = tasks_max.saturating_sub(inner.running().len());
    let store = &inner.context.store;
    let (claimed, changed) =
        store.claim_tasks(pool, &inner.owner, inner.pace.lease, |line| starts(line, room, tasks_max)).await?;
    for task in &changed {
        inner.tell(task);
    }
    for claimed in claimed {
        inner.tell(&claimed.task);
        runner::start(inner, claimed, runner::Begins::New);
    }
    Ok(())
}

/// What the queue says, in the store's words; at most `room` start.
fn starts(line: &[InLine], room: usize, tasks_max: usize) -> Starts {
    let (running, queued) = split(line);
    let mut starts = Starts::default();
    for place in queue::line_up(&running, &queued) {
        match place.waits_for {
            Some(other) => starts.wait.push((place.id, other)),
            None if starts.start.len() < room => starts.start.push(place.id),
            None => starts
                .later
                .push((place.id, format!("waits for room: this manager runs {tasks_max} tasks, the most at once"))),
        }
    }
    starts
}

/// The running tasks and the waiting ones of a line.
pub(super) fn split(line: &[InLine]) -> (Vec<queue::Entry>, Vec<queue::Entry>) {
    let entry = |one: &InLine| queue::Entry { id: one.id, action: one.action, asked: one.asked.clone() };
    let of = |running: bool| line.iter().filter(|one| one.running == running).map(entry).collect();
    (of(true), of(false))
}

#[cfg(test)]
mod tests {
    use p2ppool_model::{Action, TaskId};

    use super::*;

    #[test]
    fn a_task_for_which_there_is_no_room_says_so() {
        let crawl = |id| InLine {
            id: TaskId(id),
            action: Action::Crawl,
            asked: String::new(),
            running: false,
            end_request: None,
        };
        let gather = |id| InLine { action: Action::GatherLogs, ..crawl(id) };
        let starts = starts(&[crawl(1), gather(2), crawl(3)], 1, 64);
        assert_eq!((starts.start, starts.wait), (vec![TaskId(1)], vec![(TaskId(3), TaskId(1))]));
        assert!(matches!(&starts.later[..], [(TaskId(2), why)] if why.contains("64 tasks")));
    }
}
