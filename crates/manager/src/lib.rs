//! P2PPool Manager: HTTP API, use cases, task engine, accounts, events and command line.
//!
//! A library with a thin binary, so that tests start the real server on port 0.

pub mod accounts;
pub mod actions;
pub mod alerts;
pub mod all_limits;
pub mod app;
pub mod backup;
pub mod bundles;
pub mod cli;
pub mod config;
pub mod engine;
pub mod events;
pub mod files;
pub mod folders;
pub mod geo;
pub mod http;
pub mod joining;
pub mod limits;
pub mod local_node;
pub mod metrics;
pub mod runtimes;
pub mod secrets;
pub mod service;
pub mod tiles;
pub mod tls;
pub mod workflow;
