//! The host list, what is known of hosts, looking at them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use p2ppool_model::host::{Host, HostKnown, HostSpec, Location};
use p2ppool_model::host_list::HOSTS_MAX;
use p2ppool_model::{Digest, HostId, Time};
use p2ppool_store::{
    HostCounts, HostFilter, HostPlace, HostSort, HostsSet, Learnt, Order, Page, Store, StoreError, testing,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::builders::{NOW, pool, specs};

crate::stories! {
    a_new_list_adds_keeps_and_marks_as_leaving
    what_was_learnt_of_hosts_is_merged_or_replaced
    thousands_of_hosts_are_written_in_parts
    hosts_are_counted_by_pool
    a_filter_means_what_it_says
}

async fn addresses(store: &Store, filter: &HostFilter, pool: p2ppool_model::PoolId) -> Vec<String> {
    let listed = store.hosts(pool, filter, Page::default()).await.unwrap();
    assert_eq!(listed.total, listed.items.len() as u64);
    listed.items.iter().map(|host| host.spec.display()).collect()
}

async fn a_new_list_adds_keeps_and_marks_as_leaving(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let set = store.set_hosts(pool, &specs("root@Node1:2222 45.5,-4.25 site=lyon\nnode2\nnode10\n")).await.unwrap();
    assert_eq!(set, HostsSet { added: 3, kept: 0, leaving: 0 });
    let first = store.pool_hosts(pool).await.unwrap();
    assert_eq!(first[0].spec, specs("root@Node1:2222 45.5,-4.25 site=lyon")[0]);
    assert_eq!(store.host(first[0].id).await.unwrap(), first[0]);
    assert_eq!(store.host_at(pool, "NODE1", 2222).await.unwrap(), first[0]);
    assert!(matches!(store.host_at(pool, "node1", 22).await, Err(StoreError::NotFound { .. })));
    let known = HostKnown { reachable: Some(true), at: Some(NOW), ..HostKnown::default() };
    store.set_hosts_known(Learnt::All, &[(first[0].id, known.clone())]).await.unwrap();

    // node1 on port 22 is another machine; node2 goes; duplicates don't matter
    let mut second = specs("node10\nnode1\nNODE1:2222 site=paris\n");
    second.push(HostSpec { address: "Node10".into(), port: Some(22), ..HostSpec::default() });
    let set = store.set_hosts(pool, &second).await.unwrap();
    assert_eq!(set, HostsSet { added: 1, kept: 2, leaving: 1 });
    let now = store.pool_hosts(pool).await.unwrap();
    let shown: Vec<_> = now.iter().map(|host| (host.spec.display(), host.leaving)).collect();
    let want = [("node10", false), ("node1", false), ("NODE1:2222", false), ("node2", true)];
    assert_eq!(shown, want.map(|(name, leaving)| (name.to_owned(), leaving)));
    let places = store.pool_host_places(pool).await.unwrap();
    let host = |host: &Host| HostPlace { host: host.id, address: host.spec.display(), leaving: host.leaving };
    assert_eq!(places, now.iter().map(host).collect::<Vec<_>>());
    assert_eq!((now[2].id, &now[2].known), (first[0].id, &known), "it is still the same host");
    assert_eq!((&now[2].spec.user, now[2].spec.location), (&None, None), "the new list says all");
    assert_eq!(now[2].spec.labels, BTreeMap::from([("site".into(), "paris".into())]));

    let set = store.set_hosts(pool, &specs("node2\n")).await.unwrap();
    assert_eq!(set, HostsSet { added: 0, kept: 1, leaving: 3 });
    let leaving = HostFilter { leaving: Some(true), ..HostFilter::default() };
    assert_eq!(addresses(&store, &leaving, pool).await.len(), 3);
    let gone: Vec<HostId> =
        store.pool_hosts(pool).await.unwrap().iter().filter(|host| host.leaving).map(|host| host.id).collect();
    assert_eq!(store.delete_hosts(&gone).await.unwrap(), 3);
    assert_eq!(store.delete_hosts(&gone).await.unwrap(), 0);
    assert_eq!(store.delete_hosts(&[]).await.unwrap(), 0);
    assert_eq!(addresses(&store, &HostFilter::default(), pool).await, ["node2"]);
    assert_eq!(store.set_hosts(pool, &[]).await.unwrap(), HostsSet { added: 0, kept: 0, leaving: 1 });
}

async fn what_was_learnt_of_hosts_is_merged_or_replaced(store: Store) {
    let pool = pool(&store, "demo").await.id;
    store.set_hosts(pool, &specs("a\nb\n")).await.unwrap();
    let hosts = store.pool_hosts(pool).await.unwrap();
    let full = HostKnown {
        reachable: Some(true),
        package: Some(Digest::of(b"x")),
        running: Some(true),
        node: Some("12D3\0Koo".into()),
        node_memory: Some(u64::MAX),
        node_cpu_s: Some(1.5),
        node_uptime_s: Some(60),
        memory_total: Some(8 << 30),
        memory_available: Some(4 << 30),
        load: Some(0.25),
        disk_free: Some(1 << 40),
        uptime_s: Some(90),
        arch: Some("x86_64".into()),
        problem: Some("was slow".into()),
        at: Some(NOW),
    };
    let kept = HostKnown { node: Some("12D3\u{fffd}Koo".into()), node_memory: Some(i64::MAX as u64), ..full.clone() };
    assert_eq!(
        store.set_hosts_known(Learnt::Some, &[(hosts[0].id, full), (HostId(999), kept.clone())]).await.unwrap(),
        1
    );
    assert_eq!(store.host(hosts[0].id).await.unwrap().known, kept);
    assert_eq!(store.host(hosts[1].id).await.unwrap().known, HostKnown::default());

    let later = Time(NOW.0 + 1);
    let load = HostKnown { load: Some(2.0), at: Some(later), ..HostKnown::default() };
    store.set_hosts_known(Learnt::Some, &[(hosts[0].id, load)]).await.unwrap();
    let merged = HostKnown { load: Some(2.0), problem: None, at: Some(later), ..kept.clone() };
    assert_eq!(store.host(hosts[0].id).await.unwrap().known, merged, "success clears the problem, nothing else");

    let lost = HostKnown { reachable: Some(false), problem: Some("no route".into()), ..HostKnown::default() };
    store.set_hosts_known(Learnt::Some, &[(hosts[0].id, lost.clone())]).await.unwrap();
    let want = HostKnown { reachable: Some(false), running: None, problem: lost.problem.clone(), ..merged };
    assert_eq!(store.host(hosts[0].id).await.unwrap().known, want, "whether it runs is not known any more");

    let twice = [(hosts[0].id, lost), (hosts[0].id, HostKnown { reachable: Some(true), ..HostKnown::default() })];
    assert_eq!(store.set_hosts_known(Learnt::All, &twice).await.unwrap(), 1);
    let bare = HostKnown { reachable: Some(true), ..HostKnown::default() };
    assert_eq!(store.host(hosts[0].id).await.unwrap().known, bare);
    assert_eq!(store.set_hosts_known(Learnt::All, &[]).await.unwrap(), 0);
}

async fn thousands_of_hosts_are_written_in_parts(store: Store) {
    const HOSTS: usize = 2_345;
    let pool = pool(&store, "big").await.id;
    let spec = |i| HostSpec { address: format!("node{i}"), ..HostSpec::default() };
    let list: Vec<HostSpec> = (0..HOSTS).map(spec).collect();
    let too_many: Vec<HostSpec> = (0..=HOSTS_MAX).map(spec).collect();
    assert!(matches!(store.set_hosts(pool, &too_many).await, Err(StoreError::Conflict { .. })));
    assert_eq!(store.set_hosts(pool, &list).await.unwrap().added, HOSTS as u64);
    let hosts = store.pool_hosts(pool).await.unwrap();
    assert!(hosts.iter().zip(&list).all(|(host, spec)| host.spec == *spec), "in the order of the list");
    let known = |i: usize| HostKnown { reachable: Some(true), uptime_s: Some(i as u64), ..HostKnown::default() };
    let learnt: Vec<_> = hosts.iter().enumerate().map(|(i, host)| (host.id, known(i))).collect();
    assert_eq!(store.set_hosts_known(Learnt::Some, &learnt).await.unwrap(), HOSTS as u64);
    let hosts = store.pool_hosts(pool).await.unwrap();
    assert!(hosts.iter().enumerate().all(|(i, host)| host.known == known(i)));

    let sorted = HostFilter { sort: HostSort::Uptime, order: Order::Descending, ..HostFilter::default() };
    let page = store.hosts(pool, &sorted, Page { limit: 3, offset: 10 }).await.unwrap();
    let shown: Vec<_> = page.items.iter().map(|host| host.spec.display()).collect();
    assert_eq!((page.total, shown), (HOSTS as u64, ["node2334", "node2333", "node2332"].map(String::from).to_vec()));
    let ids: Vec<_> = hosts.iter().map(|host| host.id).collect();
    assert_eq!(store.delete_hosts(&ids).await.unwrap(), HOSTS as u64);
}

async fn hosts_are_counted_by_pool(store: Store) {
    let (one, two) = (pool(&store, "one").await.id, pool(&store, "two").await.id);
    pool(&store, "empty").await;
    store.set_hosts(one, &specs("a\nb\nc\nd\ngone\n")).await.unwrap();
    store.set_hosts(two, &specs("a\n")).await.unwrap();
    let hosts = store.pool_hosts(one).await.unwrap();
    let known = |reachable, running| HostKnown { reachable, running, ..HostKnown::default() };
    let learnt = [
        (hosts[0].id, known(Some(true), Some(true))),
        (hosts[1].id, known(Some(true), Some(false))),
        (hosts[2].id, known(Some(false), None)),
        (hosts[4].id, known(Some(true), Some(true))),
    ];
    store.set_hosts_known(Learnt::All, &learnt).await.unwrap();
    store.set_hosts(one, &specs("a\nb\nc\nd\n")).await.unwrap();
    let counts = store.host_counts().await.unwrap();
    assert_eq!(counts.len(), 2);
    assert_eq!(counts[&one], HostCounts { total: 4, reachable: 2, running: 1, unknown: 1, leaving: 1 });
    assert_eq!(counts[&two], HostCounts { total: 1, unknown: 1, ..HostCounts::default() });
}

async fn a_filter_means_what_it_says(store: Store) {
    let pool = pool(&store, "demo").await.id;
    store.set_hosts(pool, &specs("Alpha.example.org site=lyon\nbeta rate=5_0\nroot@10.0.0.7:2222\n")).await.unwrap();
    let find = |text: &str| HostFilter { text: text.into(), ..HostFilter::default() };
    assert_eq!(addresses(&store, &find("ALPHA"), pool).await, ["Alpha.example.org"]);
    assert_eq!(addresses(&store, &find("site=ly"), pool).await, ["Alpha.example.org"]);
    assert_eq!(addresses(&store, &find("5_0"), pool).await, ["beta"]);
    assert_eq!(addresses(&store, &find("7:2222"), pool).await, ["10.0.0.7:2222"]);
    assert_eq!(addresses(&store, &find("root"), pool).await, ["10.0.0.7:2222"]);
    for nothing in ["%", "e!e", "a_", "' OR 1=1 --", "\0"] {
        assert_eq!(addresses(&store, &find(nothing), pool).await, [""; 0], "{nothing}");
    }
    for sort in HostSort::ALL {
        assert_eq!(sort.as_str().parse(), Ok(*sort));
        let filter = HostFilter { sort: *sort, ..HostFilter::default() };
        assert_eq!(addresses(&store, &filter, pool).await.len(), 3, "{sort:?}");
    }
    assert!("id; DROP TABLE hosts".parse::<HostSort>().is_err());
}

/// What a page of hosts must be, worked out in memory.
fn expected(hosts: &[Host], filter: &HostFilter) -> Vec<HostId> {
    let part = filter.text.to_ascii_lowercase();
    let holds = |text: &str| text.to_ascii_lowercase().contains(&part);
    let labels = |host: &Host| host.spec.labels.iter().map(|(k, v)| format!(" {k}={v}")).collect::<String>();
    let mut found: Vec<&Host> = hosts
        .iter()
        .filter(|host| filter.reachable.is_none() || host.known.reachable == filter.reachable)
        .filter(|host| filter.running.is_none() || host.known.running == filter.running)
        .filter(|host| {
            let user = host.spec.user.iter().map(|user| format!(" {user}")).collect::<String>();
            holds(&format!("{}{user}{}", host.spec.display(), labels(host)))
                || host.known.node.as_deref().is_some_and(holds)
                || host.known.problem.as_deref().is_some_and(holds)
        })
        .collect();
    found.sort_by(|a, b| in_order(a, b, filter).then(a.id.cmp(&b.id)));
    found.iter().map(|host| host.id).collect()
}

fn in_order(a: &Host, b: &Host, filter: &HostFilter) -> Ordering {
    match filter.sort {
        HostSort::Node => nulls_last(a.known.node.as_ref(), b.known.node.as_ref(), filter.order),
        HostSort::Load => nulls_last(a.known.load, b.known.load, filter.order),
        HostSort::NodeMemory => nulls_last(a.known.node_memory, b.known.node_memory, filter.order),
        HostSort::Reachable => nulls_last(a.known.reachable, b.known.reachable, filter.order),
        HostSort::User => nulls_last(a.spec.user.as_ref(), b.spec.user.as_ref(), filter.order),
        other => panic!("{other:?} is not in the model"),
    }
}

pub(crate) fn nulls_last<T: PartialOrd>(a: Option<T>, b: Option<T>, order: Order) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => {
            let upwards = a.partial_cmp(&b).unwrap();
            if order == Order::Ascending { upwards } else { upwards.reverse() }
        }
        (a, b) => b.is_some().cmp(&a.is_some()),
    }
}

