use std::process::Command;

use p2ppool_model::PoolName;
use p2ppool_model::pool::PoolSettings;

use super::*;
use crate::kind::LocalNode;

fn hosts(addresses: &[&str]) -> Vec<HostSpec> {
    addresses.iter().map(|address| HostSpec { address: (*address).to_owned(), ..HostSpec::default() }).collect()
}

fn settings() -> PoolSettings {
    PoolSettings {
        namespace: "demo".into(),
        bootstrap: vec!["/ip4/198.51.100.9/tcp/4001".into(), "/not/an/address".into()],
        ..PoolSettings::default()
    }
}

/// Gives `test` a pool with these hosts.
fn with_pool<T>(settings: &PoolSettings, hosts: &[HostSpec], test: impl FnOnce(&PoolView<'_>) -> T) -> T {
    let name: PoolName = "demo".parse().unwrap();
    let operators = ["12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN".to_owned()];
    test(&PoolView { name: &name, settings, hosts, operators: &operators, program: None, runtime: None, local: None })
}

/// Every file as `== path (mode)` and its content.
fn shown(files: &[PackageFile]) -> String {
    let file = |file: &PackageFile| {
        format!("== {} ({:o})\n{}", file.path, file.mode, std::str::from_utf8(&file.bytes).unwrap())
    };
    files.iter().map(file).collect()
}

const MIXED: [&str; 4] = ["192.0.2.1", "node.example.org", "2001:db8::1", "127.10.0.3"];

#[test]
fn seeds_are_multiaddresses() {
    let hosts = hosts(&["192.0.2.1", "fe80::1", "h.example"]);
    let settings = PoolSettings { bootstrap: Vec::new(), ..settings() };
    let seeds = with_pool(&settings, &hosts, |pool| Libp2p.seeds(pool));
    assert_eq!(seeds, ["/ip4/192.0.2.1/tcp/4650", "/ip6/fe80::1/tcp/4650", "/dns/h.example/tcp/4650"]);
}

#[test]
fn what_all_hosts_get() {
    let files = with_pool(&settings(), &hosts(&MIXED), |pool| Libp2p.package_files(pool));
    insta::assert_snapshot!(shown(&files));
}

#[test]
fn what_each_host_gets() {
    let mut hosts = hosts(&MIXED);
    hosts.push(HostSpec { address: "192.0.2.7".into(), port: Some(2201), ..HostSpec::default() });
    let files = with_pool(&settings(), &hosts, |pool| {
        hosts.iter().flat_map(|host| Libp2p.host_files(pool, host)).collect::<Vec<_>>()
    });
    insta::assert_snapshot!(shown(&files));
}

#[test]
fn what_the_local_node_gets() {
    let hosts = hosts(&["127.0.0.1", "127.10.0.2"]);
    let local = LocalNode { host: hosts[0].clone(), ports: Ports { tcp: Some(1), udp: Some(2), rpc: 3 } };
    let at = |settings: &PoolSettings, host: &HostSpec, hosts: &[HostSpec]| {
        with_pool(settings, hosts, |pool| shown(&Libp2p.host_files(&PoolView { local: Some(&local), ..*pool }, host)))
    };
    let text = at(&settings(), &local.host, &hosts[1..]);
    insta::assert_snapshot!(text);
    // a host of the pool at the same address is another node, unless the ports are the local node's
    assert!(!at(&settings(), &hosts[0], &hosts).contains("client"));
    let own_ports = PoolSettings { ports: local.ports, ..settings() };
    assert_eq!(at(&own_ports, &hosts[0], &hosts), text);
}

#[test]
fn what_others_join_with() {
    let show = |settings: &PoolSettings| {
        let configs = with_pool(settings, &hosts(&MIXED[..2]), |pool| Libp2p.client_configs(pool));
        let config = |config: &ClientConfig| {
            format!("== {} ({}, secret: {})\n{}", config.name, config.media_type, config.is_secret, config.text)
        };
        configs.iter().map(config).collect::<String>()
    };
    insta::assert_snapshot!("open", show(&settings()));
    let secret = PoolSettings { network_secret: Some("5a".repeat(32)), ..settings() };
    insta::assert_snapshot!("secret", show(&secret));
}

#[test]
fn a_secret_is_only_in_files_that_say_so() {
    let secret = PoolSettings { network_secret: Some("5a".repeat(32)), ..settings() };
    with_pool(&secret, &hosts(&MIXED), |pool| {
        for file in Libp2p.package_files(pool).iter().chain(&Libp2p.host_files(pool, &pool.hosts[0])) {
            let has_secret = String::from_utf8_lossy(&file.bytes).contains("5a5a");
            assert_eq!(has_secret, file.mode == 0o600, "{}", file.path);
        }
        for config in Libp2p.client_configs(pool) {
            assert_eq!(config.text.contains("5a5a"), config.is_secret, "{}", config.name);
        }
    });
}

#[test]
fn the_node_reads_what_is_rendered() {
    let folder = tempfile::tempdir().unwrap();
    let hosts = hosts(&MIXED);
    let (config, host) = with_pool(&settings(), &hosts, |pool| {
        let files = [Libp2p.package_files(pool), Libp2p.host_files(pool, &hosts[3])].concat();
        files.iter().for_each(|file| std::fs::write(folder.path().join(&file.path), &file.bytes).unwrap());
        NodeConfig::load(&folder.path().join("node.toml"), Some(&folder.path().join("host.toml"))).unwrap()
    });
    assert_eq!(config.bootstrap.len(), 2 * MIXED.len() + 1);
    assert_eq!(config.operators.len(), 1);
    assert_eq!(config.listen, ["127.10.0.3".parse::<IpAddr>().unwrap()]);
    assert_eq!(config.rpc, "127.10.0.3:4651".parse().unwrap());
    assert_eq!(host.host_tag.as_deref(), Some("127.10.0.3"));
}

#[test]
fn many_hosts_are_represented_by_some_of_everywhere() {
    let all: Vec<HostSpec> = (0..1000)
        .map(|i| HostSpec { address: format!("10.0.{}.{}", i / 250, i % 250 + 1), ..HostSpec::default() })
        .collect();
    let addresses = with_pool(&PoolSettings { namespace: "demo".into(), ..PoolSettings::default() }, &all, bootstrap);
    assert_eq!(addresses.len(), 2 * BOOTSTRAP_HOSTS_MAX);
    for third in 0..4 {
        let some = addresses.iter().filter(|address| address.to_string().contains(&format!("/10.0.{third}."))).count();
        assert_eq!(some, 2 * BOOTSTRAP_HOSTS_MAX / 4);
    }
    assert!(with_pool(&PoolSettings::default(), &[], bootstrap).is_empty());
}

#[test]
fn the_scripts_run_the_program_and_know_when_it_is_up() {
    let folder = tempfile::tempdir().unwrap();
    let release = folder.path().join("release");
    let program = release.join("node/it's here/p2pnode");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    std::fs::write(&program, "#!/bin/sh\necho \"$@\"\n").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, mode).unwrap();
    std::fs::write(release.join("run"), run_script(Some("it's here/p2pnode"))).unwrap();
    std::fs::write(release.join("ready"), READY_SCRIPT).unwrap();
    let sh = |script: &str| {
        let mut command = Command::new("sh");
        command.arg(release.join(script)).env("RELEASE", &release).env("SHARED", folder.path());
        command.env("PACKAGE", "abc").env("NODE_PID", "12").output().unwrap()
    };
    let output = String::from_utf8(sh("run").stdout).unwrap();
    assert!(output.starts_with("run --config ") && output.ends_with("--package abc\n"), "{output}");

    assert!(!sh("ready").status.success());
    std::fs::write(folder.path().join("node.json"), "{\"pid\":123,\"x\":1}\n").unwrap();
    assert!(!sh("ready").status.success(), "another process's file");
    std::fs::write(folder.path().join("node.json"), "{\"pid\":12,\"x\":1}\n").unwrap();
    assert!(sh("ready").status.success());
}

#[test]
fn the_program_of_a_bundle_is_found() {
    let program = || std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let file = |path: &str| PackageFile { path: path.into(), mode: 0o755, bytes: program().into() };
    for path in ["p2pnode", "p2pnode-0.1.0/p2pnode"] {
        let found = Libp2p.recognise(&[PackageFile::text("README", "x"), file(path)]).unwrap();
        assert_eq!((found.path.as_str(), found.arch.as_deref()), (path, Some(std::env::consts::ARCH)));
    }
    let refused = |files: &[PackageFile]| Libp2p.recognise(files).unwrap_err().to_string();
    assert!(refused(&[]).contains("libp2p needs `p2pnode`"));
    assert!(refused(&[file("a/b/p2pnode")]).contains("libp2p needs `p2pnode`"));
    assert!(refused(&[PackageFile::text("p2pnode", "#!/bin/sh\nsleep 9999\n")]).contains("no Linux program"));
    assert!(refused(&[file("a/p2pnode"), file("b/p2pnode")]).contains("both `a/p2pnode` and `b/p2pnode`"));
}
