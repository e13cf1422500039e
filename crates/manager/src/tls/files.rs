//! A certificate chain and its key, from PEM files.

use std::path::Path;

use anyhow::Context as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use sha2::{Digest as _, Sha256};

/// Largest file that is read, bytes: a chain of many certificates.
const FILE_MAX: u64 = 1024 * 1024;

/// SHA-256 of a certificate's file and of its key's: times of files are too coarse to tell two writes apart.
pub(super) type Digest = [[u8; 32]; 2];

/// What the files hold now; nothing if one can't be read.
pub(super) fn digest(cert: &Path, key: &Path) -> Option<Digest> {
    let of = |path: &Path| Some(Sha256::digest(read_bounded(path).ok()?).into());
    Some([of(cert)?, of(key)?])
}

/// Reads both and checks that they belong together.
pub(super) fn read(cert: &Path, key: &Path) -> anyhow::Result<CertifiedKey> {
    let text = read_bounded(cert)?;
    let chain = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| anyhow::anyhow!("{}: not a PEM certificate: {error:?}", cert.display()))?;
    anyhow::ensure!(!chain.is_empty(), "{}: holds no certificate", cert.display());
    let text = read_bounded(key)?;
    let secret = PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| anyhow::anyhow!("{}: holds no private key in PEM form without passphrase", key.display()))?;
    let signing = rustls::crypto::ring::sign::any_supported_type(&secret)
        .with_context(|| format!("{}: not a key that TLS can use", key.display()))?;
    let both = CertifiedKey::new(chain, signing);
    match both.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(both),
        Err(error) => anyhow::bail!("{} is not the key of {}: {error}", key.display(), cert.display()),
    }
}

fn read_bounded(path: &Path) -> anyhow::Result<Vec<u8>> {
    let about = std::fs::metadata(path).with_context(|| format!("read {}", path.display()))?;
    anyhow::ensure!(about.len() <= FILE_MAX, "{}: larger than any certificate ({FILE_MAX} bytes)", path.display());
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}
