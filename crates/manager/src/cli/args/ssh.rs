//! What is said of the way to hosts.

use std::path::PathBuf;

use clap::Subcommand;
use p2ppool_model::PoolName;

/// How a pool's hosts are reached
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SshCommand {
    /// Show agent, jump hosts and their keys
    Show {
        /// Name of the pool
        pool: PoolName,
    },
    /// Change how the hosts are reached; what isn't named stays
    Set {
        /// Name of the pool
        pool: PoolName,
        /// Use the keys of the manager's ssh-agent (`yes`), or the pool's own (`no`)
        #[arg(long, value_name = "YES|NO", value_parser = ["yes", "no"])]
        agent: Option<String>,
        /// Of the agent's keys only this one (`SHA256:…`); `any` for all
        #[arg(long, value_name = "FINGERPRINT")]
        agent_key: Option<String>,
        /// Machines to go through, the nearest first: `[user@]host[:port],…`; `none` for none
        #[arg(long, value_name = "HOSTS")]
        jump: Option<String>,
        /// Handshakes at once through each jump host that has no limit of its own
        #[arg(long, value_name = "N")]
        jump_handshakes: Option<u16>,
        /// Handshakes at once through this one: `HOST=N`, or `HOST=default`; may be given more than once
        #[arg(long, value_name = "HOST=N")]
        jump_limit: Vec<String>,
    },
    /// Give the jump hosts a key of their own, or one of them alone
    JumpKey {
        /// Name of the pool
        pool: PoolName,
        /// Private key file (OpenSSH or PEM)
        #[arg(required_unless_present = "forget", conflicts_with = "forget")]
        file: Option<PathBuf>,
        /// Forget their key: they are reached with the pool's again
        #[arg(long)]
        forget: bool,
        /// Only this jump host, as in the settings
        #[arg(long, value_name = "HOST")]
        jump: Option<String>,
        /// File with the key's passphrase
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// File with the OpenSSH user certificate made for the key
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
    /// Accept the key that a jump host shows instead of its pinned one
    Trust {
        /// Name of the pool
        pool: PoolName,
        /// The jump host, as in the settings
        jump: String,
        /// Fingerprint of the key (`SHA256:…`)
        #[arg(long, value_name = "FINGERPRINT")]
        key: String,
    },
}
