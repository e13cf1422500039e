//! API tokens. Only a hash is stored; the token itself is shown once, when it is made.

use p2ppool_model::role::Role;
use p2ppool_model::{PoolId, Time, TokenId, UserId};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, StoreError, Tried as _};
use crate::text::{clean, from_json, parse, to_json};
use crate::user_summaries::{Seen, was_seen};
use crate::users::{User, UserRow};

/// An API token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Row identity, to revoke it by.
    pub id: TokenId,
    /// Whose rights it carries.
    pub user: UserId,
    /// What it is for.
    pub name: String,
    /// Its holder has this role or the person's, whichever is less.
    pub role: Role,
    /// Its holder has rights on these pools only; `None`: on all that the person has.
    pub pools: Option<Vec<PoolId>>,
    /// When it was made.
    pub created: Time,
    /// It ends then; `None`: when it is revoked.
    pub expires: Option<Time>,
    /// Last use that was written down.
    pub last_used: Option<Time>,
}

/// A token to make.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// Whose rights it carries.
    pub user: UserId,
    /// What it is for; one person's tokens have different names.
    pub name: &'a str,
    /// Hash of the token.
    pub token_hash: &'a str,
    /// Its holder has at most this role.
    pub role: Role,
    /// Its holder has rights on these pools only.
    pub pools: Option<&'a [PoolId]>,
    /// When.
    pub now: Time,
    /// It ends then.
    pub expires: Option<Time>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    user_id: i64,
    name: String,
    role: String,
    pools: Option<String>,
    created: i64,
    expires: Option<i64>,
    last_used: Option<i64>,
}

impl Row {
    fn token(self) -> Result<Token> {
        Ok(Token {
            id: TokenId(self.id),
            user: UserId(self.user_id),
            role: parse(&format!("role of token {}", self.id), &self.role)?,
            name: self.name,
            pools: self.pools.as_deref().map(|text| from_json("pools of a token", text)).transpose()?,
            created: Time(self.created),
            expires: self.expires.map(Time),
            last_used: self.last_used.map(Time),
        })
    }
}

#[derive(sqlx::FromRow)]
struct WithUser {
    #[sqlx(flatten)]
    token: Row,
    #[sqlx(flatten)]
    user: UserRow,
}

impl Store {
    /// Makes a token. [`StoreError::Conflict`] when that person has one of this name.
    pub async fn create_token(&self, new: NewToken<'_>) -> Result<Token> {
        let pools = new.pools.map(|pools| to_json("pools of a token", &pools)).transpose()?;
        let mut tx = self.db.begin().await?;
        let inserted: sqlx::Result<Row> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "INSERT INTO tokens (user_id, name, token_hash, role, created, expires, pools)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 RETURNING id, user_id, name, role, pools, created, expires, last_used",
            )
            .bind(new.user.0)
            .bind(clean(new.name))
            .bind(new.token_hash)
            .bind(new.role.as_str())
            .bind(new.now.0)
            .bind(new.expires.map(|time| time.0))
            .bind(&pools)
            .fetch_one(conn)
            .await
        });
        let row = match inserted {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Err(StoreError::conflict(format!("there is a token `{}` already", new.name)));
            }
            other => crate::error::referenced(other, "create a token", || format!("user {}", new.user))?,
        };
        tx.commit().await?;
        row.token()
    }

    /// The token with this hash and its person, if it still holds and they may still log in.
    pub async fn token(&self, token_hash: &str, now: Time) -> Result<Option<(Token, User)>> {
        let row: Option<WithUser> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT t.id, t.user_id, t.name, t.role, t.pools, t.created, t.expires, t.last_used,
                        u.name AS user_name, u.role AS user_role, u.created AS user_created,
                        u.disabled AS user_disabled
                 FROM tokens t JOIN users u ON u.id = t.user_id
                 WHERE t.token_hash = $1 AND (t.expires IS NULL OR t.expires > $2) AND u.disabled = $3",
            )
            .bind(token_hash)
            .bind(now.0)
            .bind(false)
            .fetch_optional(conn)
            .await
        })
        .tried("read a token")?;
        row.map(|row| Ok((row.token.token()?, row.user.user()?))).transpose()
    }

    /// Writes down that it was used. Callers do so at most once a minute or so, not at each request.
    pub async fn touch_token(&self, id: TokenId, now: Time) -> Result<()> {
        let mut tx = self.db.begin_relaxed().await?;
        execute!(tx.conn(), "UPDATE tokens SET last_used = $1 WHERE id = $2", now.0, id.0).tried("touch a token")?;
        was_seen(&mut tx, Seen::ByToken(id.0), now).await?;
        tx.commit().await
    }

    /// Tokens of one person, by name; expired ones, too.
    pub async fn tokens(&self, user: UserId) -> Result<Vec<Token>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT id, user_id, name, role, pools, created, expires, last_used FROM tokens
                 WHERE user_id = $1 ORDER BY name",
            )
            .bind(user.0)
            .fetch_all(conn)
            .await
        })
        .tried("list tokens")?;
        rows.into_iter().map(Row::token).collect()
    }

    /// Revokes one token of a person. [`StoreError::NotFound`] when it isn't theirs.
    pub async fn delete_token(&self, user: UserId, id: TokenId) -> Result<()> {
        let sql = "DELETE FROM tokens WHERE id = $1 AND user_id = $2";
        match write_one!(self.db, "revoke a token", sql, id.0, user.0) {
            0 => Err(StoreError::not_found(format!("token {id}"))),
            _ => Ok(()),
        }
    }
}
