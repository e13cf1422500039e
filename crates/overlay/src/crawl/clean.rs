//! What strangers told, bounded and disarmed before it is kept.

use p2ppool_model::snapshot::{BrunetDetails, NEIGHBOURS_MAX, Node, NodeDetails};

use super::text::printable;
use super::{Answer, ProbeError};

/// Longest text kept of what a node says of itself, in characters.
const TEXT_CHARS_MAX: usize = 128;
/// Longest error kept, in characters.
const ERROR_CHARS_MAX: usize = 512;
/// Most protocols kept per node; Kubo lists about 25.
const PROTOCOLS_MAX: usize = 48;

/// The answer with every text short and printable and every number a number. Its neighbours are the
/// frontier's to bound.
pub(super) fn answer(answer: Answer) -> Answer {
    Answer { node: node(answer.node), neighbours: answer.neighbours }
}

/// The error with a short and printable message.
pub(super) fn error(error: ProbeError) -> ProbeError {
    let node = error.node.map(|told| Box::new(node(*told)));
    ProbeError { message: printable(&error.message, ERROR_CHARS_MAX), node, ..error }
}

fn node(node: Node) -> Node {
    let text = |text: Option<String>| text.map(|text| printable(&text, TEXT_CHARS_MAX));
    let number = |number: Option<f64>| number.filter(|n| n.is_finite() && *n >= 0.0);
    Node {
        host_name: text(node.host_name),
        ip: text(node.ip),
        version: text(node.version),
        namespace: text(node.namespace),
        rtt_ms: number(node.rtt_ms),
        cpu_s: number(node.cpu_s),
        load: number(node.load),
        details: details(node.details),
        ..node
    }
}

fn details(told: NodeDetails) -> NodeDetails {
    let texts = |texts: Vec<String>, most: usize| -> Vec<String> {
        texts.into_iter().take(most).map(|text| printable(&text, TEXT_CHARS_MAX)).collect()
    };
    let text = |text: Option<String>| text.map(|text| printable(&text, TEXT_CHARS_MAX));
    match told {
        NodeDetails::Libp2p { nat, protocols, info } => {
            NodeDetails::Libp2p { nat: text(nat), protocols: texts(protocols, PROTOCOLS_MAX), info }
        }
        NodeDetails::Brunet(brunet) => NodeDetails::Brunet(BrunetDetails {
            virtual_ips: texts(brunet.virtual_ips, PROTOCOLS_MAX),
            ipop_namespace: text(brunet.ipop_namespace),
            left: text(brunet.left),
            right: text(brunet.right),
            left2: text(brunet.left2),
            right2: text(brunet.right2),
            shortcuts: texts(brunet.shortcuts, NEIGHBOURS_MAX),
            wedges: brunet.wedges,
            subring: text(brunet.subring),
            ..brunet
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boastful_node_is_cut_to_size() {
        let details = NodeDetails::Libp2p {
            nat: Some("\u{1b}".repeat(9_999)),
            protocols: vec!["x".repeat(9_999); 9_999],
            info: true,
        };
        let cleaned = node(Node {
            version: Some("v\u{1b}[2J".repeat(100_000)),
            cpu_s: Some(f64::NAN),
            load: Some(f64::INFINITY),
            rtt_ms: Some(-1.0),
            ..Node::unknown("peer", details)
        });
        assert_eq!(cleaned.version.as_ref().map(|v| v.chars().count()), Some(TEXT_CHARS_MAX));
        assert!(cleaned.version.is_some_and(|v| !v.contains('\u{1b}')));
        assert_eq!((cleaned.cpu_s, cleaned.load, cleaned.rtt_ms), (None, None, None));
        let NodeDetails::Libp2p { nat, protocols, .. } = cleaned.details else { panic!("kind changed") };
        assert_eq!(nat, Some("\u{fffd}".repeat(TEXT_CHARS_MAX)));
        assert_eq!(protocols.len(), PROTOCOLS_MAX);
        assert!(protocols.iter().all(|p| p.len() == TEXT_CHARS_MAX));
    }
}
