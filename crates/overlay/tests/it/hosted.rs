//! Nodes hosted in this process: tables, dead addresses, other namespaces, secrets.

use std::net::Ipv4Addr;
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use p2ppool_model::snapshot::{NodeDetails, NodeStatus};
use p2ppool_overlay::testing::hosted::{HostedNode, HostedSettings};

use crate::support::{crawl, crawl_settings, crawl_until_consistent, pool, probe};

fn settings(host: u8) -> HostedSettings {
    HostedSettings {
        listen: (Ipv4Addr::new(127, 21, 0, host).into(), 0),
        quic: false,
        namespace: "alpha".into(),
        info: true,
        secret: None,
        bootstrap: Vec::new(),
        idle: Duration::from_secs(10),
        place: None,
    }
}

async fn overlay(nodes: u8, like: impl Fn(HostedSettings) -> HostedSettings) -> Vec<HostedNode> {
    let first = HostedNode::start(like(settings(1))).await.unwrap();
    let bootstrap = vec![first.address.clone()];
    let mut all = vec![first];
    for host in 2..=nodes {
        let settings = HostedSettings { bootstrap: bootstrap.clone(), ..settings(host) };
        all.push(HostedNode::start(like(settings)).await.unwrap());
    }
    all
}

fn seed(node: &HostedNode) -> Vec<String> {
    vec![node.address.to_string()]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overlay_is_seen_whole_from_one_address() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = overlay(8, |settings| settings).await;
    let probe = probe(folder.path(), pool("alpha"));
    let report = crawl_until_consistent(&*probe, &seed(&nodes[3]), 8).await;
    assert_eq!(report.len(), 8);
    for node in report.nodes() {
        let hosted = nodes.iter().find(|hosted| hosted.peer.to_string() == node.address).unwrap();
        assert_eq!(node.version.as_deref(), Some("hosted/1"));
        assert_eq!(node.namespace.as_deref(), Some("alpha"));
        assert!(node.transport_addresses.contains(&hosted.address.to_string()), "{node:?}");
        assert_eq!(
            hosted.address.iter().next(),
            node.ip.as_deref().and_then(|ip| Some(Protocol::Ip4(ip.parse().ok()?)))
        );
        assert!(node.rtt_ms.is_some_and(|rtt| rtt > 0.0));
        assert!(matches!(node.details, NodeDetails::Libp2p { info: true, .. }));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_without_the_info_protocol_are_walked_by_find_node() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = overlay(6, |settings| HostedSettings { info: false, ..settings }).await;
    let probe = probe(folder.path(), pool("alpha"));
    let report = crawl_until_consistent(&*probe, &seed(&nodes[0]), 6).await;
    for node in report.nodes() {
        assert_eq!(node.version.as_deref(), Some("hosted/1"));
        assert_eq!(node.namespace.as_deref(), Some("alpha"));
        let NodeDetails::Libp2p { protocols, info, .. } = node.details else { panic!("kind changed") };
        assert!(!info && protocols.iter().any(|protocol| protocol == "/p2ppool/alpha/kad/1.0.0"), "{protocols:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn quic_only_nodes_are_reached() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = overlay(3, |settings| HostedSettings { quic: true, ..settings }).await;
    let probe = probe(folder.path(), pool("alpha"));
    let report = crawl_until_consistent(&*probe, &seed(&nodes[0]), 3).await;
    let quic = report.nodes().flat_map(|n| n.transport_addresses).find(|a| a.contains("/quic-v1")).unwrap();
    let report = crawl(&*probe, std::slice::from_ref(&quic)).await;
    assert_eq!(report.answering(), 3, "from {quic}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_namespace_is_told_and_not_walked() {
    let folder = tempfile::tempdir().unwrap();
    for info in [true, false] {
        let nodes = overlay(3, |settings| HostedSettings { namespace: "beta".into(), info, ..settings }).await;
        let probe = probe(folder.path(), pool("alpha"));
        let report = crawl(&*probe, &seed(&nodes[0])).await;
        let seen: Vec<_> = report.nodes().collect();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!((seen[0].address.clone(), seen[0].status), (nodes[0].peer.to_string(), NodeStatus::AskFailed));
        assert_eq!(seen[0].namespace.as_deref(), Some("beta"), "{seen:?}");
        assert!(seen[0].neighbours.is_empty() && seen[0].error.is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_with_a_secret_answers_only_those_who_know_it() {
    let folder = tempfile::tempdir().unwrap();
    let secret = "ab".repeat(32);
    let nodes = overlay(3, |settings| HostedSettings { secret: secret.parse().ok(), ..settings }).await;
    let mut knowing = pool("alpha");
    knowing.network_secret = Some(secret.clone());
    crawl_until_consistent(&*probe(folder.path(), knowing), &seed(&nodes[0]), 3).await;
    let report = crawl(&*probe(folder.path(), pool("alpha")), &seed(&nodes[0])).await;
    assert_eq!(report.answering(), 0);
    assert_eq!(report.seeds_failed.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_went_away_are_told_and_add_at_most_one_dial_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let mut nodes = overlay(10, |settings| settings).await;
    let probe = probe(folder.path(), pool("alpha"));
    let before = crawl_until_consistent(&*probe, &seed(&nodes[0]), 10).await;
    let gone = nodes.pop().unwrap();
    let (peer, address) = (gone.peer.to_string(), gone.address.clone());
    drop(gone);
    // The place of the dead is taken by something that accepts and never says a word.
    let silent = listen_silently(&address).await;
    let after = crawl(&*probe, &seed(&nodes[0])).await;
    let dead = after.nodes().find(|node| node.address == peer).unwrap();
    assert_eq!(dead.status, NodeStatus::ConnectFailed, "{:?}", dead.error);
    assert_eq!((after.answering(), after.len()), (9, 10));
    let added = after.duration.saturating_sub(before.duration);
    assert!(added < crawl_settings().dial_deadline + Duration::from_millis(500), "{added:?}");
    drop(silent);
    let refused = crawl(&*probe, &seed(&nodes[0])).await;
    let dead = refused.nodes().find(|node| node.address == peer).unwrap();
    assert_eq!((dead.status, dead.retries), (NodeStatus::DialFailed, 2), "{:?}", dead.error);
}

async fn listen_silently(address: &libp2p::Multiaddr) -> tokio::net::TcpListener {
    let mut parts = address.iter();
    let (Some(Protocol::Ip4(ip)), Some(Protocol::Tcp(port))) = (parts.next(), parts.next()) else {
        panic!("{address} is no TCP address")
    };
    loop {
        // The node's own listener is closed when its task has ended, which takes a turn of the runtime.
        match tokio::net::TcpListener::bind((ip, port)).await {
            Ok(listener) => return listener,
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn private_addresses_are_left_alone_unless_the_pool_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = overlay(1, |settings| settings).await;
    let mut strict = pool("alpha");
    strict.private_addresses = false;
    let report = crawl(&*probe(folder.path(), strict), &seed(&nodes[0])).await;
    assert!(report.is_empty());
    assert_eq!(report.seeds_failed.len(), 1);
    assert_eq!(report.seeds_failed[0].error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_under_a_nodes_address_is_not_taken_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let nodes = overlay(2, |settings| settings).await;
    let probe = probe(folder.path(), pool("alpha"));
    let candidate = p2ppool_overlay::crawl::Candidate {
        peer: Some(nodes[0].peer.to_string()),
        addresses: vec![nodes[1].address.to_string()],
        dial_deadline: Duration::from_secs(3),
    };
    let error = probe.ask(&candidate, Duration::from_secs(3)).await.unwrap_err();
    assert_eq!((error.stage, error.may_retry), (p2ppool_overlay::crawl::Stage::Connect, false));
    assert!(error.message.contains(&nodes[1].peer.to_string()), "{error}");
}
