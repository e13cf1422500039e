//! What hosts of a Brunet pool get.

use p2ppool_model::Digest;
use p2ppool_model::brunet::{BrunetSettings, LocalNetwork};
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, PoolSettings, Ports};

use super::*;
use crate::kind::LocalNode;

fn host(address: &str) -> HostSpec {
    HostSpec { address: address.into(), ..HostSpec::default() }
}

fn settings() -> PoolSettings {
    PoolSettings {
        kind: OverlayKindName::Brunet,
        namespace: "testpool".into(),
        ports: Ports { udp: Some(20_000), tcp: Some(21_000), rpc: 24_000 },
        ..PoolSettings::default()
    }
}

fn with_pool(settings: &PoolSettings, addresses: &[&str], test: impl FnOnce(&PoolView<'_>)) {
    let name = "testpool".parse().unwrap();
    let hosts: Vec<HostSpec> = addresses.iter().map(|address| host(address)).collect();
    let local = LocalNode {
        host: HostSpec { labels: [("role".into(), "local node".into())].into(), ..host("192.0.2.9") },
        ports: Ports { udp: Some(30_000), tcp: Some(30_000), rpc: 30_001 },
    };
    test(&PoolView {
        name: &name,
        settings,
        hosts: &hosts,
        operators: &[],
        program: Some("P2PNode.exe"),
        runtime: None,
        local: Some(&local),
    });
}

fn text_of(files: &[PackageFile], path: &str) -> String {
    let file = files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}"));
    String::from_utf8(file.bytes.to_vec()).unwrap()
}

#[test]
fn every_host_gets_the_same_config_and_meets_all_others() {
    with_pool(&settings(), &["192.0.2.1", "node.example.org", "2001:db8::1"], |pool| {
        let config = text_of(&Brunet.package_files(pool), "pool.config");
        let addresses: Vec<&str> = config.lines().filter(|line| line.contains("<Transport>")).map(str::trim).collect();
        let expected = [
            "brunet.tcp://192.0.2.1:21000",
            "brunet.tcp://node.example.org:21000",
            "brunet.udp://192.0.2.1:20000",
            "brunet.udp://node.example.org:20000",
        ];
        assert_eq!(addresses, expected.map(|address| format!("<Transport>{address}</Transport>")));
        assert!(!config.contains("XmlRpc") && !config.contains("NodeAddress"), "{config}");
        let files = Brunet.host_files(pool, &host("192.0.2.1"));
        assert_eq!(text_of(&files, "host"), "192.0.2.1\npackage\n");
        assert_eq!(text_of(&files, "ports"), "tcp 0.0.0.0 21000\nudp 0.0.0.0 20000\n");
    });
}

#[test]
fn only_the_local_node_can_be_called() {
    with_pool(&settings(), &["192.0.2.9"], |pool| {
        let local = &pool.local.unwrap().host;
        let files = Brunet.host_files(pool, local);
        let config = text_of(&files, "node.config");
        assert!(config.contains("<XmlRpcManager>") && config.contains("<Port>30001</Port>"), "{config}");
        assert!(config.contains("<port>30000</port>") && config.contains("brunet.tcp://192.0.2.9:21000"), "{config}");
        assert_eq!(text_of(&files, "ports"), "tcp 0.0.0.0 30000\nudp 0.0.0.0 30000\ntcp 127.0.0.1 30001\n");
        assert_eq!(text_of(&files, "host"), "the local node\nhost\n");
        assert!(text_of(&files, "network").starts_with("host this machine"), "{}", text_of(&files, "network"));
        let same_machine = Brunet.host_files(pool, &host("192.0.2.9"));
        assert_eq!(text_of(&same_machine, "host"), "192.0.2.9\npackage\n");
    });
}

#[test]
fn the_local_node_is_apart_unless_a_host_is_here_or_somebody_says_so() {
    let network = |settings: &PoolSettings, addresses: &[&str]| {
        let mut said = String::new();
        with_pool(settings, addresses, |pool| {
            said = text_of(&Brunet.host_files(pool, &pool.local.unwrap().host), "network");
            let of_a_host = Brunet.host_files(pool, &host(addresses[0]));
            assert!(of_a_host.iter().all(|file| file.path != "network"));
        });
        said
    };
    assert_eq!(network(&settings(), &["192.0.2.1", "node.example.org"]), "own\n");
    assert!(network(&settings(), &["192.0.2.1", "127.0.1.1"]).starts_with("host "));
    assert!(network(&settings(), &["192.0.2.1", "192.0.2.9"]).starts_with("host "));
    let brunet = BrunetSettings { local_network: LocalNetwork::Host, ..BrunetSettings::default() };
    assert!(network(&PoolSettings { brunet, ..settings() }, &["192.0.2.1"]).contains("brunet.local_network"));
}

#[test]
fn loopback_hosts_share_a_machine_and_no_port() {
    with_pool(&settings(), &["127.0.1.2", "127.0.1.10", "127.0.1.1"], |pool| {
        let ports = |address: &str| text_of(&Brunet.host_files(pool, &host(address)), "ports");
        assert_eq!(ports("127.0.1.1"), "tcp 0.0.0.0 21000\nudp 0.0.0.0 20000\n");
        assert_eq!(ports("127.0.1.2"), "tcp 0.0.0.0 21001\nudp 0.0.0.0 20001\n");
        assert_eq!(ports("127.0.1.10"), "tcp 0.0.0.0 21002\nudp 0.0.0.0 20002\n");
        let config = text_of(&Brunet.package_files(pool), "pool.config");
        assert!(config.contains("brunet.udp://127.0.1.10:20002"), "{config}");
    });
}

