//! What a crawl found: system statistics and one row per node.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::host::Location;
use crate::{CrawlId, Digest, HostId, PoolId, TaskId, Time};

/// Did a node answer, and if not, where did it end?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeStatus {
    /// It told its neighbours.
    Answering,
    /// No connection to any of its addresses: refused, unreachable, timed out.
    DialFailed,
    /// Connected, but the handshake failed, or somebody else answered under its address.
    ConnectFailed,
    /// Connected, but the question got no (right) answer.
    AskFailed,
    /// None of its addresses may be dialled by the pool's policy, or none is known.
    NotDialled,
}

impl NodeStatus {
    /// Every status.
    pub const ALL: [NodeStatus; 5] =
        [Self::Answering, Self::DialFailed, Self::ConnectFailed, Self::AskFailed, Self::NotDialled];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answering => "answering",
            Self::DialFailed => "dial_failed",
            Self::ConnectFailed => "connect_failed",
            Self::AskFailed => "ask_failed",
            Self::NotDialled => "not_dialled",
        }
    }
}

impl std::str::FromStr for NodeStatus {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| format!("`{text}` is not a node status"))
    }
}

/// A participant of the overlay in one snapshot. `None` is unknown, never zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Overlay address: peer id, or Brunet address.
    pub address: String,
    /// Did it answer?
    pub status: NodeStatus,
    /// Why not, as a sentence.
    pub error: Option<String>,
    /// Our host that runs it, when it is one of ours.
    pub host: Option<HostId>,
    /// That host's address, else the name or IP that the node was reached at.
    pub host_name: Option<String>,
    /// IP address it was reached at.
    pub ip: Option<String>,
    /// Transport addresses (multiaddr or TA) it is known under; at most [`ADDRESSES_MAX`].
    pub transport_addresses: Vec<String>,
    /// Program and version, as it says.
    pub version: Option<String>,
    /// Package it runs, as it says.
    pub package: Option<Digest>,
    /// Namespace, as it says.
    pub namespace: Option<String>,
    /// 0 to 1; see [`crate::consistency`].
    pub consistency: Option<f64>,
    /// Overlay connections.
    pub connections: Option<u32>,
    /// Of them over TCP.
    pub tcp: Option<u32>,
    /// Of them over UDP (QUIC).
    pub udp: Option<u32>,
    /// Of them through a relay (tunnel).
    pub relayed: Option<u32>,
    /// Secure associations.
    pub secure: Option<u32>,
    /// Attempts beyond the first that it took to get an answer.
    pub retries: u32,
    /// Round-trip time, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Seconds since it started, as it says.
    pub uptime_s: Option<u64>,
    /// Resident memory, bytes, as it says.
    pub memory: Option<u64>,
    /// CPU time used, seconds, as it says.
    pub cpu_s: Option<f64>,
    /// Load average of its host, as it says.
    pub load: Option<f64>,
    /// Where it is on the map.
    pub location: Option<Location>,
    /// Overlay addresses of its closest neighbours, nearest first; at most [`NEIGHBOURS_MAX`].
    pub neighbours: Vec<String>,
    /// What only one overlay kind knows.
    pub details: NodeDetails,
}

/// Most neighbours kept per node.
pub const NEIGHBOURS_MAX: usize = 64;
/// Most transport addresses kept per node.
pub const ADDRESSES_MAX: usize = 16;

/// What only one overlay kind knows of a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "nodes in memory are few; a box would be one more allocation for each")]
pub enum NodeDetails {
    /// A libp2p node.
    Libp2p {
        /// NAT status as AutoNAT told it: `public`, `private`, `unknown`.
        nat: Option<String>,
        /// Protocols that identify listed; empty when it was not asked.
        protocols: Vec<String>,
        /// It speaks our info protocol, so its table is known directly.
        info: bool,
    },
    /// A Brunet node.
    Brunet(BrunetDetails),
}

/// What only a Brunet node tells. Its secure associations (`sas`) are [`Node::secure`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct BrunetDetails {
    /// IPOP virtual IP addresses.
    pub virtual_ips: Vec<String>,
    /// IPOP namespace.
    pub ipop_namespace: Option<String>,
    /// Overlay address of its left neighbour on the ring: the next larger address.
    pub left: Option<String>,
    /// Of its right neighbour: the next smaller address.
    pub right: Option<String>,
    /// Of the one after the left.
    pub left2: Option<String>,
    /// Of the one after the right.
    pub right2: Option<String>,
    /// Of the shortcuts that it told; at most [`NEIGHBOURS_MAX`].
    pub shortcuts: Vec<String>,
    /// Edges that are wrapped in a secure association.
    pub wedges: Option<u32>,
    /// Name of the subring (private overlay within the overlay) that it is in.
    pub subring: Option<String>,
    /// It has the Information service. Of one without, only the neighbours are known.
    pub information: bool,
    /// Where it is in the Vivaldi space.
    pub coordinates: Option<Coordinates>,
    /// Sides on which its neighbour does not name it back, see [`crate::consistency::RingSide`].
    pub disagrees: Vec<crate::consistency::RingSide>,
}

/// A place in the Vivaldi space: distances in it are estimated round-trip times, milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Coordinates {
    /// First coordinate of the plane.
    pub x: f64,
    /// Second coordinate of the plane.
    pub y: f64,
    /// Distance from the plane to the node: its own access link.
    pub height: f64,
    /// Estimated relative error, 1 at the beginning.
    pub error: f64,
}

