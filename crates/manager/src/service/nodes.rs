//! Snapshots and their nodes.

use std::collections::HashMap;

use p2ppool_model::geo::{Located, Place};
use p2ppool_model::host::Host;
use p2ppool_model::pool::Pool;
use p2ppool_model::snapshot::{Node, Snapshot};
use p2ppool_model::{CrawlId, Time};
use p2ppool_store::{NodeFilter, Page};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::geo::Credit;
use crate::service::Error;

/// Most hosts told as missing.
const MISSING_MAX: u32 = 1_000;

/// Nodes of one snapshot, and the hosts that should be there and are not.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Nodes {
    /// The snapshot; null when the pool was never crawled.
    pub crawl: Option<Snapshot>,
    /// Nodes that match, on all pages.
    pub total: u64,
    /// Nodes of this page.
    pub items: Vec<Node>,
    /// Hosts that should be in the overlay and were not seen answering; at most 1,000 of them.
    pub missing: Vec<Host>,
    /// Namespaces of the whole snapshot, whatever was asked for: those with most nodes first, at most 100.
    pub namespaces: Vec<NamespaceCount>,
}

/// How many nodes of a snapshot are in a namespace.
#[derive(Debug, Serialize, ToSchema)]
pub struct NamespaceCount {
    /// As the nodes tell it.
    pub name: String,
    /// So many of them.
    pub nodes: u64,
}

/// The snapshot of this pool that was asked for, else its newest.
pub async fn snapshot(app: &App, pool: &Pool, wanted: Option<CrawlId>) -> Result<Option<Snapshot>, Error> {
    let Some(id) = wanted else { return Ok(app.store.newest_snapshot(pool.id).await?) };
    let snapshot = app.store.snapshot(id).await?;
    if snapshot.pool != pool.id {
        return Err(Error::not_found("crawl", id));
    }
    Ok(Some(snapshot))
}

/// The snapshot of this pool that was asked for: by its crawl, or the one nearest to a time; else the newest.
pub async fn snapshot_of(app: &App, pool: &Pool, wanted: &When) -> Result<Option<Snapshot>, Error> {
    match (wanted.crawl, wanted.at) {
        (Some(_), Some(_)) => Err(Error::field("at", "give either `crawl` or `at`, not both")),
        (None, Some(at)) => Ok(app.store.snapshot_near(pool.id, at).await?),
        (crawl, None) => snapshot(app, pool, crawl).await,
    }
}

/// Which snapshot of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// That of this crawl.
    pub crawl: Option<CrawlId>,
    /// The one whose crawl began nearest to this time.
    pub at: Option<Time>,
}

/// A page of nodes.
pub async fn list(app: &App, crawl: Option<Snapshot>, filter: &NodeFilter, page: Page) -> Result<Nodes, Error> {
    let Some(snapshot) = crawl else { return Ok(Nodes::default()) };
    let nodes = app.store.nodes(snapshot.id, filter, page).await?;
    let missing = app.store.missing_hosts(snapshot.id, Page::first(MISSING_MAX)).await?.items;
    let told = app.store.namespaces(snapshot.id).await?;
    let namespaces = told.into_iter().map(|(name, nodes)| NamespaceCount { name, nodes }).collect();
    Ok(Nodes { crawl: Some(snapshot), total: nodes.total, items: nodes.items, missing, namespaces })
}

/// One node of a snapshot.
#[derive(Debug, Serialize, ToSchema)]
pub struct ShownNode {
    /// What the snapshot tells.
    #[serde(flatten)]
    pub node: Node,
    /// What is known today of the place of its IP address: city, country, and who says so. Null: nothing.
    pub place: Option<Place>,
    /// Whom to thank for the place.
    pub credits: Vec<Credit>,
}

/// One node by its overlay address.
pub async fn show(app: &App, crawl: CrawlId, address: &str) -> Result<ShownNode, Error> {
    let node = app.store.node(crawl, address).await?;
    let sources = app.geo.sources(&app.store).await?;
    let place = node.ip.as_deref().and_then(|ip| sources.locate(ip.parse().ok()?));
    let mut located = Located::default();
    located.add(place.as_ref().map(|place| place.source));
    Ok(ShownNode { node, place, credits: sources.credits(&located) })
}

/// The nodes of one snapshot on the map, column by column: one message for 100,000 nodes.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct MapPoints {
    /// The snapshot; null when the pool was never crawled.
    pub crawl: Option<Snapshot>,
    /// Overlay addresses.
    pub ids: Vec<String>,
    /// Latitudes in degrees, two decimals.
    pub lat: Vec<f64>,
    /// Longitudes in degrees, two decimals.
    pub lon: Vec<f64>,
    /// Consistency, 0 to 1; null when it is not known.
    pub consistency: Vec<Option<f64>>,
    /// Did it answer?
    pub status: Vec<p2ppool_model::snapshot::NodeStatus>,
    /// Host names or IP addresses; null when they are not known.
    pub hosts: Vec<Option<String>>,
    /// Namespaces, as indexes into `namespaces`; null when a node does not say.
    pub namespace: Vec<Option<usize>>,
    /// Every namespace that was seen, also those that were not asked for and of nodes without a location.
    pub namespaces: Vec<String>,
    /// Nodes without a location, which are in no column.
    pub unlocated: u64,
    /// Whom to thank, with a link, where these points are shown.
    pub credits: Vec<Credit>,
}

/// The map of a snapshot; of one namespace alone, when it is named.
pub async fn map(app: &App, crawl: Option<Snapshot>, namespace: Option<&str>) -> Result<MapPoints, Error> {
    use futures::TryStreamExt as _;
    let Some(snapshot) = crawl else { return Ok(MapPoints::default()) };
    let mut points = std::pin::pin!(app.store.stream_points(snapshot.id));
    let located = app.store.located(snapshot.id).await?.unwrap_or_default();
    let credits = app.geo.sources(&app.store).await?.credits(&located);
    let mut map = MapPoints { crawl: Some(snapshot), credits, ..MapPoints::default() };
    let mut names = Names::default();
    let round = |degrees: f64| (degrees * 100.0).round() / 100.0;
    while let Some(point) = points.try_next().await? {
        let is_wanted = namespace.is_none() || point.namespace.as_deref() == namespace;
        let name = point.namespace.map(|name| names.index_of(name));
        if !is_wanted {
            continue;
        }
        let Some(location) = point.location else {
            map.unlocated += 1;
            continue;
        };
        map.ids.push(point.address);
        map.lat.push(round(location.latitude));
        map.lon.push(round(location.longitude));
        map.consistency.push(point.consistency);
        map.status.push(point.status);
        map.hosts.push(point.host_name);
        map.namespace.push(name);
    }
    map.namespaces = names.all;
    Ok(map)
}

/// Names, each once, in the order in which they were met.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The names.
    pub(super) all: Vec<String>,
    places: HashMap<String, usize>,
}

impl Names {
    /// Its place among the names, where it is put when it is not there yet.
    pub(super) fn index_of(&mut self, name: String) -> usize {
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        self.all.push(name.clone());
        self.places.insert(name, self.all.len() - 1);
        self.all.len() - 1
    }
}
