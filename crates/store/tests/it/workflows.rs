//! Workflows and their runs.

use std::time::Duration;

use p2ppool_model::workflow::run::{Progress, RunState, StepState};
use p2ppool_model::workflow::{StepOutcome, parse};
use p2ppool_model::{PoolId, Time};
use p2ppool_store::{Answer, NewRun, Page, RunFilter, Store, StoreError};

use crate::builders::{NOW, pool};

crate::stories! {
    a_workflow_is_kept_by_name_and_version
    a_run_belongs_to_one_manager_and_keeps_its_text
    a_step_is_answered_once_and_a_run_cancelled_once
}

const TEXT: &str = "steps:\n- name: ask\n  approve: Go on?\n- name: nap\n  sleep: 5s\n";
const LEASE: Duration = Duration::from_secs(60);

async fn a_workflow_is_kept_by_name_and_version(store: Store) {
    let first = store.put_workflow("churn", TEXT, "anna", true).await.unwrap();
    assert_eq!((first.version, first.text.as_str(), first.changed_by.as_str()), (1, TEXT, "anna"));
    let error = store.put_workflow("churn", "x", "bert", true).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { what } if what.contains("already")), "{error}");
    let second = store.put_workflow("churn", "other", "bert", false).await.unwrap();
    assert_eq!((second.version, second.text.as_str()), (2, "other"));
    store.put_workflow("alone", TEXT, "anna", false).await.unwrap();
    let names: Vec<String> = store.workflows().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["alone", "churn"]);
    assert!(store.delete_workflow("churn").await.unwrap() && !store.delete_workflow("churn").await.unwrap());
    assert!(matches!(store.workflow("churn").await, Err(StoreError::NotFound { .. })));
}

async fn new_run(store: &Store, pool: PoolId, by: &str) -> NewRun {
    let workflow = store.put_workflow("churn", TEXT, "anna", false).await.unwrap();
    let progress = Progress::begin(&parse(TEXT).unwrap(), NOW);
    NewRun { workflow, pool, pool_name: "x".into(), started_by: by.into(), progress }
}

async fn a_run_belongs_to_one_manager_and_keeps_its_text(store: Store) {
    let pool = pool(&store, "x").await.id;
    assert!(store.claim_runs("a", LEASE).await.unwrap().is_empty());
    let new = new_run(&store, pool, "install #1").await;
    let run = store.start_run(&new, 2, true).await.unwrap();
    assert_eq!(store.start_run(&new, 2, true).await.unwrap().id, run.id, "one start is one run");
    let second = store.start_run(&new, 2, false).await.unwrap();
    let error = store.start_run(&new, 2, false).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { what } if what.contains("2 runs")), "{error}");

    let claimed = store.claim_runs("a", LEASE).await.unwrap();
    assert_eq!(claimed.iter().map(|run| run.fence).collect::<Vec<_>>(), [1, 1]);
    assert!(store.claim_runs("b", LEASE).await.unwrap().is_empty());
    assert_eq!(store.claim_runs("a", Duration::ZERO).await.unwrap()[0].fence, 1, "its own it keeps");
    // the lease of no length is over by the next millisecond of the database's clock
    let taken = loop {
        let taken = store.claim_runs("b", LEASE).await.unwrap();
        if taken.len() == 2 {
            break taken;
        }
        assert!(taken.is_empty());
    };
    assert_eq!(taken[0].fence, 2);

    let workflow = parse(TEXT).unwrap();
    let mut progress = run.progress.clone();
    progress.step_ended(&workflow, StepOutcome::Success, "", NOW);
    assert!(!store.write_run(run.id, 1, &progress, false).await.unwrap(), "an old claim writes nothing");
    assert!(store.write_run(run.id, 2, &progress, false).await.unwrap());
    store.put_workflow("churn", "changed", "bert", false).await.unwrap();
    let now = store.workflow_run(run.id).await.unwrap();
    assert_eq!((now.text.as_str(), now.progress.at.as_deref(), now.ended_at), (TEXT, Some("nap"), None));
    progress.step_ended(&workflow, StepOutcome::Success, "", NOW);
    assert!(store.write_run(run.id, 2, &progress, false).await.unwrap());
    assert!(!store.write_run(run.id, 2, &progress, false).await.unwrap(), "it has ended");
    let ended = store.workflow_run(run.id).await.unwrap();
    assert_eq!((ended.progress.state, ended.ended_at.is_some()), (RunState::Succeeded, true));

    let filter = RunFilter { pools: Some(vec![pool]), workflow: Some("churn".into()), state: Some(RunState::Running) };
    let open = store.workflow_runs(&filter, Page::first(10)).await.unwrap();
    assert_eq!((open.total, open.items[0].id), (1, second.id));
    let none = RunFilter { pools: Some(vec![]), ..RunFilter::default() };
    assert_eq!(store.workflow_runs(&none, Page::first(10)).await.unwrap().total, 0);
    assert_eq!(store.prune_runs(0).await.unwrap(), 1);
    assert_eq!(store.workflow_runs(&RunFilter::default(), Page::first(10)).await.unwrap().total, 1);
}

async fn a_step_is_answered_once_and_a_run_cancelled_once(store: Store) {
    let pool = pool(&store, "x").await.id;
    let new = new_run(&store, pool, "anna").await;
    let run = store.start_run(&new, 9, false).await.unwrap();
    assert_eq!(run.progress.steps[0].state, StepState::AwaitsApproval);
    let answer = |step: &str| Answer { step: step.into(), approve: true, comment: "fine".into(), by: "anna".into() };
    let error = store.answer_run(run.id, &answer("nap")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Conflict { what } if what.contains("nap")), "{error}");
    store.answer_run(run.id, &answer("ask")).await.unwrap();
    assert!(store.answer_run(run.id, &answer("ask")).await.is_err());
    let claimed = store.claim_runs("a", LEASE).await.unwrap().remove(0);
    assert_eq!(claimed.answer, Some(answer("ask")));
    assert!(store.write_run(run.id, claimed.fence, &run.progress, true).await.unwrap());
    assert_eq!(store.workflow_run(run.id).await.unwrap().answer, None);

    assert!(store.cancel_run(run.id, "bert").await.unwrap());
    assert_eq!(store.workflow_run(run.id).await.unwrap().cancelled_by.as_deref(), Some("bert"));
    let mut progress = run.progress.clone();
    progress.cut(RunState::Cancelled, "cancelled by bert", Time(5));
    assert!(store.write_run(run.id, claimed.fence, &progress, false).await.unwrap());
    assert!(!store.cancel_run(run.id, "carl").await.unwrap());
}
