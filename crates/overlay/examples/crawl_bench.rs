//! Measures the crawl on real libp2p nodes that `overlay_host` processes host, and on a simulated overlay.
//!
//! `crawl_bench --nodes NODES [--processes 2]` or
//! `crawl_bench --simulated NODES [--dead PERCENT]`. Every crawl is told on standard error, the result is one line
//! of JSON. CPU is this process's own, so nodes per second and core is what one core would
//! do if the hosts ran elsewhere.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use p2ppool_model::pool::PoolSettings;
use p2ppool_overlay::ProbeSettings;
use p2ppool_overlay::crawl::{self, CrawlReport, CrawlSettings, Probe};
use p2ppool_overlay::testing::simulated::SimulatedOverlay;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error>;

/// Crawls per measurement; the first one also warms up.
const RUNS: usize = 5;
/// Longest time that the overlay may take to become consistent.
const SETTLES_WITHIN: Duration = Duration::from_secs(180);
/// How long a dead node of a simulated overlay takes to not answer: a 25th of the real deadline.
const SIMULATED_DEADLINE: Duration = Duration::from_millis(200);
/// Clock ticks per second in /proc: USER_HZ, 100 on every Linux of today.
const TICKS_PER_S: f64 = 100.0;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let result = match (option("--nodes")?, option("--simulated")?) {
        (Some(nodes), None) => real(nodes, option("--processes")?.unwrap_or(2)).await?,
        (None, Some(nodes)) => simulated(nodes, option("--dead")?.unwrap_or(30)).await?,
        _ => return Err("usage: crawl_bench --nodes NODES | --simulated NODES".into()),
    };
    println!("{result}");
    Ok(())
}

/// The number after `name` on the command line.
fn option(name: &str) -> Result<Option<usize>, Failure> {
    let mut arguments = std::env::args().skip_while(|argument| argument != name);
    match (arguments.next(), arguments.next()) {
        (None, _) => Ok(None),
        (Some(_), Some(value)) => Ok(Some(value.parse().map_err(|error| format!("{name} {value}: {error}"))?)),
        (Some(_), None) => Err(format!("{name} needs a number").into()),
    }
}

async fn real(nodes: usize, processes: usize) -> Result<Value, Failure> {
    let mut hosts = hosts(nodes, processes)?;
    let folder = tempfile::tempdir()?;
    let settings = CrawlSettings::default();
    let probe = p2ppool_overlay::libp2p::probe::probe(&ProbeSettings {
        settings: PoolSettings { namespace: "bench".into(), private_addresses: true, ..PoolSettings::default() },
        operator: folder.path().join("operator.key"),
        dial_deadline: settings.dial_deadline,
        local: None,
    })?;
    let seeds: Vec<String> = hosts[0].addresses.iter().take(3).cloned().collect();
    let there = hosts.iter().map(|host| host.addresses.len()).sum();
    settle(&*probe, &seeds, &settings, there).await?;
    let whole = measure("all alive", &*probe, &seeds, &settings).await?;
    for host in &mut hosts {
        host.end(host.addresses.len() / 10)?;
    }
    let rest = measure("10 % dead", &*probe, &seeds, &settings).await?;
    Ok(json!({
        "nodes": whole.nodes,
        "consistency": whole.consistency,
        "seconds": whole.seconds,
        "nodes_per_s": whole.nodes / whole.seconds,
        "cpu_ms_per_node": whole.cpu_s * 1_000.0 / whole.nodes,
        "nodes_per_core_s": whole.nodes / whole.cpu_s,
        "dead_extra_s": (rest.seconds - whole.seconds).max(0.0),
        "dial_deadline_s": settings.dial_deadline.as_secs_f64(),
        "peak_mib": peak_mib()?,
    }))
}

async fn simulated(nodes: usize, dead_percent: usize) -> Result<Value, Failure> {
    let settings = CrawlSettings { nodes_max: nodes, ..CrawlSettings::default() };
    let overlay = SimulatedOverlay::new(nodes, dead_percent, SIMULATED_DEADLINE);
    let before = peak_mib()?;
    let report = run(&overlay, &[SimulatedOverlay::address(99)], &settings).await;
    let dead = report.len() - report.answering();
    let rounds = dead as f64 / settings.dials_at_once as f64;
    let neighbours: usize = report.nodes().map(|node| node.neighbours.len()).sum();
    Ok(json!({
        "nodes": report.len(),
        "answering": report.answering(),
        "neighbours": neighbours,
        "consistency": report.consistency(),
        "seconds": report.duration.as_secs_f64(),
        "waiting_s": rounds * SIMULATED_DEADLINE.as_secs_f64(),
        "overlay_mib": before,
        "peak_mib": peak_mib()?,
    }))
}

