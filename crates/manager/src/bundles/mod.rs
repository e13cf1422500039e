//! Uploaded software by digest, the built-in p2pnode, and the packages made of them.

mod builtin;
mod keep;
mod package;

use std::io;
use std::path::PathBuf;

use p2ppool_model::Digest;
use p2ppool_model::pool::{OverlayKindName, SettingError};
use p2ppool_overlay::bundle::BundleError;
use p2ppool_store::StoreError;

pub use builtin::{BUILTIN_NAME, Builtin, NodeSource};
pub use keep::{Bundles, Software};
pub(crate) use package::pack;
pub use package::{Packages, build};

/// Why there is no usable software.
#[derive(Debug, thiserror::Error)]
pub enum BundlesError {
    /// The archive is refused.
    #[error("the bundle `{name}` can't be used: {source}")]
    Refused {
        /// Name under which it was uploaded.
        name: String,
        /// Why.
        source: BundleError,
    },
    /// No kind of this build knows it.
    #[error("this version of the manager has no overlay kind `{}`", .0.as_str())]
    NoKind(OverlayKindName),
    /// The manager carries no p2pnode and finds none.
    #[error(
        "no p2pnode was found: looked at {looked_at}; put it beside the manager, name it with --node-binary, \
         or upload it as a bundle"
    )]
    NoBuiltin {
        /// Every place.
        looked_at: String,
    },
    /// A p2pnode that is there can't be used.
    #[error("the p2pnode {path} can't be used: {reason}")]
    BadBuiltin {
        /// Where it is.
        path: String,
        /// Why not.
        reason: String,
    },
    /// The stored archive is gone or changed.
    #[error("the archive of bundle {} is not what was uploaded ({reason}); upload it again", .digest.short())]
    Damaged {
        /// Its digest.
        digest: Digest,
        /// What was found.
        reason: String,
    },
    /// A file of the manager can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A setting of the pool can't be put into a package.
    #[error(transparent)]
    Setting(#[from] SettingError),
    /// Other managers can't be given a file, or have none to give.
    #[error("share the bundle with other managers: {0:#}")]
    Shared(anyhow::Error),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl BundlesError {
    pub(crate) fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { path: path.into(), source }
    }
}
