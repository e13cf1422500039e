//! Properties of the frontier over random overlays and random fates.

use std::collections::{HashMap, HashSet};

use p2ppool_model::consistency::Key;
use p2ppool_model::snapshot::{ADDRESSES_MAX, NodeDetails};
use proptest::prelude::*;

use super::*;

struct AnyRules;

impl Rules for AnyRules {
    fn may_dial(&self, address: &str, _: NamedBy) -> bool {
        !address.starts_with("private")
    }
    fn key(&self, peer: &str) -> Option<Key> {
        let mut key = [0; 32];
        key[0] = peer.strip_prefix('p')?.parse().ok()?;
        Some(key)
    }
}

/// The beginning, where nothing depends on time.
const NOW: Duration = Duration::ZERO;

const LIMITS: FrontierLimits = FrontierLimits {
    nodes_max: 100,
    attempts: 3,
    backoff: Duration::from_millis(10),
    dial_deadline: Duration::from_secs(1),
};

fn peer(index: u8) -> Neighbour {
    Neighbour { peer: format!("p{index}"), addresses: vec![format!("a{index}")] }
}

fn answer(index: u8, neighbours: &[u8]) -> Answer {
    let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
    let neighbours = neighbours.iter().map(|i| peer(*i)).collect();
    Answer { node: Node::unknown(format!("p{index}"), details), neighbours }
}

fn refused(may_retry: bool) -> ProbeError {
    ProbeError { may_retry, ..ProbeError::new(Stage::Dial, "refused") }
}

fn after_1_ms(now: Duration) -> Took {
    Took { took: Duration::from_millis(1), now }
}

#[test]
fn a_node_under_a_seeds_address_waits_for_the_seed() {
    let mut frontier = Frontier::new(LIMITS);
    frontier.seed("a1", &AnyRules);
    frontier.seed("a2", &AnyRules);
    let (first, _) = frontier.next().unwrap();
    let (second, _) = frontier.next().unwrap();
    frontier.answered(first, answer(1, &[2]), NOW, &AnyRules);
    assert!(frontier.next().is_none() && !frontier.is_finished());
    frontier.answered(second, answer(2, &[1]), NOW, &AnyRules);
    assert!(frontier.is_finished(), "nobody is asked twice, and nothing is waited for");
    assert_eq!((frontier.known(), frontier.answering()), (2, 2));
}

#[test]
fn a_node_under_the_address_of_a_slow_seed_is_asked_after_a_while() {
    let mut frontier = Frontier::new(LIMITS);
    frontier.seed("a1", &AnyRules);
    let _in_flight = frontier.next().unwrap();
    frontier.learn(&peer(1), NOW, &AnyRules);
    assert_eq!(frontier.next_wake(), Some(SEED_FIRST));
    frontier.wake(SEED_FIRST);
    assert_eq!(frontier.next().unwrap().1.peer.as_deref(), Some("p1"));
}

#[test]
fn a_seed_that_was_met_and_did_not_answer_is_a_node() {
    let mut frontier = Frontier::new(LIMITS);
    frontier.seed("s", &AnyRules);
    let (seed, _) = frontier.next().unwrap();
    let met = ProbeError { node: Some(Box::new(answer(1, &[]).node)), ..ProbeError::new(Stage::Ask, "silent") };
    frontier.failed(seed, met, after_1_ms(Duration::ZERO), &AnyRules);
    frontier.learn(&peer(1), NOW, &AnyRules);
    assert!(frontier.is_finished(), "the known node is not asked again");
    let entries = frontier.into_entries();
    let entry = entries.iter().next().unwrap();
    assert_eq!((entry.peer.as_deref(), entry.state), (Some("p1"), State::Failed));
}

#[test]
fn a_refused_node_is_tried_three_times_with_growing_pauses() {
    let mut frontier = Frontier::new(LIMITS);
    frontier.learn(&peer(1), NOW, &AnyRules);
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    while let Some((index, _)) = frontier.next() {
        frontier.failed(index, refused(true), after_1_ms(now), &AnyRules);
        if let Some(at) = frontier.next_wake() {
            pauses.push((at - now).as_millis());
            now = at;
            frontier.wake(now);
        }
    }
    assert_eq!(pauses, [10, 20]);
    assert!(frontier.is_finished());
    let entries = frontier.into_entries();
    let entry = entries.iter().next().unwrap();
    assert_eq!((entry.state, entry.attempts), (State::Failed, 3));
}

#[test]
fn a_node_that_used_up_the_dial_deadline_is_not_tried_again() {
    let mut frontier = Frontier::new(LIMITS);
    frontier.learn(&peer(1), NOW, &AnyRules);
    let (index, _) = frontier.next().unwrap();
    let second = Duration::from_secs(1);
    frontier.failed(index, refused(true), Took { took: second, now: second }, &AnyRules);
    assert!(frontier.is_finished());
}

#[test]
fn a_new_address_gives_an_unreached_node_another_chance() {
    let mut frontier = Frontier::new(LIMITS);
    frontier.learn(&peer(1), NOW, &AnyRules);
    let (index, _) = frontier.next().unwrap();
    frontier.failed(index, refused(false), after_1_ms(NOW), &AnyRules);
    frontier.learn(&peer(1), NOW, &AnyRules);
    assert!(frontier.is_finished(), "nothing new");
    frontier.learn(&Neighbour { addresses: vec!["new".into()], ..peer(1) }, NOW, &AnyRules);
    let (index, candidate) = frontier.next().unwrap();
    assert_eq!(candidate.addresses, ["a1", "new"]);
    frontier.answered(index, answer(1, &[]), NOW, &AnyRules);
    assert_eq!((frontier.known(), frontier.done(), frontier.answering()), (1, 1, 1));
}

