//! What is said of one's own sessions and second factor.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SessionCommand {
    /// List one's own sessions in browsers
    List,
    /// End a session
    End {
        /// Its id
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        id: Option<i64>,
        /// End all of them
        #[arg(long)]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TotpCommand {
    /// Show whether the account has a second factor
    Show,
    /// Begin to have one: prints what to put into the app; confirm it then
    Begin {
        /// File with the password, `-` for standard input [default: ask]
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
    /// Show a code of the app, which is asked for at each login from now on; prints recovery codes once
    Confirm {
        /// The code that the app shows
        code: String,
    },
    /// End it
    End {
        /// File with the password, `-` for standard input [default: ask]
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
    },
}
