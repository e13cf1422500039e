//! Workflows on real nodes, and through the death of a manager.

use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool::workflow::{self, Times, check};
use p2ppool_model::event::Change;
use p2ppool_model::pool::{Pool, PoolSettings, PoolState};
use p2ppool_model::task::TaskState;
use p2ppool_model::workflow::run::{RunState, StepRun, StepState};
use p2ppool_model::{Action, Outcome, Time};
use p2ppool_remote::testing::Fake;
use p2ppool_store::{Answer, RunFilter, WorkflowRun};

use super::world::{World, count, free_ports, hosts, node_binary};

/// A run that did not get there by then never will.
const PATIENCE: Duration = Duration::from_secs(180);

/// Waits until the run is so.
async fn until(world: &World, id: i64, is: impl Fn(&WorkflowRun) -> bool) -> WorkflowRun {
    let mut events = world.watch();
    let wait = async {
        loop {
            let run = world.context.store.workflow_run(id).await.unwrap();
            if is(&run) {
                return run;
            }
            assert_eq!(run.progress.state, RunState::Running, "{}: {:?}", run.progress.message, run.progress.steps);
            while !events
                .next()
                .await
                .iter()
                .any(|event| matches!(event.change, Change::WorkflowRun { .. } | Change::Reread))
            {}
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("run {id} never got there"))
}

async fn start(world: &World, pool: &Pool, name: &str, text: &str) -> i64 {
    world.context.store.put_workflow(name, text, "test", false).await.unwrap();
    workflow::start(&world.context, name, pool, "test", Times::Any).await.unwrap().id
}

fn step<'a>(run: &'a WorkflowRun, name: &str) -> &'a StepRun {
    run.progress.steps.iter().find(|step| step.name == name).unwrap()
}

