//! The overlay of one snapshot as a graph: who named whom as a neighbour, and what that says.
//!
//! Links are directed: `a -> b` when `a` told `b` among its neighbours (for Brunet also its ring
//! neighbours and shortcuts). Only nodes that answered have links of their own. Measures:
//!
//! - *components*: weakly connected components (M. Newman, "Networks", 6.12) of the answering nodes.
//!   More than one means that the overlay is partitioned, as far as the crawl can tell.
//! - *degree*: out-degree is how many nodes a node named, in-degree how many named it.
//! - *one-sided*: a link `a -> b` to an answering node `b` that did not name `a`.
//! - *path lengths*: breadth-first search along links between answering nodes, from every node when
//!   there are few, else from evenly spaced ones (the sampled mean is unbiased over the starts).

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::table::{List, NO_TEXT, NodeTable, Word};

/// Links that breadth-first searches may follow in all: a fifth of a second of one core. From each of the 18 starts of an
/// overlay of 100,000 nodes there are 100,000 paths, so the mean is within a percent.
const STEPS_MAX: usize = 30_000_000;
/// Most starts of path lengths; the mean of so many is within a few percent in any overlay.
const STARTS_MAX: usize = 256;
/// Sizes of components that are told; the others are only counted.
const COMPONENTS_TOLD_MAX: usize = 100;
/// Not reached.
const FAR: u32 = u32::MAX;

/// Links between the rows of a snapshot.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Whom each row named, nearest first, without itself.
    pub links: Vec<Vec<u32>>,
    /// Rows that answered.
    pub answering: Vec<bool>,
    /// Names of nodes that are not in the snapshot.
    pub strangers: u64,
}

/// What a graph says of the overlay.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Measures {
    /// Links that nodes told.
    pub links: u64,
    /// Of them those whose other end answered and did not name the first.
    pub one_sided: u64,
    /// Nodes that answered.
    pub answering: u64,
    /// Weakly connected components of the answering nodes; more than one is a partition.
    pub components: u64,
    /// Sizes of the largest components, largest first; at most 100.
    pub component_sizes: Vec<u64>,
    /// How many answering nodes named so many others.
    pub out_degrees: BTreeMap<u32, u64>,
    /// How many answering nodes were named by so many others.
    pub in_degrees: BTreeMap<u32, u64>,
    /// Lengths of shortest paths.
    pub paths: Paths,
}

/// Lengths of the shortest paths between answering nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Paths {
    /// Nodes from which paths were measured: all, or evenly spaced ones of many.
    pub starts: u64,
    /// Mean length in links; unknown when there is no path.
    pub mean: Option<f64>,
    /// The longest that was found.
    pub longest: u32,
    /// How many pairs are so many links apart.
    pub lengths: BTreeMap<u32, u64>,
    /// Pairs without a path.
    pub unreachable: u64,
}

impl Graph {
    /// The graph of a snapshot.
    pub fn of(table: &NodeTable) -> Self {
        let mut row_of = vec![FAR; table.texts.count()];
        for (row, id) in table.words[Word::Address.at()].iter().enumerate().rev() {
            row_of[*id as usize] = row as u32;
        }
        let mut strangers = 0;
        let links = (0..table.len()).map(|row| {
            let mut named: Vec<u32> = Vec::new();
            let told = table.lists[List::Neighbours.at()].row(row).iter();
            let ring = [Word::Left, Word::Right, Word::Left2, Word::Right2].map(|word| &table.words[word.at()][row]);
            let shortcuts = table.lists[List::Shortcuts.at()].row(row).iter();
            for id in told.chain(ring).chain(shortcuts).filter(|id| **id != NO_TEXT) {
                match row_of[*id as usize] {
                    FAR => strangers += 1,
                    other if other as usize != row && !named.contains(&other) => named.push(other),
                    _ => {}
                }
            }
            named
        });
        let links = links.collect();
        Self { links, answering: (0..table.len()).map(|row| table.is_answering(row)).collect(), strangers }
    }

