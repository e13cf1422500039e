//! What a person decides about a pool of the Brunet kind, beside what all kinds share.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pool::SettingError;

/// Where the Mono that runs the nodes comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MonoRuntime {
    /// The host's own, at least [`BrunetSettings::mono_min`].
    #[default]
    System,
    /// The manager's relocatable one, sent to each host once (`p2ppool runtime build mono`).
    Bundled,
}

/// The network that the local node is in. Its XML-RPC server listens on every address without a password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LocalNetwork {
    /// A network namespace of its own, of which pasta opens to others only what nodes meet at. As a setting:
    /// where that is possible.
    #[default]
    Own,
    /// That of the manager's machine, whose firewall has to refuse the XML-RPC port from outside.
    Host,
}

/// Settings of a Brunet pool. All but `call_deadline_s`, `crawl` and `local_network` are written on hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BrunetSettings {
    /// Which Mono runs the nodes.
    pub runtime: MonoRuntime,
    /// Least version of the hosts' own Mono, such as `4.0`.
    pub mono_min: String,
    /// Nodes in each host's process (`-c`), at most [`NODES_PER_HOST_MAX`].
    pub nodes_per_host: u16,
    /// Network devices whose addresses nodes tell others; empty: all.
    pub devices: Vec<String>,
    /// Brunet's own security.
    pub security: BrunetSecurity,
    /// Where the local node runs.
    pub local_network: LocalNetwork,
    /// Seconds after which a silent node counts as such in a crawl, at most [`CALL_DEADLINE_MAX_S`].
    pub call_deadline_s: u16,
    /// What a crawl asks of each node beside `Information.Info`; each costs one more call per node.
    pub crawl: BrunetQuestions,
}

/// The `Security` element of a NodeConfig.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BrunetSecurity {
    /// Nodes may have secure associations.
    pub enabled: bool,
    /// Edges are secured, too.
    pub secure_edges: bool,
    /// Nodes sign their own certificates.
    pub self_signed_certificates: bool,
}

/// Questions of a crawl that are optional.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BrunetQuestions {
    /// The node's connection table: the edges of the topology.
    pub connections: bool,
    /// The round-trip time from the local node.
    pub round_trip: bool,
    /// Vivaldi coordinates and the host's name.
    pub coordinates: bool,
    /// The namespace and transport addresses that the node runs with.
    pub namespace: bool,
}

/// Most nodes in one process: more were never seen to form a ring.
pub const NODES_PER_HOST_MAX: u16 = 200;
/// Longest deadline of one call, seconds: the node itself gives up after one to two minutes.
pub const CALL_DEADLINE_MAX_S: u16 = 120;
/// Most network devices.
pub const DEVICES_MAX: usize = 16;
/// Longest name of a network device (IFNAMSIZ without its end).
const DEVICE_BYTES_MAX: usize = 15;
/// Longest Brunet namespace, bytes.
const NAMESPACE_BYTES_MAX: usize = 255;

impl Default for BrunetSettings {
    fn default() -> Self {
        Self {
            runtime: MonoRuntime::default(),
            mono_min: "4.0".to_owned(),
            nodes_per_host: 1,
            devices: Vec::new(),
            security: BrunetSecurity::default(),
            local_network: LocalNetwork::default(),
            call_deadline_s: 5,
            crawl: BrunetQuestions::default(),
        }
    }
}

impl BrunetSettings {
    /// The first thing that is wrong.
    pub(crate) fn check(&self) -> Option<SettingError> {
        let wrong = |reason: String| Some(SettingError::new("brunet", reason));
        if version(&self.mono_min).is_none() {
            return wrong(format!("mono_min `{}` is no version such as 4.0", excerpt(&self.mono_min)));
        }
        if !(1..=NODES_PER_HOST_MAX).contains(&self.nodes_per_host) {
            return wrong(format!("nodes_per_host must be 1 to {NODES_PER_HOST_MAX}"));
        }
        if !(1..=CALL_DEADLINE_MAX_S).contains(&self.call_deadline_s) {
            return wrong(format!("call_deadline_s must be 1 to {CALL_DEADLINE_MAX_S}"));
        }
        if self.devices.len() > DEVICES_MAX {
            return wrong(format!("more than {DEVICES_MAX} devices"));
        }
        if let Some(device) = self.devices.iter().find(|device| !is_device(device)) {
            return wrong(format!("`{}` is no name of a network device such as eth0", excerpt(device)));
        }
        if !self.security.enabled && (self.security.secure_edges || self.security.self_signed_certificates) {
            return wrong("secure_edges and self_signed_certificates need security to be enabled".to_owned());
        }
        None
    }

