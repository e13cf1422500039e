//! What a pool needs from its overlay software.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use p2ppool_model::consistency::Key;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, PoolSettings, Ports};
use p2ppool_model::{Digest, PoolName};

use crate::bundle::BundleError;
use crate::crawl::{CrawlSettings, Probe};

/// One overlay software: how its bundle is recognised, its nodes are configured and asked.
pub trait OverlayKind: Send + Sync {
    /// Its name.
    fn name(&self) -> OverlayKindName;

    /// Finds this kind's program among the files of a bundle.
    ///
    /// # Errors
    /// [`BundleError::NoProgram`] when it is not there, with what would be right.
    fn recognise(&self, files: &[PackageFile]) -> Result<Program, BundleError>;

    /// The files that every host of the pool gets in its package, beside the bundle's own under
    /// `node/`: `run`, `ready`, `stop_signal`, `ports` and the config that all hosts share.
    /// The same pool gives the same bytes.
    fn package_files(&self, pool: &PoolView<'_>) -> Vec<PackageFile>;

    /// The config files that only `host` has; written under `shared/config/`. Also renders the
    /// local node's, when `host` is [`LocalNode::host`].
    fn host_files(&self, pool: &PoolView<'_>, host: &HostSpec) -> Vec<PackageFile>;

    /// Ready configs with which people join the pool.
    fn client_configs(&self, pool: &PoolView<'_>) -> Vec<ClientConfig>;

    /// Where a crawl begins: transport addresses as the probe understands them.
    fn seeds(&self, pool: &PoolView<'_>) -> Vec<String>;

    /// The manager's own node is a part of the overlay like any other, and counts as one.
    fn local_node_counts(&self) -> bool {
        false
    }

    /// The bounds of a crawl.
    fn crawl_settings(&self, settings: &PoolSettings) -> CrawlSettings {
        let _ = settings;
        CrawlSettings::default()
    }

    /// What asks nodes during a crawl. Needs a tokio runtime to be entered.
    ///
    /// # Errors
    /// When the operator's identity can't be read or made, or a setting is unusable.
    fn probe(&self, settings: &ProbeSettings) -> Result<Box<dyn Probe>, KindError>;

    /// Where an overlay address lies on the overlay's ring, as the most significant bytes of a 256-bit
    /// number; `None`: it is not an overlay address, or this kind has no ring.
    fn key(&self, _address: &str) -> Option<Key> {
        None
    }
}

/// A pool as its overlay kind sees it.
#[derive(Clone, Copy, Debug)]
pub struct PoolView<'a> {
    /// The pool's name.
    pub name: &'a PoolName,
    /// Its settings, checked (the namespace is filled in).
    pub settings: &'a PoolSettings,
    /// All its hosts.
    pub hosts: &'a [HostSpec],
    /// Overlay addresses (peer ids) that may ask nodes for everything.
    pub operators: &'a [String],
    /// Path of the program inside the bundle; `None`: the kind's built-in one.
    pub program: Option<&'a str>,
    /// The runtime that hosts get beside the package, when the pool wants one.
    pub runtime: Option<&'a Digest>,
    /// The manager's own node of this pool, once it has one.
    pub local: Option<&'a LocalNode>,
}

/// The node that runs beside the manager.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalNode {
    /// Where it listens; looks like a host that is not on the list.
    pub host: HostSpec,
    /// Its ports; other than the pool's, because several pools' local nodes share this machine.
    pub ports: Ports,
}

/// A file of a bundle or package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageFile {
    /// Relative path, `/` between parts, never with `..`.
    pub path: String,
    /// Unix permission bits, such as `0o755`.
    pub mode: u32,
    /// Content.
    pub bytes: Bytes,
}

impl PackageFile {
    /// A text file that its owner may write and all may read.
    pub fn text(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), mode: 0o644, bytes: Bytes::from(text.into()) }
    }

    /// May it be executed?
    pub fn is_executable(&self) -> bool {
        self.mode & 0o111 != 0
    }
}

/// What a kind found in a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Path of the program inside the bundle.
    pub path: String,
    /// Its version where it can be told.
    pub version: Option<String>,
    /// Machine architecture as `uname -m` tells it; `None` when it runs anywhere.
    pub arch: Option<String>,
}

/// A config with which somebody joins a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientConfig {
    /// File name.
    pub name: String,
    /// Media type, such as `application/toml`.
    pub media_type: &'static str,
    /// Content.
    pub text: String,
    /// It holds a secret of the pool: only for who may manage it.
    pub is_secret: bool,
}

/// What a probe is made of.
#[derive(Clone, Debug)]
pub struct ProbeSettings {
    /// The pool's settings, checked (the namespace is filled in).
    pub settings: PoolSettings,
    /// File of the operator's identity; made when missing.
    pub operator: PathBuf,
    /// Longest time from the first dial to an established connection.
    pub dial_deadline: Duration,
    /// The manager's own node of the pool, once it has one.
    pub local: Option<LocalNode>,
}

/// An overlay kind that can't do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("failed to {action}: {reason}")]
pub struct KindError {
    /// What was tried, beginning with a verb.
    pub action: &'static str,
    /// Why it failed.
    pub reason: String,
}

impl KindError {
    /// An error of `action`.
    pub fn new(action: &'static str, reason: impl std::fmt::Display) -> Self {
        Self { action, reason: reason.to_string() }
    }
}

/// The kind of that name, when this build has it.
pub fn kind(name: OverlayKindName) -> Option<&'static dyn OverlayKind> {
    match name {
        OverlayKindName::Libp2p => Some(&crate::libp2p::Libp2p),
        OverlayKindName::Brunet => Some(&crate::brunet::Brunet),
    }
}
