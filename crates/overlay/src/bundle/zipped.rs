//! zip.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read, Seek};

use zip::ZipArchive;
use zip::result::ZipError;

use super::meter::Meter;
use super::{BundleError, Gathered, PackageFile, ReadError, path};

const FORMAT: &str = "zip";
/// Mark of an entry in a zip's directory.
const DIRECTORY_ENTRY: &[u8] = b"PK\x01\x02";
/// Marks that a zip may hold per allowed entry: zips inside it that are stored uncompressed have some, too.
const MARKS_PER_ENTRY_MAX: usize = 4;
/// The file type bits of a Unix mode, and the types that are let in.
const TYPE_BITS: u32 = 0o170_000;
const TYPE_FILE: u32 = 0o100_000;
const TYPE_FOLDER: u32 = 0o040_000;

/// The files of a zip.
pub(super) fn read(mut archive: impl Read + Seek, meter: &Meter) -> Result<BTreeMap<String, PackageFile>, BundleError> {
    refuse_endless_directory(&mut archive, meter)?;
    let mut gathered = Gathered::new(meter);
    gather(&mut gathered, archive, meter).map_err(|error| error.explain(FORMAT, meter))?;
    Ok(gathered.files)
}

fn gather(gathered: &mut Gathered<'_>, archive: impl Read + Seek, meter: &Meter) -> Result<(), ReadError> {
    let mut archive = ZipArchive::new(archive).map_err(damaged)?;
    if archive.has_duplicate_names() {
        return Err(BundleError::Duplicate { path: "some path".into() }.into());
    }
    for index in 0..archive.len() {
        let entry = archive.by_index_raw(index).map_err(damaged)?;
        let Some(path) = gathered.entry(entry.name_raw())? else {
            continue;
        };
        if entry.encrypted() {
            return Err(BundleError::Encrypted { path }.into());
        }
        let mode = entry.unix_mode();
        let is_folder = entry.is_dir();
        refuse_special(&path, mode)?;
        drop(entry);
        if !is_folder {
            let content = archive.by_index(index).map_err(damaged)?;
            gathered.file(path, mode, meter.measure(content))?;
        }
    }
    Ok(())
}

fn refuse_special(path: &str, mode: Option<u32>) -> Result<(), BundleError> {
    let what = match mode.map(|mode| mode & TYPE_BITS) {
        None | Some(0 | TYPE_FILE | TYPE_FOLDER) => return Ok(()),
        Some(0o120_000) => "a symbolic link",
        Some(0o020_000 | 0o060_000) => "a device",
        Some(0o010_000) => "a named pipe",
        Some(_) => "of an unknown type",
    };
    Err(BundleError::Entry { path: path::printable(path), what })
}

/// The directory is read as a whole, so its size is bounded before.
fn refuse_endless_directory(archive: &mut (impl Read + Seek), meter: &Meter) -> Result<(), BundleError> {
    let entries_max = meter.limits().entries_max;
    let marks_max = entries_max.saturating_mul(MARKS_PER_ENTRY_MAX);
    let marks = count_marks(&mut *archive, marks_max)?;
    archive.rewind()?;
    if marks > marks_max {
        return Err(BundleError::TooBig { what: "the number of entries".into(), limit: entries_max.to_string() });
    }
    Ok(())
}

/// How often the mark of a directory entry occurs; stops after `most`.
fn count_marks(archive: impl Read, most: usize) -> io::Result<usize> {
    let mut reader = BufReader::with_capacity(1 << 16, archive);
    let (mut marks, mut matched) = (0, 0);
    while marks <= most {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        for byte in bytes {
            matched = if *byte == DIRECTORY_ENTRY[matched] { matched + 1 } else { usize::from(*byte == b'P') };
            if matched == DIRECTORY_ENTRY.len() {
                (marks, matched) = (marks + 1, 0);
            }
        }
        let read = bytes.len();
        reader.consume(read);
    }
    Ok(marks)
}

fn damaged(error: ZipError) -> ReadError {
    match error {
        ZipError::Io(error) => ReadError::Decoder(error),
        other => ReadError::Decoder(io::Error::other(other.to_string())),
    }
}
