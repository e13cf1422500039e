//! A year of a large pool, and how fast it is read:
//! `cargo run --release -p p2ppool-store --features testing --example history [sqlite:/a/new/file.db]`.
//!
//! One day of half-hourly crawls is stored as the manager does it; the other days are copies of its rows, so
//! that a year takes minutes instead of hours. With an address, that database is filled and left there;
//! without, SQLite and PostgreSQL are measured and thrown away. Asserts nothing about time.

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use p2ppool_model::host::Location;
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus, Totals};
use p2ppool_model::{CrawlId, Digest, PoolId, Time};
use p2ppool_store::{NewSnapshot, NodeFilter, NodeSort, Order, Page, Store, testing};
use sqlx::{AssertSqlSafe, Connection as _};

const NODES: usize = 10_000;
const NEIGHBOURS: usize = 20;
/// Half-hourly.
const CRAWLS_A_DAY: i64 = 48;
const GAP_MS: i64 = 1_800_000;
const DAYS: i64 = 365;
/// 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;
const DAY_MS: i64 = CRAWLS_A_DAY * GAP_MS;

#[tokio::main]
async fn main() {
    let days = std::env::var("DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(DAYS);
    if let Some(url) = std::env::args().nth(1) {
        let store = Store::open(&url).await.unwrap();
        let (pool, _) = fill(&store, &url, days).await;
        println!("pool {pool}: {} crawls of {NODES} nodes in {url}", CRAWLS_A_DAY * days);
        return;
    }
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        println!("{}", fresh.store.database());
        quiet(&fresh.store).await;
        let (pool, crawls) = fill(&fresh.store, &fresh.url, days).await;
        read(&fresh.store, pool, &crawls, days).await;
    }
}

/// A small reproducible source of numbers (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

fn peer(dice: &mut Dice) -> String {
    const BASE58: &[u8] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let random: String = (0..44).map(|_| char::from(BASE58[dice.roll(58) as usize])).collect();
    format!("12D3KooW{random}")
}

fn overlay() -> Vec<Node> {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let peers: Vec<String> = (0..NODES).map(|_| peer(&mut dice)).collect();
    let protocols = ["/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/p2ppool/demo/kad/1", "/p2ppool/info/1"];
    let mut nodes = Vec::with_capacity(NODES);
    for (i, address) in peers.iter().enumerate() {
        let ip = format!("10.{}.{}.{}", i >> 16, i >> 8 & 255, i & 255);
        let details = NodeDetails::Libp2p {
            nat: Some("public".into()),
            protocols: protocols.map(String::from).to_vec(),
            info: true,
        };
        nodes.push(Node {
            status: NodeStatus::Answering,
            host_name: Some(format!("node{i}.example.org")),
            transport_addresses: vec![format!("/ip4/{ip}/tcp/4650"), format!("/ip4/{ip}/udp/4650/quic-v1")],
            ip: Some(ip),
            version: Some("p2pnode/0.1.0".into()),
            package: Some(Digest::of(b"package")),
            namespace: Some("demo".into()),
            consistency: Some(1.0),
            connections: Some(40),
            tcp: Some(20),
            udp: Some(20),
            relayed: Some(0),
            rtt_ms: Some(dice.roll(200_000) as f64 / 1e3),
            uptime_s: Some(dice.roll(1_000_000)),
            memory: Some((20 << 20) + dice.roll(1 << 12) * 4096),
            cpu_s: Some(dice.roll(100_000) as f64 / 100.0),
            load: Some(dice.roll(100) as f64 / 100.0),
            location: Location::new((i % 180) as f64 - 90.0, (i % 360) as f64 - 180.0),
            neighbours: (0..NEIGHBOURS).map(|_| peers[dice.roll(NODES as u64) as usize].clone()).collect(),
            ..Node::unknown(address, details)
        });
    }
    nodes
}

