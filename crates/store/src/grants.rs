//! What people were given on pools of others, and whose a pool is.

use std::collections::BTreeMap;

use p2ppool_model::role::Grant;
use p2ppool_model::{PoolId, Time, UserId};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, StoreError, Tried as _, referenced};
use crate::text::{clean, parse};

/// A grant as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolGrant {
    /// Who has it.
    pub user: UserId,
    /// Their name.
    pub name: String,
    /// What they may.
    pub grant: Grant,
    /// Who gave it.
    pub given_by: String,
    /// When.
    pub given: Time,
}

#[derive(sqlx::FromRow)]
struct Row {
    user_id: i64,
    name: String,
    granted: String,
    given_by: String,
    given: i64,
}

impl Store {
    /// Gives a person a right on a pool, or another one than they had.
    pub async fn set_grant(&self, pool: PoolId, user: UserId, grant: Grant, given_by: &str, now: Time) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let given = execute!(
            tx.conn(),
            "INSERT INTO grants (pool_id, user_id, granted, given_by, given) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (pool_id, user_id)
             DO UPDATE SET granted = excluded.granted, given_by = excluded.given_by, given = excluded.given",
            pool.0,
            user.0,
            grant.as_str(),
            clean(given_by),
            now.0,
        );
        referenced(given, "give a right on a pool", || format!("user {user} or pool {pool}"))?;
        tx.commit().await
    }

    /// Takes a right back. [`StoreError::NotFound`] when there was none.
    pub async fn delete_grant(&self, pool: PoolId, user: UserId) -> Result<()> {
        let sql = "DELETE FROM grants WHERE pool_id = $1 AND user_id = $2";
        match write_one!(self.db, "take back a right on a pool", sql, pool.0, user.0) {
            0 => Err(StoreError::not_found(format!("grant of user {user} on this pool"))),
            _ => Ok(()),
        }
    }

    /// Who was given what on this pool, by name.
    pub async fn pool_grants(&self, pool: PoolId) -> Result<Vec<PoolGrant>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT g.user_id, u.name, g.granted, g.given_by, g.given
                 FROM grants g JOIN users u ON u.id = g.user_id WHERE g.pool_id = $1 ORDER BY u.name_key",
            )
            .bind(pool.0)
            .fetch_all(conn)
            .await
        })
        .tried("list the grants of a pool")?;
        rows.into_iter()
            .map(|row| {
                Ok(PoolGrant {
                    user: UserId(row.user_id),
                    name: row.name,
                    grant: parse("a grant", &row.granted)?,
                    given_by: row.given_by,
                    given: Time(row.given),
                })
            })
            .collect()
    }

    /// What this person was given.
    pub async fn user_grants(&self, user: UserId) -> Result<BTreeMap<PoolId, Grant>> {
        let rows: Vec<(i64, String)> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT pool_id, granted FROM grants WHERE user_id = $1").bind(user.0).fetch_all(conn).await
        })
        .tried("read the grants of a person")?;
        rows.into_iter().map(|(pool, grant)| Ok((PoolId(pool), parse("a grant", &grant)?))).collect()
    }

    /// Makes somebody else the owner of a pool; what they were given on it before goes.
    pub async fn set_pool_owner(&self, pool: PoolId, owner: UserId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let updated = execute!(tx.conn(), "UPDATE pools SET owner = $1 WHERE id = $2", owner.0, pool.0);
        if referenced(updated, "give a pool away", || format!("user {owner}"))? == 0 {
            return Err(StoreError::not_found(format!("pool {pool}")));
        }
        execute!(tx.conn(), "DELETE FROM grants WHERE pool_id = $1 AND user_id = $2", pool.0, owner.0)
            .tried("take back the new owner's grant")?;
        tx.commit().await
    }
}