#[test]
fn options_reach_the_command_line_and_the_config() {
    let brunet = BrunetSettings {
        nodes_per_host: 20,
        devices: vec!["eth0".into()],
        mono_min: "5.2".into(),
        ..BrunetSettings::default()
    };
    let settings = PoolSettings { brunet, ports: Ports { udp: None, ..settings().ports }, ..settings() };
    with_pool(&settings, &["192.0.2.1"], |pool| {
        let files = Brunet.package_files(pool);
        let run = text_of(&files, "run");
        assert!(run.contains("\ncount=20\n") && run.ends_with("-n \"$config\" ${count:+-c \"$count\"}\n"), "{run}");
        assert!(text_of(&files, "preflight").contains("minimum=5.2\n"));
        let config = text_of(&files, "pool.config");
        assert!(config.contains("<Device>eth0</Device>") && !config.contains("udp"), "{config}");
        assert_eq!(text_of(&files, "stop_signal"), "INT\n");
        assert!(files.iter().all(|file| file.path != "runtime"));
        let old = PoolView { program: Some("it's/BasicNode.exe"), runtime: Some(&Digest::of(b"mono")), ..*pool };
        let files = Brunet.package_files(&old);
        assert!(
            text_of(&files, "run").ends_with("'it'\\''s/BasicNode.exe' \"$config\"\n"),
            "{}",
            text_of(&files, "run")
        );
        assert_eq!(text_of(&files, "runtime"), format!("{}\n", Digest::of(b"mono")));
    });
}

#[test]
fn who_wants_to_join_gets_a_config_without_fixed_ports() {
    with_pool(&settings(), &["192.0.2.1"], |pool| {
        let configs = Brunet.client_configs(pool);
        let [config] = configs.as_slice() else { panic!("{configs:?}") };
        assert!(config.text.contains("<port>0</port>") && config.text.contains("brunet.tcp://192.0.2.1:21000"));
        assert!(!config.is_secret && !config.text.contains("XmlRpc"));
    });
}

/// Folders of one host as its script has them, with a Mono that does nothing.
struct RunScript(tempfile::TempDir);

impl RunScript {
    fn new(pool: &PoolView<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["release", "shared/config", "bin"] {
            std::fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let this = Self(folder);
        this.write("bin/mono", "#!/bin/sh\n");
        let made = std::process::Command::new("chmod").arg("755").arg(this.0.path().join("bin/mono")).status();
        assert!(made.unwrap().success());
        for name in ["run", "pool.config"] {
            this.write(&format!("release/{name}"), &text_of(&Brunet.package_files(pool), name));
        }
        this
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.0.path().join(path), text).unwrap();
    }

    fn config(&self) -> String {
        std::fs::read_to_string(self.0.path().join("shared/node.config")).unwrap()
    }

    /// Starts the node on the host of this name; what was said, and the config that the node reads.
    fn start(&self, host: &str) -> (String, String) {
        self.write("shared/config/host", &format!("{host}\npackage\n"));
        let path = format!("{}:{}", self.0.path().join("bin").display(), std::env::var("PATH").unwrap());
        let done = std::process::Command::new("sh")
            .arg(self.0.path().join("release/run"))
            .envs([("PATH", path.as_str())])
            .env("SHARED", self.0.path().join("shared"))
            .env("RELEASE", self.0.path().join("release"))
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
        (String::from_utf8(done.stdout).unwrap(), self.config())
    }

    /// As a node does at its start.
    fn node_writes_address(&self, address: &str) {
        let line = format!("  <NodeAddress>{address}</NodeAddress>\n  <NCService>");
        self.write("shared/node.config", &self.config().replace("  <NCService>", &line));
    }
}

#[test]
fn a_node_keeps_its_address_and_a_copy_of_its_folder_on_another_host_does_not() {
    let ours = "brunet:node:QAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let with = |settings: &PoolSettings, check: &mut dyn FnMut(&PoolView<'_>)| with_pool(settings, &["a"], check);
    with(&settings(), &mut |pool| {
        let host = RunScript::new(pool);
        assert!(!host.start("a").1.contains("NodeAddress"), "its first start: the node chooses");
        host.node_writes_address(ours);
        assert!(host.start("a").1.contains(ours));
        // an upgrade brings another config
        let other = PoolSettings { namespace: "second".into(), ..settings() };
        with(&other, &mut |pool| {
            host.write("release/pool.config", &text_of(&Brunet.package_files(pool), "pool.config"));
            let (_, config) = host.start("a");
            assert!(config.contains(ours) && config.contains("second"), "{config}");
        });
        let (said, config) = host.start("b");
        assert!(said.contains("belongs to a; b gets a new one") && !config.contains("NodeAddress"), "{said}{config}");
        // and what is no address is none
        for wrong in ["brunet:node:short", "brunet:node:$(reboot)AAAAAAAAAAAAAAAAAAAAAAA", "x"] {
            host.node_writes_address(wrong);
            assert!(!host.start("b").1.contains("NodeAddress"), "{wrong}");
        }
    });
}
