//! How well the overlay's own view agrees with the truth.
//!
//! Kademlia (libp2p): a node's consistency is the share of its true `k` closest peers that it really
//! has in its routing table, with `k = min(4, nodes - 1)` and the XOR distance of the Kademlia keys
//! (SHA-256 of the peer id; libp2p Kademlia specification, "Distance"). "True" is taken over the
//! nodes that answered in the same snapshot.

//!
//! Ring (Brunet): four flags per node: its right neighbour's left is the node itself, its left's right,
//! its second left's second right and its second right's second left. A node's consistency is the share
//! of flags that hold, the system's the mean over all nodes that were seen. So a lone node scores 0, a
//! node that others name in vain 0 (source: the original crawler).

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Closest peers that a node must know.
pub const K_CLOSEST: usize = 4;

/// A side of a node on a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RingSide {
    /// Towards larger addresses.
    Left,
    /// Towards smaller addresses.
    Right,
    /// The one after the left.
    Left2,
    /// The one after the right.
    Right2,
}

impl RingSide {
    /// Every side.
    pub const ALL: [RingSide; 4] = [Self::Left, Self::Right, Self::Left2, Self::Right2];

    /// The side on which a neighbour on this side has the node itself.
    pub fn opposite(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
            Self::Left2 => Self::Right2,
            Self::Right2 => Self::Left2,
        }
    }
}

/// Whom a node of a ring names as its neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RingNeighbours<'a> {
    /// Left.
    pub left: Option<&'a str>,
    /// Right.
    pub right: Option<&'a str>,
    /// After the left.
    pub left2: Option<&'a str>,
    /// After the right.
    pub right2: Option<&'a str>,
}

impl<'a> RingNeighbours<'a> {
    /// The neighbour on a side.
    pub fn at(&self, side: RingSide) -> Option<&'a str> {
        match side {
            RingSide::Left => self.left,
            RingSide::Right => self.right,
            RingSide::Left2 => self.left2,
            RingSide::Right2 => self.right2,
        }
    }
}

/// The sides on which `node` and its neighbour don't name each other. `table` tells whom a node that
/// was seen names.
pub fn ring_disagreements<'a>(
    node: &str,
    neighbours: &RingNeighbours<'a>,
    table: impl Fn(&str) -> Option<RingNeighbours<'a>>,
) -> Vec<RingSide> {
    let agrees = |side: RingSide| {
        let other = neighbours.at(side).and_then(&table);
        other.is_some_and(|other| other.at(side.opposite()) == Some(node))
    };
    RingSide::ALL.into_iter().filter(|side| !agrees(*side)).collect()
}

/// A node's consistency from the sides on which it disagrees.
pub fn ring_share(disagreements: &[RingSide]) -> f64 {
    let sides = RingSide::ALL.len();
    (sides - disagreements.len().min(sides)) as f64 / sides as f64
}

/// A 256-bit Kademlia key, big-endian.
pub type Key = [u8; 32];

