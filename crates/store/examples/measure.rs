//! How long storing takes: `cargo run --release -p p2ppool-store --features testing --example measure`.
//!
//! Prints milliseconds, best and worst of some rounds; asserts nothing about time.

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use p2ppool_model::host::{HostKnown, HostSpec, Location};
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus, Totals};
use p2ppool_model::{Digest, PoolId, Time};
use p2ppool_store::testing::{self, Fresh};
use p2ppool_store::{HostFilter, Learnt, NewSnapshot, NodeFilter, NodeSort, Order, Page};

const ROWS: usize = 10_000;
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() {
    measure(testing::sqlite().await).await;
    measure(testing::postgres().await).await;
}

async fn measure(fresh: Fresh) {
    let store = &fresh.store;
    println!("{} ({ROWS} rows, milliseconds: best .. worst of {ROUNDS})", store.database());
    let pool = store.create_pool(&"demo".parse().unwrap(), &Default::default(), None, Time::now()).await.unwrap().id;
    let list: Vec<HostSpec> = (0..ROWS).map(spec).collect();
    let rounds = &mut Rounds::default();
    for _ in 0..ROUNDS {
        rounds.time("set the host list", store.set_hosts(pool, &list)).await.unwrap();
    }
    let hosts = store.pool_hosts(pool).await.unwrap();
    let learnt: Vec<_> = hosts.iter().map(|host| (host.id, known(host.id.0 as usize))).collect();
    let nodes: Vec<Node> = (0..ROWS).map(|i| node(i, &hosts[i])).collect();
    let filter = HostFilter { text: "host77".into(), ..HostFilter::default() };
    let sorted = NodeFilter { sort: NodeSort::Rtt, order: Order::Descending, ..NodeFilter::default() };
    let found = NodeFilter { text: "koo77".into(), ..sorted.clone() };
    for _ in 0..ROUNDS {
        rounds.time("learn of every host", store.set_hosts_known(Learnt::Some, &learnt)).await.unwrap();
        rounds.time("read every host", store.pool_hosts(pool)).await.unwrap();
        rounds.time("page of hosts, filtered", store.hosts(pool, &filter, Page::default())).await.unwrap();
        rounds.time("count hosts", store.host_counts()).await.unwrap();
        let new = snapshot(pool, &nodes);
        let crawl = rounds.time("store a snapshot", store.store_snapshot(&new, &nodes)).await.unwrap().id;
        rounds.time("page of nodes, sorted", store.nodes(crawl, &sorted, Page::default())).await.unwrap();
        rounds.time("page of nodes, filtered", store.nodes(crawl, &found, Page::default())).await.unwrap();
        rounds.time("missing hosts", store.missing_hosts(crawl, Page::default())).await.unwrap();
        rounds.time("answering addresses", store.answering(crawl)).await.unwrap();
        rounds
            .time("stream the nodes", store.stream_nodes(crawl).try_fold(0, |n, _| async move { Ok(n + 1) }))
            .await
            .unwrap();
        rounds
            .time("stream the map", store.stream_points(crawl).try_fold(0, |n, _| async move { Ok(n + 1) }))
            .await
            .unwrap();
        rounds.time("write one setting", store.set_setting("x", &1, Time::now())).await.unwrap();
    }
    rounds.time("forget the nodes", store.drop_detail_before(pool, Time(i64::MAX))).await.unwrap();
    rounds.print();
    if let Some(folder) = fresh.folder() {
        let bytes = std::fs::metadata(folder.join("p2ppool.db")).unwrap().len();
        println!("  file: {} bytes per node", bytes / (ROWS * ROUNDS) as u64);
    }
}

#[derive(Default)]
struct Rounds(Vec<(&'static str, Vec<Duration>)>);

impl Rounds {
    async fn time<T>(&mut self, what: &'static str, work: impl Future<Output = T>) -> T {
        let begun = Instant::now();
        let answer = work.await;
        match self.0.iter_mut().find(|(name, _)| *name == what) {
            Some((_, times)) => times.push(begun.elapsed()),
            None => self.0.push((what, vec![begun.elapsed()])),
        }
        answer
    }

    fn print(&self) {
        for (what, times) in &self.0 {
            let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
            println!("  {what:<26} {:>8.1} .. {:>8.1}", millis(times.iter().min()), millis(times.iter().max()));
        }
    }
}

fn spec(i: usize) -> HostSpec {
    HostSpec {
        address: format!("host{i}.example.org"),
        location: Location::new(45.0, 4.0),
        labels: [("site".to_owned(), "lyon".to_owned())].into(),
        ..HostSpec::default()
    }
}

fn known(i: usize) -> HostKnown {
    HostKnown {
        reachable: Some(true),
        package: Some(Digest::of(b"package")),
        running: Some(true),
        node: Some(format!("12D3KooWGRUE{i:040}")),
        node_memory: Some(30 << 20),
        load: Some(0.5),
        at: Some(Time::now()),
        ..HostKnown::default()
    }
}

/// As large as real ones: 20 neighbours, 4 transport addresses.
fn node(i: usize, host: &p2ppool_model::host::Host) -> Node {
    let details = NodeDetails::Libp2p {
        nat: Some("public".into()),
        protocols: ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/p2ppool/demo/kad/1", "/p2ppool/info/1"]
            .map(String::from)
            .to_vec(),
        info: true,
    };
    let peer = |i: usize| format!("12D3KooW{i:044}");
    Node {
        status: NodeStatus::Answering,
        host: Some(host.id),
        host_name: Some(host.spec.address.clone()),
        ip: Some("192.0.2.1".into()),
        transport_addresses: (0..4).map(|n| format!("/ip4/192.0.2.{n}/udp/4650/quic-v1")).collect(),
        version: Some("p2pnode/0.1.0".into()),
        package: Some(Digest::of(b"package")),
        namespace: Some("demo".into()),
        consistency: Some(1.0),
        connections: Some(40),
        tcp: Some(20),
        udp: Some(20),
        relayed: Some(0),
        rtt_ms: Some((i * 7919 % ROWS) as f64 / 10.0),
        uptime_s: Some(86_400),
        memory: Some(30 << 20),
        cpu_s: Some(12.5),
        load: Some(0.25),
        location: Location::new(45.0, 4.0),
        neighbours: (0..20).map(|n| peer((i + n) % ROWS)).collect(),
        ..Node::unknown(peer(i), details)
    }
}

fn snapshot(pool: PoolId, nodes: &[Node]) -> NewSnapshot {
    NewSnapshot {
        pool,
        task: None,
        started: Time::now(),
        duration_ms: 1,
        complete: true,
        totals: Totals::of(nodes, None, 0),
    }
}