    /// Something that is written on hosts differs.
    pub fn reaches_hosts(&self, other: &Self) -> bool {
        let asked_only = |settings: &Self| Self {
            call_deadline_s: Self::default().call_deadline_s,
            crawl: BrunetQuestions::default(),
            local_network: LocalNetwork::default(),
            ..settings.clone()
        };
        asked_only(self) != asked_only(other)
    }
}

/// Up to four numbers with dots between them, as Mono tells its version.
pub fn version(text: &str) -> Option<Vec<u32>> {
    let parts: Option<Vec<u32>> = text
        .split('.')
        .map(|part| part.parse().ok().filter(|_| part.bytes().all(|b| b.is_ascii_digit()) && part.len() <= 6))
        .collect();
    parts.filter(|parts| parts.len() <= 4)
}

/// May a Brunet namespace be called this? Realms are texts; these can be read and typed.
pub fn is_namespace(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"._-:".contains(&b);
    (1..=NAMESPACE_BYTES_MAX).contains(&text.len()) && text.bytes().all(word)
}

/// `brunet.tcp://HOST:PORT`, `brunet.udp://HOST:PORT` or `brunet.function://HOST:PORT`. Nodes end with an
/// unhandled exception when they read another one.
pub fn is_transport_address(text: &str) -> bool {
    let rest = ["brunet.tcp://", "brunet.udp://", "brunet.function://"].iter().find_map(|s| text.strip_prefix(s));
    let Some((host, port)) = rest.and_then(|rest| rest.trim_end_matches('/').rsplit_once(':')) else { return false };
    let word = |b: u8| b.is_ascii_alphanumeric() || b".-".contains(&b);
    (1..=253).contains(&host.len()) && host.bytes().all(word) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_device(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b"._-@:".contains(&b);
    (1..=DEVICE_BYTES_MAX).contains(&text.len()) && text.bytes().all(word)
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_settings_are_right() {
        assert_eq!(BrunetSettings::default().check(), None);
    }

    #[test]
    fn what_nodes_would_die_of_is_refused() {
        let usual = BrunetSettings::default;
        let secure_edges = BrunetSecurity { secure_edges: true, ..BrunetSecurity::default() };
        for (wrong, word) in [
            (BrunetSettings { mono_min: "six".into(), ..usual() }, "mono_min"),
            (BrunetSettings { mono_min: "6.+8".into(), ..usual() }, "mono_min"),
            (BrunetSettings { nodes_per_host: 0, ..usual() }, "nodes_per_host"),
            (BrunetSettings { call_deadline_s: 0, ..usual() }, "call_deadline_s"),
            (BrunetSettings { devices: vec!["eth0; reboot".into()], ..usual() }, "device"),
            (BrunetSettings { devices: vec!["eth0".into(); 17], ..usual() }, "devices"),
            (BrunetSettings { security: secure_edges, ..usual() }, "secure_edges"),
        ] {
            let error = wrong.check().unwrap();
            assert!(error.reason.contains(word) && error.field == "brunet", "{error}");
        }
    }

    #[test]
    fn how_it_is_crawled_needs_no_upgrade() {
        let usual = BrunetSettings::default();
        let asks = BrunetQuestions { connections: true, ..BrunetQuestions::default() };
        assert!(!usual.reaches_hosts(&BrunetSettings { call_deadline_s: 9, crawl: asks, ..usual.clone() }));
        assert!(usual.reaches_hosts(&BrunetSettings { nodes_per_host: 2, ..usual.clone() }));
    }

    #[test]
    fn a_transport_address_has_a_scheme_a_host_and_a_port() {
        for right in ["brunet.tcp://10.0.0.1:4650", "brunet.udp://node.example.org:1/", "brunet.function://h:9"] {
            assert!(is_transport_address(right), "{right}");
        }
        for wrong in
            ["", "brunet.sctp://h:1", "brunet.tcp://h", "brunet.tcp://h:0", "brunet.tcp://<x>:1", "/ip4/1.2.3.4"]
        {
            assert!(!is_transport_address(wrong), "{wrong}");
        }
    }
}
