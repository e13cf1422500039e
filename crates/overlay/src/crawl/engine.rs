//! The walk itself.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use p2ppool_model::consistency::Key;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::clean;
use super::entry::{NodeIndex, Rules};
use super::frontier::{Frontier, FrontierLimits, Took};
use super::{
    Answer, Candidate, CrawlEnd, CrawlProgress, CrawlReport, CrawlSettings, NamedBy, Probe, ProbeError, Stage,
};

/// How often progress is told, at most.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// What a probe may take beyond its deadlines before it is given up.
const PROBE_SLACK: Duration = Duration::from_secs(1);

/// Walks the overlay from `seeds` (transport addresses without overlay address: who answers there is learnt).
///
/// `progress` is called at most some times per second and once at the end. Always ends with a report,
/// also when it was cancelled or its deadline passed.
pub async fn run(
    probe: &dyn Probe,
    seeds: &[String],
    settings: &CrawlSettings,
    progress: impl Fn(CrawlProgress) + Send,
    cancel: &CancellationToken,
) -> CrawlReport {
    let started = Instant::now();
    let rules = ProbeRules(probe);
    let mut frontier = Frontier::new(FrontierLimits {
        nodes_max: settings.nodes_max,
        attempts: settings.attempts.max(1),
        backoff: settings.backoff,
        dial_deadline: settings.dial_deadline,
    });
    for seed in seeds {
        frontier.seed(seed, &rules);
    }
    let end = walk(probe, &rules, &mut frontier, settings, &progress, cancel).await;
    progress(progress_of(&frontier, 0));
    CrawlReport::of(frontier, end, started.elapsed(), probe)
}

async fn walk(
    probe: &dyn Probe,
    rules: &ProbeRules<'_>,
    frontier: &mut Frontier,
    settings: &CrawlSettings,
    progress: &(impl Fn(CrawlProgress) + Send),
    cancel: &CancellationToken,
) -> CrawlEnd {
    let started = Instant::now();
    let deadline = tokio::time::sleep(settings.crawl_deadline);
    let mut deadline = std::pin::pin!(deadline);
    let mut ticks = tokio::time::interval(PROGRESS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut asks = FuturesUnordered::new();
    loop {
        frontier.wake(started.elapsed());
        while asks.len() < settings.dials_at_once.max(1)
            && let Some((index, candidate)) = frontier.next()
        {
            asks.push(ask(probe, index, candidate, settings));
        }
        if frontier.is_finished() {
            return CrawlEnd::Complete;
        }
        let next_wake = frontier.next_wake();
        let wake = next_wake.unwrap_or_default().saturating_sub(started.elapsed());
        tokio::select! {
            () = cancel.cancelled() => return CrawlEnd::Cancelled,
            () = &mut deadline => return CrawlEnd::Deadline,
            Some(Asked { index, took, result }) = asks.next(), if !asks.is_empty() => match result {
                Ok(answer) => frontier.answered(index, clean::answer(answer), started.elapsed(), rules),
                Err(error) => frontier.failed(index, clean::error(error), Took { took, now: started.elapsed() }, rules),
            },
            () = tokio::time::sleep(wake), if next_wake.is_some() => {}
            _ = ticks.tick() => progress(progress_of(frontier, asks.len())),
        }
    }
}

struct Asked {
    index: NodeIndex,
    took: Duration,
    result: Result<Answer, ProbeError>,
}

async fn ask(probe: &dyn Probe, index: NodeIndex, candidate: Candidate, settings: &CrawlSettings) -> Asked {
    let started = Instant::now();
    let longest = settings.dial_deadline + settings.ask_deadline + PROBE_SLACK;
    let result = match tokio::time::timeout(longest, probe.ask(&candidate, settings.ask_deadline)).await {
        Ok(result) => result.and_then(|answer| who_was_asked(&candidate, answer)),
        Err(_) => Err(ProbeError::new(Stage::Ask, format!("asking it was given up after {} s", longest.as_secs_f32()))),
    };
    Asked { index, took: started.elapsed(), result }
}

/// Whatever a probe says, an answer counts only for the node that was asked.
fn who_was_asked(candidate: &Candidate, answer: Answer) -> Result<Answer, ProbeError> {
    match &candidate.peer {
        Some(peer) if *peer != answer.node.address => {
            let message = format!("{} answered under its address", answer.node.address);
            Err(ProbeError::new(Stage::Connect, message))
        }
        _ => Ok(answer),
    }
}

fn progress_of(frontier: &Frontier, asking: usize) -> CrawlProgress {
    CrawlProgress {
        known: frontier.known() as u64,
        done: frontier.done() as u64,
        answering: frontier.answering() as u64,
        asking: asking as u64,
    }
}

struct ProbeRules<'a>(&'a dyn Probe);

impl Rules for ProbeRules<'_> {
    fn may_dial(&self, address: &str, named_by: NamedBy) -> bool {
        self.0.may_dial(address, named_by)
    }

    fn key(&self, peer: &str) -> Option<Key> {
        self.0.key(peer)
    }
}