fn any_filter() -> impl Strategy<Value = HostFilter> {
    let sort = prop::sample::select(vec![
        HostSort::Node,
        HostSort::Load,
        HostSort::NodeMemory,
        HostSort::Reachable,
        HostSort::User,
    ]);
    let order = prop::sample::select(vec![Order::Ascending, Order::Descending]);
    ("[a-cA-C%_!é ]{0,2}", any::<Option<bool>>(), any::<Option<bool>>(), sort, order).prop_map(
        |(text, reachable, running, sort, order)| HostFilter { text, reachable, running, leaving: None, sort, order },
    )
}

fn any_hosts() -> impl Strategy<Value = Vec<(HostSpec, HostKnown)>> {
    let text = || prop::option::of("[a-dA-D%_!é]{0,4}");
    let known =
        (any::<Option<bool>>(), any::<Option<bool>>(), text(), text(), any::<Option<u32>>(), any::<Option<i8>>())
            .prop_map(|(reachable, running, node, problem, memory, load)| HostKnown {
                reachable,
                running,
                node,
                problem,
                node_memory: memory.map(u64::from),
                load: load.map(f64::from),
                ..HostKnown::default()
            });
    let spec = (prop::option::of("[a-cA-C]{1,3}"), prop::option::of("[a-c]{1,2}"), any::<bool>()).prop_map(
        |(user, label, located)| HostSpec {
            user,
            labels: label.map(|label| ("site".to_owned(), label)).into_iter().collect(),
            location: located.then_some(Location { latitude: 1.25, longitude: -2.5 }),
            ..HostSpec::default()
        },
    );
    prop::collection::btree_map("[a-dA-D]{1,6}", (spec, known), 0..12).prop_map(|hosts| {
        let mut seen = std::collections::HashSet::new();
        hosts
            .into_iter()
            .filter(|(address, _)| seen.insert(address.to_ascii_lowercase()))
            .map(|(address, (spec, known))| (HostSpec { address, ..spec }, known))
            .collect()
    })
}

