//! Deployed and seen, joined: every host of a pool with the node that it should be.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::host::Host;
use crate::table::{NodeTable, Word};
use crate::{Digest, HostId, Time};

/// How a host and its node stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeployedState {
    /// Its node answers in the overlay and is what it should be.
    RunningSeen,
    /// Its node process is up, but did not answer in the overlay.
    RunningNotSeen,
    /// Its node answers, but with another package, namespace or version than the pool's.
    SeenWrong,
    /// A node that answers and is on no host of the pool.
    SeenNotOurs,
    /// The package is there, the node process is not up.
    InstalledNotRunning,
    /// Nothing is installed on it.
    NotInstalled,
    /// It could not be reached, and its node did not answer.
    Unreachable,
    /// Nobody looked at it yet.
    Unknown,
}

impl DeployedState {
    /// Every state.
    pub const ALL: [DeployedState; 8] = [
        Self::RunningSeen,
        Self::RunningNotSeen,
        Self::SeenWrong,
        Self::SeenNotOurs,
        Self::InstalledNotRunning,
        Self::NotInstalled,
        Self::Unreachable,
        Self::Unknown,
    ];

    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RunningSeen => "running_seen",
            Self::RunningNotSeen => "running_not_seen",
            Self::SeenWrong => "seen_wrong",
            Self::SeenNotOurs => "seen_not_ours",
            Self::InstalledNotRunning => "installed_not_running",
            Self::NotInstalled => "not_installed",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }

    /// A check of the host can make it right. There is nothing to do about strangers, nor on hosts that are right.
    pub fn is_repairable(self) -> bool {
        !matches!(self, Self::RunningSeen | Self::SeenNotOurs)
    }
}

impl std::str::FromStr for DeployedState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|state| state.as_str()).collect();
            format!("`{text}` is not a state (known: {})", known.join(", "))
        })
    }
}

/// What a node tells that is not what the pool wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wrong {
    /// It runs another package.
    Package,
    /// It is in another namespace.
    Namespace,
    /// It is another version.
    Version,
}

impl Wrong {
    /// The name used in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Namespace => "namespace",
            Self::Version => "version",
        }
    }
}

/// What a node of the pool should tell; `None`: it does not matter, or is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Expected {
    /// The pool's package.
    pub package: Option<Digest>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// The version of its bundle.
    pub version: Option<String>,
}

/// One line of the joined list: a host, a node, or both.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Deployed {
    /// How it stands.
    pub state: DeployedState,
    /// What is out of version: always something when it is [`DeployedState::SeenWrong`], and of hosts whose
    /// node was not seen what lies on them.
    pub wrong: Vec<Wrong>,
    /// The host; null for a node that is not ours.
    pub host: Option<HostId>,
    /// The host as in the host list, or the name or IP address of a node that is not ours.
    pub host_name: Option<String>,
    /// Overlay address of the node, when it is known.
    pub node: Option<String>,
    /// Version that the node tells.
    pub version: Option<String>,
    /// Package that the node tells, else that lies on the host.
    pub package: Option<Digest>,
    /// Namespace that the node tells.
    pub namespace: Option<String>,
    /// The newest thing that went wrong on the host.
    pub problem: Option<String>,
    /// When the host was last looked at.
    pub looked_at: Option<Time>,
}

/// Joins hosts with the nodes of a snapshot whose crawl began at a time. Hosts that are leaving are
/// left out. Hosts come first, in their order, then the nodes that are not ours.
///
/// What was seen in the overlay counts more than what was learnt on the host, unless the host was looked
/// at after the crawl began and its node was found to be down.
pub fn join(hosts: &[Host], seen: Option<(&NodeTable, Time)>, expected: &Expected) -> Vec<Deployed> {
    let empty = NodeTable::default();
    let (table, crawled) = seen.unwrap_or((&empty, Time(i64::MIN)));
    let answering = || (0..table.len()).filter(|row| table.is_answering(*row));
    let by_host: HashMap<HostId, usize> =
        answering().filter_map(|row| table.host(row).map(|host| (host, row))).collect();
    let mut taken = vec![false; table.len()];
    let mut joined: Vec<Deployed> = Vec::with_capacity(hosts.len());
    for host in hosts {
        let named = || host.known.node.as_deref().and_then(|node| table.row_of(node));
        let row = by_host.get(&host.id).copied().or_else(|| named().filter(|row| table.is_answering(*row)));
        if let Some(row) = row {
            taken[row] = true;
        }
        if !host.leaving {
            joined.push(of_host(host, row.map(|row| (table, row)), crawled, expected));
        }
    }
    joined.extend(answering().filter(|row| !taken[*row]).map(|row| Deployed {
        state: DeployedState::SeenNotOurs,
        wrong: Vec::new(),
        host: None,
        host_name: table.word(Word::HostName, row).or_else(|| table.word(Word::Ip, row)).map(str::to_owned),
        problem: None,
        looked_at: None,
        ..told(table, row)
    }));
    joined
}

