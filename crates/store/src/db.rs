//! The two databases, and everything in which they differ. No other file asks which one it is.
//!
//! Statements are written once, in what both understand: `$1` placeholders, `RETURNING`,
//! `ON CONFLICT`, CTEs, `UPDATE … FROM`; times are `i64` milliseconds, JSON is TEXT, sums are cast
//! (`CAST(SUM(x) AS BIGINT)`). Text columns that are sorted or searched have the C collation in
//! PostgreSQL, so that both order and fold case (ASCII only) alike. [`on!`] runs one body on
//! whichever database is there:
//!
//! ```ignore
//! let names: Vec<String> = on!(self.db.read(), conn =>
//!     sqlx::query_scalar("SELECT name FROM pools").fetch_all(conn).await).tried("list pools")?;
//!
//! let mut tx = self.db.begin().await?;
//! let gone = execute!(tx.conn(), "DELETE FROM pools WHERE id = $1", id).tried("delete a pool")?;
//! tx.commit().await?;
//! ```
//!
//! # Who may write
//! SQLite has one writer connection per manager, taken in turn, and a few readers that can't write
//! (`query_only`); a write transaction begins with `BEGIN IMMEDIATE`, so that it waits for another
//! process at its beginning rather than failing in its middle. PostgreSQL has one pool for both.
//!
//! # What survives what
//! Every commit survives the death of the program. [`Db::begin`] commits survive the loss of power,
//! too (SQLite: `synchronous=FULL`, one fsync per commit; PostgreSQL: its own default): pools, hosts,
//! people, secrets, tasks. [`Db::begin_relaxed`] commits may lose their last moments with the power
//! (`synchronous=NORMAL`, `synchronous_commit=off`), but never out of order and never in part: what
//! the next look at the world tells again, such as snapshots, what is known of a host, last-seen times.

use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqliteSynchronous};
use sqlx::{Connection as _, PgTransaction, SqliteTransaction};

use crate::error::{Result, StoreError, Tried as _};

/// How long a statement waits for another writer before it answers "busy".
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a caller waits for a free connection before it answers "busy".
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);
/// SQLite connections that only read: enough for the pages of a few people at once on a small machine.
const SQLITE_READERS: u32 = 4;
/// PostgreSQL connections of one manager; ten managers fit into PostgreSQL's default of 100.
const POSTGRES_CONNECTIONS: u32 = 10;
/// Rows of one multi-row statement: the fastest size measured on SQLite, and far below the most
/// values that a statement may have (SQLite 32,766, PostgreSQL 65,535) for rows of up to 60 columns.
pub(crate) const CHUNK_ROWS: usize = 500;
/// How long managers that start together wait for the one that brings the schema up to date.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(600);
/// How often opening a new SQLite file is tried again while another process makes it.
const OPEN_ATTEMPTS: u32 = 50;
/// Between two such attempts.
const OPEN_PAUSE: Duration = Duration::from_millis(100);

static SQLITE_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("migrations/postgres");

/// One of the two.
#[derive(Debug, Clone)]
pub(crate) enum On<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// Runs the same body on whichever database is there. With `conn: DB` the body can name the
/// database's type as `DB`.
macro_rules! on {
    ($side:expr, $conn:ident => $body:expr) => {
        match $side {
            $crate::db::On::Sqlite($conn) => $body,
            $crate::db::On::Postgres($conn) => $body,
        }
    };
    ($side:expr, $conn:ident : $database:ident => $body:expr) => {
        match $side {
            $crate::db::On::Sqlite($conn) => {
                type $database = sqlx::Sqlite;
                $body
            }
            $crate::db::On::Postgres($conn) => {
                type $database = sqlx::Postgres;
                $body
            }
        }
    };
}
pub(crate) use on;

/// Runs a statement that answers no rows; tells how many rows it changed.
macro_rules! execute {
    ($side:expr, $sql:expr $(, $bind:expr)* $(,)?) => {
        $crate::db::on!($side, conn => {
            sqlx::query($sql)$(.bind($bind))*.execute(conn).await.map(|done| done.rows_affected())
        })
    };
}
pub(crate) use execute;

/// [`execute!`] in a durable transaction of its own, inside a function that answers [`Result`];
/// `$tried` says what was tried.
macro_rules! write_one {
    ($db:expr, $tried:expr, $sql:expr $(, $bind:expr)* $(,)?) => {{
        let mut tx = $db.begin().await?;
        let changed = $crate::error::Tried::tried($crate::db::execute!(tx.conn(), $sql $(, $bind)*), $tried)?;
        tx.commit().await?;
        changed
    }};
}
pub(crate) use write_one;

/// Connections to the database; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Db(On<SqlitePools, PgPool>);