/// Lists of random hosts, filtered and sorted at random, are what memory says.
#[test]
fn lists_agree_with_memory() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let databases = runtime.block_on(async { [testing::sqlite().await, testing::postgres().await] });
    let pools = databases.each_ref().map(|fresh| runtime.block_on(pool(&fresh.store, "demo")).id);
    let mut runner = TestRunner::new(Config { cases: 64, ..Config::default() });
    let cases = (any_hosts(), prop::collection::vec(any_filter(), 1..5));
    runner
        .run(&cases, |(hosts, filters)| {
            runtime.block_on(async {
                for (fresh, pool) in databases.iter().zip(pools) {
                    let store = &fresh.store;
                    let old: Vec<_> = store.pool_hosts(pool).await.unwrap().iter().map(|host| host.id).collect();
                    store.delete_hosts(&old).await.unwrap();
                    let list: Vec<_> = hosts.iter().map(|(spec, _)| spec.clone()).collect();
                    store.set_hosts(pool, &list).await.unwrap();
                    let stored = store.pool_hosts(pool).await.unwrap();
                    let learnt: Vec<_> =
                        stored.iter().zip(&hosts).map(|(host, (_, known))| (host.id, known.clone())).collect();
                    store.set_hosts_known(Learnt::All, &learnt).await.unwrap();
                    let stored = store.pool_hosts(pool).await.unwrap();
                    for (host, (spec, known)) in stored.iter().zip(&hosts) {
                        prop_assert_eq!(&host.spec, spec);
                        prop_assert_eq!(&host.known, known);
                    }
                    for filter in &filters {
                        let listed = store.hosts(pool, filter, Page::default()).await.unwrap();
                        let ids: Vec<_> = listed.items.iter().map(|host| host.id).collect();
                        prop_assert_eq!(ids, expected(&stored, filter), "{} {:?}", store.database(), filter);
                    }
                }
                Ok(())
            })
        })
        .unwrap();
}
