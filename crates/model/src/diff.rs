//! What changed between two snapshots of a pool.

use std::collections::HashSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::snapshot::NodeStatus;
use crate::table::{List, NodeTable, Number, Word};

/// Lines of each list that are told; the others are only counted.
pub const LINES_MAX: usize = 1_000;

/// A list that may be longer than what is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Lines<T> {
    /// How many there are.
    pub total: u64,
    /// The first 1,000.
    pub items: Vec<T>,
}

impl<T> Default for Lines<T> {
    fn default() -> Self {
        Self { total: 0, items: Vec::new() }
    }
}

impl<T> Lines<T> {
    fn push(&mut self, item: impl FnOnce() -> T) {
        self.total += 1;
        if self.items.len() < LINES_MAX {
            self.items.push(item());
        }
    }
}

/// A node that came or went.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Named {
    /// Overlay address.
    pub address: String,
    /// Name or IP address of its host.
    pub host_name: Option<String>,
    /// What it is in the other snapshot; null when it isn't there.
    pub elsewhere: Option<NodeStatus>,
}

/// Something of a node that was one thing and is another.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Changed {
    /// Overlay address.
    pub address: String,
    /// Name or IP address of its host.
    pub host_name: Option<String>,
    /// The field: `ip`, `host`, `location`, `version`, `package`, `namespace`.
    pub field: &'static str,
    /// What it was; null when it was not known.
    pub from: Option<String>,
    /// What it is.
    pub to: Option<String>,
}

/// Neighbours that a node gained and lost.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct NeighbourChange {
    /// Overlay address.
    pub address: String,
    /// Name or IP address of its host.
    pub host_name: Option<String>,
    /// Overlay addresses that it did not name before.
    pub gained: Vec<String>,
    /// Overlay addresses that it does not name any more.
    pub lost: Vec<String>,
}

/// What changed. Nodes are in the order of their overlay addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Diff {
    /// Nodes that answer in the second snapshot and not in the first.
    pub joined: Lines<Named>,
    /// Nodes that answer in the first snapshot and not in the second.
    pub left: Lines<Named>,
    /// Nodes that answer in both.
    pub stayed: u64,
    /// Of them those at another IP address, host or place.
    pub moved: Lines<Changed>,
    /// Of them those with another version, package or namespace.
    pub upgraded: Lines<Changed>,
    /// Of them those that started anew in between: their uptime is shorter than the time between the crawls.
    pub restarted: Lines<Named>,
    /// Of them those with other neighbours.
    pub neighbours: Lines<NeighbourChange>,
    /// Neighbours gained by all nodes together.
    pub neighbours_gained: u64,
    /// Neighbours lost by all nodes together.
    pub neighbours_lost: u64,
}

/// What changed from one snapshot to another; `between_s` seconds lie between the beginnings of their crawls.
pub fn diff(from: &NodeTable, to: &NodeTable, between_s: u64) -> Diff {
    let mut diff = Diff::default();
    for (before, after) in merged(from, to) {
        let answered = before.is_some_and(|row| from.is_answering(row));
        let answers = after.is_some_and(|row| to.is_answering(row));
        match (before, after) {
            (Some(a), Some(b)) if answered && answers => stayed(&mut diff, (from, a), (to, b), between_s),
            (_, Some(b)) if answers => diff.joined.push(|| named(to, b, before.map(|row| from.status(row)))),
            (Some(a), _) if answered => diff.left.push(|| named(from, a, after.map(|row| to.status(row)))),
            _ => {}
        }
    }
    diff
}

/// Rows of the same node in both tables, which are in the order of their addresses.
fn merged(a: &NodeTable, b: &NodeTable) -> impl Iterator<Item = (Option<usize>, Option<usize>)> {
    let (mut i, mut j) = (0, 0);
    std::iter::from_fn(move || {
        let order = match (i < a.len(), j < b.len()) {
            (false, false) => return None,
            (true, false) => std::cmp::Ordering::Less,
            (false, true) => std::cmp::Ordering::Greater,
            (true, true) => a.address(i).cmp(b.address(j)),
        };
        let pair = (order.is_le().then_some(i), order.is_ge().then_some(j));
        i += usize::from(order.is_le());
        j += usize::from(order.is_ge());
        Some(pair)
    })
}

type Row<'a> = (&'a NodeTable, usize);

