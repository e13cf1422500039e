//! The two databases, and everything in which they differ. No other file asks which one it is.
//!
//! Statements are written once, in what both understand: `$1` placeholders, `RETURNING`,
//! `ON CONFLICT`, CTEs, `UPDATE … FROM`; times are `i64` milliseconds, JSON is TEXT, sums are cast
//! (`CAST(SUM(x) AS BIGINT)`). Text columns that are sorted or searched have the C collation in
//! PostgreSQL, so that both order and fold case (ASCII only) alike. [`on!`] runs one body on
//! whichever database is there:
//!
//! ```text
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

mod open;

pub(crate) use open::without_password;

use p2ppool_model::Time;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::sqlite::{SqliteConnection, SqlitePool};
use sqlx::{PgTransaction, SqliteTransaction};

use crate::error::{Result, Tried as _};

/// Rows of one multi-row statement: the fastest size measured on SQLite, and far below the most
/// values that a statement may have (SQLite 32,766, PostgreSQL 65,535) for rows of up to 60 columns.
pub(crate) const CHUNK_ROWS: usize = 500;

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
        open::open(url).await.map(Self)
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

    /// The database's clock, the one that all managers share.
    pub(crate) async fn now(&mut self) -> Result<Time> {
        let now: sqlx::Result<i64> = match self.conn() {
            On::Sqlite(conn) => {
                sqlx::query_scalar("SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)").fetch_one(conn).await
            }
            On::Postgres(conn) => {
                sqlx::query_scalar("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
                    .fetch_one(conn)
                    .await
            }
        };
        now.map(Time).tried("ask the database for the time")
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

#[cfg(test)]
mod tests {
    use crate::testing;

    use super::*;

    async fn setting(tx: &mut Tx) -> String {
        match tx.conn() {
            On::Sqlite(conn) => {
                let level: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(conn).await.unwrap();
                level.to_string()
            }
            On::Postgres(conn) => sqlx::query_scalar("SHOW synchronous_commit").fetch_one(conn).await.unwrap(),
        }
    }

    #[tokio::test]
    async fn each_transaction_survives_what_it_promises() {
        for (fresh, durable, relaxed) in [(testing::sqlite().await, "2", "1"), (testing::postgres().await, "on", "off")]
        {
            let db = &fresh.store.db;
            for _ in 0..2 {
                let mut tx = db.begin().await.unwrap();
                assert_eq!(setting(&mut tx).await, durable);
                tx.commit().await.unwrap();
                let mut tx = db.begin_relaxed().await.unwrap();
                assert_eq!(setting(&mut tx).await, relaxed);
                drop(tx);
            }
        }
    }

    #[tokio::test]
    async fn what_only_reads_can_not_write() {
        for fresh in [testing::sqlite().await, testing::postgres().await] {
            let mut tx = fresh.store.db.begin_read().await.unwrap();
            let error = execute!(tx.conn(), "DELETE FROM pools").unwrap_err();
            assert!(error.to_string().contains("read"), "{error}");
        }
    }

    #[tokio::test]
    async fn being_locked_out_is_busy_and_nothing_else_is() {
        for fresh in [testing::sqlite().await, testing::postgres().await] {
            let other = crate::Store::open(&fresh.url).await.unwrap();
            let mut holder = fresh.store.db.begin().await.unwrap();
            let pool = "INSERT INTO pools (name, settings, state, created) VALUES ('x', '', '', 0)";
            execute!(holder.conn(), pool).unwrap();
            let error = match &other.db.0 {
                On::Sqlite(pools) => {
                    let mut conn = pools.writer.acquire().await.unwrap();
                    sqlx::query("PRAGMA busy_timeout = 0").execute(&mut *conn).await.unwrap();
                    sqlx::query(pool).execute(&mut *conn).await.unwrap_err()
                }
                On::Postgres(pg) => {
                    let mut tx = pg.begin().await.unwrap();
                    sqlx::query("SET LOCAL lock_timeout = 1").execute(&mut *tx).await.unwrap();
                    sqlx::query(pool).execute(&mut *tx).await.unwrap_err()
                }
            };
            assert!(is_busy(&error), "{error:?}");
            holder.commit().await.unwrap();
            let mut tx = other.db.begin().await.unwrap();
            let error = execute!(tx.conn(), pool).unwrap_err();
            assert!(!is_busy(&error), "{error:?}");
        }
    }

    #[tokio::test]
    async fn both_clocks_agree_with_ours() {
        for fresh in [testing::sqlite().await, testing::postgres().await] {
            let before = Time::now();
            let mut tx = fresh.store.db.begin().await.unwrap();
            let now = tx.now().await.unwrap();
            assert!(before.0 <= now.0 + 1 && now.0 <= Time::now().0 + 1, "{before} {now}");
        }
    }
}
