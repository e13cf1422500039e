//! The alternative, beside which blocks are measured: a row per node and change. What hardly changes (names, addresses,
//! versions, neighbours) is kept once per text; uptimes are kept as the time of the start, so that a node on which
//! nothing happens gets no row.

use std::collections::HashMap;
use std::time::Instant;

use p2ppool_model::snapshot::Node;
use serde_json::{Map, Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Row as _};

use crate::overlay::{self, Dice, NODES};
use crate::spread;
use crate::year::{self, CRAWLS_A_DAY};

/// Rows of one statement.
const TOGETHER: usize = 500;

/// The nodes of any crawl: of each the newest row that is not newer than it.
const PAGE: &str = "SELECT r.* , t.text FROM row_nodes n
     JOIN node_rows r ON r.node = n.id AND r.crawl = (SELECT MAX(b.crawl) FROM node_rows b WHERE b.node = n.id AND b.crawl <= $1)
     JOIN texts t ON t.id = r.facts WHERE t.text LIKE '%node7%' ORDER BY r.rtt DESC LIMIT 200";

/// Makes the statements of a day.
#[derive(Default)]
struct Rows {
    texts: HashMap<String, usize>,
    newest: HashMap<usize, String>,
    statements: Vec<String>,
    rows: u64,
}

impl Rows {
    fn text(&mut self, text: String) -> usize {
        let next = self.texts.len();
        let Self { texts, statements, .. } = self;
        *texts.entry(text).or_insert_with_key(|text| {
            statements.push(format!("INSERT INTO texts VALUES ({next}, '{}')", text.replace('\'', "''")));
            next
        })
    }

    fn crawl(&mut self, crawl: i64, nodes: &[Node], places: &HashMap<String, usize>) {
        let mut values = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            let facts = self.text(
                json!([
                    node.host_name,
                    node.ip,
                    node.transport_addresses,
                    node.version,
                    node.package,
                    node.namespace,
                    node.location,
                    node.details
                ])
                .to_string(),
            );
            let named: Vec<String> = node.neighbours.iter().map(|name| places[name].to_string()).collect();
            let neighbours = self.text(named.join(" "));
            let error = self.text(node.error.clone().unwrap_or_default());
            let number = |value: Option<f64>| value.map_or("NULL".to_owned(), |value| value.to_string());
            let int = |value: Option<u64>| value.map_or("NULL".to_owned(), |value| value.to_string());
            let began = node.uptime_s.map(|s| (1_800 * crawl) as u64 + 2_000_000 - s);
            let row = format!(
                "{facts},{neighbours},{},{error},{},{},{},{},{},{},{},{},{},{}",
                node.status as u8,
                number(node.consistency),
                int(node.connections.map(u64::from)),
                int(node.tcp.map(u64::from)),
                int(node.udp.map(u64::from)),
                int(node.relayed.map(u64::from)),
                number(node.rtt_ms.map(|ms| (ms * 1e3).round() / 1e3)),
                int(began),
                int(node.memory),
                number(node.cpu_s.map(|s| (s * 100.0).round() / 100.0)),
                number(node.load),
            );
            if self.newest.get(&at) != Some(&row) {
                values.push(format!("({at},{crawl},{row})"));
                self.newest.insert(at, row);
            }
        }
        self.rows += values.len() as u64;
        self.statements
            .extend(values.chunks(TOGETHER).map(|part| format!("INSERT INTO node_rows VALUES {}", part.join(","))));
    }
}

