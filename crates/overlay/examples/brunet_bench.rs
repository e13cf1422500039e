//! Crawls a ring behind a server with the quirks and the answers of a real local node:
//! `brunet_bench [NODES] [DEAD_PERCENT]` prints one line of JSON.

use std::time::{Duration, Instant};

use p2ppool_model::brunet::BrunetSettings;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, PoolSettings, Ports};
use p2ppool_overlay::brunet::LOCAL_NODE;
use p2ppool_overlay::testing::brunet::{BrunetRing, Manner, RingSettings};
use p2ppool_overlay::{LocalNode, ProbeSettings, crawl, kind};
use tokio_util::sync::CancellationToken;

/// How long a real local node waits for a node that was just killed.
const SILENCE: Duration = Duration::from_millis(14_400);
/// A ring's median of several crawls counts.
const ROUNDS: usize = 5;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let number = |at: usize, usual: usize| std::env::args().nth(at).map_or(Ok(usual), |text| text.parse());
    let (nodes, dead_percent) = (number(1, 400)?, number(2, 5)?);
    let deadline = BrunetSettings::default().call_deadline_s;
    let mut whole = Vec::new();
    for _ in 0..ROUNDS {
        whole.push(one(nodes, 0).await?);
    }
    whole.sort_by(f64::total_cmp);
    let with_dead = one(nodes, dead_percent).await?;
    let median = whole[ROUNDS / 2];
    let answer = serde_json::json!({
        "nodes": nodes, "seconds": median, "dead_percent": dead_percent,
        "dead_extra_s": with_dead - median, "call_deadline_s": deadline,
    });
    println!("{answer}");
    Ok(())
}

async fn one(nodes: usize, dead_percent: usize) -> anyhow::Result<f64> {
    // dead ones apart from each other, never the local node
    let manner = |index: usize| match (index * dead_percent) % 100 < dead_percent && index > 0 {
        true => Manner::Silent,
        false => Manner::Answers,
    };
    let manners: Vec<Manner> = (0..nodes).map(manner).collect();
    let living = manners.iter().filter(|manner| **manner == Manner::Answers).count();
    let ring = BrunetRing::start(RingSettings { manners, silence: SILENCE, ..RingSettings::default() }).await?;
    let kind = kind(OverlayKindName::Brunet).ok_or_else(|| anyhow::anyhow!("no Brunet kind"))?;
    let settings = PoolSettings { kind: OverlayKindName::Brunet, ..PoolSettings::default() };
    let bounds = kind.crawl_settings(&settings);
    let local = LocalNode { host: HostSpec::default(), ports: Ports { rpc: ring.server.port(), ..Ports::default() } };
    let probe = kind.probe(&ProbeSettings {
        settings,
        operator: "unused".into(),
        dial_deadline: bounds.dial_deadline,
        local: Some(local),
    })?;
    let began = Instant::now();
    let report = crawl::run(&*probe, &[LOCAL_NODE.to_owned()], &bounds, |_| {}, &CancellationToken::new()).await;
    let took = began.elapsed().as_secs_f64();
    anyhow::ensure!(report.answering() == living, "{} of {living} answered", report.answering());
    Ok(took)
}
