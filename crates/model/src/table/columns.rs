//! The columns of a table. A column's number is part of how snapshots lie in the database: numbers
//! are never given to another column, new ones are added at the end.

use crate::consistency::RingSide;
use crate::snapshot::{Node, NodeDetails, NodeStatus};

/// A number that is not known.
pub const UNKNOWN: i64 = i64::MIN;

pub(super) const KIND_LIBP2P: i64 = 0;
pub(super) const KIND_BRUNET: i64 = 1;

macro_rules! columns {
    ($(#[$doc:meta])* $name:ident { $($(#[$column_doc:meta])* $column:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$column_doc])* $column,)*
        }

        impl $name {
            /// Every column of this sort.
            pub const ALL: [Self; [$(Self::$column),*].len()] = [$(Self::$column),*];

            /// Its number.
            pub fn at(self) -> usize {
                self as usize
            }
        }
    };
}

columns! {
    /// Columns of numbers.
    Number {
        /// Position in [`NodeStatus::ALL`].
        Status,
        /// Our host that runs it.
        Host,
        /// Millionths.
        Consistency,
        /// Connections.
        Connections,
        /// Of them over TCP.
        Tcp,
        /// Of them over UDP.
        Udp,
        /// Of them relayed.
        Relayed,
        /// Secure associations.
        Secure,
        /// Attempts beyond the first.
        Retries,
        /// Round-trip time, microseconds.
        Rtt,
        /// Seconds since it started.
        Uptime,
        /// Resident memory, bytes.
        Memory,
        /// CPU time, hundredths of a second.
        Cpu,
        /// Load average, hundredths.
        Load,
        /// Millionths of a degree.
        Latitude,
        /// Millionths of a degree.
        Longitude,
        /// The overlay kind.
        Kind,
        /// 1 when it speaks our info protocol (libp2p), or has the Information service (Brunet).
        Info,
        /// Brunet: wrapped edges.
        Wedges,
        /// Brunet: Vivaldi coordinate, thousandths.
        VivaldiX,
        /// Brunet: Vivaldi coordinate, thousandths.
        VivaldiY,
        /// Brunet: Vivaldi height, thousandths.
        VivaldiHeight,
        /// Brunet: estimated error of the coordinates, thousandths.
        VivaldiError,
        /// Brunet: sides on which its neighbour does not name it back, one bit each, in the order of [`RingSide::ALL`].
        Disagrees,
    }
}

columns! {
    /// Columns of texts.
    Word {
        /// Overlay address; never unknown.
        Address,
        /// Why it did not answer.
        Error,
        /// Name of its host.
        HostName,
        /// IP address.
        Ip,
        /// Program and version.
        Version,
        /// Digest of its package.
        Package,
        /// Namespace.
        Namespace,
        /// libp2p: NAT status.
        Nat,
        /// Brunet: IPOP namespace.
        IpopNamespace,
        /// Brunet: left neighbour.
        Left,
        /// Brunet: right neighbour.
        Right,
        /// Brunet: the one after the left.
        Left2,
        /// Brunet: the one after the right.
        Right2,
        /// Brunet: subring.
        Subring,
    }
}

columns! {
    /// Columns of lists of texts.
    List {
        /// Transport addresses.
        TransportAddresses,
        /// Overlay addresses of the closest neighbours.
        Neighbours,
        /// libp2p: protocols.
        Protocols,
        /// Brunet: virtual IP addresses.
        VirtualIps,
        /// Brunet: shortcuts.
        Shortcuts,
    }
}

impl Number {
    /// How many units of the column make one unit of the node's field.
    pub fn scale(self) -> f64 {
        match self {
            Self::Consistency | Self::Latitude | Self::Longitude => 1e6,
            Self::Rtt | Self::VivaldiX | Self::VivaldiY | Self::VivaldiHeight | Self::VivaldiError => 1e3,
            Self::Cpu | Self::Load => 1e2,
            _ => 1.0,
        }
    }
}

