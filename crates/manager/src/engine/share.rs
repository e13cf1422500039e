//! Keeps to this manager's share of the limits over all managers.

use std::time::{Duration, Instant};

use p2ppool_model::Time;
use p2ppool_store::StoreError;

use super::{Colleague, Engine, Inner};
use crate::all_limits::{AllLimits, SETTING};
use crate::limits::ManagerLimits;

/// Divides the limits over all among the living ones.
pub(super) fn divide(all: &AllLimits, managers: &mut [Colleague]) {
    let wishes: Vec<ManagerLimits> = managers.iter().filter(|one| one.is_alive).map(|one| one.share).collect();
    let living = managers.iter_mut().filter(|one| one.is_alive);
    for (one, share) in living.zip(all.shares(&wishes)) {
        one.share = share;
    }
}

/// Works out this manager's share, and keeps to it.
pub(super) async fn look(inner: &Inner) -> Result<(), StoreError> {
    let store = &inner.context.store;
    let all: AllLimits = store.setting(SETTING).await?.unwrap_or_default();
    let mut managers = inner.colleagues(store.managers().await?);
    divide(&all, &mut managers);
    let mine = managers.iter().find(|one| one.is_this).map_or(inner.pace.limits, |one| one.share);
    let others = managers.iter().any(|one| one.is_alive && !one.is_this);
    let nobody_else = !others || all == AllLimits::default();
    let changed = inner.share.send_if_modified(|share| {
        let before = share.now();
        share.look(mine, nobody_else, Instant::now(), inner.pace.lease);
        share.now() != before
    });
    let now = inner.limits();
    inner.context.fan_out.set_limits(now.of_hosts());
    if changed {
        // there may be room for another task
        inner.wake.notify_one();
        tracing::info!(?now, "what this manager does at once");
    }
    Ok(())
}

impl Inner {
    /// How much this manager does at once now.
    pub(super) fn limits(&self) -> ManagerLimits {
        self.share.borrow().now()
    }
}

impl Engine {
    /// Limits over all managers that share the database.
    ///
    /// # Errors
    /// When the database can't be asked.
    pub async fn all_limits(&self) -> Result<AllLimits, StoreError> {
        Ok(self.0.context.store.setting(SETTING).await?.unwrap_or_default())
    }

    /// Sets them. This manager keeps to them at once, the others from their next heartbeat on.
    ///
    /// # Errors
    /// When the database can't be written.
    pub async fn set_all_limits(&self, limits: &AllLimits) -> Result<(), StoreError> {
        self.0.context.store.set_setting(SETTING, limits, Time::now()).await?;
        look(&self.0).await
    }

    /// How much this manager does at once, when it is as wanted; waits for it, so long at most.
    #[doc(hidden)]
    pub async fn limits_are(&self, patience: Duration, wanted: impl Fn(&ManagerLimits) -> bool) -> ManagerLimits {
        let mut share = self.0.share.subscribe();
        // what it is then is told, and whoever waits sees that it is not what was wanted
        let _ = tokio::time::timeout(patience, share.wait_for(|share| wanted(&share.now()))).await;
        self.0.limits()
    }
}
