//! A machine of a pool and what is known of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Digest, HostId, PoolId, Time};

/// Latitude and longitude in degrees (WGS 84).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Location {
    /// -90 (south) to 90 (north).
    pub latitude: f64,
    /// -180 (west) to 180 (east).
    pub longitude: f64,
}

impl Location {
    /// A location, when both numbers are on the globe.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let on_globe = (-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude);
        on_globe.then_some(Self { latitude, longitude })
    }
}

/// What a person says about a host: one line of a host list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSpec {
    /// Name, IPv4 or IPv6 address (without brackets).
    pub address: String,
    /// SSH port; `None`: 22.
    #[serde(default)]
    pub port: Option<u16>,
    /// User name on this host; `None`: the pool's.
    #[serde(default)]
    pub user: Option<String>,
    /// Where it stands.
    #[serde(default)]
    pub location: Option<Location>,
    /// Free labels, such as `site=lyon`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// SSH's own port.
pub const SSH_PORT: u16 = 22;

impl HostSpec {
    /// The SSH port.
    pub fn ssh_port(&self) -> u16 {
        self.port.unwrap_or(SSH_PORT)
    }

    /// Two specs with the same key are the same machine: address (lower case) and SSH port.
    pub fn key(&self) -> (String, u16) {
        (self.address.to_ascii_lowercase(), self.ssh_port())
    }

    /// `address`, `address:port` or `[v6]:port`, as in a host list.
    pub fn display(&self) -> String {
        with_port(&self.address, self.port)
    }
}

/// An address and its SSH port as in a host list: see [`HostSpec::display`].
pub fn with_port(address: &str, port: Option<u16>) -> String {
    match port {
        None => address.to_owned(),
        Some(port) if address.contains(':') => format!("[{address}]:{port}"),
        Some(port) => format!("{address}:{port}"),
    }
}

/// What the manager last learnt of a host. `None` is "not known", never "no".
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostKnown {
    /// It could be reached.
    pub reachable: Option<bool>,
    /// The package that is installed and current.
    pub package: Option<Digest>,
    /// The node process is up.
    pub running: Option<bool>,
    /// Overlay address (peer id) of its node.
    pub node: Option<String>,
    /// Resident memory of the node process, bytes.
    pub node_memory: Option<u64>,
    /// CPU time that the node process used since its start, seconds.
    pub node_cpu_s: Option<f64>,
    /// Seconds since the node process started.
    pub node_uptime_s: Option<u64>,
    /// Total and available memory of the host, bytes.
    pub memory_total: Option<u64>,
    /// Memory that new programs could get, bytes.
    pub memory_available: Option<u64>,
    /// One-minute load average.
    pub load: Option<f64>,
    /// Free space under the install path, bytes.
    pub disk_free: Option<u64>,
    /// Seconds since the host booted.
    pub uptime_s: Option<u64>,
    /// `uname -m`.
    pub arch: Option<String>,
    /// The newest thing that went wrong, as a sentence; cleared by the next success.
    pub problem: Option<String>,
    /// When this was learnt.
    pub at: Option<Time>,
}

/// A host of a pool.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// Row identity.
    pub id: HostId,
    /// The pool it belongs to.
    pub pool: PoolId,
    /// What a person said.
    #[serde(flatten)]
    pub spec: HostSpec,
    /// What was learnt.
    pub known: HostKnown,
    /// It was taken off the host list and is only kept until it is clean.
    pub leaving: bool,
}

/// A host key that was seen at first contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PinnedKey {
    /// In OpenSSH's one-line form: algorithm and base64.
    pub public_key: String,
    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// First contact.
    pub since: Time,
}
