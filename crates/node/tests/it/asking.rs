use crate::support::{Net, asked, output, printed, text};

#[test]
fn an_operator_is_told_everything_and_a_stranger_only_neighbours_and_version() {
    let net = Net::new();
    let operator = net.folder.path().join("operator");
    let peer = printed(["id", "--data", text(&operator)]);
    let mut config = net.config("asked", 1..=2);
    config.operators = vec![peer.trim().parse().unwrap()];
    let mut nodes: Vec<_> = (1..=2).map(|host| net.start(host, &config)).collect();
    nodes.iter_mut().for_each(|node| node.wait_for_neighbours(1));

    let stranger = asked(["info", &net.tcp(1)]);
    let names: Vec<&String> = stranger.as_object().unwrap().keys().collect();
    assert_eq!(names, ["agent_version", "namespace", "neighbours", "peer_id"]);
    assert_eq!(stranger["neighbours"][0]["peer"], nodes[1].peer_id());

    let key = operator.join("identity.key");
    let with_peer = format!("{}/p2p/{}", net.quic(1), nodes[0].peer_id());
    let told = asked(["info", &with_peer, "--identity", text(&key), "--namespace", "asked"]);
    assert_eq!(told["vitals"]["host_tag"], net.address(1));
    assert!(told["vitals"]["rss"].as_u64().unwrap() > 0);
    // the asker's own connection is none of the overlay's
    assert!((1..=2).contains(&told["vitals"]["connections"].as_u64().unwrap()), "{told}");
}

#[test]
fn who_means_another_namespace_is_told_the_right_one_and_nothing_else() {
    let net = Net::new();
    let _node = net.start(1, &net.config("mine", []));
    let answer = asked(["info", &net.tcp(1), "--namespace", "yours"]);
    assert_eq!(answer["namespace"], "mine");
    assert_eq!(answer["refusal"], "other_namespace");
    assert_eq!(answer["neighbours"], serde_json::json!([]));
    assert!(answer.get("agent_version").is_none() && answer.get("vitals").is_none(), "{answer}");
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let net = Net::new();
    let asker = net.folder.path().join("asker");
    printed(["id", "--data", text(&asker)]);
    let key = asker.join("identity.key");
    let _node = net.start(1, &net.config("often", []));
    let refused = (0..30)
        .map(|_| asked(["info", &net.tcp(1), "--namespace", "often", "--identity", text(&key)]))
        .find(|answer| answer["refusal"] == "too_many_requests");
    assert!(refused.is_some());
}

#[test]
fn an_address_where_nobody_listens_is_a_clear_error() {
    let net = Net::new();
    let output = output(["info", &net.tcp(9), "--deadline", "5"]);
    assert_eq!(output.status.code(), Some(5));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("ask {}: ", net.tcp(9))) && error.contains("refused"), "{error}");
}
