//! Install and upgrade: the pool's package on every host, running; what left the list goes.

use std::sync::Arc;

use p2ppool_model::bundle::Bundle;
use p2ppool_model::pool::{Pool, PoolState};
use p2ppool_model::{Action, Digest, Outcome};
use serde_json::json;

use super::converge::{Aim, Converge};
use super::fleet::Fleet;
use super::params::{self, CrawlParams, UpgradeTaskParams};
use super::remove::forget_clean_leavers;
use super::{ActionError, End, Prepared, Run, deployed, pool_changed, rolling};
use crate::bundles::BUILTIN_NAME;
use crate::engine::{Ask, Why};
use crate::{local_node, workflow};

pub(crate) async fn run(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let context = &run.context;
    let params: UpgradeTaskParams = params::of(&run.task.params);
    if params.rolling.is_some() {
        return Box::pin(rolling::run(run, pool)).await;
    }
    run.recorder.say("building the package").await;
    let bundle = bundle_for(run, &pool, params.bundle.as_ref()).await?;
    let prepared = Arc::new(Prepared::of(context, &pool, &bundle).await?);
    let digest = prepared.package.digest.clone();
    deployed::set(context, &pool, &bundle.digest, &digest).await?;
    let suspended = pool.state == PoolState::Suspended && run.task.action == Action::Upgrade;
    if !suspended {
        context.store.set_pool_state(pool.id, PoolState::Running).await?;
    }
    pool_changed(context, &pool);

    let aim = if suspended { Aim::Installed(Arc::clone(&prepared)) } else { Aim::Running(Arc::clone(&prepared)) };
    run.recorder.say("preparing the local node").await;
    let local = local_node::bring(run, &prepared, !suspended).await;
    run.recorder.say(format!("deploying package {}", digest.short())).await;
    Fleet::of(run, &pool).await?.work(run, Converge { aim, meter: None }).await;
    forget_clean_leavers(run, &pool).await?;

    let counts = run.recorder.counts();
    let right = counts.of(Outcome::Ok) + counts.of(Outcome::Unchanged);
    if right == 0 && counts.total() > 0 && !suspended {
        not_installed_anywhere(run, &pool).await?;
    }
    if right > 0 && !suspended && !run.stop.is_requested() {
        workflow_afterwards(run, &pool).await;
        crawl_afterwards(run, pool).await;
    }
    Ok(End {
        message: String::new(),
        result: Some(json!({ "package": digest, "bundle": bundle.digest, "local_node": local })),
    })
}

/// A pool that is on no host does not run, whatever was tried.
async fn not_installed_anywhere(run: &Run, pool: &Pool) -> Result<(), ActionError> {
    let context = &run.context;
    let hosts = context.store.pool_hosts(pool.id).await?;
    if run.stop.why() == Some(Why::Shutdown) || hosts.iter().any(|host| host.known.package.is_some()) {
        return Ok(());
    }
    context.store.set_pool_state(pool.id, PoolState::Created).await?;
    local_node::down(context, pool).await;
    pool_changed(context, pool);
    Ok(())
}

/// The bundle that was asked for, else the pool's, else the built-in one. The built-in one is always
/// that of this manager, so that an upgraded manager brings its own p2pnode.
pub(super) async fn bundle_for(run: &Run, pool: &Pool, asked: Option<&Digest>) -> Result<Bundle, ActionError> {
    let context = &run.context;
    let bundle = match asked.or(pool.bundle.as_ref()) {
        Some(digest) => Some(context.store.bundle(digest).await?),
        None => None,
    };
    let bundle = match bundle.filter(|bundle| bundle.name != BUILTIN_NAME) {
        Some(bundle) => bundle,
        None => context.bundles.register_builtin().await.map_err(|error| ActionError::Failed(error.to_string()))?,
    };
    if bundle.kind != pool.settings.kind {
        let (is, wants) = (bundle.kind.as_str(), pool.settings.kind.as_str());
        return Err(ActionError::Failed(format!("bundle {} is for {is} pools, this is a {wants} pool", bundle.name)));
    }
    Ok(bundle)
}

/// The workflow that the pool's settings name for after an install.
async fn workflow_afterwards(run: &Run, pool: &Pool) {
    let Some(name) = pool.settings.after_install.as_deref().filter(|_| run.task.action == Action::Install) else {
        return;
    };
    // a claim that does this again finds the run by its starter
    let started_by = format!("install #{}", run.task.id);
    if let Err(error) = workflow::start(&run.context, name, pool, &started_by, workflow::Times::Once).await {
        tracing::warn!(task.id = %run.task.id, %error, "start the workflow `{name}` after the install");
    }
}

/// Seen in the overlay is the last part of the proof.
pub(super) async fn crawl_afterwards(run: &Run, pool: Pool) {
    let started_by = format!("{} #{}", run.task.action, run.task.id);
    let pool = Pool { state: PoolState::Running, ..pool };
    // nodes that have just started don't know each other yet
    let params = json!(CrawlParams { settle: true });
    let ask = Ask { pool, action: Action::Crawl, params, started_by };
    // boxed: a request may lead to a run, which may lead to a request
    if let Err(error) = Box::pin(run.engine.request(ask)).await {
        tracing::warn!(task.id = %run.task.id, %error, "ask for a crawl afterwards");
    }
}
