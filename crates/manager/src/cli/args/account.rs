//! What is said of accounts, and of who one is.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use p2ppool_model::PoolName;
use p2ppool_model::TokenId;
use p2ppool_model::role::Role;

use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UserCommand {
    /// List every account
    List,
    /// Make an account; without a password file a random password is made and shown once
    Create {
        /// Its name
        name: String,
        /// viewer, publisher, administrator or super_administrator
        #[arg(long)]
        role: Role,
        /// File with the password, `-` for standard input
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Give another role
    Edit {
        /// Name of the account
        name: String,
        /// viewer, publisher, administrator or super_administrator
        #[arg(long)]
        role: Role,
    },
    /// Lock an account out; its sessions and tokens hold no more
    Disable {
        /// Name of the account
        name: String,
    },
    /// Let an account in again
    Enable {
        /// Name of the account
        name: String,
    },
    /// Delete an account; its pools stay
    Delete {
        /// Name of the account
        name: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Give an account a new random password, on the manager's own machine
    ResetPassword {
        /// Name of the account
        #[arg(default_value = "admin")]
        name: String,
        /// TOML file with the manager's settings
        #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

#[derive(Debug, ClapArgs)]
pub(in crate::cli) struct LoginArgs {
    /// Name of the account
    #[arg(default_value = "admin")]
    pub(in crate::cli) name: String,
    /// File with the password, `-` for standard input [default: ask]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) password_file: Option<PathBuf>,
    /// The code of the account's second factor, or a recovery code, when it has one
    #[arg(long)]
    pub(in crate::cli) code: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make a token; it is shown only now
    Create {
        /// What it is for
        name: String,
        /// Its holder has at most this role [default: your own]
        #[arg(long)]
        role: Option<Role>,
        /// It reaches only this pool; may be given more than once [default: all]
        #[arg(long, value_name = "POOL")]
        pool: Vec<PoolName>,
        /// It ends after this many days [default: never]
        #[arg(long)]
        days: Option<u32>,
    },
    /// List one's own tokens
    List,
    /// Make a token useless
    Revoke {
        /// Its id
        id: TokenId,
    },
}
