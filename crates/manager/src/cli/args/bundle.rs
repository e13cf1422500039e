//! What is said of software archives and of what they run on.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BundleCommand {
    /// Upload a zip or tar.gz
    Upload {
        /// The archive
        file: PathBuf,
    },
    /// List uploaded archives
    List,
}

/// A runtime that can be made.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(in crate::cli) enum RuntimeName {
    /// A relocatable Mono, for Brunet pools
    Mono,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum RuntimeCommand {
    /// Make it on the manager, of Debian's packages, and wait for it
    Build {
        /// Which one
        name: RuntimeName,
        /// Fetch the packages even when the manager's machine has a Mono of its own
        #[arg(long)]
        from_packages: bool,
    },
    /// End a making that is under way
    Cancel {
        /// Which one
        name: RuntimeName,
    },
    /// List what was made
    List,
}
