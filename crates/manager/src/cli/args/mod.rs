//! What can be said on the command line: one file per noun.

mod account;
mod action;
mod alert;
mod audit;
mod bundle;
mod geoip;
mod host;
mod manager;
mod node;
mod pool;
mod session;
mod share;
mod ssh;
mod task;

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use p2ppool_model::PoolName;

pub(super) use account::{LoginArgs, TokenCommand, UserCommand};
pub(super) use action::{ActionCommand, Gather, On};
pub(super) use alert::AlertCommand;
pub(super) use audit::AuditArgs;
pub(super) use bundle::{BundleCommand, RuntimeCommand};
pub(super) use geoip::GeoipCommand;
pub(super) use host::{HostCommand, KeyCommand};
pub(super) use manager::{BackupArgs, CertCommand, DemoArgs, RestoreArgs, SecretsCommand, ServeArgs};
pub(super) use node::{NodesArgs, StatsArgs};
pub(super) use pool::{GrantArg, PoolCommand, SettingsArgs};
pub(super) use session::{SessionCommand, TotpCommand};
pub(super) use share::{ShareArgs, ShareCommand, ViewArgs, ViewCommand, ViewOf};
pub(super) use ssh::SshCommand;
pub(super) use task::TaskCommand;

/// The manager that a client talks to when nobody says otherwise.
pub(super) const SERVER_DEFAULT: &str = "http://127.0.0.1:8080";

/// Deploys, watches and repairs a peer-to-peer overlay on many hosts that are reached by SSH.
#[derive(Debug, Parser)]
#[command(name = "p2ppool", version, propagate_version = true, arg_required_else_help = true)]
pub(super) struct Args {
    /// Address of the manager
    #[arg(long, global = true, help_heading = "Options of every command", env = "P2PPOOL_SERVER", default_value = SERVER_DEFAULT, value_name = "URL")]
    pub(super) server: String,
    /// API token; else the one that `p2ppool login` kept
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        env = "P2PPOOL_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN"
    )]
    pub(super) token: Option<String>,
    /// Fingerprint (SHA-256) of the manager's certificate, when no authority signed it
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        env = "P2PPOOL_FINGERPRINT",
        value_name = "AB:CD:…"
    )]
    pub(super) fingerprint: Option<String>,
    /// File with the certificate (PEM) of the authority that signed the manager's
    #[arg(
        long,
        global = true,
        help_heading = "Options of every command",
        env = "P2PPOOL_CA_FILE",
        value_name = "FILE",
        conflicts_with = "fingerprint"
    )]
    pub(super) ca_file: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long, global = true, help_heading = "Options of every command")]
    pub(super) json: bool,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Start the manager
    Serve(ServeArgs),
    /// Start a manager with a pool of processes on this machine, to look at
    Demo(DemoArgs),
    /// Accounts: create, list, edit, lock out, delete
    #[command(subcommand)]
    User(UserCommand),
    /// Write everything that the manager keeps into one file, while it works
    Backup(BackupArgs),
    /// Make a manager from a backup, in a new data folder
    Restore(RestoreArgs),
    /// The key that seals secrets: rotate
    #[command(subcommand)]
    Secrets(SecretsCommand),
    /// Pools: create, list, show, edit, delete
    #[command(subcommand)]
    Pool(PoolCommand),
    #[command(flatten)]
    Action(ActionCommand),
    /// Tasks: list, show, watch, cancel, retry
    #[command(subcommand)]
    Task(TaskCommand),
    /// The managers that share the database, and limits over all of them
    Managers {
        #[command(subcommand)]
        command: Option<crate::cli::manager::ManagersCommand>,
    },
    /// Schedules: list, show, create, edit, delete, run, preview
    #[command(subcommand)]
    Schedule(crate::cli::schedule::ScheduleCommand),
    /// Workflows: list, show, set, check, run, approve
    #[command(subcommand)]
    Workflow(crate::cli::workflow::WorkflowCommand),
    /// Nodes of the newest snapshot, or of a chosen one
    Nodes(NodesArgs),
    /// System statistics of the last crawls, or of a time
    Stats(StatsArgs),
    #[command(flatten)]
    History(super::history::HistoryCommand),
    /// The hosts of a pool that use most of something
    Top {
        /// Name of the pool
        pool: PoolName,
        /// node_memory, node_cpu, memory_used, load or disk_free (the least first)
        #[arg(long, default_value = "node_memory")]
        by: p2ppool_model::usage::UsageMetric,
        /// How many
        #[arg(long, default_value_t = 10)]
        limit: u32,
    },
    /// Hosts of a pool: list, set, trust, import, known-hosts
    #[command(subcommand)]
    Host(HostCommand),
    /// The SSH key of a pool
    #[command(subcommand)]
    Key(KeyCommand),
    /// How a pool's hosts are reached: agent, jump hosts
    #[command(subcommand)]
    Ssh(SshCommand),
    /// Software archives: upload, list
    #[command(subcommand)]
    Bundle(BundleCommand),
    /// What nodes run on where hosts have nothing: make it, list it
    #[command(subcommand)]
    Runtime(RuntimeCommand),
    /// Alerts: what is wrong, rules, targets
    #[command(subcommand)]
    Alert(AlertCommand),
    /// Geolocation: look an address up, install DB-IP City Lite
    #[command(subcommand)]
    Geoip(GeoipCommand),
    /// Show how maps are drawn below their points; change what is given
    Map(crate::cli::map::MapArgs),
    /// Who did what: list or export the audit log
    Audit(AuditArgs),
    /// The manager's own certificate, on its own machine
    #[command(subcommand)]
    Cert(CertCommand),
    /// Log in and keep an API token in the user's own folder
    Login(LoginArgs),
    /// Forget the kept API token
    Logout,
    /// API tokens: create, list, revoke
    #[command(subcommand)]
    Token(TokenCommand),
    /// Share links of a pool: list, create, revoke
    #[command(subcommand)]
    Share(ShareCommand),
    /// How tables of a pool are shown: show, set, reset
    #[command(subcommand)]
    View(ViewCommand),
    /// One's own sessions in browsers: list, end
    #[command(subcommand)]
    Session(SessionCommand),
    /// One's own second factor: show, begin, confirm, end
    #[command(subcommand)]
    Totp(TotpCommand),
    /// Print the OpenAPI document
    Openapi,
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page (troff)
    Man,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_wrong_pool_name_is_refused_before_anything_is_asked() {
        let error = Args::try_parse_from(["p2ppool", "install", "Not_A_Name"]).unwrap_err();
        assert!(error.to_string().contains("is not 1 to 63 of a-z"), "{error}");
    }
}
