//! A pool's local node runs on one manager: whoever holds its lease. When that one dies, another takes it.
//!
//! Every manager looks at the leases of the dead, and at what runs on its own machine without being its own
//! (any more) or although its pool was suspended or stopped by another manager.

use std::collections::HashMap;
use std::sync::Arc;

use p2ppool_model::PoolId;
use p2ppool_model::pool::{Pool, PoolState};
use p2ppool_store::StoreError;

use super::Inner;
use crate::local_node;

/// What was made of a pool's local node here, so that nothing is done twice.
type Settled = HashMap<PoolId, Wanted>;

/// How a local node should be on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Up,
    Down,
}

pub(super) async fn run(inner: Arc<Inner>) {
    // on SQLite there is nobody else
    if !inner.context.store.is_shared() {
        return;
    }
    let mut settled = Settled::new();
    while !inner.closing.is_cancelled() {
        if let Err(error) = look(&inner, &mut settled).await {
            tracing::error!(%error, "look after local nodes");
        }
        tokio::select! {
            () = tokio::time::sleep(inner.pace.heartbeat) => {}
            () = inner.closing.cancelled() => {}
        }
    }
}

async fn look(inner: &Arc<Inner>, settled: &mut Settled) -> Result<(), StoreError> {
    let store = &inner.context.store;
    for pool in store.lost_local_nodes().await? {
        match store.pool(pool).await {
            Ok(pool) if pool.state == PoolState::Running => take(inner, &pool, settled).await?,
            Ok(_) => {}
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for pool in store.pools().await? {
        if local_node::is_here(&inner.context, &pool) {
            leave(inner, &pool, settled).await?;
        }
    }
    Ok(())
}

/// Takes a node whose manager is dead, unless somebody else was faster.
async fn take(inner: &Arc<Inner>, pool: &Pool, settled: &mut Settled) -> Result<(), StoreError> {
    let address = local_node::address_for(&inner.context, pool).await?;
    let held = inner.context.store.hold_local_node(pool.id, &inner.owner, &address, inner.pace.lease).await?;
    if held.owner != inner.owner {
        return Ok(());
    }
    tracing::info!(pool = %pool.name, "the local node's manager is dead; it moves here");
    match local_node::restore(&inner.context, pool).await {
        Ok(state) if state.running => {
            settled.insert(pool.id, Wanted::Up);
        }
        Ok(state) => {
            tracing::warn!(pool = %pool.name, "move the local node here: {}", state.problem.unwrap_or_default())
        }
        Err(error) => tracing::warn!(pool = %pool.name, "move the local node here: {error}"),
    }
    Ok(())
}

/// Ends a node that should not run on this machine.
async fn leave(inner: &Arc<Inner>, pool: &Pool, settled: &mut Settled) -> Result<(), StoreError> {
    let held = inner.context.store.local_node_owner(pool.id).await?;
    let ours = held.is_none_or(|held| held.owner == inner.owner);
    let wanted = if ours && pool.state == PoolState::Running { Wanted::Up } else { Wanted::Down };
    if settled.get(&pool.id) == Some(&wanted) {
        return Ok(());
    }
    // a task of this manager may be bringing it up: it is looked at when the task is over
    if inner.context.store.open_tasks(Some(pool.id)).await?.iter().any(|task| inner.running().contains_key(&task.id)) {
        return Ok(());
    }
    if wanted == Wanted::Down {
        local_node::down(&inner.context, pool).await;
    }
    settled.insert(pool.id, wanted);
    Ok(())
}
