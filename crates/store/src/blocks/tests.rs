use p2ppool_model::HostId;
use p2ppool_model::snapshot::{BrunetDetails, Node, NodeDetails, NodeStatus};
use proptest::prelude::*;

use super::*;

prop_compose! {
    fn any_node()(
        address in "[a-e]{1,2}",
        status in prop::sample::select(NodeStatus::ALL.to_vec()),
        (error, version) in (prop::option::of("[a-c]{0,2}"), prop::option::of("v[12]")),
        (connections, retries) in (prop::option::of(0..4_u32), 0..2_u32),
        (host, memory) in (prop::option::of(prop_oneof![Just(i64::MAX), Just(i64::MIN + 1), 0..3_i64]), any::<Option<u64>>()),
        neighbours in prop::collection::vec("[a-e]{1,2}", 0..6),
        brunet in any::<bool>(),
    ) -> Node {
        let details = match brunet {
            true => NodeDetails::Brunet(BrunetDetails { shortcuts: neighbours.clone(), ..BrunetDetails::default() }),
            false => NodeDetails::Libp2p { nat: None, protocols: vec!["x".into()], info: true },
        };
        Node {
            status, error, version, connections, retries, memory, neighbours,
            host: host.map(HostId),
            ..Node::unknown(address, details)
        }
    }
}

fn nodes(table: &NodeTable) -> Vec<Node> {
    (0..table.len()).map(|row| table.node(row)).collect()
}

proptest! {
    #[test]
    fn blocks_hold_what_was_put_in(
        old in prop::collection::vec(any_node(), 0..12),
        new in prop::collection::vec(any_node(), 0..12),
    ) {
        let (old, new) = (NodeTable::of(&old), NodeTable::of(&new));
        prop_assert_eq!(&read(&key(&old), None).unwrap(), &old);
        let delta = delta(&new, &old);
        prop_assert_eq!(nodes(&read(&delta, Some(&old)).unwrap()), nodes(&new));
        prop_assert_eq!(read(&delta, None), Err(Broken("its key block is missing")));
    }

    #[test]
    fn what_is_broken_is_an_error_and_never_a_panic(
        old in prop::collection::vec(any_node(), 0..6),
        new in prop::collection::vec(any_node(), 0..6),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (old, new) = (NodeTable::of(&old), NodeTable::of(&new));
        let mut fields = delta::write(&new, &old);
        let place = at.index(fields.len());
        fields[place] = byte;
        let _ = delta::read(&fields, &old);
        let _ = delta::read(&fields[..cut.index(fields.len())], &old);
        let mut fields = key::write(&old);
        let place = at.index(fields.len());
        fields[place] = byte;
        let _ = key::read(&fields);
        let _ = key::read(&fields[..cut.index(fields.len())]);
        let mut block = key(&old);
        let place = at.index(block.len());
        block[place] = byte;
        let _ = read(&block, None);
    }
}

#[test]
fn what_did_not_change_takes_next_to_nothing() {
    let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
    let nodes: Vec<Node> = (0..10_000)
        .map(|i| Node { uptime_s: Some(i * 60), ..Node::unknown(format!("peer{i:05}"), details.clone()) })
        .collect();
    let later: Vec<Node> = nodes.iter().map(|n| Node { uptime_s: n.uptime_s.map(|s| s + 1800), ..n.clone() }).collect();
    let bytes = delta(&NodeTable::of(&later), &NodeTable::of(&nodes)).len();
    assert!(bytes < 200, "{bytes}");
}
