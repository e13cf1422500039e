//! Suspend and resume: every node down, every node up again; files and history stay.

use std::sync::Arc;

use p2ppool_model::pool::{Pool, PoolState};

use super::converge::{Aim, Converge};
use super::fleet::Fleet;
use super::{ActionError, End, Prepared, Run, deployed, pool_changed};
use crate::local_node;

pub(crate) async fn suspend(run: &Run, pool: Pool) -> Result<End, ActionError> {
    // first of all: a check that comes next must keep it down
    run.context.store.set_pool_state(pool.id, PoolState::Suspended).await?;
    pool_changed(&run.context, &pool);
    Fleet::of(run, &pool).await?.work(run, Converge { aim: Aim::Down, meter: None }).await;
    local_node::down(&run.context, &pool).await;
    Ok(End::default())
}

pub(crate) async fn resume(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let context = &run.context;
    let digest = pool.bundle.as_ref().ok_or_else(|| ActionError::Failed("the pool was never installed".into()))?;
    let bundle = context.store.bundle(digest).await?;
    let prepared = Arc::new(Prepared::of(context, &pool, &bundle).await?);
    deployed::set(context, &pool, digest, &prepared.package.digest).await?;
    context.store.set_pool_state(pool.id, PoolState::Running).await?;
    pool_changed(context, &pool);
    let local = local_node::bring(run, &prepared, true).await;
    Fleet::of(run, &pool).await?.work(run, Converge { aim: Aim::Running(prepared), meter: None }).await;
    Ok(End { message: String::new(), result: Some(serde_json::json!({ "local_node": local })) })
}