fn told(table: &NodeTable, row: usize) -> Deployed {
    Deployed {
        state: DeployedState::RunningSeen,
        wrong: Vec::new(),
        host: None,
        host_name: None,
        node: Some(table.address(row).to_owned()),
        version: table.word(Word::Version, row).map(str::to_owned),
        package: table.word(Word::Package, row).and_then(|digest| digest.parse().ok()),
        namespace: table.word(Word::Namespace, row).map(str::to_owned),
        problem: None,
        looked_at: None,
    }
}

fn of_host(host: &Host, seen: Option<(&NodeTable, usize)>, crawled: Time, expected: &Expected) -> Deployed {
    let known = &host.known;
    let down_since = known.running == Some(false) && known.at.is_some_and(|at| at > crawled);
    let seen = seen.filter(|_| !down_since);
    let (state, wrong) = match seen {
        Some((table, row)) => {
            let wrong = wrong(table, row, known.package.as_ref(), expected);
            (if wrong.is_empty() { DeployedState::RunningSeen } else { DeployedState::SeenWrong }, wrong)
        }
        None => (unseen(host), lies_wrong(host, expected)),
    };
    let told = seen.map(|(table, row)| told(table, row));
    Deployed {
        state,
        wrong,
        host: Some(host.id),
        host_name: Some(host.spec.display()),
        node: told.as_ref().and_then(|told| told.node.clone()).or_else(|| known.node.clone()),
        version: told.as_ref().and_then(|told| told.version.clone()),
        namespace: told.as_ref().and_then(|told| told.namespace.clone()),
        package: told.and_then(|told| told.package).or_else(|| known.package.clone()),
        problem: known.problem.clone(),
        looked_at: known.at,
    }
}

fn unseen(host: &Host) -> DeployedState {
    let known = &host.known;
    match (known.reachable, known.running, &known.package) {
        (Some(false), _, _) => DeployedState::Unreachable,
        (_, Some(true), _) => DeployedState::RunningNotSeen,
        (_, _, Some(_)) => DeployedState::InstalledNotRunning,
        (None, None, None) => DeployedState::Unknown,
        _ => DeployedState::NotInstalled,
    }
}

/// A node of another namespace is never seen: its host's package tells that it was left behind.
fn lies_wrong(host: &Host, expected: &Expected) -> Vec<Wrong> {
    let differs = matches!((&host.known.package, &expected.package), (Some(lies), Some(wanted)) if lies != wanted);
    differs.then_some(Wrong::Package).into_iter().collect()
}

/// What a node does not tell is not held against it; of its package, its host tells (`lies`).
fn wrong(table: &NodeTable, row: usize, lies: Option<&Digest>, expected: &Expected) -> Vec<Wrong> {
    let differs = |told: Option<&str>, wanted: Option<&str>| matches!((told, wanted), (Some(a), Some(b)) if a != b);
    // `p2pnode/0.1.0` and `0.1.0` are the same version
    let version =
        differs(table.word(Word::Version, row).map(bare_version), expected.version.as_deref().map(bare_version));
    let package = table.word(Word::Package, row).or(lies.map(Digest::as_str));
    let package = differs(package, expected.package.as_ref().map(Digest::as_str));
    let namespace = differs(table.word(Word::Namespace, row), expected.namespace.as_deref());
    [(package, Wrong::Package), (namespace, Wrong::Namespace), (version, Wrong::Version)]
        .into_iter()
        .filter_map(|(is_wrong, what)| is_wrong.then_some(what))
        .collect()
}

/// The part of `program/version` after the program.
fn bare_version(version: &str) -> &str {
    version.rsplit(['/', ' ']).next().unwrap_or(version)
}

