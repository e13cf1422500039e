//! Stop and uninstall check: everything off every host; when all are clean, the pool itself goes.

use std::collections::HashSet;

use p2ppool_model::HostId;
use p2ppool_model::host::Host;
use p2ppool_model::pool::{Pool, PoolState};
use serde_json::json;

use super::converge::{Aim, Converge};
use super::fleet::Fleet;
use super::params::{self, StopParams};
use super::{ActionError, Context, End, Run, deployed, pool_changed};
use crate::local_node;

/// Where it is kept that a pool stays when its hosts are clean.
fn keep_setting(pool: &Pool) -> String {
    format!("pool/{}/keep", pool.id)
}

pub(crate) async fn stop(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let context = &run.context;
    let params: StopParams = params::of(&run.task.params);
    context.store.set_pool_state(pool.id, PoolState::Uninstalling).await?;
    context.store.set_setting(&keep_setting(&pool), &params.keep, p2ppool_model::Time::now()).await?;
    pool_changed(context, &pool);
    local_node::remove(context, &pool).await;
    clean(run, &pool).await?;
    finish(run, pool, params.forget).await
}

pub(crate) async fn uninstall_check(run: &Run, pool: Pool) -> Result<End, ActionError> {
    if pool.state == PoolState::Uninstalling {
        local_node::remove(&run.context, &pool).await;
    }
    clean(run, &pool).await?;
    finish(run, pool, false).await
}

async fn clean(run: &Run, pool: &Pool) -> Result<(), ActionError> {
    Fleet::of(run, pool).await?.work(run, Converge { aim: Aim::Gone, meter: None }).await;
    forget_clean_leavers(run, pool).await
}

/// When every host is clean, the pool goes; when one is not, the uninstall check tries again.
async fn finish(run: &Run, pool: Pool, forget: bool) -> Result<End, ActionError> {
    let context = &run.context;
    let clean: HashSet<HostId> = right_hosts(run);
    let hosts = context.store.pool_hosts(pool.id).await?;
    let left = hosts.iter().filter(|host| !clean.contains(&host.id) && !is_clean(host)).count();
    if pool.state != PoolState::Uninstalling && run.task.action != p2ppool_model::Action::Stop {
        // an uninstall check of a living pool: only hosts that left its list were cleaned
        return Ok(End { message: String::new(), result: Some(json!({ "left": left })) });
    }
    if run.stop.is_requested() && left > 0 {
        return Ok(End::default());
    }
    if left > 0 && !forget {
        let message =
            format!("{left} of {} hosts are not clean yet; the uninstall check tries them again", hosts.len());
        return Ok(End { message, result: Some(json!({ "left": left })) });
    }
    let keep: bool = context.store.setting(&keep_setting(&pool)).await?.unwrap_or(false);
    if keep {
        context.store.set_pool_state(pool.id, PoolState::Created).await?;
        pool_changed(context, &pool);
        return Ok(End {
            message: "every host is clean; the pool is kept".into(),
            result: Some(json!({ "left": left })),
        });
    }
    delete_pool(context, &pool).await?;
    let message = if left > 0 { format!("{left} hosts keep what they have") } else { "every host is clean".to_owned() };
    Ok(End { message: format!("{message}; the pool is gone"), result: Some(json!({ "left": left })) })
}

/// The pool, its files here, its secrets and its schedules; its tasks stay as history.
async fn delete_pool(context: &Context, pool: &Pool) -> Result<(), ActionError> {
    for folder in [context.folders.public(&pool.name), context.folders.private(&pool.name)] {
        if let Err(error) = tokio::fs::remove_dir_all(&folder).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            return Err(ActionError::Failed(format!("delete {}: {error}", folder.display())));
        }
    }
    let prefix = crate::files::public_path(&pool.name, "");
    let deleted = context.files.delete(&prefix).await;
    deleted.map_err(|error| ActionError::Failed(format!("delete the pool's shared files: {error:#}")))?;
    context.store.delete_setting(&keep_setting(pool)).await?;
    context.store.delete_setting(&deployed::setting(pool)).await?;
    context.store.delete_setting(&local_node::ports_setting(pool)).await?;
    context.store.delete_setting(&local_node::state_setting(pool)).await?;
    context.store.delete_pool(pool.id).await?;
    pool_changed(context, pool);
    Ok(())
}

/// An earlier task found nothing of ours there, or left nothing.
fn is_clean(host: &Host) -> bool {
    let known = &host.known;
    known.reachable == Some(true) && known.package.is_none() && known.running != Some(true)
}

fn right_hosts(run: &Run) -> HashSet<HostId> {
    run.recorder.rows().into_iter().filter(|row| row.outcome.is_right()).map(|row| row.host).collect()
}

/// Hosts that left the list and were cleaned by this task are forgotten.
pub(crate) async fn forget_clean_leavers(run: &Run, pool: &Pool) -> Result<(), ActionError> {
    let clean = right_hosts(run);
    let hosts = run.context.store.pool_hosts(pool.id).await?;
    let gone: Vec<HostId> =
        hosts.into_iter().filter(|host| host.leaving && clean.contains(&host.id)).map(|host| host.id).collect();
    if !gone.is_empty() {
        run.context.store.delete_hosts(&gone).await?;
    }
    Ok(())
}
