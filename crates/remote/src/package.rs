//! What is uploaded to hosts.

use std::io::Read;

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use p2ppool_model::Digest;

/// Archives up to this many bytes are tried without their compression: both forms are in memory while a task runs.
const PLAIN_BYTES_MAX: usize = 64 << 20;

/// Without its compression an archive may be larger by its size divided by this, and is still sent so. Taking the
/// compression away costs a host about 8 ms of processor per MB; the connection costs both sides about 15 ms per MB.
const PLAIN_GROWTH: usize = 16;

/// Room for the padding of a small archive, bytes.
const PLAIN_PADDING: usize = 16 << 10;

/// A package (`install.tgz`): one copy in memory, shared by all the hosts it goes to.
#[derive(Clone, Debug)]
pub struct Package {
    /// SHA-256 of `bytes`, the name of the release on hosts.
    pub digest: Digest,
    /// The archive.
    pub bytes: Bytes,
    /// The same archive without its compression, where that saves nothing.
    plain: Option<Plain>,
}

#[derive(Clone, Debug)]
struct Plain {
    digest: Digest,
    bytes: Bytes,
}

/// The form in which a package goes to a host.
pub(crate) struct Sent<'a> {
    /// What travels.
    pub bytes: &'a Bytes,
    /// SHA-256 of what travels, where that is the archive without its compression.
    pub plain: Option<&'a Digest>,
}

impl Package {
    /// A package of these bytes, named by their digest. What doesn't shrink by compression is unpacked here, once,
    /// so that the hosts needn't: blocks for about 5 ms per MB then.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let plain = plain(&bytes).map(|bytes| Plain { digest: Digest::of(&bytes), bytes: bytes.into() });
        Self { digest: Digest::of(&bytes), bytes, plain }
    }

    /// Size in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    pub(crate) fn sent(&self) -> Sent<'_> {
        match &self.plain {
            Some(plain) => Sent { bytes: &plain.bytes, plain: Some(&plain.digest) },
            None => Sent { bytes: &self.bytes, plain: None },
        }
    }
}

/// The archive without its compression, if that is hardly larger. What is no gzip at all is left to the host to refuse.
fn plain(bytes: &[u8]) -> Option<Vec<u8>> {
    if bytes.len() > PLAIN_BYTES_MAX {
        return None;
    }
    let limit = bytes.len() + bytes.len() / PLAIN_GROWTH + PLAIN_PADDING;
    let mut plain = Vec::new();
    let mut decoder = GzDecoder::new(bytes);
    decoder.by_ref().take(limit as u64 + 1).read_to_end(&mut plain).ok()?;
    // what follows would be lost
    let is_whole = plain.len() <= limit && decoder.into_inner().is_empty();
    is_whole.then_some(plain)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    /// Bytes that no compression makes smaller: a chain of digests.
    fn noise(size: usize) -> Vec<u8> {
        let mut digest = Digest::of(b"noise");
        let mut noise = Vec::new();
        while noise.len() < size {
            digest = Digest::of(digest.as_str().as_bytes());
            noise.extend(hex_bytes(digest.as_str()));
        }
        noise
    }

    fn hex_bytes(text: &str) -> impl Iterator<Item = u8> + '_ {
        text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
    }

    #[test]
    fn what_does_not_shrink_goes_without_compression() {
        let noise = noise(300_000);
        let package = Package::new(gzip(&noise));
        let sent = package.sent();
        assert_eq!(sent.plain, Some(&Digest::of(&noise)));
        assert!(*sent.bytes == noise);
        assert_eq!(package.digest, Digest::of(&package.bytes), "the release keeps its name");
    }

    #[test]
    fn what_shrinks_goes_as_it_is() {
        let package = Package::new(gzip(&vec![7; 300_000]));
        assert!(package.sent().plain.is_none());
        assert_eq!(package.sent().bytes, &package.bytes);
    }

    #[test]
    fn what_is_damaged_is_left_to_the_host() {
        let whole = gzip(&noise(100_000));
        let cut = whole[..whole.len() - 10].to_vec();
        let more = [whole.clone(), b"more".to_vec()].concat();
        let mut other = whole;
        other[50_000] ^= 1;
        for bytes in [cut, more, other, b"no archive".to_vec(), Vec::new()] {
            let package = Package::new(bytes);
            assert!(package.sent().plain.is_none());
            assert_eq!(package.sent().bytes, &package.bytes);
        }
    }
}
