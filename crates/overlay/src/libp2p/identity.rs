//! The key pair that a node, or the manager, is known by.
//!
//! The file holds the key pair in libp2p's protobuf encoding (ed25519). It is made once; a file that
//! can't be read is an error and never replaced, because a node with a new key is another node.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use libp2p::PeerId;
use libp2p::identity::Keypair;

/// Longest key file that is read; an ed25519 one has 68 bytes.
const FILE_BYTES_MAX: u64 = 4096;
/// Only the owner may read and write it.
const FILE_MODE: u32 = 0o600;

/// A key pair and the peer id that follows from it.
#[derive(Clone)]
pub struct Identity {
    keypair: Keypair,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Identity").field(&self.peer_id()).finish()
    }
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The file is there, but it isn't a key.
    #[error(
        "identity file {}: {reason}; restore it from a backup, or remove it to become a new node",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with its content.
        reason: String,
    },
    /// The file can't be read or written.
    #[error("{doing} identity file {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Identity {
    /// A new identity that is in no file.
    pub fn generate() -> Self {
        Self { keypair: Keypair::generate_ed25519() }
    }

    /// The identity in `path`; made and written there when the file doesn't exist.
    pub fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        match Self::load(path) {
            Err(IdentityError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Self::create(path),
            found => found,
        }
    }

    /// The identity in `path`. A file that others could read is closed to them.
    pub fn load(path: &Path) -> Result<Self, IdentityError> {
        let io = |source| IdentityError::Io { doing: "read", path: path.to_owned(), source };
        let corrupt = |reason: String| IdentityError::Corrupt { path: path.to_owned(), reason };
        let file = fs::File::open(path).map_err(io)?;
        let found = file.metadata().map_err(io)?;
        if !found.is_file() {
            return Err(corrupt("is not a regular file".to_owned()));
        }
        let mut bytes = Vec::new();
        (&file).take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(corrupt(format!("is longer than {FILE_BYTES_MAX} bytes, so it is no key")));
        }
        let keypair = Keypair::from_protobuf_encoding(&bytes)
            .map_err(|error| corrupt(format!("holds {} bytes that are no key ({error})", bytes.len())))?;
        if found.permissions().mode() & 0o077 != 0 {
            file.set_permissions(fs::Permissions::from_mode(FILE_MODE)).map_err(io)?;
        }
        Ok(Self { keypair })
    }

    /// Writes a new identity: whole or not at all, and never over a file that is there.
    fn create(path: &Path) -> Result<Self, IdentityError> {
        let io = |source| IdentityError::Io { doing: "write", path: path.to_owned(), source };
        let identity = Self::generate();
        let bytes = identity
            .keypair
            .to_protobuf_encoding()
            .map_err(|error| io(std::io::Error::other(format!("encode the key: {error}"))))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(io)?;
        let mut file = tempfile::Builder::new()
            .prefix(".identity")
            .permissions(fs::Permissions::from_mode(FILE_MODE))
            .tempfile_in(folder)
            .map_err(io)?;
        file.write_all(&bytes).map_err(io)?;
        file.as_file().sync_all().map_err(io)?;
        match file.persist_noclobber(path) {
            Ok(_) => {
                fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
                Ok(identity)
            }
            // another process was faster: its identity is the one
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => Self::load(path),
            Err(error) => Err(io(error.error)),
        }
    }

    /// The key pair.
    pub fn keypair(&self) -> &Keypair {
        &self.keypair
    }

    /// The overlay address.
    pub fn peer_id(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_made_once_and_only_its_owner_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/identity.key");
        let made = Identity::load_or_create(&path).unwrap();
        assert_eq!(Identity::load_or_create(&path).unwrap().peer_id(), made.peer_id());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let left: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().collect();
        assert_eq!(left.len(), 1, "no temporary file stays: {left:?}");
    }

    #[test]
    fn a_file_that_others_can_read_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        Identity::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        Identity::load(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_corrupt_file_is_an_error_and_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("identity.key");
        for junk in [b"".as_slice(), b"junk", &[0u8; 5000]] {
            fs::write(&path, junk).unwrap();
            let error = Identity::load_or_create(&path).unwrap_err();
            assert!(matches!(error, IdentityError::Corrupt { .. }), "{error}");
            assert!(error.to_string().contains("identity.key"), "{error}");
            assert_eq!(fs::read(&path).unwrap(), junk);
        }
    }

    #[test]
    fn debug_prints_no_key() {
        let identity = Identity::generate();
        assert_eq!(format!("{identity:?}"), format!("Identity(PeerId(\"{}\"))", identity.peer_id()));
    }
}
