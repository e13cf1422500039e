//! One function per thing that a person does: check, one transaction, wake the engine, publish.

pub mod accounts;
pub mod bundles;
pub mod connect;
pub mod error;
pub mod files;
pub mod geo;
pub mod grants;
pub mod hosts;
pub mod keys;
pub mod nodes;
pub mod pools;
pub mod resources;
pub mod rollouts;
pub mod schedules;
pub mod tasks;
pub mod users;

pub use error::{Error, FieldError};
