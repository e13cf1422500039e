//! Limits over two managers on one PostgreSQL.

use std::sync::Arc;
use std::time::Duration;

use p2ppool::all_limits::AllLimits;
use p2ppool::limits::ManagerLimits;
use p2ppool_model::pool::{PoolSettings, PoolState};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Outcome};
use p2ppool_remote::testing::Fake;
use p2ppool_store::testing;

use super::world::{World, count, hosts};

/// Shares that have not come by then never will.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn two_managers_divide_the_limits_over_all_and_who_is_left_has_the_whole() {
    let url = testing::postgres_url().await;
    // one for both: it counts the sessions of both
    let fake = Arc::new(Fake::default());
    let first = World::on(&url, fake.clone(), None).await;
    let usual = ManagerLimits::default();
    assert_eq!(first.engine.limits_are(PATIENCE, |now| *now == usual).await, usual, "nothing is limited yet");

    let all = AllLimits { connecting: Some(5), working: Some(9), tasks: Some(2), per_second: None };
    first.engine.set_all_limits(&all).await.unwrap();
    let whole = ManagerLimits { connecting: 5, working: 9, tasks: 2, ..usual };
    assert_eq!(first.engine.limits_are(PATIENCE, |now| *now == whole).await, whole, "nobody else is there");

    let second = first.beside(&url, fake.clone()).await;
    let (mut shares, is_share) =
        (Vec::new(), |now: &ManagerLimits| (2..=3).contains(&now.connecting) && now.tasks == 1);
    for world in [&first, &second] {
        shares.push(world.engine.limits_are(PATIENCE, is_share).await);
    }
    let sum = |of: fn(&ManagerLimits) -> u32| shares.iter().map(of).sum::<u32>();
    assert_eq!((sum(|one| one.connecting), sum(|one| one.working), sum(|one| one.tasks)), (5, 9, 2), "{shares:?}");

    let mut tasks = Vec::new();
    for name in ["a", "b", "c"] {
        let pool = first.pool(name, PoolSettings::default(), &hosts(200), PoolState::Running).await;
        tasks.push(first.ask(&pool, Action::GatherUsage, serde_json::Value::Null).await.unwrap());
    }
    for task in tasks {
        let ended = first.ended(task.id).await;
        assert_eq!((ended.state, count(&ended, Outcome::Ok)), (TaskState::Succeeded, 200));
    }
    assert!(fake.most_sessions() <= 5 + 9, "{} sessions at once over both", fake.most_sessions());

    second.engine.crash().await;
    assert_eq!(first.engine.limits_are(PATIENCE, |now| *now == whole).await, whole, "the other one is dead");
    first.engine.set_all_limits(&AllLimits::default()).await.unwrap();
    assert_eq!(first.engine.limits_are(PATIENCE, |now| *now == usual).await, usual);
}
