//! Measures the crawl on real libp2p nodes that `overlay_host` processes host, and on a simulated overlay.
//!
//! `crawl_bench real NODES PROCESSES PER_SECOND` or `crawl_bench simulated NODES DEAD_PERCENT`. Prints one
//! line of JSON per measurement. CPU is this process's own, so nodes per second and crawler core
//! is what one core would do if the hosts ran elsewhere.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use p2ppool_model::pool::PoolSettings;
use p2ppool_overlay::ProbeSettings;
use p2ppool_overlay::crawl::{self, CrawlReport, CrawlSettings, Probe};
use p2ppool_overlay::testing::simulated::SimulatedOverlay;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn std::error::Error>;

/// Crawls per measurement; the first one also warms up.
const RUNS: usize = 5;
/// Longest time that the overlay may take to become consistent.
const SETTLES_WITHIN: Duration = Duration::from_secs(180);
/// Clock ticks per second in /proc: USER_HZ, 100 on every Linux of today.
const TICKS_PER_S: f64 = 100.0;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["real", nodes, processes, per_second] => real(nodes.parse()?, processes.parse()?, per_second).await,
        ["simulated", nodes, dead_percent] => simulated(nodes.parse()?, dead_percent.parse()?).await,
        _ => Err("usage: crawl_bench real NODES PROCESSES PER_SECOND | simulated NODES DEAD_PERCENT".into()),
    }
}

async fn real(nodes: usize, processes: usize, per_second: &str) -> Result<(), Failure> {
    let mut hosts = hosts(nodes, processes, per_second)?;
    let folder = tempfile::tempdir()?;
    let settings = CrawlSettings::default();
    let probe = p2ppool_overlay::libp2p::probe::probe(&ProbeSettings {
        settings: PoolSettings { namespace: "bench".into(), private_addresses: true, ..PoolSettings::default() },
        operator: folder.path().join("operator.key"),
        dial_deadline: settings.dial_deadline,
    })?;
    let seeds: Vec<String> = hosts[0].addresses.iter().take(3).cloned().collect();
    settle(&*probe, &seeds, &settings, nodes).await?;
    let whole = measure("all alive", &*probe, &seeds, &settings).await?;
    for host in &mut hosts {
        host.end(nodes / processes / 10)?;
    }
    let rest = measure("10 % dead", &*probe, &seeds, &settings).await?;
    println!(
        "{{\"measured\":\"10 % dead add\",\"seconds\":{:.3},\"dial_deadline_s\":{}}}",
        rest - whole,
        settings.dial_deadline.as_secs_f64()
    );
    Ok(())
}

async fn simulated(nodes: usize, dead_percent: usize) -> Result<(), Failure> {
    let settings = CrawlSettings { nodes_max: nodes, crawl_deadline: Duration::from_secs(600), ..Default::default() };
    let overlay = SimulatedOverlay::new(nodes, dead_percent, Duration::from_millis(200));
    let before = memory()?;
    let report = run(&overlay, &[SimulatedOverlay::address(99)], &settings).await;
    let neighbours: usize = report.nodes().map(|node| node.neighbours.len()).sum();
    println!(
        "{{\"measured\":\"simulated\",\"nodes\":{},\"answering\":{},\"neighbours\":{neighbours},\"seconds\":{:.1},\
         \"consistency\":{:?},\"cpu_s\":{:.1},\"overlay_mib\":{before},\"peak_mib\":{}}}",
        report.len(),
        report.answering(),
        report.duration.as_secs_f64(),
        report.consistency(),
        cpu_s()?,
        memory()?
    );
    Ok(())
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

/// The median duration of some crawls, in seconds.
async fn measure(what: &str, probe: &dyn Probe, seeds: &[String], settings: &CrawlSettings) -> Result<f64, Failure> {
    let mut seconds = Vec::new();
    for _ in 0..RUNS {
        let cpu = cpu_s()?;
        let report = run(probe, seeds, settings).await;
        let cpu = cpu_s()? - cpu;
        let (nodes, took) = (report.answering() as f64, report.duration.as_secs_f64());
        println!(
            "{{\"measured\":\"{what}\",\"nodes\":{},\"answering\":{nodes},\"seconds\":{took:.3},\
             \"nodes_per_s\":{:.0},\"cpu_ms_per_node\":{:.3},\"nodes_per_s_and_core\":{:.0},\
             \"consistency\":{:.4},\"peak_mib\":{}}}",
            report.len(),
            nodes / took,
            cpu * 1_000.0 / nodes,
            nodes / cpu,
            report.consistency().unwrap_or_default(),
            memory()?
        );
        seconds.push(took);
    }
    seconds.sort_by(f64::total_cmp);
    Ok(seconds[RUNS / 2])
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

fn hosts(nodes: usize, processes: usize, per_second: &str) -> Result<Vec<Host>, Failure> {
    let program = std::env::current_exe()?.with_file_name("overlay_host");
    let mut hosts: Vec<Host> = Vec::new();
    for number in 0..processes {
        let bootstrap: Vec<String> = hosts.first().map(|host| host.addresses[..8].to_vec()).unwrap_or_default();
        let mut process = Command::new(&program)
            .args([&(nodes / processes).to_string(), &format!("127.{}.0.0", 40 + number), "4650", per_second])
            .args(bootstrap)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("start {}: {error}", program.display()))?;
        let mut answers = BufReader::new(process.stdout.take().ok_or("no output")?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let addresses: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        if addresses.is_empty() {
            return Err("a host ended early".into());
        }
        eprintln!("{} nodes in process {number}", addresses.len());
        hosts.push(Host { process, answers, addresses });
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
fn memory() -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}
