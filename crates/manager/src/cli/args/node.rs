//! What is said of what crawls have found.

use clap::Args as ClapArgs;
use p2ppool_model::PoolName;

use crate::cli::history::{RangeArgs, WhenArgs};

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct NodesArgs {
    /// Name of the pool
    pub(in crate::cli) pool: PoolName,
    #[command(flatten)]
    pub(in crate::cli) when: WhenArgs,
    /// Text to be found in addresses, names and versions
    #[arg(long, short = 'q')]
    pub(in crate::cli) query: Option<String>,
    /// Column to sort by
    #[arg(long)]
    pub(in crate::cli) sort: Option<String>,
    /// Sort downwards
    #[arg(long)]
    pub(in crate::cli) descending: bool,
    /// How many
    #[arg(long, default_value_t = 100)]
    pub(in crate::cli) limit: u32,
    /// Print CSV
    #[arg(long)]
    pub(in crate::cli) csv: bool,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct StatsArgs {
    /// Name of the pool
    pub(in crate::cli) pool: PoolName,
    #[command(flatten)]
    pub(in crate::cli) range: RangeArgs,
    /// How many crawls
    #[arg(long, default_value_t = 20)]
    pub(in crate::cli) limit: u32,
    /// At most so many lines: least, mean and greatest of the crawls of equal parts of the time
    #[arg(long, conflicts_with_all = ["limit", "csv"])]
    pub(in crate::cli) buckets: Option<u32>,
    /// Print CSV
    #[arg(long)]
    pub(in crate::cli) csv: bool,
}
