//! Runs a command or a whole install on many loopback hosts and prints what it cost, as JSON.
//!
//! ```text
//! fanout true HOSTS [CONNECTING] [WORKING]
//! fanout install HOSTS SIZE_BYTES [CONNECTING] [WORKING] [IN_FLIGHT]
//! fanout serve HOSTS                 only the hosts, for other tools; ends with its input
//! ```

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool_remote::testing::{HostKeyKind, Sshd, SshdOptions};
use p2ppool_remote::{Deadlines, FanOut, HostError, HostSession, Limits, Package, Ssh, SshSettings, Target, exec};
use tokio_util::sync::CancellationToken;

/// A handshake waits for CPU when the machine is its own fleet.
const CONNECT: Duration = Duration::from_secs(60);

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |n: usize, default: usize| words.get(n).map_or(Ok(default), |word| word.parse());
    let what = words.first().map(String::as_str).unwrap_or_default();
    let hosts = number(1, 10)?;
    let sshd = Sshd::start(SshdOptions { hosts, ..SshdOptions::default() })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match what {
        "true" => {
            let limits = Limits { connecting: number(2, 64)?, working: number(3, 256)? };
            runtime.block_on(measure(&sshd, limits, SshSettings::default(), Work::True))
        }
        "install" => {
            let package = Arc::new(package(number(2, 1_000_000)?)?);
            let limits = Limits { connecting: number(3, 64)?, working: number(4, 256)? };
            let default = SshSettings::default();
            let in_flight = u32::try_from(number(5, default.in_flight as usize)?)?;
            runtime.block_on(measure(&sshd, limits, SshSettings { in_flight, ..default }, Work::Install(package)))
        }
        "serve" => serve(&sshd),
        _ => Err("usage: fanout true|install|serve HOSTS …".into()),
    }
}

#[derive(Clone)]
enum Work {
    True,
    Install(Arc<Package>),
}

async fn measure(sshd: &Sshd, limits: Limits, settings: SshSettings, work: Work) -> Result<(), Failure> {
    let pinned = Some(sshd.host_key(HostKeyKind::Ed25519)?);
    let targets: Vec<_> = (0..sshd.hosts()).map(|n| Target { pinned: pinned.clone(), ..sshd.target(n) }).collect();
    let transport = Arc::new(Ssh::new(settings.clone()));
    let (cpu_before, server_before, began) = (own_cpu_s(), sshd.cpu_seconds(), Instant::now());
    let kind = work.clone();
    let mut results = FanOut::new(limits).run(targets, CancellationToken::new(), move |target, mut slots| {
        let (transport, work) = (transport.clone(), work.clone());
        async move {
            match work {
                Work::True => run_true(&transport, &target).await,
                Work::Install(package) => install(&transport, &target, &package, &mut slots).await,
            }
        }
    });
    let (mut right, mut wrong) = (0, Vec::new());
    while let Some(finished) = results.next().await {
        match finished.result? {
            Ok(()) => right += 1,
            Err(error) => wrong.push(error.message),
        }
    }
    let wall = began.elapsed().as_secs_f64();
    let client = own_cpu_s() - cpu_before;
    let started = matches!(kind, Work::Install(_)).then(|| (0..sshd.hosts()).filter(|n| is_started(sshd, *n)).count());
    let answer = serde_json::json!({
        "hosts": sshd.hosts(), "right": right, "started": started, "first_wrong": wrong.first(), "wrong": wrong.len(),
        "wall_s": wall, "client_cpu_s": client, "sshd_cpu_s": sshd.cpu_seconds() - server_before,
        "client_rss_mib": peak_rss_mib(), "connecting": limits.connecting, "working": limits.working,
        "in_flight": settings.in_flight,
    });
    println!("{answer}");
    Ok(())
}

fn deadlines() -> Deadlines {
    let long = Duration::from_secs(120);
    Deadlines {
        connect: CONNECT,
        hello: long,
        receive: long,
        start: long,
        quick: long,
        close: long,
        ..Deadlines::default()
    }
}

async fn run_true(transport: &Ssh, target: &Target) -> Result<(), HostError> {
    let done = exec(transport, target, "true", &deadlines(), Duration::from_secs(60)).await?;
    assert!(done.is_success(), "{:?}", done.exit);
    Ok(())
}

async fn install(
    transport: &Ssh,
    target: &Target,
    package: &Package,
    slots: &mut p2ppool_remote::Slots,
) -> Result<(), HostError> {
    let mut session = HostSession::open(transport, target, &deadlines()).await?;
    slots.connected().await;
    session.receive(package).await?;
    session.activate(&package.digest).await?;
    session.start().await?;
    session.close().await
}

fn is_started(sshd: &Sshd, n: usize) -> bool {
    sshd.install_path(n).join("run/ready").exists()
}

/// A package with a node that sleeps, and `size` bytes that don't compress.
fn package(size: usize) -> Result<Package, Failure> {
    let folder = tempfile::tempdir()?;
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes);
    write("host.sh", p2ppool_remote::HOST_SCRIPT.as_bytes())?;
    write("run", b"exec sleep 1000\n")?;
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    });
    write("padding", &noise.take(size).collect::<Vec<_>>())?;
    let out = std::process::Command::new("tar").arg("-czf").arg("-").arg("-C").arg(folder.path()).arg(".").output()?;
    Ok(Package::new(out.stdout))
}

fn serve(sshd: &Sshd) -> Result<(), Failure> {
    let key = sshd.folder().join("client_key");
    std::fs::write(&key, sshd.private_key())?;
    std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    let host_key = sshd.host_key(HostKeyKind::Ed25519)?;
    let known: String =
        (0..sshd.hosts()).map(|n| format!("[{}]:{} {host_key}\n", sshd.address(n), sshd.port())).collect();
    std::fs::write(sshd.folder().join("known_hosts"), known)?;
    let list: String = (0..sshd.hosts()).map(|n| format!("{}\n", sshd.address(n))).collect();
    std::fs::write(sshd.folder().join("hosts.txt"), list)?;
    println!("{} {} {}", sshd.folder().display(), sshd.port(), sshd.user());
    // every line asks for sshd's CPU seconds so far
    for _ in std::io::stdin().lines() {
        println!("{:.2}", sshd.cpu_seconds());
    }
    Ok(())
}

fn own_cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
    rest.split(' ').skip(11).take(2).filter_map(|n| n.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn peak_rss_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
