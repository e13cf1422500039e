//! With what this manager reaches hosts by SSH. Told, not decided here: its limits and its agent are said when it is
//! started, limits over all managers by `managers/limits`, and what differs by pool in that pool's settings.

use p2ppool_model::ssh::{JUMP_HANDSHAKES, JUMPS_MAX};
use p2ppool_remote::Deadlines;
use serde::Serialize;
use utoipa::ToSchema;

use crate::all_limits::AllLimits;
use crate::app::App;
use crate::limits::ManagerLimits;
use crate::service::Error;

/// With what the manager that answers reaches hosts by SSH.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SshFacts {
    /// What is done about the keys that hosts show.
    pub host_keys: HostKeyPolicy,
    /// The manager was started with an ssh-agent, which pools may use instead of a key of their own.
    pub agent_there: bool,
    /// How much it does at once, by its `--hosts-connecting`, `--hosts-working`, `--connections-per-second` and `--tasks`.
    pub limits: ManagerLimits,
    /// What it may use of the limits over all managers; the same as `limits` when there are none.
    pub share: ManagerLimits,
    /// Limits over all managers that share the database.
    pub all: AllLimits,
    /// Jump hosts.
    pub jumps: JumpFacts,
    /// How long a host may take.
    pub deadlines: HostDeadlines,
}

/// What is done about the keys that hosts show.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HostKeyPolicy {
    /// The first key that a host shows, or that an uploaded `known_hosts` file has for it, is pinned. A host that shows
    /// another one is refused until somebody accepts that.
    PinFirst,
}

/// What holds for jump hosts.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct JumpFacts {
    /// At most so many, one behind the other.
    pub most: usize,
    /// Handshakes at once through each, unless its pool says otherwise.
    pub handshakes: u16,
}

/// How long a host may take, in seconds, before it counts as unreachable (connect, hello) or its step as failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct HostDeadlines {
    /// From the look-up of its name until it is logged in and takes the command.
    pub connect_s: u64,
    /// From there until the host script answers; the login shell's start-up files run in it.
    pub hello_s: u64,
    /// Steps that only look or rename: status, configure, activate, usage.
    pub quick_s: u64,
    /// Receiving a package, without the time of its bytes.
    pub receive_s: u64,
    /// Starting the node until it is up.
    pub start_s: u64,
    /// Stopping the node, with its grace time.
    pub stop_s: u64,
    /// Bringing logs or data back, without the time of their bytes.
    pub fetch_s: u64,
    /// From the farewell until the connection has ended.
    pub close_s: u64,
    /// Transfers that are slower, in bytes per second, are given up.
    pub slowest: u64,
}

impl From<&Deadlines> for HostDeadlines {
    fn from(deadlines: &Deadlines) -> Self {
        let Deadlines { connect, hello, quick, receive, start, stop, fetch, slowest, close } = deadlines;
        Self {
            connect_s: connect.as_secs(),
            hello_s: hello.as_secs(),
            quick_s: quick.as_secs(),
            receive_s: receive.as_secs(),
            start_s: start.as_secs(),
            stop_s: stop.as_secs(),
            fetch_s: fetch.as_secs(),
            close_s: close.as_secs(),
            slowest: *slowest,
        }
    }
}

/// With what the manager that answers reaches hosts.
pub async fn facts(app: &App) -> Result<SshFacts, Error> {
    let context = app.engine.context();
    let this = app.engine.managers().await?.into_iter().find(|manager| manager.is_this);
    let this = this.ok_or_else(|| Error::internal(anyhow::anyhow!("this manager is not in its own list")))?;
    Ok(SshFacts {
        host_keys: HostKeyPolicy::PinFirst,
        agent_there: context.agent.is_some(),
        limits: serde_json::from_value(this.seen.beat.limits).map_err(Error::internal)?,
        share: this.share,
        all: app.engine.all_limits().await?,
        jumps: JumpFacts { most: JUMPS_MAX, handshakes: JUMP_HANDSHAKES },
        deadlines: (&context.deadlines).into(),
    })
}
