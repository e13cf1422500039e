//! Alerts: what is wrong for a while, told once when it begins and once when it is over.
//!
//! A [`Condition`] is looked at again and again ([`watch::findings`], pure); what it finds is compared with the alerts
//! that are there ([`lifecycle::decide`], pure):
//!
//! ```text
//!               found                 found long enough                not found any more
//!  (nothing) ───────────► pending ───────────────────────► open ───────────────────────────► recovered
//!                            │ not found any more            one message                        one message
//!                            └──────────────► (nothing)
//! ```

pub mod lifecycle;
pub mod quiet;
pub mod watch;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pool::SettingError;
use crate::{Action, AlertId, AlertRuleId, AlertTargetId, PoolId, PoolName, Time};

/// Longest name of a rule or a target, bytes.
pub const NAME_MAX: usize = 100;
/// Most crawls that a condition looks back at.
pub const CRAWLS_MAX: u32 = 100;
/// Most targets of a rule.
pub const TARGETS_MAX: usize = 20;
/// Longest time that a host may be unreachable before it is told: longer is a matter of the host list.
pub const UNREACHABLE_MAX: Duration = Duration::from_secs(90 * 24 * 3600);

/// What a rule watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// The consistency of `crawls` of the last `of` crawls was below a share.
    ConsistencyBelow {
        /// 0 to 1.
        below: f64,
        /// How many of them.
        crawls: u32,
        /// Of how many.
        of: u32,
    },
    /// Fewer nodes than this share of the pool's hosts answered the newest crawl.
    NodesBelow {
        /// 0 to 100.
        percent: f64,
    },
    /// A host could not be reached for this long.
    HostUnreachable {
        /// Minutes.
        minutes: u32,
    },
    /// The newest task of an action failed; the alert is over when one succeeds.
    TaskFailed {
        /// Which actions; empty: every one.
        #[serde(default)]
        actions: Vec<Action>,
        /// Tasks that were right on some hosts only count, too.
        #[serde(default)]
        partial: bool,
    },
    /// A host has less free space under the install path.
    DiskBelow {
        /// Bytes.
        bytes: u64,
    },
    /// A running host has another package than the pool.
    VersionMismatch,
    /// A host shows another key than its pinned one.
    HostKeyChanged,
}

impl Condition {
    /// The name used in the API and in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ConsistencyBelow { .. } => "consistency_below",
            Self::NodesBelow { .. } => "nodes_below",
            Self::HostUnreachable { .. } => "host_unreachable",
            Self::TaskFailed { .. } => "task_failed",
            Self::DiskBelow { .. } => "disk_below",
            Self::VersionMismatch => "version_mismatch",
            Self::HostKeyChanged => "host_key_changed",
        }
    }

    /// How long it must be found before it is told.
    pub fn hold(&self) -> Duration {
        match self {
            Self::HostUnreachable { minutes } => Duration::from_secs(u64::from(*minutes) * 60),
            _ => Duration::ZERO,
        }
    }

    /// The first number that makes no sense.
    pub fn check(&self) -> Result<(), SettingError> {
        let fail = |field, reason: String| Err(SettingError::new(field, reason));
        match self {
            Self::ConsistencyBelow { below, .. } if !(*below > 0.0 && *below <= 1.0) => {
                fail("condition.below", "must be above 0 and at most 1".to_owned())
            }
            Self::ConsistencyBelow { crawls, of, .. } if *of < 1 || *of > CRAWLS_MAX || !(1..=*of).contains(crawls) => {
                fail("condition.crawls", format!("must be 1 to `of`, and `of` 1 to {CRAWLS_MAX}"))
            }
            Self::NodesBelow { percent } if !(*percent > 0.0 && *percent <= 100.0) => {
                fail("condition.percent", "must be above 0 and at most 100".to_owned())
            }
            Self::HostUnreachable { .. } if self.hold() > UNREACHABLE_MAX => {
                fail("condition.minutes", format!("must be at most {}", UNREACHABLE_MAX.as_secs() / 60))
            }
            Self::DiskBelow { bytes: 0 } => fail("condition.bytes", "must be above 0".to_owned()),
            _ => Ok(()),
        }
    }
}

/// A rule of one pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertRule {
    /// Row identity.
    pub id: AlertRuleId,
    /// The pool.
    pub pool: PoolId,
    /// A name for people.
    pub name: String,
    /// What it watches.
    pub condition: Condition,
    /// Where its messages go.
    pub targets: Vec<AlertTargetId>,
    /// It is looked at.
    pub enabled: bool,
    /// When it was made.
    pub created: Time,
}

/// Where an alert is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Found, but not for long enough.
    Pending,
    /// Told, and not over.
    Open,
    /// Over.
    Recovered,
}

