//! Rolling upgrades beside their tasks.

use std::time::Duration;

use p2ppool_model::pool::PoolSettings;
use p2ppool_model::rolling::Rolling;
use p2ppool_model::rollout::{Decision, Phase, Release, Rollout};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Time};
use p2ppool_store::{Admission, Admitted, Decided, NewTask, Starts, Store, StoreError};

use crate::builders::pool;

crate::stories! {
    a_rolling_upgrade_belongs_to_its_claim_and_is_decided_on_once
}

fn rollout(phase: Phase) -> Rollout {
    let release = || Release { package: None, bundle: None, settings: PoolSettings::default() };
    Rollout { phase, ..Rollout::new(Rolling::default(), release(), release(), vec![]) }
}

async fn a_rolling_upgrade_belongs_to_its_claim_and_is_decided_on_once(store: Store) {
    let pool = pool(&store, "x").await;
    let new = NewTask {
        pool: pool.id,
        action: Action::Upgrade,
        asked: String::new(),
        started_by: "anna".into(),
        params: serde_json::Value::Null,
        retry_of: None,
        hosts: vec![],
    };
    let admitted = store.admit_task(new, |_| Admission::Queue { make_room: vec![], waits_for: None }).await.unwrap();
    let Admitted::Queued { task, .. } = admitted else { panic!("{admitted:?}") };
    let task = task.id;
    assert!(!store.write_rollout(task, 0, &rollout(Phase::Measuring), false).await.unwrap(), "it is not claimed yet");
    let all = |line: &[p2ppool_store::InLine]| Starts {
        start: line.iter().map(|one| one.id).collect(),
        wait: vec![],
        ..Starts::default()
    };
    let (claimed, _) = store.claim_tasks(pool.id, "a", Duration::from_secs(60), all).await.unwrap();
    let fence = claimed[0].fence;

    assert_eq!(store.rollout(task).await.unwrap(), None);
    assert!(store.write_rollout(task, fence, &rollout(Phase::Measuring), false).await.unwrap());
    let anna = Decided { decision: Decision::Continue, by: "anna".into() };
    let error = store.decide_rollout(task, &anna).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { what } if what.contains("not paused")), "{error}");

    let paused = rollout(Phase::Paused { batch: 0, since: Time(7) });
    assert!(store.write_rollout(task, fence, &paused, false).await.unwrap());
    assert_eq!(store.rollout(task).await.unwrap().unwrap(), paused);
    store.decide_rollout(task, &anna).await.unwrap();
    let late = Decided { decision: Decision::RollBack, by: "bert".into() };
    let error = store.decide_rollout(task, &late).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { what } if what.contains("anna")), "{error}");
    assert!(store.write_rollout(task, fence, &paused, false).await.unwrap());
    assert_eq!(store.rollout_decision(task).await.unwrap(), Some(anna), "it is kept until it is taken up");
    assert!(store.write_rollout(task, fence, &rollout(Phase::Finishing), true).await.unwrap());
    assert_eq!(store.rollout_decision(task).await.unwrap(), None);

    let again = store.take_over_tasks("b", Duration::from_secs(60), false).await.unwrap();
    assert_eq!(again.len(), 0);
    assert!(!store.write_rollout(task, fence - 1, &paused, false).await.unwrap(), "an old claim writes nothing");
    assert_eq!(store.rollout(task).await.unwrap().unwrap().phase, Phase::Finishing);
    assert_eq!(store.task(task).await.unwrap().state, TaskState::Running);
    assert!(store.decide_rollout(p2ppool_model::TaskId(99), &late).await.is_err());
}
