use std::fs;
use std::time::Duration;

use crate::support::{Net, PORT, output, text};

#[test]
fn a_signal_ends_a_node_cleanly_and_its_peers_know_at_once() {
    for signal in ["TERM", "INT"] {
        let net = Net::new();
        let config = net.config("signal", 1..=2);
        let mut staying = net.start(1, &config);
        let mut leaving = net.start(2, &config);
        leaving.wait_for_neighbours(1);
        staying.wait_for_neighbours(1);
        staying.wait("a connection", |node| node.info()["vitals"]["connections"].as_u64() > Some(0));
        leaving.signal(signal);
        assert_eq!(leaving.ended(), Some(0), "{}", leaving.log());
        assert!(!leaving.data.join("node.json").exists());
        assert!(leaving.log().contains("node ended"));
        staying.wait("no connection", |node| node.info()["vitals"]["connections"] == 0);
    }
}

#[test]
fn a_taken_port_has_an_exit_code_of_its_own() {
    let net = Net::new();
    let config = net.config("taken", []);
    let _first = net.start(1, &config);
    // the same address and ports, another folder
    let mut second = net.spawn(2, &config, &net.host_config(1));
    assert_eq!(second.ended(), Some(3), "{}", second.log());
    assert!(second.log().contains("Address already in use"), "{}", second.log());
    // the control port is free, the overlay's isn't
    let mut third = net.host_config(1);
    third.rpc = Some(net.rpc(3));
    let mut third = net.spawn(3, &config, &third);
    assert_eq!(third.ended(), Some(3), "{}", third.log());
    let expected = format!("listen on tcp {}:{PORT}: Address already in use", net.address(1));
    assert!(third.log().contains(&expected), "{}", third.log());
    assert!(!third.data.join("node.json").exists());
}

#[test]
fn a_corrupt_identity_is_an_error_and_is_not_replaced() {
    let net = Net::new();
    fs::create_dir_all(net.data(1)).unwrap();
    let key = net.data(1).join("identity.key");
    fs::write(&key, "half a key").unwrap();
    let mut node = net.spawn(1, &net.config("corrupt", []), &net.host_config(1));
    assert_eq!(node.ended(), Some(4), "{}", node.log());
    assert!(node.log().contains("holds 10 bytes that are no key"), "{}", node.log());
    assert_eq!(fs::read(&key).unwrap(), b"half a key");
}

#[test]
fn two_nodes_can_not_share_a_folder() {
    let net = Net::new();
    let config = net.config("shared", []);
    let first = net.start(1, &config);
    let mut second = net.spawn(1, &config, &net.host_config(2));
    assert_eq!(second.ended(), Some(4));
    assert!(second.log().contains("another node (process "), "{}", second.log());
    assert!(first.data.join("node.json").exists());
}

#[test]
fn a_wrong_configuration_names_file_and_line() {
    let net = Net::new();
    let path = net.folder.path().join("node.toml");
    fs::write(&path, "namespace = \"demo\"\ntcp_port = 1\nbotstrap = []\n").unwrap();
    let output = output(["run", "--config", text(&path)]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("node.toml: line 3, column 1: unknown field `botstrap`"), "{error}");
}

#[test]
#[ignore = "takes two minutes"]
fn long_a_neighbour_that_was_killed_is_forgotten() {
    let net = Net::new();
    let config = net.config("killed", 1..=3);
    let mut nodes: Vec<_> = (1..=3).map(|host| net.start(host, &config)).collect();
    nodes.iter_mut().for_each(|node| node.wait_for_neighbours(2));
    nodes[2].signal("KILL");
    nodes[2].ended();
    for node in &mut nodes[..2] {
        node.wait_within(Duration::from_secs(180), "one neighbour less", |node| node.neighbours().len() == 1);
    }
}
