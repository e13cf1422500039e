//! People with an account. Their password is stored as a hash that was made elsewhere.

use p2ppool_model::role::Role;
use p2ppool_model::{Time, UserId};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{Tx, execute, on};
use crate::error::{Result, StoreError, Tried as _, unique};
use crate::secrets::SecretScope;
use crate::text::{clean, parse};

/// A person with an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Row identity.
    pub id: UserId,
    /// Their name; upper and lower case are the same.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When the account was made.
    pub created: Time,
    /// They can't log in, and neither can their tokens.
    pub disabled: bool,
}

/// What a login is compared with. Its `Debug` doesn't print the hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who it would be.
    pub user: User,
    /// Hash of the password; `None`: no password opens this account.
    pub password: Option<String>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct UserRow {
    pub(crate) user_id: i64,
    pub(crate) user_name: String,
    pub(crate) user_role: String,
    pub(crate) user_created: i64,
    pub(crate) user_disabled: bool,
}

impl UserRow {
    pub(crate) fn user(self) -> Result<User> {
        Ok(User {
            role: parse(&format!("role of user {}", self.user_id), &self.user_role)?,
            id: UserId(self.user_id),
            name: self.user_name,
            created: Time(self.user_created),
            disabled: self.user_disabled,
        })
    }
}

#[derive(sqlx::FromRow)]
struct CredentialsRow {
    #[sqlx(flatten)]
    user: UserRow,
    password: Option<String>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id AS user_id, name AS user_name, role AS user_role, created AS user_created,
                    disabled AS user_disabled, password FROM users ",
            $rest
        )
    };
}

