//! Compression of a block.

use std::io::{Read as _, Write as _};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use super::varint::{Reader, Writer};
use super::{Broken, Result};

/// Largest block that is read, in bytes before compression: a million nodes with everything that is
/// kept of them.
const RAW_BYTES_MAX: u64 = 4 << 30;
/// Bytes that are made room for on the word of a block alone.
const TRUSTED_BYTES_MAX: u64 = 64 << 20;

pub(super) fn pack(format: u8, fields: &[u8]) -> Vec<u8> {
    let mut head = Writer::default();
    head.byte(format);
    head.uint(fields.len() as u64);
    let mut encoder = DeflateEncoder::new(head.finish(), Compression::new(LEVEL));
    // Writing into memory can't fail.
    let _ = encoder.write_all(fields);
    encoder.finish().unwrap_or_default()
}

/// A usual middle between time and ratio; not measured beside others yet.
const LEVEL: u32 = 6;

pub(super) fn unpack(block: &[u8]) -> Result<(u8, Vec<u8>)> {
    let mut head = Reader::new(block);
    let format = head.byte()?;
    let length = head.uint()?;
    if length > RAW_BYTES_MAX {
        return Err(Broken("it says that it is too large"));
    }
    let room = usize::try_from(length.min(TRUSTED_BYTES_MAX)).unwrap_or(0);
    let mut fields = Vec::with_capacity(room);
    let decoder = DeflateDecoder::new(head.rest());
    decoder.take(length + 1).read_to_end(&mut fields).map_err(|_| Broken("it can't be decompressed"))?;
    if fields.len() as u64 != length {
        return Err(Broken("it is cut off"));
    }
    Ok((format, fields))
}
