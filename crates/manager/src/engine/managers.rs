//! The managers that share the database, as each other sees them.

use std::sync::PoisonError;

use p2ppool_store::{ManagerBeat, SeenManager, StoreError};

use super::{Engine, Inner, share};
use crate::limits::ManagerLimits;

/// What this manager tells the others of itself.
pub(super) fn about(owner: &str, limits: &ManagerLimits) -> ManagerBeat {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname");
    ManagerBeat {
        id: owner.to_owned(),
        host: kernel.map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned()),
        pid: std::process::id(),
        address: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        limits: serde_json::to_value(limits).unwrap_or_default(),
    }
}

/// A manager, and whether it is alive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Colleague {
    /// What it told.
    pub seen: SeenManager,
    /// Its tasks are its own: its last heartbeat is not older than a lease.
    pub is_alive: bool,
    /// It is this one.
    pub is_this: bool,
    /// What it may use of the limits over all managers; of a dead one what it would use by itself.
    pub share: ManagerLimits,
}

impl Engine {
    /// Tells the others where this manager listens.
    pub async fn announce(&self, address: std::net::SocketAddr) -> Result<(), StoreError> {
        self.0.about.lock().unwrap_or_else(PoisonError::into_inner).address = Some(address.to_string());
        self.0.context.store.beat_manager(&self.0.about(), self.0.pace.lease).await.map(drop)
    }

    /// This manager's name in the database.
    pub fn owner(&self) -> &str {
        &self.0.owner
    }

    /// How long what a manager holds is its own after a heartbeat.
    pub(crate) fn lease(&self) -> std::time::Duration {
        self.0.pace.lease
    }

    /// Every manager that said something within a day, oldest first.
    pub async fn managers(&self) -> Result<Vec<Colleague>, StoreError> {
        let mut managers = self.0.colleagues(self.0.context.store.managers().await?);
        share::divide(&self.all_limits().await?, &mut managers);
        Ok(managers)
    }
}

impl Inner {
    /// The managers that were seen, each with the limits that it told.
    pub(super) fn colleagues(&self, seen: Vec<SeenManager>) -> Vec<Colleague> {
        let colleague = |seen: SeenManager| Colleague {
            is_alive: seen.silent <= self.pace.lease,
            is_this: seen.beat.id == self.owner,
            share: serde_json::from_value(seen.beat.limits.clone()).unwrap_or_default(),
            seen,
        };
        seen.into_iter().map(colleague).collect()
    }

    pub(super) fn about(&self) -> ManagerBeat {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
