//! Counting what comes out of a decoder.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};

use super::{BundleError, Limits};

/// Counts unpacked bytes of a whole archive and says stop.
pub(super) struct Meter {
    limits: Limits,
    archive_bytes: u64,
    unpacked: Cell<u64>,
    refusal: RefCell<Option<BundleError>>,
}

impl Meter {
    pub(super) fn new(limits: Limits, archive_bytes: u64) -> Self {
        Self { limits, archive_bytes, unpacked: Cell::new(0), refusal: RefCell::new(None) }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Why it said stop, if it did.
    pub(super) fn refusal(&self) -> Option<BundleError> {
        self.refusal.borrow_mut().take()
    }

    /// What `inner` gives, counted.
    pub(super) fn measure<R: Read>(&self, inner: R) -> Measured<'_, R> {
        Measured { inner, meter: self }
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        let unpacked = self.unpacked.get() + bytes as u64;
        self.unpacked.set(unpacked);
        let Limits { unpacked_bytes_max, ratio_max, ratio_free_bytes, .. } = self.limits;
        let refusal = if unpacked > ratio_free_bytes && unpacked / ratio_max > self.archive_bytes {
            BundleError::Bomb { ratio: ratio_max }
        } else if unpacked > unpacked_bytes_max {
            BundleError::too_big("what it unpacks to", unpacked_bytes_max)
        } else {
            return Ok(());
        };
        let text = refusal.to_string();
        *self.refusal.borrow_mut() = Some(refusal);
        Err(io::Error::other(text))
    }
}

/// A reader whose bytes are counted.
pub(super) struct Measured<'a, R> {
    inner: R,
    meter: &'a Meter,
}

impl<R: Read> Read for Measured<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.inner.read(buffer)?;
        self.meter.count(bytes)?;
        Ok(bytes)
    }
}
