//! The node of a pool that runs beside the manager.
//!
//! It is installed by the very same host script as any host, through the `local` transport, under
//! `private/<pool>/local`. Its ports are its own, because the local nodes of several pools share
//! this machine; they are in the files that only it has. That it can't run here (a bundle for another machine
//! architecture, say) hinders nothing: a crawl can begin at any host.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::time::Duration;

use p2ppool_model::brunet::LocalNetwork;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{Pool, Ports};
use p2ppool_model::{Digest, Time};
use p2ppool_overlay::LocalNode;
use p2ppool_remote::{HostError, HostSession, HostStatus, NodeState, Target};
use p2ppool_store::{Store, StoreError};
use serde::{Deserialize, Serialize};

use crate::actions::{ActionError, Context, Goal, LocalStep, Prepared, Run, walk_local};

/// Longest time for bringing the local node up or down, so that it never holds up a task for long.
const DEADLINE: Duration = Duration::from_secs(120);

/// How the local node is, for people.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LocalState {
    /// Its process is up.
    pub running: bool,
    /// Its overlay address.
    pub node: Option<String>,
    /// The package it runs.
    pub package: Option<Digest>,
    /// Why it does not run.
    pub problem: Option<String>,
    /// The network that it is in, where that matters to who could get at it.
    #[serde(default)]
    pub network: Option<LocalNetwork>,
    /// What will keep it from working well, or who could get at it, in plain words.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The setting that keeps the ports of a pool's local node.
pub(crate) fn ports_setting(pool: &Pool) -> String {
    format!("pool/{}/local_node_ports", pool.id)
}

/// The setting that keeps how a pool's local node was last seen.
pub(crate) fn state_setting(pool: &Pool) -> String {
    format!("pool/{}/local_node_state", pool.id)
}

/// Where a pool's local node is or would be. Its ports are chosen once and kept.
pub(crate) async fn place(context: &Context, pool: &Pool, hosts: &[HostSpec]) -> Result<LocalNode, ActionError> {
    // that of the manager that has it: else each manager would make another package
    let held = if context.store.is_shared() { context.store.local_node_owner(pool.id).await? } else { None };
    let address = held.map_or_else(|| address_towards(hosts), |held| held.address);
    // never equal to one on the list, which may be this very machine
    let labels = [("role".to_owned(), "local node".to_owned())].into();
    let host = HostSpec { address, labels, ..HostSpec::default() };
    let name = ports_setting(pool);
    let kept: Option<Ports> = context.store.setting(&name).await?;
    let same_transports = |ports: &Ports| {
        (ports.tcp.is_some(), ports.udp.is_some())
            == (pool.settings.ports.tcp.is_some(), pool.settings.ports.udp.is_some())
    };
    if let Some(ports) = kept.filter(same_transports) {
        return Ok(LocalNode { host, ports });
    }
    let ports = free_ports(pool.settings.ports)
        .map_err(|error| ActionError::Failed(format!("find free ports for the local node: {error}")))?;
    context.store.set_setting(&name, &ports, Time::now()).await?;
    Ok(LocalNode { host, ports })
}

/// The address under which this machine's node would be reached by the pool's hosts.
pub(crate) async fn address_for(context: &Context, pool: &Pool) -> Result<String, StoreError> {
    let hosts = context.store.pool_hosts(pool.id).await?;
    let specs: Vec<HostSpec> = hosts.into_iter().filter(|host| !host.leaving).map(|host| host.spec).collect();
    Ok(address_towards(&specs))
}

fn address_towards(hosts: &[HostSpec]) -> String {
    if hosts.iter().all(is_loopback) { Ipv4Addr::LOCALHOST.to_string() } else { own_address() }
}

fn is_loopback(host: &HostSpec) -> bool {
    host.address.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()) || host.address == "localhost"
}

/// The address that this machine has towards others; nothing is sent to find it.
fn own_address() -> String {
    let route = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        // TEST-NET-1: only the routing table is asked
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        socket.local_addr().ok()
    };
    route().map_or_else(|| Ipv4Addr::LOCALHOST.to_string(), |address| address.ip().to_string())
}

/// Ports that nobody uses now. TCP and UDP get the same number where both are free.
fn free_ports(wanted: Ports) -> std::io::Result<Ports> {
    let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    let (first, rpc) = (TcpListener::bind(any)?, TcpListener::bind(any)?);
    let port = first.local_addr()?.port();
    let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).or_else(|_| UdpSocket::bind(any))?;
    Ok(Ports {
        tcp: wanted.tcp.map(|_| port),
        udp: wanted.udp.and_then(|_| udp.local_addr().ok()).map(|address| address.port()),
        rpc: rpc.local_addr()?.port(),
    })
}

/// Brings the local node up with the pool's software (or installs it without starting it).
///
/// Where several managers share the database, it runs beside the one that has it; the others leave it alone.
pub(crate) async fn bring(run: &Run, prepared: &Prepared, up: bool) -> LocalState {
    let (context, engine) = (&run.context, &run.engine);
    let address = &prepared.local().host.address;
    match context.store.hold_local_node(prepared.pool.id, engine.owner(), address, engine.lease()).await {
        Ok(held) if held.owner == engine.owner() => bring_here(context, prepared, up).await,
        Ok(held) => LocalState {
            problem: Some(format!("it runs beside another manager, at {}", held.address)),
            ..LocalState::default()
        },
        Err(error) => LocalState { problem: Some(error.to_string()), ..LocalState::default() },
    }
}

