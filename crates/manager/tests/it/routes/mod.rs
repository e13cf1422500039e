//! One file per noun.

mod accounts;
mod bundles;
mod connect;
mod events;
mod exports;
mod files;
mod hosts;
mod keys;
mod meta;
mod nodes;
mod pools;
mod tasks;
