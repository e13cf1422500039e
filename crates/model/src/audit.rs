//! What the audit log says of each thing that was done.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How something that is in the audit log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditResult {
    /// It was done.
    Ok,
    /// They might not, or could not show who they are.
    Refused,
    /// The manager could not; part of it may have been done.
    Failed,
}

impl AuditResult {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl std::str::FromStr for AuditResult {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = [Self::Ok, Self::Refused, Self::Failed].into_iter().find(|result| result.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is not a result (ok, refused, failed)"))
    }
}
