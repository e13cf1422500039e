//! Everything that a manager keeps, in one file; and a manager from such a file.
//!
//! ```text
//! tar, gzip, then optionally age (passphrase or recipients)
//! ├── manifest.json       what this is; first, so that a restore can refuse at once
//! ├── database            of one instant
//! ├── data/… bundles/… private/…
//! └── digests.json        SHA-256 of each file before it; last, so that a cut file is noticed
//! ```

mod archive;
mod restore;
mod seal;

use std::path::PathBuf;

use p2ppool_model::Time;
use p2ppool_store::StoreError;
use p2ppool_store::backup::DatabaseKind;
use serde::{Deserialize, Serialize};

pub use archive::{Made, make};
pub use restore::{Restored, restore};
pub use seal::{Opening, Sealing};

/// Form of the file.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const DATABASE: &str = "database";
const DIGESTS: &str = "digests.json";
/// Folders of the data folder that a backup holds.
const FOLDERS: [&str; 3] = ["data", "bundles", "private"];

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Form of the file.
    pub format: u32,
    /// Version of the p2ppool that made it.
    pub version: String,
    /// When.
    pub created: Time,
    /// Which database.
    pub database: DatabaseKind,
    /// The key that opens the secrets is in it; else it lies elsewhere and must be there after a restore.
    pub has_key: bool,
}

/// Why a backup or restore did not come to its end. Nothing half done is left behind.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file of ours.
    #[error("{tried} {path}: {source}")]
    File {
        /// "read", "write", …
        tried: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file is not a backup, is damaged, or was changed.
    #[error("{path} can't be restored: {why}")]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// There is something already where a restore would write.
    #[error("{path} is not empty; restore into a folder that is new, or move this one away")]
    NotEmpty {
        /// The data folder.
        path: PathBuf,
    },
    /// A backup of one kind of database can't fill another.
    #[error("the backup is of {backup}, but --database names {database}; restore it into {backup}")]
    OtherDatabase {
        /// In the backup.
        backup: DatabaseKind,
        /// Where it should go.
        database: DatabaseKind,
    },
    /// The passphrase, recipient or identity.
    #[error("{0}")]
    Seal(String),
}

impl BackupError {
    fn file(tried: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { tried, path, source }
    }
}