impl AlertState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Pending, Self::Open, Self::Recovered];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Open => "open",
            Self::Recovered => "recovered",
        }
    }
}

impl std::str::FromStr for AlertState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| format!("`{text}` is not an alert's state"))
    }
}

/// Something that is wrong for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Row identity.
    pub id: AlertId,
    /// The rule that found it; it may be gone since.
    pub rule: AlertRuleId,
    /// Its name then.
    pub rule_name: String,
    /// The pool.
    pub pool: PoolId,
    /// Its name.
    #[schema(value_type = String)]
    pub pool_name: PoolName,
    /// What it is about: a host's address, an action, or nothing for the pool as a whole.
    pub subject: String,
    /// What is wrong, as a sentence.
    pub text: String,
    /// Where it is in its life.
    pub state: AlertState,
    /// When it was found first.
    pub since: Time,
    /// When it was told.
    pub opened: Option<Time>,
    /// When it was over.
    pub recovered: Option<Time>,
    /// Who saw it, when somebody said so.
    pub acknowledged_by: Option<String>,
    /// When.
    pub acknowledged: Option<Time>,
    /// What they said to it.
    pub comment: Option<String>,
}

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// Alerts began.
    Opened,
    /// Alerts are over.
    Recovered,
    /// A workflow, or a person, has something to say.
    Notice,
    /// Somebody pressed the test button.
    Test,
}

impl MessageKind {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Recovered => "recovered",
            Self::Notice => "notice",
            Self::Test => "test",
        }
    }
}

/// One line of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MessageAlert {
    /// The alert.
    pub id: AlertId,
    /// What it is about.
    pub subject: String,
    /// What is wrong.
    pub text: String,
    /// Since when.
    pub since: Time,
}

/// What is sent: alerts of one rule that began, or ended, at the same look; or a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Message {
    /// What it is about.
    pub kind: MessageKind,
    /// When it was made.
    pub at: Time,
    /// The pool's name, when it is about one.
    pub pool: Option<String>,
    /// Name of the rule, or of what else speaks.
    pub rule: String,
    /// One line for people.
    pub title: String,
    /// More for people; may be empty.
    pub text: String,
    /// The alerts.
    pub alerts: Vec<MessageAlert>,
}

/// Most alerts that a message lists; the title tells how many there are.
pub const LISTED_MAX: usize = 50;

impl Message {
    /// The message that alerts of one rule began, or are over.
    pub fn of(kind: MessageKind, at: Time, pool: &PoolName, rule: &str, alerts: &[&Alert]) -> Self {
        let verb = if kind == MessageKind::Recovered { "recovered" } else { "alert" };
        let title = match alerts {
            [one] => format!("[{pool}] {verb}: {} ({rule})", one.text),
            more => format!("[{pool}] {verb}: {} at once ({rule})", more.len()),
        };
        let listed = alerts.iter().take(LISTED_MAX).map(|alert| MessageAlert {
            id: alert.id,
            subject: alert.subject.clone(),
            text: alert.text.clone(),
            since: alert.since,
        });
        let alerts: Vec<MessageAlert> = listed.collect();
        let lines: Vec<String> = alerts.iter().map(|alert| format!("{} (since {})", alert.text, alert.since)).collect();
        Self { kind, at, pool: Some(pool.to_string()), rule: rule.to_owned(), title, text: lines.join("\n"), alerts }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_make_no_sense_are_named() {
        let field = |condition: Condition| condition.check().unwrap_err().field;
        assert_eq!(field(Condition::ConsistencyBelow { below: 95.0, crawls: 1, of: 1 }), "condition.below");
        assert_eq!(field(Condition::ConsistencyBelow { below: f64::NAN, crawls: 1, of: 1 }), "condition.below");
        assert_eq!(field(Condition::ConsistencyBelow { below: 0.9, crawls: 3, of: 2 }), "condition.crawls");
        assert_eq!(field(Condition::ConsistencyBelow { below: 0.9, crawls: 0, of: 2 }), "condition.crawls");
        assert_eq!(field(Condition::NodesBelow { percent: 0.0 }), "condition.percent");
        assert_eq!(field(Condition::HostUnreachable { minutes: u32::MAX }), "condition.minutes");
        assert_eq!(field(Condition::DiskBelow { bytes: 0 }), "condition.bytes");
        assert!(Condition::ConsistencyBelow { below: 0.95, crawls: 2, of: 3 }.check().is_ok());
    }

    #[test]
    fn a_condition_is_told_by_its_kind() {
        let condition = Condition::HostUnreachable { minutes: 10 };
        let json = serde_json::to_value(&condition).unwrap();
        assert_eq!(json, serde_json::json!({ "kind": condition.kind(), "minutes": 10 }));
        assert!(serde_json::from_str::<Condition>(r#"{"kind":"host_unreachable","minuts":10}"#).is_err());
    }
}
