//! Sessions of people in a browser. Only a hash of the cookie is stored.

use p2ppool_model::{Time, UserId};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, StoreError, Tried as _, referenced};
use crate::text::clean;
use crate::user_summaries::{Seen, was_seen};
use crate::users::{User, UserRow};

/// Longest name of a browser kept, in characters.
const AGENT_MAX: usize = 256;

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Row identity, to end it by.
    pub id: i64,
    /// Whose.
    pub user: UserId,
    /// Login.
    pub created: Time,
    /// Last use that was written down.
    pub last_seen: Time,
    /// It ends when it isn't used until then.
    pub idle_until: Time,
    /// It ends then, however much it is used.
    pub expires: Time,
    /// IP address at login.
    pub address: String,
    /// Browser at login, as it says.
    pub agent: String,
}

/// A session to begin.
#[derive(Clone, Copy, Debug)]
pub struct NewSession<'a> {
    /// Whose.
    pub user: UserId,
    /// Hash of the cookie.
    pub token_hash: &'a str,
    /// Login.
    pub now: Time,
    /// It ends when it isn't used until then.
    pub idle_until: Time,
    /// It ends then, however much it is used.
    pub expires: Time,
    /// IP address.
    pub address: &'a str,
    /// Browser, as it says.
    pub agent: &'a str,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    user_id: i64,
    created: i64,
    last_seen: i64,
    idle_until: i64,
    expires: i64,
    address: String,
    agent: String,
}

impl From<Row> for Session {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            user: UserId(row.user_id),
            created: Time(row.created),
            last_seen: Time(row.last_seen),
            idle_until: Time(row.idle_until),
            expires: Time(row.expires),
            address: row.address,
            agent: row.agent,
        }
    }
}

#[derive(sqlx::FromRow)]
struct WithUser {
    #[sqlx(flatten)]
    session: Row,
    #[sqlx(flatten)]
    user: UserRow,
}

impl Store {
    /// Begins a session.
    pub async fn create_session(&self, new: NewSession<'_>) -> Result<Session> {
        let agent: String = clean(new.agent).chars().take(AGENT_MAX).collect();
        let mut tx = self.db.begin().await?;
        let inserted: sqlx::Result<Row> = on!(tx.conn(), conn => {
            sqlx::query_as(
                "INSERT INTO sessions (user_id, token_hash, created, last_seen, idle_until, expires, address, agent)
                 VALUES ($1, $2, $3, $3, $4, $5, $6, $7)
                 RETURNING id, user_id, created, last_seen, idle_until, expires, address, agent",
            )
            .bind(new.user.0)
            .bind(new.token_hash)
            .bind(new.now.0)
            .bind(new.idle_until.0)
            .bind(new.expires.0)
            .bind(clean(new.address))
            .bind(&agent)
            .fetch_one(conn)
            .await
        });
        let row = referenced(inserted, "begin a session", || format!("user {}", new.user))?;
        was_seen(&mut tx, Seen::BySession(row.id), new.now).await?;
        tx.commit().await?;
        Ok(row.into())
    }

    /// The session of this cookie and its person, if it still holds and they may still log in.
    pub async fn session(&self, token_hash: &str, now: Time) -> Result<Option<(Session, User)>> {
        let row: Option<WithUser> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT s.id, s.user_id, s.created, s.last_seen, s.idle_until, s.expires, s.address, s.agent,
                        u.name AS user_name, u.role AS user_role, u.created AS user_created,
                        u.disabled AS user_disabled
                 FROM sessions s JOIN users u ON u.id = s.user_id
                 WHERE s.token_hash = $1 AND s.idle_until > $2 AND s.expires > $2 AND u.disabled = $3",
            )
            .bind(token_hash)
            .bind(now.0)
            .bind(false)
            .fetch_optional(conn)
            .await
        })
        .tried("read a session")?;
        row.map(|row| Ok((row.session.into(), row.user.user()?))).transpose()
    }

    /// Writes down that it was used. Callers do so at most once a minute or so, not at each request.
    pub async fn touch_session(&self, id: i64, now: Time, idle_until: Time) -> Result<()> {
        let mut tx = self.db.begin_relaxed().await?;
        execute!(
            tx.conn(),
            "UPDATE sessions SET last_seen = $1, idle_until = $2 WHERE id = $3 AND last_seen < $1",
            now.0,
            idle_until.0,
            id
        )
        .tried("touch a session")?;
        was_seen(&mut tx, Seen::BySession(id), now).await?;
        tx.commit().await
    }

    /// Sessions of one person that hold, newest use first.
    pub async fn sessions(&self, user: UserId, now: Time) -> Result<Vec<Session>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT id, user_id, created, last_seen, idle_until, expires, address, agent FROM sessions
                 WHERE user_id = $1 AND idle_until > $2 AND expires > $2 ORDER BY last_seen DESC, id DESC",
            )
            .bind(user.0)
            .bind(now.0)
            .fetch_all(conn)
            .await
        })
        .tried("list sessions")?;
        Ok(rows.into_iter().map(Session::from).collect())
    }

    /// Ends one session of a person. [`StoreError::NotFound`] when it isn't theirs.
    pub async fn delete_session(&self, user: UserId, id: i64) -> Result<()> {
        let sql = "DELETE FROM sessions WHERE id = $1 AND user_id = $2";
        match write_one!(self.db, "end a session", sql, id, user.0) {
            0 => Err(StoreError::not_found(format!("session {id}"))),
            _ => Ok(()),
        }
    }

    /// Ends the session of this cookie: logout. Fine when there is none.
    pub async fn delete_session_of(&self, token_hash: &str) -> Result<()> {
        write_one!(self.db, "end a session", "DELETE FROM sessions WHERE token_hash = $1", token_hash);
        Ok(())
    }

    /// Ends all sessions of a person but `except`; tells how many.
    pub async fn delete_sessions(&self, user: UserId, except: Option<i64>) -> Result<u64> {
        let sql = "DELETE FROM sessions WHERE user_id = $1 AND id <> $2";
        Ok(write_one!(self.db, "end sessions", sql, user.0, except.unwrap_or(0)))
    }

    /// Forgets sessions that hold no more; tells how many.
    pub async fn purge_sessions(&self, now: Time) -> Result<u64> {
        let sql = "DELETE FROM sessions WHERE idle_until <= $1 OR expires <= $1";
        Ok(write_one!(self.db, "forget old sessions", sql, now.0))
    }
}
