//! A pool: one overlay, its settings and its state.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::brunet::{self, BrunetSettings};
use crate::{Digest, PoolId, Time, UserId};

/// `[a-z0-9][a-z0-9-]{0,62}`: safe in URLs, folder names and DNS labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, pattern = "^[a-z0-9][a-z0-9-]{0,62}$")]
pub struct PoolName(String);

impl PoolName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A pool setting that can't be used, with the field it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct SettingError {
    /// JSON name of the field.
    pub field: &'static str,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl SettingError {
    /// An error about `field`.
    pub fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

/// `text` is `[a-z0-9][a-z0-9-]{0,62}`, the rule for pool names, namespaces and labels' keys.
pub fn is_name(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len()) && word(bytes[0]) && bytes.iter().all(|b| word(*b) || *b == b'-')
}

impl std::str::FromStr for PoolName {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            let shown: String = text.chars().take(80).collect();
            Err(SettingError::new(
                "name",
                format!("`{shown}` is not 1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit"),
            ))
        }
    }
}

impl std::fmt::Display for PoolName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PoolName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Which overlay software a pool runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OverlayKindName {
    /// rust-libp2p: the built-in p2pnode.
    #[default]
    Libp2p,
    /// Brunet on Mono.
    Brunet,
}

impl OverlayKindName {
    /// The name used in the database, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Libp2p => "libp2p",
            Self::Brunet => "brunet",
        }
    }
}

impl std::str::FromStr for OverlayKindName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "libp2p" => Ok(Self::Libp2p),
            "brunet" => Ok(Self::Brunet),
            _ => Err(format!("`{text}` is not an overlay kind (libp2p, brunet)")),
        }
    }
}

/// How the manager reaches the hosts of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportName {
    /// By SSH.
    #[default]
    Ssh,
    /// As processes of this machine, each host under its own folder. For the demo and for trying things out.
    Local,
}

impl TransportName {
    /// The name used in the database, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Local => "local",
        }
    }
}

impl std::str::FromStr for TransportName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ssh" => Ok(Self::Ssh),
            "local" => Ok(Self::Local),
            _ => Err(format!("`{text}` is not a transport (ssh, local)")),
        }
    }
}

/// Who may see a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// People with an account and a right on it.
    #[default]
    Private,
    /// Everybody.
    Public,
}

impl Visibility {
    /// The name used in the database, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

impl std::str::FromStr for Visibility {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "private" => Ok(Self::Private),
            "public" => Ok(Self::Public),
            _ => Err(format!("`{text}` is not a visibility (private, public)")),
        }
    }
}

/// Where a pool is in its life. What goes on at the moment is told by its tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PoolState {
    /// Registered; nothing was put on a host yet.
    #[default]
    Created,
    /// Meant to run on every host.
    Running,
    /// Meant to stand still; files and history are kept.
    Suspended,
    /// Meant to disappear from every host.
    Uninstalling,
}

impl PoolState {
    /// The name used in the database, the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Suspended => "suspended",
            Self::Uninstalling => "uninstalling",
        }
    }
}

impl std::str::FromStr for PoolState {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Created, Self::Running, Self::Suspended, Self::Uninstalling]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("`{text}` is not a pool state"))
    }
}

/// Ports of the overlay node. `None` switches a transport off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ports {
    /// TCP port of the overlay.
    pub tcp: Option<u16>,
    /// UDP (QUIC) port of the overlay.
    pub udp: Option<u16>,
    /// RPC port: control and metrics of the node, on loopback.
    pub rpc: u16,
}

impl Default for Ports {
    fn default() -> Self {
        Self { tcp: Some(4650), udp: Some(4650), rpc: 4651 }
    }
}