    /// The component of each row: the number of the largest is 0; none of rows that did not answer.
    pub fn components(&self) -> Vec<Option<u32>> {
        let rows = self.links.len();
        let mut parent: Vec<u32> = (0..rows as u32).collect();
        for (row, links) in self.links.iter().enumerate() {
            for other in links.iter().filter(|other| self.answering[row] && self.answering[**other as usize]) {
                let (a, b) = (root(&mut parent, row as u32), root(&mut parent, *other));
                parent[a.max(b) as usize] = a.min(b);
            }
        }
        let mut sizes: BTreeMap<u32, u32> = BTreeMap::new();
        let roots: Vec<u32> = (0..rows as u32).map(|row| root(&mut parent, row)).collect();
        for (row, root) in roots.iter().enumerate() {
            if self.answering[row] {
                *sizes.entry(*root).or_default() += 1;
            }
        }
        let mut by_size: Vec<(u32, u32)> = sizes.into_iter().collect();
        by_size.sort_by_key(|(root, size)| (std::cmp::Reverse(*size), *root));
        let number: BTreeMap<u32, u32> = by_size.iter().zip(0..).map(|((root, _), number)| (*root, number)).collect();
        roots.iter().zip(&self.answering).map(|(root, answering)| answering.then(|| number[root])).collect()
    }

    /// Per row the links whose other end answered and did not name it.
    pub fn one_sided(&self) -> Vec<u32> {
        let is_one_sided = |row: usize, other: &&u32| {
            let other = **other as usize;
            self.answering[other] && !self.links[other].contains(&(row as u32))
        };
        let count = |(row, links): (usize, &Vec<u32>)| links.iter().filter(|other| is_one_sided(row, other)).count();
        self.links.iter().enumerate().map(|each| count(each) as u32).collect()
    }

    /// Everything that is measured.
    pub fn measures(&self) -> Measures {
        self.measures_of(&self.components(), &self.one_sided())
    }

    /// The same, from what was worked out already: [`Graph::components`] and [`Graph::one_sided`].
    pub fn measures_of(&self, component: &[Option<u32>], one_sided: &[u32]) -> Measures {
        let mut sizes: Vec<u64> = Vec::new();
        for component in component.iter().flatten() {
            let at = *component as usize;
            sizes.resize(sizes.len().max(at + 1), 0);
            sizes[at] += 1;
        }
        let mut in_degree = vec![0_u32; self.links.len()];
        self.links.iter().flatten().for_each(|other| in_degree[*other as usize] += 1);
        let answering = || (0..self.links.len()).filter(|row| self.answering[*row]);
        let components = sizes.len() as u64;
        sizes.truncate(COMPONENTS_TOLD_MAX);
        Measures {
            links: self.links.iter().map(|links| links.len() as u64).sum(),
            one_sided: one_sided.iter().map(|count| u64::from(*count)).sum(),
            answering: answering().count() as u64,
            components,
            component_sizes: sizes,
            out_degrees: histogram(answering().map(|row| self.links[row].len() as u32)),
            in_degrees: histogram(answering().map(|row| in_degree[row])),
            paths: self.paths(),
        }
    }

    fn paths(&self) -> Paths {
        let nodes: Vec<u32> = (0..self.links.len() as u32).filter(|row| self.answering[*row as usize]).collect();
        let links: usize = self.links.iter().map(Vec::len).sum();
        let starts = (STEPS_MAX / (links + nodes.len()).max(1)).clamp(1, STARTS_MAX).min(nodes.len());
        let mut lengths = BTreeMap::new();
        let mut found = 0;
        let mut distance = vec![FAR; self.links.len()];
        for start in 0..starts {
            found += self.reach(nodes[start * nodes.len() / starts], &mut distance, &mut lengths);
        }
        let sum: f64 = lengths.iter().map(|(length, pairs)| f64::from(*length) * *pairs as f64).sum();
        Paths {
            starts: starts as u64,
            mean: (found > 0).then(|| sum / found as f64),
            longest: lengths.keys().next_back().copied().unwrap_or(0),
            lengths,
            unreachable: (starts as u64 * nodes.len().saturating_sub(1) as u64).saturating_sub(found),
        }
    }

