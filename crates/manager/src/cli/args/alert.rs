//! What is said of alerts.

use clap::Subcommand;
use p2ppool_model::PoolName;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AlertCommand {
    /// List what is wrong, or was
    List {
        /// Only of this pool
        #[arg(long)]
        pool: Option<PoolName>,
        /// pending, open or recovered
        #[arg(long)]
        state: Option<p2ppool_model::alert::AlertState>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Say that an alert was seen
    Acknowledge {
        /// Its number
        id: p2ppool_model::AlertId,
        /// For the others
        #[arg(long)]
        comment: Option<String>,
    },
    /// List the rules of a pool
    Rules {
        /// Name of the pool
        pool: PoolName,
    },
    /// List where messages can go, and how they fare
    Targets,
    /// Send a test message to a target; exit non-zero when it does not arrive
    Test {
        /// The target's number
        id: p2ppool_model::AlertTargetId,
    },
}
