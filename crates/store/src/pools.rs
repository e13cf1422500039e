//! Pools. The network secret of a pool is a secret ([`crate::SecretScope::Pool`]), never part of its row.

use p2ppool_model::pool::{Pool, PoolSettings, PoolState};
use p2ppool_model::{Digest, PoolId, PoolName, Time, UserId};

use crate::db::{Tx, execute, on, write_one};
use crate::error::{Result, StoreError, Tried as _, unique};
use crate::secrets::SecretScope;
use crate::text::{from_json, parse, parse_opt, to_json};
use crate::{Store, months};

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, name, settings, state, bundle, package, owner, created FROM pools ", $rest)
    };
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    name: String,
    settings: String,
    state: String,
    bundle: Option<String>,
    package: Option<String>,
    owner: Option<i64>,
    created: i64,
}

impl Row {
    fn pool(self) -> Result<Pool> {
        let what = |field| format!("{field} of pool {}", self.id);
        Ok(Pool {
            id: PoolId(self.id),
            name: parse(&what("name"), &self.name)?,
            settings: from_json(&what("settings"), &self.settings)?,
            state: parse(&what("state"), &self.state)?,
            bundle: parse_opt(&what("bundle"), self.bundle.as_deref())?,
            package: parse_opt(&what("package"), self.package.as_deref())?,
            owner: self.owner.map(UserId),
            created: Time(self.created),
        })
    }
}

impl Store {
    /// Registers a pool. [`StoreError::Conflict`] when there is one of this name.
    pub async fn create_pool(
        &self,
        name: &PoolName,
        settings: &PoolSettings,
        owner: Option<UserId>,
        now: Time,
    ) -> Result<Pool> {
        let json = to_json("pool settings", settings)?;
        let mut tx = self.db.begin().await?;
        let inserted: sqlx::Result<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar(
                "INSERT INTO pools (name, settings, state, owner, created) VALUES ($1, $2, $3, $4, $5) RETURNING id",
            )
            .bind(name.as_str())
            .bind(&json)
            .bind(PoolState::Created.as_str())
            .bind(owner.map(|id| id.0))
            .bind(now.0)
            .fetch_one(conn)
            .await
        });
        let id = unique(inserted, "create a pool", || format!("there is a pool `{name}` already"))?;
        tx.commit().await?;
        self.pool(PoolId(id)).await
    }

    /// The pool with this id.
    pub async fn pool(&self, id: PoolId) -> Result<Pool> {
        let sql = select!("WHERE id = $1");
        let row: Option<Row> = on!(self.db.read(), conn => sqlx::query_as(sql).bind(id.0).fetch_optional(conn).await)
            .tried("read a pool")?;
        row.ok_or_else(|| no_pool(id))?.pool()
    }

    /// The pool with this name.
    pub async fn pool_by_name(&self, name: &PoolName) -> Result<Pool> {
        let sql = select!("WHERE name = $1");
        let row: Option<Row> =
            on!(self.db.read(), conn => sqlx::query_as(sql).bind(name.as_str()).fetch_optional(conn).await)
                .tried("read a pool")?;
        row.ok_or_else(|| StoreError::not_found(format!("pool `{name}`")))?.pool()
    }

    /// Every pool, by name.
    pub async fn pools(&self) -> Result<Vec<Pool>> {
        let sql = select!("ORDER BY name");
        let rows: Vec<Row> =
            on!(self.db.read(), conn => sqlx::query_as(sql).fetch_all(conn).await).tried("list pools")?;
        rows.into_iter().map(Row::pool).collect()
    }

    /// Replaces what a person decided; the network secret is not looked at.
    pub async fn set_pool_settings(&self, id: PoolId, settings: &PoolSettings) -> Result<()> {
        let json = to_json("pool settings", settings)?;
        let changed =
            write_one!(self.db, "write pool settings", "UPDATE pools SET settings = $1 WHERE id = $2", &json, id.0);
        found(changed, id)
    }

    /// Moves the pool to another place in its life.
    pub async fn set_pool_state(&self, id: PoolId, state: PoolState) -> Result<()> {
        let changed = write_one!(
            self.db,
            "write the state of a pool",
            "UPDATE pools SET state = $1 WHERE id = $2",
            state.as_str(),
            id.0
        );
        found(changed, id)
    }

    /// Says what every host should run. [`StoreError::Conflict`] when the bundle is not stored.
    pub async fn set_pool_software(&self, id: PoolId, bundle: Option<&Digest>, package: Option<&Digest>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let updated = execute!(
            tx.conn(),
            "UPDATE pools SET bundle = $1, package = $2 WHERE id = $3",
            bundle.map(Digest::as_str),
            package.map(Digest::as_str),
            id.0
        );
        let no_bundle = || format!("bundle {}", bundle.map_or("none", Digest::short));
        found(crate::error::referenced(updated, "write the software of a pool", no_bundle)?, id)?;
        tx.commit().await
    }

    /// Forgets the pool, its hosts, secrets and history. Its months go first, one transaction
    /// each, so that years of history don't keep others from writing; interrupted, it can be done again.
    pub async fn delete_pool(&self, id: PoolId) -> Result<()> {
        self.pool(id).await?;
        self.drop_detail_before(id, Time(i64::MAX)).await?;
        let mut tx = self.db.begin().await?;
        for month in months::months(&self.db, id).await? {
            months::drop_month(&mut tx, id, month).await?;
        }
        execute!(tx.conn(), "DELETE FROM secrets WHERE scope = $1", SecretScope::Pool(id).to_string())
            .tried("delete the secrets of a pool")?;
        let settings = crate::settings::setting_of_pool(id, "");
        execute!(tx.conn(), "DELETE FROM settings WHERE substr(name, 1, length($1)) = $1", settings)
            .tried("delete the settings of a pool")?;
        let gone = execute!(tx.conn(), "DELETE FROM pools WHERE id = $1", id.0).tried("delete a pool")?;
        found(gone, id)?;
        self.tables.clear();
        tx.commit().await
    }
}

/// Keeps others from changing the pool or what belongs to it until the transaction ends.
pub(crate) async fn lock_pool(tx: &mut Tx, id: PoolId) -> Result<()> {
    found(execute!(tx.conn(), "UPDATE pools SET name = name WHERE id = $1", id.0).tried("lock a pool")?, id)
}

fn found(changed: u64, id: PoolId) -> Result<()> {
    if changed == 0 { Err(no_pool(id)) } else { Ok(()) }
}

fn no_pool(id: PoolId) -> StoreError {
    StoreError::not_found(format!("pool {id}"))
}
