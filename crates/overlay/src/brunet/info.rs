//! What `Information.Info` and its like tell, as a node of a snapshot.

use p2ppool_model::host::Location;
use p2ppool_model::snapshot::{BrunetDetails, Coordinates, Node, NodeDetails};

use super::address;
use super::xml_rpc::Value;

/// Most values of one list that are looked at.
const LIST_MAX: usize = 1_024;

/// Whom a node names, from `neighbors` of its information or from `sys:link.GetNeighbors`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Neighbours {
    /// Who says so.
    pub(super) own: String,
    pub(super) left: Option<String>,
    pub(super) right: Option<String>,
    pub(super) left2: Option<String>,
    pub(super) right2: Option<String>,
    /// One of its shortcuts, another one each time.
    pub(super) shortcut: Option<String>,
}

impl Neighbours {
    /// `None` when it doesn't even say who it is. What is no overlay address is left out.
    pub(super) fn of(told: &Value) -> Option<Self> {
        let at = |name: &str| told.get(name).and_then(Value::text).filter(|text| is_address(text)).map(str::to_owned);
        Some(Self {
            own: at("self")?,
            left: at("left"),
            right: at("right"),
            left2: at("left2"),
            right2: at("right2"),
            shortcut: at("shortcut"),
        })
    }

    /// All of them, the ring's first, each once, without the node itself.
    pub(super) fn all(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for one in [&self.left, &self.right, &self.left2, &self.right2, &self.shortcut].into_iter().flatten() {
            if *one != self.own && !all.contains(one) {
                all.push(one.clone());
            }
        }
        all
    }
}

fn is_address(text: &str) -> bool {
    address::key(text).is_some()
}

/// A node that told its information.
pub(super) fn node(told: &Value, neighbours: &Neighbours) -> Node {
    let count = |name: &str| told.get(name).and_then(Value::count);
    let text = |name: &str| told.get(name).and_then(Value::text).filter(|text| !text.is_empty()).map(str::to_owned);
    let ips: Vec<String> = texts(told.get("localips"));
    let details = BrunetDetails {
        information: true,
        virtual_ips: texts(told.get("VirtualIPs")),
        ipop_namespace: text("IpopNamespace"),
        wedges: count("wedges"),
        subring: text("subring"),
        ..ring(neighbours)
    };
    Node {
        ip: ips.iter().find(|ip| ip.parse::<std::net::IpAddr>().is_ok()).cloned(),
        version: text("type"),
        connections: count("cons"),
        tcp: count("tcp"),
        udp: count("udp"),
        relayed: count("tunnel"),
        secure: count("sas"),
        // several IPOP namespaces may share one overlay; that of the overlay is the same for all
        namespace: text("IpopNamespace"),
        location: told.get("geo_loc").and_then(Value::text).and_then(location),
        ..Node::unknown(&neighbours.own, NodeDetails::Brunet(details))
    }
}

/// A node that has no Information service and only told its neighbours.
pub(super) fn bare_node(neighbours: &Neighbours) -> Node {
    Node::unknown(&neighbours.own, NodeDetails::Brunet(ring(neighbours)))
}

