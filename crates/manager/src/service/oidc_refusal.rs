//! Why a login by a provider came to nothing. The browser comes from the provider and has nobody who reads JSON: it is
//! sent on to the page of the login with one of these words, and the page says the rest.

use crate::service::Error;

/// Why, in a word for the page.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The person, or the provider for them, said no.
    #[error("the provider did not log the person in")]
    Denied,
    /// Not begun in this browser, or too long ago.
    #[error("this login was not begun in this browser, or too long ago; begin again")]
    Expired,
    /// What the provider told does not hold.
    #[error("{0}")]
    NotAccepted(String),
    /// No group of theirs has a role.
    #[error("none of the person's groups may use this manager")]
    NoRole,
    /// An account that is there already has the name.
    #[error("there is another account `{0}` on this manager already")]
    NameTaken(String),
    /// The account is locked out.
    #[error("the account is locked out")]
    LockedOut,
    /// The provider can't be asked, or says that it can't answer.
    #[error("{0}")]
    Unavailable(String),
    /// It is the manager's fault.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl Refusal {
    /// The word for the page.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::NotAccepted(_) => "not_accepted",
            Self::NoRole => "no_role",
            Self::NameTaken(_) => "name_taken",
            Self::LockedOut => "locked_out",
            Self::Unavailable(_) => "unavailable",
            Self::Failed(_) => "failed",
        }
    }

    /// What a provider said instead of a code (RFC 6749, section 4.1.2.1; OpenID Connect Core, section 3.1.2.6).
    pub fn of_provider(error: &str) -> Self {
        let shown: String = error.chars().filter(|c| !c.is_control()).take(100).collect();
        match error {
            "access_denied"
            | "login_required"
            | "consent_required"
            | "interaction_required"
            | "account_selection_required" => Self::Denied,
            "server_error" | "temporarily_unavailable" => Self::Unavailable(format!("the provider says {shown}")),
            _ => Self::NotAccepted(format!("the provider refused: {shown}")),
        }
    }

    /// Somebody was kept out, rather than something broken.
    pub fn is_refusal(&self) -> bool {
        !matches!(self, Self::Unavailable(_) | Self::Failed(_))
    }
}

impl From<p2ppool_store::StoreError> for Refusal {
    fn from(error: p2ppool_store::StoreError) -> Self {
        Self::Failed(error.into())
    }
}
