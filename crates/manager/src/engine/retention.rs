//! Forgets, once a day, what pools keep for a while only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool_model::Time;
use p2ppool_store::StoreError;
use tokio::sync::watch;

use super::{Engine, Inner};

/// Between two times that old months are looked for: months are what is forgotten.
const EVERY: Duration = Duration::from_secs(24 * 3600);

/// When this manager did it last.
#[derive(Debug, Default)]
pub(super) struct Retention(Option<Instant>);

impl Retention {
    /// Forgets what is too old, when it is time to. What fails is tried again the next day.
    pub(super) async fn when_due(&mut self, inner: &Arc<Inner>) {
        if self.0.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        self.0 = Some(Instant::now());
        if let Err(error) = forget(inner).await {
            tracing::error!(%error, "forget old nodes");
        }
    }
}

/// Drops the months of each pool that ended longer ago than its setting says, by the database's clock.
async fn forget(inner: &Inner) -> Result<(), StoreError> {
    let store = &inner.context.store;
    let now = store.now().await?;
    for (pool, months) in store.forget_old_detail(now).await? {
        tracing::info!(%pool, months, "forgot old nodes");
    }
    inner.forgot.send_replace(Some(now));
    Ok(())
}

impl Engine {
    /// When this manager last forgot what pools need not keep any more; nothing before the first time.
    pub fn forgot(&self) -> watch::Receiver<Option<Time>> {
        self.0.forgot.subscribe()
    }
}
