//! What is said of hosts and the key that reaches them.

use std::path::PathBuf;

use clap::Subcommand;
use p2ppool_model::PoolName;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum HostCommand {
    /// List the hosts and what is known of them
    List {
        /// Name of the pool
        pool: PoolName,
        /// Text to be found in the address
        #[arg(long, short = 'q')]
        query: Option<String>,
        /// How many
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// Replace the host list; hosts that are no longer on it leave with the next upgrade
    Set {
        /// Name of the pool
        pool: PoolName,
        /// File with one host per line, `-` for standard input
        file: PathBuf,
    },
    /// Show the pinned key of a host, and accept another one
    Trust {
        /// Name of the pool
        pool: PoolName,
        /// Address of the host, as in the host list
        host: String,
        /// The new key's fingerprint (`SHA256:…`); without it, both keys are shown
        #[arg(long, value_name = "FINGERPRINT")]
        key: Option<String>,
    },
    /// Read the hosts of an OpenSSH configuration and print them as a host list
    Import {
        /// The file, such as ~/.ssh/config; `-` for standard input
        file: PathBuf,
    },
    /// Pin the host keys that a known_hosts file has for the pool's hosts
    KnownHosts {
        /// Name of the pool
        pool: PoolName,
        /// The file, such as ~/.ssh/known_hosts; `-` for standard input
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum KeyCommand {
    /// Give the pool a private key
    Set {
        /// Name of the pool
        pool: PoolName,
        /// Private key file (OpenSSH or PEM)
        file: PathBuf,
        /// File with the key's passphrase
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// File with the OpenSSH user certificate made for the key (`…-cert.pub`)
        #[arg(long, value_name = "FILE")]
        certificate: Option<PathBuf>,
    },
    /// Make a key for the pool and print its public half
    Generate {
        /// Name of the pool
        pool: PoolName,
    },
}
