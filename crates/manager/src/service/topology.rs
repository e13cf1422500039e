//! The overlay of a snapshot as a graph, column by column.

use p2ppool_model::pool::Pool;
use p2ppool_model::snapshot::{NodeStatus, Snapshot};
use p2ppool_model::table::{NodeTable, Number, Word};
use p2ppool_model::topology::{Graph, Measures};
use p2ppool_overlay::OverlayKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::service::nodes::{Names, When, snapshot_of};
use crate::service::{Error, blocking};

/// Links that one answer holds: what a browser can draw, and one megabyte compressed. Of larger
/// overlays every node shows its nearest neighbours only; measures are of all links.
pub const LINKS_MAX: usize = 250_000;

/// The graph of a snapshot. Lists without another word have one item per node, in the same order.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Topology {
    /// The snapshot; null when the pool was never crawled.
    pub crawl: Option<Snapshot>,
    /// Overlay addresses.
    pub ids: Vec<String>,
    /// Place on the ring, 0 to 1 clockwise: the overlay's key as a fraction of the key space; null when it has none.
    pub ring: Vec<Option<f64>>,
    /// Did it answer?
    pub status: Vec<NodeStatus>,
    /// Host names or IP addresses.
    pub hosts: Vec<Option<String>>,
    /// Consistency, 0 to 1.
    pub consistency: Vec<Option<f64>>,
    /// Namespaces, as indexes into `namespaces`; null when a node does not say.
    pub namespace: Vec<Option<usize>>,
    /// Every namespace that was seen, as the nodes come.
    pub namespaces: Vec<String>,
    /// Neighbours that it named, nearest first, as positions in these lists.
    pub neighbours: Vec<Vec<u32>>,
    /// Its component, 0 the largest; null when it did not answer.
    pub component: Vec<Option<u32>>,
    /// Of its links those that are not returned.
    pub one_sided: Vec<u32>,
    /// Links left out of `neighbours`, because there are more than one answer holds.
    pub links_left_out: u64,
    /// Names of nodes that are not in the snapshot.
    pub strangers: u64,
    /// What the graph says of the overlay, of all links.
    pub measures: Measures,
}

/// The graph of a snapshot.
pub async fn topology(app: &App, pool: &Pool, when: When) -> Result<Topology, Error> {
    let Some(snapshot) = snapshot_of(app, pool, &when).await? else { return Ok(Topology::default()) };
    let table = app.store.node_table(snapshot.id).await?;
    let kind = p2ppool_overlay::kind(pool.settings.kind);
    blocking(move || Topology { crawl: Some(snapshot), ..of(&table, kind, LINKS_MAX) }).await
}

fn of(table: &NodeTable, kind: Option<&dyn OverlayKind>, links_max: usize) -> Topology {
    let graph = Graph::of(table);
    let (component, one_sided, strangers) = (graph.components(), graph.one_sided(), graph.strangers);
    let measures = graph.measures_of(&component, &one_sided);
    let rows = || 0..table.len();
    let shown = usize::try_from(measures.links).unwrap_or(usize::MAX);
    let each = if shown <= links_max { usize::MAX } else { links_max / table.len().max(1) };
    let neighbours: Vec<Vec<u32>> =
        graph.links.into_iter().map(|links| links.into_iter().take(each).collect()).collect();
    let kept: usize = neighbours.iter().map(Vec::len).sum();
    let mut namespaces = Names::default();
    let namespace =
        rows().map(|row| table.word(Word::Namespace, row).map(|name| namespaces.index_of(name.to_owned()))).collect();
    Topology {
        crawl: None,
        namespace,
        namespaces: namespaces.all,
        ids: rows().map(|row| table.address(row).to_owned()).collect(),
        ring: rows().map(|row| kind.and_then(|kind| kind.key(table.address(row))).map(place)).collect(),
        status: rows().map(|row| table.status(row)).collect(),
        hosts: rows()
            .map(|row| table.word(Word::HostName, row).or_else(|| table.word(Word::Ip, row)).map(str::to_owned))
            .collect(),
        consistency: rows().map(|row| table.float(Number::Consistency, row)).collect(),
        neighbours,
        component,
        one_sided,
        links_left_out: measures.links - kept as u64,
        strangers,
        measures,
    }
}

/// The key as a fraction of the key space, to the precision of the answer's numbers.
fn place(key: [u8; 32]) -> f64 {
    let [a, b, c, d, ..] = key;
    f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use p2ppool_model::snapshot::{Node, NodeDetails};

    use super::*;

    #[test]
    fn of_too_many_links_the_nearest_are_shown_and_all_are_measured() {
        let details = || NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
        let nodes: Vec<Node> = (0..10)
            .map(|i| Node {
                status: NodeStatus::Answering,
                neighbours: (1..9).map(|n| format!("n{}", (i + n) % 10)).collect(),
                ..Node::unknown(format!("n{i}"), details())
            })
            .collect();
        let shown = of(&NodeTable::of(&nodes), None, 30);
        assert_eq!(shown.neighbours[4], [5, 6, 7]);
        assert_eq!((shown.links_left_out, shown.measures.links, shown.measures.components), (50, 80, 1));
        assert_eq!(of(&NodeTable::of(&nodes), None, 80).links_left_out, 0);
    }

    #[test]
    fn the_ring_goes_from_zero_to_one() {
        assert_eq!(place([0; 32]), 0.0);
        assert!(place([255; 32]) < 1.0);
        let mut half = [0; 32];
        half[0] = 128;
        assert_eq!(place(half), 0.5);
    }
}