    /// Breadth-first search; counts who was reached.
    fn reach(&self, start: u32, distance: &mut [u32], lengths: &mut BTreeMap<u32, u64>) -> u64 {
        distance.fill(FAR);
        distance[start as usize] = 0;
        let mut ring = vec![start];
        let (mut length, mut found) = (0, 0);
        while !ring.is_empty() {
            length += 1;
            let mut next = Vec::new();
            for other in ring.iter().flat_map(|row| &self.links[*row as usize]) {
                if distance[*other as usize] == FAR && self.answering[*other as usize] {
                    distance[*other as usize] = length;
                    next.push(*other);
                }
            }
            if !next.is_empty() {
                *lengths.entry(length).or_default() += next.len() as u64;
                found += next.len() as u64;
            }
            ring = next;
        }
        found
    }
}

fn root(parent: &mut [u32], row: u32) -> u32 {
    let mut at = row;
    while parent[at as usize] != at {
        parent[at as usize] = parent[parent[at as usize] as usize];
        at = parent[at as usize];
    }
    at
}

fn histogram(values: impl Iterator<Item = u32>) -> BTreeMap<u32, u64> {
    let mut counts = BTreeMap::new();
    values.for_each(|value| *counts.entry(value).or_default() += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{BrunetDetails, Node, NodeDetails, NodeStatus};

    fn node(address: &str, neighbours: &[&str]) -> Node {
        let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
        let neighbours = neighbours.iter().map(|name| (*name).to_owned()).collect();
        Node { status: NodeStatus::Answering, neighbours, ..Node::unknown(address, details) }
    }

    fn measures(nodes: &[Node]) -> Measures {
        Graph::of(&NodeTable::of(nodes)).measures()
    }

    #[test]
    fn a_directed_ring_has_one_component_and_every_length_once_per_node() {
        let measured =
            measures(&[node("a", &["b"]), node("b", &["c"]), node("c", &["d"]), node("d", &["a", "a", "d"])]);
        assert_eq!((measured.links, measured.one_sided, measured.components), (4, 4, 1));
        assert_eq!(measured.paths.lengths, BTreeMap::from([(1, 4), (2, 4), (3, 4)]));
        assert_eq!((measured.paths.mean, measured.paths.longest, measured.paths.unreachable), (Some(2.0), 3, 0));
        assert_eq!(measured.out_degrees, BTreeMap::from([(1, 4)]));
    }

    #[test]
    fn a_partition_is_two_components() {
        let nodes =
            [node("a", &["b"]), node("b", &["a"]), node("c", &["d", "x"]), node("d", &["c"]), node("e", &["c"])];
        let graph = Graph::of(&NodeTable::of(&nodes));
        let measured = graph.measures();
        assert_eq!((measured.components, measured.component_sizes), (2, vec![3, 2]));
        assert_eq!(graph.components(), [Some(1), Some(1), Some(0), Some(0), Some(0)]);
        assert_eq!((measured.one_sided, graph.strangers), (1, 1));
        assert_eq!(measured.in_degrees, BTreeMap::from([(0, 1), (1, 3), (2, 1)]));
    }

    #[test]
    fn who_does_not_answer_joins_nothing() {
        let mut silent = node("b", &[]);
        silent.status = NodeStatus::DialFailed;
        let measured = measures(&[node("a", &["b"]), silent, node("c", &["b"])]);
        assert_eq!((measured.components, measured.one_sided, measured.links), (2, 0, 2));
        assert_eq!((measured.paths.mean, measured.paths.unreachable), (None, 2));
        assert_eq!(measures(&[]), Measures::default());
    }

    #[test]
    fn ring_neighbours_and_shortcuts_of_brunet_are_links() {
        let ring = BrunetDetails { left: Some("b".into()), shortcuts: vec!["c".into()], ..BrunetDetails::default() };
        let plain = || NodeDetails::Brunet(BrunetDetails::default());
        let nodes = [
            Node { status: NodeStatus::Answering, ..Node::unknown("a", NodeDetails::Brunet(ring)) },
            Node::unknown("b", plain()),
            Node::unknown("c", plain()),
        ];
        assert_eq!(Graph::of(&NodeTable::of(&nodes)).links[0], [1, 2]);
    }
}