/// What a person decides about a pool; sent to create and to edit it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PoolSettings {
    /// Free text, shown above the map; at most [`DESCRIPTION_MAX`] bytes.
    #[serde(default)]
    pub description: String,
    /// Nodes of different namespaces never join each other. Empty: the pool's name.
    #[serde(default)]
    pub namespace: String,
    /// Overlay software.
    #[serde(default)]
    pub kind: OverlayKindName,
    /// How hosts are reached.
    #[serde(default)]
    pub transport: TransportName,
    /// Ports of the node.
    #[serde(default)]
    pub ports: Ports,
    /// User name on the hosts that don't name their own.
    #[serde(default)]
    pub ssh_user: String,
    /// Folder on the host, absolute or beginning with `~/`; may contain `{pool}` and `{host}`.
    #[serde(default = "default_install_path")]
    pub install_path: String,
    /// Shown when no pool is chosen.
    #[serde(default, rename = "default")]
    pub is_default: bool,
    /// A test system: left out of scheduled checks.
    #[serde(default, rename = "test")]
    pub is_test: bool,
    /// Who may see it.
    #[serde(default)]
    pub visibility: Visibility,
    /// A secret that all nodes share (64 hexadecimal digits); switches QUIC off. Never sent back.
    #[serde(default, skip_serializing)]
    #[schema(write_only)]
    pub network_secret: Option<String>,
    /// Kademlia protocol name that replaces the namespace's own, to join other programs' networks.
    #[serde(default)]
    pub kad_protocol: Option<String>,
    /// Extra bootstrap addresses beside the pool's hosts: multiaddresses without peer id, or Brunet's
    /// `brunet.tcp://HOST:PORT`.
    #[serde(default)]
    pub bootstrap: Vec<String>,
    /// The crawl may dial private and loopback addresses.
    #[serde(default)]
    pub private_addresses: bool,
    /// Workflow that begins after each install; none: nothing.
    #[serde(default)]
    pub after_install: Option<String>,
    /// When its tasks count as succeeded; none: when every host is right.
    #[serde(default)]
    pub success: Option<crate::task::SuccessPolicy>,
    /// Days for which the nodes of snapshots and the sessions that ended are kept, whole months (UTC) at a time;
    /// statistics are kept for ever.
    #[serde(default = "default_detail_days")]
    #[schema(minimum = 1, maximum = 36_500)]
    pub detail_days: u32,
    /// What only Brunet pools have.
    #[serde(default)]
    pub brunet: BrunetSettings,
}

/// Longest description, in bytes: some paragraphs, not a web site.
pub const DESCRIPTION_MAX: usize = 4096;
/// Most extra bootstrap addresses.
pub const BOOTSTRAP_MAX: usize = 64;

/// Most days of [`PoolSettings::detail_days`]: a century.
pub const DETAIL_DAYS_MAX: u32 = 36_500;

/// A year.
fn default_detail_days() -> u32 {
    365
}

fn default_install_path() -> String {
    "~/p2ppool/{pool}".to_owned()
}

/// As JSON, in which the secret is not.
impl std::fmt::Debug for PoolSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = serde_json::to_string(self).map_err(|_| std::fmt::Error)?;
        let secret = self.network_secret.as_ref().map(|_| "not shown");
        f.debug_tuple("PoolSettings").field(&format_args!("{shown}")).field(&secret).finish()
    }
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            description: String::new(),
            namespace: String::new(),
            kind: OverlayKindName::default(),
            transport: TransportName::default(),
            ports: Ports::default(),
            ssh_user: String::new(),
            install_path: default_install_path(),
            is_default: false,
            is_test: false,
            visibility: Visibility::default(),
            network_secret: None,
            kad_protocol: None,
            bootstrap: Vec::new(),
            private_addresses: false,
            after_install: None,
            success: None,
            detail_days: default_detail_days(),
            brunet: BrunetSettings::default(),
        }
    }
}

impl PoolSettings {
    /// The settings with what is derived filled in, or every error in them.
    pub fn checked(mut self, name: &PoolName) -> Result<Self, Vec<SettingError>> {
        if self.namespace.is_empty() {
            self.namespace = name.as_str().to_owned();
        }
        let errors: Vec<SettingError> = [
            self.check_texts(),
            self.check_ports(),
            self.check_install_path(),
            self.check_secret(),
            self.check_detail_days(),
            self.brunet.check(),
            self.success.and_then(|policy| policy.problem()).map(|why| SettingError::new("success", why)),
        ]
        .into_iter()
        .flatten()
        .collect();
        if errors.is_empty() { Ok(self) } else { Err(errors) }
    }

