//! What a person may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Ordered by power: each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees.
    Viewer,
    /// Creates pools and manages their own.
    Publisher,
    /// Manages all pools.
    Administrator,
    /// Manages users and settings, too.
    SuperAdministrator,
}

impl Role {
    /// The name used in the database, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Publisher => "publisher",
            Self::Administrator => "administrator",
            Self::SuperAdministrator => "super_administrator",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Viewer, Self::Publisher, Self::Administrator, Self::SuperAdministrator]
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a role (viewer, publisher, administrator, super_administrator)"))
    }
}

/// What a person was given on one pool that is not theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// They see it, although it is private.
    See,
    /// They change it and act on its hosts, when their role is publisher or better.
    Manage,
}

impl Grant {
    /// The name used in the database, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::See => "see",
            Self::Manage => "manage",
        }
    }
}

impl std::str::FromStr for Grant {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "see" => Ok(Self::See),
            "manage" => Ok(Self::Manage),
            _ => Err(format!("`{text}` is not a grant (see, manage)")),
        }
    }
}
