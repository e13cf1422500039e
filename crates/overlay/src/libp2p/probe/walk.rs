//! Reading a node's routing table by FIND_NODE: one question per bucket.
//!
//! A question names bytes whose SHA-256 shares exactly so many leading bits with the node's own key
//! that the answer comes out of the bucket meant. Such bytes are found by trying, once, for every
//! value of the first sixteen bits.

use std::collections::HashMap;
use std::sync::OnceLock;

use libp2p::{Multiaddr, PeerId};
use p2ppool_model::consistency::{Key, distance};
use sha2::Digest as _;

use crate::libp2p::kad_key;
use crate::libp2p::kad_message::{ADDRESSES_MAX, Peer};

/// Buckets that can be asked for: as many as leading bits that preimages are found for.
const BUCKETS: u32 = 16;
/// Consecutive buckets that bring nobody new, after which the deeper ones are empty, too.
const FRUITLESS_MAX: u32 = 3;

/// Where the questions to one node stand.
#[derive(Debug)]
pub(super) struct Walk {
    own: PeerId,
    key: Key,
    next: Question,
    fruitless: u32,
    answers: u32,
    found: HashMap<PeerId, Vec<Multiaddr>>,
}

/// What to ask a node for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// The peers closest to itself.
    Own,
    /// The peers of this bucket.
    Bucket(u32),
}

impl Walk {
    pub(super) fn new(own: PeerId) -> Self {
        Self { own, key: kad_key(&own), next: Question::Own, fruitless: 0, answers: 0, found: HashMap::new() }
    }

    /// What to ask next; `None` when the table is known.
    pub(super) fn question(&self) -> Option<Question> {
        match self.next {
            Question::Bucket(bucket) if bucket >= BUCKETS || self.fruitless >= FRUITLESS_MAX => None,
            next => Some(next),
        }
    }

    /// The bytes whose SHA-256 lies in that bucket of the node.
    pub(super) fn bucket_key(&self, bucket: u32, preimages: &Preimages) -> Vec<u8> {
        preimages.of_bucket(&self.key, bucket)
    }

    /// The bytes whose SHA-256 is the node's own key.
    pub(super) fn own_key(&self) -> Vec<u8> {
        self.own.to_bytes()
    }

    /// The answer to [`Walk::question`].
    pub(super) fn answered(&mut self, peers: Vec<Peer>) {
        let before = self.found.len();
        for (peer, addresses) in peers.into_iter().filter(|(peer, _)| *peer != self.own) {
            let known = self.found.entry(peer).or_default();
            for address in addresses {
                if known.len() < ADDRESSES_MAX && !known.contains(&address) {
                    known.push(address);
                }
            }
        }
        self.answers += 1;
        let bucket = match self.next {
            Question::Own => 0,
            Question::Bucket(bucket) => {
                self.fruitless = if self.found.len() == before { self.fruitless + 1 } else { 0 };
                bucket + 1
            }
        };
        self.next = Question::Bucket(bucket);
    }

    /// Any question was answered.
    pub(super) fn has_answer(&self) -> bool {
        self.answers > 0
    }

    /// Everybody who was named, nearest first.
    pub(super) fn into_peers(self) -> Vec<Peer> {
        let own = self.key;
        let mut peers: Vec<(Key, Peer)> =
            self.found.into_iter().map(|peer| (distance(&own, &kad_key(&peer.0)), peer)).collect();
        peers.sort_unstable_by_key(|(distance, _)| *distance);
        peers.into_iter().map(|(_, peer)| peer).collect()
    }
}

/// Bytes for every value of the first sixteen bits of their SHA-256.
#[derive(Debug)]
pub(super) struct Preimages(Vec<u32>);

