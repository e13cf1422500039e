use proptest::prelude::*;

use super::*;
use crate::PoolId;
use crate::amount::{Amount, Share};
use crate::host::{Host, HostKnown, HostSpec};
use crate::rolling::{Canary, Gate};

fn hosts(count: usize) -> Vec<Host> {
    let host = |n: usize| Host {
        id: HostId(n as i64 + 1),
        pool: PoolId(1),
        spec: HostSpec {
            address: format!("h{n}"),
            labels: [("rack".to_owned(), (n % 3).to_string())].into(),
            ..HostSpec::default()
        },
        known: HostKnown::default(),
        leaving: false,
    };
    (0..count).map(host).collect()
}

fn plan(rolling: &Rolling, count: usize) -> Vec<PlannedBatch> {
    let hosts = hosts(count);
    rolling.batches(&hosts.iter().collect::<Vec<_>>()).unwrap()
}

fn rollout(rolling: Rolling, count: usize) -> Rollout {
    let batches = plan(&rolling, count);
    let release = || Release { package: None, bundle: None, settings: PoolSettings::default() };
    Rollout::new(rolling, release(), release(), batches)
}

fn measured(nodes: u64, consistency: f64) -> Option<Measured> {
    Some(Measured { crawl: CrawlId(1), nodes, consistency: Some(consistency) })
}

