//! The managers that share the database, and whose machine a pool's local node is on.

use std::time::Duration;

use p2ppool_model::{PoolId, Time};

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, Tried as _};
use crate::text::{clean, from_json, to_json, uint};

/// After so long a manager that says nothing is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(24 * 3600);

/// A manager, as it tells the others of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagerBeat {
    /// Its name in the database, as in a task's owner.
    pub id: String,
    /// The machine it runs on.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// Where it listens.
    pub address: Option<String>,
    /// Its version.
    pub version: String,
    /// How much it does at once; JSON.
    pub limits: serde_json::Value,
}

/// A manager, as the others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenManager {
    /// What it tells.
    pub beat: ManagerBeat,
    /// When it started.
    pub started_at: Time,
    /// Its last heartbeat.
    pub seen_at: Time,
    /// How long ago that was, by the database's clock.
    pub silent: Duration,
    /// Tasks that it runs.
    pub tasks: u64,
}

/// Whose machine a pool's local node is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalNodeOwner {
    /// The manager.
    pub owner: String,
    /// The address that hosts reach the node at.
    pub address: String,
    /// The manager's hold on it is good.
    pub is_held: bool,
}

impl Store {
    /// A manager starts.
    pub async fn add_manager(&self, beat: &ManagerBeat) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        execute!(
            tx.conn(),
            "INSERT INTO managers (id, host, pid, address, version, started_at, seen_at, limits)
             VALUES ($1, $2, $3, $4, $5, $6, $6, $7)
             ON CONFLICT (id) DO UPDATE SET host = excluded.host, pid = excluded.pid, address = excluded.address,
                 version = excluded.version, started_at = excluded.started_at, seen_at = excluded.seen_at,
                 limits = excluded.limits",
            &beat.id,
            clean(&beat.host),
            i64::from(beat.pid),
            beat.address.as_deref().map(clean),
            clean(&beat.version),
            now.0,
            to_json("limits", &beat.limits)?,
        )
        .tried("register this manager")?;
        execute!(tx.conn(), "DELETE FROM managers WHERE seen_at < $1", now.minus(FORGOTTEN_AFTER).0)
            .tried("forget managers")?;
        tx.commit().await
    }

    /// A manager is alive: prolongs what it holds of local nodes and tells which pools these are.
    pub async fn beat_manager(&self, beat: &ManagerBeat, lease: Duration) -> Result<Vec<PoolId>> {
        let mut tx = self.db.begin_relaxed().await?;
        let now = tx.now().await?;
        execute!(
            tx.conn(),
            "UPDATE managers SET seen_at = $1, address = $2 WHERE id = $3",
            now.0,
            beat.address.as_deref().map(clean),
            &beat.id
        )
        .tried("tell that this manager is alive")?;
        let held: Vec<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar("UPDATE local_nodes SET lease_until = $1 WHERE owner = $2 RETURNING pool_id")
                .bind(now.plus(lease).0)
                .bind(&beat.id)
                .fetch_all(conn)
                .await
        })
        .tried("keep the local nodes")?;
        tx.commit().await?;
        Ok(held.into_iter().map(PoolId).collect())
    }

    /// A manager ends in order.
    pub async fn remove_manager(&self, id: &str) -> Result<()> {
        write_one!(self.db, "sign this manager off", "DELETE FROM managers WHERE id = $1", id);
        write_one!(
            self.db,
            "leave the local nodes to others",
            "UPDATE local_nodes SET lease_until = 0 WHERE owner = $1",
            id
        );
        Ok(())
    }

    /// Every manager that said something within a day, oldest first.
    pub async fn managers(&self) -> Result<Vec<SeenManager>> {
        let mut tx = self.db.begin_read().await?;
        let now = tx.now().await?;
        type Row = (String, String, i64, Option<String>, String, i64, i64, i64, String);
        let rows: Vec<Row> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "SELECT m.id, m.host, m.pid, m.address, m.version, m.started_at, m.seen_at,
                        (SELECT COUNT(*) FROM tasks t WHERE t.state = 'running' AND t.owner = m.id), m.limits
                 FROM managers m ORDER BY m.started_at, m.id",
            )
            .fetch_all(conn)
            .await
        })
        .tried("list managers")?;
        let seen = |(id, host, pid, address, version, started_at, seen_at, tasks, limits): Row| {
            let limits = from_json("limits of a manager", &limits)?;
            Ok(SeenManager {
                beat: ManagerBeat { id, host, pid: u32::try_from(pid).unwrap_or(0), address, version, limits },
                started_at: Time(started_at),
                seen_at: Time(seen_at),
                silent: now.since(Time(seen_at)),
                tasks: uint(tasks),
            })
        };
        rows.into_iter().map(seen).collect()
    }

    /// Takes a pool's local node for `owner`, when nobody else holds it. Answers who holds it now.
    pub async fn hold_local_node(
        &self,
        pool: PoolId,
        owner: &str,
        address: &str,
        lease: Duration,
    ) -> Result<LocalNodeOwner> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        execute!(
            tx.conn(),
            "INSERT INTO local_nodes (pool_id, owner, lease_until, address) VALUES ($1, $2, $3, $4)
             ON CONFLICT (pool_id) DO UPDATE SET
                 address = CASE WHEN local_nodes.owner = excluded.owner THEN local_nodes.address ELSE excluded.address END,
                 owner = excluded.owner, lease_until = excluded.lease_until
             WHERE local_nodes.owner = excluded.owner OR local_nodes.lease_until < $5",
            pool.0,
            owner,
            now.plus(lease).0,
            address,
            now.0,
        )
        .tried("take a local node")?;
        let (holder, address): (String, String) = on!(tx.conn(), conn => {
            sqlx::query_as("SELECT owner, address FROM local_nodes WHERE pool_id = $1").bind(pool.0).fetch_one(conn).await
        })
        .tried("take a local node")?;
        tx.commit().await?;
        Ok(LocalNodeOwner { is_held: true, owner: holder, address })
    }

    /// Who holds or held a pool's local node.
    pub async fn local_node_owner(&self, pool: PoolId) -> Result<Option<LocalNodeOwner>> {
        let mut tx = self.db.begin_read().await?;
        let now = tx.now().await?;
        let row: Option<(String, String, i64)> = on!(tx.conn(), conn => {
            sqlx::query_as("SELECT owner, address, lease_until FROM local_nodes WHERE pool_id = $1")
                .bind(pool.0)
                .fetch_optional(conn)
                .await
        })
        .tried("ask whose a local node is")?;
        Ok(row.map(|(owner, address, until)| LocalNodeOwner { owner, address, is_held: until >= now.0 }))
    }

    /// Pools whose local node's holder is dead.
    pub async fn lost_local_nodes(&self) -> Result<Vec<PoolId>> {
        let mut tx = self.db.begin_read().await?;
        let now = tx.now().await?;
        let ids: Vec<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar("SELECT pool_id FROM local_nodes WHERE lease_until < $1 ORDER BY pool_id")
                .bind(now.0)
                .fetch_all(conn)
                .await
        })
        .tried("look for local nodes that nobody runs")?;
        Ok(ids.into_iter().map(PoolId).collect())
    }

    /// A pool has no local node any more.
    pub async fn forget_local_node(&self, pool: PoolId) -> Result<()> {
        write_one!(self.db, "forget a local node", "DELETE FROM local_nodes WHERE pool_id = $1", pool.0);
        Ok(())
    }
}
