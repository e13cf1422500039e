//! How tables of a pool are shown: set by those who manage it, and by each person for themselves.

use p2ppool_model::{PoolId, Time, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, Tried as _, referenced};
use crate::text::{clean, from_json, to_json};

impl Store {
    /// How the pool's managers want a view to be shown.
    pub async fn pool_view<V: DeserializeOwned>(&self, pool: PoolId, view: &str) -> Result<Option<V>> {
        let text: Option<String> = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT settings FROM pool_views WHERE pool_id = $1 AND view = $2")
                .bind(pool.0)
                .bind(view)
                .fetch_optional(conn)
                .await
        })
        .tried("read a view")?;
        text.map(|text| from_json("a view", &text)).transpose()
    }

    /// Sets it for everybody; `None`: as the program has it.
    pub async fn set_pool_view<V: Serialize + Sync>(
        &self,
        pool: PoolId,
        view: &str,
        settings: Option<&V>,
        by: &str,
        now: Time,
    ) -> Result<()> {
        let Some(settings) = settings else {
            let sql = "DELETE FROM pool_views WHERE pool_id = $1 AND view = $2";
            write_one!(self.db, "reset a view", sql, pool.0, view);
            return Ok(());
        };
        let settings = to_json("a view", settings)?;
        let mut tx = self.db.begin().await?;
        let set = execute!(
            tx.conn(),
            "INSERT INTO pool_views (pool_id, view, settings, changed_by, changed) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (pool_id, view) DO UPDATE
             SET settings = excluded.settings, changed_by = excluded.changed_by, changed = excluded.changed",
            pool.0,
            view,
            &settings,
            clean(by),
            now.0,
        );
        referenced(set, "set a view", || format!("pool {pool}"))?;
        tx.commit().await
    }

    /// How a person wants a view of a pool.
    pub async fn user_view<V: DeserializeOwned>(&self, user: UserId, pool: PoolId, view: &str) -> Result<Option<V>> {
        let text: Option<String> = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT settings FROM user_views WHERE user_id = $1 AND pool_id = $2 AND view = $3")
                .bind(user.0)
                .bind(pool.0)
                .bind(view)
                .fetch_optional(conn)
                .await
        })
        .tried("read a view")?;
        text.map(|text| from_json("a view", &text)).transpose()
    }

    /// Sets it for one person; `None`: as the pool has it.
    pub async fn set_user_view<V: Serialize + Sync>(
        &self,
        user: UserId,
        pool: PoolId,
        view: &str,
        settings: Option<&V>,
        now: Time,
    ) -> Result<()> {
        let Some(settings) = settings else {
            let sql = "DELETE FROM user_views WHERE user_id = $1 AND pool_id = $2 AND view = $3";
            write_one!(self.db, "reset a view", sql, user.0, pool.0, view);
            return Ok(());
        };
        let settings = to_json("a view", settings)?;
        let mut tx = self.db.begin().await?;
        let set = execute!(
            tx.conn(),
            "INSERT INTO user_views (user_id, pool_id, view, settings, changed) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (user_id, pool_id, view) DO UPDATE
             SET settings = excluded.settings, changed = excluded.changed",
            user.0,
            pool.0,
            view,
            &settings,
            now.0,
        );
        referenced(set, "set a view", || format!("user {user} or pool {pool}"))?;
        tx.commit().await
    }

    /// Every view that a person has set for themselves: pool, view, settings.
    pub async fn user_views<V: DeserializeOwned>(&self, user: UserId) -> Result<Vec<(PoolId, String, V)>> {
        let rows: Vec<(i64, String, String)> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT pool_id, view, settings FROM user_views WHERE user_id = $1 ORDER BY pool_id, view")
                .bind(user.0)
                .fetch_all(conn)
                .await
        })
        .tried("list views")?;
        rows.into_iter().map(|(pool, view, text)| Ok((PoolId(pool), view, from_json("a view", &text)?))).collect()
    }
}