fn ring(neighbours: &Neighbours) -> BrunetDetails {
    let neighbours = neighbours.clone();
    BrunetDetails {
        left: neighbours.left,
        right: neighbours.right,
        left2: neighbours.left2,
        right2: neighbours.right2,
        shortcuts: neighbours.shortcut.into_iter().collect(),
        ..BrunetDetails::default()
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.map(Value::items).unwrap_or_default();
    items.iter().take(LIST_MAX).filter_map(Value::text).map(str::to_owned).collect()
}

/// `29.6516, -82.3248`; `,` when the node could not find out.
fn location(text: &str) -> Option<Location> {
    let (latitude, longitude) = text.split_once(',')?;
    Location::new(latitude.trim().parse().ok()?, longitude.trim().parse().ok()?)
}

/// A connection table: `["structured", ["address", "sender", "subtype"], [address, …, ".near"], …]`.
pub(super) struct Connections {
    /// Everybody it is connected to.
    pub(super) peers: Vec<String>,
    /// Of them by a shortcut.
    pub(super) shortcuts: Vec<String>,
}

impl Connections {
    pub(super) fn of(told: &Value) -> Self {
        let mut found = Self { peers: Vec::new(), shortcuts: Vec::new() };
        for row in told.items().iter().skip(2).take(LIST_MAX) {
            let [address, .., kind] = row.items() else { continue };
            let Some(address) = address.text().filter(|text| is_address(text)) else { continue };
            if found.peers.iter().any(|known| known == address) {
                continue;
            }
            found.peers.push(address.to_owned());
            if kind.text() == Some(".shortcut") {
                found.shortcuts.push(address.to_owned());
            }
        }
        found
    }
}

/// Host name and place in the Vivaldi space, from `ncserver.EchoVivaldiState`.
pub(super) fn vivaldi(told: &Value) -> (Option<String>, Option<Coordinates>) {
    let host_name = told.get("hostname").and_then(Value::text).filter(|name| !name.is_empty()).map(str::to_owned);
    let position = told.get("position");
    let side: Vec<f64> = position
        .and_then(|position| position.get("side"))
        .map(Value::items)
        .unwrap_or_default()
        .iter()
        .filter_map(Value::number)
        .collect();
    let coordinates = match (side.as_slice(), position.and_then(|p| p.get("height")).and_then(Value::number)) {
        ([x, y], Some(height)) => {
            let error = told.get("error").and_then(Value::number).unwrap_or(1.0);
            Some(Coordinates { x: *x, y: *y, height, error }).filter(Coordinates::is_finite)
        }
        _ => None,
    };
    (host_name, coordinates)
}

/// Namespace and transport addresses, from `LocalCO.GetInformation`.
pub(super) fn overlord(told: &Value) -> (Option<String>, Vec<String>) {
    let namespace = told.get("namespace").and_then(Value::text).map(str::to_owned);
    let addresses = texts(told.get("tas"));
    // a tunnel is no address to be dialled
    (namespace, addresses.into_iter().filter(|address| !address.starts_with("brunet.tunnel:")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brunet::xml_rpc::{Response, response};

    fn told(body: &[u8]) -> Value {
        match response(body).unwrap() {
            Response::Value(Value::Array(mut answers)) if answers.len() == 1 => answers.remove(0),
            Response::Value(value) => value,
            fault => panic!("{fault:?}"),
        }
    }

    #[test]
    fn a_real_node_is_told() {
        let info = told(include_bytes!("../../tests/captures/proxy-right-Info.response.xml"));
        let neighbours = Neighbours::of(info.get("neighbors").unwrap()).unwrap();
        let node = node(&info, &neighbours);
        assert_eq!((node.connections, node.tcp, node.udp, node.relayed), (Some(18), Some(1), Some(17), Some(0)));
        assert_eq!((node.ip.as_deref(), node.version.as_deref()), (Some("127.0.1.4"), Some("BasicNode")));
        assert_eq!((node.secure, node.location), (None, None), "what it does not tell is unknown");
        let NodeDetails::Brunet(details) = &node.details else { panic!() };
        assert_eq!(details.left.as_deref(), Some("brunet:node:5IKYXST7NENJP6EU3RW73T4LJY3DIATE"));
        assert!(details.information);
        assert_eq!(neighbours.all().len(), 5);
    }

    #[test]
    fn optional_answers_are_read() {
        let table = told(include_bytes!("../../tests/captures/proxy-right-ConnectionTable-near.response.xml"));
        let connections = Connections::of(&table);
        assert!(connections.peers.len() > 5 && connections.shortcuts.len() == 1, "{:?}", connections.peers);
        let (name, coordinates) =
            vivaldi(&told(include_bytes!("../../tests/captures/local-ncserver-EchoVivaldiState.response.xml")));
        assert_eq!(name.as_deref(), Some("vm"));
        assert!((coordinates.unwrap().height - 0.2718).abs() < 0.001);
        let (namespace, addresses) =
            overlord(&told(include_bytes!("../../tests/captures/local-LocalCO-GetInformation.response.xml")));
        assert_eq!((namespace.as_deref(), addresses.len()), (Some("testpool"), 3));
    }

    #[test]
    fn ipop_and_security_are_told_when_they_are_there() {
        let text = |text: &str| Value::Text(text.to_owned());
        let own = text("brunet:node:5IKYXST7NENJP6EU3RW73T4LJY3DIATE");
        let neighbors = Value::Struct([("self".to_owned(), own)].into());
        let info = Value::Struct(
            [
                ("neighbors".to_owned(), neighbors.clone()),
                ("VirtualIPs".to_owned(), Value::Array(vec![text("10.128.0.5")])),
                ("IpopNamespace".to_owned(), text("grid")),
                ("sas".to_owned(), Value::Int(3)),
                ("wedges".to_owned(), Value::Int(2)),
                ("subring".to_owned(), text("private")),
                ("geo_loc".to_owned(), text("29.6516, -82.3248")),
                ("cons".to_owned(), Value::Int(-5)),
            ]
            .into(),
        );
        let node = node(&info, &Neighbours::of(&neighbors).unwrap());
        let NodeDetails::Brunet(details) = &node.details else { panic!() };
        assert_eq!(details.virtual_ips, ["10.128.0.5"]);
        assert_eq!((details.ipop_namespace.as_deref(), details.wedges), (Some("grid"), Some(2)));
        assert_eq!(node.namespace.as_deref(), Some("grid"), "maps and lists are filtered by it");
        assert_eq!((details.subring.as_deref(), node.secure, node.connections), (Some("private"), Some(3), None));
        assert_eq!(node.location, Location::new(29.6516, -82.3248));
    }

    #[test]
    fn what_is_no_address_names_nobody() {
        let text = |text: &str| Value::Text(text.to_owned());
        let own = text("brunet:node:5IKYXST7NENJP6EU3RW73T4LJY3DIATE");
        let told = |left: Value| Value::Struct([("self".to_owned(), own.clone()), ("left".to_owned(), left)].into());
        assert_eq!(Neighbours::of(&told(text("javascript:alert(1)"))).unwrap().left, None);
        assert_eq!(Neighbours::of(&told(Value::Nil)).unwrap().all(), Vec::<String>::new());
        assert_eq!(Neighbours::of(&told(own.clone())).unwrap().all(), Vec::<String>::new());
        assert_eq!(Neighbours::of(&Value::Array(vec![])), None);
    }
}
