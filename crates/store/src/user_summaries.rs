//! People beside what they have here: pools, tokens, and when they were last there.

use std::collections::HashMap;

use p2ppool_model::role::Grant;
use p2ppool_model::{Time, UserId};

use crate::Store;
use crate::db::{Tx, execute, on};
use crate::error::{Result, Tried as _};
use crate::text::{parse, uint};
use crate::users::{User, UserRow};

/// A person and what they have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserSummary {
    /// The person.
    pub user: User,
    /// Their last use that was written down, by session or token; `None`: they were never there.
    pub last_seen: Option<Time>,
    /// Their tokens that hold.
    pub tokens: u64,
    /// Pools that are theirs or on which they were given something, by name.
    pub pools: Vec<UserPool>,
}

/// A pool of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserPool {
    /// Its name.
    pub pool: String,
    /// What they were given on it; `None`: it is theirs.
    pub grant: Option<Grant>,
}

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    user: UserRow,
    last_seen: Option<i64>,
    tokens: i64,
}

impl Store {
    /// Every person, or one, by name. Two statements, however many there are.
    pub async fn user_summaries(&self, only: Option<UserId>, now: Time) -> Result<Vec<UserSummary>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT u.id AS user_id, u.name AS user_name, u.role AS user_role, u.created AS user_created,
                        u.disabled AS user_disabled, u.last_seen,
                        (SELECT COUNT(*) FROM tokens t
                         WHERE t.user_id = u.id AND (t.expires IS NULL OR t.expires > $1)) AS tokens
                 FROM users u WHERE CAST($2 AS BIGINT) IS NULL OR u.id = $2 ORDER BY u.name_key",
            )
            .bind(now.0)
            .bind(only.map(|user| user.0))
            .fetch_all(conn)
            .await
        })
        .tried("list users")?;
        let mut pools = self.pools_of_users(only).await?;
        let summary = |row: Row| {
            let user = row.user.user()?;
            let pools = pools.remove(&user.id).unwrap_or_default();
            Ok(UserSummary { last_seen: row.last_seen.map(Time), tokens: uint(row.tokens), pools, user })
        };
        rows.into_iter().map(summary).collect()
    }

    async fn pools_of_users(&self, only: Option<UserId>) -> Result<HashMap<UserId, Vec<UserPool>>> {
        let rows: Vec<(i64, String, Option<String>)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT a.user_id, a.pool, a.granted FROM (
                     SELECT p.owner AS user_id, p.name AS pool, NULL AS granted FROM pools p WHERE p.owner IS NOT NULL
                     UNION ALL
                     SELECT g.user_id, p.name AS pool, g.granted FROM grants g JOIN pools p ON p.id = g.pool_id
                 ) a WHERE CAST($1 AS BIGINT) IS NULL OR a.user_id = $1 ORDER BY a.pool",
            )
            .bind(only.map(|user| user.0))
            .fetch_all(conn)
            .await
        })
        .tried("list the pools of users")?;
        let mut pools: HashMap<UserId, Vec<UserPool>> = HashMap::new();
        for (user, pool, granted) in rows {
            let grant = granted.map(|granted| parse("a grant", &granted)).transpose()?;
            pools.entry(UserId(user)).or_default().push(UserPool { pool, grant });
        }
        Ok(pools)
    }
}

/// Writes down that a person was there, in the transaction that does so for their session or token.
pub(crate) async fn was_seen(tx: &mut Tx, by: Seen, now: Time) -> Result<()> {
    let seen = match by {
        Seen::BySession(id) => execute!(
            tx.conn(),
            "UPDATE users SET last_seen = $1 WHERE id = (SELECT user_id FROM sessions WHERE id = $2)
                 AND (last_seen IS NULL OR last_seen < $1)",
            now.0,
            id,
        ),
        Seen::ByToken(id) => execute!(
            tx.conn(),
            "UPDATE users SET last_seen = $1 WHERE id = (SELECT user_id FROM tokens WHERE id = $2)
                 AND (last_seen IS NULL OR last_seen < $1)",
            now.0,
            id,
        ),
    };
    seen.tried("write down when a person was last there").map(drop)
}

/// How somebody was there.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Seen {
    BySession(i64),
    ByToken(i64),
}
