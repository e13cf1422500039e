//! What can go wrong between the program and its database.

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such row.
    #[error("no {what}")]
    NotFound {
        /// What was looked for, with its name: "pool `demo`".
        what: String,
    },
    /// The change contradicts what is stored already.
    #[error("{what}")]
    Conflict {
        /// What is in the way, as a sentence: "there is a pool `demo` already".
        what: String,
    },
    /// The database did not get to it in time: locked by another writer, no free connection, deadlock.
    /// Nothing was changed; trying again is right.
    #[error("{tried}: the database is busy: {source}")]
    Busy {
        /// What was tried.
        tried: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// The database refused, is gone or is damaged.
    #[error("{tried}: {source}")]
    Database {
        /// What was tried.
        tried: String,
        /// What the database said.
        source: sqlx::Error,
    },
    /// A stored value can't be understood by this version of the program.
    #[error("{what} in the database can't be read: {why}")]
    Unreadable {
        /// Which value: "state of pool 7".
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// A whole database could not be copied or filled.
    #[error("{what}: {why}")]
    Copy {
        /// What was tried, with the database's address.
        what: String,
        /// Why not, and what would be right.
        why: String,
    },
    /// The database could not be opened or brought to the present schema.
    #[error("open database {url}: {why}")]
    Open {
        /// Its address, without password.
        url: String,
        /// Why not, and what would be right.
        why: String,
    },
}

/// What every function of the store answers.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

impl StoreError {
    /// There is no `what` ("pool `demo`").
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::NotFound { what: what.into() }
    }

    /// `what` is in the way, as a sentence.
    pub fn conflict(what: impl Into<String>) -> Self {
        Self::Conflict { what: what.into() }
    }

    /// `what` is stored, but makes no sense because of `why`.
    pub fn unreadable(what: impl Into<String>, why: impl std::fmt::Display) -> Self {
        Self::Unreadable { what: what.into(), why: why.to_string() }
    }

    /// Trying again may help.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}

/// Says of a database error what was tried.
pub(crate) trait Tried<T> {
    /// `what` is a fragment such as "list pools".
    fn tried(self, what: &str) -> Result<T>;
}

impl<T> Tried<T> for std::result::Result<T, sqlx::Error> {
    fn tried(self, what: &str) -> Result<T> {
        self.map_err(|source| {
            let tried = what.to_owned();
            if crate::db::is_busy(&source) {
                StoreError::Busy { tried, source }
            } else {
                StoreError::Database { tried, source }
            }
        })
    }
}

/// Answers `conflict` instead of a broken UNIQUE constraint.
pub(crate) fn unique<T>(
    result: std::result::Result<T, sqlx::Error>,
    tried: &str,
    conflict: impl FnOnce() -> String,
) -> Result<T> {
    match result {
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Err(StoreError::conflict(conflict())),
        other => other.tried(tried),
    }
}

/// Answers "no `what`" instead of a broken reference to another table.
pub(crate) fn referenced<T>(
    result: std::result::Result<T, sqlx::Error>,
    tried: &str,
    what: impl FnOnce() -> String,
) -> Result<T> {
    match result {
        Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Err(StoreError::not_found(what())),
        other => other.tried(tried),
    }
}