/// Brings up a node that this manager has just got.
pub(crate) async fn restore(context: &Context, pool: &Pool) -> Result<LocalState, ActionError> {
    let bundle = match &pool.bundle {
        Some(digest) => context.store.bundle(digest).await?,
        None => context.bundles.register_builtin().await.map_err(|error| ActionError::Failed(error.to_string()))?,
    };
    let prepared = Prepared::of(context, pool, &bundle).await?;
    Ok(bring_here(context, &prepared, true).await)
}

/// This machine has something of the pool's local node.
pub(crate) fn is_here(context: &Context, pool: &Pool) -> bool {
    context.folders.private(&pool.name).join("local").exists()
}

async fn bring_here(context: &Context, prepared: &Prepared, up: bool) -> LocalState {
    let attempt = async {
        // the hosts' own package; the local node's ports are in the files that only it has
        let digest = prepared.package.digest.clone();
        let goal = if up { Goal::Running(digest) } else { Goal::Installed(digest) };
        let files = prepared.host_files(&prepared.local().host);
        let step = LocalStep {
            goal: &goal,
            package: Some(&prepared.package),
            runtime: prepared.runtime.as_ref(),
            files: &files,
        };
        visit(context, &prepared.pool, step).await.map_err(|error| error.to_string())
    };
    let state = match tokio::time::timeout(DEADLINE, attempt).await {
        Ok(Ok(status)) => told(&status),
        Ok(Err(problem)) => {
            tracing::warn!(pool = %prepared.pool.name, "bring up the local node: {problem}");
            LocalState { problem: Some(problem), ..LocalState::default() }
        }
        Err(_) => {
            let problem = format!("it was not up within {} s", DEADLINE.as_secs());
            LocalState { problem: Some(problem), ..LocalState::default() }
        }
    };
    keep(context, &prepared.pool, &state).await;
    state
}

/// What people are told between two looks at it.
async fn keep(context: &Context, pool: &Pool, state: &LocalState) {
    if let Err(error) = context.store.set_setting(&state_setting(pool), state, Time::now()).await {
        tracing::warn!(pool = %pool.name, %error, "keep how the local node is");
    }
}

/// How the local node was when it was last started, stopped or checked.
///
/// # Errors
/// When the store can't be read.
pub async fn kept(store: &Store, pool: &Pool) -> Result<Option<LocalState>, StoreError> {
    store.setting(&state_setting(pool)).await
}

/// Ends the local node; what it has stays.
pub(crate) async fn down(context: &Context, pool: &Pool) {
    if is_here(context, pool) {
        settle(context, pool, &Goal::Down).await;
        keep(context, pool, &LocalState::default()).await;
    }
}

/// Ends the local node and deletes what it has.
pub(crate) async fn remove(context: &Context, pool: &Pool) {
    settle(context, pool, &Goal::Gone).await;
    if let Err(error) = context.store.forget_local_node(pool.id).await {
        tracing::warn!(pool = %pool.name, %error, "forget the local node");
    }
}

async fn settle(context: &Context, pool: &Pool, goal: &Goal) {
    if !is_here(context, pool) {
        return;
    }
    let step = LocalStep { goal, package: None, runtime: None, files: &[] };
    match tokio::time::timeout(DEADLINE, visit(context, pool, step)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(pool = %pool.name, %error, "end the local node"),
        Err(_) => tracing::warn!(pool = %pool.name, "the local node did not end within {} s", DEADLINE.as_secs()),
    }
}

/// How the local node is now.
pub async fn state(context: &Context, pool: &Pool) -> LocalState {
    let none = LocalState::default();
    if !is_here(context, pool) {
        return none;
    }
    let ask = async {
        let mut session = open(context, pool).await?;
        let status = session.status().await?;
        session.close().await?;
        Ok::<_, HostError>(status)
    };
    match tokio::time::timeout(DEADLINE, ask).await {
        Ok(Ok(status)) => told(&status),
        Ok(Err(error)) => LocalState { problem: Some(error.to_string()), ..none },
        Err(_) => LocalState { problem: Some("it did not answer".into()), ..none },
    }
}

async fn visit(context: &Context, pool: &Pool, step: LocalStep<'_>) -> Result<HostStatus, HostError> {
    let mut session = open(context, pool).await?;
    let status = walk_local(&mut session, step).await;
    session.close().await?;
    status
}

async fn open(context: &Context, pool: &Pool) -> Result<HostSession, HostError> {
    let folder = context.folders.private(&pool.name).join("local");
    let target = Target::local("the local node", folder.to_string_lossy());
    HostSession::open(&*context.local, &target, &context.deadlines).await
}

fn told(status: &HostStatus) -> LocalState {
    LocalState {
        running: status.state == NodeState::Running,
        node: status.peer_id().map(str::to_owned),
        package: status.package.clone(),
        problem: None,
        network: network(status),
        warnings: status.warnings.clone(),
    }
}

fn network(status: &HostStatus) -> Option<LocalNetwork> {
    let told = status.node.as_ref()?.get("network")?;
    serde_json::from_value(told.clone()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_have_the_transports_of_the_pool() {
        let ports = free_ports(Ports { tcp: Some(1), udp: None, rpc: 2 }).unwrap();
        assert!(ports.tcp.is_some() && ports.udp.is_none() && ports.rpc != 0 && ports.tcp != Some(ports.rpc));
    }
}
