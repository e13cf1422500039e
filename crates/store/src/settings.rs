//! Settings of the manager as a whole, and more of pools: a JSON value per name.

use p2ppool_model::{PoolId, Time};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Store;
use crate::db::{on, write_one};
use crate::error::{Result, Tried as _};
use crate::text::{from_json, to_json};

/// The name of a setting that goes when its pool goes.
pub fn setting_of_pool(pool: PoolId, name: &str) -> String {
    format!("pool/{pool}/{name}")
}

impl Store {
    /// The setting, if it was ever made.
    pub async fn setting<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let text: Option<String> = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT value FROM settings WHERE name = $1").bind(name).fetch_optional(conn).await
        })
        .tried("read a setting")?;
        text.map(|text| from_json(&format!("setting `{name}`"), &text)).transpose()
    }

    /// Every setting, by name.
    pub async fn settings(&self) -> Result<Vec<(String, serde_json::Value)>> {
        let rows: Vec<(String, String)> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT name, value FROM settings ORDER BY name").fetch_all(conn).await
        })
        .tried("list settings")?;
        rows.into_iter()
            .map(|(name, text)| {
                let value = from_json(&format!("setting `{name}`"), &text)?;
                Ok((name, value))
            })
            .collect()
    }

    /// Makes or replaces a setting.
    pub async fn set_setting<T: Serialize + Sync>(&self, name: &str, value: &T, now: Time) -> Result<()> {
        let value = to_json(&format!("setting `{name}`"), value)?;
        write_one!(
            self.db,
            "write a setting",
            "INSERT INTO settings (name, value, changed) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value, changed = excluded.changed",
            name,
            value,
            now.0,
        );
        Ok(())
    }

    /// Forgets a setting, so that its default holds again. Fine when there is none.
    pub async fn delete_setting(&self, name: &str) -> Result<()> {
        write_one!(self.db, "delete a setting", "DELETE FROM settings WHERE name = $1", name);
        Ok(())
    }
}