#[derive(Debug, Clone)]
struct SqlitePools {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Db {
    /// Opens `sqlite:<path>` (made when it isn't there) or `postgres://…` and brings its schema up to date.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            open_sqlite(Path::new(path)).await.map_err(|why| open_error(url, why)).map(|pools| Self(On::Sqlite(pools)))
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            open_postgres(url).await.map_err(|why| open_error(url, why)).map(|pool| Self(On::Postgres(pool)))
        } else {
            Err(open_error(url, "it must begin with `sqlite:` or `postgres:`".to_owned()))
        }
    }

    /// For statements that only read; each may see another state.
    pub(crate) fn read(&self) -> On<&SqlitePool, &PgPool> {
        match &self.0 {
            On::Sqlite(pools) => On::Sqlite(&pools.readers),
            On::Postgres(pool) => On::Postgres(pool),
        }
    }

    /// A transaction that survives the loss of power once it is committed.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        self.begin_with("PRAGMA synchronous = FULL", None).await
    }

    /// A transaction whose loss with the power would do no harm.
    pub(crate) async fn begin_relaxed(&self) -> Result<Tx> {
        self.begin_with("PRAGMA synchronous = NORMAL", Some("SET LOCAL synchronous_commit = off")).await
    }

    async fn begin_with(&self, sqlite: &'static str, postgres: Option<&'static str>) -> Result<Tx> {
        let begun = match &self.0 {
            On::Sqlite(pools) => begin_sqlite(&pools.writer, sqlite).await.map(|tx| Tx(On::Sqlite(tx))),
            On::Postgres(pool) => begin_postgres(pool, postgres).await.map(|tx| Tx(On::Postgres(tx))),
        };
        begun.tried("begin a transaction")
    }

    /// Several reads that see one state of the database; dropped, not committed.
    pub(crate) async fn begin_read(&self) -> Result<Tx> {
        let begun = match &self.0 {
            On::Sqlite(pools) => pools.readers.begin().await.map(|tx| Tx(On::Sqlite(tx))),
            On::Postgres(pool) => {
                pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await.map(|tx| Tx(On::Postgres(tx)))
            }
        };
        begun.tried("begin to read")
    }

    /// Ends all connections; waits for those in use.
    pub(crate) async fn close(&self) {
        match &self.0 {
            On::Sqlite(pools) => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
            On::Postgres(pool) => pool.close().await,
        }
    }

    /// Appended to a SELECT of a write transaction: lock the rows, leave out those that another
    /// manager has locked. SQLite's write transactions have the whole database to themselves.
    #[allow(dead_code, reason = "for claiming tasks")]
    pub(crate) fn skip_locked(&self) -> &'static str {
        match &self.0 {
            On::Sqlite(_) => "",
            On::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }

    /// `sqlite` or `postgres`, for people.
    pub(crate) fn name(&self) -> &'static str {
        match &self.0 {
            On::Sqlite(_) => "sqlite",
            On::Postgres(_) => "postgres",
        }
    }
}

/// A transaction; dropped without [`Tx::commit`], nothing of it has happened.
#[derive(Debug)]
pub(crate) struct Tx(On<SqliteTransaction<'static>, PgTransaction<'static>>);

impl Tx {
    /// For the next statement.
    pub(crate) fn conn(&mut self) -> On<&mut SqliteConnection, &mut PgConnection> {
        match &mut self.0 {
            On::Sqlite(tx) => On::Sqlite(&mut *tx),
            On::Postgres(tx) => On::Postgres(&mut *tx),
        }
    }

    /// Makes it true.
    pub(crate) async fn commit(self) -> Result<()> {
        on!(self.0, tx => tx.commit().await).tried("commit")
    }
}

async fn begin_sqlite(writer: &SqlitePool, durability: &'static str) -> sqlx::Result<SqliteTransaction<'static>> {
    let mut conn = writer.acquire().await?;
    sqlx::query(durability).execute(&mut *conn).await?;
    sqlx::Transaction::begin(conn, Some(sqlx::SqlStr::from_static("BEGIN IMMEDIATE"))).await
}

async fn begin_postgres(pool: &PgPool, durability: Option<&'static str>) -> sqlx::Result<PgTransaction<'static>> {
    let mut tx = pool.begin().await?;
    if let Some(setting) = durability {
        sqlx::query(setting).execute(&mut *tx).await?;
    }
    Ok(tx)
}

/// The database could not get to it, but might the next time.
pub(crate) fn is_busy(error: &sqlx::Error) -> bool {
    // SQLite: the low byte of an extended result code is 5 (BUSY) or 6 (LOCKED).
    // PostgreSQL: lock not available, serialization failure, deadlock, too many connections.
    const POSTGRES: [&str; 4] = ["55P03", "40001", "40P01", "53300"];
    match error {
        sqlx::Error::PoolTimedOut => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            let low_byte = code.parse::<u32>().map(|code| code & 0xff);
            let sqlite = error.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some();
            if sqlite { matches!(low_byte, Ok(5 | 6)) } else { POSTGRES.contains(&code.as_ref()) }
        }),
        _ => false,
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
        .busy_timeout(BUSY_TIMEOUT);
    migrate_sqlite_patiently(&options).await?;
    let pool = |connections| PoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT);
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
            other => return other.map_err(|why| why.to_string()),
        }
    }
    migrate_sqlite(options).await.map_err(|why| why.to_string())
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
    migrate_postgres(&options).await.map_err(|why| why.to_string())?;
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

fn open_error(url: &str, why: String) -> StoreError {
    StoreError::Open { url: without_password(url), why }
}

/// `postgres://user:secret@host/db` as `postgres://user:…@host/db`; cautious with what it can't read.
fn without_password(url: &str) -> String {
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

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(without_password("postgres://me:secret@db/x?password=secret"), "postgres://me:…@db/x");
        assert_eq!(without_password("postgres://db/x"), "postgres://db/x");
        assert_eq!(without_password("postgres:secret"), "postgres:secret");
    }
}
