//! The only place that knows SQL: SQLite or PostgreSQL behind one [`Store`]; nobody above notices which.
//!
//! One file per noun, each an `impl Store` block; `db` holds everything in which the two databases differ.
//! Every change is one transaction. Lists are bounded by the caller's [`Page`].

mod alert_messages;
mod alerts;
mod audit;
pub mod backup;
mod blocks;
mod bundles;
mod db;
mod detail;
mod error;
mod events;
mod files;
mod grants;
mod host_keys;
mod host_known;
mod host_rows;
mod hosts;
mod located;
mod managers;
mod months;
mod natural;
mod node_query;
mod node_rows;
mod node_sessions;
mod nodes;
mod notify;
mod old_nodes;
mod page;
mod pool_change;
mod pools;
mod presence;
mod recent;
mod rollouts;
mod schedule;
mod second_factors;
mod secrets;
mod sessions;
mod settings;
mod shares;
mod snapshots;
mod sql;
mod stats;
mod task;
mod task_line;
mod task_run;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod text;
mod tokens;
mod usage;
mod user_summaries;
mod users;
mod views;
mod workflows;

pub use alert_messages::{DueMessage, OutboxState, Sent};
pub use alerts::{AlertFilter, AlertTarget};
pub use audit::{AuditEntry, AuditFilter, AuditLine};
pub use detail::TableReader;
pub use error::{Result, StoreError};
pub use events::{EVENTS_KEPT, NewEvent};
pub use files::{FILE_PART_BYTES, StoredFile};
pub use grants::PoolGrant;
pub use host_keys::HostKey;
pub use host_known::Learnt;
pub use hosts::{HostCounts, HostFilter, HostPlace, HostSort, HostsSet};
pub use managers::{LocalNodeOwner, ManagerBeat, SeenManager};
pub use natural::Natural;
pub use node_query::{NodeFilter, NodeSort, rows as filtered_rows};
pub use node_sessions::KnownNode;
pub use nodes::{NAMESPACES_MAX, NodePoint};
pub use notify::{Listener, Topic};
pub use page::{Listed, Order, PAGE_MAX, Page};
pub use pool_change::{NewPool, PoolChange, Sealed};
pub use recent::RECENT_MAX;
pub use rollouts::Decided;
pub use schedule::{DueRun, NextTime, RunEnd};
pub use second_factors::SecondFactor;
pub use secrets::{SealedSecret, SecretScope};
pub use sessions::{NewSession, Session};
pub use settings::setting_of_pool;
pub use shares::{NewShare, Share};
pub use snapshots::{NewSnapshot, SnapshotRange};
pub use task::{TaskFilter, TaskHostFilter};
pub use task_line::{Admission, Admitted, Claimed, Held, InLine, NewTask, NewTaskHost, Starts};
pub use task_run::{HostWrite, JournalEntry, LastStep, StepResult, StepWrite, TaskBatch, TaskProgress};
pub use tokens::{NewToken, Token};
pub use usage::{UsageBucket, usage_bucket_start};
pub use user_summaries::{UserPool, UserSummary};
pub use users::{Credentials, User};
pub use workflows::{Answer, NewRun, RunFilter, StoredWorkflow, WorkflowRun};

/// The database; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    db: db::Db,
    tables: std::sync::Arc<detail::TableCache>,
}

impl Store {
    /// Opens `sqlite:<path>` (the file is made when it isn't there, readable only by its owner) or
    /// `postgres://user@host/database`, and brings the schema up to date. Several managers may do so at once.
    pub async fn open(url: &str) -> Result<Self> {
        let store = Self { db: db::Db::open(url).await?, tables: std::sync::Arc::default() };
        store.move_old_nodes().await?;
        Ok(store)
    }

    /// `sqlite` or `postgres`, for people.
    pub fn database(&self) -> &'static str {
        self.db.name()
    }

    /// The database answers.
    pub async fn ping(&self) -> Result<()> {
        use error::Tried as _;
        db::on!(self.db.read(), conn => sqlx::query("SELECT 1").execute(conn).await.map(drop)).tried("ask the database")
    }

    /// Ends all connections, after what is under way.
    pub async fn close(&self) {
        self.db.close().await;
    }
}