    fn check_texts(&self) -> Option<SettingError> {
        if self.description.len() > DESCRIPTION_MAX {
            return Some(SettingError::new("description", format!("longer than {DESCRIPTION_MAX} bytes")));
        }
        if let Some(wrong) = self.check_namespace() {
            return Some(wrong);
        }
        if self.after_install.as_deref().is_some_and(|name| !is_name(name)) {
            return Some(SettingError::new("after_install", "must be a workflow's name: 1 to 63 of a-z, 0-9 and `-`"));
        }
        let user = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if self.ssh_user.len() > 64 || !self.ssh_user.bytes().all(user) || self.ssh_user.starts_with('-') {
            return Some(SettingError::new("ssh_user", "must be at most 64 letters, digits, `.`, `_` and `-`"));
        }
        if self.bootstrap.len() > BOOTSTRAP_MAX {
            return Some(SettingError::new("bootstrap", format!("more than {BOOTSTRAP_MAX} addresses")));
        }
        if let Some(bad) = self.bootstrap.iter().find(|address| !self.is_bootstrap(address)) {
            let right = match self.kind {
                OverlayKindName::Libp2p => "a multiaddr such as /ip4/192.0.2.1/tcp/4650",
                OverlayKindName::Brunet => "a transport address such as brunet.tcp://192.0.2.1:4650",
            };
            return Some(SettingError::new("bootstrap", format!("`{bad}` is not {right}")));
        }
        if let Some(protocol) = &self.kad_protocol
            && (!protocol.starts_with('/') || protocol.len() > 256 || protocol.chars().any(char::is_whitespace))
        {
            return Some(SettingError::new("kad_protocol", "must begin with `/` and contain no space"));
        }
        None
    }

    fn check_namespace(&self) -> Option<SettingError> {
        let (right, rule) = match self.kind {
            OverlayKindName::Libp2p => (is_name(&self.namespace), "must be 1 to 63 of a-z, 0-9 and `-`"),
            OverlayKindName::Brunet => {
                (brunet::is_namespace(&self.namespace), "must be 1 to 255 letters, digits, `.`, `_`, `-` and `:`")
            }
        };
        (!right).then(|| SettingError::new("namespace", rule))
    }

    fn is_bootstrap(&self, address: &str) -> bool {
        match self.kind {
            OverlayKindName::Libp2p => address.starts_with('/') && address.len() <= 512,
            OverlayKindName::Brunet => brunet::is_transport_address(address),
        }
    }

    fn check_ports(&self) -> Option<SettingError> {
        let ports = [self.ports.tcp, self.ports.udp, Some(self.ports.rpc)];
        if ports.iter().flatten().any(|port| *port == 0) {
            return Some(SettingError::new("ports", "must be between 1 and 65535"));
        }
        if self.ports.tcp.is_none() && self.ports.udp.is_none() {
            return Some(SettingError::new("ports", "at least one of tcp and udp is needed"));
        }
        if self.ports.tcp == Some(self.ports.rpc) {
            return Some(SettingError::new("ports", "tcp and rpc must differ"));
        }
        None
    }

    fn check_detail_days(&self) -> Option<SettingError> {
        let fine = (1..=DETAIL_DAYS_MAX).contains(&self.detail_days);
        (!fine).then(|| SettingError::new("detail_days", format!("must be 1 to {DETAIL_DAYS_MAX}")))
    }

    fn check_install_path(&self) -> Option<SettingError> {
        let path = &self.install_path;
        let shape = path.starts_with("~/") || path.starts_with('/');
        let deep = path.trim_start_matches('~').split('/').filter(|part| !part.is_empty()).count();
        if !shape || deep < 1 || path.len() > 1024 {
            return Some(SettingError::new("install_path", "must be absolute or begin with `~/`, and name a folder"));
        }
        if path.split('/').any(|part| part == "..") || path.chars().any(|c| c.is_control()) {
            return Some(SettingError::new("install_path", "must not contain `..` or control characters"));
        }
        let known = path.replace("{pool}", "").replace("{host}", "");
        if known.contains(['{', '}']) {
            return Some(SettingError::new("install_path", "knows only the placeholders {pool} and {host}"));
        }
        if self.transport == TransportName::Local && !path.contains("{host}") {
            return Some(SettingError::new("install_path", "needs {host} when all hosts are on this machine"));
        }
        None
    }

