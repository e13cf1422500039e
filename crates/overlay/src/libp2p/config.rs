//! p2pnode's configuration: one file that all nodes of a pool share, one that only a host has.
//!
//! Both are TOML. What the host's file says wins. Unknown names are errors, and every error names
//! the file and the line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use libp2p::{Multiaddr, PeerId, StreamProtocol};
use p2ppool_model::pool::is_name;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest configuration file in bytes; the longest useful one has some 30 KiB.
pub const FILE_BYTES_MAX: u64 = 256 * 1024;
/// Most bootstrap addresses: two transports of 64 hosts, and the pool's own extra ones.
pub const BOOTSTRAP_MAX: usize = 256;
/// Most operators.
pub const OPERATORS_MAX: usize = 64;
/// Most addresses to listen on, and most external ones.
pub const ADDRESSES_MAX: usize = 16;
/// Longest host tag in bytes: a DNS name has at most 253.
pub const HOST_TAG_BYTES_MAX: usize = 255;

/// What all nodes of a pool share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// Nodes of different namespaces never join each other.
    #[serde(deserialize_with = "namespace")]
    pub namespace: String,
    /// TCP port; `None`: no TCP.
    #[serde(default, deserialize_with = "port", skip_serializing_if = "Option::is_none")]
    pub tcp_port: Option<u16>,
    /// UDP port of QUIC; `None`: no QUIC. Not used while there is a network secret.
    #[serde(default, deserialize_with = "port", skip_serializing_if = "Option::is_none")]
    pub udp_port: Option<u16>,
    /// IP addresses to listen on; empty: on none, and be reached through relays.
    #[serde(default = "everywhere", deserialize_with = "listen")]
    pub listen: Vec<IpAddr>,
    /// Address of the control and metrics port.
    #[serde(default = "rpc")]
    pub rpc: SocketAddr,
    /// Folder of the identity and of `node.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Log filter such as `info` or `p2pnode=debug,warn`; the variable RUST_LOG wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// What the node is to the others.
    #[serde(default, skip_serializing_if = "KadMode::is_default")]
    pub kad_mode: KadMode,
    /// Kademlia protocol that replaces the namespace's own.
    #[serde(default, deserialize_with = "kad", skip_serializing_if = "Option::is_none")]
    pub kad_protocol: Option<String>,
    /// A secret that all nodes share; needs TCP and switches QUIC off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_secret: Option<NetworkSecret>,
    /// Peer ids that may ask for everything.
    #[serde(default, deserialize_with = "operators", serialize_with = "texts")]
    pub operators: Vec<PeerId>,
    /// Where the overlay can be met; multiaddresses, usually without peer id.
    #[serde(default, deserialize_with = "bootstrap", serialize_with = "texts")]
    pub bootstrap: Vec<Multiaddr>,
}

/// What only one host has. What is given here wins over [`NodeConfig`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostConfig {
    /// The host's address in the pool's host list.
    #[serde(default, deserialize_with = "tag", skip_serializing_if = "Option::is_none")]
    pub host_tag: Option<String>,
    /// See [`NodeConfig::tcp_port`].
    #[serde(default, deserialize_with = "port", skip_serializing_if = "Option::is_none")]
    pub tcp_port: Option<u16>,
    /// See [`NodeConfig::udp_port`].
    #[serde(default, deserialize_with = "port", skip_serializing_if = "Option::is_none")]
    pub udp_port: Option<u16>,
    /// See [`NodeConfig::listen`].
    #[serde(default, deserialize_with = "some_listen", skip_serializing_if = "Option::is_none")]
    pub listen: Option<Vec<IpAddr>>,
    /// See [`NodeConfig::rpc`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rpc: Option<SocketAddr>,
    /// See [`NodeConfig::kad_mode`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kad_mode: Option<KadMode>,
    /// Addresses under which others reach this node, beside what it finds out itself.
    #[serde(default, deserialize_with = "external", serialize_with = "texts", skip_serializing_if = "Vec::is_empty")]
    pub external: Vec<Multiaddr>,
}

/// Does a node serve the overlay?
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KadMode {
    /// It is in others' routing tables, keeps records and answers queries.
    #[default]
    Server,
    /// It only asks: others don't know it, and a crawl doesn't find it.
    Client,
}

