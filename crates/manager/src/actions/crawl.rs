//! Walks the pool's overlay and stores what it saw as a snapshot.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use p2ppool_model::event::Change;
use p2ppool_model::geo::{GeoSource, Located};
use p2ppool_model::host::Host;
use p2ppool_model::pool::Pool;
use p2ppool_model::settling::Settling;
use p2ppool_model::snapshot::{Node, NodeStatus, Snapshot, Totals};
use p2ppool_model::{HostId, Time};
use p2ppool_overlay::ProbeSettings;
use p2ppool_overlay::brunet::LOCAL_NODE;
use p2ppool_overlay::crawl::{self, CrawlEnd, CrawlProgress};
use p2ppool_store::NewSnapshot;
use serde_json::json;

use super::params::{self, CrawlParams};
use super::{ActionError, End, Rendered, Run};
use crate::geo::Sources;
use crate::local_node;

/// How often viewers are told how far the crawl is.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub(crate) async fn run(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let params: CrawlParams = params::of(&run.task.params);
    let local = local_running(run, &pool).await;
    let seen = if params.settle {
        settled(run, &pool, local.as_deref()).await?
    } else {
        look(run, &pool, local.as_deref()).await?
    };
    let (forbidden, end, left_out) = (seen.forbidden, seen.end, seen.left_out);
    let snapshot = keep(run, &pool, seen).await?;
    let totals = &snapshot.totals;
    let consistency = totals.consistency.map_or("unknown".to_owned(), |c| format!("{:.1} %", c * 100.0));
    let hint = match forbidden {
        0 => String::new(),
        seeds => format!("; {seeds} hosts have private addresses, which the setting `private_addresses` leaves out"),
    };
    let message = format!(
        "{} nodes, {} answering, consistency {consistency}, {} hosts missing{hint}",
        totals.nodes, totals.answering, totals.missing
    );
    let complete = end == CrawlEnd::Complete;
    let result = json!({ "crawl": snapshot.id, "totals": totals, "complete": complete, "left_out": left_out });
    Ok(End { message, result: Some(result) })
}

/// A crawl for a task of another action, which wants to know how the overlay is now.
pub(super) async fn fresh(run: &Run, pool: &Pool) -> Result<Snapshot, ActionError> {
    let local = local_node::state(&run.context, pool).await.node;
    let seen = look(run, pool, local.as_deref()).await?;
    keep(run, pool, seen).await
}

/// One walk over the overlay, joined with the hosts.
struct Seen {
    started: Time,
    duration_ms: u64,
    nodes: Vec<Node>,
    totals: Totals,
    end: CrawlEnd,
    left_out: u64,
    /// Seeds that the pool's settings don't allow to dial.
    forbidden: usize,
}

/// Walks again until the overlay has settled; only the last walk is kept, as it is.
async fn settled(run: &Run, pool: &Pool, local: Option<&str>) -> Result<Seen, ActionError> {
    let begun = Instant::now();
    let mut settling = Settling::default();
    loop {
        let seen = look(run, pool, local).await?;
        let Some(pause) = settling.next(&seen.totals, begun.elapsed()) else { return Ok(seen) };
        let text = format!("{} answering; waits until the overlay has settled", seen.totals.answering);
        run.recorder.say(text).await;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = run.stop.token().cancelled() => return Err(ActionError::Cut),
        }
    }
}