impl Store {
    /// Makes an account. [`StoreError::Conflict`] when there is one of this name.
    pub async fn create_user(&self, name: &str, password: Option<&str>, role: Role, now: Time) -> Result<User> {
        let mut tx = self.db.begin().await?;
        let inserted: sqlx::Result<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar(
                "INSERT INTO users (name, name_key, password, role, created, disabled)
                 VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
            )
            .bind(clean(name))
            .bind(name_key(name))
            .bind(password)
            .bind(role.as_str())
            .bind(now.0)
            .bind(false)
            .fetch_one(conn)
            .await
        });
        let id = unique(inserted, "create a user", || format!("there is a user `{name}` already"))?;
        tx.commit().await?;
        self.user(UserId(id)).await
    }

    /// The person with this id.
    pub async fn user(&self, id: UserId) -> Result<User> {
        let row: Option<UserRow> = on!(self.db.read(), conn => {
            sqlx::query_as(select!("WHERE id = $1")).bind(id.0).fetch_optional(conn).await
        })
        .tried("read a user")?;
        row.ok_or_else(|| no_user(id))?.user()
    }

    /// The person with this name, and what their password is compared with.
    pub async fn credentials(&self, name: &str) -> Result<Option<Credentials>> {
        let row: Option<CredentialsRow> = on!(self.db.read(), conn => {
            sqlx::query_as(select!("WHERE name_key = $1")).bind(name_key(name)).fetch_optional(conn).await
        })
        .tried("read a user")?;
        row.map(|row| Ok(Credentials { user: row.user.user()?, password: row.password })).transpose()
    }

    /// Every person, by name.
    pub async fn users(&self) -> Result<Vec<User>> {
        let rows: Vec<UserRow> = on!(self.db.read(), conn => {
            sqlx::query_as(select!("ORDER BY name_key")).fetch_all(conn).await
        })
        .tried("list users")?;
        rows.into_iter().map(UserRow::user).collect()
    }

    /// How many accounts there are; none: nobody has set this manager up yet.
    pub async fn user_count(&self) -> Result<u64> {
        let count: i64 =
            on!(self.db.read(), conn => sqlx::query_scalar("SELECT COUNT(*) FROM users").fetch_one(conn).await)
                .tried("count users")?;
        Ok(crate::text::uint(count))
    }

    /// Replaces the hash of the password and ends every session of that person.
    pub async fn set_user_password(&self, id: UserId, password: Option<&str>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let changed = execute!(tx.conn(), "UPDATE users SET password = $1 WHERE id = $2", password, id.0)
            .tried("write a password")?;
        found(changed, id)?;
        end_sessions(&mut tx, id).await?;
        tx.commit().await
    }

    /// [`Store::set_user_password`] by the person themselves: the session of this cookie goes on.
    pub async fn change_user_password(&self, id: UserId, password: &str, keep: Option<&str>) -> Result<()> {
        let mut tx = self.db.begin().await?;
        let changed = execute!(tx.conn(), "UPDATE users SET password = $1 WHERE id = $2", password, id.0)
            .tried("write a password")?;
        found(changed, id)?;
        let others = "DELETE FROM sessions WHERE user_id = $1 AND token_hash <> $2";
        execute!(tx.conn(), others, id.0, keep.unwrap_or_default()).tried("end other sessions")?;
        tx.commit().await
    }

    /// Gives another role. [`StoreError::Conflict`] when nobody could manage users any more.
    pub async fn set_user_role(&self, id: UserId, role: Role) -> Result<()> {
        let mut tx = self.db.begin().await?;
        lock_super_administrators(&mut tx).await?;
        let changed = execute!(tx.conn(), "UPDATE users SET role = $1 WHERE id = $2", role.as_str(), id.0)
            .tried("write a role")?;
        found(changed, id)?;
        keep_a_super_administrator(&mut tx).await?;
        tx.commit().await
    }

    /// Locks a person out, sessions included. [`StoreError::Conflict`] when nobody could manage users any more.
    pub async fn disable_user(&self, id: UserId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        lock_super_administrators(&mut tx).await?;
        let changed =
            execute!(tx.conn(), "UPDATE users SET disabled = $1 WHERE id = $2", true, id.0).tried("disable a user")?;
        found(changed, id)?;
        keep_a_super_administrator(&mut tx).await?;
        end_sessions(&mut tx, id).await?;
        tx.commit().await
    }

    /// Lets a person in again.
    pub async fn enable_user(&self, id: UserId) -> Result<()> {
        let changed = crate::db::write_one!(
            self.db,
            "enable a user",
            "UPDATE users SET disabled = $1 WHERE id = $2",
            false,
            id.0
        );
        found(changed, id)
    }

    /// Deletes an account with its sessions, tokens and secrets; pools stay, without owner.
    /// [`StoreError::Conflict`] when nobody could manage users any more.
    pub async fn delete_user(&self, id: UserId) -> Result<()> {
        let mut tx = self.db.begin().await?;
        lock_super_administrators(&mut tx).await?;
        execute!(tx.conn(), "DELETE FROM secrets WHERE scope = $1", SecretScope::User(id).to_string())
            .tried("delete the secrets of a user")?;
        let gone = execute!(tx.conn(), "DELETE FROM users WHERE id = $1", id.0).tried("delete a user")?;
        found(gone, id)?;
        keep_a_super_administrator(&mut tx).await?;
        tx.commit().await
    }
}

fn name_key(name: &str) -> String {
    clean(name).to_lowercase()
}

async fn end_sessions(tx: &mut Tx, id: UserId) -> Result<()> {
    execute!(tx.conn(), "DELETE FROM sessions WHERE user_id = $1", id.0).tried("end sessions").map(drop)
}

/// So that two that resign at the same time see each other.
async fn lock_super_administrators(tx: &mut Tx) -> Result<()> {
    execute!(tx.conn(), "UPDATE users SET role = role WHERE role = $1", Role::SuperAdministrator.as_str())
        .tried("lock users")
        .map(drop)
}

async fn keep_a_super_administrator(tx: &mut Tx) -> Result<()> {
    let left: i64 = on!(tx.conn(), conn => {
        sqlx::query_scalar("SELECT COUNT(*) FROM users WHERE role = $1 AND disabled = $2")
            .bind(Role::SuperAdministrator.as_str())
            .bind(false)
            .fetch_one(conn)
            .await
    })
    .tried("count super administrators")?;
    if left == 0 {
        return Err(StoreError::conflict("there must be at least one super administrator who can log in"));
    }
    Ok(())
}

fn found(changed: u64, id: UserId) -> Result<()> {
    if changed == 0 { Err(no_user(id)) } else { Ok(()) }
}

fn no_user(id: UserId) -> StoreError {
    StoreError::not_found(format!("user {id}"))
}
