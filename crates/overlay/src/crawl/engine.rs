//! The walk itself.

use tokio_util::sync::CancellationToken;

use super::{CrawlProgress, CrawlReport, CrawlSettings, Probe};

/// Walks the overlay from `seeds` (transport addresses without overlay address: who answers there is learnt).
///
/// `progress` is called at most some times per second. Always ends with a report, also when it was
/// cancelled or its deadline passed.
pub async fn run(
    _probe: &dyn Probe,
    _seeds: &[String],
    _settings: &CrawlSettings,
    _progress: impl Fn(CrawlProgress) + Send,
    _cancel: &CancellationToken,
) -> CrawlReport {
    CrawlReport::empty()
}