async fn look(run: &Run, pool: &Pool, local: Option<&str>) -> Result<Seen, ActionError> {
    let context = &run.context;
    let rendered = Rendered::of(context, pool).await?;
    let settings = rendered.kind.crawl_settings(&rendered.pool.settings);
    let probe = rendered
        .kind
        .probe(&ProbeSettings {
            settings: rendered.pool.settings.clone(),
            operator: context.folders.operator_key(),
            dial_deadline: settings.dial_deadline,
            local: Some(rendered.local.clone()),
        })
        .map_err(|error| ActionError::Failed(error.to_string()))?;
    let seeds = rendered.kind.seeds(&rendered.view(None));

    let started = Time::now();
    let (progress, mut heard) = tokio::sync::watch::channel(CrawlProgress::default());
    let telling = tell(run, &mut heard);
    let walking = crawl::run(
        &*probe,
        &seeds,
        &settings,
        |now| {
            progress.send_replace(now);
        },
        run.stop.token(),
    );
    let report = tokio::select! {
        report = walking => report,
        () = telling => return Err(ActionError::Cut),
    };
    if report.end == CrawlEnd::Cancelled {
        return Err(ActionError::Cut);
    }
    let duration_ms = u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX);
    let hosts = context.store.pool_hosts(pool.id).await?;
    let hosts: Vec<Host> = hosts.into_iter().filter(|host| !host.leaving).collect();
    if let Some(failure) = report.seeds_failed.first().filter(|seed| seed.address == LOCAL_NODE && report.is_empty()) {
        let why = failure.error.as_ref().map_or("it was not asked".to_owned(), ToString::to_string);
        return Err(ActionError::Failed(format!("look at the overlay through the local node: {why}")));
    }
    let is_local = |node: &Node| local == Some(node.address.as_str());
    // it looks at the overlay; only where it is one of those who make it, it counts
    let own: Vec<Node> = report.nodes().filter(|node| is_local(node) && rendered.kind.local_node_counts()).collect();
    let mut nodes: Vec<Node> = report.nodes().filter(|node| !is_local(node)).collect();
    let missing = join(&mut nodes, &hosts);
    nodes.extend(own.into_iter().map(|node| Node { host_name: Some("the local node".to_owned()), ..node }));
    let before = context.store.answering_before(pool.id).await?;
    let totals = Totals::of(&nodes, before.as_ref(), missing.len() as u64);
    // a seed without an error was not dialled: the pool's settings don't allow its address
    let forbidden = report.seeds_failed.iter().filter(|seed| seed.error.is_none()).count();
    Ok(Seen { started, duration_ms, nodes, totals, end: report.end, left_out: report.left_out, forbidden })
}

async fn keep(run: &Run, pool: &Pool, seen: Seen) -> Result<Snapshot, ActionError> {
    let context = &run.context;
    let Seen { started, duration_ms, mut nodes, totals, end, .. } = seen;
    let located = locate(&mut nodes, &*context.geo.sources(&context.store).await?);
    let complete = end == CrawlEnd::Complete;
    let new = NewSnapshot { pool: pool.id, task: Some(run.task.id), started, duration_ms, complete, totals };
    let snapshot = context.store.store_snapshot(&new, &nodes).await?;
    context.store.set_located(pool.id, snapshot.id, located).await?;
    super::usage::keep_told(context, pool, &nodes).await?;
    context.events.publish(Some(pool.name.as_str()), Change::Crawl { crawl: snapshot.id });
    Ok(snapshot)
}

