//! One file per noun.

mod accounts;
mod audit;
mod backup;
mod bundles;
mod command_line;
mod connect;
mod events;
mod exports;
mod files;
mod geo;
mod history;
mod hosts;
mod keys;
mod meta;
mod nodes;
mod people;
mod permissions;
mod pools;
mod resources;
mod rollouts;
mod runtimes;
mod schedules;
mod security;
mod sessions;
mod tasks;
