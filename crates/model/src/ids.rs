//! Row identities. Each is its own type, so that a task id can't be passed where a host id is meant.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        #[schema(value_type = i64)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::num::ParseIntError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.trim_start_matches('#').parse().map(Self)
            }
        }
    };
}

id!(
    /// A pool. People address pools by name; the id survives renames.
    PoolId
);
id!(
    /// A host of one pool.
    HostId
);
id!(
    /// A task; shown to people as `#184`.
    TaskId
);
id!(
    /// A crawl and the snapshot it made.
    CrawlId
);
id!(
    /// A person with an account.
    UserId
);
id!(
    /// An API token.
    TokenId
);
id!(
    /// What starts tasks by itself.
    ScheduleId
);
id!(
    /// A rule that watches one pool.
    AlertRuleId
);
id!(
    /// Where messages of alerts go.
    AlertTargetId
);
id!(
    /// Something that is wrong for a while: one alert from its beginning to its recovery.
    AlertId
);
