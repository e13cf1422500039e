//! SSH keys as text: reading, checking and making them.

use russh::keys::ssh_key::{self, LineEnding};
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PublicKey, decode_secret_key};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The longest key text, bytes: an RSA key of 16,384 bits has less than 13,000.
pub const KEY_TEXT_MAX: usize = 64 * 1024;

/// What is public about a private key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyInfo {
    /// `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`, …
    pub algorithm: String,
    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// The line for `authorized_keys`.
    pub public_key: String,
    /// The text is protected by a passphrase.
    pub encrypted: bool,
}

/// A key that was made here.
pub struct GeneratedKey {
    /// The private key in OpenSSH's form, without passphrase. A secret.
    pub private: Zeroizing<String>,
    /// Its public side.
    pub info: KeyInfo,
}

impl std::fmt::Debug for GeneratedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "GeneratedKey({})", self.info.fingerprint)
    }
}

/// Why a text can't be used as a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Encrypted, and no passphrase was given.
    #[error("the key is encrypted: give its passphrase")]
    PassphraseNeeded,
    /// Encrypted with another passphrase.
    #[error("the passphrase is wrong")]
    PassphraseWrong,
    /// The public half.
    #[error("this is a public key: the private one is needed (the file without `.pub`)")]
    PublicKey,
    /// A certificate where a private key is needed.
    #[error("this is a certificate: the private key that it was made for is needed, too")]
    CertificateOnly,
    /// Lives in a hardware token.
    #[error("keys of type {0} live in a hardware token: use them through an ssh-agent")]
    HardwareKey(String),
    /// An algorithm that modern servers refuse or that isn't known here.
    #[error("keys of type {0} can't be used: use ed25519, ecdsa or rsa")]
    Unsupported(String),
    /// A private key by its first line, but damaged.
    #[error("the private key can't be read: {0}")]
    Damaged(String),
    /// Anything else.
    #[error(
        "this is not a private key: it should begin with `-----BEGIN OPENSSH PRIVATE KEY-----` or another `PRIVATE KEY`"
    )]
    NotAKey,
    /// Longer than any key.
    #[error("this is not a private key: longer than {KEY_TEXT_MAX} bytes")]
    TooLong,
    /// Not an OpenSSH certificate line.
    #[error("this is not an OpenSSH user certificate: {0}")]
    NotACertificate(String),
    /// Key and certificate don't belong together.
    #[error("the certificate was made for another key")]
    CertificateOfAnotherKey,
}

/// Reads a private key and tells what is public about it.
pub fn check_key(text: &str, passphrase: Option<&str>) -> Result<KeyInfo, KeyError> {
    let key = read_key(text, passphrase)?;
    info(&key, is_encrypted(text))
}

/// Makes an ed25519 key.
pub fn generate_key() -> Result<GeneratedKey, KeyError> {
    let damaged = |e: ssh_key::Error| KeyError::Damaged(e.to_string());
    let key = PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519).map_err(damaged)?;
    let private = key.to_openssh(LineEnding::LF).map_err(damaged)?;
    Ok(GeneratedKey { private, info: info(&key, false)? })
}

/// The fingerprint (`SHA256:…`) of a public key in OpenSSH's one-line form.
pub fn fingerprint(public_key: &str) -> Result<String, KeyError> {
    Ok(fingerprint_of(&read_public_key(public_key)?))
}

pub(crate) fn fingerprint_of(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

/// Reads `algorithm base64 [comment]`.
pub(crate) fn read_public_key(line: &str) -> Result<PublicKey, KeyError> {
    PublicKey::from_openssh(line.trim()).map_err(|e| KeyError::Damaged(e.to_string()))
}

/// `algorithm base64`, without a comment.
pub(crate) fn public_line(key: &PublicKey) -> Result<String, KeyError> {
    let bare = PublicKey::new(key.key_data().clone(), "");
    let line = bare.to_openssh().map_err(|e| KeyError::Damaged(e.to_string()))?;
    Ok(line.trim_end().to_owned())
}

pub(crate) fn read_key(text: &str, passphrase: Option<&str>) -> Result<PrivateKey, KeyError> {
    if text.len() > KEY_TEXT_MAX {
        return Err(KeyError::TooLong);
    }
    // pasted keys come with CRLF and blanks around their lines
    let text = Zeroizing::new(text.lines().map(str::trim).collect::<Vec<_>>().join("\n"));
    refuse_other_texts(&text)?;
    let encrypted = is_encrypted(&text);
    let passphrase = passphrase.filter(|p| !p.is_empty());
    if encrypted && passphrase.is_none() {
        return Err(KeyError::PassphraseNeeded);
    }
    let key = decode_secret_key(&text, passphrase.filter(|_| encrypted)).map_err(|e| unreadable(e, encrypted))?;
    let name = key.algorithm().as_str().to_owned();
    match key.algorithm() {
        Algorithm::Ed25519 | Algorithm::Rsa { .. } | Algorithm::Ecdsa { .. } => Ok(key),
        Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256 => Err(KeyError::HardwareKey(name)),
        _ => Err(KeyError::Unsupported(name)),
    }
}

pub(crate) fn read_certificate(text: &str) -> Result<Certificate, KeyError> {
    if text.len() > KEY_TEXT_MAX {
        return Err(KeyError::TooLong);
    }
    let certificate = Certificate::from_openssh(text.trim()).map_err(|e| KeyError::NotACertificate(e.to_string()))?;
    if !certificate.cert_type().is_user() {
        return Err(KeyError::NotACertificate("it is a host certificate".into()));
    }
    Ok(certificate)
}

fn info(key: &PrivateKey, encrypted: bool) -> Result<KeyInfo, KeyError> {
    Ok(KeyInfo {
        algorithm: key.public_key().algorithm().as_str().to_owned(),
        fingerprint: fingerprint_of(key.public_key()),
        public_key: public_line(key.public_key())?,
        encrypted,
    })
}

/// Names the texts that people give by mistake.
fn refuse_other_texts(text: &str) -> Result<(), KeyError> {
    let first = text.lines().find(|line| !line.is_empty()).unwrap_or_default();
    let word = first.split_whitespace().next().unwrap_or_default();
    if word.ends_with("-cert-v01@openssh.com") {
        return Err(KeyError::CertificateOnly);
    }
    let public = ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start));
    if public || text.contains("BEGIN PUBLIC KEY-----") || text.contains("---- BEGIN SSH2 PUBLIC KEY ----") {
        return Err(KeyError::PublicKey);
    }
    if text.contains("PRIVATE KEY-----") || first.starts_with("PuTTY-User-Key-File-") {
        Ok(())
    } else {
        Err(KeyError::NotAKey)
    }
}

