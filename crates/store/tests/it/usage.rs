use std::time::Duration;

use p2ppool_model::geo::Located;
use p2ppool_model::usage::{Usage, UsageMetric, UsageSample};
use p2ppool_model::{CrawlId, HostId, Time};
use p2ppool_store::{Store, usage_bucket_start};

use crate::builders::{NOW, pool, specs};

crate::stories! { samples_are_summed_by_the_hour_and_by_host old_samples_go_and_sums_stay what_located_nodes_is_kept }

const HOUR: Duration = Duration::from_secs(3600);

fn sample(host: HostId, at: Time, memory: u64, load: Option<f64>) -> UsageSample {
    UsageSample { host, at, usage: Usage { node_memory: Some(memory), load, ..Usage::default() } }
}

async fn three_hosts(store: &Store) -> (p2ppool_model::pool::Pool, Vec<HostId>) {
    let pool = pool(store, "demo").await;
    store.set_hosts(pool.id, &specs("a\nb\nc\n")).await.unwrap();
    let hosts = store.pool_hosts(pool.id).await.unwrap();
    (pool, hosts.into_iter().map(|host| host.id).collect())
}

async fn samples_are_summed_by_the_hour_and_by_host(store: Store) {
    let (pool, hosts) = three_hosts(&store).await;
    let start = Time(NOW.0 / 3_600_000 * 3_600_000);
    let first = [sample(hosts[0], start, 10, Some(1.0)), sample(hosts[1], start, 30, None)];
    store.add_usage(pool.id, &first).await.unwrap();
    // the second look of the hour knows the load no more, and a host that is gone is nobody's
    let again = [sample(hosts[0], start.plus(HOUR / 2), 20, None), sample(HostId(9999), start, 1000, None)];
    store.add_usage(pool.id, &again).await.unwrap();
    store.add_usage(pool.id, &[sample(hosts[2], start.plus(HOUR * 3), 7, Some(0.5))]).await.unwrap();
    store.add_usage(pool.id, &[sample(hosts[2], start, 0, Some(f64::NAN))]).await.unwrap();

    let until = start.plus(HOUR * 4);
    let buckets = store.pool_usage(pool.id, start, until, 100).await.unwrap();
    let memory: Vec<_> = buckets.iter().filter(|b| b.metric == UsageMetric::NodeMemory).collect();
    assert_eq!((memory[0].bucket, memory[1].bucket), (0, 3));
    assert_eq!((memory[1].spread.samples, memory[1].spread.mean), (1, 7.0));
    assert_eq!(usage_bucket_start(start, until, 100, 3), start.plus(HOUR * 3));
    let load = buckets.iter().find(|b| b.metric == UsageMetric::Load).unwrap();
    assert_eq!((load.spread.samples, load.spread.min, load.spread.max), (1, 1.0, 1.0));
    let halves = store.pool_usage(pool.id, start, until, 2).await.unwrap();
    assert_eq!(halves.iter().map(|b| b.bucket).max(), Some(1));
    assert_eq!(usage_bucket_start(start, until, 2, 1), start.plus(HOUR * 2));

    let one = store.host_usage(hosts[0], start, until, 10).await.unwrap();
    assert_eq!(one.len(), 1, "one an hour");
    assert_eq!((one[0].usage.node_memory, one[0].usage.load), (Some(20), Some(1.0)), "the newest that is known");
    let top = store.top_usage(pool.id, UsageMetric::NodeMemory, 2).await.unwrap();
    assert_eq!(top.iter().map(|s| s.host).collect::<Vec<_>>(), [hosts[1], hosts[0]]);
    let busiest = store.top_usage(pool.id, UsageMetric::Load, 10).await.unwrap();
    assert_eq!(
        busiest.iter().map(|s| s.host).collect::<Vec<_>>(),
        [hosts[0], hosts[2]],
        "who doesn't tell is in no list"
    );
}

async fn old_samples_go_and_sums_stay(store: Store) {
    let (pool, hosts) = three_hosts(&store).await;
    for hours in 0..4 {
        store.add_usage(pool.id, &[sample(hosts[0], NOW.plus(HOUR * hours), 5, None)]).await.unwrap();
    }
    assert_eq!(store.prune_usage(NOW.plus(HOUR * 2)).await.unwrap(), 2);
    assert_eq!(store.host_usage(hosts[0], Time(0), NOW.plus(HOUR * 9), 10).await.unwrap().len(), 2);
    assert_eq!(store.pool_usage(pool.id, NOW, NOW.plus(HOUR * 9), 100).await.unwrap().len(), 4);
    store.delete_pool(pool.id).await.unwrap();
    assert_eq!(store.pool_usage(pool.id, NOW, NOW.plus(HOUR * 9), 100).await.unwrap(), []);
}

async fn what_located_nodes_is_kept(store: Store) {
    let (pool, _) = three_hosts(&store).await;
    assert_eq!(store.located(CrawlId(5)).await.unwrap(), None);
    let located = Located { host: 1, overrides: 2, database: 3, dbip: 4, unlocated: 5 };
    store.set_located(pool.id, CrawlId(5), Located::default()).await.unwrap();
    store.set_located(pool.id, CrawlId(5), located).await.unwrap();
    assert_eq!(store.located(CrawlId(5)).await.unwrap(), Some(located));
}