/// Half an hour later: every round-trip time, CPU time, load and (of one in four) memory is another one; of one
/// node in fifty a neighbour changed; one in two hundred is down.
fn live(nodes: &mut [Node], dice: &mut Dice) {
    for i in 0..nodes.len() {
        let other = nodes[dice.roll(NODES as u64) as usize].address.clone();
        let node = &mut nodes[i];
        if dice.roll(200) == 0 {
            node.status = NodeStatus::DialFailed;
            node.error = Some("dial: timed out".into());
        } else if node.status != NodeStatus::Answering {
            (node.status, node.error) = (NodeStatus::Answering, None);
        }
        node.rtt_ms = node.rtt_ms.map(|rtt| (rtt + dice.roll(2_000) as f64 / 1e3 - 1.0).abs());
        node.uptime_s = node.uptime_s.map(|s| s + 1_800);
        node.cpu_s = node.cpu_s.map(|s| s + dice.roll(300) as f64 / 100.0);
        node.load = Some(dice.roll(100) as f64 / 100.0);
        if dice.roll(4) == 0 {
            node.memory = node.memory.map(|bytes| bytes + 4096);
        }
        if dice.roll(50) == 0 {
            node.neighbours[dice.roll(NEIGHBOURS as u64) as usize] = other;
        }
    }
}

fn snapshot(pool: PoolId, crawl: i64, nodes: &[Node]) -> NewSnapshot {
    let started = Time(BEGIN + crawl * GAP_MS);
    NewSnapshot { pool, task: None, started, duration_ms: 9_000, complete: true, totals: Totals::of(nodes, None, 0) }
}

async fn pool(store: &Store, name: &str) -> PoolId {
    store.create_pool(&name.parse().unwrap(), &Default::default(), None, Time::now()).await.unwrap().id
}

/// A day on which nothing changes but uptimes.
async fn quiet(store: &Store) {
    let pool = pool(store, "quiet").await;
    let mut nodes = overlay();
    let mut bytes = Vec::new();
    for crawl in 0..4 {
        nodes.iter_mut().for_each(|node| node.uptime_s = node.uptime_s.map(|s| s + 1_800));
        let id = store.store_snapshot(&snapshot(pool, crawl, &nodes), &nodes).await.unwrap().id;
        bytes.push(store.block_bytes(id).await.unwrap());
    }
    let key = bytes[0];
    let day = key + bytes[1..].iter().sum::<u64>() / (bytes.len() as u64 - 1) * (CRAWLS_A_DAY as u64 - 1);
    println!(
        "  nothing changed: {:.2} bytes per node-crawl (key block {key}, others {:?})",
        day as f64 / (NODES as i64 * CRAWLS_A_DAY) as f64,
        &bytes[1..]
    );
}

/// Stores a day, then copies it; answers the pool and the crawls of the year.
async fn fill(store: &Store, url: &str, days: i64) -> (PoolId, Vec<CrawlId>) {
    let pool = pool(store, "year").await;
    let mut nodes = overlay();
    let mut dice = Dice(7);
    let (mut times, mut bytes, mut first) = (Vec::new(), 0, None);
    for crawl in 0..CRAWLS_A_DAY {
        live(&mut nodes, &mut dice);
        let new = snapshot(pool, crawl, &nodes);
        let begun = Instant::now();
        let id = store.store_snapshot(&new, &nodes).await.unwrap().id;
        times.push(begun.elapsed());
        bytes += store.block_bytes(id).await.unwrap();
        first.get_or_insert(id.0);
    }
    println!("  store a snapshot of {NODES} nodes: {}", spread(&times));
    println!("  living pool: {:.2} bytes per node-crawl", bytes as f64 / (NODES as i64 * CRAWLS_A_DAY) as f64);
    let begun = Instant::now();
    let (first, month) = (first.unwrap(), |day: i64| Time(BEGIN + day * DAY_MS).to_string()[..7].replace('-', ""));
    let mut statements = Vec::new();
    let base = format!("blocks_{}_{}", pool.0, month(0));
    let (id, of) = if url.starts_with("sqlite") {
        ("INTEGER PRIMARY KEY", "BLOB")
    } else {
        ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA")
    };
    for day in 1..days {
        let (table, ended) = (format!("blocks_{}_{}", pool.0, month(day)), format!("ended_{}_{}", pool.0, month(day)));
        if month(day) != month(day - 1) {
            statements.push(format!("INSERT INTO detail_months VALUES ({}, {})", pool.0, month(day)));
            statements.push(format!(
                "CREATE TABLE {table} (snapshot_id BIGINT PRIMARY KEY, key_id BIGINT, block {of} NOT NULL)"
            ));
            statements.push(format!(
                "CREATE TABLE {ended} (id {id}, node_id BIGINT NOT NULL, before_at BIGINT, began BIGINT NOT NULL,
                     ended BIGINT NOT NULL, after_at BIGINT NOT NULL)"
            ));
        }
        let (shift, later) = (day * CRAWLS_A_DAY, day * DAY_MS);
        statements.push(format!(
            "INSERT INTO snapshots (id, pool_id, started, duration_ms, complete, nodes, answering, unreachable,
                 dial_failed, connect_failed, ask_failed, not_dialled, consistency, connections, tcp, udp, relayed,
                 secure, retries, missing, nodes_joined, nodes_left, counted)
             SELECT id + {shift}, pool_id, started + {later}, duration_ms + {day}, complete, nodes, answering, unreachable,
                 dial_failed, connect_failed, ask_failed, not_dialled, consistency, connections, tcp, udp, relayed,
                 secure, retries, missing, nodes_joined, nodes_left, counted
             FROM snapshots WHERE pool_id = {} AND id < {}",
            pool.0,
            first + CRAWLS_A_DAY
        ));
        statements.push(format!(
            "INSERT INTO {table} SELECT snapshot_id + {shift}, key_id + {shift}, block FROM {base}
             WHERE snapshot_id < {}",
            first + CRAWLS_A_DAY
        ));
    }
    execute(url, &statements).await;
    println!("  {} days more, copied in {:.1} s", days - 1, begun.elapsed().as_secs_f64());
    (pool, (first..first + days * CRAWLS_A_DAY).map(CrawlId).collect())
}

