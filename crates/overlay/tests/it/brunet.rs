//! Crawls of a Brunet ring behind a server with the quirks of the real one.

use std::time::{Duration, Instant};

use p2ppool_model::brunet::BrunetSettings;
use p2ppool_model::consistency::RingSide;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, PoolSettings, Ports};
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus, Totals};
use p2ppool_overlay::brunet::rpc::LocalRpc;
use p2ppool_overlay::brunet::xml_rpc::Value;
use p2ppool_overlay::brunet::{CALLS_AT_ONCE, LOCAL_NODE};
use p2ppool_overlay::crawl::{self, CrawlReport};
use p2ppool_overlay::testing::brunet::{BrunetRing, Manner, RingSettings};
use p2ppool_overlay::{LocalNode, ProbeSettings, kind};
use tokio_util::sync::CancellationToken;

/// How long the local node waits for a silent one, as measured.
const SILENCE: Duration = Duration::from_secs(14);

async fn crawl(ring: &BrunetRing, deadline_s: u16) -> CrawlReport {
    crawl_through(ring.server, deadline_s).await
}

async fn crawl_through(server: std::net::SocketAddr, deadline_s: u16) -> CrawlReport {
    let brunet = BrunetSettings { call_deadline_s: deadline_s, ..BrunetSettings::default() };
    let settings = PoolSettings { kind: OverlayKindName::Brunet, brunet, ..PoolSettings::default() };
    let kind = kind(OverlayKindName::Brunet).unwrap();
    let bounds = kind.crawl_settings(&settings);
    let local = LocalNode { host: HostSpec::default(), ports: Ports { rpc: server.port(), ..Ports::default() } };
    let probe = kind
        .probe(&ProbeSettings {
            settings,
            operator: "unused".into(),
            dial_deadline: bounds.dial_deadline,
            local: Some(local),
        })
        .unwrap();
    crawl::run(&*probe, &[LOCAL_NODE.to_owned()], &bounds, |_| {}, &CancellationToken::new()).await
}

fn ring_of(count: usize) -> RingSettings {
    RingSettings { manners: vec![Manner::Answers; count], silence: SILENCE, ..RingSettings::default() }
}

fn node<'a>(nodes: &'a [Node], address: &str) -> &'a Node {
    nodes.iter().find(|node| node.address == address).unwrap_or_else(|| panic!("{address} was not seen"))
}

#[tokio::test]
async fn a_whole_ring_is_seen_with_one_call_per_node_and_few_connections() {
    let ring = BrunetRing::start(ring_of(100)).await.unwrap();
    let report = crawl(&ring, 5).await;
    assert_eq!((report.len(), report.answering(), report.consistency()), (100, 100, Some(1.0)));
    assert_eq!(ring.calls(), 1 + 100);
    assert!(ring.connections() <= CALLS_AT_ONCE, "{} connections", ring.connections());
    assert_eq!((ring.split(), ring.swallowed()), (0, 0));
    let nodes: Vec<Node> = report.nodes().collect();
    let totals = Totals::of(&nodes, None, 0);
    assert_eq!((totals.connections, totals.tcp, totals.udp), (Some(1800), Some(100), Some(1700)));
    assert_eq!((totals.secure, totals.consistency), (None, Some(1.0)));
}

#[tokio::test]
async fn a_lone_node_scores_zero() {
    let ring = BrunetRing::start(ring_of(1)).await.unwrap();
    let report = crawl(&ring, 5).await;
    assert_eq!((report.answering(), report.consistency()), (1, Some(0.0)));
}

