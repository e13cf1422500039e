//! What the stories share: probes, crawls and waiting for an overlay to become consistent.

use std::path::Path;
use std::time::Duration;

use p2ppool_model::pool::PoolSettings;
use p2ppool_overlay::ProbeSettings;
use p2ppool_overlay::crawl::{self, CrawlReport, CrawlSettings, Probe};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Longest time that an overlay of some nodes may take to become consistent on a busy machine.
const CONSISTENT_WITHIN: Duration = Duration::from_secs(90);

/// Pause between two crawls: nodes answer a bounded number of questions per minute.
const PAUSE: Duration = Duration::from_millis(500);

/// Settings of a pool on loopback addresses.
pub(crate) fn pool(namespace: &str) -> PoolSettings {
    PoolSettings { namespace: namespace.into(), private_addresses: true, ..PoolSettings::default() }
}

/// A probe for that pool, its identity kept in `folder`.
pub(crate) fn probe(folder: &Path, settings: PoolSettings) -> Box<dyn Probe> {
    let settings = ProbeSettings {
        settings,
        operator: folder.join("operator.key"),
        dial_deadline: crawl_settings().dial_deadline,
        local: None,
    };
    p2ppool_overlay::libp2p::probe::probe(&settings).unwrap()
}

/// Deadlines that suit loopback.
pub(crate) fn crawl_settings() -> CrawlSettings {
    CrawlSettings {
        dial_deadline: Duration::from_secs(3),
        ask_deadline: Duration::from_secs(5),
        ..CrawlSettings::default()
    }
}

/// One crawl.
pub(crate) async fn crawl(probe: &dyn Probe, seeds: &[String]) -> CrawlReport {
    crawl::run(probe, seeds, &crawl_settings(), |_| {}, &CancellationToken::new()).await
}

/// Crawls until `answering` nodes answer and all know their closest peers.
pub(crate) async fn crawl_until_consistent(probe: &dyn Probe, seeds: &[String], answering: usize) -> CrawlReport {
    let started = Instant::now();
    loop {
        let report = crawl(probe, seeds).await;
        if report.answering() == answering && report.consistency() == Some(1.0) {
            return report;
        }
        assert!(
            started.elapsed() < CONSISTENT_WITHIN,
            "{} of {answering} answer, consistency {:?}, {:#?} {:#?}",
            report.answering(),
            report.consistency(),
            report.seeds_failed,
            report.nodes().collect::<Vec<_>>()
        );
        tokio::time::sleep(PAUSE).await;
    }
}