/// XOR distance; compares like the 256-bit number.
pub fn distance(a: &Key, b: &Key) -> Key {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// For each node the share (0 to 1) of its true k closest peers in its table.
///
/// `nodes[i]` is the key of node i and the keys in its table (which may hold strangers). A lone node
/// has nobody to know and scores 1.
pub fn kademlia(nodes: &[(Key, HashSet<Key>)]) -> Vec<f64> {
    let keys: Vec<Key> = nodes.iter().map(|(key, _)| *key).collect();
    let sorted = SortedKeys::new(&keys);
    nodes.iter().map(|(key, table)| share_known(&sorted, key, |peer| table.contains(peer))).collect()
}

/// The same for one node of many, whose table is only asked: `answering` are the keys of the nodes
/// that answered, `knows` tells whether `key`'s table holds a key.
pub fn share_known(answering: &SortedKeys, key: &Key, knows: impl Fn(&Key) -> bool) -> f64 {
    let closest = answering.closest(key, K_CLOSEST);
    if closest.is_empty() {
        return 1.0;
    }
    closest.iter().filter(|peer| knows(peer)).count() as f64 / closest.len() as f64
}

/// Keys in numeric order, which makes the closest by XOR a walk down a binary trie.
#[derive(Debug)]
pub struct SortedKeys(Vec<Key>);

impl SortedKeys {
    /// Sorts and removes duplicates.
    pub fn new(keys: &[Key]) -> Self {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        Self(keys)
    }

    /// The `k` keys nearest to `target`, nearest first, without `target` itself.
    pub fn closest(&self, target: &Key, k: usize) -> Vec<Key> {
        let mut found = Vec::with_capacity(k);
        collect(&self.0, target, 0, k, &mut found);
        found
    }
}

/// All keys of `range` share their first `bit` bits: the half that shares the next bit with the
/// target is nearer than any key of the other half.
fn collect(range: &[Key], target: &Key, bit: usize, k: usize, found: &mut Vec<Key>) {
    if found.len() >= k || range.is_empty() {
        return;
    }
    if range.len() == 1 || bit == 256 {
        if range[0] != *target {
            found.push(range[0]);
        }
        return;
    }
    let split = range.partition_point(|key| !bit_of(key, bit));
    let (zeros, ones) = range.split_at(split);
    let (near, far) = if bit_of(target, bit) { (ones, zeros) } else { (zeros, ones) };
    collect(near, target, bit + 1, k, found);
    collect(far, target, bit + 1, k, found);
}

fn bit_of(key: &Key, bit: usize) -> bool {
    key[bit / 8] & (0x80 >> (bit % 8)) != 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(first: u8) -> Key {
        let mut key = [0; 32];
        key[0] = first;
        key
    }

    #[test]
    fn a_node_that_knows_half_of_its_closest_scores_one_half() {
        let all: Vec<Key> = (1..=3).map(key).collect();
        let nodes =
            [(all[0], HashSet::from([all[1]])), (all[1], HashSet::from([all[0], all[2]])), (all[2], HashSet::new())];
        assert_eq!(kademlia(&nodes), [0.5, 1.0, 0.0]);
    }

    #[test]
    fn a_lone_node_scores_one() {
        assert_eq!(kademlia(&[(key(1), HashSet::new())]), [1.0]);
    }

    #[test]
    fn strangers_in_a_table_do_not_help() {
        let nodes = [(key(1), HashSet::from([key(9)])), (key(2), HashSet::from([key(1)]))];
        assert_eq!(kademlia(&nodes), [0.0, 1.0]);
    }

    /// Rings in which everybody is right: `named(i)` are the neighbours of node i.
    fn ring(names: &[String], index: usize) -> RingNeighbours<'_> {
        let n = names.len();
        let at = |step: usize| (n > 1).then(|| names[(index + step) % n].as_str());
        RingNeighbours { left: at(1), right: at(n - 1), left2: at(2 % n), right2: at((2 * n - 2) % n) }
    }

    fn shares<'a>(names: &'a [String], told: &[RingNeighbours<'a>]) -> Vec<f64> {
        let table = |name: &str| names.iter().position(|known| known == name).map(|index| told[index]);
        let indices = 0..names.len();
        indices.map(|index| ring_share(&ring_disagreements(&names[index], &told[index], table))).collect()
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|index| format!("n{index}")).collect()
    }

    #[test]
    fn a_whole_ring_is_consistent_and_a_lone_node_is_not() {
        for count in [3, 4, 5, 12] {
            let names = names(count);
            let told: Vec<_> = (0..count).map(|index| ring(&names, index)).collect();
            assert!(shares(&names, &told).iter().all(|share| *share == 1.0), "{count}");
        }
        assert_eq!(shares(&names(1), &[RingNeighbours::default()]), [0.0]);
        let two = names(2);
        let all = |other| RingNeighbours { left: other, right: other, left2: other, right2: other };
        assert_eq!(shares(&two, &[all(Some("n1")), all(Some("n0"))]), [1.0, 1.0]);
    }

    #[test]
    fn a_killed_node_costs_what_the_original_measured() {
        let names = names(12);
        let mut told: Vec<_> = (0..12).map(|index| ring(&names, index)).collect();
        told[5] = RingNeighbours::default();
        let shares = shares(&names, &told);
        assert!((shares.iter().sum::<f64>() / 12.0 - 0.8333).abs() < 0.0001, "{shares:?}");
        assert_eq!((shares[5], shares[4], shares[3]), (0.0, 0.75, 0.75));
    }

    #[test]
    fn it_is_said_on_which_side_they_disagree() {
        let names = names(5);
        let mut told: Vec<_> = (0..5).map(|index| ring(&names, index)).collect();
        told[1].right = Some("n4");
        let table = |name: &str| names.iter().position(|known| known == name).map(|index| told[index]);
        assert_eq!(ring_disagreements("n0", &told[0], table), [RingSide::Left]);
        assert_eq!(ring_disagreements("n1", &told[1], table), [RingSide::Right]);
    }

    proptest! {
        #[test]
        fn the_trie_walk_agrees_with_sorting_by_distance(
            keys in proptest::collection::vec(proptest::array::uniform32(0u8..4), 1..40),
            k in 1usize..8
        ) {
            let sorted = SortedKeys::new(&keys);
            for target in &keys {
                let mut by_sort: Vec<Key> = sorted.0.iter().copied().filter(|key| key != target).collect();
                by_sort.sort_by_key(|key| distance(key, target));
                by_sort.truncate(k);
                prop_assert_eq!(sorted.closest(target, k), by_sort);
            }
        }
    }
}
