//! What is said of tasks.

use clap::Subcommand;
use p2ppool_model::PoolName;
use p2ppool_model::TaskId;
use p2ppool_model::outcome::Outcome;
use p2ppool_model::rollout::Decision;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TaskCommand {
    /// List the newest tasks
    List {
        /// Only of this pool
        #[arg(long)]
        pool: Option<PoolName>,
        /// Only in this state
        #[arg(long)]
        state: Option<p2ppool_model::task::TaskState>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show a task and its hosts
    Show {
        /// Its number
        task: TaskId,
        /// Only hosts with this outcome
        #[arg(long)]
        outcome: Option<Outcome>,
    },
    /// Show the remote output of one host
    Output {
        /// The task's number
        task: TaskId,
        /// The host's address, as in `task show`, or its id
        host: String,
    },
    /// Follow a task until it has ended; exit non-zero when a host failed
    Watch {
        /// Its number
        task: TaskId,
    },
    /// End a task at its hosts' next step
    Cancel {
        /// Its number
        task: TaskId,
    },
    /// Show the batches of a rolling upgrade and what their gates found
    Rollout {
        /// The task's number
        task: TaskId,
    },
    /// Decide on a paused rolling upgrade
    Continue {
        /// The task's number
        task: TaskId,
        /// continue with the next batch, check the gate again, or roll_back
        #[arg(default_value = "continue")]
        decision: Decision,
    },
    /// Do the hosts again that aren't right
    Retry {
        /// Its number
        task: TaskId,
        /// Only hosts with this outcome; may be given more than once [default: all that aren't right]
        #[arg(long)]
        only: Vec<Outcome>,
        /// This host, by its address or id, whatever became of it; may be given more than once
        #[arg(long)]
        host: Vec<String>,
        /// Show the progress until the task has ended
        #[arg(long)]
        wait: bool,
    },
}
