//! Snapshots and their nodes.

use std::cmp::Ordering;
use std::collections::HashSet;

use futures::TryStreamExt as _;
use p2ppool_model::host::Location;
use p2ppool_model::snapshot::{BrunetDetails, Node, NodeDetails, NodeStatus};
use p2ppool_model::{CrawlId, Digest, HostId, TaskId, Time};
use p2ppool_store::{
    NAMESPACES_MAX, NewSnapshot, NodeFilter, NodeSort, Order, Page, RECENT_MAX, SnapshotRange, Store, StoreError,
    testing,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::builders::{NOW, answering, crawl_at, node, pool, specs};
use crate::hosts::nulls_last;

crate::stories! {
    a_snapshot_comes_back_as_it_was_stored
    snapshots_are_found_by_time
    the_last_crawls_of_every_pool_are_counted
    thousands_of_nodes_are_stored_and_streamed
    missing_hosts_are_those_without_an_answering_node
    namespaces_are_counted_and_not_too_many_told
    every_column_sorts
}

fn full_node() -> Node {
    Node {
        error: Some("slow \0 answer".into()),
        host: Some(HostId(5)),
        host_name: Some("node5".into()),
        ip: Some("127.0.0.5".into()),
        transport_addresses: vec!["/ip4/127.0.0.5/tcp/1\0".into(), "/dns/\"x\"/udp/1".into()],
        version: Some("p2pnode/0.1".into()),
        package: Some(Digest::of(b"p")),
        namespace: Some("demo".into()),
        consistency: Some(0.75),
        connections: Some(u32::MAX),
        tcp: Some(1),
        udp: Some(2),
        relayed: Some(0),
        secure: Some(3),
        retries: 2,
        rtt_ms: Some(f64::NAN),
        uptime_s: Some(3600),
        memory: Some(1 << 33),
        cpu_s: Some(0.25),
        load: Some(0.5),
        location: Location::new(-33.5, 151.25),
        neighbours: vec!["n1".into(), "n2".into()],
        details: NodeDetails::Brunet(BrunetDetails {
            virtual_ips: vec!["10.1.2.3".into()],
            ipop_namespace: Some("v".into()),
            left: Some("n1".into()),
            shortcuts: vec!["n2".into(), "n3".into()],
            wedges: Some(0),
            ..BrunetDetails::default()
        }),
        ..answering("brunet:node:ABC")
    }
}

async fn a_snapshot_comes_back_as_it_was_stored(store: Store) {
    let pool = pool(&store, "demo").await.id;
    assert_eq!(store.newest_snapshot(pool).await.unwrap(), None);
    assert_eq!(store.answering_before(pool).await.unwrap(), None);
    let nodes = [full_node(), answering("b"), node("c", NodeStatus::DialFailed)];
    let new = NewSnapshot { task: Some(TaskId(184)), ..crawl_at(pool, NOW, &nodes) };
    let stored = store.store_snapshot(&new, &nodes).await.unwrap();
    assert_eq!((stored.pool, stored.task, stored.started), (pool, Some(TaskId(184)), NOW));
    assert_eq!(stored.totals, new.totals);
    assert_eq!(store.snapshot(stored.id).await.unwrap(), stored);
    assert_eq!(store.newest_snapshots().await.unwrap()[&pool], stored);

    let read: Vec<Node> = store.stream_nodes(stored.id).try_collect().await.unwrap();
    let mut want = [nodes[1].clone(), nodes[0].clone(), nodes[2].clone()];
    want[1].rtt_ms = None;
    assert_eq!(read, want, "by overlay address; NaN is unknown");
    assert_eq!(store.node(stored.id, "brunet:node:ABC").await.unwrap(), want[1]);
    assert!(matches!(store.node(stored.id, "z").await, Err(StoreError::NotFound { .. })));
    assert_eq!(
        store.answering_before(pool).await.unwrap(),
        Some(HashSet::from(["brunet:node:ABC", "b"].map(String::from)))
    );

    let filter = NodeFilter { status: Some(NodeStatus::DialFailed), ..NodeFilter::default() };
    assert_eq!(store.nodes(stored.id, &filter, Page::default()).await.unwrap().items, want[2..]);
    for (text, total) in [("BRUNET", 1), ("127.0.0", 1), ("10.1.2.3", 1), ("p2pnode", 1), ("%", 0), ("", 3)] {
        let filter = NodeFilter { text: text.into(), ..NodeFilter::default() };
        assert_eq!(store.nodes(stored.id, &filter, Page::default()).await.unwrap().total, total, "{text}");
    }
    for (within, wanted) in [(&["demo", "x"][..], true), (&["x"], false)] {
        let within = within.iter().map(|name| (*name).to_owned()).collect();
        let found =
            store.nodes(stored.id, &NodeFilter { within, ..NodeFilter::default() }, Page::first(10)).await.unwrap();
        assert_eq!(found.total > 0, wanted);
        assert!(found.items.iter().all(|node| node.namespace.as_deref() == Some("demo")));
    }
    let filter = NodeFilter { namespace: Some("demo".into()), ..NodeFilter::default() };
    assert_eq!(store.nodes(stored.id, &filter, Page::default()).await.unwrap().total, 1);
    let points: Vec<_> = store.stream_points(stored.id).try_collect().await.unwrap();
    assert_eq!(points.iter().map(|point| point.location).collect::<Vec<_>>(), [None, want[1].location, None]);
    assert_eq!(points[2].status, NodeStatus::DialFailed);
}

async fn snapshots_are_found_by_time(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let other = crate::builders::pool(&store, "other").await.id;
    let at = |minutes: i64| Time(NOW.0 + minutes * 60_000);
    let mut ids = Vec::new();
    for minute in [0, 10, 20, 20, 30] {
        let nodes = [answering(&format!("n{minute}"))];
        ids.push(store.store_snapshot(&crawl_at(pool, at(minute), &nodes), &nodes).await.unwrap().id);
        store.store_snapshot(&crawl_at(other, at(minute + 1), &[]), &[]).await.unwrap();
    }
    let found = async |range: SnapshotRange, limit: u32| -> Vec<CrawlId> {
        store.snapshots(pool, range, limit).await.unwrap().iter().map(|snapshot| snapshot.id).collect()
    };
    let all = SnapshotRange::default();
    let newest_first: Vec<_> = ids.iter().rev().copied().collect();
    assert_eq!(found(all, 20).await, newest_first);
    assert_eq!(found(all, 2).await, newest_first[..2]);
    assert_eq!(found(SnapshotRange { before: Some(newest_first[1]), ..all }, 2).await, newest_first[2..4]);
    assert_eq!(found(SnapshotRange { from: Some(at(10)), until: Some(at(30)), ..all }, 9).await, newest_first[1..4]);

    let near = async |minute| store.snapshot_near(pool, at(minute)).await.unwrap().map(|snapshot| snapshot.id);
    assert_eq!(near(-99).await, Some(ids[0]));
    assert_eq!(near(4).await, Some(ids[0]));
    assert_eq!(near(5).await, Some(ids[0]), "equally near: the earlier");
    assert_eq!(near(6).await, Some(ids[1]));
    assert_eq!(near(20).await, Some(ids[3]), "of two that began at the same time, the later stored");
    assert_eq!(near(999).await, Some(ids[4]));
    assert_eq!(store.snapshot_near(p2ppool_model::PoolId(99), NOW).await.unwrap(), None);
    assert_eq!(store.newest_snapshots().await.unwrap().len(), 2);

    let between: Vec<_> =
        store.stream_nodes_between(pool, Some(at(10)), Some(at(30))).try_collect::<Vec<_>>().await.unwrap();
    let pairs: Vec<_> = between.iter().map(|(snapshot, node)| (snapshot.id, node.address.as_str())).collect();
    assert_eq!(pairs, [(ids[1], "n10"), (ids[2], "n20"), (ids[3], "n20")]);
    let streamed: Vec<_> = store.stream_snapshots(pool, None, None).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(streamed.iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(), ids);

    assert_eq!(store.snapshots(other, all, 9).await.unwrap().len(), 5);
}

async fn the_last_crawls_of_every_pool_are_counted(store: Store) {
    let often = pool(&store, "often").await.id;
    let once = pool(&store, "once").await.id;
    let never = pool(&store, "never").await.id;
    let nodes = |count: usize| (0..count).map(|i| answering(&format!("n{i}"))).collect::<Vec<_>>();
    let at = |minutes: usize| Time(NOW.0 + minutes as i64 * 60_000);
    let mut counts: Vec<usize> = (0..RECENT_MAX + 5).map(|i| i % 7).collect();
    for (minute, count) in counts.iter().enumerate() {
        let mut found = nodes(*count);
        found.push(node("silent", NodeStatus::DialFailed));
        store.store_snapshot(&crawl_at(often, at(minute), &found), &found).await.unwrap();
    }
    // of two that began at the same time, the later stored is the later one
    let same = at(counts.len() - 1);
    store.store_snapshot(&crawl_at(often, same, &nodes(9)), &nodes(9)).await.unwrap();
    counts.push(9);
    store.store_snapshot(&crawl_at(once, NOW, &nodes(2)), &nodes(2)).await.unwrap();

    let last: Vec<u64> = counts[counts.len() - RECENT_MAX..].iter().map(|count| *count as u64).collect();
    let all = store.recent_answering(None).await.unwrap();
    assert_eq!((all.get(&often), all.get(&once), all.get(&never)), (Some(&last), Some(&vec![2]), None));
    let one = store.recent_answering(Some(often)).await.unwrap();
    assert_eq!((one.len(), &one[&often]), (1, &last));
    assert!(store.recent_answering(Some(never)).await.unwrap().is_empty());
}

async fn thousands_of_nodes_are_stored_and_streamed(store: Store) {
    const NODES: usize = 3_210;
    let pool = pool(&store, "big").await.id;
    let nodes: Vec<Node> = (0..NODES).map(|i| Node { retries: i as u32, ..answering(&format!("n{i:05}")) }).collect();
    let crawl = store.store_snapshot(&crawl_at(pool, NOW, &nodes), &nodes).await.unwrap().id;
    let read: Vec<Node> = store.stream_nodes(crawl).try_collect().await.unwrap();
    assert!(read == nodes, "all of them, in their order");
    assert_eq!(store.answering(crawl).await.unwrap().len(), NODES);
    assert_eq!(store.stream_points(crawl).try_collect::<Vec<_>>().await.unwrap().len(), NODES);
    let filter = NodeFilter { sort: NodeSort::Retries, order: Order::Descending, ..NodeFilter::default() };
    let page = store.nodes(crawl, &filter, Page { limit: 2, offset: 3_000 }).await.unwrap();
    assert_eq!(page.total, NODES as u64);
    assert_eq!(page.items, [nodes[209].clone(), nodes[208].clone()]);
}

async fn missing_hosts_are_those_without_an_answering_node(store: Store) {
    let pool = pool(&store, "demo").await.id;
    store.set_hosts(pool, &specs("up\ndown\nsilent\nleaving\n")).await.unwrap();
    let hosts = store.pool_hosts(pool).await.unwrap();
    store.set_hosts(pool, &specs("up\ndown\nsilent\n")).await.unwrap();
    let nodes = [
        Node { host: Some(hosts[0].id), ..answering("a") },
        Node { host: Some(hosts[2].id), ..node("b", NodeStatus::AskFailed) },
        answering("stranger"),
    ];
    let crawl = store.store_snapshot(&crawl_at(pool, NOW, &nodes), &nodes).await.unwrap().id;
    let missing = store.missing_hosts(crawl, Page::default()).await.unwrap();
    let names: Vec<_> = missing.items.iter().map(|host| host.spec.address.as_str()).collect();
    assert_eq!((missing.total, names), (2, vec!["down", "silent"]));
    assert_eq!(store.missing_hosts(crawl, Page { limit: 1, offset: 1 }).await.unwrap().items.len(), 1);
    let none = store.store_snapshot(&crawl_at(pool, NOW, &[]), &[]).await.unwrap().id;
    assert_eq!(store.missing_hosts(none, Page::default()).await.unwrap().total, 3);
}

async fn namespaces_are_counted_and_not_too_many_told(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let of = |i: usize, name: &str| Node { namespace: Some(name.into()), ..answering(&format!("n{i:04}")) };
    let many = (0..2 * NAMESPACES_MAX).map(|i| of(i, &format!("stranger{i:03}")));
    let nodes: Vec<Node> = many.chain((300..302).map(|i| of(i, "lab"))).chain([answering("silent")]).collect();
    let crawl = store.store_snapshot(&crawl_at(pool, NOW, &nodes), &nodes).await.unwrap().id;
    let told = store.namespaces(crawl).await.unwrap();
    assert_eq!(told[..2], [("lab".to_owned(), 2), ("stranger000".to_owned(), 1)]);
    assert_eq!(told.len(), NAMESPACES_MAX);
    let none = store.store_snapshot(&crawl_at(pool, NOW, &[]), &[]).await.unwrap().id;
    assert_eq!(store.namespaces(none).await.unwrap(), []);
}

async fn every_column_sorts(store: Store) {
    let pool = pool(&store, "demo").await.id;
    let nodes = [node("z", NodeStatus::NotDialled), full_node(), answering("a")];
    let crawl = store.store_snapshot(&crawl_at(pool, NOW, &nodes), &nodes).await.unwrap().id;
    for sort in NodeSort::ALL {
        assert_eq!(sort.as_str().parse(), Ok(*sort));
        for order in [Order::Ascending, Order::Descending] {
            let filter = NodeFilter { sort: *sort, order, ..NodeFilter::default() };
            let items = store.nodes(crawl, &filter, Page::default()).await.unwrap().items;
            assert_eq!(items.len(), 3, "{sort:?}");
            let known = !matches!(sort, NodeSort::Address | NodeSort::Status | NodeSort::Rtt | NodeSort::Retries);
            if known {
                assert_eq!(items[0].address, "brunet:node:ABC", "{sort:?}: what is unknown comes last");
            }
        }
    }
    assert!("address; --".parse::<NodeSort>().is_err());

    let counted = ["10.0.0.10", "10.0.0.2", "9.255.0.1"].map(|ip| Node {
        ip: Some(ip.into()),
        host_name: Some(format!("node{}", ip.rsplit('.').next().unwrap())),
        details: NodeDetails::Brunet(BrunetDetails { virtual_ips: vec![ip.into()], ..BrunetDetails::default() }),
        ..answering(ip)
    });
    let crawl = store.store_snapshot(&crawl_at(pool, NOW, &counted), &counted).await.unwrap().id;
    for (sort, wanted) in [
        (NodeSort::Ip, ["9.255.0.1", "10.0.0.2", "10.0.0.10"]),
        (NodeSort::VirtualIp, ["9.255.0.1", "10.0.0.2", "10.0.0.10"]),
        (NodeSort::HostName, ["9.255.0.1", "10.0.0.2", "10.0.0.10"]),
    ] {
        let sorted = async |order| {
            let filter = NodeFilter { sort, order, ..NodeFilter::default() };
            let items = store.nodes(crawl, &filter, Page::default()).await.unwrap().items;
            items.into_iter().map(|node| node.ip.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(sorted(Order::Ascending).await, wanted, "{sort:?}");
        let reversed: Vec<_> = wanted.into_iter().rev().collect();
        assert_eq!(sorted(Order::Descending).await, reversed, "{sort:?}");
    }
}

fn any_node() -> impl Strategy<Value = Node> {
    let text = || prop::option::of("[a-dA-D%_!é]{0,4}");
    let status = prop::sample::select(NodeStatus::ALL.to_vec());
    let numbers = (any::<Option<u32>>(), any::<Option<i8>>(), any::<u32>(), any::<Option<u64>>());
    (("[a-dA-D]{1,5}", status, text(), text(), text()), numbers, any::<(i8, bool)>()).prop_map(
        |((address, status, host_name, version, namespace), (connections, rtt, retries, memory), (lat, located))| {
            Node {
                host_name,
                version,
                namespace,
                connections,
                rtt_ms: rtt.map(f64::from),
                retries,
                memory: memory.map(|bytes| bytes >> 1),
                location: located.then(|| Location::new(f64::from(lat / 2), 1.5).unwrap()),
                ..node(&address, status)
            }
        },
    )
}

fn any_filter() -> impl Strategy<Value = NodeFilter> {
    let sort = prop::sample::select(vec![
        NodeSort::Address,
        NodeSort::HostName,
        NodeSort::Connections,
        NodeSort::Rtt,
        NodeSort::Retries,
        NodeSort::Memory,
        NodeSort::Location,
    ]);
    let order = prop::sample::select(vec![Order::Ascending, Order::Descending]);
    let status = prop::option::of(prop::sample::select(NodeStatus::ALL.to_vec()));
    ("[a-cA-C%_!é]{0,2}", status, prop::option::of("[a-d]{0,1}"), sort, order).prop_map(
        |(text, status, namespace, sort, order)| NodeFilter { text, status, namespace, within: vec![], sort, order },
    )
}

/// Which nodes a page must hold, worked out in memory.
fn expected(nodes: &[Node], filter: &NodeFilter) -> Vec<Node> {
    let part = filter.text.to_ascii_lowercase();
    let holds = |text: &String| text.to_ascii_lowercase().contains(&part);
    let mut nodes = nodes.to_vec();
    // equal ones in the order of their addresses
    nodes.sort_by(|a, b| a.address.cmp(&b.address));
    if filter.sort == NodeSort::Address && filter.order == Order::Descending {
        nodes.reverse();
    }
    let mut found: Vec<Node> = nodes
        .iter()
        .filter(|node| filter.status.is_none_or(|status| node.status == status))
        .filter(|node| filter.namespace.is_none() || node.namespace == filter.namespace)
        .filter(|node| {
            let others = [&node.host_name, &node.version, &node.namespace];
            holds(&node.address) || others.into_iter().flatten().any(holds)
        })
        .cloned()
        .collect();
    found.sort_by(|a, b| in_order(a, b, filter));
    found
}

fn in_order(a: &Node, b: &Node, filter: &NodeFilter) -> Ordering {
    let order = filter.order;
    match filter.sort {
        NodeSort::Address => nulls_last(Some(&a.address), Some(&b.address), order),
        NodeSort::HostName => {
            // upper and lower case are alike, and there are no digits in these
            let key = |name: &String| (name.to_ascii_lowercase(), name.clone());
            nulls_last(a.host_name.as_ref().map(key), b.host_name.as_ref().map(key), order)
        }
        NodeSort::Connections => nulls_last(a.connections, b.connections, order),
        NodeSort::Rtt => nulls_last(a.rtt_ms, b.rtt_ms, order),
        NodeSort::Retries => nulls_last(Some(a.retries), Some(b.retries), order),
        NodeSort::Memory => nulls_last(a.memory, b.memory, order),
        NodeSort::Location => {
            let latitude = |node: &Node| node.location.map(|location| location.latitude);
            nulls_last(latitude(a), latitude(b), order)
        }
        other => panic!("{other:?} is not in the model"),
    }
}

/// Pages of random nodes, filtered and sorted at random, are what memory says.
#[test]
fn lists_agree_with_memory() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let databases = runtime.block_on(async { [testing::sqlite().await, testing::postgres().await] });
    let pools = databases.each_ref().map(|fresh| runtime.block_on(pool(&fresh.store, "demo")).id);
    let mut runner = TestRunner::new(Config { cases: 64, ..Config::default() });
    let cases = (prop::collection::vec(any_node(), 0..12), prop::collection::vec(any_filter(), 1..6), 0_u64..4);
    runner
        .run(&cases, |(nodes, filters, offset)| {
            runtime.block_on(async {
                for (fresh, pool) in databases.iter().zip(pools) {
                    let store = &fresh.store;
                    let crawl = store.store_snapshot(&crawl_at(pool, NOW, &nodes), &nodes).await.unwrap().id;
                    for filter in &filters {
                        let want = expected(&nodes, filter);
                        let page = store.nodes(crawl, filter, Page { limit: 5, offset }).await.unwrap();
                        prop_assert_eq!(page.total, want.len() as u64, "{} {:?}", store.database(), filter);
                        let want: Vec<_> = want.into_iter().skip(offset as usize).take(5).collect();
                        prop_assert_eq!(page.items, want, "{} {:?}", store.database(), filter);
                    }
                }
                Ok(())
            })
        })
        .unwrap();
}
