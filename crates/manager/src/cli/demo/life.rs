//! The life of the demo's pool, over the HTTP API; each step is checked on every host.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use p2ppool_model::event::Change;
use p2ppool_model::host::Host;
use p2ppool_model::pool::Ports;
use p2ppool_model::snapshot::Totals;
use p2ppool_model::task::{Task, TaskState};
use p2ppool_model::{Action, PoolName};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::processes;
use super::report::{Report, StepReport};
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::node::snapshots;
use crate::cli::pool::Summary;
use crate::cli::task::Page;
use crate::cli::watch::{summary, until_end};
use crate::service::demo::places::free_port;

/// An overlay of this size on one machine agrees within seconds; this allows for a very busy one.
const CONSISTENT_DEADLINE: Duration = Duration::from_secs(90);
/// Pause between two crawls while the overlay forms.
const CRAWL_PAUSE: Duration = Duration::from_millis(500);
/// A stopped pool disappears once its last host is clean.
const GONE_DEADLINE: Duration = Duration::from_secs(30);
/// Pause between two looks at a pool that is about to disappear, when no event tells.
const GONE_PAUSE: Duration = Duration::from_millis(500);

/// What is right on how many hosts, and what is not.
#[derive(Debug, Default)]
struct Verdict {
    right: usize,
    problems: Vec<String>,
}

/// The demo's pool.
#[derive(Debug)]
pub(super) struct Life {
    client: Client,
    pool: PoolName,
    hosts: u8,
    /// The manager's data; its hosts are in `hosts/`.
    folder: PathBuf,
}

impl Life {
    /// A life that has not begun.
    pub(super) fn new(client: Client, pool: PoolName, hosts: u8, folder: PathBuf) -> Self {
        Self { client, pool, hosts, folder }
    }

    /// How many hosts it has.
    pub(super) fn hosts(&self) -> usize {
        usize::from(self.hosts)
    }

    /// Registers the pool; a pool of an earlier start of the same data folder is taken as it is.
    pub(super) async fn create(&self) -> Result<(), CliError> {
        let pools: Vec<Summary> = self.client.get("pools").await?;
        if pools.iter().any(|summary| summary.pool.name == self.pool) {
            return Ok(());
        }
        let created: Summary = self.client.post("demo", &json!({ "hosts": self.hosts })).await?;
        if created.hosts.total != self.hosts() as u64 {
            return Err(CliError::Other(format!("create: {} of {} hosts", created.hosts.total, self.hosts())));
        }
        Ok(())
    }

    /// Installs and starts on every host.
    pub(super) async fn install(&self) -> Result<Task, CliError> {
        self.act(Action::Install, json!({})).await
    }

    /// Walks the overlay once.
    pub(super) async fn crawl(&self) -> Result<Totals, CliError> {
        self.act(Action::Crawl, json!({})).await?;
        let newest = snapshots(&self.pool, 1, &self.client).await?.items.into_iter().next();
        newest
            .map(|snapshot| snapshot.totals)
            .ok_or_else(|| CliError::Other("crawl: no snapshot was stored".to_owned()))
    }

    /// Walks the overlay until every host's node is in it and knows its closest peers.
    pub(super) async fn crawl_until_consistent(&self) -> Result<Totals, CliError> {
        let deadline = Instant::now() + CONSISTENT_DEADLINE;
        loop {
            let totals = self.crawl().await?;
            if totals.answering == self.hosts() as u64 && totals.missing == 0 && totals.consistency == Some(1.0) {
                return Ok(totals);
            }
            if Instant::now() > deadline {
                return Err(CliError::Other(format!(
                    "crawl: {} of {} nodes answering, {} hosts missing, consistency {:?} after {} s",
                    totals.answering,
                    self.hosts(),
                    totals.missing,
                    totals.consistency,
                    CONSISTENT_DEADLINE.as_secs()
                )));
            }
            tokio::time::sleep(CRAWL_PAUSE).await;
        }
    }

    /// Takes the pool away; fine when it is not there.
    pub(super) async fn remove(&self) -> Result<(), CliError> {
        if !self.is_there().await? {
            return Ok(());
        }
        self.act(Action::Stop, json!({})).await?;
        self.until_gone().await
    }

