//! A database of each earlier schema, with rows in every table, is brought to the present one and keeps them.

use std::borrow::Cow;
use std::path::Path;

use p2ppool_model::schedule::When;
use p2ppool_model::snapshot::NodeStatus;
use p2ppool_model::task::TaskState;
use p2ppool_model::{CrawlId, HostId, PoolId, TaskId, Time, UserId};
use p2ppool_store::{AuditFilter, NodeFilter, Page, SecretScope, SnapshotRange, Store, testing};
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection as _};

/// Schemas that were released or used, by the number of their last migration.
const SCHEMAS: [i64; 1] = [2];
/// Tables whose numbers are given by the database.
const NUMBERED: [&str; 10] =
    ["users", "sessions", "tokens", "pools", "hosts", "snapshots", "nodes", "audit", "tasks", "schedules"];

#[tokio::test]
async fn every_earlier_schema_migrates_on_sqlite() {
    for schema in SCHEMAS {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("old.db").display());
        let mut old = sqlx::SqliteConnection::connect(&format!("{url}?mode=rwc")).await.unwrap();
        only(schema, "sqlite").await.run(&mut old).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(rows(schema, |hex| format!("X'{hex}'")))).execute(&mut old).await.unwrap();
        old.close().await.unwrap();
        keeps_every_row(schema, &url).await;
    }
}

#[tokio::test]
async fn every_earlier_schema_migrates_on_postgres() {
    for schema in SCHEMAS {
        let url = testing::postgres_url().await;
        let mut old = sqlx::PgConnection::connect(&url).await.unwrap();
        only(schema, "postgres").await.run(&mut old).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(rows(schema, |hex| format!("'\\x{hex}'::bytea")))).execute(&mut old).await.unwrap();
        for table in NUMBERED {
            let next = format!("SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))");
            sqlx::raw_sql(AssertSqlSafe(next)).execute(&mut old).await.unwrap();
        }
        old.close().await.unwrap();
        keeps_every_row(schema, &url).await;
    }
}

/// The migrations up to one.
async fn only(schema: i64, database: &str) -> Migrator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(database);
    let mut all = Migrator::new(folder).await.unwrap();
    let old = all.migrations.iter().filter(|migration| migration.version <= schema).cloned().collect::<Vec<_>>();
    assert_eq!(old.last().unwrap().version, schema);
    all.migrations = Cow::Owned(old);
    all
}

fn rows(schema: i64, bytes: impl Fn(&str) -> String) -> String {
    let path = format!("{}/tests/schemas/{schema:04}.sql", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let (before, rest) = text.split_once("', BYTES(").unwrap();
    let (hex, after) = rest.split_once(')').unwrap();
    format!("{before}', {}{after}", bytes(hex))
}

async fn keeps_every_row(schema: i64, url: &str) {
    let store = Store::open(url).await.unwrap();
    people(&store).await;
    pools(&store).await;
    history(&store).await;
    tasks(&store).await;
    store.close().await;
    Store::open(url).await.unwrap_or_else(|error| panic!("schema {schema}, opened again: {error}")).close().await;
}

async fn people(store: &Store) {
    let names: Vec<String> = store.users().await.unwrap().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["Anna", "ben"]);
    assert!(store.credentials("ANNA").await.unwrap().is_some());
    assert_eq!(store.session("session-hash", Time(3_000)).await.unwrap().unwrap().1.id, UserId(1));
    let (token, owner) = store.token("token-hash", Time(4_000)).await.unwrap().unwrap();
    assert_eq!((token.name.as_str(), owner.id), ("laptop", UserId(1)));
    assert_eq!(store.secret(SecretScope::Pool(PoolId(1)), "ssh_key").await.unwrap(), Some(vec![1, 255, 0]));
    assert_eq!(store.setting::<String>("greeting").await.unwrap().as_deref(), Some("hello"));
    let audit = store.audit(&AuditFilter::default(), Page::default()).await.unwrap();
    assert_eq!((audit.total, audit.items[0].entry.actor.as_str()), (1, "Anna"));
}

async fn pools(store: &Store) {
    let pool = store.pool_by_name(&"planet".parse().unwrap()).await.unwrap();
    assert_eq!((pool.id, pool.owner, pool.settings.description.as_str()), (PoolId(1), Some(UserId(1)), "all of it"));
    assert_eq!(store.bundles().await.unwrap()[0].name, "planet.zip");
    assert_eq!(pool.bundle, Some(store.bundles().await.unwrap()[0].digest.clone()));
    let hosts = store.pool_hosts(pool.id).await.unwrap();
    assert_eq!(hosts.iter().map(|host| host.spec.address.as_str()).collect::<Vec<_>>(), ["10.0.0.1", "B.example"]);
    assert_eq!(hosts[0].known.reachable, Some(true));
    assert_eq!(hosts[1].known.reachable, None, "unknown is not false");
    assert_eq!(hosts[1].spec.labels["site"], "lyon");
    assert_eq!(store.host_key("10.0.0.1", 22).await.unwrap().unwrap().fingerprint, "SHA256:x");
    let schedules = store.schedules(Some(pool.id)).await.unwrap();
    let half_hourly = When::Cron("*/30 * * * *".to_owned());
    assert!(schedules.iter().any(|schedule| schedule.plan.when == half_hourly), "{schedules:?}");
}

async fn history(store: &Store) {
    let snapshots = store.snapshots(PoolId(1), SnapshotRange::default(), 10).await.unwrap();
    assert_eq!(snapshots.iter().map(|snapshot| snapshot.id).collect::<Vec<_>>(), [CrawlId(2), CrawlId(1)]);
    assert_eq!(snapshots[1].totals.nodes, 2);
    let nodes = store.nodes(CrawlId(1), &NodeFilter::default(), Page::default()).await.unwrap();
    assert_eq!(nodes.total, 2);
    let one = store.node(CrawlId(1), "peer-one").await.unwrap();
    assert_eq!((one.status, one.host, one.memory), (NodeStatus::Answering, Some(HostId(1)), Some(13_000_000)));
    assert_eq!((one.neighbours.as_slice(), one.rtt_ms), (&["peer-two".to_owned()][..], Some(1.5)));
    let two = store.node(CrawlId(1), "peer-two").await.unwrap();
    assert_eq!((two.status, two.connections), (NodeStatus::DialFailed, None), "unknown is not zero");
    assert_eq!(two.error.as_deref(), Some("dial: timed out"));
    assert_eq!(store.node(CrawlId(2), "peer-one").await.unwrap().uptime_s, Some(1_860));
    assert_eq!((snapshots[1].totals.dial_failed, snapshots[1].totals.connections), (1, Some(3)));
    let known = store.known_node(PoolId(1), "peer-one").await.unwrap().unwrap();
    assert_eq!((known.first_seen, known.last_seen, known.sessions), (snapshots[1].started, snapshots[0].started, 1));
    assert_eq!(store.known_node(PoolId(1), "peer-two").await.unwrap(), None, "it never answered");
}

async fn tasks(store: &Store) {
    let task = store.task(TaskId(1)).await.unwrap();
    assert_eq!((task.state, task.started_by.as_str()), (TaskState::Succeeded, "Anna"));
    let hosts = store.all_task_hosts(TaskId(1)).await.unwrap();
    assert_eq!(hosts.len(), 2);
    assert_eq!(hosts[1].message, "no answer");
    assert_eq!(store.task_output(TaskId(1), HostId(1)).await.unwrap().as_deref(), Some("unpacked"));
}