/// How many there are of each state; every state is there.
pub fn counts(joined: &[Deployed]) -> std::collections::BTreeMap<DeployedState, u64> {
    let mut counts: std::collections::BTreeMap<_, _> = DeployedState::ALL.iter().map(|state| (*state, 0)).collect();
    for one in joined {
        *counts.entry(one.state).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PoolId;
    use crate::host::{HostKnown, HostSpec};
    use crate::snapshot::{Node, NodeDetails, NodeStatus};

    fn host(id: i64, known: HostKnown) -> Host {
        let spec = HostSpec { address: format!("h{id}"), ..HostSpec::default() };
        Host { id: HostId(id), pool: PoolId(1), spec, known, leaving: false }
    }

    fn node(address: &str, host: Option<i64>) -> Node {
        let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
        Node {
            status: NodeStatus::Answering,
            host: host.map(HostId),
            package: Some(Digest::of(b"right")),
            namespace: Some("demo".into()),
            version: Some("p2pnode/0.1.0".into()),
            ..Node::unknown(address, details)
        }
    }

    fn up(at: i64) -> HostKnown {
        HostKnown {
            reachable: Some(true),
            running: Some(true),
            package: Some(Digest::of(b"right")),
            at: Some(Time(at)),
            ..HostKnown::default()
        }
    }

    #[test]
    fn every_host_has_one_state() {
        use DeployedState::*;
        let expected = Expected {
            package: Some(Digest::of(b"right")),
            namespace: Some("demo".into()),
            version: Some("0.1.0".into()),
        };
        let hosts = [
            (host(1, up(0)), RunningSeen),
            (host(2, up(0)), RunningNotSeen),
            (host(3, up(0)), SeenWrong),
            (host(4, HostKnown { running: Some(false), ..up(5) }), InstalledNotRunning),
            (host(5, HostKnown { reachable: Some(false), ..up(0) }), Unreachable),
            (host(6, HostKnown::default()), Unknown),
            (host(7, HostKnown { package: None, running: Some(false), ..up(0) }), NotInstalled),
            (host(8, HostKnown { reachable: Some(false), ..up(0) }), RunningSeen),
            (host(9, HostKnown { running: Some(false), ..up(200) }), InstalledNotRunning),
            (host(10, HostKnown { node: Some("ten".into()), ..up(0) }), RunningSeen),
        ];
        let nodes = [
            node("a", Some(1)),
            Node { status: NodeStatus::DialFailed, ..node("b", Some(2)) },
            Node { package: Some(Digest::of(b"old")), version: Some("p2pnode/0.0.9".into()), ..node("c", Some(3)) },
            node("d", Some(8)),
            node("e", Some(9)),
            node("ten", None),
            node("stranger", None),
        ];
        let (list, states): (Vec<Host>, Vec<DeployedState>) = hosts.into_iter().unzip();
        let joined = join(&list, Some((&NodeTable::of(&nodes), Time(100))), &expected);
        let found: Vec<_> = joined.iter().map(|one| one.state).collect();
        assert_eq!(found[..10], states);
        assert_eq!((found.len(), found[10]), (11, SeenNotOurs));
        assert_eq!(joined[2].wrong, [Wrong::Package, Wrong::Version]);
        assert_eq!(joined[10].node.as_deref(), Some("stranger"));
        let counted = counts(&joined);
        assert_eq!((counted.len(), counted[&RunningSeen], counted[&Unknown]), (8, 3, 1));
    }

    #[test]
    fn hosts_that_leave_are_no_hosts_but_their_nodes_are_no_strangers() {
        let leaving = Host { leaving: true, ..host(1, up(0)) };
        let table = NodeTable::of(&[node("a", Some(1))]);
        assert_eq!(join(&[leaving], Some((&table, Time(0))), &Expected::default()), []);
    }

    #[test]
    fn without_a_crawl_nothing_was_seen() {
        let joined = join(&[host(1, up(0))], None, &Expected::default());
        assert_eq!(joined[0].state, DeployedState::RunningNotSeen);
    }

    #[test]
    fn a_host_that_was_left_behind_is_out_of_version_seen_or_not() {
        let behind = HostKnown {
            running: Some(true),
            reachable: Some(true),
            package: Some(Digest::of(b"old")),
            node: Some("A".into()),
            ..HostKnown::default()
        };
        let hosts = [host(1, behind.clone()), host(2, HostKnown { node: Some("B".into()), ..behind })];
        // a Brunet node tells no package
        let seen = Node { package: None, ..node("A", Some(1)) };
        let table = NodeTable::of(&[seen]);
        let expected = Expected { package: Some(Digest::of(b"right")), ..Expected::default() };
        let joined = join(&hosts, Some((&table, Time(1))), &expected);
        let states: Vec<_> = joined.iter().map(|one| (one.state, one.wrong.clone())).collect();
        assert_eq!(
            states,
            [(DeployedState::SeenWrong, vec![Wrong::Package]), (DeployedState::RunningNotSeen, vec![Wrong::Package]),]
        );
    }
}
