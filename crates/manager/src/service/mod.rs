//! One function per thing that a person does: check, one transaction, wake the engine, publish.

pub mod accounts;
pub mod alerts;
pub mod bundles;
pub mod churn;
pub mod connect;
pub mod demo;
pub mod deployed;
pub mod error;
pub mod files;
pub mod geo;
pub mod grants;
pub mod history;
pub mod hosts;
pub mod keys;
pub mod map;
pub mod nodes;
pub mod oidc;
pub mod oidc_refusal;
pub mod pools;
pub mod resources;
pub mod rollouts;
pub mod runtimes;
pub mod schedules;
pub mod second_factor;
pub mod sessions;
mod share_crawls;
pub mod share_limits;
pub mod shares;
pub mod sorts;
pub mod ssh;
pub mod ssh_facts;
pub mod tasks;
pub mod topology;
pub mod users;
pub mod views;
pub mod workflows;

pub use error::{Error, FieldError};

/// Does what takes a core for some milliseconds where it keeps nobody waiting.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(Error::internal)
}