impl KadMode {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("read config {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not the TOML it should be; the reason tells line and column.
    #[error("config {}: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong there.
        reason: String,
    },
    /// Each value is right, but they don't go together.
    #[error("config {}: {reason}", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// Which values, and what would be right.
        reason: String,
    },
}

impl NodeConfig {
    /// A configuration with nothing but a namespace: every interface, no port, nobody to meet.
    pub fn new(namespace: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            tcp_port: None,
            udp_port: None,
            listen: everywhere(),
            rpc: rpc(),
            data: None,
            log: None,
            kad_mode: KadMode::default(),
            kad_protocol: None,
            network_secret: None,
            operators: Vec::new(),
            bootstrap: Vec::new(),
        }
    }

    /// Reads the shared file and, if there is one, the host's, and checks what they say together.
    pub fn load(path: &Path, host: Option<&Path>) -> Result<(Self, HostConfig), ConfigError> {
        let mut config: Self = read(path)?;
        let host_config: HostConfig = host.map(read).transpose()?.unwrap_or_default();
        config.apply(&host_config);
        let conflict = |reason| ConfigError::Conflict { path: path.to_owned(), reason };
        config.check().map_err(conflict)?;
        Ok((config, host_config))
    }

    /// This configuration as TOML.
    pub fn to_toml(&self) -> String {
        // a struct of strings, numbers and lists of them always has a TOML form
        toml::to_string(self).unwrap_or_default()
    }

    /// Do nodes of this configuration speak QUIC? A network secret covers TCP only.
    pub fn has_quic(&self) -> bool {
        self.udp_port.is_some() && self.network_secret.is_none()
    }

    fn apply(&mut self, host: &HostConfig) {
        self.tcp_port = host.tcp_port.or(self.tcp_port);
        self.udp_port = host.udp_port.or(self.udp_port);
        self.rpc = host.rpc.unwrap_or(self.rpc);
        self.kad_mode = host.kad_mode.unwrap_or(self.kad_mode);
        if let Some(listen) = &host.listen {
            self.listen.clone_from(listen);
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.network_secret.is_some() && self.tcp_port.is_none() {
            return Err("network_secret needs tcp_port: QUIC can't carry it".to_owned());
        }
        if self.tcp_port.is_none() && self.udp_port.is_none() {
            return Err("neither tcp_port nor udp_port is given: the node could not speak to anybody".to_owned());
        }
        if self.tcp_port == Some(self.rpc.port()) {
            return Err(format!("tcp_port and the port of rpc are both {}", self.rpc.port()));
        }
        Ok(())
    }
}

impl HostConfig {
    /// This configuration as TOML.
    pub fn to_toml(&self) -> String {
        // a struct of strings, numbers and lists of them always has a TOML form
        toml::to_string(self).unwrap_or_default()
    }
}

/// 32 bytes that all nodes of a private network share; `Debug` prints nothing of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NetworkSecret([u8; 32]);

impl NetworkSecret {
    /// The key of the libp2p private network protection.
    pub fn key(&self) -> libp2p::pnet::PreSharedKey {
        libp2p::pnet::PreSharedKey::new(self.0)
    }

    /// The key file that Kubo and js-libp2p read (`swarm.key`).
    pub fn swarm_key_file(&self) -> String {
        format!("/key/swarm/psk/1.0.0/\n/base16/\n{}\n", hex::encode(self.0))
    }
}

impl std::fmt::Debug for NetworkSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NetworkSecret(…)")
    }
}

impl std::str::FromStr for NetworkSecret {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        // the text itself is a secret, so the message doesn't repeat it
        hex::decode_to_slice(text, &mut bytes).map_err(|_| "must be 64 hexadecimal digits (32 bytes)")?;
        Ok(Self(bytes))
    }
}

impl Serialize for NetworkSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for NetworkSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(|reason| D::Error::custom(format!("network_secret {reason}")))
    }
}

/// Control and metrics, where nothing else is said.
pub const RPC_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4651);

fn rpc() -> SocketAddr {
    RPC_DEFAULT
}

