//! Which nodes there are, and since when: one row per node that ever answered, written only when it
//! comes or goes, and one row per session that ended, in the month's table in which that was learnt.
//!
//! A session is told with what is not known of it: it began after the crawl `before` (the last whole
//! one in which the node did not answer) and not later than the crawl `began`; it ended not earlier than
//! the crawl `ended` and before the crawl `after`.

use std::collections::{HashMap, HashSet};

use p2ppool_model::snapshot::NodeStatus;
use p2ppool_model::table::NodeTable;
use p2ppool_model::{PoolId, Time};

use crate::db::{CHUNK_ROWS, Tx, on};
use crate::error::{Result, Tried as _};
use crate::months::{Month, ensure};
use crate::text::clean;

/// Nodes that answered when it was looked at last.
#[derive(sqlx::FromRow)]
struct Open {
    id: i64,
    address: String,
    began: i64,
    before_at: Option<i64>,
    silent_since: Option<i64>,
}

/// What a new snapshot says of a node that answered until now.
enum Verdict {
    Answers,
    /// Nobody asked it, so nothing was learnt.
    Unasked,
    Gone,
}

/// Brings the known nodes of a pool up to a new snapshot. Nothing happens when a later one is known already.
pub(crate) async fn advance(tx: &mut Tx, pool: PoolId, started: Time, complete: bool, table: &NodeTable) -> Result<()> {
    let (newest, whole): (Option<i64>, Option<i64>) = on!(tx.conn(), conn => {
        sqlx::query_as(
            "SELECT MAX(started), MAX(CASE WHEN complete THEN started END) FROM snapshots
             WHERE pool_id = $1 AND counted",
        )
        .bind(pool.0)
        .fetch_one(conn)
        .await
    })
    .tried("look for the snapshot before")?;
    if newest.is_some_and(|newest| newest >= started.0) {
        return Ok(());
    }
    let open = open_sessions(tx, pool).await?;
    let known: HashMap<&str, usize> = (0..table.len()).map(|row| (table.address(row), row)).collect();
    let verdict = |node: &Open| match known.get(node.address.as_str()).map(|row| table.status(*row)) {
        Some(NodeStatus::Answering) => Verdict::Answers,
        Some(NodeStatus::NotDialled) => Verdict::Unasked,
        None if !complete => Verdict::Unasked,
        _ => Verdict::Gone,
    };
    let (mut gone, mut silent, mut heard) = (Vec::new(), Vec::new(), Vec::new());
    for node in &open {
        match verdict(node) {
            Verdict::Answers if node.silent_since.is_some() => heard.push(node.id),
            Verdict::Answers => {}
            Verdict::Unasked if node.silent_since.is_none() => silent.push(node.id),
            Verdict::Unasked => {}
            Verdict::Gone => gone.push(node),
        }
    }
    let last = newest.unwrap_or(started.0);
    set_silent(tx, &silent, Some(last)).await?;
    set_silent(tx, &heard, None).await?;
    close(tx, pool, started, last, &gone).await?;
    let present: HashSet<&str> = open.iter().map(|node| node.address.as_str()).collect();
    let came: Vec<String> = (0..table.len())
        .filter(|row| table.is_answering(*row) && !present.contains(table.address(*row)))
        .map(|row| clean(table.address(row)))
        .collect();
    begin(tx, pool, started, whole, came).await
}

async fn open_sessions(tx: &mut Tx, pool: PoolId) -> Result<Vec<Open>> {
    on!(tx.conn(), conn => {
        sqlx::query_as(
            "SELECT id, address, began, before_at, silent_since FROM known_nodes
             WHERE pool_id = $1 AND began IS NOT NULL",
        )
        .bind(pool.0)
        .fetch_all(conn)
        .await
    })
    .tried("read the nodes that are there")
}

/// Keeps when nodes last answered that nobody asked since, or forgets it when they answer again.
async fn set_silent(tx: &mut Tx, nodes: &[i64], since: Option<i64>) -> Result<()> {
    for chunk in nodes.chunks(CHUNK_ROWS) {
        on!(tx.conn(), conn: DB => {
            let mut query = sqlx::QueryBuilder::<DB>::new("UPDATE known_nodes SET silent_since = ");
            query.push_bind(since);
            query.push(" WHERE id IN (");
            let mut ids = query.separated(", ");
            chunk.iter().for_each(|id| {
                ids.push_bind(*id);
            });
            query.push(")");
            query.build().persistent(false).execute(conn).await.map(drop)
        })
        .tried("note silent nodes")?;
    }
    Ok(())
}

/// Ends sessions: they are learnt to be over now, and were last seen at the snapshot before.
async fn close(tx: &mut Tx, pool: PoolId, now: Time, last: i64, nodes: &[&Open]) -> Result<()> {
    let month = Month::of(now);
    if !nodes.is_empty() {
        ensure(tx, pool, month).await?;
    }
    for chunk in nodes.chunks(CHUNK_ROWS) {
        let insert = format!("INSERT INTO {} (node_id, before_at, began, ended, after_at) ", month.ended(pool));
        on!(tx.conn(), conn: DB => {
            let mut query = sqlx::QueryBuilder::<DB>::new(insert);
            query.push_values(chunk, |mut row, node| {
                row.push_bind(node.id)
                    .push_bind(node.before_at)
                    .push_bind(node.began)
                    .push_bind(node.silent_since.unwrap_or(last))
                    .push_bind(now.0);
            });
            query.build().persistent(false).execute(conn).await.map(drop)
        })
        .tried("end sessions")?;
        on!(tx.conn(), conn: DB => {
            let mut query = sqlx::QueryBuilder::<DB>::new("UPDATE known_nodes SET last_seen = COALESCE(silent_since, ");
            query.push_bind(last);
            query.push("), began = NULL, before_at = NULL, silent_since = NULL WHERE id IN (");
            let mut ids = query.separated(", ");
            chunk.iter().for_each(|node| {
                ids.push_bind(node.id);
            });
            query.push(")");
            query.build().persistent(false).execute(conn).await.map(drop)
        })
        .tried("end sessions")?;
    }
    Ok(())
}

/// Begins a session of each of these nodes, which may be new.
async fn begin(tx: &mut Tx, pool: PoolId, now: Time, before: Option<i64>, nodes: Vec<String>) -> Result<()> {
    // an address that is there twice has one session
    let mut nodes = nodes;
    nodes.dedup();
    for chunk in nodes.chunks(CHUNK_ROWS) {
        let full = chunk.len() == CHUNK_ROWS;
        on!(tx.conn(), conn: DB => {
            let mut query = sqlx::QueryBuilder::<DB>::new(
                "INSERT INTO known_nodes (pool_id, address, first_seen, last_seen, sessions, began, before_at) ",
            );
            query.push_values(chunk, |mut row, address| {
                row.push_bind(pool.0)
                    .push_bind(address)
                    .push_bind(now.0)
                    .push_bind(now.0)
                    .push_bind(1_i64)
                    .push_bind(now.0)
                    .push_bind(before);
            });
            query.push(
                " ON CONFLICT (pool_id, address) DO UPDATE SET sessions = known_nodes.sessions + 1,
                     began = excluded.began, before_at = excluded.before_at",
            );
            query.build().persistent(full).execute(conn).await.map(drop)
        })
        .tried("begin sessions")?;
    }
    Ok(())
}