#[test]
fn a_canary_comes_first_and_the_rest_in_batches() {
    let rolling = Rolling { canary: Some(Canary::Hosts(Amount::Count(1))), ..Rolling::default() };
    let sizes: Vec<usize> = plan(&rolling, 20).iter().map(|batch| batch.hosts.len()).collect();
    assert_eq!(sizes, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
    let labels = Canary::Labels([("rack".to_owned(), "2".to_owned())].into());
    let rolling = Rolling { canary: Some(labels), batch: Amount::Count(100), ..Rolling::default() };
    let batches = plan(&rolling, 6);
    assert_eq!((batches[0].hosts.as_slice(), batches[0].canary), ([HostId(3), HostId(6)].as_slice(), true));
    let nobody = Canary::Labels([("rack".to_owned(), "9".to_owned())].into());
    let list = hosts(3);
    let error = Rolling { canary: Some(nobody), ..Rolling::default() }.batches(&list.iter().collect::<Vec<_>>());
    assert!(error.unwrap_err().contains("canary"));
}

#[test]
fn a_gate_that_recovers_in_time_is_passed_and_one_that_does_not_rolls_back() {
    let rolling = Rolling { on_failed_gate: OnFailedGate::RollBack, ..Rolling::default() };
    let begun =
        rollout(rolling, 20).after(Fact::Measured(measured(20, 1.0)), Time(0)).after(Fact::Deployed, Time(1000));
    assert_eq!(begun.phase, Phase::Gate { batch: 0, until: Time(601_000) });
    let low = begun.judge(0, 2, measured(18, 0.5), Time(2000));
    assert_eq!(low.failed, [GateCheck::Nodes, GateCheck::Consistency]);
    let waits = begun.after(Fact::Read(low.clone()), Time(2000));
    assert_eq!(waits.phase, Phase::Gate { batch: 0, until: Time(601_000) });
    let high = waits.judge(0, 2, measured(20, 0.97), Time(5000));
    assert_eq!(waits.clone().after(Fact::Read(high), Time(5000)).phase, Phase::Deploying { batch: 1 });
    assert_eq!(waits.after(Fact::Read(low), Time(601_000)).phase, Phase::RollingBack { batch: 0 });
}

#[test]
fn hosts_that_are_not_right_fail_a_gate_at_once() {
    let begun = rollout(Rolling::default(), 20).after(Fact::Measured(measured(20, 1.0)), Time(0));
    let begun = begun.after(Fact::Deployed, Time(0));
    let reading = begun.judge(0, 1, None, Time(1));
    assert_eq!(reading.failed, [GateCheck::HostsOk]);
    assert_eq!(begun.after(Fact::Read(reading), Time(1)).phase, Phase::Paused { batch: 0, since: Time(1) });
}

#[test]
fn an_unknown_consistency_is_not_fine() {
    let begun = rollout(Rolling::default(), 20).after(Fact::Measured(measured(20, 1.0)), Time(0));
    let found = Some(Measured { crawl: CrawlId(2), nodes: 20, consistency: None });
    assert_eq!(begun.judge(0, 2, found, Time(1)).failed, [GateCheck::Consistency]);
}

#[derive(Clone, Debug)]
enum World {
    Good,
    Bad,
    Broken,
    Decide(Decision),
    Silence,
}

fn worlds() -> impl Strategy<Value = Vec<World>> {
    let one = prop_oneof![
        4 => Just(World::Good),
        2 => Just(World::Bad),
        1 => Just(World::Broken),
        1 => prop::sample::select(vec![Decision::Continue, Decision::Check, Decision::RollBack]).prop_map(World::Decide),
        1 => Just(World::Silence),
    ];
    prop::collection::vec(one, 1..40)
}

fn rollings() -> impl Strategy<Value = Rolling> {
    let canary = prop_oneof![
        Just(None),
        (1u64..4).prop_map(|n| Some(Canary::Hosts(Amount::Count(n)))),
        Just(Some(Canary::Labels([("rack".to_owned(), "1".to_owned())].into()))),
    ];
    let batch =
        prop_oneof![(1u64..30).prop_map(Amount::Count), (1u8..=100).prop_map(|p| Amount::Share(Share::percent(p)))];
    let policy = prop::sample::select(vec![OnFailedGate::Pause, OnFailedGate::RollBack]);
    (canary, batch, policy).prop_map(|(canary, batch, on_failed_gate)| Rolling {
        batch,
        canary,
        on_failed_gate,
        gate: Gate::default(),
    })
}

proptest! {
    #[test]
    fn every_host_is_in_exactly_one_batch(rolling in rollings(), count in 2usize..60) {
        let batches = plan(&rolling, count);
        let mut all: Vec<HostId> = batches.iter().flat_map(|batch| batch.hosts.clone()).collect();
        all.sort_unstable();
        prop_assert_eq!(all, (1..=count as i64).map(HostId).collect::<Vec<_>>());
        prop_assert!(batches.iter().all(|batch| !batch.hosts.is_empty()));
        prop_assert_eq!(batches, plan(&rolling, count));
    }

    /// Whatever happens: batches come in order, none after a gate that nobody let pass, and it ends.
    #[test]
    fn no_batch_overtakes_its_gate_and_every_rollout_ends(rolling in rollings(), count in 2usize..40, worlds in worlds()) {
        let mut rollout = rollout(rolling, count);
        let (mut now, mut deployed, mut worlds) = (Time(0), 0usize, worlds.into_iter().cycle());
        let mut undone = false;
        let mut passed = vec![false; rollout.batches.len()];
        for steps in 0.. {
            prop_assert!(steps < 3000, "it never ends: {:?}", rollout.phase);
            now = now.plus(Duration::from_secs(7));
            let json = serde_json::to_string(&rollout).unwrap();
            rollout = serde_json::from_str(&json).unwrap();
            // a person who asks for check after check for ever is not simulated
            let world = if steps > 200 { World::Silence } else { worlds.next().unwrap() };
            let fact = match rollout.step() {
                Next::Measure => Fact::Measured(measured(count as u64, 1.0)),
                Next::Deploy(batch) => {
                    prop_assert!(!undone);
                    prop_assert!(batch == deployed && passed[..batch].iter().all(|passed| *passed));
                    deployed += 1;
                    Fact::Deployed
                }
                Next::Read { batch, until } => {
                    let hosts = rollout.batches[batch].hosts.len() as u64;
                    let (ok, nodes, consistency) = match world {
                        World::Good => (hosts, count as u64, 1.0),
                        World::Broken => (0, 0, 0.0),
                        _ => (hosts, count as u64 / 2, 0.5),
                    };
                    if matches!(world, World::Silence) { now = until; }
                    let reading = rollout.judge(batch, ok, measured(nodes, consistency), now);
                    passed[batch] |= reading.passed();
                    Fact::Read(reading)
                }
                Next::Ask { batch, until } => match world {
                    World::Decide(decision) => {
                        passed[batch] |= decision == Decision::Continue;
                        Fact::Decided(decision)
                    }
                    _ => { now = until; Fact::Waited }
                },
                Next::RollBack => { undone = true; Fact::RolledBack }
                Next::Finish => { prop_assert!(passed.iter().all(|passed| *passed)); Fact::Finished }
                Next::End => break,
            };
            rollout = rollout.after(fact, now);
        }
        let ended = matches!(rollout.phase, Phase::Done | Phase::RolledBack { .. } | Phase::Abandoned { .. });
        prop_assert!(ended);
        prop_assert_eq!(undone, matches!(rollout.phase, Phase::RolledBack { .. }));
    }
}
