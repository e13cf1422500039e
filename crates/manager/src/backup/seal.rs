//! Encryption of a backup with age (age-encryption.org/v1), so that any age program can open it.

use std::io::{Read, Write};
use std::iter::once;
use std::str::FromStr;

use age::secrecy::SecretString;
use age::{Decryptor, Encryptor, Identity, Recipient};

use super::BackupError;

/// Recipients of one backup.
const RECIPIENTS_MAX: usize = 32;

/// For whom a backup is sealed.
#[derive(Debug)]
pub enum Sealing {
    /// For nobody: whoever has the file has everything.
    Open,
    /// For who knows the passphrase.
    Passphrase(SecretString),
    /// For the holders of these keys (`age1…`).
    Recipients(Vec<age::x25519::Recipient>),
}

/// With what a backup is opened.
pub enum Opening {
    /// It is not sealed.
    Open,
    /// A passphrase.
    Passphrase(SecretString),
    /// Private keys (`AGE-SECRET-KEY-1…`).
    Identities(Vec<age::x25519::Identity>),
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opening(..)")
    }
}

impl Sealing {
    /// Recipients by their public keys.
    pub fn recipients(keys: &[String]) -> Result<Self, BackupError> {
        if keys.len() > RECIPIENTS_MAX {
            return Err(BackupError::Seal(format!("at most {RECIPIENTS_MAX} recipients")));
        }
        let parse = |key: &String| {
            age::x25519::Recipient::from_str(key).map_err(|why| BackupError::Seal(format!("recipient `{key}`: {why}")))
        };
        Ok(Self::Recipients(keys.iter().map(parse).collect::<Result<_, _>>()?))
    }

    /// Lets `write` write through the encryption, and ends it.
    pub(super) fn around<W: Write>(
        &self,
        out: W,
        write: impl FnOnce(&mut dyn Write) -> Result<(), BackupError>,
    ) -> Result<W, BackupError> {
        let refused = |why: age::EncryptError| BackupError::Seal(why.to_string());
        let encryptor = match self {
            Self::Open => {
                let mut out = out;
                write(&mut out)?;
                return Ok(out);
            }
            Self::Passphrase(passphrase) => Encryptor::with_user_passphrase(passphrase.clone()),
            Self::Recipients(keys) => {
                Encryptor::with_recipients(keys.iter().map(|key| key as &dyn Recipient)).map_err(refused)?
            }
        };
        let failed = |why: std::io::Error| BackupError::Seal(format!("encrypt: {why}"));
        let mut sealed = encryptor.wrap_output(out).map_err(failed)?;
        write(&mut sealed)?;
        sealed.finish().map_err(failed)
    }
}

impl Opening {
    /// Private keys of an age identity file: one per line, `#` begins a comment.
    pub fn identities(text: &str) -> Result<Self, BackupError> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys = lines
            .map(|line| {
                age::x25519::Identity::from_str(line).map_err(|why| BackupError::Seal(format!("identity: {why}")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            Err(BackupError::Seal("the identity file has no key".to_owned()))
        } else {
            Ok(Self::Identities(keys))
        }
    }

    /// The plain bytes behind `sealed`.
    pub(super) fn open<R: Read + 'static>(&self, sealed: R) -> Result<Box<dyn Read>, BackupError> {
        let refused = |why: age::DecryptError| BackupError::Seal(format!("decrypt: {why}"));
        Ok(match self {
            Self::Open => Box::new(sealed),
            Self::Passphrase(passphrase) => {
                let key = age::scrypt::Identity::new(passphrase.clone());
                Box::new(
                    Decryptor::new(sealed).map_err(refused)?.decrypt(once(&key as &dyn Identity)).map_err(refused)?,
                )
            }
            Self::Identities(keys) => {
                let keys = keys.iter().map(|key| key as &dyn Identity);
                Box::new(Decryptor::new(sealed).map_err(refused)?.decrypt(keys).map_err(refused)?)
            }
        })
    }
}