#[test]
fn a_private_address_is_kept_and_never_dialled() {
    let mut frontier = Frontier::new(LIMITS);
    let hidden = Neighbour { peer: "p1".into(), addresses: vec!["private".into()] };
    frontier.learn(&hidden, NOW, &AnyRules);
    frontier.seed("private", &AnyRules);
    assert!(frontier.next().is_none() && frontier.is_finished());
    frontier.learn(&peer(1), NOW, &AnyRules);
    let (_, candidate) = frontier.next().unwrap();
    assert_eq!(candidate.addresses, ["a1"]);
}

#[test]
fn no_source_fills_all_places_of_another_node() {
    let mut frontier = Frontier::new(LIMITS);
    let flood =
        |from: usize| Neighbour { peer: "p1".into(), addresses: (0..99).map(|i| format!("{from}-{i}")).collect() };
    frontier.learn(&flood(0), NOW, &AnyRules);
    frontier.learn(&peer(1), NOW, &AnyRules);
    assert!(frontier.next().unwrap().1.addresses.contains(&"a1".to_owned()));
    for from in 1..9 {
        frontier.learn(&flood(from), NOW, &AnyRules);
    }
    assert_eq!(frontier.into_entries().iter().next().unwrap().addresses.len(), ADDRESSES_MAX);
}

#[test]
fn a_seed_that_is_a_known_node_becomes_one_with_it() {
    let mut frontier = Frontier::new(LIMITS);
    frontier.seed("s", &AnyRules);
    frontier.learn(&peer(1), NOW, &AnyRules);
    let (seed, _) = frontier.next().unwrap();
    let (known, _) = frontier.next().unwrap();
    frontier.answered(seed, answer(1, &[]), NOW, &AnyRules);
    frontier.answered(known, answer(1, &[]), NOW, &AnyRules);
    assert_eq!((frontier.known(), frontier.answering(), frontier.done()), (1, 1, 1));
    assert!(frontier.is_finished());
}

proptest! {
    #[test]
    fn every_reachable_node_is_asked_and_nothing_exceeds_its_bound(
        tables in proptest::collection::vec(proptest::collection::vec(0u8..40, 0..8), 40),
        fates in proptest::collection::vec(0u8..6, 40),
        seeds in proptest::collection::vec(0u8..40, 1..6),
        at_once in 1usize..9,
        order in proptest::collection::vec(any::<prop::sample::Index>(), 400)
    ) {
        let mut frontier = Frontier::new(LIMITS);
        let mut reachable: HashSet<u8> = HashSet::new();
        for seed in &seeds {
            frontier.seed(&format!("a{seed}"), &AnyRules);
            frontier.learn(&peer(*seed), NOW, &AnyRules);
            reachable.insert(*seed);
        }
        let mut flying: Vec<(NodeIndex, u8, bool)> = Vec::new();
        let mut tries: HashMap<(u8, bool), u32> = HashMap::new();
        let mut now = Duration::ZERO;
        let mut turns = order.iter().cycle();
        while !frontier.is_finished() {
            while flying.len() < at_once && let Some((index, candidate)) = frontier.next() {
                prop_assert!(candidate.addresses.len() <= ADDRESSES_MAX && !candidate.addresses.is_empty());
                let id: u8 = candidate.addresses[0][1..].parse().unwrap();
                let named = candidate.peer.is_some();
                prop_assert!(!flying.iter().any(|(_, other, n)| *other == id && *n == named), "asked twice at once");
                *tries.entry((id, named)).or_default() += 1;
                flying.push((index, id, named));
            }
            if flying.is_empty() {
                if let Some(at) = frontier.next_wake() {
                    now = at;
                    frontier.wake(now);
                }
                continue;
            }
            let (index, id, _) = flying.swap_remove(turns.next().unwrap().index(flying.len()));
            // Fate: 0 refuses for ever, 1 says no, others answer.
            match fates[id as usize] {
                0 => frontier.failed(index, refused(true), after_1_ms(now), &AnyRules),
                1 => frontier.failed(index, refused(false), after_1_ms(now), &AnyRules),
                _ => frontier.answered(index, answer(id, &tables[id as usize]), now, &AnyRules),
            }
        }
        for ((id, _), count) in &tries {
            let most = if fates[*id as usize] == 0 { LIMITS.attempts } else { 1 };
            prop_assert!(*count <= most);
        }
        let mut open: Vec<u8> = reachable.iter().copied().collect();
        while let Some(id) = open.pop() {
            if fates[id as usize] > 1 {
                open.extend(tables[id as usize].iter().filter(|next| reachable.insert(**next)));
            }
        }
        let entries = frontier.into_entries();
        for entry in entries.iter().filter(|entry| entry.peer.is_some()) {
            let id: u8 = entry.peer.as_deref().unwrap()[1..].parse().unwrap();
            prop_assert!(reachable.contains(&id), "p{} was invented", id);
            let right = if fates[id as usize] > 1 { State::Answered } else { State::Failed };
            prop_assert_eq!(entry.state, right);
            prop_assert!(entry.neighbours.len() <= NEIGHBOURS_MAX);
        }
        prop_assert_eq!(entries.iter().filter(|e| e.peer.is_some()).count(), reachable.len());
    }
}
