//! A year of a large pool, and how fast it is read:
//! `cargo run --release -p p2ppool-store --features testing --example history`.
//!
//! Fills a new SQLite database and a new PostgreSQL server, tells on standard error what it does, and prints one line
//! of JSON per database. After each line it waits for a line (or the end) of standard input, so that somebody
//! else can look at the database, whose address is in the line. `DAYS` makes the year shorter. Asserts nothing about time.

mod overlay;
mod rows;
mod year;

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use p2ppool_model::Time;
use p2ppool_store::{NodeFilter, NodeSort, Order, Page, Store, testing};
use serde_json::{Map, Value, json};

use overlay::{Dice, NODES};
use year::{BEGIN, CRAWLS_A_DAY, DAY_MS, Year};

#[tokio::main]
async fn main() {
    let days = std::env::var("DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(365);
    for fresh in [testing::sqlite().await, testing::postgres().await] {
        let name = fresh.store.database();
        eprintln!("{name}: {} crawls of {NODES} nodes", days * CRAWLS_A_DAY);
        let mut told = Map::new();
        told.insert("database".into(), json!(name));
        told.insert("url".into(), json!(fresh.url));
        told.insert("crawls".into(), json!(days * CRAWLS_A_DAY));
        rows::measure(&fresh.url, &mut told).await;
        told.insert("quiet_bytes".into(), json!(year::quiet(&fresh.store).await));
        let year = year::fill(&fresh.store, &fresh.url, days).await;
        told.insert("living_bytes".into(), json!(year::per_node(year.bytes)));
        told.insert("store_ms".into(), spread(&year.store));
        told.insert("store_after_ms".into(), spread(&year::go_on(&fresh.store, &year, days).await));
        read(&fresh.store, &year, &mut told).await;
        println!("{}", Value::Object(told));
        std::io::stdin().read_line(&mut String::new()).unwrap();
        forget(&fresh.store, &year, days).await;
        fresh.store.close().await;
    }
}

async fn read(store: &Store, year: &Year, told: &mut Map<String, Value>) {
    let mut times = Vec::new();
    for _ in 0..5 {
        let begun = Instant::now();
        let stats = store.stats(year.pool, None, None, 400).await.unwrap();
        times.push(begun.elapsed());
        assert_eq!(stats.crawls.iter().sum::<u64>(), year.crawls.len() as u64 + year::MORE as u64);
    }
    told.insert("chart_ms".into(), spread(&times));

    let filter =
        NodeFilter { text: "node7".into(), sort: NodeSort::Rtt, order: Order::Descending, ..Default::default() };
    let (mut dice, mut cold, mut warm) = (Dice(99), Vec::new(), Vec::new());
    for _ in 0..20 {
        let crawl = year.crawls[dice.roll(year.crawls.len() as u64) as usize];
        for times in [&mut cold, &mut warm] {
            let begun = Instant::now();
            let page = store.nodes(crawl, &filter, Page { limit: 200, offset: 0 }).await.unwrap();
            times.push(begun.elapsed());
            assert!(page.items.len() == 200 && page.total > 1_000, "{}", page.total);
        }
    }
    told.insert("page_ms".into(), spread(&cold));
    told.insert("page_again_ms".into(), spread(&warm));

    let begun = Instant::now();
    let tables = store.stream_tables(year.pool, None, Some(Time(BEGIN + 10 * DAY_MS)));
    let rows = tables.try_fold(0, |rows, (_, table)| async move { Ok(rows + table.len()) }).await.unwrap();
    told.insert("decoded_rows_per_s".into(), json!(rows as f64 / begun.elapsed().as_secs_f64()));
}

async fn forget(store: &Store, year: &Year, days: i64) {
    let begun = Instant::now();
    let months = store.drop_detail_before(year.pool, Time(BEGIN + days / 2 * DAY_MS)).await.unwrap();
    eprintln!("  forget {months} months: {:.1} ms", begun.elapsed().as_secs_f64() * 1e3);
}

/// Least, median and greatest, milliseconds.
pub(crate) fn spread(times: &[Duration]) -> Value {
    let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1e3).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    json!({ "min": sorted[0], "median": sorted[sorted.len() / 2], "max": sorted[sorted.len() - 1] })
}
