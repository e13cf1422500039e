use crate::support::{Net, http, output, p2pnode, printed, text};

#[test]
fn a_record_that_one_node_stores_another_one_finds() {
    let net = Net::new();
    let config = net.config("records", 1..=3);
    let mut nodes: Vec<_> = (1..=3).map(|host| net.start(host, &config)).collect();
    nodes.iter_mut().for_each(|node| node.wait_for_neighbours(2));
    let data = |host| net.data(host);
    printed(["put", "a/b c%", "gr\u{fc}n", "--data", text(&data(1))]);
    assert_eq!(printed(["get", "a/b c%", "--rpc", &net.rpc(3).to_string()]), "gr\u{fc}n");
    let missing = output(["get", "nothing", "--data", text(&data(2))]);
    assert_eq!(missing.status.code(), Some(6), "{}", String::from_utf8_lossy(&missing.stderr));
}

#[test]
fn a_record_that_can_not_be_kept_is_refused_with_the_reason() {
    let net = Net::new();
    let _node = net.start(1, &net.config("alone", []));
    let data = net.data(1);
    let put = |key: &str, value: &str| {
        let output = output(["put", key, value, "--data", text(&data)]);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(put("alone", "x").contains("kept on this node only"));
    assert!(put("long", &"x".repeat(9000)).contains("may have 8192 bytes"));
    assert!(put("longer", &"x".repeat(40_000)).contains("too long"));
    assert!(put(&"k".repeat(300), "x").contains("1 to 256 bytes"));
}

#[test]
fn without_a_node_there_is_a_clear_error() {
    let output = p2pnode(["get", "x", "--rpc", "127.0.0.1:9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("get record `x` at 127.0.0.1:9: connect:") && error.contains("does the node run?"),
        "{error}"
    );
}

#[test]
fn metrics_count_the_table_and_the_connections() {
    let net = Net::new();
    let config = net.config("metrics", 1..=2);
    let mut nodes: Vec<_> = (1..=2).map(|host| net.start(host, &config)).collect();
    nodes[0].wait_for_neighbours(1);
    let (status, page) = http(nodes[0].rpc, "GET", "/metrics");
    assert_eq!(status, 200);
    assert!(page.contains("\np2pnode_routing_table_peers 1\n"), "{page}");
    assert!(page.contains("namespace=\"metrics\""), "{page}");
    assert_eq!(http(nodes[0].rpc, "GET", "/healthz"), (200, "ok\n".to_owned()));
    assert_eq!(http(nodes[0].rpc, "GET", "/v1/nothing").0, 404);
    assert_eq!(http(nodes[0].rpc, "DELETE", "/v1/records/x").0, 405);
}

#[test]
fn beyond_loopback_only_metrics_and_health_are_served() {
    let net = Net::new();
    let mut host = net.host_config(1);
    let port = std::net::TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port();
    host.rpc = Some(format!("0.0.0.0:{port}").parse().unwrap());
    let _node = net.start_as(1, &net.config("open", []), &host);
    let rpc = format!("127.0.0.1:{port}").parse().unwrap();
    assert_eq!(http(rpc, "GET", "/metrics").0, 200);
    assert_eq!(http(rpc, "GET", "/healthz").0, 200);
    assert_eq!(http(rpc, "GET", "/v1/info").0, 404);
    assert_eq!(http(rpc, "GET", "/v1/records/x").0, 404);
}
