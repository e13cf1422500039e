//! A manager from a backup, on a machine that has none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;
use p2ppool_store::Store;
use p2ppool_store::backup::{self, DatabaseKind};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::archive::Hashed;
use super::seal::Opening;
use super::{BackupError, DATABASE, DIGESTS, FOLDERS, FORMAT, MANIFEST, Manifest};
use crate::config::Config;
use crate::folders::private_folder;

/// Largest list of files, bytes; a manager with a million files has a tenth of it.
const JSON_MAX: u64 = 1 << 30;
/// Zeros at the end of a tar archive, bytes.
const PADDING_MAX: u64 = 64 * 1024;
/// Form of an encrypted file.
const AGE_MAGIC: &[u8] = b"age-encryption.org/v1";

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// What the backup said of itself.
    pub manifest: Manifest,
    /// The data folder.
    pub data: PathBuf,
    /// Files put back, the database among them.
    pub files: usize,
    /// Pools that are there now.
    pub pools: usize,
}

/// Puts a backup into the new or empty data folder and database of `config`, checks every digest
/// first, and migrates the database. When it fails the folder is as it was.
pub async fn restore(from: &Path, config: &Config, opening: Opening) -> Result<Restored, BackupError> {
    refuse_full(&config.data)?;
    let parent = config.data.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(parent).map_err(BackupError::file("make", parent))?;
    let temp = tempfile::Builder::new()
        .prefix(".p2ppool-restore-")
        .tempdir_in(parent)
        .map_err(BackupError::file("write into", parent))?;
    let (source, part) = (from.to_owned(), temp.path().to_owned());
    let unpacked = tokio::task::spawn_blocking(move || unpack(&source, &part, &opening)).await;
    let (manifest, files) = unpacked.map_err(|why| BackupError::Seal(why.to_string()))??;
    let kind = DatabaseKind::of(&config.database);
    if kind != manifest.database {
        return Err(BackupError::OtherDatabase { backup: manifest.database, database: kind });
    }
    let root = temp.path().join("root");
    let database = match database_below(config) {
        Some(file) => format!("sqlite:{}", root.join(file).display()),
        None => config.database.clone(),
    };
    backup::load(&temp.path().join(DATABASE), &database).await?;
    let pools = count(&database).await?;
    settle(&root, &config.data)?;
    Ok(Restored { manifest, data: config.data.clone(), files, pools })
}

/// The database's path below the data folder, when it lies there.
fn database_below(config: &Config) -> Option<PathBuf> {
    let path = config.database.strip_prefix("sqlite:")?;
    Path::new(path.strip_prefix("//").unwrap_or(path)).strip_prefix(&config.data).ok().map(Path::to_owned)
}

/// Opens (and migrates) what was loaded: a backup that can't be used is no restore.
async fn count(database: &str) -> Result<usize, BackupError> {
    let store = Store::open(database).await?;
    let pools = store.pools().await.map(|pools| pools.len());
    store.close().await;
    Ok(pools?)
}

fn refuse_full(data: &Path) -> Result<(), BackupError> {
    let entries = match std::fs::read_dir(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        read => read.map_err(BackupError::file("read", data))?,
    };
    if entries.count() == 0 { Ok(()) } else { Err(BackupError::NotEmpty { path: data.to_owned() }) }
}

/// Gives the finished folder its name. An empty folder of that name makes room.
fn settle(finished: &Path, data: &Path) -> Result<(), BackupError> {
    match std::fs::remove_dir(data) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(BackupError::file("replace", data)(error)),
        _ => {}
    }
    std::fs::rename(finished, data).map_err(BackupError::file("make", data))
}

