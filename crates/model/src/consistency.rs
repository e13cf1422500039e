//! How well the overlay's own view agrees with the truth.
//!
//! Kademlia (libp2p): a node's consistency is the share of its true `k` closest peers that it really
//! has in its routing table, with `k = min(4, nodes - 1)` and the XOR distance of the Kademlia keys
//! (SHA-256 of the peer id; libp2p Kademlia specification, "Distance"). "True" is taken over the
//! nodes that answered in the same snapshot.

use std::collections::HashSet;

/// Closest peers that a node must know.
pub const K_CLOSEST: usize = 4;

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
