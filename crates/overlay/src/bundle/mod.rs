//! Reading an uploaded archive (zip or tar.gz) without trusting a byte of it.
//!
//! Everything is counted while it streams; what an archive's headers claim is never believed. Nothing
//! is written anywhere: the files are held in memory, within [`Limits`].

mod error;
mod gzip;
mod limits;
mod meter;
mod path;
mod zipped;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use bytes::Bytes;

pub use error::BundleError;
pub use limits::Limits;

use self::meter::Meter;
use crate::kind::PackageFile;

/// An archive's files, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// Sorted by path; a single common top folder is taken away.
    pub files: Vec<PackageFile>,
    /// Sum of their sizes.
    pub bytes: u64,
}

/// Reads and checks the archive at `path`. Blocks: call it where blocking is allowed.
///
/// # Errors
/// Why it is refused; nothing is written anywhere.
pub fn read(path: &Path, limits: &Limits) -> Result<Unpacked, BundleError> {
    read_from(BufReader::new(File::open(path)?), limits)
}

/// [`read`], from anything that can be read twice.
///
/// # Errors
/// Why it is refused.
pub fn read_from(mut archive: impl Read + Seek, limits: &Limits) -> Result<Unpacked, BundleError> {
    let size = archive.seek(SeekFrom::End(0))?;
    if size > limits.archive_bytes_max {
        return Err(BundleError::too_big("the archive", limits.archive_bytes_max));
    }
    archive.rewind()?;
    let mut head = Vec::new();
    archive.by_ref().take(HEAD_BYTES).read_to_end(&mut head)?;
    archive.rewind()?;
    let meter = Meter::new(*limits, size);
    let files = match head.as_slice() {
        [b'P', b'K', 5, 6, ..] => return Err(BundleError::Empty),
        [b'P', b'K', 3, 4, ..] => zipped::read(archive, &meter)?,
        [0x1f, 0x8b, ..] => gzip::read(archive, &meter)?,
        other => return Err(BundleError::NotAnArchive { found: what_is(other) }),
    };
    finish(files)
}

/// Bytes that tell what a file is; a plain tar has its mark at 257.
const HEAD_BYTES: u64 = 512;
/// Unpacked by some systems' archivers for themselves, never part of a program.
const JUNK_FOLDER: &str = "__MACOSX";

/// Files by path while they are gathered.
struct Gathered<'a> {
    meter: &'a Meter,
    files: BTreeMap<String, PackageFile>,
    entries: usize,
}

impl<'a> Gathered<'a> {
    fn new(meter: &'a Meter) -> Self {
        Self { meter, files: BTreeMap::new(), entries: 0 }
    }

    /// Counts an entry and checks its path; `None` when it is to be skipped.
    fn entry(&mut self, raw_path: &[u8]) -> Result<Option<String>, BundleError> {
        let limits = self.meter.limits();
        self.entries += 1;
        if self.entries > limits.entries_max {
            return Err(BundleError::TooBig {
                what: "the number of entries".into(),
                limit: limits.entries_max.to_string(),
            });
        }
        let path = path::checked(raw_path, limits)?;
        Ok(path.filter(|path| path.split('/').next() != Some(JUNK_FOLDER)))
    }

    /// Reads one file's content.
    fn file(&mut self, path: String, mode: Option<u32>, content: impl Read) -> Result<(), ReadError> {
        if self.files.contains_key(&path) {
            return Err(BundleError::Duplicate { path }.into());
        }
        let limit = self.meter.limits().file_bytes_max;
        let mut bytes = Vec::new();
        content.take(limit + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > limit {
            return Err(BundleError::too_big(&format!("the file `{path}`"), limit).into());
        }
        let mode = if is_executable(mode, &bytes) { 0o755 } else { 0o644 };
        self.files.insert(path.clone(), PackageFile { path, mode, bytes: Bytes::from(bytes) });
        Ok(())
    }
}

/// A failure while reading an entry: a refusal, or something the decoder said.
enum ReadError {
    Refused(BundleError),
    Decoder(std::io::Error),
}

impl From<BundleError> for ReadError {
    fn from(error: BundleError) -> Self {
        Self::Refused(error)
    }
}

impl From<std::io::Error> for ReadError {
    fn from(error: std::io::Error) -> Self {
        Self::Decoder(error)
    }
}

impl ReadError {
    /// What to tell: the meter's refusal comes out of decoders as an error of theirs.
    fn explain(self, format: &'static str, meter: &Meter) -> BundleError {
        match (meter.refusal(), self) {
            (Some(refusal), _) | (None, Self::Refused(refusal)) => refusal,
            (None, Self::Decoder(error)) => {
                BundleError::Damaged { format, reason: path::printable(&error.to_string()) }
            }
        }
    }
}

/// The archive says so, or it is an ELF file or a script.
fn is_executable(mode: Option<u32>, bytes: &[u8]) -> bool {
    mode.is_some_and(|mode| mode & 0o111 != 0) || bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"#!")
}

fn finish(files: BTreeMap<String, PackageFile>) -> Result<Unpacked, BundleError> {
    if files.is_empty() {
        return Err(BundleError::Empty);
    }
    refuse_files_in_files(&files)?;
    let top = common_top(files.keys()).map(|top| top.len() + 1).unwrap_or_default();
    let files: Vec<PackageFile> =
        files.into_values().map(|file| PackageFile { path: file.path[top..].to_owned(), ..file }).collect();
    let bytes = files.iter().map(|file| file.bytes.len() as u64).sum();
    Ok(Unpacked { files, bytes })
}

/// `a` and `a/b` can't both be files.
fn refuse_files_in_files(files: &BTreeMap<String, PackageFile>) -> Result<(), BundleError> {
    for path in files.keys() {
        let mut folders = path.match_indices('/').map(|(at, _)| &path[..at]);
        if let Some(folder) = folders.find(|folder| files.contains_key(*folder)) {
            return Err(BundleError::Path { path: folder.to_owned(), reason: "is a file and a folder at once" });
        }
    }
    Ok(())
}

/// The folder that all files are in.
fn common_top<'a>(mut paths: impl Iterator<Item = &'a String>) -> Option<String> {
    let (top, _) = paths.next()?.split_once('/')?;
    let top = top.to_owned();
    paths.all(|path| path.split_once('/').is_some_and(|(first, _)| first == top)).then_some(top)
}

/// Names what was uploaded instead of an archive.
fn what_is(head: &[u8]) -> String {
    let known: [(&[u8], &str); 8] = [
        (b"\x7fELF", "an ELF program; put it into a zip or tar.gz"),
        (b"MZ", "a Windows program; put it into a zip or tar.gz"),
        (b"7z\xbc\xaf", "a 7z archive"),
        (b"Rar!", "a rar archive"),
        (b"BZh", "a bzip2 file"),
        (b"\xfd7zXZ", "an xz file"),
        (b"\x28\xb5\x2f\xfd", "a zstd file"),
        (b"#!", "a script; put it into a zip or tar.gz"),
    ];
    if head.is_empty() {
        return "it is empty".into();
    }
    if head.get(257..262) == Some(b"ustar") {
        return "it looks like a tar archive that is not compressed".into();
    }
    match known.iter().find(|(magic, _)| head.starts_with(magic)) {
        Some((_, name)) => format!("it looks like {name}"),
        None => format!("it begins with `{}`", path::printable(&String::from_utf8_lossy(&head[..head.len().min(16)]))),
    }
}

#[cfg(test)]
mod tests;