/// Unpacks below `part`: the database beside `root/`, everything else in it. Trusts no name.
fn unpack(from: &Path, part: &Path, opening: &Opening) -> Result<(Manifest, usize), BackupError> {
    let wrong = |why: String| BackupError::NotABackup { path: from.to_owned(), why };
    let read = |why: io::Error| wrong(why.to_string());
    let root = part.join("root");
    for folder in FOLDERS {
        private_folder(&root.join(folder)).map_err(BackupError::file("make", &root))?;
    }
    let file = BufReader::new(File::open(from).map_err(BackupError::file("read", from))?);
    let plain = opening.open(refuse_the_wrong_way(file, opening).map_err(wrong)?)?;
    let mut plain = GzDecoder::new(BufReader::new(plain));
    let mut archive = tar::Archive::new(&mut plain);
    let mut found = BTreeMap::new();
    let mut manifest: Option<Manifest> = None;
    let mut digests: Option<BTreeMap<String, String>> = None;
    for entry in archive.entries().map_err(read)? {
        let mut entry = entry.map_err(read)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if digests.is_some() || !entry.header().entry_type().is_file() {
            return Err(wrong(format!("`{name}` has no place in a backup")));
        }
        if name == DIGESTS {
            digests = Some(json(&mut entry).map_err(read)?);
            continue;
        }
        let digest = match (&manifest, name.as_str()) {
            (None, MANIFEST) => {
                let mut hashed = Hashed { bytes: entry, hash: Sha256::new() };
                manifest = Some(known(json(&mut hashed).map_err(read)?).map_err(wrong)?);
                hashed.hash
            }
            (Some(_), DATABASE) => copy(entry, &part.join(DATABASE))?,
            (Some(_), _) => {
                copy(entry, &root.join(contained(&name).ok_or_else(|| wrong(format!("`{name}` leads out")))?))?
            }
            (None, _) => return Err(wrong("it does not begin with a manifest".to_owned())),
        };
        found.insert(name, hex::encode(digest.finalize()));
    }
    // to the last byte, where gzip and age have their checksums
    let left = io::copy(&mut plain.take(PADDING_MAX + 1), &mut io::sink()).map_err(read)?;
    if left > PADDING_MAX {
        return Err(wrong("something follows its end".to_owned()));
    }
    let (Some(manifest), Some(digests)) = (manifest, digests) else {
        return Err(wrong("it is cut short".to_owned()));
    };
    if let Some(name) = digests.keys().chain(found.keys()).find(|name| digests.get(*name) != found.get(*name)) {
        return Err(wrong(format!("`{name}` is damaged or missing")));
    }
    Ok((manifest, found.len() - 1))
}

fn refuse_the_wrong_way(mut file: BufReader<File>, opening: &Opening) -> Result<BufReader<File>, String> {
    let begins = io::BufRead::fill_buf(&mut file).map_err(|why| why.to_string())?;
    match (begins.starts_with(AGE_MAGIC), opening) {
        (true, Opening::Open) => Err("it is encrypted; give --identity or --passphrase-file".to_owned()),
        (false, Opening::Passphrase(_) | Opening::Identities(_)) => Err("it is not encrypted by age".to_owned()),
        _ => Ok(file),
    }
}

fn known(manifest: Manifest) -> Result<Manifest, String> {
    if manifest.format == FORMAT {
        return Ok(manifest);
    }
    Err(format!("p2ppool {} made it in form {}, which this one does not know", manifest.version, manifest.format))
}

fn json<T: serde::de::DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut text = Vec::new();
    from.take(JSON_MAX).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

/// The name as a path below one of our folders.
fn contained(name: &str) -> Option<&Path> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    let ours = path.components().next().is_some_and(|first| FOLDERS.iter().any(|folder| first.as_os_str() == *folder));
    (plain && ours && path.components().count() > 1).then_some(path)
}

fn copy(mut entry: tar::Entry<'_, impl Read>, to: &Path) -> Result<Sha256, BackupError> {
    use std::os::unix::fs::OpenOptionsExt;
    let fail = || BackupError::file("write", to);
    if let Some(folder) = to.parent() {
        private_folder(folder).map_err(fail())?;
    }
    // never more than the owner had; programs stay programs
    let mode = entry.header().mode().unwrap_or(0o600) & 0o700 | 0o600;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(to).map_err(fail())?;
    let mut hashed = Hashed { bytes: &mut entry, hash: Sha256::new() };
    io::copy(&mut hashed, &mut file).map_err(fail())?;
    file.sync_all().map_err(fail())?;
    Ok(hashed.hash)
}
