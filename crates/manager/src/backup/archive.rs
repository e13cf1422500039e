//! Making a backup while the manager works.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use p2ppool_model::Time;
use p2ppool_store::backup::{self, DatabaseKind};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::seal::Sealing;
use super::{BackupError, DATABASE, DIGESTS, FOLDERS, FORMAT, MANIFEST, Manifest};
use crate::config::Config;
use crate::folders::Folders;
use crate::secrets;

/// Files that belong to one run of the manager, below `private/`.
const OF_ONE_RUN: [&str; 1] = ["lock"];

/// A backup that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Where.
    pub path: PathBuf,
    /// Its size, bytes.
    pub size: u64,
    /// Files in it, the database among them.
    pub files: usize,
    /// It holds the key that opens the secrets.
    pub has_key: bool,
    /// It is encrypted.
    pub sealed: bool,
}

/// Writes a backup of the manager of `config` to `to`; whole or not at all. The manager may work meanwhile.
pub async fn make(config: &Config, to: &Path, sealing: Sealing) -> Result<Made, BackupError> {
    let folders = Folders::at(&config.data);
    let folder = to.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let temp = tempfile::Builder::new()
        .prefix(".p2ppool-backup-")
        .tempdir_in(folder)
        .map_err(BackupError::file("write into", folder))?;
    // first the database: files that it names are never changed, only added
    let database = temp.path().join(DATABASE);
    backup::save(&config.database, &database).await?;
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        created: Time::now(),
        database: DatabaseKind::of(&config.database),
        has_key: secrets::key_file(&folders.secret_key()) == folders.secret_key(),
    };
    let to = to.to_owned();
    let work = move || {
        let part = temp.path().join("backup");
        let files = write(&part, &manifest, &database, &folders, &sealing)?;
        let size = part.metadata().map_err(BackupError::file("read", &part))?.len();
        std::fs::rename(&part, &to).map_err(BackupError::file("write", &to))?;
        let sealed = !matches!(sealing, Sealing::Open);
        Ok(Made { path: to, size, files, has_key: manifest.has_key, sealed })
    };
    tokio::task::spawn_blocking(work).await.map_err(|why| BackupError::Seal(why.to_string()))?
}

/// How many files went in.
fn write(
    part: &Path,
    manifest: &Manifest,
    database: &Path,
    folders: &Folders,
    sealing: &Sealing,
) -> Result<usize, BackupError> {
    use std::os::unix::fs::OpenOptionsExt;
    let fail = || BackupError::file("write", part);
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(part).map_err(fail())?;
    let mut files = 0;
    let file = sealing.around(file, |out| {
        let mut archive = Archive::new(out);
        archive.json(MANIFEST, manifest).map_err(fail())?;
        archive.file(DATABASE, database)?;
        for folder in FOLDERS {
            archive.folder(folders.root(), Path::new(folder))?;
        }
        files = archive.digests.len() - 1;
        let digests = std::mem::take(&mut archive.digests);
        archive.json(DIGESTS, &digests).map_err(fail())?;
        archive.end().map_err(fail())
    })?;
    file.sync_all().map_err(fail())?;
    Ok(files)
}

struct Archive<'a> {
    tar: tar::Builder<GzEncoder<&'a mut dyn Write>>,
    digests: BTreeMap<String, String>,
}

impl<'a> Archive<'a> {
    fn new(out: &'a mut dyn Write) -> Self {
        // bundles and packages, most of it, are compressed already
        let tar = tar::Builder::new(GzEncoder::new(out, Compression::fast()));
        Self { tar, digests: BTreeMap::new() }
    }

    fn json(&mut self, name: &str, value: &impl Serialize) -> io::Result<()> {
        let text = serde_json::to_vec_pretty(value)?;
        self.put(name, 0o600, text.len() as u64, &text[..])
    }

    /// All that lies in a folder, sorted. What goes away meanwhile is left out.
    fn folder(&mut self, root: &Path, below: &Path) -> Result<(), BackupError> {
        let path = root.join(below);
        let Some(entries) = if_there(std::fs::read_dir(&path)).map_err(BackupError::file("read", &path))? else {
            return Ok(());
        };
        let mut entries: Vec<_> = entries.filter_map(Result::ok).collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let name = below.join(entry.file_name());
            let Ok(kind) = entry.file_type() else { continue };
            let of_one_run = OF_ONE_RUN.iter().any(|file| name == Path::new("private").join(file));
            if kind.is_dir() {
                self.folder(root, &name)?;
            } else if kind.is_file() && !of_one_run {
                let Some(text) = name.to_str() else { continue };
                self.file(text, &entry.path())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, name: &str, path: &Path) -> Result<(), BackupError> {
        use std::os::unix::fs::PermissionsExt;
        let fail = || BackupError::file("read", path);
        let Some(file) = if_there(File::open(path)).map_err(fail())? else { return Ok(()) };
        let found = file.metadata().map_err(fail())?;
        // a file that shrinks meanwhile is filled up: the header has told its size
        let bytes = file.chain(io::repeat(0)).take(found.len());
        self.put(name, found.permissions().mode() & 0o777, found.len(), bytes).map_err(fail())
    }

    fn put(&mut self, name: &str, mode: u32, size: u64, bytes: impl Read) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(size);
        header.set_mode(mode);
        header.set_mtime(0);
        let mut hashed = Hashed { bytes, hash: Sha256::new() };
        self.tar.append_data(&mut header, name, &mut hashed)?;
        self.digests.insert(name.to_owned(), hex::encode(hashed.hash.finalize()));
        Ok(())
    }

    fn end(self) -> io::Result<()> {
        self.tar.into_inner()?.finish().map(drop)
    }
}

fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Bytes on their way through, with their digest.
pub(super) struct Hashed<R> {
    pub(super) bytes: R,
    pub(super) hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.bytes.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
