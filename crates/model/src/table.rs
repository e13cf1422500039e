//! The nodes of one snapshot as columns: ten times smaller than as many [`Node`]s, and fast to
//! sort, filter, compare and write out.
//!
//! Every text lies once in [`Texts`], numbers are integers of a fixed unit, rows are in the order of
//! their overlay addresses. What does not fit the unit is rounded to it: round-trip times to the
//! microsecond, CPU time and load to a hundredth, consistency and coordinates to a millionth.

mod columns;
mod texts;
mod totals;

use crate::HostId;
use crate::host::Location;
use crate::snapshot::{BrunetDetails, Coordinates, Node, NodeDetails, NodeStatus};

pub use columns::{List, Number, UNKNOWN, Word};
pub use texts::{NO_TEXT, TextId, Texts};

/// Lists of texts, one per row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Where the list of each row ends in `items`.
    pub ends: Vec<u32>,
    /// The texts of all rows, one after the other.
    pub items: Vec<TextId>,
}

impl Lists {
    /// The list of a row.
    pub fn row(&self, row: usize) -> &[TextId] {
        let begin = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.items[begin as usize..self.ends[row] as usize]
    }

    /// Adds the list of the next row.
    pub fn push(&mut self, items: impl IntoIterator<Item = TextId>) {
        self.items.extend(items);
        self.ends.push(u32::try_from(self.items.len()).unwrap_or(u32::MAX));
    }
}

/// The nodes of one snapshot, ordered by overlay address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTable {
    /// Every text of the table.
    pub texts: Texts,
    /// By [`Number`].
    pub numbers: [Vec<i64>; Number::ALL.len()],
    /// By [`Word`].
    pub words: [Vec<TextId>; Word::ALL.len()],
    /// By [`List`].
    pub lists: [Lists; List::ALL.len()],
}

impl NodeTable {
    /// A table of these nodes.
    pub fn of(nodes: &[Node]) -> Self {
        let mut order: Vec<&Node> = nodes.iter().collect();
        order.sort_by(|a, b| a.address.cmp(&b.address));
        let mut texts = texts::Interner::default();
        let mut table = Self::default();
        for number in Number::ALL {
            table.numbers[number.at()] = order.iter().map(|node| columns::number_of(node, number)).collect();
        }
        for word in Word::ALL {
            let ids = order.iter().map(|node| texts.id_of(columns::word_of(node, word))).collect();
            table.words[word.at()] = ids;
        }
        for list in List::ALL {
            let lists = &mut table.lists[list.at()];
            for node in &order {
                lists.push(columns::list_of(node, list).iter().map(|text| texts.id(text)));
            }
        }
        table.texts = texts.finish();
        table
    }

    /// How many nodes.
    pub fn len(&self) -> usize {
        self.words[Word::Address.at()].len()
    }

    /// There is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A number in its column's unit.
    pub fn number(&self, column: Number, row: usize) -> Option<i64> {
        Some(self.numbers[column.at()][row]).filter(|number| *number != UNKNOWN)
    }

    /// A number as the node had it.
    pub fn float(&self, column: Number, row: usize) -> Option<f64> {
        self.number(column, row).map(|number| number as f64 / column.scale())
    }

    /// A text.
    pub fn word(&self, column: Word, row: usize) -> Option<&str> {
        self.texts.known(self.words[column.at()][row])
    }

    /// The texts of a list.
    pub fn list(&self, column: List, row: usize) -> impl ExactSizeIterator<Item = &str> {
        self.lists[column.at()].row(row).iter().map(|id| self.texts.get(*id))
    }

    /// The overlay address of a row.
    pub fn address(&self, row: usize) -> &str {
        self.texts.get(self.words[Word::Address.at()][row])
    }

    /// The first row of an overlay address.
    pub fn row_of(&self, address: &str) -> Option<usize> {
        let rows = &self.words[Word::Address.at()];
        let row = rows.partition_point(|id| self.texts.get(*id) < address);
        (row < rows.len() && self.address(row) == address).then_some(row)
    }

