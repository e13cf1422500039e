//! The managers that share the database, as each other sees them.

use std::sync::PoisonError;

use p2ppool_store::{ManagerBeat, SeenManager, StoreError};

use super::{Engine, Inner};
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
        let seen = self.0.context.store.managers().await?;
        let colleague = |seen: SeenManager| Colleague {
            is_alive: seen.silent <= self.0.pace.lease,
            is_this: seen.beat.id == self.0.owner,
            seen,
        };
        Ok(seen.into_iter().map(colleague).collect())
    }
}

impl Inner {
    pub(super) fn about(&self) -> ManagerBeat {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
