//! Second factors of people and their recovery codes, and who they are at OpenID Connect providers.

use p2ppool_model::{Time, UserId};

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, Tried as _, referenced};
use crate::users::{User, UserRow};

/// A person's second factor, without its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecondFactor {
    /// When they proved that they have it; `None`: it isn't asked for yet.
    pub confirmed: Option<Time>,
    /// The last time step whose code was used.
    pub last_step: i64,
}

impl Store {
    /// A person's second factor, if they have begun to have one.
    pub async fn second_factor(&self, user: UserId) -> Result<Option<SecondFactor>> {
        let row: Option<(Option<i64>, i64)> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT confirmed, last_step FROM second_factors WHERE user_id = $1")
                .bind(user.0)
                .fetch_optional(conn)
                .await
        })
        .tried("read a second factor")?;
        Ok(row.map(|(confirmed, last_step)| SecondFactor { confirmed: confirmed.map(Time), last_step }))
    }

    /// Begins with a new, unconfirmed one in the place of an older one that wasn't confirmed.
    pub async fn begin_second_factor(&self, user: UserId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let begun = execute!(
            tx.conn(),
            "INSERT INTO second_factors (user_id, confirmed, last_step) VALUES ($1, NULL, 0)
             ON CONFLICT (user_id) DO UPDATE SET confirmed = NULL, last_step = 0",
            user.0,
        );
        referenced(begun, "begin a second factor", || format!("user {user}"))?;
        tx.commit().await
    }

    /// Uses the code of a time step: true for the first one who does, so that no code works twice.
    pub async fn use_second_factor(&self, user: UserId, step: i64) -> Result<bool> {
        let sql = "UPDATE second_factors SET last_step = $1 WHERE user_id = $2 AND last_step < $1";
        Ok(write_one!(self.db, "use a second factor", sql, step, user.0) > 0)
    }

    /// From now on it is asked for; these are the hashes of its recovery codes.
    pub async fn confirm_second_factor(&self, user: UserId, codes: &[String], now: Time) -> Result<()> {
        let mut tx = self.db.begin().await?;
        execute!(tx.conn(), "UPDATE second_factors SET confirmed = $1 WHERE user_id = $2", now.0, user.0)
            .tried("confirm a second factor")?;
        execute!(tx.conn(), "DELETE FROM recovery_codes WHERE user_id = $1", user.0).tried("forget recovery codes")?;
        for code in codes {
            let sql = "INSERT INTO recovery_codes (user_id, code_hash) VALUES ($1, $2)";
            execute!(tx.conn(), sql, user.0, code).tried("keep a recovery code")?;
        }
        tx.commit().await
    }

    /// Uses up a recovery code: true when it was one.
    pub async fn use_recovery_code(&self, user: UserId, code_hash: &str) -> Result<bool> {
        let sql = "DELETE FROM recovery_codes WHERE user_id = $1 AND code_hash = $2";
        Ok(write_one!(self.db, "use a recovery code", sql, user.0, code_hash) > 0)
    }

    /// How many recovery codes are left.
    pub async fn recovery_codes(&self, user: UserId) -> Result<u64> {
        let count: i64 = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1")
                .bind(user.0)
                .fetch_one(conn)
                .await
        })
        .tried("count recovery codes")?;
        Ok(crate::text::uint(count))
    }

    /// It is not asked for any more.
    pub async fn delete_second_factor(&self, user: UserId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        execute!(tx.conn(), "DELETE FROM recovery_codes WHERE user_id = $1", user.0).tried("forget recovery codes")?;
        execute!(tx.conn(), "DELETE FROM second_factors WHERE user_id = $1", user.0).tried("end a second factor")?;
        tx.commit().await
    }

    /// The person whom a provider calls `subject`.
    pub async fn identity(&self, issuer: &str, subject: &str) -> Result<Option<User>> {
        let row: Option<UserRow> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT u.id AS user_id, u.name AS user_name, u.role AS user_role, u.created AS user_created,
                        u.disabled AS user_disabled
                 FROM identities i JOIN users u ON u.id = i.user_id WHERE i.issuer = $1 AND i.subject = $2",
            )
            .bind(issuer)
            .bind(crate::text::clean(subject))
            .fetch_optional(conn)
            .await
        })
        .tried("read an identity")?;
        row.map(UserRow::user).transpose()
    }

    /// Remembers that a provider calls this person `subject`.
    pub async fn set_identity(&self, issuer: &str, subject: &str, user: UserId, now: Time) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let set = execute!(
            tx.conn(),
            "INSERT INTO identities (issuer, subject, user_id, created) VALUES ($1, $2, $3, $4)
             ON CONFLICT (issuer, subject) DO UPDATE SET user_id = excluded.user_id",
            issuer,
            crate::text::clean(subject),
            user.0,
            now.0,
        );
        referenced(set, "keep an identity", || format!("user {user}"))?;
        tx.commit().await
    }
}
