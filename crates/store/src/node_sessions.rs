//! Sessions of nodes, as people and rules read them.

use futures::stream::{self, Stream, TryStreamExt as _};
use p2ppool_model::churn::{NodeSession, Window};
use p2ppool_model::{PoolId, Time};

use crate::Store;
use crate::db::on;
use crate::error::{Result, StoreError, Tried as _};
use crate::months::{Month, months};

/// Rows read at once while streaming.
const STREAM_ROWS: i64 = 5_000;

/// A node that ever answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownNode {
    /// Row identity.
    id: i64,
    /// Overlay address.
    pub address: String,
    /// The first crawl that it answered.
    pub first_seen: Time,
    /// The last crawl that it answered.
    pub last_seen: Time,
    /// How often it came.
    pub sessions: u64,
    /// It answered the newest crawl that asked it.
    pub is_there: bool,
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    id: i64,
    address: String,
    first_seen: i64,
    last_seen: i64,
    sessions: i64,
    began: Option<i64>,
    silent_since: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    place: i64,
    address: String,
    before_at: Option<i64>,
    began: i64,
    ended: i64,
    after_at: Option<i64>,
}

impl From<SessionRow> for NodeSession {
    fn from(row: SessionRow) -> Self {
        Self {
            address: row.address,
            before: row.before_at.map(Time),
            began: Time(row.began),
            ended: Time(row.ended),
            after: row.after_at.map(Time),
        }
    }
}

/// Where sessions lie: those that go on first, then month by month.
#[derive(Clone, Copy, Debug)]
enum Place {
    Open,
    Ended(Month),
}