pub(super) fn number_of(node: &Node, column: Number) -> i64 {
    let scaled = |value: Option<f64>| {
        // A float to integer cast saturates, so nothing wraps.
        value.filter(|v| v.is_finite()).map(|value| (value * column.scale()).round() as i64)
    };
    let brunet = match &node.details {
        NodeDetails::Brunet(brunet) => Some(brunet),
        NodeDetails::Libp2p { .. } => None,
    };
    let coordinates = brunet.and_then(|brunet| brunet.coordinates).filter(crate::snapshot::Coordinates::is_finite);
    let large = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
    let small = |value: Option<u32>| value.map(i64::from);
    let number = match column {
        Number::Status => NodeStatus::ALL.iter().position(|status| *status == node.status).map(|at| at as i64),
        Number::Host => node.host.map(|id| id.0),
        Number::Consistency => scaled(node.consistency),
        Number::Connections => small(node.connections),
        Number::Tcp => small(node.tcp),
        Number::Udp => small(node.udp),
        Number::Relayed => small(node.relayed),
        Number::Secure => small(node.secure),
        Number::Retries => Some(i64::from(node.retries)),
        Number::Rtt => scaled(node.rtt_ms),
        Number::Uptime => large(node.uptime_s),
        Number::Memory => large(node.memory),
        Number::Cpu => scaled(node.cpu_s),
        Number::Load => scaled(node.load),
        Number::Latitude => scaled(node.location.map(|location| location.latitude)),
        Number::Longitude => scaled(node.location.map(|location| location.longitude)),
        Number::Kind => Some(match node.details {
            NodeDetails::Libp2p { .. } => KIND_LIBP2P,
            NodeDetails::Brunet(_) => KIND_BRUNET,
        }),
        Number::Info => Some(i64::from(match &node.details {
            NodeDetails::Libp2p { info, .. } => *info,
            NodeDetails::Brunet(brunet) => brunet.information,
        })),
        Number::Wedges => brunet.and_then(|brunet| small(brunet.wedges)),
        Number::VivaldiX => scaled(coordinates.map(|place| place.x)),
        Number::VivaldiY => scaled(coordinates.map(|place| place.y)),
        Number::VivaldiHeight => scaled(coordinates.map(|place| place.height)),
        Number::VivaldiError => scaled(coordinates.map(|place| place.error)),
        Number::Disagrees => brunet.map(|brunet| bits_of(&brunet.disagrees)),
    };
    number.unwrap_or(UNKNOWN)
}

fn bits_of(sides: &[RingSide]) -> i64 {
    (0..).zip(RingSide::ALL).filter(|(_, side)| sides.contains(side)).map(|(bit, _)| 1 << bit).sum()
}

/// The sides whose bits are set.
pub(super) fn sides_of(bits: i64) -> Vec<RingSide> {
    (0..).zip(RingSide::ALL).filter(|(bit, _)| bits >> bit & 1 == 1).map(|(_, side)| side).collect()
}

pub(super) fn word_of(node: &Node, column: Word) -> Option<&str> {
    let brunet = match &node.details {
        NodeDetails::Brunet(brunet) => Some(brunet),
        NodeDetails::Libp2p { .. } => None,
    };
    match column {
        Word::Address => Some(&node.address),
        Word::Error => node.error.as_deref(),
        Word::HostName => node.host_name.as_deref(),
        Word::Ip => node.ip.as_deref(),
        Word::Version => node.version.as_deref(),
        Word::Package => node.package.as_ref().map(crate::Digest::as_str),
        Word::Namespace => node.namespace.as_deref(),
        Word::Nat => match &node.details {
            NodeDetails::Libp2p { nat, .. } => nat.as_deref(),
            NodeDetails::Brunet(_) => None,
        },
        Word::IpopNamespace => brunet?.ipop_namespace.as_deref(),
        Word::Left => brunet?.left.as_deref(),
        Word::Right => brunet?.right.as_deref(),
        Word::Left2 => brunet?.left2.as_deref(),
        Word::Right2 => brunet?.right2.as_deref(),
        Word::Subring => brunet?.subring.as_deref(),
    }
}

pub(super) fn list_of(node: &Node, column: List) -> &[String] {
    match (column, &node.details) {
        (List::TransportAddresses, _) => &node.transport_addresses,
        (List::Neighbours, _) => &node.neighbours,
        (List::Protocols, NodeDetails::Libp2p { protocols, .. }) => protocols,
        (List::VirtualIps, NodeDetails::Brunet(brunet)) => &brunet.virtual_ips,
        (List::Shortcuts, NodeDetails::Brunet(brunet)) => &brunet.shortcuts,
        (List::Protocols | List::VirtualIps | List::Shortcuts, _) => &[],
    }
}