    /// Everything, each step checked on every host. After a step that went wrong only the cleaning up is done.
    pub(super) async fn whole(&self, shutdown: &CancellationToken) -> Report {
        let started = Instant::now();
        let mut report = Report { version: env!("CARGO_PKG_VERSION"), hosts: self.hosts(), ..Report::default() };
        let completed = tokio::select! {
            completed = self.steps(&mut report) => completed,
            () = shutdown.cancelled() => false,
        };
        let cleaned = self.step(&mut report, "stop", self.stop()).await;
        report.ok = completed && cleaned;
        report.duration_s = rounded(started.elapsed());
        report
    }

    async fn steps(&self, report: &mut Report) -> bool {
        if !(self.step(report, "create", self.created()).await
            && self.step(report, "install", self.action(Action::Install)).await
            && self.step(report, "verify", self.running(true)).await
            && self.step(report, "crawl", self.consistent()).await
            && self.step(report, "logs", self.logs()).await)
        {
            return false;
        }
        report.nodes = self.nodes().await.unwrap_or_default();
        let before = report.nodes.clone();
        self.step(report, "upgrade", self.upgraded(before)).await
            && self.step(report, "suspend", self.suspended()).await
            && self.step(report, "resume", self.resumed()).await
    }

    async fn step(
        &self,
        report: &mut Report,
        name: &'static str,
        work: impl Future<Output = Result<Verdict, CliError>>,
    ) -> bool {
        let started = Instant::now();
        let verdict = work.await.unwrap_or_else(|error| Verdict { right: 0, problems: vec![error.to_string()] });
        let ok = verdict.problems.is_empty() && verdict.right == self.hosts();
        let Verdict { right, problems } = verdict;
        report.steps.push(StepReport { name, ok, duration_s: rounded(started.elapsed()), right, problems });
        ok
    }

    async fn created(&self) -> Result<Verdict, CliError> {
        self.create().await?;
        self.each_host(|_, _| None).await
    }

    async fn action(&self, action: Action) -> Result<Verdict, CliError> {
        self.act(action, json!({})).await?;
        self.each_host(|_, _| None).await
    }

    async fn running(&self, running: bool) -> Result<Verdict, CliError> {
        self.act(Action::GatherUsage, json!({})).await?;
        self.each_host(|host, summary| {
            let known = &host.known;
            if known.running != Some(running) {
                return Some(format!("running is {:?}", known.running));
            }
            (known.package != summary.pool.package).then(|| format!("package is {:?}", known.package))
        })
        .await
    }

    async fn consistent(&self) -> Result<Verdict, CliError> {
        let totals = self.crawl_until_consistent().await?;
        Ok(Verdict { right: usize::try_from(totals.answering).unwrap_or(0), problems: Vec::new() })
    }

    async fn logs(&self) -> Result<Verdict, CliError> {
        self.act(Action::GatherLogs, json!({})).await?;
        let archive = self.client.get_bytes(&format!("pools/{}/files/logs.zip", self.pool)).await?;
        let archive = zip::ZipArchive::new(Cursor::new(archive)).map_err(CliError::other)?;
        let names: Vec<String> = (0..archive.len())
            .filter_map(|index| archive.name_for_index(index)?.ok().map(|name| name.to_string()))
            .collect();
        self.each_host(|host, _| {
            let found = names.iter().any(|name| name.starts_with(&format!("{}/", host.spec.address)));
            (!found).then(|| "no log in logs.zip".to_owned())
        })
        .await
    }

    /// Other settings make another package; every node moves to it and keeps its identity.
    async fn upgraded(&self, before: BTreeMap<String, String>) -> Result<Verdict, CliError> {
        let old: Summary = self.client.get(&format!("pools/{}", self.pool)).await?;
        let ports = Ports { rpc: free_port()?, ..old.pool.settings.ports };
        self.act(Action::Upgrade, json!({ "settings": { "ports": ports } })).await?;
        let totals = self.crawl_until_consistent().await?;
        if totals.answering != self.hosts() as u64 {
            return Err(CliError::Other(format!("{} nodes answering after the upgrade", totals.answering)));
        }
        let after = self.nodes().await?;
        self.each_host(|host, summary| {
            if summary.pool.package == old.pool.package {
                return Some("the package is still the old one".to_owned());
            }
            if host.known.package != summary.pool.package || host.known.running != Some(true) {
                return Some(format!("runs {:?}", host.known.package));
            }
            let address = &host.spec.address;
            (after.get(address) != before.get(address)).then(|| "its node has another identity".to_owned())
        })
        .await
    }

