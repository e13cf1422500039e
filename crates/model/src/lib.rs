//! The nouns of P2PPool Manager and the rules that need only memory and a value of `now`.
//!
//! Nothing here waits, opens a file or knows a database. A rule that can be tested with plain
//! values belongs here; what acts on the answer lives in the crates above.

pub mod action;
pub mod alert;
pub mod amount;
pub mod audit;
pub mod brunet;
pub mod bundle;
pub mod churn;
pub mod consistency;
pub mod deployed;
pub mod diff;
pub mod event;
pub mod fault;
pub mod geo;
pub mod host;
pub mod host_list;
pub mod ids;
pub mod outcome;
pub mod pool;
pub mod role;
pub mod rolling;
pub mod rollout;
pub mod rollout_view;
pub mod schedule;
pub mod settling;
pub mod snapshot;
pub mod ssh;
pub mod ssh_config;
pub mod stats;
pub mod table;
pub mod task;
pub mod time;
pub mod topology;
pub mod usage;
pub mod waiting;
pub mod workflow;

pub use action::Action;
pub use bundle::Digest;
pub use ids::{AlertId, AlertRuleId, AlertTargetId, CrawlId, HostId, PoolId, ScheduleId, TaskId, TokenId, UserId};
pub use outcome::{Cause, Outcome, Step};
pub use pool::PoolName;
pub use time::Time;
