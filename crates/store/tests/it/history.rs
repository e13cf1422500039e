//! Nodes over time: blocks of many crawls, sessions, and what is forgotten.

use futures::TryStreamExt as _;
use p2ppool_model::churn::{NodeSession, Window};
use p2ppool_model::pool::PoolSettings;
use p2ppool_model::snapshot::{Node, NodeStatus};
use p2ppool_model::{CrawlId, PoolId, Time};
use p2ppool_store::{NewSnapshot, Store, StoreError};

use crate::builders::{answering, crawl_at, node, pool};

crate::stories! {
    every_snapshot_of_many_days_is_read_back
    sessions_are_told_with_what_is_not_known_of_them
    what_nobody_asked_ends_no_session
    a_snapshot_that_comes_late_changes_no_session
    months_are_forgotten_and_statistics_stay
    each_pool_keeps_its_nodes_as_long_as_it_says
    a_node_is_known_as_long_as_one_of_its_sessions_is_kept
    sessions_of_a_month_stream_past_their_parts
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 1_440 * MINUTE;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

async fn crawl(store: &Store, pool: PoolId, started: Time, nodes: &[Node]) -> CrawlId {
    store.store_snapshot(&crawl_at(pool, started, nodes), nodes).await.unwrap().id
}

async fn every_snapshot_of_many_days_is_read_back(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let begin = at("2026-10-30T21:00:00Z");
    let of = |crawl: i64| -> Vec<Node> {
        let nodes = (0..40).filter(|i| (crawl + i) % 11 != 0).map(|i| Node {
            uptime_s: Some((crawl * 1_800) as u64),
            connections: (i % 3 != 0).then_some((crawl * i % 7) as u32),
            version: Some(format!("p2pnode/{}", (crawl + i) / 30)),
            neighbours: (0..5).map(|n| format!("n{:02}", (i + n * crawl) % 40)).collect(),
            ..answering(&format!("n{i:02}"))
        });
        nodes.collect()
    };
    let mut crawls = Vec::new();
    for i in 0..60 {
        crawls.push(crawl(&store, pool, Time(begin.0 + i * 90 * MINUTE), &of(i)).await);
    }
    // opened anew, so that nothing comes from memory
    let mut read = store.table_reader();
    for (i, id) in crawls.iter().enumerate().rev() {
        let table = read.read(&store.snapshot(*id).await.unwrap()).await.unwrap();
        let nodes: Vec<Node> = (0..table.len()).map(|row| table.node(row)).collect();
        assert_eq!(nodes, of(i as i64), "crawl {i}");
        assert_eq!(store.node_table(*id).await.unwrap().len(), nodes.len());
    }
    let tables: Vec<_> = store.stream_tables(pool, None, None).try_collect().await.unwrap();
    assert_eq!(tables.len(), 60);
    assert!(tables.iter().zip(&crawls).all(|((snapshot, _), id)| snapshot.id == *id), "oldest first");
}

fn session(address: &str, times: (Option<i64>, i64, i64, Option<i64>)) -> NodeSession {
    let (before, began, ended, after) = times;
    NodeSession {
        address: address.into(),
        before: before.map(Time),
        began: Time(began),
        ended: Time(ended),
        after: after.map(Time),
    }
}

async fn sessions(store: &Store, pool: PoolId, from: i64, to: i64) -> Vec<NodeSession> {
    let window = Window { from: Time(from), to: Time(to) };
    let mut found: Vec<NodeSession> = store.stream_sessions(pool, window).try_collect().await.unwrap();
    found.sort_by(|a, b| (&a.address, a.began).cmp(&(&b.address, b.began)));
    found
}

async fn sessions_are_told_with_what_is_not_known_of_them(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let down = |name: &str| node(name, NodeStatus::DialFailed);
    for (time, nodes) in [
        (0, vec![answering("always"), answering("first")]),
        (10, vec![answering("always"), down("first"), answering("twice"), down("never")]),
        (20, vec![answering("always")]),
        (30, vec![answering("always"), answering("twice")]),
    ] {
        crawl(&store, pool, Time(time), &nodes).await;
    }
    let always = session("always", (None, 0, 30, None));
    let first = session("first", (None, 0, 0, Some(10)));
    let once = session("twice", (Some(0), 10, 10, Some(20)));
    let again = session("twice", (Some(20), 30, 30, None));
    assert_eq!(sessions(&store, pool, 0, 30).await, [always.clone(), first, once.clone(), again.clone()]);
    assert_eq!(sessions(&store, pool, 5, 15).await, [always, once.clone()]);

    let twice = store.known_node(pool, "twice").await.unwrap().unwrap();
    assert_eq!((twice.first_seen, twice.last_seen, twice.sessions, twice.is_there), (Time(10), Time(30), 2, true));
    let window = Window { from: Time(0), to: Time(30) };
    assert_eq!(store.sessions_of(pool, &twice, window).await.unwrap(), [once, again]);
    let gone = store.known_node(pool, "first").await.unwrap().unwrap();
    assert_eq!((gone.last_seen, gone.is_there), (Time(0), false));
    assert_eq!(store.known_node(pool, "never").await.unwrap(), None);
    assert_eq!(store.count_known_nodes(pool, Time(5)).await.unwrap(), 2);
    assert_eq!(
        store.window(pool, Some(Time(1)), Some(Time(30))).await.unwrap(),
        Some(Window { from: Time(10), to: Time(20) })
    );
    assert_eq!(store.window(pool, Some(Time(31)), None).await.unwrap(), None);
}

async fn what_nobody_asked_ends_no_session(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let both = [answering("a"), answering("b")];
    crawl(&store, pool, Time(0), &both).await;
    let cut = [node("a", NodeStatus::NotDialled)];
    let new = NewSnapshot { complete: false, ..crawl_at(pool, Time(10), &cut) };
    store.store_snapshot(&new, &cut).await.unwrap();
    let now = sessions(&store, pool, 0, 10).await;
    assert_eq!(
        now,
        [session("a", (None, 0, 0, None)), session("b", (None, 0, 0, None))],
        "seen until 0, not known since"
    );
    crawl(&store, pool, Time(20), &[answering("a"), answering("c")]).await;
    let a = session("a", (None, 0, 20, None));
    let b = session("b", (None, 0, 0, Some(20)));
    let c = session("c", (Some(0), 20, 20, None));
    assert_eq!(sessions(&store, pool, 0, 20).await, [a, b, c], "`c` may have come before the crawl that was cut off");
}

async fn a_snapshot_that_comes_late_changes_no_session(store: Store) {
    let pool = pool(&store, "demo").await.id;
    crawl(&store, pool, Time(10), &[answering("a")]).await;
    let late = crawl(&store, pool, Time(5), &[answering("b")]).await;
    assert_eq!(sessions(&store, pool, 0, 20).await, [session("a", (None, 10, 10, None))]);
    assert_eq!(store.node_table(late).await.unwrap().len(), 1);
}

async fn months_are_forgotten_and_statistics_stay(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let mut crawls = Vec::new();
    for (time, name) in [
        ("2026-01-15T00:00:00Z", "january"),
        ("2026-01-31T23:59:59Z", "end"),
        ("2026-02-01T00:00:00Z", "february"),
        ("2026-03-01T00:00:00Z", "march"),
    ] {
        crawls.push(crawl(&store, pool, at(time), &[answering(name), answering("always")]).await);
    }
    assert_eq!(store.drop_detail_before(pool, at("2026-01-31T23:59:59Z")).await.unwrap(), 0, "the month isn't over");
    assert_eq!(store.drop_detail_before(pool, at("2026-02-15T00:00:00Z")).await.unwrap(), 1);
    assert_eq!(store.drop_detail_before(pool, at("2026-02-15T00:00:00Z")).await.unwrap(), 0);
    for id in &crawls[..2] {
        let error = store.node_table(*id).await.unwrap_err();
        assert!(matches!(error, StoreError::NotFound { .. }) && error.to_string().contains("any more"), "{error}");
        assert_eq!(store.snapshot(*id).await.unwrap().totals.nodes, 2, "statistics stay");
    }
    assert!(store.node(crawls[2], "february").await.is_ok());
    assert_eq!(store.known_node(pool, "january").await.unwrap(), None, "gone before");
    assert!(store.known_node(pool, "always").await.unwrap().is_some(), "still there");
    let tables: Vec<_> = store.stream_tables(pool, None, None).try_collect().await.unwrap();
    assert_eq!(tables.len(), 2);
    // the pool goes with everything that is left
    store.delete_pool(pool).await.unwrap();
    assert!(store.node_table(crawls[3]).await.is_err());
}

async fn each_pool_keeps_its_nodes_as_long_as_it_says(store: Store) {
    let mut pools = Vec::new();
    for (name, days) in [("month", 30), ("year", 365)] {
        let settings = PoolSettings { detail_days: days, ..PoolSettings::default() };
        let id = store.create_pool(&name.parse().unwrap(), &settings, None, Time(0)).await.unwrap().id;
        let mut crawls = Vec::new();
        for time in ["2025-03-10T00:00:00Z", "2026-02-10T00:00:00Z", "2026-03-10T00:00:00Z"] {
            crawls.push(crawl(&store, id, at(time), &[answering("a")]).await);
        }
        pools.push(crawls);
    }
    let mut kept = Vec::new();
    // of each pool, which snapshots still have their nodes at this time
    for now in ["2025-03-20T00:00:00Z", "2026-03-20T00:00:00Z", "2026-04-02T00:00:00Z", "2026-05-15T00:00:00Z"] {
        store.forget_old_detail(at(now)).await.unwrap();
        let mut now = Vec::new();
        for crawls in &pools {
            for crawl in crawls {
                now.push(store.node_table(*crawl).await.is_ok());
            }
        }
        kept.push(now);
    }
    let (yes, no) = (true, false);
    assert_eq!(kept[0], [yes, yes, yes, yes, yes, yes]);
    assert_eq!(kept[1], [no, yes, yes, yes, yes, yes], "a month is kept while a part of it is");
    assert_eq!(kept[2], [no, no, yes, no, yes, yes]);
    assert_eq!(kept[3], [no, no, no, no, yes, yes]);
    assert_eq!(store.forget_old_detail(at("2026-05-15T00:00:00Z")).await.unwrap(), []);
    let statistics: Vec<_> = store.stream_snapshots(PoolId(1), None, None).try_collect().await.unwrap();
    assert_eq!(statistics.len(), 3, "statistics are kept for ever");
}

async fn a_node_is_known_as_long_as_one_of_its_sessions_is_kept(store: Store) {
    let pool = pool(&store, "demo").await.id;
    for (time, names) in [
        ("2026-01-10T00:00:00Z", vec!["early", "late"]),
        ("2026-01-20T00:00:00Z", vec!["late"]),
        // that `late` is gone is learnt here
        ("2026-02-03T00:00:00Z", vec!["new"]),
    ] {
        let nodes: Vec<_> = names.into_iter().map(answering).collect();
        crawl(&store, pool, at(time), &nodes).await;
    }
    assert_eq!(store.drop_detail_before(pool, at("2026-02-20T00:00:00Z")).await.unwrap(), 1);
    assert_eq!(store.known_node(pool, "early").await.unwrap(), None);
    assert!(store.known_node(pool, "late").await.unwrap().is_some());
    let kept = sessions(&store, pool, 0, i64::MAX).await;
    assert_eq!(kept.iter().map(|one| one.address.as_str()).collect::<Vec<_>>(), ["late", "new"]);
}

async fn sessions_of_a_month_stream_past_their_parts(store: Store) {
    const NODES: usize = 6_000;
    let pool = pool(&store, "demo").await.id;
    let nodes = |part: usize| -> Vec<Node> { (0..NODES).map(|i| answering(&format!("{part}-{i:05}"))).collect() };
    crawl(&store, pool, Time(0), &nodes(0)).await;
    crawl(&store, pool, Time(DAY), &nodes(1)).await;
    let all = sessions(&store, pool, 0, DAY).await;
    assert_eq!(all.len(), 2 * NODES);
    assert_eq!(all.iter().filter(|one| one.after.is_none()).count(), NODES);
}
