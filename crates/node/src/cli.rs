//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use libp2p::Multiaddr;
use p2ppool_model::Digest;
use p2ppool_overlay::libp2p::config::RPC_DEFAULT;
use p2ppool_overlay::libp2p::{ConfigError, HostConfig, Identity, NodeConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::ask::{Asker, ask};
use crate::failure::{Class, Failure};
use crate::log;
use crate::node::{self, Start};
use crate::node_file::NodeFile;
use crate::rpc::{self, KEY_BYTES_MAX};

/// Longest value that `put -` reads; the node takes less.
const VALUE_BYTES_MAX: u64 = 64 * 1024;

/// The overlay node of P2PPool Manager.
#[derive(Debug, Parser)]
#[command(name = "p2pnode", version, about, disable_help_subcommand = true)]
pub struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(Debug, Subcommand)]
enum CliCommand {
    /// Run a node until SIGTERM or SIGINT
    Run(Run),
    /// Print the peer id of a data folder, making its identity when there is none
    Id {
        #[command(flatten)]
        place: Place,
    },
    /// Ask a running node over the network and print its answer as JSON
    Info(Info),
    /// Store a record in the overlay through a running node
    Put {
        /// Up to 256 bytes
        key: String,
        /// The value; `-` reads it from standard input
        value: String,
        #[command(flatten)]
        through: Through,
    },
    /// Look a record up in the overlay through a running node, and print it
    Get {
        /// Up to 256 bytes
        key: String,
        #[command(flatten)]
        through: Through,
    },
}

/// Where configuration and data lie.
#[derive(Debug, Args)]
struct Place {
    /// Configuration that all nodes of the pool share (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Configuration that only this host has (TOML); wins over the shared one
    #[arg(long, value_name = "FILE", requires = "config")]
    host_config: Option<PathBuf>,
    /// Folder of the identity and of node.json; else as configured, else the current one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Run {
    #[command(flatten)]
    place: Place,
    /// SHA-256 of the package that this program comes from
    #[arg(long, value_name = "DIGEST")]
    package: Option<Digest>,
}

#[derive(Debug, Args)]
struct Info {
    /// Multiaddress of the node, with or without its peer id
    address: Multiaddr,
    /// Ask as a node of this namespace; else the node's own
    #[arg(long)]
    namespace: Option<String>,
    /// Ask under this identity (an operator is told more); else under a new one
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// Take namespace and network secret from this configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Seconds to wait
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    deadline: u64,
}

/// Which running node to go through.
#[derive(Debug, Args)]
struct Through {
    /// Its control port; else the one in node.json of the data folder, else 127.0.0.1:4651
    #[arg(long, value_name = "ADDRESS")]
    rpc: Option<SocketAddr>,
    #[command(flatten)]
    place: Place,
}

impl Cli {
    /// Does what was asked.
    pub async fn run(self) -> Result<(), Failure> {
        match self.command {
            CliCommand::Run(run) => start(run).await,
            CliCommand::Id { place } => print_id(&place).await,
            CliCommand::Info(info) => print_info(info).await,
            CliCommand::Put { key, value, through } => {
                let value = if value == "-" { standard_input().await? } else { value.into_bytes() };
                rpc::client::put(through.address()?, checked(&key)?, value).await
            }
            CliCommand::Get { key, through } => {
                let value = rpc::client::get(through.address()?, checked(&key)?).await?;
                print(&value).await
            }
        }
    }
}

async fn start(run: Run) -> Result<(), Failure> {
    let Some((config, host)) = run.place.load()? else {
        return Err(Failure::new(Class::Config, "run needs --config FILE"));
    };
    log::start(config.log.as_deref())?;
    if config.network_secret.is_some() && config.udp_port.is_some() {
        tracing::info!("the network secret switches QUIC off");
    }
    let data = run.place.data(Some(&config));
    Box::pin(node::run(Start { config, host, data, package: run.package })).await
}

async fn print_id(place: &Place) -> Result<(), Failure> {
    let config = place.load()?;
    let data = place.data(config.as_ref().map(|(config, _)| config));
    print(format!("{}\n", node::identity(&data)?.peer_id()).as_bytes()).await
}

async fn print_info(info: Info) -> Result<(), Failure> {
    let config = info.config.as_deref().map(|path| NodeConfig::load(path, None)).transpose()?;
    let config = config.map(|(config, _)| config);
    let asker = Asker {
        identity: match &info.identity {
            Some(path) => Identity::load(path)?,
            None => Identity::generate(),
        },
        namespace: info.namespace.or_else(|| config.as_ref().map(|config| config.namespace.clone())),
        secret: config.as_ref().and_then(|config| config.network_secret),
        deadline: Duration::from_secs(info.deadline),
    };
    let answered = ask(&asker, &info.address).await?;
    let mut json = serde_json::to_vec_pretty(&answered).map_err(Failure::other)?;
    json.push(b'\n');
    print(&json).await
}

impl Place {
    fn load(&self) -> Result<Option<(NodeConfig, HostConfig)>, Failure> {
        let Some(path) = &self.config else { return Ok(None) };
        Ok(Some(NodeConfig::load(path, self.host_config.as_deref())?))
    }

    fn data(&self, config: Option<&NodeConfig>) -> PathBuf {
        let configured = config.and_then(|config| config.data.clone());
        self.data.clone().or(configured).unwrap_or_else(|| PathBuf::from("."))
    }
}

impl Through {
    fn address(&self) -> Result<SocketAddr, Failure> {
        if let Some(rpc) = self.rpc {
            return Ok(rpc);
        }
        let config = self.place.load()?.map(|(config, _)| config);
        let data = self.place.data(config.as_ref());
        let told = NodeFile::read(&data).ok().and_then(|file| file.rpc.parse().ok());
        Ok(told.or(config.map(|config| config.rpc)).unwrap_or(RPC_DEFAULT))
    }
}

fn checked(key: &str) -> Result<&str, Failure> {
    if (1..=KEY_BYTES_MAX).contains(&key.len()) {
        Ok(key)
    } else {
        Err(Failure::new(Class::Config, format!("a key has 1 to {KEY_BYTES_MAX} bytes, not {}", key.len())))
    }
}

async fn standard_input() -> Result<Vec<u8>, Failure> {
    let mut value = Vec::new();
    let read = tokio::io::stdin().take(VALUE_BYTES_MAX + 1).read_to_end(&mut value).await;
    read.map_err(|error| Failure::other(format!("read standard input: {error}")))?;
    Ok(value)
}

async fn print(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = tokio::io::stdout();
    let written = async {
        out.write_all(bytes).await?;
        out.flush().await
    };
    written.await.map_err(|error| Failure::other(format!("write standard output: {error}")))
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Class::Config, error)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_key_is_neither_empty_nor_long() {
        assert!(checked("a").is_ok());
        assert!(checked("").is_err() && checked(&"x".repeat(257)).is_err());
        assert_eq!(Path::new("."), Place { config: None, host_config: None, data: None }.data(None));
    }
}