    /// Did it answer?
    pub fn status(&self, row: usize) -> NodeStatus {
        let number = self.numbers[Number::Status.at()][row];
        usize::try_from(number).ok().and_then(|at| NodeStatus::ALL.get(at).copied()).unwrap_or(NodeStatus::NotDialled)
    }

    /// It told its neighbours.
    pub fn is_answering(&self, row: usize) -> bool {
        self.status(row) == NodeStatus::Answering
    }

    /// Our host that runs it.
    pub fn host(&self, row: usize) -> Option<HostId> {
        self.number(Number::Host, row).map(HostId)
    }

    /// Where it is.
    pub fn location(&self, row: usize) -> Option<Location> {
        let (latitude, longitude) = (self.float(Number::Latitude, row)?, self.float(Number::Longitude, row)?);
        Location::new(latitude, longitude)
    }

    /// A row as a node.
    pub fn node(&self, row: usize) -> Node {
        let word = |column| self.word(column, row).map(str::to_owned);
        let list = |column| self.list(column, row).map(str::to_owned).collect();
        let small = |column| self.number(column, row).map(|n| u32::try_from(n).unwrap_or(u32::MAX));
        let large = |column| self.number(column, row).map(|n| u64::try_from(n).unwrap_or(0));
        Node {
            address: self.address(row).to_owned(),
            status: self.status(row),
            error: word(Word::Error),
            host: self.host(row),
            host_name: word(Word::HostName),
            ip: word(Word::Ip),
            transport_addresses: list(List::TransportAddresses),
            version: word(Word::Version),
            package: self.word(Word::Package, row).and_then(|digest| digest.parse().ok()),
            namespace: word(Word::Namespace),
            consistency: self.float(Number::Consistency, row),
            connections: small(Number::Connections),
            tcp: small(Number::Tcp),
            udp: small(Number::Udp),
            relayed: small(Number::Relayed),
            secure: small(Number::Secure),
            retries: small(Number::Retries).unwrap_or(0),
            rtt_ms: self.float(Number::Rtt, row),
            uptime_s: large(Number::Uptime),
            memory: large(Number::Memory),
            cpu_s: self.float(Number::Cpu, row),
            load: self.float(Number::Load, row),
            location: self.location(row),
            neighbours: list(List::Neighbours),
            details: self.details(row),
        }
    }

    fn details(&self, row: usize) -> NodeDetails {
        let word = |column| self.word(column, row).map(str::to_owned);
        let list = |column| self.list(column, row).map(str::to_owned).collect();
        if self.number(Number::Kind, row) == Some(columns::KIND_BRUNET) {
            return NodeDetails::Brunet(BrunetDetails {
                virtual_ips: list(List::VirtualIps),
                ipop_namespace: word(Word::IpopNamespace),
                left: word(Word::Left),
                right: word(Word::Right),
                left2: word(Word::Left2),
                right2: word(Word::Right2),
                shortcuts: list(List::Shortcuts),
                wedges: self.number(Number::Wedges, row).map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
                subring: word(Word::Subring),
                information: self.number(Number::Info, row) == Some(1),
                coordinates: self.coordinates(row),
                disagrees: columns::sides_of(self.number(Number::Disagrees, row).unwrap_or(0)),
            });
        }
        NodeDetails::Libp2p {
            nat: word(Word::Nat),
            protocols: list(List::Protocols),
            info: self.number(Number::Info, row) == Some(1),
        }
    }

    fn coordinates(&self, row: usize) -> Option<Coordinates> {
        Some(Coordinates {
            x: self.float(Number::VivaldiX, row)?,
            y: self.float(Number::VivaldiY, row)?,
            height: self.float(Number::VivaldiHeight, row)?,
            error: self.float(Number::VivaldiError, row)?,
        })
    }

