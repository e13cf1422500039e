//! One file per noun.

pub(crate) mod accounts;
pub(crate) mod actions;
pub(crate) mod bundles;
pub(crate) mod connect;
pub(crate) mod deployed;
pub(crate) mod events;
pub(crate) mod exports;
pub(crate) mod files;
pub(crate) mod geo;
pub(crate) mod grants;
pub(crate) mod history;
pub(crate) mod hosts;
pub(crate) mod keys;
pub(crate) mod meta;
pub(crate) mod nodes;
pub(crate) mod permissions;
pub(crate) mod pools;
pub(crate) mod resources;
pub(crate) mod rollouts;
pub(crate) mod runtimes;
pub(crate) mod schedules;
pub(crate) mod snapshots;
pub(crate) mod tasks;
pub(crate) mod topology;
pub(crate) mod users;
