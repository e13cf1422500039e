//! What is said of actions: each starts a task on a pool.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use p2ppool_model::PoolName;
use p2ppool_model::amount::Amount;
use p2ppool_model::fault::FaultKind;
use p2ppool_model::rolling::labels;

use super::pool::SettingsArgs;
use crate::cli::rolling::RollingArgs;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ActionCommand {
    /// Put the package on every host, start it, verify it
    Install {
        #[command(flatten)]
        on: On,
        /// Software archive to upload first [default: the built-in p2pnode]
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
    },
    /// Like install, with new settings, hosts or software; leaves alone what is right
    Upgrade {
        #[command(flatten)]
        on: On,
        /// Software archive to upload first
        #[arg(long, value_name = "FILE")]
        bundle: Option<PathBuf>,
        /// New host list, `-` for standard input
        #[arg(long, value_name = "FILE")]
        hosts: Option<PathBuf>,
        /// A new Brunet bundle keeps the old namespace
        #[arg(long)]
        keep_namespace: bool,
        #[command(flatten)]
        settings: Box<SettingsArgs>,
        #[command(flatten)]
        rolling: Box<RollingArgs>,
    },
    /// Stop the nodes; keep files and history
    Suspend {
        #[command(flatten)]
        on: On,
    },
    /// Start what suspend stopped
    Resume {
        #[command(flatten)]
        on: On,
    },
    /// Uninstall from every host and retire the pool
    Stop {
        #[command(flatten)]
        on: On,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
    /// Is the right package running everywhere? Repair it where not
    Check {
        #[command(flatten)]
        on: On,
    },
    /// Walk the overlay and store a snapshot
    Crawl {
        #[command(flatten)]
        on: On,
        /// Walk again until the overlay has settled, a minute at most
        #[arg(long)]
        settle: bool,
    },
    /// Replace the SSH key on every host: add the new one, prove it, withdraw the old one
    RotateKey {
        #[command(flatten)]
        on: On,
    },
    /// Retry the hosts that stop could not reach
    UninstallCheck {
        #[command(flatten)]
        on: On,
    },
    /// Stop or kill chosen nodes on purpose, or start again what is down
    Fault {
        /// What to do: stop, kill or resume
        kind: FaultKind,
        #[command(flatten)]
        on: On,
        /// How many of the nodes: a number, or a part such as 20%
        #[arg(long, value_name = "N|N%")]
        share: Option<Amount>,
        /// Only hosts with these labels, such as site=lyon
        #[arg(long, value_name = "LABELS", value_parser = labels)]
        labels: Option<std::collections::BTreeMap<String, String>>,
        /// Number that chooses them; the same one chooses the same hosts [default: any]
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Bring back logs, result files or usage numbers
    Gather {
        /// What to bring back
        what: Gather,
        #[command(flatten)]
        on: On,
        /// File name pattern of result files; may be given more than once [default: *.db]
        #[arg(long, value_name = "PATTERN")]
        pattern: Vec<String>,
    },
}

/// The pool, and whether to wait.
#[derive(Clone, Debug, ClapArgs)]
pub(in crate::cli) struct On {
    /// Name of the pool
    pub(in crate::cli) pool: PoolName,
    /// Show the progress until the task has ended; exit non-zero when a host failed
    #[arg(long)]
    pub(in crate::cli) wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(in crate::cli) enum Gather {
    /// Node logs, into logs.zip
    Logs,
    /// Result files, into data.zip
    Data,
    /// Memory, CPU, load, disk and uptime
    Usage,
}
