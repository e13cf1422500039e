//! Encrypted secrets. What is stored here was encrypted elsewhere; the store never sees a plain text.

use std::fmt;

use p2ppool_model::{PoolId, Time, UserId};

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, Tried as _};

/// Whose secret it is; it goes when its owner goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SecretScope {
    /// The manager as a whole.
    Manager,
    /// One pool.
    Pool(PoolId),
    /// One person.
    User(UserId),
}

impl fmt::Display for SecretScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manager => f.write_str("manager"),
            Self::Pool(id) => write!(f, "pool/{id}"),
            Self::User(id) => write!(f, "user/{id}"),
        }
    }
}

/// One sealed secret with the place it belongs to.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SealedSecret {
    /// Text of its [`SecretScope`].
    pub scope: String,
    /// Its name there.
    pub name: String,
    /// What is stored.
    pub ciphertext: Vec<u8>,
}

impl SealedSecret {
    /// Scope and name in one, as it was sealed for.
    pub fn place(&self) -> String {
        format!("{}/{}", self.scope, self.name)
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecret({})", self.place())
    }
}

impl Store {
    /// Every secret of every owner.
    pub async fn sealed_secrets(&self) -> Result<Vec<SealedSecret>> {
        on!(self.db.read(), conn => {
            sqlx::query_as("SELECT scope, name, ciphertext FROM secrets ORDER BY scope, name").fetch_all(conn).await
        })
        .tried("list secrets")
    }

    /// Replaces a secret if it is still `old`; false when it was changed or deleted meanwhile.
    pub async fn swap_secret(&self, old: &SealedSecret, ciphertext: &[u8], now: Time) -> Result<bool> {
        let changed = write_one!(
            self.db,
            "store a secret",
            "UPDATE secrets SET ciphertext = $1, changed = $2 WHERE scope = $3 AND name = $4 AND ciphertext = $5",
            ciphertext,
            now.0,
            &old.scope,
            &old.name,
            &old.ciphertext,
        );
        Ok(changed == 1)
    }

    /// Makes or replaces a secret.
    pub async fn put_secret(&self, scope: SecretScope, name: &str, ciphertext: &[u8], now: Time) -> Result<()> {
        write_one!(
            self.db,
            "store a secret",
            "INSERT INTO secrets (scope, name, ciphertext, changed) VALUES ($1, $2, $3, $4)
             ON CONFLICT (scope, name) DO UPDATE SET ciphertext = excluded.ciphertext, changed = excluded.changed",
            scope.to_string(),
            name,
            ciphertext,
            now.0,
        );
        Ok(())
    }

    /// Makes or replaces (`Some`) and forgets (`None`) several secrets of one owner: all of them, or none.
    pub async fn change_secrets(
        &self,
        scope: SecretScope,
        changes: &[(&str, Option<Vec<u8>>)],
        now: Time,
    ) -> Result<()> {
        let scope = scope.to_string();
        let mut tx = self.db.begin().await?;
        for (name, ciphertext) in changes {
            match ciphertext {
                Some(ciphertext) => execute!(
                    tx.conn(),
                    "INSERT INTO secrets (scope, name, ciphertext, changed) VALUES ($1, $2, $3, $4)
                     ON CONFLICT (scope, name)
                     DO UPDATE SET ciphertext = excluded.ciphertext, changed = excluded.changed",
                    &scope,
                    *name,
                    ciphertext,
                    now.0,
                ),
                None => execute!(tx.conn(), "DELETE FROM secrets WHERE scope = $1 AND name = $2", &scope, *name),
            }
            .tried("change secrets")?;
        }
        tx.commit().await
    }

    /// Stores a secret when there is none of this name, and answers the one that is stored then:
    /// of several managers that make one at the same time, one wins and all use its secret.
    pub async fn put_secret_once(
        &self,
        scope: SecretScope,
        name: &str,
        ciphertext: &[u8],
        now: Time,
    ) -> Result<Vec<u8>> {
        let mut tx = self.db.begin().await?;
        execute!(
            tx.conn(),
            "INSERT INTO secrets (scope, name, ciphertext, changed) VALUES ($1, $2, $3, $4)
             ON CONFLICT (scope, name) DO NOTHING",
            scope.to_string(),
            name,
            ciphertext,
            now.0,
        )
        .tried("store a secret")?;
        let stored = on!(tx.conn(), conn => {
            sqlx::query_scalar("SELECT ciphertext FROM secrets WHERE scope = $1 AND name = $2")
                .bind(scope.to_string())
                .bind(name)
                .fetch_one(conn)
                .await
        })
        .tried("read a secret")?;
        tx.commit().await?;
        Ok(stored)
    }

    /// The ciphertext, if there is such a secret.
    pub async fn secret(&self, scope: SecretScope, name: &str) -> Result<Option<Vec<u8>>> {
        on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT ciphertext FROM secrets WHERE scope = $1 AND name = $2")
                .bind(scope.to_string())
                .bind(name)
                .fetch_optional(conn)
                .await
        })
        .tried("read a secret")
    }

    /// Names of the secrets of one owner, sorted.
    pub async fn secret_names(&self, scope: SecretScope) -> Result<Vec<String>> {
        on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT name FROM secrets WHERE scope = $1 ORDER BY name")
                .bind(scope.to_string())
                .fetch_all(conn)
                .await
        })
        .tried("list secrets")
    }

    /// Forgets a secret. Fine when there is none.
    pub async fn delete_secret(&self, scope: SecretScope, name: &str) -> Result<()> {
        write_one!(
            self.db,
            "delete a secret",
            "DELETE FROM secrets WHERE scope = $1 AND name = $2",
            scope.to_string(),
            name,
        );
        Ok(())
    }
}
