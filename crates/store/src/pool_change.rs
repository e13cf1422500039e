//! Changes of a pool that are one thing for a person, and therefore one transaction: all of it or nothing.

use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{PoolSettings, PoolState};
use p2ppool_model::schedule::Plan;
use p2ppool_model::{PoolId, PoolName, Time, UserId};

use crate::db::{Tx, execute, on};
use crate::error::{Result, StoreError, Tried as _, unique};
use crate::schedule::NextTime;
use crate::secrets::SecretScope;
use crate::text::to_json;
use crate::{HostsSet, Store};

/// A pool to register.
#[derive(Clone, Debug)]
pub struct NewPool<'a> {
    /// Its name.
    pub name: &'a PoolName,
    /// What a person decided.
    pub settings: &'a PoolSettings,
    /// Whose it is.
    pub owner: Option<UserId>,
    /// Its hosts.
    pub hosts: &'a [HostSpec],
    /// What starts by itself.
    pub schedules: &'a [(Plan, Option<NextTime>)],
    /// When.
    pub now: Time,
}

/// A secret, encrypted for its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// Its name.
    pub name: &'static str,
    /// `None`: it is forgotten.
    pub ciphertext: Option<Vec<u8>>,
}

/// What to change of a pool; what is `None` or empty stays.
#[derive(Clone, Debug, Default)]
pub struct PoolChange<'a> {
    /// What a person decided.
    pub settings: Option<&'a PoolSettings>,
    /// Secrets of the pool.
    pub secrets: Vec<Sealed>,
    /// The host list.
    pub hosts: Option<&'a [HostSpec]>,
}

impl Store {
    /// Registers a pool with everything that belongs to it. `seal` encrypts its secrets, once its id is known.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when there is a pool of this name, or too many hosts; what `seal` answers.
    pub async fn register_pool<E: From<StoreError>>(
        &self,
        new: &NewPool<'_>,
        seal: impl FnOnce(PoolId) -> std::result::Result<Vec<Sealed>, E>,
    ) -> std::result::Result<PoolId, E> {
        let mut tx = self.db.begin().await?;
        let id = insert_pool(&mut tx, new).await?;
        for secret in seal(id)? {
            write_secret(&mut tx, id, &secret, new.now).await?;
        }
        if !new.hosts.is_empty() {
            crate::hosts::set_hosts(&mut tx, id, new.hosts).await?;
        }
        for (plan, next) in new.schedules {
            crate::schedule::insert(&mut tx, id, plan, *next).await?;
        }
        tx.commit().await?;
        Ok(id)
    }

    /// Changes a pool. Answers what became of the host list, when there was one.
    pub async fn change_pool(&self, id: PoolId, change: &PoolChange<'_>, now: Time) -> Result<Option<HostsSet>> {
        let mut tx = self.db.begin().await?;
        crate::pools::lock_pool(&mut tx, id).await?;
        if let Some(settings) = change.settings {
            let json = to_json("pool settings", settings)?;
            execute!(tx.conn(), "UPDATE pools SET settings = $1 WHERE id = $2", &json, id.0)
                .tried("write pool settings")?;
        }
        for secret in &change.secrets {
            write_secret(&mut tx, id, secret, now).await?;
        }
        let set = match change.hosts {
            Some(hosts) => Some(crate::hosts::set_hosts(&mut tx, id, hosts).await?),
            None => None,
        };
        tx.commit().await?;
        Ok(set)
    }
}

async fn insert_pool(tx: &mut Tx, new: &NewPool<'_>) -> Result<PoolId> {
    let json = to_json("pool settings", new.settings)?;
    let inserted: sqlx::Result<i64> = on!(tx.conn(), conn => {
        sqlx::query_scalar(
            "INSERT INTO pools (name, settings, state, owner, created) VALUES ($1, $2, $3, $4, $5) RETURNING id",
        )
        .bind(new.name.as_str())
        .bind(&json)
        .bind(PoolState::Created.as_str())
        .bind(new.owner.map(|id| id.0))
        .bind(new.now.0)
        .fetch_one(conn)
        .await
    });
    unique(inserted, "create a pool", || format!("there is a pool `{}` already", new.name)).map(PoolId)
}

async fn write_secret(tx: &mut Tx, pool: PoolId, secret: &Sealed, now: Time) -> Result<()> {
    let scope = SecretScope::Pool(pool).to_string();
    let written = match &secret.ciphertext {
        Some(ciphertext) => execute!(
            tx.conn(),
            "INSERT INTO secrets (scope, name, ciphertext, changed) VALUES ($1, $2, $3, $4)
             ON CONFLICT (scope, name) DO UPDATE SET ciphertext = excluded.ciphertext, changed = excluded.changed",
            &scope,
            secret.name,
            &ciphertext[..],
            now.0,
        ),
        None => execute!(tx.conn(), "DELETE FROM secrets WHERE scope = $1 AND name = $2", &scope, secret.name),
    };
    written.tried("store a secret of a pool").map(drop)
}
