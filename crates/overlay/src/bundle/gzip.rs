//! tar.gz.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use tar::{Archive, Entry, EntryType};

use super::meter::Meter;
use super::{BundleError, Gathered, PackageFile, ReadError, path};

const FORMAT: &str = "tar.gz";

/// The files of a tar.gz.
pub(super) fn read(archive: impl Read, meter: &Meter) -> Result<BTreeMap<String, PackageFile>, BundleError> {
    let mut gathered = Gathered::new(meter);
    gather(&mut gathered, archive, meter).map_err(|error| error.explain(FORMAT, meter))?;
    Ok(gathered.files)
}

fn gather(gathered: &mut Gathered<'_>, archive: impl Read, meter: &Meter) -> Result<(), ReadError> {
    // Counted below tar, so that what tar skips or keeps for itself counts, too.
    let mut archive = Archive::new(meter.measure(MultiGzDecoder::new(archive)));
    for entry in archive.entries()? {
        one(gathered, entry?)?;
    }
    // A cut-off or corrupt end shows only when it is read.
    std::io::copy(&mut archive.into_inner(), &mut std::io::sink())?;
    Ok(())
}

fn one(gathered: &mut Gathered<'_>, entry: Entry<'_, impl Read>) -> Result<(), ReadError> {
    let kind = entry.header().entry_type();
    if kind == EntryType::XGlobalHeader {
        return Ok(());
    }
    let raw = entry.path_bytes().into_owned();
    let Some(path) = gathered.entry(&raw)? else {
        return Ok(());
    };
    let what = match kind {
        EntryType::Regular | EntryType::Continuous => {
            let mode = entry.header().mode()?;
            return gathered.file(path, Some(mode), entry);
        }
        EntryType::Directory => return Ok(()),
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a named pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown type",
    };
    Err(BundleError::Entry { path: path::printable(&path), what }.into())
}