#[tokio::test]
async fn a_killed_node_is_given_up_after_the_deadline_and_costs_its_neighbours_a_quarter() {
    let mut settings = ring_of(12);
    settings.manners[5] = Manner::Silent;
    let ring = BrunetRing::start(settings).await.unwrap();
    let began = Instant::now();
    let report = crawl(&ring, 1).await;
    assert!(began.elapsed() < SILENCE, "the local node's own patience was waited for: {:?}", began.elapsed());
    assert_eq!((report.len(), report.answering()), (12, 11));
    assert!((report.consistency().unwrap() - 0.8333).abs() < 0.0001, "{:?}", report.consistency());
    let nodes: Vec<Node> = report.nodes().collect();
    let dead = node(&nodes, ring.address(5));
    assert_eq!((dead.status, dead.consistency), (NodeStatus::AskFailed, Some(0.0)));
    assert!(dead.error.as_ref().unwrap().contains("no answer within"), "{:?}", dead.error);
    let blamed: Vec<RingSide> = nodes
        .iter()
        .filter(|node| node.status == NodeStatus::Answering)
        .flat_map(|node| match &node.details {
            NodeDetails::Brunet(details) => details.disagrees.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(blamed.len(), 4, "{blamed:?}");
}

#[tokio::test]
async fn a_ghost_is_no_node_and_its_stand_in_is_named() {
    let mut settings = ring_of(12);
    settings.manners[4] = Manner::Ghost;
    let ring = BrunetRing::start(settings).await.unwrap();
    let report = crawl(&ring, 1).await;
    let nodes: Vec<Node> = report.nodes().collect();
    let ghost = node(&nodes, ring.address(4));
    assert_eq!(ghost.status, NodeStatus::ConnectFailed);
    assert!(ghost.error.as_ref().unwrap().contains("ghost"), "{:?}", ghost.error);
    assert_eq!((report.answering(), ghost.retries), (11, 2));
}

#[tokio::test]
async fn a_node_without_information_is_asked_for_its_neighbours_and_marked() {
    let mut settings = ring_of(12);
    settings.manners[3] = Manner::Bare;
    settings.manners[7] = Manner::FailsOnce;
    let ring = BrunetRing::start(settings).await.unwrap();
    let report = crawl(&ring, 1).await;
    assert_eq!((report.answering(), report.consistency()), (12, Some(1.0)));
    let nodes: Vec<Node> = report.nodes().collect();
    let bare = node(&nodes, ring.address(3));
    let NodeDetails::Brunet(details) = &bare.details else { panic!() };
    assert!(!details.information && details.left.is_some() && bare.connections.is_none(), "{bare:?}");
    assert_eq!(node(&nodes, ring.address(7)).retries, 1);
    let totals = Totals::of(&nodes, None, 0);
    assert_eq!(totals.connections, Some(11 * 18), "a node that does not tell resets no sum");
}

#[tokio::test]
async fn five_percent_dead_cost_at_most_two_deadlines_and_eight_calls_at_once() {
    let mut settings = ring_of(400);
    for index in (10..400).step_by(20) {
        settings.manners[index] = Manner::Silent;
    }
    let ring = BrunetRing::start(settings).await.unwrap();
    let began = Instant::now();
    let report = crawl(&ring, 2).await;
    let took = began.elapsed();
    assert_eq!((report.len(), report.answering()), (400, 380));
    // how many deadlines it takes is tried without a clock, in `patience`
    assert!(took < SILENCE, "the local node's own patience was waited for: {took:?}");
    assert!(ring.waiting_most() <= CALLS_AT_ONCE, "{} calls waited", ring.waiting_most());
}

#[tokio::test]
async fn a_node_that_sends_a_bomb_or_megabytes_is_marked_and_the_rest_is_seen() {
    let mut settings = ring_of(12);
    settings.manners[3] = Manner::Bomb;
    settings.manners[8] = Manner::Huge;
    let ring = BrunetRing::start(settings).await.unwrap();
    let report = crawl(&ring, 5).await;
    assert_eq!((report.len(), report.answering()), (12, 10));
    let nodes: Vec<Node> = report.nodes().collect();
    for (index, word) in [(3, "document type"), (8, "more than")] {
        let hostile = node(&nodes, ring.address(index));
        assert_eq!(hostile.status, NodeStatus::AskFailed);
        assert!(hostile.error.as_ref().unwrap().contains(word), "{:?}", hostile.error);
    }
}

#[tokio::test]
async fn an_empty_answer_that_comes_in_time_is_asked_for_three_times() {
    let mut settings = RingSettings { silence: Duration::from_millis(100), ..ring_of(12) };
    settings.manners[5] = Manner::Silent;
    let ring = BrunetRing::start(settings).await.unwrap();
    let report = crawl(&ring, 60).await;
    let nodes: Vec<Node> = report.nodes().collect();
    let silent = node(&nodes, ring.address(5));
    assert_eq!((silent.status, silent.retries), (NodeStatus::AskFailed, 2));
    assert!(silent.error.as_ref().unwrap().contains("no answer came through the overlay"), "{:?}", silent.error);
    assert_eq!(report.answering(), 11);
}

#[tokio::test]
async fn a_connection_that_the_server_gave_up_is_made_again() {
    let settings = RingSettings { idle: Some(Duration::from_millis(50)), ..ring_of(1) };
    let ring = BrunetRing::start(settings).await.unwrap();
    let local = LocalRpc::new(ring.server);
    let deadline = Duration::from_secs(60);
    for calls in 1..=3 {
        let told = local.local("sys:link.GetNeighbors", &[], deadline).await.unwrap();
        assert_eq!(told.get("self").and_then(Value::text), Some(ring.address(0)));
        assert_eq!(ring.calls(), calls);
        ring.idle_closed().await;
    }
    assert_eq!(ring.connections(), 3);
}

#[tokio::test]
async fn a_local_node_that_is_not_there_is_named() {
    // a port that nobody listens on
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let server = listener.local_addr().unwrap();
    drop(listener);
    let report = crawl_through(server, 1).await;
    assert!(report.is_empty());
    let [failure] = report.seeds_failed.as_slice() else { panic!("{:?}", report.seeds_failed) };
    let error = failure.error.as_ref().unwrap().to_string();
    assert!(failure.address == LOCAL_NODE && error.contains(&server.to_string()), "{error}");
}
