//! Secrets at rest: SSH keys and network secrets are sealed with a key that is not in the database.
//!
//! XChaCha20-Poly1305; the place a secret belongs to (scope and name) is authenticated with it, so
//! a sealed text that is moved to another row does not open. Form: one byte version, 24 bytes
//! nonce, ciphertext and tag.

mod ring;
mod rotate;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use p2ppool_model::Time;
use p2ppool_model::ssh::JumpHost;
use p2ppool_store::{SecretScope, Store, StoreError};
use zeroize::Zeroizing;

use ring::Ring;
pub use ring::{KEY_FILE_ENV, place as key_file};
pub use rotate::Rotated;

const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Seals and opens. Shows nothing of its keys. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<Inner>);

struct Inner {
    path: PathBuf,
    ring: RwLock<Ring>,
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secrets(..)")
    }
}

/// What can go wrong with the key or a sealed text.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The key file can't be read or made.
    #[error("key file {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The key file is not one of ours.
    #[error("key file {0}: must hold 64 hexadecimal digits per line, one to eight lines")]
    NotAKey(PathBuf),
    /// Others may read the key file.
    #[error("key file {0}: other users may read it; run `chmod 600` on it")]
    Open(PathBuf),
    /// The sealed text was changed, moved, or sealed with another key.
    #[error("open the secret {0}: it was sealed with another key file, or damaged")]
    Sealed(String),
    /// Secrets are stored faster than they can be sealed again.
    #[error(
        "the key was not changed for good: secrets are being stored all the time; the old key still opens; try again"
    )]
    Busy,
    /// The machine gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
}

impl Secrets {
    /// The keys of `path`, or of the file that [`KEY_FILE_ENV`] or systemd names; made at the first start.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretsError> {
        let path = ring::place(path);
        let is_new = matches!(path.try_exists(), Ok(false));
        if is_new {
            ring::write(&path, &[ring::new_key()?])?;
        }
        let ring = RwLock::new(ring::load(&path)?);
        Ok(Self(Arc::new(Inner { path, ring })))
    }

    /// The key file.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Seals `plain` for one place, such as `pool/3/ssh_key`, with the newest key.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SecretsError> {
        self.refresh()?;
        let mut nonce = [0u8; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| SecretsError::Random(error.to_string()))?;
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let ring = self.0.ring.read().unwrap_or_else(PoisonError::into_inner);
        let sealed =
            ring.keys[0].encrypt(&XNonce::from(nonce), payload).map_err(|_| SecretsError::Sealed(place.to_owned()))?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// Opens what was sealed for this place. The key file is read again when no known key does.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        if let Some(plain) = self.open_with(place, sealed, usize::MAX)? {
            return Ok(plain);
        }
        self.refresh()?;
        self.open_with(place, sealed, usize::MAX)?.ok_or_else(|| SecretsError::Sealed(place.to_owned()))
    }

    /// It was sealed with the key that seals now.
    fn is_newest(&self, place: &str, sealed: &[u8]) -> Result<bool, SecretsError> {
        self.refresh()?;
        Ok(self.open_with(place, sealed, 1)?.is_some())
    }

    /// Tries the first `keys` of the file.
    fn open_with(&self, place: &str, sealed: &[u8], keys: usize) -> Result<Option<Zeroizing<Vec<u8>>>, SecretsError> {
        let damaged = || SecretsError::Sealed(place.to_owned());
        let (version, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(damaged());
        }
        let ring = self.0.ring.read().unwrap_or_else(PoisonError::into_inner);
        let open = |key: &XChaCha20Poly1305| {
            let payload = Payload { msg: text, aad: place.as_bytes() };
            key.decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
        };
        Ok(ring.keys.iter().take(keys).find_map(open))
    }

    /// Reads the key file again when it changed.
    fn refresh(&self) -> Result<(), SecretsError> {
        let known = self.0.ring.read().unwrap_or_else(PoisonError::into_inner).stamp;
        if ring::stamp(&self.0.path)? != known {
            let fresh = ring::load(&self.0.path)?;
            *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        }
        Ok(())
    }
}

/// The private key with which a pool's hosts are reached.
pub const SSH_KEY: &str = "ssh_key";
/// The passphrase of that key, when it has one.
pub const SSH_PASSPHRASE: &str = "ssh_passphrase";
/// The OpenSSH user certificate made for that key, when there is one.
pub const SSH_CERTIFICATE: &str = "ssh_certificate";
/// The key that a rotation has not yet taken off every host.
pub const PREVIOUS_SSH_KEY: &str = "previous_ssh_key";
/// The passphrase of that key, when it has one.
pub const PREVIOUS_SSH_PASSPHRASE: &str = "previous_ssh_passphrase";
/// The private key for the pool's jump hosts, when it isn't that of the hosts. One of them has its own under this
/// name with its place behind it, see [`of_jump`].
pub const JUMP_KEY: &str = "jump_key";
/// The passphrase of that key, when it has one.
pub const JUMP_PASSPHRASE: &str = "jump_passphrase";
/// The OpenSSH user certificate made for that key, when there is one.
pub const JUMP_CERTIFICATE: &str = "jump_certificate";

/// Names of the key, passphrase and certificate of one jump host alone.
pub fn of_jump(jump: &JumpHost) -> [String; 3] {
    let (address, port) = jump.key();
    [JUMP_KEY, JUMP_PASSPHRASE, JUMP_CERTIFICATE].map(|name| format!("{name}/{address}/{port}"))
}
/// The secret that all nodes of a pool share.
pub const NETWORK_SECRET: &str = "network_secret";

