//! How much an archive may be.

/// Bounds on an archive; every one is checked while reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes of the archive itself.
    pub archive_bytes_max: u64,
    /// Most bytes of all files together, unpacked. They are held in memory.
    pub unpacked_bytes_max: u64,
    /// Most bytes of one file, unpacked.
    pub file_bytes_max: u64,
    /// Most entries, folders included.
    pub entries_max: usize,
    /// Most unpacked bytes per archive byte. Programs compress three- to fivefold, texts tenfold;
    /// deflate itself ends at about 1,030.
    pub ratio_max: u64,
    /// Unpacked bytes up to which the ratio is not looked at.
    pub ratio_free_bytes: u64,
    /// Most bytes of a path.
    pub path_bytes_max: usize,
    /// Most parts of a path.
    pub path_depth_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            archive_bytes_max: 128 << 20,
            unpacked_bytes_max: 256 << 20,
            file_bytes_max: 128 << 20,
            entries_max: 10_000,
            ratio_max: 200,
            ratio_free_bytes: 1 << 20,
            path_bytes_max: 512,
            path_depth_max: 24,
        }
    }
}
