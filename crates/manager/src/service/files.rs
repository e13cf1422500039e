//! The public folder of a pool: `data/<pool>/`. Nothing outside it can be reached from here.

use std::path::{Component, Path, PathBuf};

use p2ppool_model::Time;
use p2ppool_model::pool::Pool;
use p2ppool_store::StoredFile;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::files::public_path;
use crate::service::Error;

/// Most files listed.
const FILES_MAX: usize = 10_000;
/// Deepest folder.
const DEPTH_MAX: usize = 16;

/// A file of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PoolFile {
    /// Path below the pool's folder, `/` between parts.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Last change.
    pub modified: Option<Time>,
}

/// Every file of a pool, sorted by path. Links are left out.
pub async fn list(app: &App, pool: &Pool) -> Result<Vec<PoolFile>, Error> {
    let prefix = public_path(&pool.name, "");
    if let Some(shared) = app.files.list(&prefix).await.map_err(Error::Internal)? {
        let file = |file: StoredFile| PoolFile {
            path: file.path.strip_prefix(&prefix).unwrap_or(&file.path).to_owned(),
            size: file.size,
            modified: Some(file.modified),
        };
        return Ok(shared.into_iter().map(file).collect());
    }
    let root = app.folders.public(&pool.name);
    let mut files = tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        walk(&root, "", 0, &mut files);
        files
    })
    .await
    .map_err(Error::internal)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, above: &str, depth: usize, files: &mut Vec<PoolFile>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        let path = format!("{above}{name}");
        if files.len() >= FILES_MAX {
            return;
        }
        if kind.is_dir() && depth < DEPTH_MAX {
            walk(&entry.path(), &format!("{path}/"), depth + 1, files);
        } else if kind.is_file()
            && let Ok(about) = entry.metadata()
        {
            files.push(PoolFile { path, size: about.len(), modified: about.modified().ok().and_then(time_of) });
        }
    }
}

fn time_of(time: std::time::SystemTime) -> Option<Time> {
    let since = time.duration_since(std::time::UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Time)
}

/// A file that is open for reading.
#[derive(Debug)]
pub struct OpenFile {
    /// The last part of its path.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// The file.
    pub file: tokio::fs::File,
}

/// Opens a file of a pool.
pub async fn open(app: &App, pool: &Pool, path: &str) -> Result<OpenFile, Error> {
    let missing = || Error::not_found("file", path);
    let root = app.folders.public(&pool.name);
    let inside = contained(path).ok_or_else(missing)?;
    if let Some(file) = open_shared(app, pool, path).await? {
        return Ok(file);
    }
    let open = tokio::task::spawn_blocking(move || open_inside(&root, &inside)).await.map_err(Error::internal)?;
    let file = open.ok_or_else(missing)?;
    let size = file.metadata().map_err(Error::internal)?.len();
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Ok(OpenFile { name, size, file: tokio::fs::File::from_std(file) })
}

/// Opens what some manager wrote, as a copy that goes when it is closed.
async fn open_shared(app: &App, pool: &Pool, path: &str) -> Result<Option<OpenFile>, Error> {
    let copy = tempfile::NamedTempFile::new_in(app.folders.uploads()).map_err(Error::internal)?.into_temp_path();
    if !app.files.fetch(&public_path(&pool.name, path), &copy).await.map_err(Error::Internal)? {
        return Ok(None);
    }
    let file = tokio::fs::File::open(&copy).await.map_err(Error::internal)?;
    let size = file.metadata().await.map_err(Error::internal)?.len();
    Ok(Some(OpenFile { name: path.rsplit('/').next().unwrap_or(path).to_owned(), size, file }))
}

/// A relative path of plain parts, or nothing.
fn contained(path: &str) -> Option<PathBuf> {
    let path = Path::new(path);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    (plain && path.components().count() > 0 && !path.as_os_str().as_encoded_bytes().contains(&0))
        .then(|| path.to_owned())
}

/// Opens a regular file; a link anywhere on the way is refused.
fn open_inside(root: &Path, inside: &Path) -> Option<std::fs::File> {
    let mut here = root.to_owned();
    for part in inside.components() {
        here.push(part);
        if here.symlink_metadata().ok()?.is_symlink() {
            return None;
        }
    }
    let file = std::fs::File::open(&here).ok()?;
    // Whatever was put there in between: what is open now must lie where it says.
    let real = std::fs::canonicalize(&here).ok()?;
    let lies_inside = real.starts_with(std::fs::canonicalize(root).ok()?);
    (lies_inside && file.metadata().ok()?.is_file()).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_relative_paths_are_contained() {
        for right in ["logs.zip", "a/b/c.txt", "..x", "a..b"] {
            assert!(contained(right).is_some(), "{right}");
        }
        for wrong in ["", "/etc/passwd", "..", "../x", "a/../../x", "a/..", ".", "x\0y", "//x"] {
            assert!(contained(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn links_and_folders_are_not_opened() {
        let temp = tempfile::tempdir().unwrap();
        let (root, outside) = (temp.path().join("data"), temp.path().join("private"));
        std::fs::create_dir_all(root.join("sub")).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("key"), "secret").unwrap();
        std::fs::write(root.join("sub/file"), "x").unwrap();
        std::os::unix::fs::symlink(outside.join("key"), root.join("link")).unwrap();
        std::os::unix::fs::symlink(&outside, root.join("folder")).unwrap();
        assert!(open_inside(&root, Path::new("sub/file")).is_some());
        for wrong in ["link", "folder/key", "sub", "missing"] {
            assert!(open_inside(&root, Path::new(wrong)).is_none(), "{wrong}");
        }
    }
}
