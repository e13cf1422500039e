//! Values to store.

use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{Pool, PoolSettings};
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus, Totals};
use p2ppool_model::{PoolId, Time};
use p2ppool_store::{NewSnapshot, Store};

/// A moment; tests count from it.
pub(crate) const NOW: Time = Time(1_795_000_000_000);

pub(crate) async fn pool(store: &Store, name: &str) -> Pool {
    store.create_pool(&name.parse().unwrap(), &PoolSettings::default(), None, NOW).await.unwrap()
}

pub(crate) fn specs(text: &str) -> Vec<HostSpec> {
    let list = p2ppool_model::host_list::parse(text);
    assert_eq!(list.errors, []);
    list.hosts
}

pub(crate) fn node(address: &str, status: NodeStatus) -> Node {
    let details = NodeDetails::Libp2p { nat: Some("public".into()), protocols: vec!["/a/1".into()], info: true };
    Node { status, ..Node::unknown(address, details) }
}

pub(crate) fn answering(address: &str) -> Node {
    node(address, NodeStatus::Answering)
}

pub(crate) fn crawl_at(pool: PoolId, started: Time, nodes: &[Node]) -> NewSnapshot {
    NewSnapshot { pool, task: None, started, duration_ms: 1234, complete: true, totals: Totals::of(nodes, None, 0) }
}
