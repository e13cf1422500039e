//! The NodeConfig that a node is started with, byte for byte as the original manager wrote it.
//!
//! The node rewrites the file at its first start and keeps its NodeAddress there; `scripts/run.sh`
//! carries it over when a config is rendered again.

use p2ppool_model::brunet::BrunetSecurity;

/// What a config says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct NodeConfig<'a> {
    /// Realm: nodes of different ones refuse each other.
    pub(super) namespace: &'a str,
    /// Where others can be met, as `brunet.tcp://HOST:PORT`.
    pub(super) remote: Vec<String>,
    /// Where to listen.
    pub(super) udp: Option<u16>,
    /// Where to listen.
    pub(super) tcp: Option<u16>,
    /// Port of the XML-RPC server, on every address and without a password.
    pub(super) rpc: Option<u16>,
    /// Only the addresses of these are told to others; empty: all.
    pub(super) devices: &'a [String],
    /// When it is used at all.
    pub(super) security: Option<BrunetSecurity>,
}

impl NodeConfig<'_> {
    /// As a file: no declaration, no line break at the end.
    pub(super) fn to_xml(&self) -> String {
        let mut xml = Xml::default();
        xml.line(0, "<NodeConfig>");
        xml.element(1, "BrunetNamespace", self.namespace);
        xml.list(1, "RemoteTAs", "Transport", &self.remote);
        self.listeners(&mut xml);
        if !self.devices.is_empty() {
            xml.list(1, "DevicesToBind", "Device", self.devices);
        }
        if let Some(port) = self.rpc {
            xml.line(1, "<XmlRpcManager>");
            xml.element(2, "Enabled", "true");
            xml.element(2, "Port", &port.to_string());
            xml.line(1, "</XmlRpcManager>");
        }
        xml.line(1, "<NCService>");
        for switch in ["Enabled", "OptimizeShortcuts", "Checkpointing"] {
            xml.element(2, switch, "true");
        }
        xml.line(1, "</NCService>");
        if let Some(security) = self.security {
            secured(&mut xml, security);
        }
        xml.0.push_str("</NodeConfig>");
        xml.0
    }

    fn listeners(&self, xml: &mut Xml) {
        xml.line(1, "<EdgeListeners>");
        for (kind, port) in [("udp", self.udp), ("tcp", self.tcp)] {
            let Some(port) = port else { continue };
            xml.line(2, &format!("<EdgeListener type=\"{kind}\">"));
            xml.element(3, "port", &port.to_string());
            xml.line(2, "</EdgeListener>");
        }
        xml.line(1, "</EdgeListeners>");
    }
}

fn secured(xml: &mut Xml, security: BrunetSecurity) {
    xml.line(1, "<Security>");
    let switches = [
        ("Enabled", security.enabled),
        ("SecureEdges", security.secure_edges),
        ("SelfSignedCertificates", security.self_signed_certificates),
    ];
    for (name, on) in switches {
        xml.element(2, name, if on { "true" } else { "false" });
    }
    xml.element(2, "KeyPath", "private_key");
    xml.element(2, "CertificatePath", "certificates");
    xml.line(1, "</Security>");
}

#[derive(Default)]
struct Xml(String);

impl Xml {
    fn line(&mut self, depth: usize, text: &str) {
        self.0.push_str(&"  ".repeat(depth));
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn element(&mut self, depth: usize, name: &str, text: &str) {
        let text = quick_xml::escape::escape(text.to_owned());
        self.line(depth, &format!("<{name}>{text}</{name}>"));
    }

    fn list(&mut self, depth: usize, name: &str, each: &str, texts: &[String]) {
        self.line(depth, &format!("<{name}>"));
        for text in texts {
            self.element(depth + 1, each, text);
        }
        self.line(depth, &format!("</{name}>"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote() -> Vec<String> {
        let tcp = [1, 2, 3].map(|n| format!("brunet.tcp://127.0.1.{n}:{}", 20999 + n));
        let udp = [1, 2, 3].map(|n| format!("brunet.udp://127.0.1.{n}:{}", 19999 + n));
        tcp.into_iter().chain(udp).collect()
    }

    #[test]
    fn configs_are_those_of_the_original_manager() {
        let host = NodeConfig {
            namespace: "testpool",
            remote: remote(),
            udp: Some(20001),
            tcp: Some(21001),
            ..NodeConfig::default()
        };
        assert_eq!(host.to_xml(), include_str!("../../tests/captures/pool.config-generated-host.xml"));
        let local = NodeConfig { rpc: Some(24000), udp: Some(20000), tcp: Some(21000), ..host };
        assert_eq!(local.to_xml(), include_str!("../../tests/captures/node.config-generated-manager.xml"));
    }

    #[test]
    fn a_missing_port_switches_its_transport_off() {
        let xml = NodeConfig { namespace: "n", tcp: Some(7), ..NodeConfig::default() }.to_xml();
        assert!(!xml.contains("udp") && xml.contains("type=\"tcp\""), "{xml}");
    }

    #[test]
    fn options_are_elements_and_texts_are_escaped() {
        let devices = ["eth0".to_owned()];
        let security = BrunetSecurity { enabled: true, ..BrunetSecurity::default() };
        let config = NodeConfig {
            namespace: "a<b",
            devices: &devices,
            security: Some(security),
            tcp: Some(1),
            ..NodeConfig::default()
        };
        let xml = config.to_xml();
        for part in
            ["a&lt;b", "<Device>eth0</Device>", "<SecureEdges>false</SecureEdges>", "<KeyPath>private_key</KeyPath>"]
        {
            assert!(xml.contains(part), "{xml}");
        }
    }
}