/// Crawls until everybody answers and knows its closest peers.
async fn settle(probe: &dyn Probe, seeds: &[String], settings: &CrawlSettings, nodes: usize) -> Result<(), Failure> {
    let started = std::time::Instant::now();
    loop {
        let report = run(probe, seeds, settings).await;
        eprintln!("settling: {} of {nodes}, consistency {:?}", report.answering(), report.consistency());
        if report.answering() == nodes && report.consistency().is_some_and(|c| c > 0.99) {
            return Ok(());
        }
        if started.elapsed() > SETTLES_WITHIN {
            return Err("the overlay does not settle".into());
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
}

/// The medians of some crawls.
struct Measured {
    nodes: f64,
    seconds: f64,
    cpu_s: f64,
    consistency: f64,
}

async fn measure(
    what: &str,
    probe: &dyn Probe,
    seeds: &[String],
    settings: &CrawlSettings,
) -> Result<Measured, Failure> {
    let mut all = Vec::new();
    for _ in 0..RUNS {
        let cpu_before = cpu_s()?;
        let report = run(probe, seeds, settings).await;
        let measured = Measured {
            nodes: report.answering() as f64,
            seconds: report.duration.as_secs_f64(),
            cpu_s: cpu_s()? - cpu_before,
            consistency: report.consistency().unwrap_or_default(),
        };
        let Measured { nodes, seconds, cpu_s, consistency } = &measured;
        eprintln!(
            "{what}: {nodes} of {} answer, {seconds:.2} s, {cpu_s:.2} s CPU, consistency {consistency:.4}",
            report.len()
        );
        all.push(measured);
    }
    all.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let seconds = all[RUNS / 2].seconds;
    all.sort_by(|a, b| a.cpu_s.total_cmp(&b.cpu_s));
    Ok(Measured { seconds, ..all.swap_remove(RUNS / 2) })
}

async fn run(probe: &dyn Probe, seeds: &[String], settings: &CrawlSettings) -> CrawlReport {
    crawl::run(probe, seeds, settings, |_| {}, &CancellationToken::new()).await
}

/// A process that hosts nodes; ends with this one.
struct Host {
    process: Child,
    answers: BufReader<ChildStdout>,
    addresses: Vec<String>,
}

impl Host {
    fn end(&mut self, nodes: usize) -> Result<(), Failure> {
        let commands = self.process.stdin.as_mut().ok_or("its input is closed")?;
        writeln!(commands, "{nodes}")?;
        self.answers.read_line(&mut String::new())?;
        Ok(())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn hosts(nodes: usize, processes: usize) -> Result<Vec<Host>, Failure> {
    let program = std::env::current_exe()?.with_file_name("overlay_host");
    let each = nodes / processes;
    let all = each * processes;
    let spawned: Vec<(Child, BufReader<ChildStdout>)> = (0..processes)
        .map(|number| {
            let mut process = Command::new(&program)
                .args([(number * each).to_string(), each.to_string(), all.to_string()])
                .args(["127.40.0.0", "4650"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .map_err(|error| format!("start {}: {error}", program.display()))?;
            let answers = BufReader::new(process.stdout.take().ok_or("no output")?);
            Ok((process, answers))
        })
        .collect::<Result<_, Failure>>()?;
    let mut hosts = Vec::new();
    for (process, answers) in spawned {
        let mut host = Host { process, answers, addresses: Vec::new() };
        let mut line = String::new();
        host.answers.read_line(&mut line)?;
        host.addresses = line.split_whitespace().map(str::to_owned).collect();
        if host.addresses.len() != each {
            return Err("a host ended early".into());
        }
        hosts.push(host);
    }
    Ok(hosts)
}

/// CPU time of this process, seconds.
fn cpu_s() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| -> Result<f64, Failure> { Ok(fields.get(at).ok_or("stat is short")?.parse()?) };
    Ok((ticks(11)? + ticks(12)?) / TICKS_PER_S)
}

/// Peak resident memory of this process, MiB.
fn peak_mib() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
