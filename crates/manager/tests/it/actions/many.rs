//! A thousand hosts in memory.

use std::sync::Arc;
use std::time::Instant;

use p2ppool_model::pool::{PoolSettings, PoolState};
use p2ppool_model::task::TaskState;
use p2ppool_model::{Action, Outcome};
use p2ppool_remote::testing::Fake;

use super::world::{World, count, hosts};

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_hosts_are_done_within_the_limits() {
    let fake = Arc::new(Fake::default());
    let world = World::with_ssh(fake.clone()).await;
    let pool = world.pool("big", PoolSettings::default(), &hosts(1000), PoolState::Running).await;
    let begun = Instant::now();
    let usage = world.done(&pool, Action::GatherUsage).await;
    println!("1000 hosts in {:?}, at most {} at once", begun.elapsed(), fake.most_sessions());
    assert_eq!((usage.state, count(&usage, Outcome::Ok)), (TaskState::Succeeded, 1000));
    assert!(fake.most_sessions() <= 64 + 256, "{}", fake.most_sessions());
    assert_eq!(fake.open_sessions(), 0);
    let known = world.context.store.pool_hosts(pool.id).await.unwrap();
    assert!(known.iter().all(|host| host.known.memory_total == Some(1 << 30) && host.known.reachable == Some(true)));
}
