//! An uploaded archive: it is read within its bounds or refused, and the kinds may look at what is in it.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use p2ppool_model::pool::OverlayKindName;
use p2ppool_overlay::bundle::{Limits, read_from};
use p2ppool_overlay::kind;

/// Small, so that a bomb shows as a broken bound and not as a slow run.
const BYTES_MAX: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let limits =
        Limits { unpacked_bytes_max: BYTES_MAX, file_bytes_max: BYTES_MAX / 2, entries_max: 100, ..Limits::default() };
    let Ok(unpacked) = read_from(Cursor::new(bytes), &limits) else { return };
    assert!(unpacked.bytes <= BYTES_MAX && unpacked.files.len() <= 100);
    for file in &unpacked.files {
        assert!(!file.path.starts_with('/') && file.path.split('/').all(|part| !matches!(part, "" | "." | "..")));
    }
    for name in [OverlayKindName::Libp2p, OverlayKindName::Brunet] {
        let _ = kind(name).map(|kind| kind.recognise(&unpacked.files));
    }
});