fn stayed(diff: &mut Diff, from: Row<'_>, to: Row<'_>, between_s: u64) {
    diff.stayed += 1;
    let word = |column| {
        let (a, b) = (from.0.word(column, from.1), to.0.word(column, to.1));
        (a != b).then(|| (a.map(str::to_owned), b.map(str::to_owned)))
    };
    let place = |row: Row<'_>| row.0.location(row.1).map(|l| format!("{}, {}", l.latitude, l.longitude));
    let change = |field, (was, is): (Option<String>, Option<String>)| Changed {
        address: to.0.address(to.1).to_owned(),
        host_name: host_name(to),
        field,
        from: was,
        to: is,
    };
    for (column, field) in [(Word::Ip, "ip"), (Word::HostName, "host")] {
        if let Some(both) = word(column) {
            diff.moved.push(|| change(field, both));
        }
    }
    let moved =
        [Number::Latitude, Number::Longitude].iter().any(|c| from.0.number(*c, from.1) != to.0.number(*c, to.1));
    if moved {
        diff.moved.push(|| change("location", (place(from), place(to))));
    }
    for (column, field) in [(Word::Version, "version"), (Word::Package, "package"), (Word::Namespace, "namespace")] {
        if let Some(both) = word(column) {
            diff.upgraded.push(|| change(field, both));
        }
    }
    let uptime = |row: Row<'_>| row.0.number(Number::Uptime, row.1).and_then(|s| u64::try_from(s).ok());
    if uptime(from).is_some() && uptime(to).is_some_and(|s| s < between_s) {
        diff.restarted.push(|| named(to.0, to.1, Some(from.0.status(from.1))));
    }
    neighbours(diff, from, to);
}

fn neighbours(diff: &mut Diff, from: Row<'_>, to: Row<'_>) {
    let before: HashSet<&str> = from.0.list(List::Neighbours, from.1).collect();
    let after: HashSet<&str> = to.0.list(List::Neighbours, to.1).collect();
    if before == after {
        return;
    }
    let gained: Vec<String> =
        to.0.list(List::Neighbours, to.1).filter(|name| !before.contains(name)).map(str::to_owned).collect();
    let lost: Vec<String> =
        from.0.list(List::Neighbours, from.1).filter(|name| !after.contains(name)).map(str::to_owned).collect();
    diff.neighbours_gained += gained.len() as u64;
    diff.neighbours_lost += lost.len() as u64;
    let address = to.0.address(to.1).to_owned();
    diff.neighbours.push(|| NeighbourChange { address, host_name: host_name(to), gained, lost });
}

fn host_name((table, row): Row<'_>) -> Option<String> {
    table.word(Word::HostName, row).or_else(|| table.word(Word::Ip, row)).map(str::to_owned)
}

fn named(table: &NodeTable, row: usize, elsewhere: Option<NodeStatus>) -> Named {
    Named { address: table.address(row).to_owned(), host_name: host_name((table, row)), elsewhere }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Location;
    use crate::snapshot::{Node, NodeDetails};

    fn node(address: &str) -> Node {
        let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
        Node { status: NodeStatus::Answering, ..Node::unknown(address, details) }
    }

    #[test]
    fn who_came_who_went_who_changed() {
        let old = [
            Node { status: NodeStatus::DialFailed, ..node("back") },
            node("gone"),
            Node { ip: Some("10.0.0.1".into()), version: Some("v1".into()), uptime_s: Some(9_000), ..node("same") },
            node("silent"),
        ];
        let new = [
            node("back"),
            node("new"),
            Node {
                ip: Some("10.0.0.2".into()),
                version: Some("v2".into()),
                uptime_s: Some(60),
                location: Location::new(1.5, 2.0),
                neighbours: vec!["new".into()],
                ..node("same")
            },
            Node { status: NodeStatus::AskFailed, ..node("silent") },
        ];
        let found = diff(&NodeTable::of(&old), &NodeTable::of(&new), 1_800);
        let names = |lines: &Lines<Named>| lines.items.iter().map(|n| n.address.clone()).collect::<Vec<_>>();
        assert_eq!(names(&found.joined), ["back", "new"]);
        assert_eq!(found.joined.items[0].elsewhere, Some(NodeStatus::DialFailed));
        assert_eq!(names(&found.left), ["gone", "silent"]);
        assert_eq!(names(&found.restarted), ["same"]);
        let fields: Vec<_> = found.moved.items.iter().chain(&found.upgraded.items).map(|c| c.field).collect();
        assert_eq!(fields, ["ip", "location", "version"]);
        assert_eq!(found.moved.items[1].to.as_deref(), Some("1.5, 2"));
        assert_eq!((found.stayed, found.neighbours_gained, found.neighbours_lost), (1, 1, 0));
        let table = NodeTable::of(&new);
        let same = diff(&table, &table, 0);
        assert_eq!(same, Diff { stayed: 3, ..Diff::default() });
    }

    #[test]
    fn long_lists_are_counted_whole() {
        let many: Vec<Node> = (0..LINES_MAX + 5).map(|i| node(&format!("{i:06}"))).collect();
        let found = diff(&NodeTable::default(), &NodeTable::of(&many), 0);
        assert_eq!((found.joined.total as usize, found.joined.items.len()), (LINES_MAX + 5, LINES_MAX));
    }
}