/// A day on which nothing happens, and one on which the pool lives: bytes per node and crawl, and a page of nodes.
pub(crate) async fn measure(url: &str, told: &mut Map<String, Value>) {
    for (name, lives) in [("quiet", false), ("living", true)] {
        create(url).await;
        let mut nodes = overlay::overlay();
        let places: HashMap<String, usize> =
            nodes.iter().enumerate().map(|(at, node)| (node.address.clone(), at)).collect();
        let ids: Vec<String> = nodes.iter().enumerate().map(|(at, n)| format!("({at},'{}')", n.address)).collect();
        let insert = format!("INSERT INTO row_nodes VALUES {}", ids.join(","));
        year::execute(url, &insert).await;
        let (mut dice, mut rows, mut times) = (Dice(7), Rows::default(), Vec::new());
        for crawl in 0..CRAWLS_A_DAY {
            if lives {
                overlay::live(&mut nodes, &mut dice)
            } else {
                overlay::rest(&mut nodes)
            }
            rows.crawl(crawl, &nodes, &places);
            let statements = std::mem::take(&mut rows.statements).join(";\n");
            let begun = Instant::now();
            if !statements.is_empty() {
                year::execute(url, &statements).await;
            }
            times.push(begun.elapsed());
        }
        let bytes = size(url).await;
        told.insert(format!("rows_{name}_bytes"), json!(bytes as f64 / (NODES as i64 * CRAWLS_A_DAY) as f64));
        told.insert(format!("rows_{name}_rows"), json!(rows.rows));
        told.insert(format!("rows_{name}_store_ms"), spread(&times));
        let mut pages = Vec::new();
        for _ in 0..5 {
            let crawl = dice.roll(CRAWLS_A_DAY as u64) as i64;
            let begun = Instant::now();
            let found = page(url, crawl).await;
            pages.push(begun.elapsed());
            assert_eq!(found, 200);
        }
        told.insert(format!("rows_{name}_page_ms"), spread(&pages));
    }
    year::execute(url, "DROP TABLE node_rows; DROP TABLE texts; DROP TABLE row_nodes").await;
}

async fn create(url: &str) {
    // each in the way that suits it best
    let clustered = if url.starts_with("sqlite") { "WITHOUT ROWID" } else { "" };
    let text = format!(
        "DROP TABLE IF EXISTS node_rows; DROP TABLE IF EXISTS texts; DROP TABLE IF EXISTS row_nodes;
         CREATE TABLE row_nodes (id BIGINT PRIMARY KEY, address TEXT NOT NULL) {clustered};
         CREATE TABLE texts (id BIGINT PRIMARY KEY, text TEXT NOT NULL) {clustered};
         CREATE TABLE node_rows (node BIGINT, crawl BIGINT, facts BIGINT, neighbours BIGINT, status SMALLINT,
             error BIGINT, consistency DOUBLE PRECISION, connections INTEGER, tcp INTEGER, udp INTEGER,
             relayed INTEGER, rtt DOUBLE PRECISION, began BIGINT, memory BIGINT, cpu DOUBLE PRECISION,
             load DOUBLE PRECISION, PRIMARY KEY (node, crawl)) {clustered}"
    );
    year::execute(url, &text).await;
}

/// Bytes of the three tables with their indexes.
async fn size(url: &str) -> i64 {
    const TABLES: [&str; 3] = ["node_rows", "texts", "row_nodes"];
    let mut bytes = 0;
    for table in TABLES {
        bytes += if url.starts_with("sqlite") {
            let mut conn = sqlx::SqliteConnection::connect(url).await.unwrap();
            let sql = format!("SELECT SUM(pgsize) FROM dbstat WHERE name = '{table}'");
            sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).fetch_one(&mut conn).await.unwrap()
        } else {
            let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
            let sql = format!("SELECT pg_total_relation_size('{table}')");
            sqlx::query_scalar::<_, i64>(AssertSqlSafe(sql)).fetch_one(&mut conn).await.unwrap()
        };
    }
    bytes
}

async fn page(url: &str, crawl: i64) -> usize {
    if url.starts_with("sqlite") {
        let mut conn = sqlx::SqliteConnection::connect(url).await.unwrap();
        let rows = sqlx::query(PAGE).bind(crawl).fetch_all(&mut conn).await.unwrap();
        rows.iter().filter(|row| row.try_get::<String, _>("text").is_ok()).count()
    } else {
        let mut conn = sqlx::PgConnection::connect(url).await.unwrap();
        let rows = sqlx::query(PAGE).bind(crawl).fetch_all(&mut conn).await.unwrap();
        rows.iter().filter(|row| row.try_get::<String, _>("text").is_ok()).count()
    }
}
