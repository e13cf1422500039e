//! What lists can be sorted by that are put together in memory.

use std::cmp::Ordering;

use p2ppool_model::churn::NodeSession;
use p2ppool_model::deployed::Deployed;
use p2ppool_store::{Natural, Order};

macro_rules! sorts {
    ($(#[$doc:meta])* $name:ident of $rows:literal: $($(#[$each:meta])* $one:ident = $text:literal,)*) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$each])* $one,)*
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($text => Ok(Self::$one),)*
                    _ => {
                        let known = [$($text),*].join(", ");
                        Err(format!(concat!($rows, " can't be sorted by `{}` (known: {})"), text, known))
                    }
                }
            }
        }
    };
}

sorts! {
    /// What sessions can be sorted by.
    SessionSort of "sessions":
    /// Overlay address.
    Address = "address",
    /// The first crawl that it answered.
    Began = "began",
    /// The last crawl that it answered; one that goes on ends last of all.
    Ended = "ended",
    /// The least that it lasted.
    Length = "length",
}

impl SessionSort {
    /// Sorts sessions; equal ones by overlay address, then by when they began.
    pub fn sort(self, sessions: &mut [NodeSession], order: Order) {
        let ended = |one: &NodeSession| (one.after.is_none(), one.ended);
        sessions.sort_by(|a, b| {
            let first = match self {
                Self::Address => directed(order, a.address.cmp(&b.address)),
                Self::Began => directed(order, a.began.cmp(&b.began)),
                Self::Ended => directed(order, ended(a).cmp(&ended(b))),
                Self::Length => directed(order, a.least_ms().cmp(&b.least_ms())),
            };
            first.then_with(|| a.address.cmp(&b.address)).then_with(|| a.began.cmp(&b.began))
        });
    }
}

sorts! {
    /// What the join of deployed and seen can be sorted by.
    DeployedSort of "hosts":
    /// The host's name, or the name or IP address of a node that is not ours.
    Host = "host",
    /// How it stands, by name.
    State = "state",
    /// Overlay address.
    Node = "node",
    /// Version that the node tells.
    Version = "version",
    /// Package that the node tells or that lies on the host.
    Package = "package",
    /// Namespace that the node tells.
    Namespace = "namespace",
    /// How much of it is wrong.
    Wrong = "wrong",
    /// What went wrong on the host.
    Problem = "problem",
    /// When the host was looked at.
    LookedAt = "looked_at",
}

impl DeployedSort {
    /// Sorts lines; equal ones stay in their order, and what is not known comes last.
    pub fn sort(self, lines: &mut [Deployed], order: Order) {
        lines.sort_by(|a, b| match self {
            Self::Host => known(order, natural(&a.host_name), natural(&b.host_name)),
            Self::State => directed(order, a.state.as_str().cmp(b.state.as_str())),
            Self::Node => known(order, a.node.as_ref(), b.node.as_ref()),
            Self::Version => known(order, natural(&a.version), natural(&b.version)),
            Self::Package => known(order, a.package.as_ref(), b.package.as_ref()),
            Self::Namespace => known(order, natural(&a.namespace), natural(&b.namespace)),
            Self::Wrong => directed(order, a.wrong.len().cmp(&b.wrong.len())),
            Self::Problem => known(order, a.problem.as_ref(), b.problem.as_ref()),
            Self::LookedAt => known(order, a.looked_at, b.looked_at),
        });
    }
}

fn directed(order: Order, ordering: Ordering) -> Ordering {
    match order {
        Order::Ascending => ordering,
        Order::Descending => ordering.reverse(),
    }
}

/// Numbers in it count as numbers.
fn natural(text: &Option<String>) -> Option<Natural<'_>> {
    text.as_deref().map(Natural)
}

fn known<K: Ord>(order: Order, a: Option<K>, b: Option<K>) -> Ordering {
    match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => directed(order, a.cmp(&b)),
    }
}

#[cfg(test)]
mod tests {
    use p2ppool_model::Time;
    use p2ppool_model::deployed::DeployedState;

    use super::*;

    fn session(address: &str, began: i64, ended: i64, after: Option<i64>) -> NodeSession {
        NodeSession {
            address: address.into(),
            before: None,
            began: Time(began),
            ended: Time(ended),
            after: after.map(Time),
        }
    }

    fn nothing() -> Deployed {
        Deployed {
            state: DeployedState::Unknown,
            wrong: vec![],
            host: None,
            host_name: None,
            node: None,
            version: None,
            package: None,
            namespace: None,
            problem: None,
            looked_at: None,
        }
    }

    #[test]
    fn sessions_that_go_on_end_last_and_equal_ones_are_told_apart() {
        let all = [session("c", 5, 9, None), session("a", 1, 20, Some(21)), session("b", 1, 4, Some(6))];
        let told = |sort: SessionSort, order| {
            let mut sorted = all.to_vec();
            sort.sort(&mut sorted, order);
            sorted.into_iter().map(|one| one.address).collect::<String>()
        };
        assert_eq!(told(SessionSort::Ended, Order::Ascending), "bac");
        assert_eq!(told(SessionSort::Ended, Order::Descending), "cab");
        assert_eq!(told(SessionSort::Began, Order::Descending), "cab");
        assert_eq!(told(SessionSort::Length, Order::Ascending), "bca");
        assert_eq!(told(SessionSort::Address, Order::Descending), "cba");
    }

    #[test]
    fn names_of_hosts_count() {
        let line = |name: &str| Deployed { host_name: Some(name.to_owned()), ..nothing() };
        let mut lines = ["node10", "10.0.0.10", "node2", "10.0.0.2"].map(line);
        DeployedSort::Host.sort(&mut lines, Order::Ascending);
        let names: Vec<_> = lines.iter().map(|line| line.host_name.as_deref().unwrap()).collect();
        assert_eq!(names, ["10.0.0.2", "10.0.0.10", "node2", "node10"]);
    }

    #[test]
    fn what_is_not_known_of_a_host_comes_last_in_both_directions() {
        let line = |version: Option<&str>| Deployed { version: version.map(str::to_owned), ..nothing() };
        let mut lines = [line(None), line(Some("1")), line(Some("2"))];
        let versions = |lines: &[Deployed]| lines.iter().map(|one| one.version.clone()).collect::<Vec<_>>();
        DeployedSort::Version.sort(&mut lines, Order::Descending);
        assert_eq!(versions(&lines), [Some("2".into()), Some("1".into()), None]);
        DeployedSort::Version.sort(&mut lines, Order::Ascending);
        assert_eq!(versions(&lines), [Some("1".into()), Some("2".into()), None]);
        assert!("colour".parse::<DeployedSort>().unwrap_err().contains("looked_at"));
    }
}
