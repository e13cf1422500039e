//! Measures hosts and their nodes, and keeps what was measured.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use p2ppool_model::host::HostKnown;
use p2ppool_model::pool::Pool;
use p2ppool_model::snapshot::Node;
use p2ppool_model::usage::{Usage, UsageSample};
use p2ppool_model::{Step, Time};
use p2ppool_remote::HostSession;
use p2ppool_store::StoreError;

use super::Context;
use super::fleet::{Halt, Visit};

/// How long samples of single hosts are kept. Sums of the whole pool are kept for ever.
const HOSTS_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// Collects what one task measures, one sample a host. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter(Arc<Mutex<Vec<UsageSample>>>);

impl Meter {
    /// Memory, CPU, load, disk and uptime of the host and its node.
    pub(crate) async fn measure(&self, visit: &mut Visit, session: &mut HostSession) -> Result<(), Halt> {
        visit.step(Step::Usage).await?;
        let usage = session.usage().await?;
        let known = &mut visit.known;
        known.memory_total = usage.memory_total;
        known.memory_available = usage.memory_available;
        known.load = usage.load;
        known.disk_free = usage.disk_free;
        known.uptime_s = usage.uptime_s;
        if let Some(node) = usage.node {
            known.node_memory = node.rss;
            known.node_cpu_s = node.cpu_s;
            known.node_uptime_s = node.uptime_s;
        }
        let usage = Usage::of(&visit.host.known, known);
        self.add(UsageSample { host: visit.host.id, at: Time::now(), usage });
        Ok(())
    }

    fn add(&self, sample: UsageSample) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sample);
    }

    /// Writes what was measured, and forgets what is too old. That it can't be written costs the task nothing.
    pub(crate) async fn keep(self, context: &Context, pool: &Pool) {
        let samples = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let kept = async {
            context.store.add_usage(pool.id, &samples).await?;
            context.store.prune_usage(Time::now().minus(HOSTS_KEPT)).await
        };
        if let Err(error) = kept.await {
            tracing::warn!(pool.id = %pool.id, %error, "keep what {} hosts used", samples.len());
        }
    }
}

/// What the nodes of a crawl say of themselves and their hosts; only those that run on hosts of the pool.
pub(crate) async fn keep_told(context: &Context, pool: &Pool, nodes: &[Node]) -> Result<(), StoreError> {
    let meter = Meter::default();
    let hosts = context.store.pool_hosts(pool.id).await?;
    let before: std::collections::HashMap<_, _> = hosts.iter().map(|host| (host.id, &host.known)).collect();
    for node in nodes {
        let Some((host, before)) = node.host.and_then(|id| Some((id, before.get(&id)?))) else { continue };
        let told = HostKnown {
            node_memory: node.memory,
            node_cpu_s: node.cpu_s,
            node_uptime_s: node.uptime_s,
            load: node.load,
            ..HostKnown::default()
        };
        meter.add(UsageSample { host, at: Time::now(), usage: Usage::of(before, &told) });
    }
    meter.keep(context, pool).await;
    Ok(())
}
