//! What hosts and node processes use: memory, processor, load, disk.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::host::HostKnown;
use crate::{HostId, Time};

/// One look at one host. `None` is not known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Usage {
    /// Resident memory of the node process, bytes.
    pub node_memory: Option<u64>,
    /// Share of one processor that the node used since the look before, else since its start; above 1 when it kept
    /// several busy.
    pub node_cpu: Option<f64>,
    /// Share of the host's memory that is not available to new programs, 0 to 1.
    pub memory_used: Option<f64>,
    /// One-minute load average.
    pub load: Option<f64>,
    /// Free space under the install path, bytes.
    pub disk_free: Option<u64>,
}

/// A [`Usage`] of a host at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageSample {
    /// The host.
    pub host: HostId,
    /// When.
    pub at: Time,
    /// What was seen.
    #[serde(flatten)]
    pub usage: Usage,
}

/// One of the numbers of [`Usage`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UsageMetric {
    /// [`Usage::node_memory`].
    #[default]
    NodeMemory,
    /// [`Usage::node_cpu`].
    NodeCpu,
    /// [`Usage::memory_used`].
    MemoryUsed,
    /// [`Usage::load`].
    Load,
    /// [`Usage::disk_free`]; its top are the hosts with the least.
    DiskFree,
}

impl UsageMetric {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::NodeMemory, Self::NodeCpu, Self::MemoryUsed, Self::Load, Self::DiskFree];

    /// The name used in the database, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NodeMemory => "node_memory",
            Self::NodeCpu => "node_cpu",
            Self::MemoryUsed => "memory_used",
            Self::Load => "load",
            Self::DiskFree => "disk_free",
        }
    }

    /// This number of a usage.
    pub fn of(self, usage: &Usage) -> Option<f64> {
        match self {
            Self::NodeMemory => usage.node_memory.map(|bytes| bytes as f64),
            Self::NodeCpu => usage.node_cpu,
            Self::MemoryUsed => usage.memory_used,
            Self::Load => usage.load,
            Self::DiskFree => usage.disk_free.map(|bytes| bytes as f64),
        }
    }
}

impl std::str::FromStr for UsageMetric {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.map(Self::as_str).join(", ");
        Self::ALL.into_iter().find(|m| m.as_str() == text).ok_or_else(|| format!("`{text}` is not one of {known}"))
    }
}

impl Usage {
    /// What a look tells. `before` is what was known of the host until then.
    pub fn of(before: &HostKnown, now: &HostKnown) -> Self {
        let used = |(total, available): (u64, u64)| {
            (total > 0).then(|| (total.saturating_sub(available)) as f64 / total as f64)
        };
        Self {
            node_memory: now.node_memory,
            node_cpu: cpu_share(before, now),
            memory_used: now.memory_total.zip(now.memory_available).and_then(used),
            load: now.load,
            disk_free: now.disk_free,
        }
    }

    /// Nothing was learnt.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// CPU seconds per second since the look before, when it was at the same process, else since the process started.
/// Uptime comes in whole seconds: a process younger than one second counts as one second old.
fn cpu_share(before: &HostKnown, now: &HostKnown) -> Option<f64> {
    let (cpu, up) = now.node_cpu_s.zip(now.node_uptime_s)?;
    let since_start = || Some(cpu / up.max(1) as f64);
    let Some((cpu_before, up_before)) = before.node_cpu_s.zip(before.node_uptime_s) else { return since_start() };
    // the clock of a process only goes forward: less uptime, or less CPU time, is another process
    let same = up > up_before && cpu >= cpu_before;
    if same { Some((cpu - cpu_before) / (up - up_before) as f64) } else { since_start() }
}

/// Least, mean and greatest of some samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Spread {
    /// Samples.
    pub samples: u64,
    /// The least.
    pub min: f64,
    /// Their mean.
    pub mean: f64,
    /// The greatest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(cpu_s: f64, uptime_s: u64) -> HostKnown {
        HostKnown { node_cpu_s: Some(cpu_s), node_uptime_s: Some(uptime_s), ..HostKnown::default() }
    }

    #[test]
    fn cpu_is_of_the_time_between_two_looks_at_the_same_process() {
        let share = |before: &HostKnown, now: &HostKnown| Usage::of(before, now).node_cpu;
        assert_eq!(share(&HostKnown::default(), &known(5.0, 10)), Some(0.5));
        assert_eq!(share(&known(5.0, 10), &known(6.0, 20)), Some(0.1));
        assert_eq!(share(&known(500.0, 1000), &known(1.0, 4)), Some(0.25), "restarted in between");
        assert_eq!(share(&known(5.0, 10), &known(1.0, 20)), Some(0.05), "restarted, and longer up than before");
        assert_eq!(share(&known(5.0, 10), &HostKnown::default()), None);
        assert_eq!(share(&HostKnown::default(), &known(0.5, 0)), Some(0.5), "younger than a second");
    }

    #[test]
    fn memory_is_a_share_and_unknown_is_not_zero() {
        let now = HostKnown { memory_total: Some(8), memory_available: Some(2), ..HostKnown::default() };
        assert_eq!(Usage::of(&HostKnown::default(), &now).memory_used, Some(0.75));
        let none = HostKnown { memory_total: Some(0), memory_available: Some(0), ..HostKnown::default() };
        assert!(Usage::of(&HostKnown::default(), &none).is_empty());
    }
}