    /// Memory it takes, bytes.
    pub fn bytes(&self) -> usize {
        let numbers: usize = self.numbers.iter().map(|column| column.capacity() * size_of::<i64>()).sum();
        let words: usize = self.words.iter().map(|column| column.capacity() * size_of::<TextId>()).sum();
        let lists: usize = self.lists.iter().map(|lists| (lists.ends.capacity() + lists.items.capacity()) * 4).sum();
        numbers + words + lists + self.texts.bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Digest;

    fn any_details() -> impl Strategy<Value = NodeDetails> {
        let word = || prop::option::of("[a-z]{0,3}");
        let list = || prop::collection::vec("[a-z]{0,3}", 0..4);
        let libp2p = (word(), list(), any::<bool>()).prop_map(|(nat, protocols, info)| NodeDetails::Libp2p {
            nat,
            protocols,
            info,
        });
        let brunet = (list(), word(), word(), list(), any::<Option<u32>>()).prop_map(
            |(virtual_ips, left, subring, shortcuts, wedges)| {
                NodeDetails::Brunet(BrunetDetails {
                    virtual_ips,
                    left,
                    subring,
                    shortcuts,
                    wedges,
                    information: wedges.is_some(),
                    coordinates: wedges.map(|n| Coordinates {
                        x: f64::from(n) / 1e3,
                        y: -1.5,
                        height: 0.0,
                        error: 0.001,
                    }),
                    disagrees: crate::consistency::RingSide::ALL.into_iter().skip(2).collect(),
                    ..BrunetDetails::default()
                })
            },
        );
        prop_oneof![libp2p, brunet]
    }

    prop_compose! {
        fn any_node()(
            address in "[a-f]{0,4}",
            status in prop::sample::select(NodeStatus::ALL.to_vec()),
            words in prop::collection::vec(prop::option::of("[a-c\0é]{0,3}"), 4),
            counts in any::<(Option<u32>, Option<u32>, u32, Option<i64>)>(),
            uptime_s in prop::option::of(0..u64::MAX / 2),
            floats in prop::option::of((0..1_000_000_i64, 0..100_000_000_i64)),
            lists in prop::collection::vec(prop::collection::vec("[a-f]{0,4}", 0..5), 2),
            package in any::<Option<u8>>(),
            details in any_details(),
        ) -> Node {
            Node {
                status,
                error: words[0].clone(),
                ip: words[1].clone(),
                version: words[2].clone(),
                namespace: words[3].clone(),
                host: counts.3.filter(|id| *id != UNKNOWN).map(HostId),
                connections: counts.0,
                secure: counts.1,
                retries: counts.2,
                uptime_s,
                consistency: floats.map(|(a, _)| a as f64 / 1e6),
                rtt_ms: floats.map(|(_, b)| b as f64 / 1e3),
                location: floats.and_then(|(a, b)| Location::new(a as f64 / 1e6, b as f64 / 1e6)),
                transport_addresses: lists[0].clone(),
                neighbours: lists[1].clone(),
                package: package.map(|byte| Digest::of(&[byte])),
                ..Node::unknown(address, details)
            }
        }
    }

    proptest! {
        #[test]
        fn a_table_holds_what_the_nodes_say(nodes in prop::collection::vec(any_node(), 0..20)) {
            let table = NodeTable::of(&nodes);
            let mut sorted = nodes;
            sorted.sort_by(|a, b| a.address.cmp(&b.address));
            let read: Vec<Node> = (0..table.len()).map(|row| table.node(row)).collect();
            prop_assert_eq!(&read, &sorted);
            for node in &sorted {
                let row = table.row_of(&node.address).unwrap();
                prop_assert_eq!(table.address(row), &node.address);
            }
            prop_assert_eq!(table.row_of("zz"), None);
        }
    }

    #[test]
    fn what_is_no_number_is_unknown() {
        let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: false };
        let node = Node { rtt_ms: Some(f64::NAN), cpu_s: Some(f64::INFINITY), ..Node::unknown("a", details) };
        let read = NodeTable::of(&[node]).node(0);
        assert_eq!((read.rtt_ms, read.cpu_s), (None, None));
    }
}