impl Coordinates {
    /// All numbers are some.
    pub fn is_finite(&self) -> bool {
        [self.x, self.y, self.height, self.error].iter().all(|number| number.is_finite())
    }
}

impl Node {
    /// A node of which nothing is known but its address.
    pub fn unknown(address: impl Into<String>, details: NodeDetails) -> Self {
        Self {
            address: address.into(),
            status: NodeStatus::NotDialled,
            error: None,
            host: None,
            host_name: None,
            ip: None,
            transport_addresses: Vec::new(),
            version: None,
            package: None,
            namespace: None,
            consistency: None,
            connections: None,
            tcp: None,
            udp: None,
            relayed: None,
            secure: None,
            retries: 0,
            rtt_ms: None,
            uptime_s: None,
            memory: None,
            cpu_s: None,
            load: None,
            location: None,
            neighbours: Vec::new(),
            details,
        }
    }
}

/// System statistics of one crawl.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Snapshot {
    /// Row identity.
    pub id: CrawlId,
    /// The pool.
    pub pool: PoolId,
    /// The task that made it.
    pub task: Option<TaskId>,
    /// When the crawl began.
    pub started: Time,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// Everybody that was heard of was asked. When not, who is not in it may still be there.
    pub complete: bool,
    /// The statistics.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Sums over the nodes of a snapshot. `None` is unknown (no node told), never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Nodes seen, answering or not.
    pub nodes: u64,
    /// Nodes that told their neighbours.
    pub answering: u64,
    /// Nodes seen that did not: the sum of the next four.
    pub unreachable: u64,
    /// No connection to any address.
    pub dial_failed: u64,
    /// Connected, but the handshake failed.
    pub connect_failed: u64,
    /// Connected, but no right answer.
    pub ask_failed: u64,
    /// No address that may be dialled.
    pub not_dialled: u64,
    /// Mean over the nodes of which it is known: those that answered, and on a ring those that others
    /// name in vain, too. Unknown when there is none.
    pub consistency: Option<f64>,
    /// Connections, summed over the nodes that tell.
    pub connections: Option<u64>,
    /// Of them over TCP.
    pub tcp: Option<u64>,
    /// Of them over UDP (QUIC).
    pub udp: Option<u64>,
    /// Of them relayed.
    pub relayed: Option<u64>,
    /// Secure associations.
    pub secure: Option<u64>,
    /// Retries.
    pub retries: u64,
    /// Hosts of the pool that should be in the overlay and were not seen answering.
    pub missing: u64,
    /// Nodes answering now and not in the snapshot before.
    pub joined: u64,
    /// Nodes answering in the snapshot before and not now.
    pub left: u64,
}

impl Totals {
    /// Sums these nodes. `before` are the overlay addresses that answered in the previous snapshot
    /// (`None`: there was none, so nobody joined or left), `missing` the hosts that were not seen.
    pub fn of(nodes: &[Node], before: Option<&std::collections::HashSet<String>>, missing: u64) -> Self {
        let answering = || nodes.iter().filter(|n| n.status == NodeStatus::Answering);
        let sum =
            |field: fn(&Node) -> Option<u32>| nodes.iter().filter_map(field).map(u64::from).reduce(u64::saturating_add);
        let of = |status: NodeStatus| nodes.iter().filter(|n| n.status == status).count() as u64;
        let known: Vec<f64> = nodes.iter().filter_map(|n| n.consistency).collect();
        let answered = answering().count() as u64;
        let joined = before.map_or(0, |before| answering().filter(|n| !before.contains(&n.address)).count() as u64);
        let stayed = before.map_or(0, |before| answering().filter(|n| before.contains(&n.address)).count() as u64);
        Self {
            nodes: nodes.len() as u64,
            answering: answered,
            unreachable: nodes.len() as u64 - answered,
            dial_failed: of(NodeStatus::DialFailed),
            connect_failed: of(NodeStatus::ConnectFailed),
            ask_failed: of(NodeStatus::AskFailed),
            not_dialled: of(NodeStatus::NotDialled),
            consistency: (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64),
            connections: sum(|n| n.connections),
            tcp: sum(|n| n.tcp),
            udp: sum(|n| n.udp),
            relayed: sum(|n| n.relayed),
            secure: sum(|n| n.secure),
            retries: nodes.iter().map(|n| u64::from(n.retries)).sum(),
            missing,
            joined,
            left: before.map_or(0, |before| before.len() as u64 - stayed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(address: &str, status: NodeStatus, consistency: Option<f64>) -> Node {
        let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
        Node { status, consistency, connections: Some(3), ..Node::unknown(address, details) }
    }

    #[test]
    fn totals_count_who_came_and_went() {
        let nodes = [
            node("a", NodeStatus::Answering, Some(1.0)),
            node("b", NodeStatus::Answering, Some(0.5)),
            node("c", NodeStatus::DialFailed, None),
        ];
        let before = ["b", "c", "d"].map(String::from).into();
        let totals = Totals::of(&nodes, Some(&before), 1);
        assert_eq!((totals.nodes, totals.answering, totals.unreachable), (3, 2, 1));
        assert_eq!(totals.consistency, Some(0.75));
        assert_eq!((totals.joined, totals.left, totals.missing), (1, 2, 1));
        assert_eq!((totals.connections, totals.secure), (Some(9), None), "what nobody told is unknown, not zero");
        assert_eq!((totals.dial_failed, totals.ask_failed), (1, 0));
    }

    #[test]
    fn an_empty_crawl_has_no_consistency_rather_than_zero_or_a_division() {
        assert_eq!(Totals::of(&[], None, 5).consistency, None);
    }
}
