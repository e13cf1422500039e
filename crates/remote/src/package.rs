//! What is uploaded to hosts.

use bytes::Bytes;
use p2ppool_model::Digest;

/// A package (`install.tgz`): one copy in memory, shared by all the hosts it goes to.
#[derive(Clone, Debug)]
pub struct Package {
    /// SHA-256 of `bytes`, the name of the release on hosts.
    pub digest: Digest,
    /// The archive.
    pub bytes: Bytes,
}

impl Package {
    /// A package of these bytes, named by their digest.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { digest: Digest::of(&bytes), bytes }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }
}
