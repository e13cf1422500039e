//! `install.tgz`: bundle, configs and host script in one archive whose bytes depend on nothing else.

use std::io::{self, Write};
use std::path::PathBuf;

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use p2ppool_model::{Digest, PoolName};
use p2ppool_overlay::kind::{OverlayKind, PackageFile, PoolView};
use p2ppool_remote::{HOST_SCRIPT, Package};

use super::{BundlesError, Software};
use crate::folders::{Folders, private_folder, write_private};

/// Packages kept per pool: the current one, and the previous one for hosts that are behind.
const KEPT: usize = 2;

/// Builds the package of a pool. The same pool, software and host script give the same bytes: files
/// are sorted, and times, owners and the gzip header are fixed. Blocks for as long as compressing takes.
pub fn build(kind: &dyn OverlayKind, pool: &PoolView<'_>, software: &Software) -> io::Result<Package> {
    let mut files =
        vec![PackageFile { path: "host.sh".into(), mode: 0o755, bytes: Bytes::from_static(HOST_SCRIPT.as_bytes()) }];
    files.extend(kind.package_files(pool));
    files.extend(software.arch.iter().map(|arch| PackageFile::text("arch", format!("{arch}\n"))));
    files.extend(software.files.iter().map(|file| PackageFile { path: format!("node/{}", file.path), ..file.clone() }));
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Package::new(pack(&files)?))
}

/// The archive of these files, sorted as they come. The same files give the same bytes.
pub(crate) fn pack(files: &[PackageFile]) -> io::Result<Vec<u8>> {
    let gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::default());
    let mut archive = tar::Builder::new(gzip);
    for file in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(file.bytes.len() as u64);
        header.set_mode(if file.is_executable() { 0o755 } else { 0o644 });
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(0);
        archive.append_data(&mut header, &file.path, &*file.bytes)?;
    }
    let mut gzip = archive.into_inner()?;
    gzip.flush()?;
    gzip.finish()
}

/// The packages of all pools, as private files: they may hold a network secret.
#[derive(Clone, Debug)]
pub struct Packages {
    folders: Folders,
}

impl Packages {
    /// The packages below these folders.
    pub fn new(folders: Folders) -> Self {
        Self { folders }
    }

    /// Keeps a package; the oldest beyond [`KEPT`] are deleted.
    pub fn put(&self, pool: &PoolName, package: &Package) -> Result<(), BundlesError> {
        let folder = self.folder(pool);
        private_folder(&folder).map_err(|error| BundlesError::file(&folder, error))?;
        let path = self.path(pool, &package.digest);
        write_private(&path, &package.bytes).map_err(|error| BundlesError::file(&path, error))?;
        self.prune(pool, &package.digest)
    }

    /// Reads a package back; `None` when it is not kept (any more) or is damaged.
    pub fn get(&self, pool: &PoolName, digest: &Digest) -> Result<Option<Package>, BundlesError> {
        let path = self.path(pool, digest);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(Package::new(bytes)).filter(|package| package.digest == *digest)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(BundlesError::file(path, error)),
        }
    }

    fn prune(&self, pool: &PoolName, newest: &Digest) -> Result<(), BundlesError> {
        let folder = self.folder(pool);
        let fail = |error| BundlesError::file(&folder, error);
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let changed = entry.metadata().and_then(|data| data.modified()).map_err(fail)?;
            kept.push((changed, entry.path()));
        }
        let newest = self.path(pool, newest);
        kept.retain(|(_, path)| *path != newest);
        kept.sort();
        let too_many = (kept.len() + 1).saturating_sub(KEPT);
        for (_, path) in kept.into_iter().take(too_many) {
            std::fs::remove_file(&path).map_err(|error| BundlesError::file(&path, error))?;
        }
        Ok(())
    }

    /// Where the packages of a pool lie.
    pub fn folder(&self, pool: &PoolName) -> PathBuf {
        self.folders.private(pool).join("packages")
    }

    fn path(&self, pool: &PoolName, digest: &Digest) -> PathBuf {
        self.folder(pool).join(format!("{digest}.tgz"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_files_give_the_same_bytes() {
        let files =
            [PackageFile::text("a", "1"), PackageFile { path: "node/b".into(), mode: 0o755, bytes: Bytes::from("2") }];
        assert_eq!(pack(&files).unwrap(), pack(&files).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(io::Cursor::new(pack(&files).unwrap())));
        let found: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (
                    entry.path().unwrap().display().to_string(),
                    entry.header().mode().unwrap(),
                    entry.header().mtime().unwrap(),
                )
            })
            .collect();
        assert_eq!(found, [("a".to_owned(), 0o644, 0), ("node/b".to_owned(), 0o755, 0)]);
    }

    #[test]
    fn only_the_newest_packages_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let packages = Packages::new(Folders::open(folder.path().join("data")).unwrap());
        let pool: PoolName = "demo".parse().unwrap();
        let made = ["1", "2", "3"].map(|text| Package::new(text.as_bytes().to_vec()));
        for package in &made {
            packages.put(&pool, package).unwrap();
        }
        let kept = made.iter().filter(|package| packages.get(&pool, &package.digest).unwrap().is_some()).count();
        assert_eq!(kept, KEPT);
        assert!(packages.get(&pool, &made[2].digest).unwrap().is_some());
    }
}
