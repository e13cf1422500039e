//! Where the manager keeps what is not in the database.
//!
//! ```text
//! <data>/                 0700
//! ├── data/<pool>/        what people may fetch: logs.zip, data.zip
//! ├── bundles/<digest>    uploaded archives, by SHA-256
//! ├── hosts/<host>/       hosts of the demo, which are processes of this machine
//! ├── geo/                geolocation: geo-overrides.csv, DB-IP City Lite
//! ├── uploads/            archives on their way in; emptied at each start
//! └── private/            0700, files 0600; never served
//!     ├── secret.key      opens the secrets in the database
//!     ├── tls.d/              the certificate that the manager made
//!     ├── operator.key    the manager's own identity in overlays
//!     └── <pool>/         packages/<digest>.tgz, local/ (the local node)
//! ```

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use p2ppool_model::PoolName;

/// The manager's folders. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folders {
    root: PathBuf,
}

impl Folders {
    /// Creates what is missing under `root`. Everything is closed to other users of the machine.
    pub fn open(root: impl Into<PathBuf>) -> std::io::Result<Self> {
        let folders = Self { root: root.into() };
        private_folder(&folders.root)?;
        for folder in [folders.public_root(), folders.bundles(), folders.private_root()] {
            private_folder(&folder)?;
        }
        private_folder(&folders.uploads())?;
        Ok(folders)
    }

    /// Deletes what an earlier run left half uploaded; for the one manager that has the folder's lock.
    pub fn empty_uploads(&self) -> std::io::Result<()> {
        let uploads = self.uploads();
        if uploads.exists() {
            std::fs::remove_dir_all(&uploads)?;
        }
        private_folder(&uploads)
    }

    /// The folders of another process's manager: nothing is made, nothing changed.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The data folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the demo's hosts install.
    pub fn demo_hosts(&self) -> PathBuf {
        self.root.join("hosts")
    }

    /// Parent of all pools' public folders.
    pub fn public_root(&self) -> PathBuf {
        self.root.join("data")
    }

    /// What people may fetch of one pool.
    pub fn public(&self, pool: &PoolName) -> PathBuf {
        self.public_root().join(pool.as_str())
    }

    /// Uploaded archives, named by digest.
    pub fn bundles(&self) -> PathBuf {
        self.root.join("bundles")
    }

    /// Files that tell where addresses are.
    pub fn geo(&self) -> PathBuf {
        self.root.join("geo")
    }

    /// Archives on their way in.
    pub fn uploads(&self) -> PathBuf {
        self.root.join("uploads")
    }

    /// The certificate that the manager makes. No pool can be called like it: names have no dot.
    pub fn tls(&self) -> PathBuf {
        self.private_root().join("tls.d")
    }

    /// Parent of everything that is never served.
    pub fn private_root(&self) -> PathBuf {
        self.root.join("private")
    }

    /// What is never served of one pool. No pool can be called like a file beside it: names have no dot.
    pub fn private(&self, pool: &PoolName) -> PathBuf {
        self.private_root().join(pool.as_str())
    }

    /// The key that opens the secrets in the database.
    pub fn secret_key(&self) -> PathBuf {
        self.private_root().join("secret.key")
    }

    /// The manager's own identity in overlays.
    pub fn operator_key(&self) -> PathBuf {
        self.private_root().join("operator.key")
    }
}

/// Creates a folder (and those above it) that only its owner may enter.
pub fn private_folder(path: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Writes a file that only its owner may read, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write;
    let part = path.with_extension(format!("part{}", std::process::id()));
    let written = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part).and_then(
        |mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        },
    );
    let done = written.and_then(|()| std::fs::rename(&part, path));
    if done.is_err() {
        let _ = std::fs::remove_file(&part);
    }
    done
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn nobody_else_may_look_and_uploads_are_emptied() {
        let temp = tempfile::tempdir().unwrap();
        let folders = Folders::open(temp.path().join("data")).unwrap();
        for folder in [folders.root().to_owned(), folders.private_root(), folders.public_root(), folders.bundles()] {
            assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700, "{}", folder.display());
        }
        std::fs::write(folders.uploads().join("half"), "x").unwrap();
        write_private(&folders.secret_key(), b"k").unwrap();
        assert_eq!(folders.secret_key().metadata().unwrap().permissions().mode() & 0o777, 0o600);

        let again = Folders::open(temp.path().join("data")).unwrap();
        assert!(again.uploads().join("half").exists(), "another manager may be at it");
        again.empty_uploads().unwrap();
        assert!(!again.uploads().join("half").exists() && again.uploads().is_dir());
        assert_eq!(std::fs::read(again.secret_key()).unwrap(), b"k");
    }
}
