//! What is said of a manager on its own machine.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::config::Settings;

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ServeArgs {
    /// TOML file with the same settings
    #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) settings: Settings,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct DemoArgs {
    /// How many hosts
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(in crate::cli) hosts: u8,
    /// Port of the web page, 0 for any free one
    #[arg(long, default_value_t = 8080)]
    pub(in crate::cli) port: u16,
    /// Folder to keep everything in [default: a new one that is deleted at the end]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) data: Option<PathBuf>,
    /// The p2pnode program to deploy instead of the built-in one
    #[arg(long, env = "P2PPOOL_NODE_BINARY", value_name = "FILE")]
    pub(in crate::cli) node_binary: Option<PathBuf>,
    /// Go through the whole life of the pool once, clean up, and tell whether each step was right
    #[arg(long)]
    pub(in crate::cli) once: bool,
}

/// Which manager, for commands that work on its machine.
#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct ManagerArgs {
    /// TOML file with the manager's settings
    #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) settings: Settings,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct BackupArgs {
    /// File to write; replaced when the backup is whole
    pub(in crate::cli) file: PathBuf,
    /// Seal it for the holder of this age key (age1…); repeat for several
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) recipient: Vec<String>,
    /// Seal it with the passphrase on the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "recipient")]
    pub(in crate::cli) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) manager: ManagerArgs,
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct RestoreArgs {
    /// The backup
    pub(in crate::cli) file: PathBuf,
    /// age identity file that opens it
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    pub(in crate::cli) identity: Option<PathBuf>,
    /// File with the passphrase that opens it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) manager: ManagerArgs,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SecretsCommand {
    /// Seal every secret with a new key, while the manager works
    Rotate {
        #[command(flatten)]
        manager: ManagerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CertCommand {
    /// Make the self-signed certificate of --tls auto anew
    Renew {
        /// TOML file with the manager's settings
        #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}
