//! Is the right package running on every host? Repairs it where it is not; keeps a suspended pool down.

use std::sync::Arc;

use p2ppool_model::pool::{Pool, PoolState};
use serde_json::json;

use super::converge::{Aim, Converge};
use super::fleet::Fleet;
use super::remove::forget_clean_leavers;
use super::usage::Meter;
use super::{ActionError, End, Prepared, Run, deployed};
use crate::local_node;

pub(crate) async fn run(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let context = &run.context;
    if pool.state == PoolState::Suspended {
        let meter = Meter::default();
        let work = Converge { aim: Aim::Down, meter: Some(meter.clone()) };
        Fleet::of(run, &pool).await?.work(run, work).await;
        meter.keep(context, &pool).await;
        forget_clean_leavers(run, &pool).await?;
        return Ok(End::default());
    }
    let digest = pool.bundle.as_ref().ok_or_else(|| ActionError::Failed("the pool was never installed".into()))?;
    let bundle = context.store.bundle(digest).await?;
    let prepared = Arc::new(Prepared::of(context, &pool, &bundle).await?);
    if pool.package.as_ref() != Some(&prepared.package.digest) {
        // settings were edited since: a check repairs what should be, so this is what should be now
        deployed::set(context, &pool, digest, &prepared.package.digest).await?;
    }
    let local = local_node::bring(run, &prepared, true).await;
    let meter = Meter::default();
    let work = Converge { aim: Aim::Running(prepared), meter: Some(meter.clone()) };
    Fleet::of(run, &pool).await?.work(run, work).await;
    meter.keep(context, &pool).await;
    forget_clean_leavers(run, &pool).await?;
    Ok(End { message: String::new(), result: Some(json!({ "local_node": local })) })
}
