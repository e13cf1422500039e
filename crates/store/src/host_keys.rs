//! Host keys, pinned at first contact. A key belongs to an address and SSH port, whichever pools name it.

use std::collections::HashMap;

use p2ppool_model::host::PinnedKey;
use p2ppool_model::{PoolId, Time};

use crate::Store;
use crate::db::{execute, on, write_one};
use crate::error::{Result, Tried as _};

/// A pinned key and where it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// Address of the host, in lower case.
    pub address: String,
    /// Its SSH port.
    pub port: u16,
    /// Its key.
    pub key: PinnedKey,
}

#[derive(sqlx::FromRow)]
struct Row {
    address_key: String,
    ssh_port: i64,
    public_key: String,
    fingerprint: String,
    since: i64,
}

impl Row {
    fn host_key(self) -> HostKey {
        HostKey {
            address: self.address_key,
            port: u16::try_from(self.ssh_port).unwrap_or_default(),
            key: PinnedKey { public_key: self.public_key, fingerprint: self.fingerprint, since: Time(self.since) },
        }
    }
}

const SELECT_ONE: &str = "SELECT address_key, ssh_port, public_key, fingerprint, since FROM host_keys
     WHERE address_key = $1 AND ssh_port = $2";

impl Store {
    /// The key that is pinned for this address and SSH port.
    pub async fn host_key(&self, address: &str, port: u16) -> Result<Option<PinnedKey>> {
        let row: Option<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(SELECT_ONE)
                .bind(address.to_ascii_lowercase())
                .bind(i64::from(port))
                .fetch_optional(conn)
                .await
        })
        .tried("read a host key")?;
        Ok(row.map(|row| row.host_key().key))
    }

    /// Pins a key at first contact. A key that is pinned already is never overwritten; answers what
    /// is pinned now, which is not `key` when somebody else was faster with another one.
    pub async fn pin_host_key(&self, address: &str, port: u16, key: &PinnedKey) -> Result<PinnedKey> {
        let address = address.to_ascii_lowercase();
        let mut tx = self.db.begin().await?;
        execute!(
            tx.conn(),
            "INSERT INTO host_keys (address_key, ssh_port, public_key, fingerprint, since)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (address_key, ssh_port) DO NOTHING",
            &address,
            i64::from(port),
            &key.public_key,
            &key.fingerprint,
            key.since.0,
        )
        .tried("pin a host key")?;
        let row: Row = on!(tx.conn(), conn => {
            sqlx::query_as(SELECT_ONE).bind(&address).bind(i64::from(port)).fetch_one(conn).await
        })
        .tried("read a host key")?;
        tx.commit().await?;
        Ok(row.host_key().key)
    }

    /// Trusts another key from now on, because a person said so.
    pub async fn replace_host_key(&self, address: &str, port: u16, key: &PinnedKey) -> Result<()> {
        write_one!(
            self.db,
            "replace a host key",
            "INSERT INTO host_keys (address_key, ssh_port, public_key, fingerprint, since)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (address_key, ssh_port) DO UPDATE SET
                 public_key = excluded.public_key, fingerprint = excluded.fingerprint, since = excluded.since",
            address.to_ascii_lowercase(),
            i64::from(port),
            &key.public_key,
            &key.fingerprint,
            key.since.0,
        );
        Ok(())
    }

    /// Forgets a key, so that the next contact is the first. Fine when none is pinned.
    pub async fn delete_host_key(&self, address: &str, port: u16) -> Result<()> {
        write_one!(
            self.db,
            "delete a host key",
            "DELETE FROM host_keys WHERE address_key = $1 AND ssh_port = $2",
            address.to_ascii_lowercase(),
            i64::from(port),
        );
        Ok(())
    }

    /// The pinned keys of all hosts of a pool, by [`p2ppool_model::host::HostSpec::key`].
    pub async fn host_keys(&self, pool: PoolId) -> Result<HashMap<(String, u16), PinnedKey>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT k.address_key, k.ssh_port, k.public_key, k.fingerprint, k.since
                 FROM host_keys k JOIN hosts h ON h.address_key = k.address_key AND h.ssh_port = k.ssh_port
                 WHERE h.pool_id = $1",
            )
            .bind(pool.0)
            .fetch_all(conn)
            .await
        })
        .tried("list host keys")?;
        Ok(rows.into_iter().map(Row::host_key).map(|row| ((row.address, row.port), row.key)).collect())
    }

    /// Every pinned key, by address and port.
    pub async fn all_host_keys(&self) -> Result<Vec<HostKey>> {
        let rows: Vec<Row> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT address_key, ssh_port, public_key, fingerprint, since FROM host_keys
                 ORDER BY address_key, ssh_port",
            )
            .fetch_all(conn)
            .await
        })
        .tried("list host keys")?;
        Ok(rows.into_iter().map(Row::host_key).collect())
    }
}