    async fn suspended(&self) -> Result<Verdict, CliError> {
        self.act(Action::Suspend, json!({})).await?;
        let verdict =
            self.each_host(|host, _| (host.known.running != Some(false)).then(|| "still runs".to_owned())).await?;
        let left = processes::under(&self.folder.join("hosts"));
        if !left.is_empty() {
            return Err(CliError::Other(format!("processes that still run: {}", left.join("; "))));
        }
        Ok(verdict)
    }

    async fn resumed(&self) -> Result<Verdict, CliError> {
        self.act(Action::Resume, json!({})).await?;
        self.crawl_until_consistent().await?;
        self.each_host(|host, _| (host.known.running != Some(true)).then(|| "does not run".to_owned())).await
    }

    /// Stops, and looks for what is left: the pool, processes, files on the hosts.
    async fn stop(&self) -> Result<Verdict, CliError> {
        self.remove().await?;
        let left: Vec<_> = std::fs::read_dir(self.folder.join("hosts"))?.flatten().map(|entry| entry.path()).collect();
        let mut verdict = Verdict { right: self.hosts().saturating_sub(left.len()), problems: Vec::new() };
        verdict.problems.extend(left.iter().map(|folder| format!("{} is still there", folder.display())));
        let left = processes::under(&self.folder);
        verdict.problems.extend(left.into_iter().map(|process| format!("still runs: {process}")));
        Ok(verdict)
    }

    /// Starts a task and waits; anything but success on every host is an error that names the hosts.
    async fn act(&self, action: Action, params: Value) -> Result<Task, CliError> {
        let task: Task = self.client.post(&format!("pools/{}/{action}", self.pool), &params).await?;
        let ended = until_end(&task, &self.client).await?;
        if ended.state == TaskState::Succeeded {
            return Ok(ended);
        }
        let hosts: Page<p2ppool_model::task::TaskHost> =
            self.client.get(&format!("tasks/{}/hosts?limit=100", ended.id)).await?;
        let wrong = hosts.items.iter().filter(|host| !host.outcome.is_right());
        let wrong: Vec<String> = wrong.map(|host| format!("{}: {}", host.address, host.message)).collect();
        Err(CliError::Other(format!("{}; {}", summary(&ended), wrong.join("; "))))
    }

    /// Counts the hosts on which `wrong` finds nothing.
    async fn each_host(&self, wrong: impl Fn(&Host, &Summary) -> Option<String>) -> Result<Verdict, CliError> {
        let summary: Summary = self.client.get(&format!("pools/{}", self.pool)).await?;
        let mut verdict = Verdict::default();
        for host in self.known_hosts().await? {
            match wrong(&host, &summary) {
                None => verdict.right += 1,
                Some(problem) => verdict.problems.push(format!("{}: {problem}", host.spec.address)),
            }
        }
        Ok(verdict)
    }

    async fn known_hosts(&self) -> Result<Vec<Host>, CliError> {
        let page: Page<Host> = self.client.get(&format!("pools/{}/hosts?limit=100", self.pool)).await?;
        Ok(page.items)
    }

    /// Host address → overlay address of its node.
    async fn nodes(&self) -> Result<BTreeMap<String, String>, CliError> {
        let hosts = self.known_hosts().await?;
        Ok(hosts.into_iter().filter_map(|host| Some((host.spec.address, host.known.node?))).collect())
    }

    async fn is_there(&self) -> Result<bool, CliError> {
        let pools: Vec<Summary> = self.client.get("pools").await?;
        Ok(pools.iter().any(|summary| summary.pool.name == self.pool))
    }

    async fn until_gone(&self) -> Result<(), CliError> {
        let deadline = Instant::now() + GONE_DEADLINE;
        let mut events = self.client.events(self.pool.as_str()).await.ok();
        while self.is_there().await? {
            if Instant::now() > deadline {
                return Err(CliError::Other(format!(
                    "the pool is still there {} s after stop",
                    GONE_DEADLINE.as_secs()
                )));
            }
            let change = async {
                while let Some(stream) = &mut events {
                    match stream.next().await.map(|event| event.change) {
                        Some(Change::Pool | Change::Reread) => return,
                        Some(_) => {}
                        None => events = None,
                    }
                }
                std::future::pending().await
            };
            let _ = tokio::time::timeout(GONE_PAUSE, change).await;
        }
        Ok(())
    }
}

fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10.0).round() / 10.0
}
