//! A new key for everything that is sealed, while the manager works.
//!
//! ```text
//! key file   [old] ──► [new, old] ──► every secret sealed again ──► [new] ──► every secret opened once
//! ```
//! At each instant the file holds every key that some secret needs, so a crash loses nothing: the
//! next rotation begins with what it finds. Managers look at the file before they seal, and once
//! more when a secret does not open.

use p2ppool_model::Time;
use p2ppool_store::{SealedSecret, Store};

use super::{KeepError, Secrets, SecretsError, ring};

/// Rounds over all secrets; a second one is needed only when somebody stored one meanwhile.
const ROUNDS_MAX: usize = 5;

/// What a rotation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Rotated {
    /// Secrets that were sealed again.
    pub secrets: u64,
    /// Keys that the file no longer holds.
    pub forgotten: u64,
}

impl Secrets {
    /// Seals every secret with a new key and forgets the old ones.
    pub async fn rotate(&self, store: &Store) -> Result<Rotated, KeepError> {
        let old = ring::digits(self.path())?;
        let new = ring::new_key()?;
        let both: Vec<_> = std::iter::once(new.clone()).chain(old.iter().cloned()).collect();
        ring::write(self.path(), &both)?;
        let mut secrets = 0;
        for _ in 0..ROUNDS_MAX {
            match self.seal_again(store).await? {
                0 => return self.forget(store, new, &both, secrets).await,
                some => secrets += some,
            }
        }
        Err(SecretsError::Busy.into())
    }

    async fn forget(
        &self,
        store: &Store,
        new: ring::Digits,
        both: &[ring::Digits],
        secrets: u64,
    ) -> Result<Rotated, KeepError> {
        ring::write(self.path(), &[new])?;
        if let Err(error) = self.open_all(store).await {
            ring::write(self.path(), both)?;
            return Err(error);
        }
        Ok(Rotated { secrets, forgotten: both.len() as u64 - 1 })
    }

    /// Opens every secret with the keys that the file holds now.
    async fn open_all(&self, store: &Store) -> Result<(), KeepError> {
        self.refresh()?;
        for row in store.sealed_secrets().await? {
            self.open(&row.place(), &row.ciphertext)?;
        }
        Ok(())
    }

    /// How many were not sealed with the first key of the file.
    async fn seal_again(&self, store: &Store) -> Result<u64, KeepError> {
        let mut done = 0;
        for row in store.sealed_secrets().await? {
            if self.is_newest(&row.place(), &row.ciphertext)? {
                continue;
            }
            self.replace(store, &row).await?;
            done += 1;
        }
        Ok(done)
    }

    async fn replace(&self, store: &Store, row: &SealedSecret) -> Result<(), KeepError> {
        let plain = self.open(&row.place(), &row.ciphertext)?;
        let sealed = self.seal(&row.place(), &plain)?;
        // one that changed meanwhile is met again in the next round
        store.swap_secret(row, &sealed, Time::now()).await?;
        Ok(())
    }
}
