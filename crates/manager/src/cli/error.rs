//! Why a command could not be carried out.

/// Why a command could not be carried out; each message says what was tried and what to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The manager refused.
    #[error("{method} {path}: {message}{details} ({status})")]
    Refused {
        /// HTTP method.
        method: &'static str,
        /// Path under the API.
        path: String,
        /// The manager's own words.
        message: String,
        /// One line each for every wrong field or line.
        details: String,
        /// HTTP status code.
        status: u16,
    },
    /// No manager answered.
    #[error("no answer from {server}: {reason}; is `p2ppool serve` running, and is --server right?")]
    NoAnswer {
        /// The manager's address.
        server: String,
        /// What the connection said.
        reason: String,
    },
    /// It answered with something else.
    #[error("{path}: the answer is not what this version understands: {reason}")]
    BadAnswer {
        /// Path under the API.
        path: String,
        /// What was wrong with it.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Anything else, said already.
    #[error("{0}")]
    Other(String),
    /// Standard output is gone, or no runtime could be made.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<anyhow::Error> for CliError {
    fn from(error: anyhow::Error) -> Self {
        Self::other(error)
    }
}

impl CliError {
    /// An error of the manager itself, with its causes.
    pub(super) fn other(error: impl Into<anyhow::Error>) -> Self {
        Self::Other(format!("{:#}", error.into()))
    }

    /// An error about a file.
    pub(super) fn file(path: &std::path::Path, source: std::io::Error) -> Self {
        Self::File { path: path.display().to_string(), source }
    }
}
