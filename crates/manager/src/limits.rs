//! How much one manager does at once.

use p2ppool_remote::{FanOut, Limits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Limits of one manager, over all its tasks; free places go to the tasks in turns. Each manager has its own, and there
/// may be some over all of them ([`crate::all_limits`]); what goes through one jump host is limited by the pool's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ManagerLimits {
    /// Hosts that are being connected to.
    pub connecting: u32,
    /// Hosts that are connected and worked on.
    pub working: u32,
    /// Connections started per second.
    pub per_second: u32,
    /// Tasks.
    pub tasks: u32,
}

impl Default for ManagerLimits {
    fn default() -> Self {
        let Limits { connecting, working, per_second, .. } = Limits::default();
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self { connecting: number(connecting), working: number(working), per_second, tasks: 64 }
    }
}

impl ManagerLimits {
    /// What keeps to them.
    pub fn fan_out(&self) -> FanOut {
        FanOut::new(self.of_hosts())
    }

    /// Those that are the fan-out's.
    pub fn of_hosts(&self) -> Limits {
        let Self { connecting, working, per_second, .. } = *self;
        Limits { connecting: connecting as usize, working: working as usize, per_second }
    }
}