    fn check_secret(&self) -> Option<SettingError> {
        let secret = self.network_secret.as_deref()?;
        if self.kind == OverlayKindName::Brunet {
            return Some(SettingError::new("network_secret", "Brunet has none; use `security` of its own settings"));
        }
        let right = secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit());
        if !right {
            return Some(SettingError::new("network_secret", "must be 64 hexadecimal digits (32 bytes)"));
        }
        if self.ports.tcp.is_none() {
            return Some(SettingError::new("network_secret", "needs a tcp port: QUIC can't carry it"));
        }
        None
    }

    /// Detail of before this time need not be kept any more.
    pub fn detail_since(&self, now: Time) -> Time {
        now.minus(Duration::from_secs(u64::from(self.detail_days) * 86_400))
    }

    /// The folder on one host, placeholders filled in.
    pub fn install_path_on(&self, pool: &PoolName, host: &str) -> String {
        let host: String =
            host.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' }).collect();
        self.install_path.replace("{pool}", pool.as_str()).replace("{host}", &host)
    }
}

/// A pool as the manager knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pool {
    /// Row identity.
    pub id: PoolId,
    /// Its name in URLs, folders and commands.
    pub name: PoolName,
    /// What a person decided.
    #[serde(flatten)]
    pub settings: PoolSettings,
    /// Where it is in its life.
    pub state: PoolState,
    /// The uploaded software; `None` before the first install, which takes the built-in p2pnode.
    pub bundle: Option<Digest>,
    /// What every host should run; `None` before the first install.
    pub package: Option<Digest>,
    /// Who made it.
    pub owner: Option<UserId>,
    /// When.
    pub created: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> PoolName {
        "demo".parse().unwrap()
    }

    #[test]
    fn names_are_dns_labels_in_lower_case() {
        for right in ["a", "0", "demo", "a-b-9", &"x".repeat(63)] {
            assert!(right.parse::<PoolName>().is_ok(), "{right}");
        }
        for wrong in ["", "-a", "A", "a_b", "a b", "ä", "../x", &"x".repeat(64)] {
            assert!(wrong.parse::<PoolName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_namespace_defaults_to_the_name() {
        assert_eq!(PoolSettings::default().checked(&name()).unwrap().namespace, "demo");
    }

    #[test]
    fn every_wrong_setting_is_named() {
        let wrong = PoolSettings {
            namespace: "Not A Name".into(),
            ports: Ports { tcp: None, udp: None, rpc: 1 },
            install_path: "relative/{what}".into(),
            network_secret: Some("short".into()),
            ..PoolSettings::default()
        };
        let fields: Vec<_> = wrong.checked(&name()).unwrap_err().into_iter().map(|e| e.field).collect();
        assert_eq!(fields, ["namespace", "ports", "install_path", "network_secret"]);
    }

    #[test]
    fn detail_is_kept_for_at_least_a_day_and_a_year_by_default() {
        let now: Time = "2026-11-23T12:00:00Z".parse().unwrap();
        let kept = |days| PoolSettings { detail_days: days, ..PoolSettings::default() };
        assert_eq!(PoolSettings::default().detail_since(now), "2025-11-23T12:00:00Z".parse().unwrap());
        assert_eq!(kept(1).detail_since(now), "2026-11-22T12:00:00Z".parse().unwrap());
        assert!(kept(1).checked(&name()).is_ok() && kept(DETAIL_DAYS_MAX).checked(&name()).is_ok());
        for wrong in [0, DETAIL_DAYS_MAX + 1] {
            assert_eq!(kept(wrong).checked(&name()).unwrap_err()[0].field, "detail_days");
        }
    }

    #[test]
    fn install_paths_stay_in_their_place() {
        let with = |path: &str| PoolSettings { install_path: path.into(), ..PoolSettings::default() }.checked(&name());
        for right in ["~/p2p", "/opt/p2ppool/{pool}", "/srv/{host}/x"] {
            assert!(with(right).is_ok(), "{right}");
        }
        for wrong in ["/", "~/", "~", "/a/../b", "a/b", "/x/{user}", "/x\ny"] {
            assert!(with(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_host_name_in_a_path_can_not_leave_it() {
        let settings = PoolSettings { install_path: "/srv/{pool}/{host}".into(), ..PoolSettings::default() };
        assert_eq!(settings.install_path_on(&name(), "fe80::1/.."), "/srv/demo/fe80__1_..");
    }

    #[test]
    fn the_network_secret_is_never_serialised_or_shown() {
        let settings = PoolSettings { network_secret: Some("ab".repeat(32)), ..PoolSettings::default() };
        assert!(!serde_json::to_string(&settings).unwrap().contains("abab"));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("abab") && shown.contains("not shown") && shown.contains("namespace"), "{shown}");
    }
}
