//! What is said of what crawls have found.

use clap::Args as ClapArgs;
use p2ppool_model::PoolName;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct NodesArgs {
    /// Name of the pool
    pub(in crate::cli) pool: PoolName,
    /// A crawl's number [default: the newest]
    #[arg(long)]
    pub(in crate::cli) crawl: Option<i64>,
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
    /// How many crawls
    #[arg(long, default_value_t = 20)]
    pub(in crate::cli) limit: u32,
    /// Print CSV
    #[arg(long)]
    pub(in crate::cli) csv: bool,
}
