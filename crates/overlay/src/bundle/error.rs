//! Why an archive is refused, in plain words.

/// An archive that is refused.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The file can't be read.
    #[error("can't read the archive: {0}")]
    Read(#[from] std::io::Error),
    /// Neither zip nor tar.gz.
    #[error("it is neither a zip nor a tar.gz archive ({found})")]
    NotAnArchive {
        /// What it is instead, as a clause.
        found: String,
    },
    /// It says it is an archive and isn't a whole one.
    #[error("the {format} archive is damaged: {reason}")]
    Damaged {
        /// `zip` or `tar.gz`.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It is bigger than allowed in one way or other.
    #[error("{what} is more than the allowed {limit}")]
    TooBig {
        /// What was measured, with its subject.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// It unpacks to so much that it can only be a bomb.
    #[error("it unpacks to more than {ratio} times its size, which no program does")]
    Bomb {
        /// The limit.
        ratio: u64,
    },
    /// A path that would leave the folder it is unpacked in, or can't be written everywhere.
    #[error("the path `{path}` {reason}")]
    Path {
        /// As in the archive, made printable.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// An entry that is neither file nor folder.
    #[error("`{path}` is {what}; only files and folders are accepted")]
    Entry {
        /// As in the archive, made printable.
        path: String,
        /// What it is.
        what: &'static str,
    },
    /// Two entries with one path.
    #[error("`{path}` is in the archive twice")]
    Duplicate {
        /// The path.
        path: String,
    },
    /// A password would be needed.
    #[error("`{path}` is encrypted; upload the archive without a password")]
    Encrypted {
        /// The path.
        path: String,
    },
    /// No file at all.
    #[error("the archive holds no file")]
    Empty,
    /// The program is there and something that it can't do without isn't.
    #[error("`{program}` needs {missing} beside it, and {folder} holds no such file; add what is missing")]
    MissingFiles {
        /// Path of the program.
        program: String,
        /// File names.
        missing: String,
        /// The folder, as it reads in a sentence.
        folder: String,
    },
    /// No overlay kind found its program.
    #[error("no program in it: {reason}")]
    NoProgram {
        /// What each kind looked for.
        reason: String,
    },
}

impl BundleError {
    /// `what` has more bytes than `bytes_max`.
    pub(super) fn too_big(what: &str, bytes_max: u64) -> Self {
        let limit = match bytes_max >> 20 {
            0 => format!("{bytes_max} bytes"),
            mebibytes => format!("{mebibytes} MiB"),
        };
        Self::TooBig { what: what.to_owned(), limit }
    }
}
