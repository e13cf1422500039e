//! Which nodes of a table, in which order: worked out in memory.

use std::cmp::Ordering;
use std::str::FromStr;

use p2ppool_model::snapshot::NodeStatus;
use p2ppool_model::table::{List, NodeTable, Number, TextId, UNKNOWN, Word};

use crate::natural::Natural;
use crate::page::Order;

/// Which nodes, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFilter {
    /// Part of overlay address, host name, IP, version, namespace, virtual IP or package; empty: all.
    pub text: String,
    /// Only those of this status.
    pub status: Option<NodeStatus>,
    /// Only those of this namespace.
    pub namespace: Option<String>,
    /// Only those of one of these namespaces, too; empty: of all.
    pub within: Vec<String>,
    /// Sorted by.
    pub sort: NodeSort,
    /// Up or down.
    pub order: Order,
}

/// Texts that a filter looks into.
const SEARCHED: [Word; 6] = [Word::Address, Word::HostName, Word::Ip, Word::Version, Word::Namespace, Word::Package];

/// What a sort compares.
enum Column {
    Word(Word),
    Number(Number),
    /// By the name of the status.
    Status,
    /// By the first virtual IP.
    VirtualIp,
    /// By latitude, then longitude.
    Location,
}

macro_rules! node_sorts {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $column:expr;)*) => {
        /// What nodes can be sorted by: every column that is shown.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum NodeSort {
            $($(#[$doc])* $name,)*
        }

        impl NodeSort {
            /// Everything that nodes can be sorted by.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name used in the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            fn column(self) -> Column {
                match self { $(Self::$name => $column),* }
            }
        }
    };
}

node_sorts! {
    /// Overlay address.
    #[default]
    Address, "address", Column::Word(Word::Address);
    /// Name or IP of its host.
    HostName, "host_name", Column::Word(Word::HostName);
    /// IP address.
    Ip, "ip", Column::Word(Word::Ip);
    /// Status, by name.
    Status, "status", Column::Status;
    /// Why it did not answer.
    Error, "error", Column::Word(Word::Error);
    /// Program and version.
    Version, "version", Column::Word(Word::Version);
    /// Package.
    Package, "package", Column::Word(Word::Package);
    /// Namespace.
    Namespace, "namespace", Column::Word(Word::Namespace);
    /// First virtual IP.
    VirtualIp, "virtual_ip", Column::VirtualIp;
    /// Consistency.
    Consistency, "consistency", Column::Number(Number::Consistency);
    /// Connections.
    Connections, "connections", Column::Number(Number::Connections);
    /// Connections over TCP.
    Tcp, "tcp", Column::Number(Number::Tcp);
    /// Connections over UDP.
    Udp, "udp", Column::Number(Number::Udp);
    /// Relayed connections.
    Relayed, "relayed", Column::Number(Number::Relayed);
    /// Secure associations.
    Secure, "secure", Column::Number(Number::Secure);
    /// Retries.
    Retries, "retries", Column::Number(Number::Retries);
    /// Round-trip time.
    Rtt, "rtt_ms", Column::Number(Number::Rtt);
    /// Uptime.
    Uptime, "uptime_s", Column::Number(Number::Uptime);
    /// Memory.
    Memory, "memory", Column::Number(Number::Memory);
    /// CPU time.
    Cpu, "cpu_s", Column::Number(Number::Cpu);
    /// Load average.
    Load, "load", Column::Number(Number::Load);
    /// Latitude, then longitude.
    Location, "location", Column::Location;
}

impl FromStr for NodeSort {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|sort| sort.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|sort| sort.as_str()).collect();
            format!("nodes can't be sorted by `{text}` (known: {})", known.join(", "))
        })
    }
}

/// The rows that a filter lets through, in its order; equal ones by overlay address. What is unknown comes last.
/// Numbers in texts count as numbers ([`Natural`]), but not in overlay addresses, which are hashes.
pub fn rows(table: &NodeTable, filter: &NodeFilter) -> Vec<u32> {
    let mut search = Search::new(table, &filter.text);
    let status = filter.status.map(|status| NodeStatus::ALL.iter().position(|s| *s == status).unwrap_or(0) as i64);
    let statuses = &table.numbers[Number::Status.at()];
    let namespace = filter.namespace.as_deref();
    let is_within = |name: Option<&str>| name.is_some_and(|name| filter.within.iter().any(|one| one == name));
    let mut rows: Vec<u32> = (0..table.len())
        .filter(|row| status.is_none_or(|status| statuses[*row] == status))
        .filter(|row| namespace.is_none() || table.word(Word::Namespace, *row) == namespace)
        .filter(|row| filter.within.is_empty() || is_within(table.word(Word::Namespace, *row)))
        .filter(|row| search.finds(*row))
        .map(|row| row as u32)
        .collect();
    match filter.sort.column() {
        // that is how they lie
        Column::Word(Word::Address) => {
            if filter.order == Order::Descending {
                rows.reverse();
            }
        }
        Column::Word(word) => sort_by(&mut rows, filter.order, |row| table.word(word, row).map(Natural)),
        Column::Number(number) => {
            let column = &table.numbers[number.at()];
            sort_by(&mut rows, filter.order, |row| Some(column[row]).filter(|number| *number != UNKNOWN));
        }
        Column::Status => sort_by(&mut rows, filter.order, |row| Some(table.status(row).as_str())),
        Column::VirtualIp => {
            sort_by(&mut rows, filter.order, |row| table.list(List::VirtualIps, row).next().map(Natural))
        }
        Column::Location => sort_by(&mut rows, filter.order, |row| {
            table.number(Number::Latitude, row).zip(table.number(Number::Longitude, row))
        }),
    }
    rows
}

fn sort_by<K: Ord>(rows: &mut [u32], order: Order, key: impl Fn(usize) -> Option<K>) {
    rows.sort_by(|a, b| match (key(*a as usize), key(*b as usize)) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) if order == Order::Descending => b.cmp(&a),
        (Some(a), Some(b)) => a.cmp(&b),
    });
}

/// Looks into each text once, however many rows have it.
struct Search<'a> {
    table: &'a NodeTable,
    part: String,
    found: Vec<Option<bool>>,
}

impl<'a> Search<'a> {
    fn new(table: &'a NodeTable, part: &str) -> Self {
        let texts = if part.is_empty() { 0 } else { table.texts.count() };
        Self { table, part: part.to_ascii_lowercase(), found: vec![None; texts] }
    }

    fn finds(&mut self, row: usize) -> bool {
        self.part.is_empty()
            || SEARCHED.iter().any(|word| self.holds(self.table.words[word.at()][row]))
            || self.table.lists[List::VirtualIps.at()].row(row).iter().any(|id| self.holds(*id))
    }

    fn holds(&mut self, id: TextId) -> bool {
        let holds = || holds(self.table.texts.get(id), &self.part);
        *self.found[id as usize].get_or_insert_with(holds)
    }
}

/// `part` is in lower case (ASCII).
fn holds(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}
