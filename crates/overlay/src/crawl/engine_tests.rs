//! The walk over simulated overlays, with tokio's clock paused where time matters.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use p2ppool_model::consistency::Key;
use p2ppool_model::snapshot::{Node, NodeDetails, NodeStatus};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::testing::simulated::SimulatedOverlay;

fn seeds(indices: &[usize]) -> Vec<String> {
    indices.iter().map(|i| SimulatedOverlay::address(*i)).collect()
}

async fn crawl(probe: &dyn Probe, seeds: &[String], settings: CrawlSettings) -> CrawlReport {
    run(probe, seeds, &settings, |_| {}, &CancellationToken::new()).await
}

#[tokio::test(start_paused = true)]
async fn everybody_is_found_from_one_seed_and_is_consistent() {
    let overlay = SimulatedOverlay::new(500, 0, Duration::ZERO);
    let report = crawl(&overlay, &seeds(&[7]), CrawlSettings::default()).await;
    assert_eq!((report.len(), report.answering(), report.end), (500, 500, CrawlEnd::Complete));
    assert_eq!(report.consistency(), Some(1.0));
    assert_eq!(overlay.asked(), 500, "nobody is asked twice");
}

#[tokio::test(start_paused = true)]
async fn dead_nodes_add_at_most_one_dial_deadline() {
    let settings = CrawlSettings::default();
    let overlay = SimulatedOverlay::new(1_000, 10, settings.dial_deadline);
    let report = crawl(&overlay, &seeds(&[99]), settings).await;
    assert_eq!((report.answering(), report.len()), (900, 1_000));
    assert!(report.duration <= settings.dial_deadline + Duration::from_millis(100), "{:?}", report.duration);
    assert_eq!(report.nodes().filter(|n| n.status == NodeStatus::DialFailed).count(), 100);
}

#[tokio::test(start_paused = true)]
async fn never_more_are_asked_at_once_than_the_settings_say() {
    let overlay = SimulatedOverlay::new(400, 50, Duration::from_secs(1));
    let settings = CrawlSettings { dials_at_once: 9, ..CrawlSettings::default() };
    crawl(&overlay, &seeds(&[99]), settings).await;
    assert_eq!(overlay.at_once_most(), 9);
}

#[tokio::test(start_paused = true)]
async fn the_crawl_deadline_ends_it_and_says_who_was_not_asked() {
    let overlay = SimulatedOverlay::new(400, 99, Duration::from_secs(5));
    let settings = CrawlSettings { dials_at_once: 2, crawl_deadline: Duration::from_secs(7), ..Default::default() };
    let report = crawl(&overlay, &seeds(&[99]), settings).await;
    assert_eq!(report.end, CrawlEnd::Deadline);
    assert_eq!(report.duration, Duration::from_secs(7));
    let left = report.nodes().find(|n| n.status == NodeStatus::NotDialled).unwrap();
    assert_eq!(left.error.as_deref(), Some("the crawl ended before it answered"));
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_crawl_ends_at_once() {
    let overlay = SimulatedOverlay::new(10, 100, Duration::from_secs(3_600));
    let cancel = CancellationToken::new();
    let (settings, seeds) = (CrawlSettings::default(), seeds(&[1]));
    let (report, ()) = tokio::join!(run(&overlay, &seeds, &settings, |_| {}, &cancel), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    });
    assert_eq!((report.end, report.duration), (CrawlEnd::Cancelled, Duration::from_secs(1)));
}

#[tokio::test(start_paused = true)]
async fn more_nodes_than_allowed_are_counted_and_left_out() {
    let overlay = SimulatedOverlay::new(500, 0, Duration::ZERO);
    let report = crawl(&overlay, &seeds(&[7]), CrawlSettings { nodes_max: 50, ..Default::default() }).await;
    assert_eq!(report.len(), 50);
    assert!(report.left_out >= 450);
}

#[tokio::test(start_paused = true)]
async fn progress_ends_with_the_whole() {
    let overlay = SimulatedOverlay::new(100, 0, Duration::ZERO);
    let told = Mutex::new(Vec::new());
    let progress = |progress| told.lock().unwrap().push(progress);
    run(&overlay, &seeds(&[1, 2, 1]), &CrawlSettings::default(), progress, &CancellationToken::new()).await;
    let last = told.lock().unwrap().last().copied().unwrap();
    assert_eq!(last, CrawlProgress { known: 100, done: 100, answering: 100, asking: 0 });
}

/// A probe that never returns, whatever its deadlines.
struct Hanging;

#[async_trait]
impl Probe for Hanging {
    async fn ask(&self, _: &Candidate, _: Duration) -> Result<Answer, ProbeError> {
        std::future::pending().await
    }
    fn may_dial(&self, _: &str, _: NamedBy) -> bool {
        true
    }
    fn key(&self, _: &str) -> Option<Key> {
        None
    }
    fn no_details(&self) -> NodeDetails {
        NodeDetails::Libp2p { nat: None, protocols: vec![], info: false }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_probe_does_not_hang_the_crawl() {
    let started = Instant::now();
    let report = crawl(&Hanging, &["anything".into()], CrawlSettings::default()).await;
    assert_eq!(report.end, CrawlEnd::Complete);
    assert!(started.elapsed() < Duration::from_secs(20));
    assert_eq!(report.seeds_failed[0].error.as_ref().unwrap().stage, Stage::Ask);
}

/// A liar: answers under any address as whom it likes.
struct Liar;

#[async_trait]
impl Probe for Liar {
    async fn ask(&self, _: &Candidate, _: Duration) -> Result<Answer, ProbeError> {
        let neighbours =
            (0..1_000_000).map(|i| Neighbour { peer: format!("p{i}"), addresses: vec!["a".into()] }).collect();
        Ok(Answer { node: Node::unknown("p0", self.no_details()), neighbours })
    }
    fn may_dial(&self, _: &str, _: NamedBy) -> bool {
        true
    }
    fn key(&self, peer: &str) -> Option<Key> {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&peer[1..].parse::<u32>().ok()?.to_be_bytes());
        Some(key)
    }
    fn no_details(&self) -> NodeDetails {
        NodeDetails::Libp2p { nat: None, protocols: vec![], info: false }
    }
}

#[tokio::test(start_paused = true)]
async fn a_million_invented_neighbours_cost_a_bounded_number_of_dials() {
    let settings = CrawlSettings { dials_at_once: 4, crawl_deadline: Duration::from_secs(60), ..Default::default() };
    let cancel = CancellationToken::new();
    let progress = |progress: CrawlProgress| assert!(progress.known <= 2_049, "{progress:?}");
    let settings = CrawlSettings { nodes_max: 3, ..settings };
    let report = run(&Liar, &["x".into()], &settings, progress, &cancel).await;
    assert_eq!((report.len(), report.answering()), (3, 1));
    let impostors = report.nodes().filter(|n| n.status == NodeStatus::ConnectFailed).count();
    assert_eq!(impostors, 2, "p0 answered under the addresses of the others");
}
