//! The key file: one key of 64 hexadecimal digits per line. The first one seals, every one opens,
//! so that a change of the key can be carried out while managers work.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::KeyInit;
use zeroize::Zeroizing;

use super::SecretsError;

/// Names another key file than `private/secret.key`, for example on a medium that is taken away.
pub const KEY_FILE_ENV: &str = "P2PPOOL_KEY_FILE";
/// systemd puts credentials into the folder that this names (`LoadCredential=p2ppool.key:…`).
const CREDENTIALS_ENV: &str = "CREDENTIALS_DIRECTORY";
/// The credential's name.
const CREDENTIAL: &str = "p2ppool.key";
const KEY: usize = 32;
/// Keys in one file: the one in use, and those of changes that did not come to their end.
const KEYS_MAX: usize = 8;
/// Largest key file, bytes.
const FILE_MAX: u64 = 1024;

/// One key as it lies in the file.
pub(super) type Digits = Zeroizing<String>;

/// The keys of one file at one moment.
pub(super) struct Ring {
    /// The first seals.
    pub(super) keys: Vec<XChaCha20Poly1305>,
    /// Tells whether the file changed since.
    pub(super) stamp: Stamp,
}

/// Looks different after each change of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    changed: Option<SystemTime>,
    inode: u64,
    size: u64,
}

/// The file that is named by the environment, by systemd, or else `default`.
pub fn place(default: &Path) -> PathBuf {
    if let Some(named) = std::env::var_os(KEY_FILE_ENV) {
        return PathBuf::from(named);
    }
    std::env::var_os(CREDENTIALS_ENV)
        .map(|folder| PathBuf::from(folder).join(CREDENTIAL))
        .filter(|path| path.is_file())
        .unwrap_or_else(|| default.to_owned())
}

/// How the file looks now.
pub(super) fn stamp(path: &Path) -> Result<Stamp, SecretsError> {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(path).map_err(|source| file_error(path, source))?;
    Ok(Stamp { changed: found.modified().ok(), inode: found.ino(), size: found.len() })
}

/// Reads the file; refuses one that others may read.
pub(super) fn load(path: &Path) -> Result<Ring, SecretsError> {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::metadata(path).map_err(|source| file_error(path, source))?;
    // systemd shows credentials with the group's read bit, and guards the folder itself
    let foreign = if path.ends_with(CREDENTIAL) { 0o037 } else { 0o077 };
    if found.permissions().mode() & foreign != 0 {
        return Err(SecretsError::Open(path.to_owned()));
    }
    if found.len() > FILE_MAX {
        return Err(SecretsError::NotAKey(path.to_owned()));
    }
    let stamp = stamp(path)?;
    let keys = digits(path)?.iter().map(|digits| cipher(path, digits)).collect::<Result<Vec<_>, _>>()?;
    Ok(Ring { keys, stamp })
}

/// The keys as the file has them.
pub(super) fn digits(path: &Path) -> Result<Vec<Digits>, SecretsError> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new).map_err(|source| file_error(path, source))?;
    let keys: Vec<Digits> = text.split_whitespace().map(|word| Zeroizing::new(word.to_owned())).collect();
    if (1..=KEYS_MAX).contains(&keys.len()) { Ok(keys) } else { Err(SecretsError::NotAKey(path.to_owned())) }
}

/// Replaces the file, whole or not at all.
pub(super) fn write(path: &Path, keys: &[Digits]) -> Result<(), SecretsError> {
    let mut text = Zeroizing::new(String::with_capacity((2 * KEY + 1) * keys.len()));
    for key in keys {
        text.push_str(key);
        text.push('\n');
    }
    crate::folders::write_private(path, text.as_bytes()).map_err(|source| file_error(path, source))
}

/// A new random key.
pub(super) fn new_key() -> Result<Digits, SecretsError> {
    let mut key = Zeroizing::new([0u8; KEY]);
    getrandom::fill(&mut key[..]).map_err(|error| SecretsError::Random(error.to_string()))?;
    Ok(Zeroizing::new(hex::encode(&key[..])))
}

fn cipher(path: &Path, digits: &Digits) -> Result<XChaCha20Poly1305, SecretsError> {
    let not_a_key = || SecretsError::NotAKey(path.to_owned());
    let key = hex::decode(digits.as_str()).map(Zeroizing::new).map_err(|_| not_a_key())?;
    XChaCha20Poly1305::new_from_slice(&key).map_err(|_| not_a_key())
}

fn file_error(path: &Path, source: std::io::Error) -> SecretsError {
    SecretsError::File { path: path.to_owned(), source }
}