fn is_encrypted(text: &str) -> bool {
    if text.contains("BEGIN OPENSSH PRIVATE KEY-----") {
        return PrivateKey::from_openssh(text).is_ok_and(|key| key.is_encrypted());
    }
    let putty = text.lines().find_map(|line| line.strip_prefix("Encryption:")).is_some_and(|how| how.trim() != "none");
    text.contains("BEGIN ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED") || putty
}

fn unreadable(error: russh::keys::Error, encrypted: bool) -> KeyError {
    if encrypted {
        // a wrong passphrase shows as a wrong checksum or padding, in a way of its own for each form
        return KeyError::PassphraseWrong;
    }
    KeyError::Damaged(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encrypted(passphrase: &str) -> String {
        let key = read_key(&generate_key().unwrap().private, None).unwrap();
        let key = key.encrypt(&mut russh::keys::key::safe_rng(), passphrase).unwrap();
        key.to_openssh(LineEnding::LF).unwrap().to_string()
    }

    #[test]
    fn a_made_key_is_read_back() {
        let made = generate_key().unwrap();
        let info = check_key(&made.private, None).unwrap();
        assert_eq!(info, made.info);
        assert_eq!(info.algorithm, "ssh-ed25519");
        assert!(info.fingerprint.starts_with("SHA256:") && info.public_key.starts_with("ssh-ed25519 AAAA"));
        assert_eq!(fingerprint(&info.public_key).unwrap(), info.fingerprint);
        assert!(!info.encrypted && !format!("{made:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_pasted_key_with_crlf_and_blanks_is_read() {
        let made = generate_key().unwrap();
        let pasted = format!("\r\n  {}\r\n", made.private.replace('\n', "  \r\n  "));
        assert_eq!(check_key(&pasted, Some("")).unwrap().fingerprint, made.info.fingerprint);
    }

    #[test]
    fn an_encrypted_key_needs_its_passphrase() {
        let text = encrypted("right");
        assert_eq!(check_key(&text, None), Err(KeyError::PassphraseNeeded));
        assert_eq!(check_key(&text, Some("")), Err(KeyError::PassphraseNeeded));
        assert_eq!(check_key(&text, Some("wrong")), Err(KeyError::PassphraseWrong));
        assert!(check_key(&text, Some("right")).unwrap().encrypted);
    }

    #[test]
    fn other_texts_are_named() {
        let made = generate_key().unwrap();
        assert_eq!(check_key(&made.info.public_key, None), Err(KeyError::PublicKey));
        assert_eq!(check_key("hello", None), Err(KeyError::NotAKey));
        assert_eq!(check_key("", None), Err(KeyError::NotAKey));
        assert_eq!(check_key(&"x".repeat(KEY_TEXT_MAX + 1), None), Err(KeyError::TooLong));
        assert_eq!(check_key("-----BEGIN CERTIFICATE-----\nAAAA", None), Err(KeyError::NotAKey));
        assert_eq!(check_key("ssh-ed25519-cert-v01@openssh.com AAAA x", None), Err(KeyError::CertificateOnly));
    }

    #[test]
    fn a_cut_key_is_damaged() {
        let made = generate_key().unwrap();
        let cut = &made.private[..made.private.len() / 2];
        assert!(matches!(check_key(cut, None), Err(KeyError::Damaged(_))), "{:?}", check_key(cut, None));
    }
}
