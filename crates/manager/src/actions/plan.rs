//! The way from what a host has to what it should have, one step at a time. Pure.
//!
//! Install, upgrade, check, suspend, resume and stop are the same walk with another goal; a host
//! that is there already takes no step.

use p2ppool_model::{Cause, Digest};
use p2ppool_remote::{HostStatus, NodeState, Wanted};

/// How a host should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// This package installed and running.
    Running(Digest),
    /// This package installed, the node down.
    Installed(Digest),
    /// The node down, whatever is installed.
    Down,
    /// Nothing of ours left.
    Gone,
}

/// What is known of a host on the way.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Its newest status, kept up to date with the steps that were done since.
    pub(crate) status: HostStatus,
    /// Its own config files were compared, and written where they differed.
    pub(crate) configured: bool,
    /// The node was started.
    pub(crate) started: bool,
    /// The status was asked again after that.
    pub(crate) verified: bool,
    /// The node was ended.
    pub(crate) stopped: bool,
    /// Everything was deleted.
    pub(crate) removed: bool,
    /// What the package needs on the host beside itself.
    pub(crate) runtime: Option<Digest>,
}

impl Seen {
    /// Of a host of which only the status is known.
    pub(crate) fn new(status: HostStatus) -> Self {
        Self {
            status,
            configured: false,
            started: false,
            verified: false,
            stopped: false,
            removed: false,
            runtime: None,
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Upload what several packages share.
    Runtime,
    /// Upload the package.
    Receive,
    /// Compare and write the host's own config files.
    Configure,
    /// Make the package the current one.
    Activate,
    /// Start the node, or restart one that runs something else.
    Start,
    /// Ask the status again.
    Verify,
    /// End the node.
    Stop,
    /// Delete everything.
    Remove,
    /// It is as it should be.
    Done,
    /// Every step was done and it still isn't.
    Wrong(Cause, String),
}

/// The next step towards the goal. Does not go on for ever, whatever hosts answer: every step but
/// the last is asked for at most once.
pub(crate) fn next(seen: &Seen, goal: &Goal) -> Next {
    match goal {
        Goal::Running(package) => installed(seen, package).unwrap_or_else(|| running(seen, package)),
        Goal::Installed(package) => installed(seen, package).unwrap_or_else(|| down(seen)),
        Goal::Down => down(seen),
        Goal::Gone if seen.removed => Next::Done,
        Goal::Gone => Next::Remove,
    }
}

fn installed(seen: &Seen, package: &Digest) -> Option<Next> {
    if seen.runtime.as_ref().is_some_and(|runtime| !seen.status.runtimes.contains(runtime)) {
        return Some(Next::Runtime);
    }
    if !seen.status.installed.contains(package) {
        return Some(Next::Receive);
    }
    if !seen.configured {
        return Some(Next::Configure);
    }
    (seen.status.current.as_ref() != Some(package)).then_some(Next::Activate)
}

fn running(seen: &Seen, package: &Digest) -> Next {
    let status = &seen.status;
    if seen.started && !seen.verified {
        return Next::Verify;
    }
    let right = status.state == NodeState::Running && status.package.as_ref() == Some(package) && !status.stale;
    match (right, seen.started) {
        (true, _) => Next::Done,
        (false, false) => Next::Start,
        (false, true) if status.state == NodeState::Running => {
            let runs = status.package.as_ref().map_or("an unknown package", Digest::short);
            Next::Wrong(
                Cause::WrongPackage,
                format!("the node runs {runs} instead of {} after its start", package.short()),
            )
        }
        (false, true) => {
            let restarts = status.restarts;
            Next::Wrong(Cause::StartFailed, format!("the node ended after its start (restarted {restarts} times)"))
        }
    }
}

fn down(seen: &Seen) -> Next {
    let up = matches!(seen.status.state, NodeState::Running | NodeState::Starting)
        || seen.status.wanted == Some(Wanted::Run);
    if up && !seen.stopped { Next::Stop } else { Next::Done }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(n: u8) -> Digest {
        Digest::of(&[n])
    }

    fn status(state: NodeState) -> HostStatus {
        HostStatus {
            installed: Vec::new(),
            current: None,
            previous: None,
            state,
            wanted: None,
            pid: None,
            supervisor: None,
            package: None,
            stale: false,
            restarts: 0,
            last_exit: None,
            node: None,
            runtimes: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Walks with steps that all work, as the host script does them.
    fn walk(status: HostStatus, goal: &Goal) -> (Vec<Next>, HostStatus) {
        let mut seen = Seen::new(status);
        let mut steps = Vec::new();
        loop {
            let step = next(&seen, goal);
            let status = &mut seen.status;
            let (Goal::Running(package) | Goal::Installed(package)) = goal else {
                match step {
                    Next::Stop => {
                        (seen.stopped, status.state, status.wanted) = (true, NodeState::Stopped, Some(Wanted::Stop))
                    }
                    Next::Remove => (seen.removed, status.state) = (true, NodeState::None),
                    _ => return (steps, seen.status),
                }
                steps.push(step);
                continue;
            };
            match step {
                Next::Receive => status.installed.push(package.clone()),
                Next::Configure => seen.configured = true,
                Next::Activate => status.current = Some(package.clone()),
                Next::Start => {
                    status.state = NodeState::Running;
                    status.wanted = Some(Wanted::Run);
                    status.package = status.current.clone();
                    status.stale = false;
                    seen.started = true;
                }
                Next::Verify => seen.verified = true,
                Next::Stop => {
                    (seen.stopped, status.state, status.wanted) = (true, NodeState::Stopped, Some(Wanted::Stop))
                }
                _ => return (steps, seen.status),
            }
            steps.push(step);
            assert!(steps.len() < 8, "{steps:?}");
        }
    }

    #[test]
    fn an_empty_host_is_installed_from_end_to_end() {
        let (steps, _) = walk(status(NodeState::None), &Goal::Running(digest(1)));
        assert_eq!(steps, [Next::Receive, Next::Configure, Next::Activate, Next::Start, Next::Verify]);
    }

    #[test]
    fn a_host_that_is_right_only_has_its_config_compared() {
        let right = HostStatus {
            installed: vec![digest(1)],
            current: Some(digest(1)),
            package: Some(digest(1)),
            wanted: Some(Wanted::Run),
            ..status(NodeState::Running)
        };
        assert_eq!(walk(right.clone(), &Goal::Running(digest(1))).0, [Next::Configure]);
        assert_eq!(walk(right, &Goal::Running(digest(2))).0.first(), Some(&Next::Receive));
    }

    #[test]
    fn a_manager_that_died_between_activate_and_start_is_noticed() {
        let between = HostStatus {
            installed: vec![digest(1), digest(2)],
            current: Some(digest(2)),
            package: Some(digest(1)),
            ..status(NodeState::Running)
        };
        assert_eq!(walk(between, &Goal::Running(digest(2))).0, [Next::Configure, Next::Start, Next::Verify]);
    }

    #[test]
    fn a_runtime_is_sent_once_and_not_with_each_package() {
        let mut seen = Seen { runtime: Some(digest(7)), ..Seen::new(status(NodeState::None)) };
        assert_eq!(next(&seen, &Goal::Running(digest(1))), Next::Runtime);
        seen.status.runtimes.push(digest(7));
        assert_eq!(next(&seen, &Goal::Running(digest(1))), Next::Receive);
        assert_eq!(next(&seen, &Goal::Down), Next::Done);
    }

    #[test]
    fn a_node_that_does_not_stay_up_is_a_failure_not_a_loop() {
        let mut seen = Seen::new(HostStatus {
            installed: vec![digest(1)],
            current: Some(digest(1)),
            ..status(NodeState::Starting)
        });
        (seen.configured, seen.started, seen.verified) = (true, true, true);
        assert!(matches!(next(&seen, &Goal::Running(digest(1))), Next::Wrong(Cause::StartFailed, _)));
        seen.status.state = NodeState::Running;
        seen.status.package = Some(digest(9));
        assert!(matches!(next(&seen, &Goal::Running(digest(1))), Next::Wrong(Cause::WrongPackage, _)));
    }

    #[test]
    fn what_is_down_is_left_alone() {
        assert!(walk(status(NodeState::None), &Goal::Down).0.is_empty());
        assert_eq!(walk(status(NodeState::Running), &Goal::Down).0, [Next::Stop]);
        let backing_off = HostStatus { wanted: Some(Wanted::Run), ..status(NodeState::Stopped) };
        assert_eq!(walk(backing_off, &Goal::Down).0, [Next::Stop], "its supervisor would start it again");
    }

    fn any_status() -> impl Strategy<Value = HostStatus> {
        let state =
            prop::sample::select(vec![NodeState::Running, NodeState::Starting, NodeState::Stopped, NodeState::None]);
        let some = || prop::option::of((0u8..3).prop_map(digest));
        let wanted = prop::sample::select(vec![None, Some(Wanted::Run), Some(Wanted::Stop)]);
        (prop::collection::vec((0u8..3).prop_map(digest), 0..3), some(), some(), state, wanted, any::<bool>()).prop_map(
            |(installed, current, package, state, wanted, stale)| HostStatus {
                installed,
                current,
                package,
                wanted,
                stale,
                ..status(state)
            },
        )
    }

    proptest! {
        #[test]
        fn every_goal_is_reached_from_everywhere(from in any_status()) {
            let (_, end) = walk(from.clone(), &Goal::Running(digest(1)));
            prop_assert_eq!((end.state, end.current, end.package, end.stale), (NodeState::Running, Some(digest(1)), Some(digest(1)), false));
            let (_, end) = walk(from.clone(), &Goal::Installed(digest(1)));
            prop_assert!(end.current == Some(digest(1)) && matches!(end.state, NodeState::Stopped | NodeState::None));
            let (_, end) = walk(from.clone(), &Goal::Down);
            prop_assert!(matches!(end.state, NodeState::Stopped | NodeState::None));
            prop_assert_eq!(walk(from, &Goal::Gone).0, vec![Next::Remove]);
        }
    }
}
