//! The fan-out on a fleet that somebody else started, for `bench/`: runs a command, or installs and
//! starts a package, on every host, and prints what came of it as JSON.
//!
//! `fanout CONFIG` with a JSON file:
//! `{hosts, port, user, key, host_key, command?, package?, install_path, working?}`; `{host}` in the install path stands
//! for the host's address, and `working` for the limit of that name. Exits 1 when a host failed.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool_remote::{
    Auth, Deadlines, FanOut, HostError, HostSession, Limits, Package, Slots, Ssh, SshSettings, Target, exec,
};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

/// Every wait: the servers share the cores with this program, so a handshake may queue for long.
const PATIENCE: Duration = Duration::from_secs(120);

type Failure = Box<dyn Error + Send + Sync>;

#[derive(Deserialize)]
struct Config {
    hosts: Vec<String>,
    port: u16,
    user: String,
    key: PathBuf,
    host_key: String,
    command: Option<String>,
    package: Option<PathBuf>,
    install_path: String,
    working: Option<usize>,
}

#[derive(Clone)]
enum Work {
    Command(Arc<str>),
    Install(Arc<Package>),
}

fn main() -> Result<ExitCode, Failure> {
    let path = std::env::args().nth(1).ok_or("usage: fanout CONFIG")?;
    let config: Config = serde_json::from_slice(&std::fs::read(path)?)?;
    let work = match (&config.command, &config.package) {
        (Some(command), None) => Work::Command(command.as_str().into()),
        (None, Some(package)) => Work::Install(Arc::new(Package::new(std::fs::read(package)?))),
        _ => return Err("either a command or a package".into()),
    };
    let targets = targets(&config)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let usual = Limits::default();
    let limits = Limits { working: config.working.unwrap_or(usual.working), ..usual };
    runtime.block_on(run(targets, work, limits))
}

fn targets(config: &Config) -> Result<Vec<Target>, Failure> {
    let auth = Arc::new(Auth::key(&std::fs::read_to_string(&config.key)?, None)?);
    let target = |host: &String| Target {
        address: host.clone(),
        port: config.port,
        user: config.user.clone(),
        auth: Arc::clone(&auth),
        pinned: Some(config.host_key.clone()),
        install_path: config.install_path.replace("{host}", host),
        jump: None,
    };
    Ok(config.hosts.iter().map(target).collect())
}

async fn run(targets: Vec<Target>, work: Work, limits: Limits) -> Result<ExitCode, Failure> {
    let began = Instant::now();
    let hosts = targets.len();
    let transport = Arc::new(Ssh::new(SshSettings::default()));
    let mut results = FanOut::new(limits).run(targets, CancellationToken::new(), move |target, mut slots| {
        let (transport, work) = (Arc::clone(&transport), work.clone());
        async move {
            match work {
                Work::Command(command) => run_command(&transport, &target, &command).await,
                Work::Install(package) => install(&transport, &target, &package, &mut slots).await,
            }
        }
    });
    let mut wrong = Vec::new();
    while let Some(finished) = results.next().await {
        if let Err(error) = finished.result? {
            wrong.push(error.to_string());
        }
    }
    let answer = serde_json::json!({
        "hosts": hosts, "wrong": wrong.len(), "first_wrong": wrong.first(), "wall_s": began.elapsed().as_secs_f64(),
    });
    println!("{answer}");
    Ok(ExitCode::from(u8::from(!wrong.is_empty())))
}

fn deadlines() -> Deadlines {
    Deadlines {
        connect: PATIENCE,
        hello: PATIENCE,
        receive: PATIENCE,
        start: PATIENCE,
        quick: PATIENCE,
        close: PATIENCE,
        ..Deadlines::default()
    }
}

async fn run_command(transport: &Ssh, target: &Target, command: &str) -> Result<(), HostError> {
    let done = exec(transport, target, command, &deadlines(), PATIENCE).await?;
    assert!(done.is_success(), "{}: {:?}", target.address, done.exit);
    Ok(())
}

async fn install(transport: &Ssh, target: &Target, package: &Package, slots: &mut Slots) -> Result<(), HostError> {
    let mut session = HostSession::open(transport, target, &deadlines()).await?;
    slots.connected().await;
    session.receive(package).await?;
    session.activate(&package.digest).await?;
    session.start().await?;
    session.close().await
}
