//! Integers of one to ten bytes (LEB128), and streams of them.

use super::{Broken, Result};

/// Fields, one after the other.
#[derive(Debug, Default)]
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn uint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    /// Small whatever its sign (zigzag).
    pub(super) fn int(&mut self, number: i64) {
        self.uint(zigzag(number));
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// A stream of its own, with its length before it.
    pub(super) fn stream(&mut self, stream: Writer) {
        self.uint(stream.0.len() as u64);
        self.0.extend(stream.0);
    }

    pub(super) fn finish(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// Small numbers of either sign as small numbers without.
pub(super) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

/// [`zigzag`] back.
pub(super) fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Reads what [`Writer`] wrote; never past its end.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

const SHORT: Broken = Broken("it ends too early");

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.0.split_first().ok_or(SHORT)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn uint(&mut self) -> Result<u64> {
        let mut number = 0;
        for (i, byte) in self.0.iter().enumerate().take(10) {
            number |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.0 = &self.0[i + 1..];
                return Ok(number);
            }
        }
        Err(SHORT)
    }

    pub(super) fn int(&mut self) -> Result<i64> {
        self.uint().map(unzigzag)
    }

    /// A number of things, of which each takes at least a byte of what is left or is bounded otherwise.
    pub(super) fn count(&mut self, most: usize) -> Result<usize> {
        let count = usize::try_from(self.uint()?).map_err(|_| SHORT)?;
        if count > most { Err(Broken("it says that it has more than it can have")) } else { Ok(count) }
    }

    pub(super) fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn stream(&mut self) -> Result<Reader<'a>> {
        let length = self.count(self.0.len())?;
        self.bytes(length).map(Reader)
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
