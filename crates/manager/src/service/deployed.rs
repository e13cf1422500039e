//! Deployed and seen, joined; and the repair of what does not fit.

use std::collections::{BTreeMap, HashSet};

use p2ppool_model::deployed::{self, Deployed, DeployedState, Expected};
use p2ppool_model::pool::{OverlayKindName, Pool};
use p2ppool_model::snapshot::Snapshot;
use p2ppool_model::task::Task;
use p2ppool_model::{Action, HostId};
use p2ppool_store::{Order, Page, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::Viewer;
use crate::app::App;
use crate::engine::Ask;
use crate::service::nodes::{When, snapshot_of};
use crate::service::sorts::DeployedSort;
use crate::service::{Error, blocking};

/// Hosts joined with the nodes that they should be.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeployedList {
    /// The snapshot; null when the pool was never crawled.
    pub crawl: Option<Snapshot>,
    /// What a node of the pool should tell.
    pub expected: Expected,
    /// How many of each state, whatever was asked for.
    #[schema(value_type = BTreeMap<String, u64>)]
    pub counts: BTreeMap<DeployedState, u64>,
    /// Lines that match, on all pages.
    pub total: u64,
    /// Lines of this page.
    pub items: Vec<Deployed>,
}

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct DeployedFilter {
    /// Only those of these states; empty: all.
    pub states: Vec<DeployedState>,
    /// Part of host name, overlay address, version or problem; empty: all.
    pub text: String,
    /// Sorted by; without: hosts in their order, then nodes that are not ours.
    pub sort: Option<DeployedSort>,
    /// Up or down.
    pub order: Order,
}

impl DeployedFilter {
    fn lets_through(&self, one: &Deployed, part: &str) -> bool {
        let texts = [&one.host_name, &one.node, &one.version, &one.problem];
        (self.states.is_empty() || self.states.contains(&one.state))
            && (part.is_empty() || texts.into_iter().flatten().any(|text| text.to_ascii_lowercase().contains(part)))
    }

    /// The lines that it lets through, in its order.
    fn of(&self, lines: Vec<Deployed>) -> Vec<Deployed> {
        let part = self.text.to_ascii_lowercase();
        let mut found: Vec<Deployed> = lines.into_iter().filter(|one| self.lets_through(one, &part)).collect();
        if let Some(sort) = self.sort {
            sort.sort(&mut found, self.order);
        }
        found
    }
}

/// A page of the joined list. Of an earlier snapshot the nodes are of then, the hosts of now.
pub async fn list(
    app: &App,
    pool: &Pool,
    when: When,
    filter: DeployedFilter,
    page: Page,
) -> Result<DeployedList, Error> {
    let (crawl, expected, joined) = joined(app, pool, when).await?;
    let counts = deployed::counts(&joined);
    let found = blocking(move || filter.of(joined)).await?;
    let total = found.len() as u64;
    let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let items = found.into_iter().skip(skip).take(page.limit as usize).collect();
    Ok(DeployedList { crawl, expected, counts, total, items })
}

/// Every line that a filter lets through, and the snapshot that was joined.
pub async fn whole(
    app: &App,
    pool: &Pool,
    when: When,
    filter: DeployedFilter,
) -> Result<(Option<Snapshot>, Vec<Deployed>), Error> {
    let (crawl, _, joined) = joined(app, pool, when).await?;
    Ok((crawl, blocking(move || filter.of(joined)).await?))
}

async fn joined(app: &App, pool: &Pool, when: When) -> Result<(Option<Snapshot>, Expected, Vec<Deployed>), Error> {
    let snapshot = snapshot_of(app, pool, &when).await?;
    let table = match &snapshot {
        Some(snapshot) => Some((app.store.node_table(snapshot.id).await?, snapshot.started)),
        None => None,
    };
    let hosts = app.store.pool_hosts(pool.id).await?;
    let expected = expected(app, pool).await?;
    let wanted = expected.clone();
    let joined = blocking(move || {
        let seen = table.as_ref().map(|(table, started)| (&**table, *started));
        deployed::join(&hosts, seen, &wanted)
    });
    Ok((snapshot, expected, joined.await?))
}

async fn expected(app: &App, pool: &Pool) -> Result<Expected, Error> {
    let version = match &pool.bundle {
        None => None,
        Some(digest) => match app.store.bundle(digest).await {
            Ok(bundle) => bundle.version,
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        },
    };
    let namespace = pool.settings.clone().checked(&pool.name).ok().map(|settings| settings.namespace);
    // a Brunet node tells its IPOP namespace, of which an overlay may have several; who is in another overlay is not seen
    let namespace = namespace.filter(|_| pool.settings.kind != OverlayKindName::Brunet);
    Ok(Expected { package: pool.package.clone(), namespace, version })
}

/// What to repair: some hosts, or all of some states.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Repair {
    /// These hosts, by number.
    pub hosts: Vec<HostId>,
    /// Every host that is in one of these states now.
    pub state: Vec<DeployedState>,
}

/// Queues a check of these hosts, which installs and starts what is missing.
pub async fn repair(app: &App, viewer: &Viewer, pool: Pool, repair: Repair) -> Result<Task, Error> {
    if repair.hosts.is_empty() && repair.state.is_empty() {
        return Err(Error::field("hosts", "name hosts, or states of hosts, to repair"));
    }
    if let Some(state) = repair.state.iter().find(|state| !state.is_repairable()) {
        return Err(Error::field("state", format!("there is nothing to repair on {}", state.as_str())));
    }
    let ours: HashSet<HostId> = app.store.pool_hosts(pool.id).await?.iter().map(|host| host.id).collect();
    if let Some(host) = repair.hosts.iter().find(|host| !ours.contains(host)) {
        return Err(Error::field("hosts", format!("{host} is not a host of pool `{}`", pool.name)));
    }
    let mut chosen: HashSet<HostId> = repair.hosts.into_iter().collect();
    if !repair.state.is_empty() {
        let (_, _, joined) = joined(app, &pool, When::default()).await?;
        chosen.extend(joined.iter().filter(|one| repair.state.contains(&one.state)).filter_map(|one| one.host));
    }
    let ask =
        Ask { pool, action: Action::Check, params: serde_json::Value::Null, started_by: viewer.name().to_owned() };
    Ok(app.engine.request_on(ask, &chosen).await?)
}