impl Preimages {
    /// Finds them, once per process: about 800,000 hashes. Blocks.
    pub(super) fn get() -> &'static Self {
        static PREIMAGES: OnceLock<Preimages> = OnceLock::new();
        PREIMAGES.get_or_init(Self::find)
    }

    fn find() -> Self {
        let mut numbers: Vec<Option<u32>> = vec![None; 1 << BUCKETS];
        let mut missing = numbers.len();
        for number in 0.. {
            let place = &mut numbers[usize::from(prefix(&hash(number)))];
            if place.is_none() {
                *place = Some(number);
                missing -= 1;
            }
            if missing == 0 {
                break;
            }
        }
        Self(numbers.into_iter().flatten().collect())
    }

    /// Bytes whose key shares exactly the first `bucket` bits with `own`.
    fn of_bucket(&self, own: &Key, bucket: u32) -> Vec<u8> {
        let wanted = prefix(own) ^ (1 << (BUCKETS - 1 - bucket));
        preimage(self.0[usize::from(wanted)]).to_vec()
    }
}

/// A multihash (SHA-256, 32 bytes) in form, because some nodes take only peer ids for keys.
fn preimage(number: u32) -> [u8; 34] {
    let mut bytes = [0; 34];
    bytes[..2].copy_from_slice(&[0x12, 0x20]);
    bytes[2..6].copy_from_slice(&number.to_be_bytes());
    bytes
}

fn hash(number: u32) -> Key {
    sha2::Sha256::digest(preimage(number)).into()
}

fn prefix(key: &Key) -> u16 {
    u16::from_be_bytes([key[0], key[1]])
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use p2ppool_model::consistency::SortedKeys;

    use super::*;

    #[test]
    fn every_bucket_has_a_question_that_falls_into_it() {
        let own = kad_key(&PeerId::random());
        for bucket in 0..BUCKETS {
            let asked: Key = sha2::Sha256::digest(Preimages::get().of_bucket(&own, bucket)).into();
            let shared = distance(&own, &asked);
            assert_eq!(u32::from(prefix(&shared)).leading_zeros() - 16, bucket);
        }
    }

    /// A node that answers as the specification says, from a table of at most k per bucket.
    fn answer(table: &[PeerId], asked: &[u8]) -> Vec<Peer> {
        let keys: Vec<Key> = table.iter().map(kad_key).collect();
        let target: Key = sha2::Sha256::digest(asked).into();
        let closest: HashSet<Key> = SortedKeys::new(&keys).closest(&target, 20).into_iter().collect();
        table.iter().filter(|peer| closest.contains(&kad_key(peer))).map(|peer| (*peer, vec![])).collect()
    }

    fn walk(own: PeerId, table: &[PeerId]) -> (Vec<PeerId>, u32) {
        let mut walk = Walk::new(own);
        while let Some(question) = walk.question() {
            let key = match question {
                Question::Own => walk.own_key(),
                Question::Bucket(bucket) => walk.bucket_key(bucket, Preimages::get()),
            };
            walk.answered(answer(table, &key));
        }
        let questions = walk.answers;
        (walk.into_peers().into_iter().map(|(peer, _)| peer).collect(), questions)
    }

    #[test]
    fn a_whole_table_is_read() {
        let own = PeerId::random();
        let key = kad_key(&own);
        let mut per_bucket: HashMap<u32, u32> = HashMap::new();
        let mut table: Vec<PeerId> = std::iter::repeat_with(PeerId::random).take(2_000).collect();
        table.retain(|peer| {
            let shared = u32::from(prefix(&distance(&key, &kad_key(peer)))).leading_zeros();
            let filled = per_bucket.entry(shared).or_default();
            *filled += 1;
            *filled <= 20
        });
        let (read, questions) = walk(own, &table);
        assert_eq!(read.len(), table.len());
        assert!(questions <= 1 + BUCKETS, "{questions}");
        table.sort_unstable_by_key(|peer| distance(&key, &kad_key(peer)));
        assert_eq!(read, table, "nearest first");
    }

    #[test]
    fn a_small_table_takes_few_questions() {
        let table: Vec<PeerId> = std::iter::repeat_with(PeerId::random).take(5).collect();
        let (read, questions) = walk(PeerId::random(), &table);
        assert_eq!((read.len(), questions), (5, 4));
    }

    #[test]
    fn a_node_that_knows_nobody_is_not_asked_for_ever() {
        assert_eq!(walk(PeerId::random(), &[]), (vec![], 4));
    }
}
