//! Keeps this manager's claims good, hears requests to end, and takes over what nobody runs.

use std::sync::Arc;

use p2ppool_store::StoreError;

use super::{Inner, Why, runner, share};

pub(super) async fn run(inner: Arc<Inner>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(inner.pace.heartbeat) => {}
            () = inner.beat.notified() => {}
            () = inner.closing.cancelled() => return keep_until_done(&inner).await,
        }
        if let Err(error) = beat(&inner).await {
            tracing::error!(%error, "prolong this manager's claims");
            continue;
        }
        if let Err(error) = share::look(&inner).await {
            tracing::error!(%error, "look for this manager's share of what all do at once");
        }
        if let Err(error) = take_over(&inner, Whose::Nobodys).await {
            tracing::error!(%error, "look for tasks that nobody runs");
        }
    }
}

/// While steps come to their end, the claims stay ours.
async fn keep_until_done(inner: &Arc<Inner>) {
    while !inner.running().is_empty() {
        if let Err(error) = beat(inner).await {
            tracing::error!(%error, "prolong this manager's claims");
        }
        tokio::select! {
            () = tokio::time::sleep(inner.pace.heartbeat) => {}
            () = inner.work.wait() => {}
        }
    }
}

async fn beat(inner: &Arc<Inner>) -> Result<(), StoreError> {
    let about = inner.about();
    inner.context.store.beat_manager(&about, inner.pace.lease).await?;
    let mine: Vec<_> = inner.running().iter().map(|(id, running)| (*id, running.fence)).collect();
    let held = inner.context.store.heartbeat_tasks(&inner.owner, inner.pace.lease).await?;
    let running = inner.running();
    for (id, fence) in mine {
        // one that ended in between is not there any more
        let Some(here) = running.get(&id) else { continue };
        match held.iter().find(|held| held.task == id && held.fence == fence) {
            None => here.lost.cancel(),
            Some(held) => {
                if let Some(request) = held.end_request {
                    here.stop.request(Why::from(request));
                }
            }
        }
    }
    Ok(())
}

/// Whose running tasks are taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// Those whose lease is over or was given back.
    Nobodys,
    /// Also those of an earlier run of this manager: at its start.
    AlsoOwn,
}

pub(super) async fn take_over(inner: &Arc<Inner>, whose: Whose) -> Result<(), StoreError> {
    let own_too = whose == Whose::AlsoOwn;
    let claimed = inner.context.store.take_over_tasks(&inner.owner, inner.pace.lease, own_too).await?;
    for claimed in claimed {
        // this manager's own, when its lease ran out while the database was busy: the old run was fenced off
        if let Some(running) = inner.running().remove(&claimed.task.id) {
            running.lost.cancel();
        }
        tracing::info!(task.id = %claimed.task.id, pool = %claimed.task.pool_name, "goes on with a task");
        runner::start(inner, claimed, runner::Begins::Again);
    }
    Ok(())
}
