//! Secrets at rest: SSH keys and network secrets are sealed with a key that is not in the database.
//!
//! XChaCha20-Poly1305; the place a secret belongs to (scope and name) is authenticated with it, so
//! a sealed text that is moved to another row does not open. Form: one byte version, 24 bytes
//! nonce, ciphertext and tag.

use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use p2ppool_model::Time;
use p2ppool_store::{SecretScope, Store, StoreError};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const NONCE: usize = 24;
const KEY: usize = 32;
/// Names another key file than `private/secret.key`, for example on a medium that is taken away.
pub const KEY_FILE_ENV: &str = "P2PPOOL_KEY_FILE";

/// Seals and opens. Shows nothing of its key.
#[derive(Clone)]
pub struct Secrets(XChaCha20Poly1305);

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
    #[error("key file {0}: must hold exactly 64 hexadecimal digits")]
    NotAKey(PathBuf),
    /// Others may read the key file.
    #[error("key file {0}: other users may read it; run `chmod 600` on it")]
    Open(PathBuf),
    /// The sealed text was changed, moved, or sealed with another key.
    #[error("open the secret {0}: it was sealed with another key file, or damaged")]
    Sealed(String),
    /// The machine gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
}

impl Secrets {
    /// The key of `path`, or of the file that [`KEY_FILE_ENV`] names; made at the first start.
    pub fn load_or_create(path: &Path) -> Result<Self, SecretsError> {
        let path = std::env::var_os(KEY_FILE_ENV).map_or_else(|| path.to_owned(), PathBuf::from);
        match std::fs::metadata(&path) {
            Ok(found) => Self::load(&path, &found),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(&path),
            Err(source) => Err(SecretsError::File { path, source }),
        }
    }

    fn load(path: &Path, found: &std::fs::Metadata) -> Result<Self, SecretsError> {
        use std::os::unix::fs::PermissionsExt;
        if found.permissions().mode() & 0o077 != 0 {
            return Err(SecretsError::Open(path.to_owned()));
        }
        let not_a_key = || SecretsError::NotAKey(path.to_owned());
        if found.len() > 1024 {
            return Err(not_a_key());
        }
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| SecretsError::File { path: path.to_owned(), source })?;
        let key = hex::decode(text.trim()).map(Zeroizing::new).map_err(|_| not_a_key())?;
        XChaCha20Poly1305::new_from_slice(&key).map(Self).map_err(|_| not_a_key())
    }

    fn create(path: &Path) -> Result<Self, SecretsError> {
        let mut key = Zeroizing::new([0u8; KEY]);
        getrandom::fill(&mut key[..]).map_err(|error| SecretsError::Random(error.to_string()))?;
        let text = Zeroizing::new(hex::encode(&key[..]) + "\n");
        crate::folders::write_private(path, text.as_bytes())
            .map_err(|source| SecretsError::File { path: path.to_owned(), source })?;
        XChaCha20Poly1305::new_from_slice(&key[..]).map(Self).map_err(|_| SecretsError::NotAKey(path.to_owned()))
    }

    /// Seals `plain` for one place, such as `pool/3/ssh_key`.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, SecretsError> {
        let mut nonce = [0u8; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| SecretsError::Random(error.to_string()))?;
        let payload = Payload { msg: plain, aad: place.as_bytes() };
        let sealed =
            self.0.encrypt(&XNonce::from(nonce), payload).map_err(|_| SecretsError::Sealed(place.to_owned()))?;
        Ok([&[VERSION][..], &nonce, &sealed].concat())
    }

    /// Opens what was sealed for this place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SecretsError> {
        let damaged = || SecretsError::Sealed(place.to_owned());
        let (version, rest) = sealed.split_first().ok_or_else(damaged)?;
        let (nonce, text) = rest.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        if *version != VERSION {
            return Err(damaged());
        }
        let payload = Payload { msg: text, aad: place.as_bytes() };
        self.0.decrypt(&XNonce::from(*nonce), payload).map(Zeroizing::new).map_err(|_| damaged())
    }
}

/// The private key with which a pool's hosts are reached.
pub const SSH_KEY: &str = "ssh_key";
/// The passphrase of that key, when it has one.
pub const SSH_PASSPHRASE: &str = "ssh_passphrase";
/// The OpenSSH user certificate made for that key, when there is one.
pub const SSH_CERTIFICATE: &str = "ssh_certificate";
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
}
