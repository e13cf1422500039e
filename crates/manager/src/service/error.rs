//! Why a use case could not be done, in the words of the person who asked.

use std::time::Duration;

use p2ppool_model::host_list::LineError;
use p2ppool_model::pool::SettingError;
use p2ppool_model::role::Role;
use p2ppool_store::StoreError;
use serde::Serialize;
use utoipa::ToSchema;

use crate::secrets::KeepError;

/// One wrong field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON name of the field, `.` between parts.
    pub field: String,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl From<SettingError> for FieldError {
    fn from(error: SettingError) -> Self {
        Self { field: error.field.to_owned(), reason: error.reason }
    }
}

/// Why not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It needs an account.
    #[error("{0} needs an account; log in first")]
    Unauthenticated(&'static str),
    /// Name and password do not fit.
    #[error("wrong name or password")]
    WrongPassword,
    /// The password is right, but the account asks for a second factor.
    #[error("this account asks for the code of its second factor, too")]
    NeedsSecondFactor,
    /// The code is not right, or was used before.
    #[error("wrong code")]
    WrongCode,
    /// The token does not hold, or is none.
    #[error("this API token does not hold; make another one")]
    WrongToken,
    /// The account may not.
    #[error("{what} needs the role {} or better{}", .needs.as_str(), if *.or_owner { ", or to own the pool" } else { "" })]
    Forbidden {
        /// What was tried.
        what: &'static str,
        /// The least role that may.
        needs: Role,
        /// A publisher who owns the pool may, too.
        or_owner: bool,
    },
    /// The account may not, said already.
    #[error("{0}")]
    Denied(String),
    /// The route is missing in the permission table: nobody may.
    #[error("{0}")]
    NoRule(String),
    /// Too many tries.
    #[error("too many failed logins; try again in {} s", .0.as_secs().max(1))]
    Throttled(Duration),
    /// There is no such thing.
    #[error("there is no {what} `{name}`")]
    NotFound {
        /// Which noun.
        what: &'static str,
        /// As asked for.
        name: String,
    },
    /// There is no such thing, in the store's words.
    #[error("there is no {0}")]
    Missing(String),
    /// Fields are wrong.
    #[error("{}", fields_text(.0))]
    Fields(Vec<FieldError>),
    /// Lines of a host list are wrong.
    #[error("{}", lines_text(.0))]
    Hosts(Vec<LineError>),
    /// It contradicts what is there already.
    #[error("{message}")]
    Conflict {
        /// A word for programs.
        code: &'static str,
        /// A sentence for people.
        message: String,
    },
    /// More bytes than allowed.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
    /// The request's body has more bytes than its route takes.
    #[error("the body is larger than this route takes")]
    BodyTooLarge,
    /// A browser sent it for another web site.
    #[error("the request comes from another web site")]
    CrossSite,
    /// A change with a session cookie did not repeat what our own pages can read.
    #[error("the request lacks the header x-csrf-token with the value of the cookie p2ppool_csrf; read the page again")]
    Csrf,
    /// Too many requests.
    #[error("too many requests; try again in {} s", .0.as_secs().max(1))]
    TooMany(Duration),
    /// The request is for another host name.
    #[error("this manager is not `{0}`; `--public-url` or `--allowed-host` tells it its names")]
    ForeignHost(String),
    /// The database did not get to it in time; nothing was changed.
    #[error("the manager is busy; try again")]
    Busy,
    /// The request itself can't be understood.
    #[error("{0}")]
    BadRequest(String),
    /// Our fault; the log tells more than the answer.
    #[error("something went wrong inside the manager")]
    Internal(#[source] anyhow::Error),
}

impl Error {
    /// One wrong field.
    pub fn field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Fields(vec![FieldError { field: field.into(), reason: reason.into() }])
    }

    /// There is no such thing.
    pub fn not_found(what: &'static str, name: impl std::fmt::Display) -> Self {
        Self::NotFound { what, name: name.to_string().chars().take(80).collect() }
    }

    /// Our fault.
    pub fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::Internal(error.into())
    }
}

impl From<Vec<SettingError>> for Error {
    fn from(errors: Vec<SettingError>) -> Self {
        Self::Fields(errors.into_iter().map(FieldError::from).collect())
    }
}

impl From<SettingError> for Error {
    fn from(error: SettingError) -> Self {
        Self::Fields(vec![error.into()])
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Self::Missing(what),
            StoreError::Conflict { what } => Self::Conflict { code: "conflict", message: what },
            error if error.is_busy() => Self::Busy,
            error => Self::Internal(error.into()),
        }
    }
}

impl From<KeepError> for Error {
    fn from(error: KeepError) -> Self {
        match error {
            KeepError::Store(error) => error.into(),
            error => Self::Internal(error.into()),
        }
    }
}

fn fields_text(fields: &[FieldError]) -> String {
    fields.iter().map(|f| format!("{}: {}", f.field, f.reason)).collect::<Vec<_>>().join("; ")
}

/// Wrong lines told in the sentence; the rest is in the details.
const LINES_TOLD: usize = 3;

fn lines_text(lines: &[LineError]) -> String {
    let told: Vec<String> = lines.iter().take(LINES_TOLD).map(ToString::to_string).collect();
    let more = match lines.len().saturating_sub(LINES_TOLD) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!(
        "{} wrong in the host list: {}{more}",
        if lines.len() == 1 { "1 line is" } else { "lines are" },
        told.join("; ")
    )
}
