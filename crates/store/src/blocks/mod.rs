//! How the nodes of a snapshot lie in the database: as one block of bytes.
//!
//! A *key* block holds everything; a *delta* block holds what differs from one key block. To read a
//! snapshot takes one block or two, whatever came between. Both are columns of variable-length
//! integers, compressed with raw DEFLATE: what did not change is a run of zeros, which costs nothing.
//!
//! ```text
//! block  := format u8 (0 key, 1 delta) · raw length varint · DEFLATE(fields)
//! key    := rows · texts · numbers · words · lists
//! delta  := rows · removed rows of the key · added rows · new texts · numbers · words · lists
//! ```
//!
//! Each stream of a column is preceded by its length, and columns by their number
//! ([`p2ppool_model::table`] promises never to give one away again), so that a later version can add some.

mod delta;
mod key;
mod pack;
mod varint;

use p2ppool_model::table::NodeTable;

/// Why a block can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) &'static str);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "its block is broken: {}", self.0)
    }
}

type Result<T> = std::result::Result<T, Broken>;

const FORMAT_KEY: u8 = 0;
const FORMAT_DELTA: u8 = 1;

/// A block that needs no other.
pub(crate) fn key(table: &NodeTable) -> Vec<u8> {
    pack::pack(FORMAT_KEY, &key::write(table))
}

/// A block of what differs from `key`.
pub(crate) fn delta(table: &NodeTable, key: &NodeTable) -> Vec<u8> {
    pack::pack(FORMAT_DELTA, &delta::write(table, key))
}

/// The table of a block; `key` is that of the block which a delta was made against.
pub(crate) fn read(block: &[u8], key: Option<&NodeTable>) -> Result<NodeTable> {
    let (format, fields) = pack::unpack(block)?;
    match (format, key) {
        (FORMAT_KEY, _) => key::read(&fields),
        (FORMAT_DELTA, Some(key)) => delta::read(&fields, key),
        (FORMAT_DELTA, None) => Err(Broken("its key block is missing")),
        _ => Err(Broken("its format is not known")),
    }
}

#[cfg(test)]
mod tests;
