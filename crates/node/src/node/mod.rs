//! The running node: everything between a read configuration and a clean end.
//!
//! One task owns the swarm ([`Node`]). Others speak to it through a bounded channel of [`Command`]s;
//! decisions are pure functions in the files beside it.

mod answer;
mod behaviour;
mod bootstrap;
mod command;
mod connections;
mod identified;
mod listen;
mod queries;
mod relays;
mod swarm;
mod table;

use std::path::{Path, PathBuf};

use libp2p::PeerId;
use p2ppool_model::Digest;
use p2ppool_overlay::libp2p::{HostConfig, Identity, IdentityError, NodeConfig};
use tokio::net::TcpListener;

pub use command::{Command, Counts, Handle, RecordError, Report};
pub use swarm::Node;

use crate::failure::{Class, Failure};
use crate::node_file::NodeFile;
use crate::rpc;

/// What a node is started with.
#[derive(Debug)]
pub struct Start {
    /// The shared configuration, with the host's applied.
    pub config: NodeConfig,
    /// The host's own.
    pub host: HostConfig,
    /// Folder of the identity and of `node.json`.
    pub data: PathBuf,
    /// Package that it comes from.
    pub package: Option<Digest>,
}

/// The identity in a data folder.
pub fn identity(data: &Path) -> Result<Identity, Failure> {
    Ok(Identity::load_or_create(&identity_path(data))?)
}

/// Where a data folder keeps the identity.
pub fn identity_path(data: &Path) -> PathBuf {
    data.join("identity.key")
}

/// Runs until SIGTERM or SIGINT.
pub async fn run(start: Start) -> Result<(), Failure> {
    // asked for first, so that a signal during the start ends it cleanly, too
    let mut stop = Stop::new()?;
    let identity = identity(&start.data)?;
    let _lock = lock(&start.data)?;
    let rpc = bind_rpc(&start.config).await?;
    let (node, handle) = Node::new(&start, &identity)?;
    let mut node = node;
    let listen = tokio::select! {
        listening = node.listen() => listening?,
        () = stop.asked() => return Ok(()),
    };
    let file = node_file(&start, identity.peer_id(), &listen, &rpc)?;
    file.write(&start.data)
        .map_err(|error| Failure::new(Class::Data, format!("write node.json in {}: {error}", start.data.display())))?;
    tracing::info!(peer = %identity.peer_id(), namespace = start.config.namespace, listen = listen.len(), "node is up");
    let server = rpc::server::Server::new(rpc, handle, &start, identity.peer_id());
    tokio::select! {
        () = node.run() => {}
        () = server.run() => {}
        () = stop.asked() => {}
    }
    file.remove(&start.data);
    node.close().await;
    tracing::info!("node ended");
    Ok(())
}

fn node_file(start: &Start, peer: PeerId, listen: &[String], rpc: &TcpListener) -> Result<NodeFile, Failure> {
    let rpc = rpc.local_addr().map_err(|error| Failure::other(format!("read the rpc port's address: {error}")))?;
    Ok(NodeFile {
        pid: std::process::id(),
        peer_id: peer.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        namespace: start.config.namespace.clone(),
        package: start.package.as_ref().map(ToString::to_string),
        listen: listen.to_vec(),
        rpc: rpc.to_string(),
    })
}

async fn bind_rpc(config: &NodeConfig) -> Result<TcpListener, Failure> {
    TcpListener::bind(config.rpc).await.map_err(|error| listen::failure("rpc tcp", config.rpc, &error))
}

/// Two nodes with one identity would confuse everybody: the key file is locked while a node runs.
fn lock(data: &Path) -> Result<std::fs::File, Failure> {
    let path = identity_path(data);
    let refused = |reason: String| Failure::new(Class::Data, format!("lock {}: {reason}", path.display()));
    let file = std::fs::File::open(&path).map_err(|error| refused(error.to_string()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            let pid = NodeFile::read(data).map_or_else(|_| String::new(), |file| format!(" (process {})", file.pid));
            Err(refused(format!("another node{pid} runs from this folder")))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(refused(error.to_string())),
    }
}

/// The signals that end a node.
struct Stop {
    term: tokio::signal::unix::Signal,
    int: tokio::signal::unix::Signal,
}

impl Stop {
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed = |error| Failure::other(format!("watch for signals: {error}"));
        Ok(Self {
            term: signal(SignalKind::terminate()).map_err(failed)?,
            int: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    async fn asked(&mut self) {
        let name = tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.int.recv() => "SIGINT",
        };
        tracing::info!(signal = name, "asked to end");
    }
}

/// An identity that can't be used has a class of its own.
impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        Self::new(Class::Data, error)
    }
}
