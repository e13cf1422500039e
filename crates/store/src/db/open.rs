//! Connections to either database, and bringing its schema up to date.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};

use super::{On, SqlitePools, is_busy};
use crate::error::{Result, StoreError};

/// How long a statement waits for another writer before it answers "busy".
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller waits for a free connection before it answers "busy".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// SQLite connections that only read: enough for the pages of a few people at once on a small machine.
const SQLITE_READERS: u32 = 4;
/// Size that SQLite's log keeps on disk after a large write, in bytes.
const WAL_BYTES_KEPT: &str = "67108864";
/// PostgreSQL connections of one manager; ten managers fit into PostgreSQL's default of 100.
const POSTGRES_CONNECTIONS: u32 = 10;
/// How long managers that start together wait for the one that brings the schema up to date.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);
/// How often opening a new SQLite file is tried again while another process makes it.
const OPEN_ATTEMPTS: u32 = 50;
/// Between two such attempts.
const OPEN_PAUSE: Duration = Duration::from_millis(100);

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// Opens `sqlite:<path>` (made when it isn't there) or `postgres://…` and brings its schema up to date.
pub(super) async fn open(url: &str) -> Result<On<SqlitePools, PgPool>> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        open_sqlite(Path::new(path)).await.map(On::Sqlite).map_err(|why| open_error(url, why))
    } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        open_postgres(url).await.map(On::Postgres).map_err(|why| open_error(url, why))
    } else {
        Err(open_error(url, "it must begin with `sqlite:` or `postgres:`".to_owned()))
    }
}

async fn open_sqlite(path: &Path) -> Result<SqlitePools, String> {
    if path.as_os_str().is_empty() || path.to_string_lossy().starts_with(":memory:") {
        return Err("a file is needed: readers and the writer share it".to_owned());
    }
    make_private(path).map_err(|why| format!("make the file: {why}"))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .pragma("journal_size_limit", WAL_BYTES_KEPT)
        .busy_timeout(BUSY_TIMEOUT);
    migrate_sqlite_patiently(&options).await?;
    let pool = |connections| {
        // a connection to a file neither breaks nor ages
        PoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
    };
    let writer = pool(1).connect_with(options.clone()).await.map_err(|why| why.to_string())?;
    let readers =
        pool(SQLITE_READERS).connect_with(options.pragma("query_only", "ON")).await.map_err(|why| why.to_string())?;
    Ok(SqlitePools { writer, readers })
}

/// Makes an empty file that only its owner can read; SQLite gives its companions the same mode.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        other => other.map(drop),
    }
}

/// Switching a new file to WAL answers "busy" at once, whatever the busy timeout, while another
/// process does the same; so it is tried again.
async fn migrate_sqlite_patiently(options: &SqliteConnectOptions) -> Result<(), String> {
    for _ in 1..OPEN_ATTEMPTS {
        match migrate_sqlite(options).await {
            Err(error) if is_busy(&error) => tokio::time::sleep(OPEN_PAUSE).await,
            other => return other.map_err(reason),
        }
    }
    migrate_sqlite(options).await.map_err(reason)
}

/// All missing migrations in one transaction that excludes other writers: managers that start
/// together go one after the other, and a failed migration leaves the database as it was.
/// References are checked at its end instead of during it, so that a migration may rebuild a table.
async fn migrate_sqlite(options: &SqliteConnectOptions) -> sqlx::Result<()> {
    let options = options.clone().foreign_keys(false).busy_timeout(MIGRATION_TIMEOUT);
    let mut conn = SqliteConnection::connect_with(&options).await?;
    let mut tx = conn.begin_with("BEGIN IMMEDIATE").await?;
    SQLITE_MIGRATIONS.run_direct(None, &mut *tx, false).await?;
    let broken = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut *tx).await?;
    if !broken.is_empty() {
        let why = format!("{} rows refer to rows that are not there", broken.len());
        return Err(sqlx::Error::Protocol(why));
    }
    tx.commit().await?;
    conn.close().await
}

async fn open_postgres(url: &str) -> Result<PgPool, String> {
    let options = PgConnectOptions::from_str(url).map_err(|why| why.to_string())?.application_name("p2ppool");
    migrate_postgres(&options).await.map_err(reason)?;
    let lock_timeout = format!("{}ms", BUSY_TIMEOUT.as_millis());
    PoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_with(options.options([("lock_timeout", lock_timeout)]))
        .await
        .map_err(|why| why.to_string())
}

/// sqlx takes an advisory lock, so managers that start together go one after the other.
async fn migrate_postgres(options: &PgConnectOptions) -> sqlx::Result<()> {
    let lock_timeout = format!("{}ms", MIGRATION_TIMEOUT.as_millis());
    let options = options.clone().options([("lock_timeout", lock_timeout)]);
    let mut conn = PgConnection::connect_with(&options).await?;
    POSTGRES_MIGRATIONS.run_direct(None, &mut conn, false).await?;
    conn.close().await
}

/// Why the schema could not be brought up to date, and what would be right.
fn reason(error: sqlx::Error) -> String {
    use sqlx::migrate::MigrateError;
    match error {
        sqlx::Error::Migrate(error) => match *error {
            MigrateError::VersionMissing(version) => format!(
                "a newer p2ppool has changed its schema (migration {version}), which this one does not know; \
                 run the newer one"
            ),
            MigrateError::VersionMismatch(version) => {
                format!("migration {version} was another one when it was applied, by a build that was never released")
            }
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

fn open_error(url: &str, why: String) -> StoreError {
    StoreError::Open { url: without_password(url), why }
}

/// `postgres://user:secret@host/db` as `postgres://user:…@host/db`; cautious with what it can't read.
pub(crate) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|_| !url.starts_with("sqlite:")) else {
        return url.split('?').next().unwrap_or_default().to_owned();
    };
    let rest = rest.split('?').next().unwrap_or_default();
    match rest.rsplit_once('@') {
        None => format!("{scheme}://{rest}"),
        Some((login, place)) => {
            let user = login.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}:…@{place}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_schema_from_the_future_is_left_alone() {
        for fresh in [crate::testing::sqlite().await, crate::testing::postgres().await] {
            let mut tx = fresh.store.db.begin().await.unwrap();
            let future = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                          SELECT 9999, 'future', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
            assert_eq!(crate::db::execute!(tx.conn(), future).unwrap(), 1);
            tx.commit().await.unwrap();
            let error = crate::Store::open(&fresh.url).await.unwrap_err().to_string();
            assert!(error.contains("newer p2ppool") && error.contains("9999"), "{error}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(without_password("postgres://me:secret@db/x?password=secret"), "postgres://me:…@db/x");
        assert_eq!(without_password("postgres://db/x"), "postgres://db/x");
        assert_eq!(without_password("postgres:secret"), "postgres:secret");
    }
}