async fn execute(url: &str, statements: &[String]) {
    let all = |texts: &[String]| texts.join(";\n");
    // a month at a time, so that logs stay small
    for part in statements.chunks(64) {
        let text = AssertSqlSafe(format!("BEGIN;\n{};\nCOMMIT", all(part)));
        if url.starts_with("sqlite") {
            let mut conn = sqlx::SqliteConnection::connect(url).await.unwrap();
            sqlx::raw_sql(text).execute(&mut conn).await.unwrap();
        } else {
            let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
            sqlx::raw_sql(text).execute(&mut conn).await.unwrap();
        }
    }
}

async fn read(store: &Store, pool: PoolId, crawls: &[CrawlId], days: i64) {
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let stats = store.stats(pool, None, None, 400).await.unwrap();
        times.push(begun.elapsed());
        assert_eq!(stats.crawls.iter().sum::<u64>(), (days * CRAWLS_A_DAY) as u64);
    }
    println!("  chart of {} crawls, 400 buckets, 18 statistics: {}", crawls.len(), spread(&times));

    let filter =
        NodeFilter { text: "node7".into(), sort: NodeSort::Rtt, order: Order::Descending, ..Default::default() };
    let (mut dice, mut cold, mut warm) = (Dice(99), Vec::new(), Vec::new());
    for _ in 0..20 {
        let crawl = crawls[dice.roll(crawls.len() as u64) as usize];
        for times in [&mut cold, &mut warm] {
            let begun = Instant::now();
            let page = store.nodes(crawl, &filter, Page { limit: 200, offset: 0 }).await.unwrap();
            times.push(begun.elapsed());
            assert!(page.items.len() == 200 && page.total > 1_000, "{}", page.total);
        }
    }
    println!("  200 nodes of any crawl, filtered, sorted: {}; again: {}", spread(&cold), spread(&warm));

    let before = resident_kib();
    let begun = Instant::now();
    let until = Some(Time(BEGIN + 10 * DAY_MS));
    let tables = store.stream_tables(pool, None, until);
    let rows = tables.try_fold(0, |rows, (_, table)| async move { Ok(rows + table.len()) }).await.unwrap();
    let rate = rows as f64 / begun.elapsed().as_secs_f64();
    println!(
        "  read {rows} nodes of {} crawls: {rate:.0} rows/s, {} KiB more memory",
        rows / NODES,
        resident_kib() - before
    );

    let begun = Instant::now();
    let months = store.drop_detail_before(pool, Time(BEGIN + 180 * DAY_MS)).await.unwrap();
    println!("  forget {months} months: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
}

fn spread(times: &[Duration]) -> String {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let (least, most) = (millis(sorted[0]), millis(sorted[sorted.len() - 1]));
    format!("{:.1} ms ({least:.1} .. {most:.1})", millis(sorted[sorted.len() / 2]))
}

fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
