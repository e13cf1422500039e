//! Looks whether anything is wrong: after each crawl and task, and every now and then.

use std::collections::HashSet;
use std::sync::Arc;

use p2ppool_model::alert::watch::{self, Known};
use p2ppool_model::alert::{AlertRule, CRAWLS_MAX, lifecycle};
use p2ppool_model::event::Change;
use p2ppool_model::{HostId, PoolId, Time};
use p2ppool_store::{Page, SnapshotRange, StoreError, TaskFilter};

use super::Inner;
use crate::actions::access;
use crate::service::keys;

/// Ended tasks looked at: the newest of each action is among them.
const TASKS_MAX: u32 = 200;

pub(super) async fn run(inner: Arc<Inner>) {
    let mut events = inner.events.subscribe(None);
    loop {
        if let Err(error) = look(&inner).await {
            tracing::error!(%error, "look for what is wrong");
        }
        let news = async { while !events.next().await.iter().any(|event| tells_something(&event.change)) {} };
        tokio::select! {
            () = news => {}
            () = inner.look.notified() => {}
            () = tokio::time::sleep(inner.pace.look) => {}
            () = inner.closing.cancelled() => return,
        }
    }
}

fn tells_something(change: &Change) -> bool {
    match change {
        Change::Task { task } => task.state.is_final(),
        Change::Crawl { .. } | Change::Pool | Change::Reread => true,
        _ => false,
    }
}

/// One look at every rule, unless another manager does that.
async fn look(inner: &Inner) -> Result<(), StoreError> {
    let store = &inner.store;
    let rules: Vec<AlertRule> = store.alert_rules(None).await?.into_iter().filter(|rule| rule.enabled).collect();
    if rules.is_empty() {
        return Ok(());
    }
    let lease = i64::try_from(inner.pace.lease.as_millis()).unwrap_or(i64::MAX);
    if !store.hold_lease("alerts", &inner.owner, lease).await? {
        return Ok(());
    }
    let pools: Vec<PoolId> = rules.iter().map(|rule| rule.pool).collect::<HashSet<_>>().into_iter().collect();
    let mut changed = 0;
    for pool in pools {
        let of_pool: Vec<&AlertRule> = rules.iter().filter(|rule| rule.pool == pool).collect();
        match look_at(inner, pool, &of_pool).await {
            Ok(count) => changed += count,
            Err(StoreError::NotFound { .. }) => {}
            Err(error) => tracing::error!(pool.id = %pool, %error, "look for what is wrong with a pool"),
        }
    }
    if changed > 0 {
        inner.send.notify_one();
    }
    Ok(())
}

async fn look_at(inner: &Inner, id: PoolId, rules: &[&AlertRule]) -> Result<u64, StoreError> {
    let store = &inner.store;
    let pool = store.pool(id).await?;
    let hosts = store.pool_hosts(id).await?;
    let crawls = store.snapshots(id, SnapshotRange::default(), CRAWLS_MAX).await?;
    let filter = TaskFilter { pool: Some(id), ..TaskFilter::default() };
    let tasks = store.tasks(&filter, Page::first(TASKS_MAX)).await?.items;
    let tasks: Vec<_> = tasks.into_iter().filter(|task| task.state.is_final()).collect();
    let shown = keys::all_shown(store).await?;
    // behind a jump host whose key changed, no host can be trusted
    let jumps = access::settings(store, &pool).await?.jumps;
    let way_changed = jumps.iter().any(|jump| shown.contains(&jump.key()));
    let keys_changed: HashSet<HostId> =
        hosts.iter().filter(|host| way_changed || shown.contains(&host.spec.key())).map(|host| host.id).collect();
    let known = Known { pool: &pool, hosts: &hosts, crawls: &crawls, tasks: &tasks, keys_changed: &keys_changed };
    let mut changed = 0;
    for rule in rules {
        let now = Time::now();
        let found = watch::findings(&rule.condition, &known, now);
        let alive = store.alive_alerts(rule.id).await?;
        let decisions = lifecycle::decide(&alive, found, rule.condition.hold(), now);
        if !decisions.is_empty() {
            changed += store.apply_decisions(rule, &pool, &decisions, now).await?;
            inner.events.publish(Some(pool.name.as_str()), Change::Alerts);
        }
    }
    Ok(changed)
}