/// Never ends.
async fn tell(run: &Run, heard: &mut tokio::sync::watch::Receiver<CrawlProgress>) {
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        let now = *heard.borrow_and_update();
        run.recorder.say(format!("{} nodes known, {} asked, {} answering", now.known, now.done, now.answering)).await;
        if heard.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Makes sure that the local node runs, and tells its overlay address.
async fn local_running(run: &Run, pool: &Pool) -> Option<String> {
    let context = &run.context;
    let state = local_node::state(context, pool).await;
    if state.running {
        return state.node;
    }
    let bundle = context.store.bundle(pool.bundle.as_ref()?).await.ok()?;
    let prepared = Arc::new(super::Prepared::of(context, pool, &bundle).await.ok()?);
    local_node::bring(run, &prepared, true).await.node
}

/// Tells of each node which host runs it, gives it that host's place on the map, and returns the
/// hosts that should be in the overlay and were not seen answering.
///
/// A node is a host's when the host said so itself (peer id in its status), else when no other host has the
/// IP address that the node was reached at.
fn join(nodes: &mut [Node], hosts: &[Host]) -> Vec<HostId> {
    let by_peer: HashMap<&str, &Host> =
        hosts.iter().filter_map(|host| Some((host.known.node.as_deref()?, host))).collect();
    let mut by_ip: HashMap<IpAddr, Option<&Host>> = HashMap::new();
    for host in hosts {
        if let Ok(ip) = host.spec.address.parse::<IpAddr>() {
            by_ip.entry(ip).and_modify(|shared| *shared = None).or_insert(Some(host));
        }
    }
    let mut seen = HashSet::new();
    for node in nodes {
        // what a node says of its place is not believed
        node.location = None;
        let at = node.ip.as_deref().and_then(|ip| ip.parse().ok());
        let here = || at.and_then(|ip| by_ip.get(&ip).copied().flatten());
        let Some(host) = by_peer.get(node.address.as_str()).copied().or_else(here) else {
            node.host_name = node.host_name.take().or_else(|| node.ip.clone());
            continue;
        };
        node.host = Some(host.id);
        node.host_name = Some(host.spec.display());
        node.location = host.spec.location;
        if node.status == NodeStatus::Answering {
            seen.insert(host.id);
        }
    }
    hosts.iter().map(|host| host.id).filter(|id| !seen.contains(id)).collect()
}

/// Places the nodes that have no host with coordinates by their IP addresses, and counts what told.
fn locate(nodes: &mut [Node], sources: &Sources) -> Located {
    let mut located = Located::default();
    for node in nodes {
        if node.location.is_some() {
            located.add(Some(GeoSource::Host));
            continue;
        }
        let place = node.ip.as_deref().and_then(|ip| sources.locate(ip.parse().ok()?));
        located.add(place.as_ref().map(|place| place.source));
        node.location = place.map(|place| place.location);
    }
    located
}

#[cfg(test)]
mod tests {
    use p2ppool_model::PoolId;
    use p2ppool_model::host::{HostKnown, HostSpec, Location};
    use p2ppool_model::snapshot::NodeDetails;

    use super::*;

    fn host(id: i64, address: &str, peer: Option<&str>) -> Host {
        let location = Location::new(1.0, 2.0);
        Host {
            id: HostId(id),
            pool: PoolId(1),
            spec: HostSpec { address: address.into(), location, ..HostSpec::default() },
            known: HostKnown { node: peer.map(str::to_owned), ..HostKnown::default() },
            leaving: false,
        }
    }

    fn node(peer: &str, ip: &str, status: NodeStatus) -> Node {
        let details = NodeDetails::Libp2p { nat: None, protocols: vec![], info: true };
        Node { status, ip: Some(ip.into()), ..Node::unknown(peer, details) }
    }

    #[test]
    fn nodes_find_their_hosts_and_the_missing_are_named() {
        let hosts = [
            host(1, "127.0.0.1", Some("A")),
            host(2, "127.0.0.2", None),
            host(3, "127.0.0.3", Some("C")),
            host(4, "gone", None),
        ];
        let mut nodes = [
            node("A", "10.0.0.9", NodeStatus::Answering),
            node("B", "127.0.0.2", NodeStatus::Answering),
            node("C", "127.0.0.3", NodeStatus::DialFailed),
            node("X", "10.0.0.1", NodeStatus::Answering),
        ];
        let missing = join(&mut nodes, &hosts);
        assert_eq!(missing, [HostId(3), HostId(4)], "a node that was named but did not answer is missing");
        let joined: Vec<_> = nodes.iter().map(|node| node.host.map(|id| id.0)).collect();
        assert_eq!(joined, [Some(1), Some(2), Some(3), None]);
        assert_eq!(nodes[0].location, Location::new(1.0, 2.0));
        assert_eq!(nodes[3].host_name.as_deref(), Some("10.0.0.1"));
    }

    #[test]
    fn two_hosts_behind_one_address_are_not_guessed() {
        let hosts = [host(1, "127.0.0.1", None), host(2, "127.0.0.1", None)];
        let mut nodes = [node("A", "127.0.0.1", NodeStatus::Answering)];
        assert_eq!(join(&mut nodes, &hosts).len(), 2);
        assert_eq!(nodes[0].host, None);
    }
}
