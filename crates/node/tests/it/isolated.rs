use p2ppool_overlay::libp2p::NetworkSecret;

use crate::support::{Net, asked, output, text};

#[test]
fn namespaces_that_know_each_others_addresses_do_not_mix() {
    let net = Net::new();
    // hosts 1 and 2 are of one pool, 3 and 4 of the other; all four addresses are bootstrap of both
    let (red, blue) = (net.config("red", 1..=4), net.config("blue", 1..=4));
    let mut nodes: Vec<_> =
        [(1, &red), (2, &red), (3, &blue), (4, &blue)].map(|(host, config)| net.start(host, config)).into();
    nodes.iter_mut().for_each(|node| node.wait_for_neighbours(1));
    let peers: Vec<String> = nodes.iter().map(|node| node.peer_id()).collect();
    // a connection across the border is made, and judged
    nodes[0].wait("a stranger", |node| node.log().contains("member=false"));
    for (node, friend) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
        assert_eq!(nodes[node].neighbours(), [peers[friend].clone()]);
    }
}

#[test]
fn a_node_without_the_secret_stays_outside_and_inside_there_is_no_quic() {
    let net = Net::new();
    let mut config = net.config("secret", 1..=2);
    let secret: NetworkSecret = "5a".repeat(32).parse().unwrap();
    config.network_secret = Some(secret);
    let mut inside: Vec<_> = (1..=2).map(|host| net.start(host, &config)).collect();
    inside.iter_mut().for_each(|node| node.wait_for_neighbours(1));
    let listen = inside[0].info()["vitals"]["listen"].clone();
    assert_eq!(listen, serde_json::json!([net.tcp(1)]));
    assert_eq!(inside[0].info()["vitals"]["quic"], 0);

    let mut outside = net.start(3, &net.config("secret", 1..=2));
    outside.wait("a failed dial", |node| node.log().contains("not connected"));
    assert!(outside.neighbours().is_empty());
    let refused = output(["info", &net.tcp(1), "--deadline", "5"]);
    assert_eq!(refused.status.code(), Some(5), "{}", String::from_utf8_lossy(&refused.stderr));
    let config = net.data(1).join("node.toml");
    let answer = asked(["info", &net.tcp(1), "--config", text(&config)]);
    assert_eq!(answer["neighbours"].as_array().unwrap().len(), 1);
    assert_eq!(inside[0].neighbours().len(), 1);
}
