//! The only place that knows SSH and the host script.
//!
//! A task opens one [`HostSession`] per host over a [`Transport`] ([`Ssh`] or [`Local`]), asks it
//! for steps (`status`, `receive`, `start`, …) and closes it. [`FanOut`] runs that over many hosts
//! with separate limits for connecting and for working. Everything that comes from a host is
//! bounded and parsed strictly; everything that goes wrong is a [`HostError`] with one
//! [`Cause`](p2ppool_model::Cause).
//!
//! ```text
//! FanOut ──► HostSession ──► Pipe ◄── Transport: Ssh (russh) | Local (sh) | testing::Fake
//! ```

mod authorize;
mod deadlines;
mod error;
mod exec;
mod fan_out;
mod keys;
mod known_hosts;
mod limit;
mod local;
mod output;
mod pace;
mod package;
mod session;
mod ssh;
mod target;
mod transport;

#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use authorize::{authorize, withdraw};
pub use deadlines::Deadlines;
pub use error::HostError;
pub use exec::{Executed, exec};
pub use fan_out::{FanOut, Finished, Limits, Panicked, Results, Slots};
pub use keys::{GeneratedKey, KEY_TEXT_MAX, KeyError, KeyInfo, check_key, fingerprint, generate_key};
pub use known_hosts::KnownHosts;
pub use local::Local;
pub use output::{OUTPUT_MAX, OutputTail};
pub use package::Package;
pub use session::{
    Activated, Configured, Fetched, HOST_SCRIPT, Hello, HostSession, HostStatus, HostUsage, LINE_MAX, NOISE_MAX,
    NodeState, NodeUsage, Received, Removed, Started, Stopped, Wanted,
};
pub use ssh::{Ssh, SshSettings};
pub use target::{Auth, Jump, Target};
pub use transport::{Control, Ending, Exit, ExitWait, Pipe, Transport};
