//! Files that every manager must be able to read: uploaded bundles, and what was brought back from hosts.
//!
//! A manager works with files of its own data folder. Where several managers share a database, each file is
//! also kept where all can get it (`--files`): in the database, or not at all when they share the folder itself.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use p2ppool_store::{FILE_PART_BYTES, Store, StoredFile};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Most files that are listed of one pool.
const LISTED_MAX: u32 = 10_000;

/// Where shared files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilesIn {
    /// In the data folder only: one manager, or several on one shared folder.
    Folder,
    /// In the database, too.
    Database,
}

impl std::str::FromStr for FilesIn {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "folder" => Ok(Self::Folder),
            "database" => Ok(Self::Database),
            _ => Err(format!("`{text}` is neither folder nor database")),
        }
    }
}

/// Files that all managers can read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SharedFiles(Option<Store>);

impl SharedFiles {
    /// Kept so.
    pub fn new(kept: FilesIn, store: &Store) -> Self {
        Self((kept == FilesIn::Database).then(|| store.clone()))
    }

    /// In this manager's folder only.
    pub fn in_folder() -> Self {
        Self(None)
    }

    /// Lets all managers read a file of this one, under a path of `/`-separated parts.
    pub async fn put(&self, path: &str, file: &Path) -> anyhow::Result<()> {
        let Some(store) = &self.0 else { return Ok(()) };
        let name = part_name(path);
        store.begin_file(&name).await?;
        let mut source = tokio::fs::File::open(file).await.with_context(|| format!("read {}", file.display()))?;
        let mut size = 0u64;
        for number in 0u32.. {
            let mut part = Vec::with_capacity(FILE_PART_BYTES);
            let read = (&mut source).take(FILE_PART_BYTES as u64).read_to_end(&mut part).await;
            if read.with_context(|| format!("read {}", file.display()))? == 0 {
                break;
            }
            size += part.len() as u64;
            store.add_file_part(&name, number, &part).await?;
        }
        store.finish_file(&name, path, size).await?;
        Ok(())
    }

    /// Brings a file that another manager wrote here. `false`: there is none.
    pub async fn fetch(&self, path: &str, to: &Path) -> anyhow::Result<bool> {
        let Some(store) = &self.0 else { return Ok(false) };
        let Some(about) = store.stored_file(path).await? else { return Ok(false) };
        let part = PathBuf::from(format!("{}.{}", to.display(), random_name()));
        let written = write_parts(store, &about, &part).await;
        if let Err(error) = written {
            let _ = tokio::fs::remove_file(&part).await;
            return Err(error);
        }
        tokio::fs::rename(&part, to).await.with_context(|| format!("write {}", to.display()))?;
        Ok(true)
    }

    /// Files whose path begins like this; `None` when all that there are lie in the folder.
    pub async fn list(&self, prefix: &str) -> anyhow::Result<Option<Vec<StoredFile>>> {
        let Some(store) = &self.0 else { return Ok(None) };
        Ok(Some(store.stored_files(prefix, LISTED_MAX).await?))
    }

    /// Deletes all files whose path begins like this.
    pub async fn delete(&self, prefix: &str) -> anyhow::Result<()> {
        let Some(store) = &self.0 else { return Ok(()) };
        for file in store.stored_files(prefix, LISTED_MAX).await? {
            store.delete_stored_file(&file.path).await?;
        }
        Ok(())
    }
}

async fn write_parts(store: &Store, about: &StoredFile, to: &Path) -> anyhow::Result<()> {
    let failed = || format!("write {}", to.display());
    let mut options = tokio::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(to).await.with_context(failed)?;
    let mut size = 0u64;
    for number in 0u32.. {
        let Some(part) = store.file_part(&about.path, number).await? else { break };
        size += part.len() as u64;
        file.write_all(&part).await.with_context(failed)?;
    }
    anyhow::ensure!(size == about.size, "the file {} changed while it was read; try again", about.path);
    file.sync_all().await.with_context(failed)
}

/// A name that nobody else writes under, and that no list shows.
fn part_name(path: &str) -> String {
    format!("{path}.part-{}", random_name())
}

fn random_name() -> String {
    let mut bytes = [0u8; 8];
    // without random bytes two writers of one file would disturb each other, and one of them would fail
    let _ = getrandom::fill(&mut bytes);
    hex::encode(bytes)
}

/// Where an uploaded bundle is kept.
pub fn bundle_path(digest: &p2ppool_model::Digest) -> String {
    format!("bundles/{digest}")
}

/// Where the public files of a pool are kept.
pub fn public_path(pool: &p2ppool_model::PoolName, path: &str) -> String {
    format!("data/{pool}/{path}")
}

#[cfg(test)]
mod tests {
    use p2ppool_store::testing;

    use super::*;

    #[tokio::test]
    async fn what_one_manager_wrote_another_reads() {
        for fresh in [testing::sqlite().await, testing::postgres().await] {
            let temp = tempfile::tempdir().unwrap();
            let files = SharedFiles::new(FilesIn::Database, &fresh.store);
            let bytes: Vec<u8> = (0..FILE_PART_BYTES + 5).map(|i| u8::try_from(i % 251).unwrap()).collect();
            let (source, target) = (temp.path().join("a"), temp.path().join("b"));
            std::fs::write(&source, &bytes).unwrap();
            assert!(!files.fetch("data/p/logs.zip", &target).await.unwrap());
            files.put("data/p/logs.zip", &source).await.unwrap();
            assert!(files.fetch("data/p/logs.zip", &target).await.unwrap());
            assert!(std::fs::read(&target).unwrap() == bytes);

            // a new one takes its place
            std::fs::write(&source, b"new").unwrap();
            files.put("data/p/logs.zip", &source).await.unwrap();
            files.put("data/p2/logs.zip", &source).await.unwrap();
            let listed = files.list("data/p/").await.unwrap().unwrap();
            assert_eq!(
                listed.iter().map(|file| (file.path.as_str(), file.size)).collect::<Vec<_>>(),
                [("data/p/logs.zip", 3)]
            );
            files.delete("data/p/").await.unwrap();
            assert!(!files.fetch("data/p/logs.zip", &target).await.unwrap());
            assert!(files.fetch("data/p2/logs.zip", &target).await.unwrap());
            assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 2, "nothing half written is left");
        }
    }
}