/// A secret that can't be stored or fetched.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It does not open.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Secrets {
    /// Seals a secret and stores it.
    pub async fn put(&self, store: &Store, scope: SecretScope, name: &str, plain: &[u8]) -> Result<(), KeepError> {
        let sealed = self.seal(&format!("{scope}/{name}"), plain)?;
        Ok(store.put_secret(scope, name, &sealed, Time::now()).await?)
    }

    /// Seals and stores (`Some`) and forgets (`None`) several secrets: all of them, or none.
    pub async fn change(
        &self,
        store: &Store,
        scope: SecretScope,
        changes: &[(&str, Option<&[u8]>)],
    ) -> Result<(), KeepError> {
        let mut sealed = Vec::with_capacity(changes.len());
        for (name, plain) in changes {
            let seal = |plain: &&[u8]| self.seal(&format!("{scope}/{name}"), plain);
            sealed.push((*name, plain.as_ref().map(seal).transpose()?));
        }
        Ok(store.change_secrets(scope, &sealed, Time::now()).await?)
    }

    /// Fetches a secret and opens it.
    pub async fn get(
        &self,
        store: &Store,
        scope: SecretScope,
        name: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, KeepError> {
        match store.secret(scope, name).await? {
            Some(sealed) => Ok(Some(self.open(&format!("{scope}/{name}"), &sealed)?)),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_opens_only_with_its_key_and_in_its_place() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("secret.key");
        let secrets = Secrets::load_or_create(&path).unwrap();
        let sealed = secrets.seal("pool/1/ssh_key", b"hidden").unwrap();
        assert!(!sealed.windows(6).any(|w| w == b"hidden"));

        let again = Secrets::load_or_create(&path).unwrap();
        assert_eq!(&again.open("pool/1/ssh_key", &sealed).unwrap()[..], b"hidden");
        assert!(again.open("pool/2/ssh_key", &sealed).is_err());
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(again.open("pool/1/ssh_key", &changed).is_err());
        assert!(again.open("pool/1/ssh_key", &[1, 2]).is_err());

        let other = Secrets::load_or_create(&temp.path().join("other.key")).unwrap();
        assert!(other.open("pool/1/ssh_key", &sealed).is_err());
        assert_eq!(format!("{other:?}"), "Secrets(..)");
    }

    #[test]
    fn a_key_file_that_others_may_read_or_that_is_none_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("secret.key");
        Secrets::load_or_create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Secrets::load_or_create(&path), Err(SecretsError::Open(_))));
        std::fs::write(&path, "no key").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Secrets::load_or_create(&path), Err(SecretsError::NotAKey(_))));
    }

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn a_rotation_seals_everything_again_and_forgets_the_old_key() {
        for fresh in [p2ppool_store::testing::sqlite().await, p2ppool_store::testing::postgres().await] {
            let store = &fresh.store;
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path().join("secret.key");
            let secrets = Secrets::load_or_create(&path).unwrap();
            // another manager, which learns of the change only from the file
            let other = Secrets::load_or_create(&path).unwrap();
            let scope = SecretScope::Manager;
            for name in ["a", "b", "c"] {
                secrets.put(store, scope, name, name.as_bytes()).await.unwrap();
            }
            let before = (lines(&path), store.sealed_secrets().await.unwrap());

            assert_eq!(secrets.rotate(store).await.unwrap(), Rotated { secrets: 3, forgotten: 1 });
            assert_eq!(lines(&path).len(), 1);
            assert_ne!(lines(&path), before.0);
            for row in before.1 {
                assert!(secrets.open(&row.place(), &row.ciphertext).is_err(), "{row:?} opens with a forgotten key");
            }
            assert_eq!(&other.get(store, scope, "b").await.unwrap().unwrap()[..], b"b");
            other.put(store, scope, "d", b"d").await.unwrap();
            assert_eq!(&secrets.get(store, scope, "d").await.unwrap().unwrap()[..], b"d");
        }
    }

    #[tokio::test]
    async fn a_rotation_that_was_cut_short_is_taken_up_by_the_next_one() {
        let fresh = p2ppool_store::testing::sqlite().await;
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("secret.key");
        let secrets = Secrets::load_or_create(&path).unwrap();
        let scope = SecretScope::Manager;
        secrets.put(&fresh.store, scope, "old", b"1").await.unwrap();
        // the manager died after it had put the new key on top and sealed one of two secrets with it
        let both = [ring::new_key().unwrap(), ring::digits(&path).unwrap().remove(0)];
        ring::write(&path, &both).unwrap();
        secrets.put(&fresh.store, scope, "new", b"2").await.unwrap();

        assert_eq!(secrets.rotate(&fresh.store).await.unwrap(), Rotated { secrets: 2, forgotten: 2 });
        assert_eq!(&secrets.get(&fresh.store, scope, "old").await.unwrap().unwrap()[..], b"1");
        assert_eq!(&secrets.get(&fresh.store, scope, "new").await.unwrap().unwrap()[..], b"2");
    }

    #[tokio::test]
    async fn a_rotation_that_meets_a_secret_of_an_unknown_key_keeps_every_key() {
        let fresh = p2ppool_store::testing::sqlite().await;
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("secret.key");
        let secrets = Secrets::load_or_create(&path).unwrap();
        let foreign = Secrets::load_or_create(&temp.path().join("foreign.key")).unwrap();
        secrets.put(&fresh.store, SecretScope::Manager, "ours", b"1").await.unwrap();
        foreign.put(&fresh.store, SecretScope::Manager, "theirs", b"2").await.unwrap();

        let error = secrets.rotate(&fresh.store).await.unwrap_err().to_string();
        assert!(error.contains("manager/theirs"), "{error}");
        assert_eq!(&secrets.get(&fresh.store, SecretScope::Manager, "ours").await.unwrap().unwrap()[..], b"1");
    }
}
