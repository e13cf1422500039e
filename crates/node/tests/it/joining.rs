use std::os::unix::fs::PermissionsExt as _;

use p2ppool_overlay::libp2p::KadMode;

use crate::support::{Net, Node, printed, text};

#[test]
fn five_nodes_meet_by_addresses_without_peer_ids() {
    let net = Net::new();
    let config = net.config("five", 1..=5);
    let mut nodes: Vec<Node> = (1..=5).map(|host| net.start(host, &config)).collect();
    let mut peers: Vec<String> = nodes.iter().map(Node::peer_id).collect();
    peers.sort();
    for node in &mut nodes {
        node.wait_for_neighbours(4);
        let mut all = node.neighbours();
        all.push(node.peer_id());
        all.sort();
        assert_eq!(all, peers);
    }
    let vitals = &nodes[0].info()["vitals"];
    assert_eq!(vitals["host_tag"], net.address(1));
    assert_eq!(vitals["package"], "ab".repeat(32));
    assert_eq!(vitals["nat"], "public");
    assert_eq!(vitals["table"], 4);
    let number = |name: &str| vitals[name].as_u64().unwrap();
    assert_eq!(number("connections"), number("tcp") + number("quic") + number("relayed"));
    assert!(number("connections") >= 1 && number("rss") > 1_000_000, "{vitals}");
}

#[test]
fn an_identity_survives_a_restart_and_peers_find_the_node_again() {
    let net = Net::new();
    let config = net.config("again", 1..=2);
    let mut first = net.start(1, &config);
    let mut second = net.start(2, &config);
    second.wait_for_neighbours(1);
    first.wait_for_neighbours(1);
    let before = second.peer_id();
    second.signal("TERM");
    assert_eq!(second.ended(), Some(0), "{}", second.log());
    let mut second = net.start(2, &config);
    assert_eq!(second.peer_id(), before);
    second.wait_for_neighbours(1);
    let key = net.data(2).join("identity.key");
    assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_node_that_nobody_can_dial_is_reached_through_a_relay() {
    let net = Net::new();
    let config = net.config("relayed", 1..=2);
    let mut open: Vec<Node> = (1..=2).map(|host| net.start(host, &config)).collect();
    open[0].wait_for_neighbours(1);
    let mut deaf_config = net.host_config(3);
    deaf_config.listen = Some(Vec::new());
    let mut deaf = net.start_as(3, &config, &deaf_config);
    deaf.wait("an address at a relay", |node| node.info()["vitals"]["external"].to_string().contains("p2p-circuit"));
    assert_eq!(deaf.info()["vitals"]["nat"], "private");
    let peer = deaf.peer_id();
    // a node that comes later learns of it from the others and has only the relay to reach it
    let mut late = net.start(4, &config);
    late.wait("a relayed connection", |node| node.info()["vitals"]["relayed"].as_u64() > Some(0));
    assert!(late.neighbours().contains(&peer), "{:?}", late.info());
}

#[test]
fn a_client_takes_part_without_being_known() {
    let net = Net::new();
    let config = net.config("client", 1..=3);
    let mut nodes: Vec<Node> = (1..=2).map(|host| net.start(host, &config)).collect();
    nodes.iter_mut().for_each(|node| node.wait_for_neighbours(1));
    let mut client_config = net.host_config(3);
    client_config.kad_mode = Some(KadMode::Client);
    let mut client = net.start_as(3, &config, &client_config);
    client.wait_for_neighbours(2);
    let peer = client.peer_id();
    for node in &mut nodes {
        node.wait("the client's visit", |node| node.log().contains(&format!("identified peer={peer}")));
        assert!(!node.neighbours().contains(&peer));
    }
    printed(["put", "by", "client", "--data", text(&client.data)]);
    assert_eq!(printed(["get", "by", "--data", text(&nodes[0].data)]), "client");
}