#[test]
fn the_guides_workflows_are_right() {
    let guide = include_str!("../../../../../docs/guide/workflows.md");
    let mut found = 0;
    for (start, _) in guide.match_indices("```yaml\n").chain(guide.match_indices("```json\n")) {
        let text = &guide[start + 8..];
        let text = &text[..text.find("\n```").unwrap()];
        check(text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        found += 1;
    }
    assert_eq!(found, 3);
}

const LIFE: &str = "
steps:
  - name: settle
    wait: [nodes >= 100%, consistency >= 0.99]
    within: 2m
  - name: ask
    approve: Stop a quarter?
  - name: hurt
    fault: { kind: stop, share: 25%, seed: 7 }
  - name: seen
    wait: [nodes == 75%, missing == 25%]
    within: 2m
  - name: kill
    fault: { kind: kill, share: 2, seed: 1 }
  - name: back
    fault: { kind: resume }
  - name: whole
    wait: [nodes >= 100%, missing == 0]
    within: 2m
  - name: logs
    run: gather_logs
";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn after_an_install_a_workflow_hurts_the_overlay_and_sees_it_heal() {
    const HOSTS: usize = 8;
    assert!(node_binary().is_some(), "no p2pnode: run `make node`, or name one by P2PNODE_BIN");
    let world = World::real().await;
    let settings = PoolSettings { after_install: Some("churn".to_owned()), ..world.local() };
    let pool = world.pool("churn", settings, &hosts(HOSTS), PoolState::Created).await;
    world.context.store.put_workflow("churn", LIFE, "test", true).await.unwrap();
    let begun = Instant::now();
    let install = world.done(&pool, Action::Install).await;
    assert_eq!(install.state, TaskState::Succeeded, "{}", install.message);
    let runs = world.context.store.workflow_runs(&RunFilter::default(), p2ppool_store::Page::first(9)).await.unwrap();
    assert_eq!((runs.total, runs.items[0].started_by.as_str()), (1, format!("install #{}", install.id).as_str()));
    let id = runs.items[0].id;

    let asks = until(&world, id, |run| step(run, "ask").state == StepState::AwaitsApproval).await;
    println!("settled after {:?}: {}", begun.elapsed(), step(&asks, "settle").message);
    // the manager dies while a person thinks
    let world = world.crash_and_start(Arc::new(p2ppool_remote::Ssh::default())).await;
    let yes = Answer { step: "ask".into(), approve: true, comment: String::new(), by: "anna".into() };
    world.context.store.answer_run(id, &yes).await.unwrap();
    let hurt = until(&world, id, |run| step(run, "hurt").task.is_some()).await;
    // and again while its fault is under way or just done
    let world = world.crash_and_start(Arc::new(p2ppool_remote::Ssh::default())).await;
    let ended = until(&world, id, |run| run.progress.state != RunState::Running).await;
    println!("ended after {:?}: {}", begun.elapsed(), ended.progress.message);
    for step in &ended.progress.steps {
        println!("  {} {:?} {}", step.name, step.state, step.message);
    }
    assert_eq!(ended.progress.state, RunState::Succeeded);
    assert!(ended.progress.steps.iter().all(|step| step.state == StepState::Succeeded));
    assert_eq!(step(&ended, "hurt").task, step(&hurt, "hurt").task, "it was not asked for twice");
    let seen = step(&ended, "seen").reading.unwrap();
    assert_eq!((seen.nodes, seen.missing), (6, 2));
    let tasks = |name: &str| world.task(step(&ended, name).task.unwrap());
    assert_eq!(count(&tasks("hurt").await, Outcome::Ok), 2);
    assert_eq!(count(&tasks("kill").await, Outcome::Ok), 2);
    assert_eq!(count(&tasks("back").await, Outcome::Ok), 4, "those that were stopped and those that were killed");
    assert_eq!(tasks("hurt").await.params["seed"], 7);
    let known = world.context.store.pool_hosts(pool.id).await.unwrap();
    assert!(known.iter().all(|host| host.known.running == Some(true)));
    assert!(world.context.folders.public(&pool.name).join("logs.zip").exists());
    let stop = world.done(&pool, Action::Stop).await;
    assert_eq!(stop.state, TaskState::Succeeded, "{}", stop.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_after_a_crash_and_ends_with_its_pool() {
    let fake = Arc::new(Fake::default());
    let world = World::with_ssh(fake.clone()).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(5), PoolState::Running).await;
    let text = "steps:\n- {name: usage, run: gather_usage}\n- {name: nap, sleep: 2s}\n- {name: gone, run: stop, on: {always: after}}\n- {name: after, run: check}\n";
    let id = start(&world, &pool, "w", text).await;
    until(&world, id, |run| run.progress.at.as_deref() == Some("nap")).await;
    let world = world.crash_and_start(fake.clone()).await;
    let ended = until(&world, id, |run| run.progress.state != RunState::Running).await;
    assert_eq!(step(&ended, "gone").state, StepState::Succeeded, "{:?}", ended.progress);
    assert_eq!((ended.progress.state, step(&ended, "after").state), (RunState::Failed, StepState::Failed));
    assert!(ended.progress.message.contains("the pool is gone"), "{}", ended.progress.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_a_run_ends_the_task_of_its_step() {
    let slow = |_: &p2ppool_remote::Target| p2ppool_remote::testing::FakeHost {
        step_takes: Duration::from_millis(100),
        ..p2ppool_remote::testing::FakeHost::default()
    };
    let world = World::with_ssh(Arc::new(Fake::new(slow))).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(2000), PoolState::Running).await;
    let id = start(&world, &pool, "w", "steps:\n- {name: usage, run: gather_usage}\n").await;
    let begun = until(&world, id, |run| step(run, "usage").task.is_some()).await;
    assert!(world.context.store.cancel_run(id, "anna").await.unwrap());
    let ended = until(&world, id, |run| run.progress.state != RunState::Running).await;
    assert_eq!((ended.progress.state, ended.progress.message.as_str()), (RunState::Cancelled, "cancelled by anna"));
    let task = world.ended(step(&begun, "usage").task.unwrap()).await;
    assert_eq!((task.state, step(&ended, "usage").state), (TaskState::Cancelled, StepState::Cancelled));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs p2pnode: `make test` builds it"]
async fn nodes_that_a_cancelled_run_has_killed_are_started_again() {
    assert!(node_binary().is_some(), "no p2pnode: run `make node`, or name one by P2PNODE_BIN");
    let fake = Arc::new(Fake::default());
    let world = World::with_ssh(fake.clone()).await;
    let settings = PoolSettings { ports: free_ports(), ..PoolSettings::default() };
    let pool = world.pool("p", settings, &hosts(6), PoolState::Created).await;
    let install = world.done(&pool, Action::Install).await;
    assert_eq!(install.state, TaskState::Succeeded, "{}", install.message);
    let up = || hosts(6).iter().filter(|host| fake.state(&host.address, host.ssh_port()).running).count();
    let text = "steps:\n- {name: hurt, fault: {kind: kill, share: 3, seed: 1}}\n- {name: nap, sleep: 1h}\n\
        - {name: heal, fault: {kind: resume}}\n";
    let id = start(&world, &pool, "w", text).await;
    until(&world, id, |run| run.progress.at.as_deref() == Some("nap")).await;
    assert_eq!(up(), 3);
    // whoever cancels may be served by another manager than the one that then dies
    assert!(world.context.store.cancel_run(id, "anna").await.unwrap());
    let world = world.crash_and_start(fake.clone()).await;
    let ended = until(&world, id, |run| run.progress.state != RunState::Running).await;
    assert_eq!((ended.progress.state, step(&ended, "nap").state), (RunState::Cancelled, StepState::Cancelled));
    assert!(ended.progress.message.starts_with("cancelled by anna; task #"), "{}", ended.progress.message);
    let tasks = world.context.store.tasks(&Default::default(), p2ppool_store::Page::first(9)).await.unwrap().items;
    let mut resumes = tasks.iter().filter(|task| task.started_by == format!("workflow w #{id}, cancelled"));
    let resume = world.ended(resumes.next().expect("one task starts them again").id).await;
    assert_eq!((resume.state, resumes.next()), (TaskState::Succeeded, None), "{}", resume.message);
    assert_eq!(up(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_goes_to_the_targets_of_the_pools_alert_rules_and_to_no_others() {
    let world = World::with_ssh(Arc::new(Fake::default())).await;
    let pool = world.pool("p", PoolSettings::default(), &hosts(1), PoolState::Running).await;
    let store = &world.context.store;
    let target = async |name: &str| {
        let settings = serde_json::json!({ "kind": "webhook", "url": "http://127.0.0.1:9/" });
        store.create_alert_target(None, name, &settings, None, Time::now()).await.unwrap().id
    };
    let (ops, night, _stranger) = (target("ops").await, target("night").await, target("stranger").await);
    let told = async |name: &str, to: &str| {
        let text = format!("steps:\n- {{name: tell, notify: Look!{to}}}\n");
        let id = start(&world, &pool, name, &text).await;
        let ended = until(&world, id, |run| run.progress.state != RunState::Running).await;
        (ended.progress.state, step(&ended, "tell").message.clone())
    };
    assert_eq!(told("a", "").await, (RunState::Succeeded, "Look! (no alert rule of the pool has a target)".into()));
    let condition = p2ppool_model::alert::Condition::VersionMismatch;
    store.create_alert_rule(pool.id, "r", &condition, &[ops, night], Time::now()).await.unwrap();
    assert_eq!(told("b", "").await, (RunState::Succeeded, "Look! (told 2 alert targets)".into()));
    assert_eq!(told("c", ", to: ops").await.1, "Look! (told 1 alert targets)");
    let (state, why) = told("d", ", to: [ops, stranger]").await;
    assert!(state == RunState::Failed && why.contains("`stranger`"), "{why}");
    assert_eq!(store.messages_waiting().await.unwrap(), 3);
}