fn everywhere() -> Vec<IpAddr> {
    vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()]
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, ConfigError> {
    use std::io::Read as _;
    let error = |source| ConfigError::Read { path: path.to_owned(), source };
    let mut text = String::new();
    std::fs::File::open(path).map_err(error)?.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(error)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(error(std::io::Error::other(format!("longer than {FILE_BYTES_MAX} bytes"))));
    }
    toml::from_str(&text)
        .map_err(|error| ConfigError::Parse { path: path.to_owned(), reason: where_and_why(&text, &error) })
}

/// `line 3, column 8: …`. The line's text is left out, because it may hold a secret.
fn where_and_why(text: &str, error: &toml::de::Error) -> String {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return error.message().to_owned();
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: {}", error.message())
}

fn namespace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let reason = "must be 1 to 63 of a-z, 0-9 and `-`, beginning with a letter or digit";
    if is_name(&text) { Ok(text) } else { Err(D::Error::custom(format!("namespace `{}` {reason}", short(&text)))) }
}

fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let number = i64::deserialize(deserializer)?;
    match u16::try_from(number) {
        Ok(port) if port != 0 => Ok(Some(port)),
        _ => Err(D::Error::custom(format!("port {number} is not between 1 and 65535"))),
    }
}

fn kad<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let right = text.len() <= 256 && !text.chars().any(char::is_whitespace);
    if !right || StreamProtocol::try_from_owned(text.clone()).is_err() {
        return Err(D::Error::custom(format!(
            "kad_protocol `{}` must begin with `/`, contain no space and have at most 256 bytes",
            short(&text)
        )));
    }
    Ok(Some(text))
}

fn tag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.len() > HOST_TAG_BYTES_MAX || text.chars().any(char::is_control) {
        let reason = format!("must have at most {HOST_TAG_BYTES_MAX} bytes and no control characters");
        return Err(D::Error::custom(format!("host_tag `{}` {reason}", short(&text))));
    }
    Ok(Some(text))
}

fn listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpAddr>, D::Error> {
    bounded(deserializer, "listen", ADDRESSES_MAX, "an IP address such as 0.0.0.0 or ::")
}

fn some_listen<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<IpAddr>>, D::Error> {
    listen(deserializer).map(Some)
}

fn operators<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PeerId>, D::Error> {
    bounded(deserializer, "operators", OPERATORS_MAX, "a peer id such as 12D3KooW…")
}

fn bootstrap<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Multiaddr>, D::Error> {
    bounded(deserializer, "bootstrap", BOOTSTRAP_MAX, "a multiaddress such as /ip4/192.0.2.1/tcp/4650")
}

fn external<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Multiaddr>, D::Error> {
    bounded(deserializer, "external", ADDRESSES_MAX, "a multiaddress such as /ip4/192.0.2.1/tcp/4650")
}

/// A list of at most `max` texts that can be read as `T`; an error names the one that can't.
fn bounded<'de, D, T>(deserializer: D, field: &str, max: usize, right: &str) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: std::str::FromStr,
{
    let texts = Vec::<String>::deserialize(deserializer)?;
    if texts.len() > max {
        return Err(D::Error::custom(format!("{field} has {} entries; at most {max} are allowed", texts.len())));
    }
    let wrong = |text: &str| D::Error::custom(format!("{field}: `{}` is not {right}", short(text)));
    texts.iter().map(|text| text.parse().map_err(|_| wrong(text))).collect()
}