impl Store {
    /// The first and the last crawl of a pool that began in this time.
    pub async fn window(&self, pool: PoolId, from: Option<Time>, until: Option<Time>) -> Result<Option<Window>> {
        let (from, to): (Option<i64>, Option<i64>) = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT MIN(started), MAX(started) FROM snapshots WHERE pool_id = $1 AND started >= $2 AND started < $3",
            )
            .bind(pool.0)
            .bind(from.map_or(i64::MIN, |time| time.0))
            .bind(until.map_or(i64::MAX, |time| time.0))
            .fetch_one(conn)
            .await
        })
        .tried("look for crawls")?;
        Ok(from.zip(to).map(|(from, to)| Window { from: Time(from), to: Time(to) }))
    }

    /// A node by its overlay address, when it ever answered.
    pub async fn known_node(&self, pool: PoolId, address: &str) -> Result<Option<KnownNode>> {
        let row: Option<KnownRow> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT id, address, first_seen, last_seen, sessions, began, silent_since FROM known_nodes
                 WHERE pool_id = $1 AND address = $2",
            )
            .bind(pool.0)
            .bind(crate::text::clean(address))
            .fetch_optional(conn)
            .await
        })
        .tried("read a node")?;
        let Some(row) = row else { return Ok(None) };
        let last = match (row.began, row.silent_since) {
            (None, _) => row.last_seen,
            (Some(_), Some(silent)) => silent,
            (Some(began), None) => self.newest_snapshot(pool).await?.map_or(began, |newest| newest.started.0),
        };
        Ok(Some(KnownNode {
            id: row.id,
            address: row.address,
            first_seen: Time(row.first_seen),
            last_seen: Time(last),
            sessions: crate::text::uint(row.sessions),
            is_there: row.began.is_some(),
        }))
    }

    /// How many nodes of a pool ever answered until a time.
    pub async fn count_known_nodes(&self, pool: PoolId, until: Time) -> Result<u64> {
        let count: i64 = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT COUNT(*) FROM known_nodes WHERE pool_id = $1 AND first_seen <= $2")
                .bind(pool.0)
                .bind(until.0)
                .fetch_one(conn)
                .await
        })
        .tried("count nodes")?;
        Ok(crate::text::uint(count))
    }

    /// Every session of one node that overlaps a window, oldest first.
    pub async fn sessions_of(&self, pool: PoolId, node: &KnownNode, window: Window) -> Result<Vec<NodeSession>> {
        let mut sessions: Vec<NodeSession> = self.stream_sessions_of(pool, Some(node.id), window).try_collect().await?;
        sessions.sort_by_key(|session| session.began);
        Ok(sessions)
    }

    /// Every session of a pool's nodes that overlaps a window, with flat memory: those that go on first, then
    /// those that ended, month by month.
    pub fn stream_sessions(
        &self,
        pool: PoolId,
        window: Window,
    ) -> impl Stream<Item = Result<NodeSession>> + Send + use<> {
        self.stream_sessions_of(pool, None, window)
    }

    fn stream_sessions_of(
        &self,
        pool: PoolId,
        node: Option<i64>,
        window: Window,
    ) -> impl Stream<Item = Result<NodeSession>> + Send + use<> {
        let store = self.clone();
        let places = stream::once(async move {
            // a session that overlaps the window was learnt to have ended after the window's beginning
            let mut places = vec![Place::Open];
            let first = Month::of(window.from);
            places.extend(months(&store.db, pool).await?.into_iter().filter(|m| *m >= first).map(Place::Ended));
            let newest = store.newest_snapshot(pool).await?.map_or(window.to, |newest| newest.started);
            Ok::<_, StoreError>((store, places, newest))
        });
        places
            .map_ok(move |(store, places, newest)| {
                stream::iter(places.into_iter().map(Ok)).and_then(move |place| {
                    let store = store.clone();
                    async move { Ok(store.stream_place(pool, node, window, place, newest)) }
                })
            })
            .try_flatten()
            .try_flatten()
    }

    fn stream_place(
        &self,
        pool: PoolId,
        node: Option<i64>,
        window: Window,
        place: Place,
        newest: Time,
    ) -> impl Stream<Item = Result<NodeSession>> + Send + use<> {
        let part = move |(store, after): (Store, i64)| async move {
            let rows = store.sessions_part(pool, node, window, place, newest, after).await?;
            let next = rows.last().map(|row| row.place);
            let items = rows.into_iter().map(|row| Ok::<_, StoreError>(NodeSession::from(row)));
            Ok(next.map(|next| (stream::iter(items), (store, next))))
        };
        stream::try_unfold((self.clone(), i64::MIN), part).try_flatten()
    }

    async fn sessions_part(
        &self,
        pool: PoolId,
        node: Option<i64>,
        window: Window,
        place: Place,
        newest: Time,
        after: i64,
    ) -> Result<Vec<SessionRow>> {
        let chosen = if node.is_some() { "n.id = $5" } else { "$5 < 0" };
        // the last crawl that an open session answered is the newest, unless nobody asked since
        let sql = match place {
            Place::Open => format!(
                "SELECT n.id AS place, n.address, n.before_at, n.began,
                         COALESCE(n.silent_since, $6) AS ended, CAST(NULL AS BIGINT) AS after_at
                     FROM known_nodes n
                     WHERE n.pool_id = $1 AND n.began IS NOT NULL AND n.began <= $2
                         AND COALESCE(n.silent_since, $6) >= $3 AND n.id > $4 AND {chosen}
                     ORDER BY n.id LIMIT $7"
            ),
            Place::Ended(month) => format!(
                "SELECT e.id AS place, n.address, e.before_at, e.began, e.ended, e.after_at
                 FROM {} e JOIN known_nodes n ON n.id = e.node_id
                 WHERE n.pool_id = $1 AND e.began <= $2 AND e.ended >= $3 AND e.id > $4 AND {chosen}
                     AND CAST($6 AS BIGINT) IS NOT NULL
                 ORDER BY e.id LIMIT $7",
                month.ended(pool)
            ),
        };
        on!(self.db.read(), conn => {
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(pool.0)
                .bind(window.to.0)
                .bind(window.from.0)
                .bind(after)
                .bind(node.unwrap_or(-1))
                .bind(newest.0)
                .bind(STREAM_ROWS)
                .persistent(false)
                .fetch_all(conn)
                .await
        })
        .tried("read sessions")
    }
}
