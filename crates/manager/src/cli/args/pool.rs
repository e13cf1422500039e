//! What is said of pools and their settings.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use p2ppool_model::PoolName;
use p2ppool_model::pool::OverlayKindName;
use p2ppool_model::pool::TransportName;
use p2ppool_model::pool::Visibility;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PoolCommand {
    /// Register a pool
    Create {
        /// 1 to 63 of a-z, 0-9 and `-`
        name: PoolName,
        /// File with one host per line, `-` for standard input
        #[arg(long, value_name = "FILE")]
        hosts: Option<PathBuf>,
        /// Private key file to reach the hosts with
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// File with the key's passphrase
        #[arg(long, value_name = "FILE", requires = "key")]
        passphrase_file: Option<PathBuf>,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// List every pool
    List,
    /// Show one pool
    Show {
        /// Name
        pool: PoolName,
    },
    /// Change settings; some need an upgrade to reach the hosts
    Edit {
        /// Name
        pool: PoolName,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// List who else may see or manage a pool
    Grants {
        /// Name
        pool: PoolName,
    },
    /// Let an account see or manage a pool, or take that back
    Grant {
        /// Name
        pool: PoolName,
        /// Name of the account
        user: String,
        /// What it may
        grant: GrantArg,
    },
    /// Give a pool to another account
    Give {
        /// Name
        pool: PoolName,
        /// Name of the account
        user: String,
    },
    /// Delete a pool that has nothing installed any more
    Delete {
        /// Name
        pool: PoolName,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum GrantArg {
    /// See it although it is private
    See,
    /// Change it and act on its hosts
    Manage,
    /// Nothing any more
    None,
}

/// Settings of a pool; what isn't given keeps its value, or takes the default of a new pool.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(in crate::cli) struct SettingsArgs {
    /// Free text, shown above the map
    #[arg(long)]
    pub(in crate::cli) description: Option<String>,
    /// Nodes of different namespaces never join [default: the name]
    #[arg(long)]
    pub(in crate::cli) namespace: Option<String>,
    /// Overlay software: libp2p or brunet
    #[arg(long)]
    pub(in crate::cli) kind: Option<OverlayKindName>,
    /// How hosts are reached: ssh or local
    #[arg(long)]
    pub(in crate::cli) transport: Option<TransportName>,
    /// TCP port of the nodes, 0 for none
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) tcp_port: Option<u16>,
    /// UDP (QUIC) port of the nodes, 0 for none
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) udp_port: Option<u16>,
    /// RPC port of the nodes, on loopback
    #[arg(long, value_name = "PORT")]
    pub(in crate::cli) rpc_port: Option<u16>,
    /// User name on hosts that don't name their own
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) ssh_user: Option<String>,
    /// Folder on the hosts; may contain {pool} and {host}
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) install_path: Option<String>,
    /// Tasks succeed when this percentage of the reachable hosts is right [default: every host, reachable or not]
    #[arg(long, value_name = "PERCENT")]
    pub(in crate::cli) success: Option<u8>,
    /// Tasks are partial from this percentage, failed below [default: 0]
    #[arg(long, value_name = "PERCENT", requires = "success")]
    pub(in crate::cli) partial: Option<u8>,
    /// Shown when no pool is chosen
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub(in crate::cli) default: Option<bool>,
    /// Leave it out of scheduled checks
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub(in crate::cli) test: Option<bool>,
    /// Who sees it: private or public
    #[arg(long)]
    pub(in crate::cli) visibility: Option<Visibility>,
    /// File with the secret that all nodes share (64 hexadecimal digits); switches QUIC off
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) network_secret: Option<PathBuf>,
    /// Kademlia protocol name, to join networks of other libp2p programs
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) kad_protocol: Option<String>,
    /// Extra bootstrap address (multiaddr without peer id); may be given more than once
    #[arg(long, value_name = "MULTIADDR")]
    pub(in crate::cli) bootstrap: Vec<String>,
    /// The crawl may dial private and loopback addresses
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub(in crate::cli) private_addresses: Option<bool>,
    /// Setting of a Brunet pool, such as `runtime=bundled`, `nodes_per_host=20` or
    /// `security.enabled=true`; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = crate::cli::pool::brunet_setting)]
    pub(in crate::cli) brunet: Vec<(String, serde_json::Value)>,
    /// Days for which the nodes of snapshots are kept; statistics are kept for ever
    #[arg(long, value_name = "DAYS")]
    pub(in crate::cli) detail_days: Option<u32>,
    /// Workflow that begins after each install; empty for none
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) after_install: Option<String>,
}
