//! Share links: chosen views of one pool that need no account. Only a hash of the link's secret is stored.

use p2ppool_model::{PoolId, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, StoreError, Tried as _, referenced};
use crate::text::{clean, from_json, to_json, uint};

/// A share link, without its secret. `S` is what it shows and what not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share<S> {
    /// Row identity, to revoke it by.
    pub id: i64,
    /// The pool.
    pub pool: PoolId,
    /// What it is for.
    pub name: String,
    /// What it shows and what not.
    pub settings: S,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created: Time,
    /// It ends then; `None`: when it is revoked.
    pub expires: Option<Time>,
    /// When it was revoked.
    pub revoked: Option<Time>,
    /// How often it was opened.
    pub opened: u64,
    /// When it was opened last.
    pub last_opened: Option<Time>,
}

/// A share link to make.
#[derive(Clone, Copy, Debug)]
pub struct NewShare<'a, S> {
    /// The pool.
    pub pool: PoolId,
    /// Hash of its secret.
    pub token_hash: &'a str,
    /// What it is for.
    pub name: &'a str,
    /// What it shows and what not.
    pub settings: &'a S,
    /// Who makes it.
    pub created_by: &'a str,
    /// When.
    pub now: Time,
    /// It ends then.
    pub expires: Option<Time>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    pool_id: i64,
    name: String,
    settings: String,
    created_by: String,
    created: i64,
    expires: Option<i64>,
    revoked: Option<i64>,
    opened: i64,
    last_opened: Option<i64>,
}

impl Row {
    fn share<S: DeserializeOwned>(self) -> Result<Share<S>> {
        Ok(Share {
            settings: from_json(&format!("settings of share link {}", self.id), &self.settings)?,
            id: self.id,
            pool: PoolId(self.pool_id),
            name: self.name,
            created_by: self.created_by,
            created: Time(self.created),
            expires: self.expires.map(Time),
            revoked: self.revoked.map(Time),
            opened: uint(self.opened),
            last_opened: self.last_opened.map(Time),
        })
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, pool_id, name, settings, created_by, created, expires, revoked, opened, last_opened
             FROM shares ",
            $rest
        )
    };
}

impl Store {
    /// Makes a share link.
    pub async fn create_share<S: Serialize + DeserializeOwned + Sync>(&self, new: NewShare<'_, S>) -> Result<Share<S>> {
        let settings = to_json("settings of a share link", new.settings)?;
        let mut tx = self.db.begin().await?;
        let inserted: sqlx::Result<Row> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "INSERT INTO shares (pool_id, token_hash, name, settings, created_by, created, expires, opened)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 0)
                 RETURNING id, pool_id, name, settings, created_by, created, expires, revoked, opened, last_opened",
            )
            .bind(new.pool.0)
            .bind(new.token_hash)
            .bind(clean(new.name))
            .bind(&settings)
            .bind(clean(new.created_by))
            .bind(new.now.0)
            .bind(new.expires.map(|time| time.0))
            .fetch_one(conn)
            .await
        });
        let row = referenced(inserted, "make a share link", || format!("pool {}", new.pool))?;
        tx.commit().await?;
        row.share()
    }

    /// The link with this hash, if it still holds.
    pub async fn share<S: DeserializeOwned>(&self, token_hash: &str, now: Time) -> Result<Option<Share<S>>> {
        let row: Option<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(select!("WHERE token_hash = $1 AND revoked IS NULL AND (expires IS NULL OR expires > $2)"))
                .bind(token_hash)
                .bind(now.0)
                .fetch_optional(conn)
                .await
        })
        .tried("read a share link")?;
        row.map(Row::share).transpose()
    }

    /// Links of a pool, newest first; also those that hold no more.
    pub async fn shares<S: DeserializeOwned>(&self, pool: PoolId) -> Result<Vec<Share<S>>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(select!("WHERE pool_id = $1 ORDER BY id DESC")).bind(pool.0).fetch_all(conn).await
        })
        .tried("list share links")?;
        rows.into_iter().map(Row::share).collect()
    }

    /// Counts that a link was opened.
    pub async fn count_share(&self, id: i64, now: Time) -> Result<()> {
        let mut tx = self.db.begin_relaxed().await?;
        execute!(tx.conn(), "UPDATE shares SET opened = opened + 1, last_opened = $1 WHERE id = $2", now.0, id)
            .tried("count the opening of a share link")?;
        tx.commit().await
    }

    /// Ends a link of a pool. [`StoreError::NotFound`] when it isn't the pool's, or has been ended before.
    pub async fn revoke_share(&self, pool: PoolId, id: i64, now: Time) -> Result<()> {
        let sql = "UPDATE shares SET revoked = $1 WHERE id = $2 AND pool_id = $3 AND revoked IS NULL";
        match write_one!(self.db, "revoke a share link", sql, now.0, id, pool.0) {
            0 => Err(StoreError::not_found(format!("share link {id} of this pool that holds"))),
            _ => Ok(()),
        }
    }
}
