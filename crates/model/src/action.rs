//! What can be done to a pool, and which of it may run beside which.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One thing that a task does to a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Puts the package on every host, starts it, verifies it.
    Install,
    /// Like install, with new settings, hosts or bundle; leaves alone what is right already.
    Upgrade,
    /// Stops every node; keeps files and history.
    Suspend,
    /// Starts what suspend stopped.
    Resume,
    /// Uninstalls from every host and retires the pool.
    Stop,
    /// Is the right package running everywhere? Repairs it where not.
    Check,
    /// Walks the overlay and stores a snapshot.
    Crawl,
    /// Retries the hosts that stop could not reach; deletes what is finished.
    UninstallCheck,
    /// Brings back node logs.
    GatherLogs,
    /// Brings back result files.
    GatherData,
    /// Memory, CPU, load, disk and uptime of every host.
    GatherUsage,
    /// Stops, kills or starts chosen nodes on purpose.
    Fault,
    /// Replaces the SSH key on every host; proves the new one before the old one goes.
    RotateKey,
}

/// What a new task has to do about one that is running or waits before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// They may run at the same time.
    Beside,
    /// The new one waits for the other.
    Wait,
    /// The other one must make room.
    Preempt,
    /// The new one can't be accepted while the other exists.
    Refuse,
}

impl Action {
    /// Every action, in the order of the product's list.
    pub const ALL: [Action; 13] = [
        Self::Install,
        Self::Upgrade,
        Self::Suspend,
        Self::Resume,
        Self::Stop,
        Self::Check,
        Self::Crawl,
        Self::UninstallCheck,
        Self::GatherLogs,
        Self::GatherData,
        Self::GatherUsage,
        Self::Fault,
        Self::RotateKey,
    ];

    /// The name used in the database, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Check => "check",
            Self::Crawl => "crawl",
            Self::UninstallCheck => "uninstall_check",
            Self::GatherLogs => "gather_logs",
            Self::GatherData => "gather_data",
            Self::GatherUsage => "gather_usage",
            Self::Fault => "fault",
            Self::RotateKey => "rotate_key",
        }
    }

    /// It only looks: crawl and the gathers.
    pub fn only_looks(self) -> bool {
        matches!(self, Self::Crawl | Self::GatherLogs | Self::GatherData | Self::GatherUsage)
    }

    /// All but stop and uninstall check need the local node to run first.
    pub fn needs_local_node(self) -> bool {
        !matches!(self, Self::Stop | Self::UninstallCheck | Self::RotateKey)
    }

    /// What a task of this action has to do about `other` of the same pool, which runs or waits before it.
    ///
    /// Source: the product description, "Which task may run with which". Two tasks of the same
    /// action never run beside each other; a second one waits (or joins, if the first still waits).
    /// Suspend and resume preempt each other's predecessors only among the lookers and check; an
    /// uninstall check is part of stopping and gives way to a new stop.
    pub fn relation_to(self, other: Action) -> Relation {
        use Action::*;
        if self == other {
            return Relation::Wait;
        }
        match (self, other) {
            (Stop, _) => Relation::Preempt,
            (Install | Upgrade, Stop) => Relation::Refuse,
            (Install | Upgrade, _) => Relation::Preempt,
            (Suspend | Resume, other) if other.only_looks() || other == Check => Relation::Preempt,
            (Suspend | Resume | Check, _) if !other.only_looks() => Relation::Wait,
            (Check, _) => Relation::Beside,
            // a rotation changes who may log in: nothing else looks at the hosts meanwhile
            (UninstallCheck | RotateKey, _) | (_, RotateKey) => Relation::Wait,
            (Fault, other) if other.only_looks() => Relation::Beside,
            (Fault, _) => Relation::Wait,
            (looks, Fault) if looks.only_looks() => Relation::Beside,
            (_, Check) => Relation::Beside,
            (looks, other) if looks.only_looks() && other.only_looks() => Relation::Beside,
            _ => Relation::Wait,
        }
    }
}

impl std::fmt::Display for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Action {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|action| action.as_str() == text).ok_or_else(|| format!("`{text}` is not an action"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_gets_past_everything_but_another_stop() {
        for other in Action::ALL.into_iter().filter(|a| *a != Action::Stop) {
            assert_eq!(Action::Stop.relation_to(other), Relation::Preempt, "{other}");
        }
        assert_eq!(Action::Stop.relation_to(Action::Stop), Relation::Wait);
    }

    #[test]
    fn install_and_upgrade_are_refused_while_stop_runs() {
        assert_eq!(Action::Install.relation_to(Action::Stop), Relation::Refuse);
        assert_eq!(Action::Upgrade.relation_to(Action::Stop), Relation::Refuse);
        assert_eq!(Action::Upgrade.relation_to(Action::Install), Relation::Preempt);
    }

    #[test]
    fn lookers_run_beside_each_other_and_beside_check() {
        for a in Action::ALL.into_iter().filter(|a| a.only_looks()) {
            assert_eq!(a.relation_to(Action::Check), Relation::Beside);
            assert_eq!(Action::Check.relation_to(a), Relation::Beside);
            for b in Action::ALL.into_iter().filter(|b| b.only_looks() && *b != a) {
                assert_eq!(a.relation_to(b), Relation::Beside, "{a} {b}");
            }
            assert_eq!(a.relation_to(Action::Install), Relation::Wait);
        }
    }

    #[test]
    fn changing_actions_never_run_beside_each_other() {
        let changing = || Action::ALL.into_iter().filter(|a| !a.only_looks());
        for a in changing() {
            for b in changing() {
                assert_ne!(a.relation_to(b), Relation::Beside, "{a} {b}");
            }
        }
    }

    #[test]
    fn names_round_trip() {
        for action in Action::ALL {
            assert_eq!(action.as_str().parse::<Action>().unwrap(), action);
            assert_eq!(serde_json::to_value(action).unwrap(), action.as_str());
        }
    }
}
