//! Bundles (what a person uploads) and packages (what hosts unpack), both named by content.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Time;
use crate::pool::OverlayKindName;

/// SHA-256 of a bundle or package: 64 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, min_length = 64, max_length = 64)]
pub struct Digest(String);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(hex::encode(sha2::Sha256::digest(bytes)))
    }

    /// All 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

/// A text that is not 64 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a SHA-256 digest (64 lower-case hexadecimal digits)")]
pub struct DigestError(String);

impl std::str::FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let right = text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if right { Ok(Self(text.to_owned())) } else { Err(DigestError(text.chars().take(80).collect())) }
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// One file of a bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BundleFile {
    /// Path inside the archive, `/` between parts, never absolute, never with `..`.
    pub path: String,
    /// Unpacked size in bytes.
    pub size: u64,
    /// The archive marks it as executable, or it is an ELF or script file.
    pub executable: bool,
}

/// What is known of an uploaded bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bundle {
    /// SHA-256 of the uploaded archive.
    pub digest: Digest,
    /// The file name it was uploaded under, or `builtin` for the manager's own p2pnode.
    pub name: String,
    /// The overlay kind that recognised it.
    pub kind: OverlayKindName,
    /// Size of the archive in bytes.
    pub size: u64,
    /// Path of the program inside the archive.
    pub program: String,
    /// Version of the program where it can be told.
    pub version: Option<String>,
    /// Machine architecture of the program (`x86_64`, `aarch64`); `None` when it runs anywhere.
    pub arch: Option<String>,
    /// Every file, sorted by path.
    pub files: Vec<BundleFile>,
    /// When it was uploaded.
    pub created: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_64_lower_case_hex_digits() {
        let digest = Digest::of(b"");
        assert_eq!(digest.as_str(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(digest.as_str().parse::<Digest>().unwrap(), digest);
        assert!("E3B0".parse::<Digest>().is_err());
        assert!("../../etc/passwd".parse::<Digest>().is_err());
    }
}
