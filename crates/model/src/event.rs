//! What viewers are told. An event is a hint with an id; the store is the truth.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rollout_view::RolloutView;
use crate::task::{Task, TaskHost};
use crate::workflow::run::Progress;
use crate::{CrawlId, TaskId, Time};

/// One thing that changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Rises by one per event of this manager; resume by `Last-Event-ID`.
    pub id: u64,
    /// When.
    pub at: Time,
    /// Name of the pool it is about, if it is about one.
    pub pool: Option<String>,
    /// What.
    #[serde(flatten)]
    pub change: Change,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Change {
    /// A task was queued, claimed, made progress or ended.
    Task {
        /// As it is now.
        task: Box<Task>,
    },
    /// Hosts of a task changed.
    TaskHosts {
        /// The task.
        task: TaskId,
        /// As they are now.
        hosts: Vec<TaskHost>,
    },
    /// A rolling upgrade came to another phase, or its gate was read.
    Rollout {
        /// As it is now.
        rollout: Box<RolloutView>,
    },
    /// A run of a workflow began, came to another step, or ended.
    WorkflowRun {
        /// Its id.
        run: i64,
        /// Name of the workflow.
        workflow: String,
        /// As it is now.
        progress: Box<Progress>,
    },
    /// A snapshot was stored.
    Crawl {
        /// Its id.
        crawl: CrawlId,
    },
    /// A pool was created, edited, changed state or was deleted.
    Pool,
    /// Alerts of a pool began, changed or are over.
    Alerts,
    /// The viewer fell behind and should read everything again.
    Reread,
}
