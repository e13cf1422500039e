//! What is said of the audit log.

use clap::Args as ClapArgs;
use p2ppool_model::PoolName;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct AuditArgs {
    /// Only by this person, schedule or workflow
    #[arg(long)]
    pub(in crate::cli) who: Option<String>,
    /// Only this action, such as "DELETE /pools/{pool}"
    #[arg(long)]
    pub(in crate::cli) action: Option<String>,
    /// Only about this pool
    #[arg(long)]
    pub(in crate::cli) pool: Option<PoolName>,
    /// Only what ended so: ok, refused or failed
    #[arg(long)]
    pub(in crate::cli) result: Option<p2ppool_model::audit::AuditResult>,
    /// Then or later (2026-11-23T00:00:00Z)
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) from: Option<String>,
    /// Earlier
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) to: Option<String>,
    /// Text to be found in any column
    #[arg(long, short = 'q')]
    pub(in crate::cli) query: Option<String>,
    /// How many
    #[arg(long, default_value_t = 50)]
    pub(in crate::cli) limit: u32,
    /// Print all of it as CSV
    #[arg(long)]
    pub(in crate::cli) csv: bool,
}
