//! Numbers for Prometheus, at `GET /metrics`.
//!
//! What is in the database is read when Prometheus asks, so that pools that are gone are gone here, too; what only
//! happens (outcomes, times) is counted where it happens, by the `metrics` macros.

use std::sync::OnceLock;
use std::time::Instant;

use metrics::{Label, Level, Metadata};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use p2ppool_model::Outcome;
use p2ppool_model::alert::AlertState;
use p2ppool_model::pool::Pool;
use p2ppool_model::task::TaskState;
use p2ppool_store::{AlertFilter, Page, StoreError, TaskFilter};

use crate::app::App;

/// Seconds; from a host next door to one that hardly answers.
const CONNECT_SECONDS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0];
/// How long it takes to open a session on a host: connection, host key, login, host script.
const CONNECT: &str = "p2ppool_host_connect_seconds";
/// What became of hosts in tasks of this manager since it started.
const OUTCOMES: &str = "p2ppool_host_outcomes_total";
/// Where numbers come from, for the `metrics` crate.
const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

/// Who may read the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricsAccess {
    /// Nobody.
    Off,
    /// Holders of an API token.
    Token,
    /// Programs on the manager's own machine, and holders of an API token.
    #[default]
    Local,
}

impl std::str::FromStr for MetricsAccess {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "token" => Ok(Self::Token),
            "local" => Ok(Self::Local),
            _ => Err("is none of `off`, `token` and `local`"),
        }
    }
}

/// The recorder of the process; the first one to ask makes it.
fn recorder() -> Option<&'static PrometheusHandle> {
    static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let make = || {
        let builder = PrometheusBuilder::new().set_buckets(&CONNECT_SECONDS).ok()?;
        builder.install_recorder().inspect_err(|error| tracing::warn!(%error, "count for Prometheus")).ok()
    };
    HANDLE.get_or_init(make).as_ref()
}

/// Counts from now on.
pub fn start() {
    recorder();
    metrics::describe_histogram!(CONNECT, "seconds to open a session on a host");
    metrics::describe_counter!(OUTCOMES, "hosts of tasks by action and outcome since the manager started");
}

/// A session on a host was opened, or could not be.
pub(crate) fn connected(begun: Instant, ok: bool) {
    metrics::histogram!(CONNECT, "ok" => if ok { "true" } else { "false" }).record(begun.elapsed());
}

/// A host of a task came to its end.
pub(crate) fn host_ended(action: p2ppool_model::Action, outcome: Outcome) {
    metrics::counter!(OUTCOMES, "action" => action.as_str(), "outcome" => outcome.as_str()).increment(1);
}

/// Everything, in Prometheus' text format.
pub async fn render(app: &App) -> Result<String, StoreError> {
    let counted = recorder().map(|handle| {
        handle.run_upkeep();
        handle.render()
    });
    Ok(format!("{}{}", gauges(app).await?, counted.unwrap_or_default()))
}

/// A recorder that lives for one answer.
struct Gauges(metrics_exporter_prometheus::PrometheusRecorder);

impl Gauges {
    fn set(&self, name: &'static str, labels: &[(&'static str, &str)], value: f64) {
        use metrics::Recorder as _;
        let labels: Vec<Label> = labels.iter().map(|(key, value)| Label::new(*key, (*value).to_owned())).collect();
        let key = metrics::Key::from_parts(name, labels);
        self.0.register_gauge(&key, &METADATA).set(value);
    }
}

async fn gauges(app: &App) -> Result<String, StoreError> {
    let gauges = Gauges(PrometheusBuilder::new().build_recorder());
    gauges.set("p2ppool_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let begun = Instant::now();
    app.store.ping().await?;
    gauges.set("p2ppool_database_ping_seconds", &[("database", app.store.database())], begun.elapsed().as_secs_f64());
    for state in TaskState::ALL {
        let filter = TaskFilter { states: vec![state], ..TaskFilter::default() };
        let count = app.store.tasks(&filter, Page::first(0)).await?.total;
        gauges.set("p2ppool_tasks", &[("state", state.as_str())], count as f64);
        if state == TaskState::Queued {
            gauges.set("p2ppool_queue_depth", &[], count as f64);
        }
    }
    gauges.set("p2ppool_alert_messages_waiting", &[], app.store.messages_waiting().await? as f64);
    let pools = app.store.pools().await?;
    gauges.set("p2ppool_pools", &[], pools.len() as f64);
    let (counts, snapshots) = (app.store.host_counts().await?, app.store.newest_snapshots().await?);
    for pool in &pools {
        of_pool(&gauges, pool, counts.get(&pool.id), snapshots.get(&pool.id));
        let open = AlertFilter { pool: Some(pool.id), state: Some(AlertState::Open) };
        let open = app.store.alerts(open, Page::first(0)).await?.total;
        gauges.set("p2ppool_pool_alerts_open", &[("pool", pool.name.as_str())], open as f64);
    }
    Ok(gauges.0.handle().render())
}

fn of_pool(
    gauges: &Gauges,
    pool: &Pool,
    counts: Option<&p2ppool_store::HostCounts>,
    newest: Option<&p2ppool_model::snapshot::Snapshot>,
) {
    let set = |name, value| gauges.set(name, &[("pool", pool.name.as_str())], value);
    if let Some(counts) = counts {
        set("p2ppool_pool_hosts", counts.total as f64);
        set("p2ppool_pool_hosts_reachable", counts.reachable as f64);
        set("p2ppool_pool_hosts_running", counts.running as f64);
    }
    let Some(newest) = newest else { return };
    set("p2ppool_pool_nodes", newest.totals.nodes as f64);
    set("p2ppool_pool_nodes_answering", newest.totals.answering as f64);
    set("p2ppool_pool_hosts_missing", newest.totals.missing as f64);
    set("p2ppool_crawl_duration_seconds", newest.duration_ms as f64 / 1000.0);
    set("p2ppool_crawl_started_seconds", newest.started.0 as f64 / 1000.0);
    if let Some(consistency) = newest.totals.consistency {
        set("p2ppool_pool_consistency", consistency);
    }
}
