//! What is said of share links and of how tables are shown.

use std::collections::BTreeMap;

use clap::{Args as ClapArgs, Subcommand};
use p2ppool_model::{PoolName, Time};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ShareCommand {
    /// List the links of a pool, also those that hold no more
    List {
        /// Name of the pool
        pool: PoolName,
    },
    /// Make a link that shows chosen views of one pool to whoever has it; it is shown only now
    Create(ShareArgs),
    /// Make a link useless
    Revoke {
        /// Name of the pool
        pool: PoolName,
        /// Its id
        id: i64,
    },
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ShareArgs {
    /// Name of the pool
    pub(in crate::cli) pool: PoolName,
    /// What it is for
    pub(in crate::cli) name: String,
    /// map, nodes, stats or csv; may be given more than once
    #[arg(long, value_name = "VIEW", required = true, value_delimiter = ',', value_parser = ["map", "nodes", "stats", "csv"])]
    pub(in crate::cli) view: Vec<String>,
    /// Only crawls that began then or later (2026-11-23T12:00:00Z)
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) from: Option<Time>,
    /// Only crawls that began earlier
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) to: Option<Time>,
    /// Tell host names and IP addresses, too
    #[arg(long)]
    pub(in crate::cli) hosts: bool,
    /// How exactly to tell where nodes are: none, degree, city or exact [default: degree; with --hosts exact]
    #[arg(long, value_name = "HOW", value_parser = ["none", "degree", "city", "exact"])]
    pub(in crate::cli) places: Option<String>,
    /// Only nodes of this namespace; may be given more than once
    #[arg(long, value_name = "NAMESPACE")]
    pub(in crate::cli) namespace: Vec<String>,
    /// Web site that may embed it, such as https://lab.example.org; may be given more than once
    #[arg(long, value_name = "SITE")]
    pub(in crate::cli) embed: Vec<String>,
    /// It ends after this many days [default: never]
    #[arg(long)]
    pub(in crate::cli) days: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ViewCommand {
    /// Show how a table is shown: to everybody, and to you
    Show(ViewOf),
    /// Choose how a table is shown to everybody who did not choose otherwise
    Set {
        #[command(flatten)]
        of: ViewOf,
        /// Choose it for yourself alone
        #[arg(long)]
        own: bool,
        #[command(flatten)]
        settings: ViewArgs,
    },
    /// Show a table as the program has it again
    Reset {
        #[command(flatten)]
        of: ViewOf,
        /// Forget your own choice alone
        #[arg(long)]
        own: bool,
    },
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ViewOf {
    /// Name of the pool
    pub(in crate::cli) pool: PoolName,
    /// nodes, stats or hosts
    #[arg(value_parser = ["nodes", "stats", "hosts"])]
    pub(in crate::cli) view: String,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ViewArgs {
    /// Columns in this order, by comma [default: those of the program]
    #[arg(long, value_delimiter = ',')]
    pub(in crate::cli) columns: Option<Vec<String>>,
    /// Column to sort by
    #[arg(long)]
    pub(in crate::cli) sort: Option<String>,
    /// asc or desc
    #[arg(long, value_parser = ["asc", "desc"])]
    pub(in crate::cli) order: Option<String>,
    /// Filter as NAME=VALUE; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = filter)]
    pub(in crate::cli) filter: Vec<(String, String)>,
    /// How far back: 24h, 7d or a number of crawls
    #[arg(long)]
    pub(in crate::cli) range: Option<String>,
}

impl ViewArgs {
    /// Filters by name.
    pub(in crate::cli) fn filters(&self) -> BTreeMap<&str, &str> {
        self.filter.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

fn filter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("must be NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