fn texts<S: Serializer, T: std::fmt::Display>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn short(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(shared: &str, host: Option<&str>) -> Result<(NodeConfig, HostConfig), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        std::fs::write(&path, shared).unwrap();
        let host = host.map(|text| {
            let path = folder.path().join("host.toml");
            std::fs::write(&path, text).unwrap();
            path
        });
        NodeConfig::load(&path, host.as_deref()).map_err(|error| error.to_string())
    }

    const RIGHT: &str = "namespace = \"demo\"\ntcp_port = 4650\nudp_port = 4650\n";

    #[test]
    fn a_short_file_is_enough() {
        let (config, _) = load(RIGHT, None).unwrap();
        assert_eq!(config.listen.len(), 2);
        assert_eq!(config.rpc, RPC_DEFAULT);
        assert!(config.has_quic());
    }

    #[test]
    fn the_host_has_the_last_word() {
        let host = "kad_mode = \"client\"\nhost_tag = \"10.0.0.7\"\nlisten = [\"127.10.0.7\"]\nrpc = \"127.10.0.7:4651\"\ntcp_port = 1\n";
        let (config, host) = load(RIGHT, Some(host)).unwrap();
        assert_eq!(config.listen, ["127.10.0.7".parse::<IpAddr>().unwrap()]);
        assert_eq!((config.tcp_port, config.udp_port), (Some(1), Some(4650)));
        assert_eq!(config.kad_mode, KadMode::Client);
        assert_eq!(config.rpc.to_string(), "127.10.0.7:4651");
        assert_eq!(host.host_tag.as_deref(), Some("10.0.0.7"));
    }

    #[test]
    fn a_written_config_reads_back_the_same() {
        let mut config = NodeConfig::new("demo");
        config.tcp_port = Some(4650);
        config.network_secret = Some("ab".repeat(32).parse().unwrap());
        config.operators = vec![PeerId::random()];
        config.bootstrap = vec!["/ip4/192.0.2.1/tcp/4650".parse().unwrap()];
        assert_eq!(load(&config.to_toml(), None).unwrap().0, config);
        let host = HostConfig {
            host_tag: Some("h".into()),
            external: vec!["/ip4/192.0.2.1/tcp/4650".parse().unwrap()],
            ..HostConfig::default()
        };
        assert_eq!(load(RIGHT, Some(&host.to_toml())).unwrap().1, host);
    }

    #[test]
    fn wrong_values_are_named_with_file_and_line() {
        for (line, wanted) in [
            ("colour = 1", "unknown field `colour`"),
            ("listen = [\"0.0.0.0\", \"here\"]", "`here` is not an IP address"),
            ("bootstrap = [\"192.0.2.1:4650\"]", "`192.0.2.1:4650` is not a multiaddress"),
            ("operators = [\"me\"]", "`me` is not a peer id"),
            ("network_secret = \"abcd\"", "network_secret must be 64 hexadecimal digits"),
            ("kad_protocol = \"kad\"", "must begin with `/`"),
            ("rpc = \"loopback\"", "invalid socket address"),
            ("data = ", "string values must be quoted"),
        ] {
            let error = load(&format!("{RIGHT}{line}\n"), None).unwrap_err();
            assert!(error.contains("node.toml: line 4") && error.contains(wanted), "{line}: {error}");
        }
        let error = load("namespace = \"Not A Name\"", None).unwrap_err();
        assert!(error.contains("line 1") && error.contains("namespace `Not A Name`"), "{error}");
        let error = load("namespace = \"demo\"\ntcp_port = 70000", None).unwrap_err();
        assert!(error.contains("line 2") && error.contains("70000"), "{error}");
        let error = load(RIGHT, Some("rcp = \"127.0.0.1:1\"")).unwrap_err();
        assert!(error.contains("host.toml: line 1") && error.contains("unknown field `rcp`"), "{error}");
    }

    #[test]
    fn values_that_do_not_go_together_are_refused() {
        for (text, wanted) in [
            ("namespace = \"a\"", "neither tcp_port nor udp_port"),
            ("namespace = \"a\"\ntcp_port = 4651", "both 4651"),
        ] {
            let error = load(text, None).unwrap_err();
            assert!(error.contains(wanted), "{error}");
        }
        let secret = format!("namespace = \"a\"\nudp_port = 1\nnetwork_secret = \"{}\"", "0".repeat(64));
        assert!(load(&secret, None).unwrap_err().contains("needs tcp_port"));
    }

    #[test]
    fn a_wrong_secret_is_not_repeated() {
        let error = load(&format!("{RIGHT}network_secret = \"hunter2\""), None).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
        let secret: NetworkSecret = "ab".repeat(32).parse().unwrap();
        assert!(!format!("{secret:?}").contains("ab"));
    }

    #[test]
    fn a_secret_switches_quic_off() {
        let text = format!("{RIGHT}network_secret = \"{}\"", "0".repeat(64));
        assert!(!load(&text, None).unwrap().0.has_quic());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = NodeConfig::load(Path::new("/nonexistent/node.toml"), None).unwrap_err().to_string();
        assert!(error.starts_with("read config /nonexistent/node.toml:"), "{error}");
    }
}
