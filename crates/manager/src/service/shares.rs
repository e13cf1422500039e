//! Share links: what a link shows of one pool, and what not.
//!
//! Everything that is told through a link is put together here, field by field, from what a link may tell: what is
//! added to nodes and snapshots later stays hidden until somebody adds it here, too.

use p2ppool_model::host::Location;
use p2ppool_model::pool::Pool;
use p2ppool_model::snapshot::{Node, NodeStatus, Snapshot, Totals};
use p2ppool_model::{CrawlId, Time};
use p2ppool_store::{NewShare, NodeFilter, NodeSort, Page, Share, SnapshotRange, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::{Secret, SecretHash, Viewer};
use crate::app::App;
use crate::geo::Credit;
use crate::service::Error;
use crate::service::share_limits::{Places, namespaces};

/// Longest name of a link, bytes.
const NAME_MAX: usize = 100;
/// Links of one pool that hold at the same time.
const SHARES_MAX: usize = 100;
/// Web sites that may embed one link.
const EMBED_MAX: usize = 16;

/// What a link can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShareView {
    /// Nodes on the world map.
    Map,
    /// Nodes of a crawl.
    Nodes,
    /// System statistics: one row per crawl.
    Stats,
    /// The statistics that it shows, as CSV.
    Csv,
}

/// What a link shows and what not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShareSettings {
    /// What it shows.
    pub views: Vec<ShareView>,
    /// Only crawls that began then or later.
    #[serde(default)]
    pub from: Option<Time>,
    /// Only crawls that began earlier.
    #[serde(default)]
    pub to: Option<Time>,
    /// Host names and IP addresses are shown, too.
    #[serde(default)]
    pub hosts: bool,
    /// How exactly it tells where nodes are; null: exactly when it shows hosts, else to a degree.
    #[serde(default)]
    pub places: Option<Places>,
    /// Only nodes of these namespaces, and sums over them alone; empty: all.
    #[serde(default)]
    pub namespaces: Vec<String>,
    /// Web sites that may embed it, such as `https://lab.example.org`; `*`: every one.
    #[serde(default)]
    pub embed: Vec<String>,
}

/// A share link as the store keeps it.
pub type ShareLink = Share<ShareSettings>;

/// A link that somebody wants.
#[derive(Debug)]
pub struct WantedShare {
    /// What it is for.
    pub name: String,
    /// What it shows and what not.
    pub settings: ShareSettings,
    /// It ends then.
    pub expires: Option<Time>,
}

/// Links of a pool, newest first; also those that hold no more.
pub async fn list(app: &App, pool: &Pool) -> Result<Vec<ShareLink>, Error> {
    Ok(app.store.shares(pool.id).await?)
}

/// Makes a link: what is kept of it, and its secret, which is told once.
pub async fn create(
    app: &App,
    viewer: &Viewer,
    pool: &Pool,
    wanted: WantedShare,
) -> Result<(ShareLink, Secret), Error> {
    let now = Time::now();
    let name = wanted.name.trim();
    if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return Err(Error::field("name", format!("must be 1 to {NAME_MAX} bytes without control characters")));
    }
    if wanted.expires.is_some_and(|expires| expires <= now) {
        return Err(Error::field("expires", "must be in the future"));
    }
    let settings = checked(wanted.settings)?;
    let holding = list(app, pool).await?.into_iter().filter(|share| holds(share, now)).count();
    if holding >= SHARES_MAX {
        return Err(Error::field("name", format!("the pool has {SHARES_MAX} links; revoke one first")));
    }
    let secret = Secret::session();
    let hash = secret.hash();
    let new = NewShare {
        pool: pool.id,
        token_hash: hash.as_str(),
        name,
        settings: &settings,
        created_by: viewer.name(),
        now,
        expires: wanted.expires,
    };
    Ok((app.store.create_share(new).await?, secret))
}

fn holds(share: &ShareLink, now: Time) -> bool {
    share.revoked.is_none() && share.expires.is_none_or(|expires| expires > now)
}

fn checked(mut settings: ShareSettings) -> Result<ShareSettings, Error> {
    settings.views.sort_unstable();
    settings.views.dedup();
    if settings.views.is_empty() {
        return Err(Error::field("views", "name at least one of map, nodes, stats and csv"));
    }
    if let (Some(from), Some(to)) = (settings.from, settings.to)
        && from >= to
    {
        return Err(Error::field("to", "must be later than `from`"));
    }
    if settings.places == Some(Places::None) && settings.views.contains(&ShareView::Map) {
        return Err(Error::field("places", "a map without places shows nothing; leave out `map`, or tell places"));
    }
    settings.places = settings.places.or(Some(Places::of(settings.hosts)));
    settings.namespaces = namespaces(settings.namespaces)?;
    if settings.embed.len() > EMBED_MAX {
        return Err(Error::field("embed", format!("at most {EMBED_MAX} web sites")));
    }
    settings.embed = settings.embed.iter().map(|site| origin(site)).collect::<Result<_, _>>()?;
    Ok(settings)
}

/// The origin of a web site, written as browsers do: nothing else can get into the header that names it.
fn origin(site: &str) -> Result<String, Error> {
    if site == "*" {
        return Ok(site.to_owned());
    }
    let shown: String = site.chars().take(200).collect();
    let wrong = || Error::field("embed", format!("`{shown}` is not a web site like https://lab.example.org, or *"));
    let url: url::Url = site.parse().map_err(|_| wrong())?;
    let plain = ["http", "https"].contains(&url.scheme()) && url.path() == "/" && url.query().is_none();
    if plain && url.username().is_empty() { Ok(url.origin().ascii_serialization()) } else { Err(wrong()) }
}

/// Ends a link.
pub async fn revoke(app: &App, pool: &Pool, id: i64) -> Result<(), Error> {
    Ok(app.store.revoke_share(pool.id, id, Time::now()).await?)
}

/// A link that somebody opened, and its pool.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The link.
    pub share: ShareLink,
    /// The pool.
    pub pool: Pool,
}

/// The link of this secret. One that ended, was revoked or never was is the same.
pub async fn open(app: &App, secret: &str) -> Result<Opened, Error> {
    let share = app.store.share::<ShareSettings>(SecretHash::of(secret).as_str(), Time::now()).await?;
    let share = share.ok_or(Error::Missing("share link like this; it may have ended or been revoked".to_owned()))?;
    let pool = app.store.pool(share.pool).await?;
    Ok(Opened { share, pool })
}

impl Opened {
    /// Counts that it was opened.
    pub async fn count(&self, app: &App) -> Result<(), Error> {
        Ok(app.store.count_share(self.share.id, Time::now()).await?)
    }

    /// It shows this.
    pub fn shows(&self, view: ShareView) -> Result<(), Error> {
        if self.share.settings.views.contains(&view) {
            return Ok(());
        }
        let name = serde_json::to_value(view).ok().and_then(|name| name.as_str().map(str::to_owned));
        Err(Error::Missing(format!("view `{}` in this share link", name.unwrap_or_default())))
    }

    /// What was asked for, within the link's dates.
    pub(super) fn range(&self, from: Option<Time>, to: Option<Time>, before: Option<CrawlId>) -> SnapshotRange {
        let limits = &self.share.settings;
        let from = [from, limits.from].into_iter().flatten().max();
        let until = [to, limits.to].into_iter().flatten().min();
        SnapshotRange { from, until, before }
    }

    /// The newest crawl that it shows, or the one that was asked for, when it shows that.
    pub async fn crawl(&self, app: &App, wanted: Option<CrawlId>) -> Result<Option<Snapshot>, Error> {
        let Some(id) = wanted else {
            let newest = app.store.snapshots(self.pool.id, self.range(None, None, None), 1).await?;
            return Ok(newest.into_iter().next());
        };
        let found = match app.store.snapshot(id).await {
            Ok(found) => Some(found),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let shown = found.filter(|crawl| crawl.pool == self.pool.id && self.is_in_range(crawl.started));
        shown.map(Some).ok_or_else(|| Error::not_found("crawl", id))
    }

    fn is_in_range(&self, at: Time) -> bool {
        let limits = &self.share.settings;
        limits.from.is_none_or(|from| at >= from) && limits.to.is_none_or(|to| at < to)
    }

    /// What is searched and sorted by tells what is hidden, too: that is refused.
    pub fn checked_filter(&self, mut filter: NodeFilter) -> Result<NodeFilter, Error> {
        filter.within.clone_from(&self.share.settings.namespaces);
        let is_told = filter.sort != NodeSort::Location || self.places() == Places::Exact;
        if self.share.settings.hosts && is_told {
            return Ok(filter);
        }
        if !filter.text.is_empty() && !self.share.settings.hosts {
            return Err(Error::field("q", "this share link does not tell host names, so they can't be searched"));
        }
        let told = matches!(
            filter.sort,
            NodeSort::Address
                | NodeSort::Status
                | NodeSort::Version
                | NodeSort::Namespace
                | NodeSort::Consistency
                | NodeSort::Connections
                | NodeSort::Tcp
                | NodeSort::Udp
                | NodeSort::Relayed
                | NodeSort::Secure
                | NodeSort::Retries
                | NodeSort::Rtt
                | NodeSort::Uptime
                | NodeSort::Memory
                | NodeSort::Cpu
                | NodeSort::Load
        );
        if told || (filter.sort == NodeSort::Location && is_told) {
            return Ok(filter);
        }
        Err(Error::field("sort", format!("this share link does not tell `{}`", filter.sort.as_str())))
    }

    /// A page of the nodes of a crawl.
    pub async fn nodes(
        &self,
        app: &App,
        crawl: Option<Snapshot>,
        filter: &NodeFilter,
        page: Page,
    ) -> Result<SharedNodes, Error> {
        let Some(crawl) = crawl else { return Ok(SharedNodes { crawl: None, total: 0, items: vec![] }) };
        let nodes = app.store.nodes(crawl.id, filter, page).await?;
        let items = nodes.items.into_iter().map(|node| self.told(node)).collect();
        Ok(SharedNodes { crawl: Some(self.told_crawl(app, crawl).await?), total: nodes.total, items })
    }

    /// What it tells of a node.
    pub fn told(&self, node: Node) -> SharedNode {
        let hosts = self.share.settings.hosts;
        SharedNode {
            address: node.address,
            status: node.status,
            host_name: node.host_name.filter(|_| hosts),
            ip: node.ip.filter(|_| hosts),
            version: node.version,
            namespace: node.namespace,
            consistency: node.consistency,
            connections: node.connections,
            tcp: node.tcp,
            udp: node.udp,
            relayed: node.relayed,
            secure: node.secure,
            retries: node.retries,
            rtt_ms: node.rtt_ms,
            uptime_s: node.uptime_s,
            memory: node.memory,
            cpu_s: node.cpu_s,
            load: node.load,
            location: node.location.and_then(|place| self.places().told(place)),
        }
    }

    fn places(&self) -> Places {
        let settings = &self.share.settings;
        settings.places.unwrap_or_else(|| Places::of(settings.hosts))
    }

    /// The map of a crawl.
    pub async fn map(&self, app: &App, crawl: Option<Snapshot>, namespace: Option<&str>) -> Result<SharedMap, Error> {
        use futures::TryStreamExt as _;
        let Some(crawl) = crawl else { return Ok(SharedMap::default()) };
        let mut points = std::pin::pin!(app.store.stream_points(crawl.id));
        let located = app.store.located(crawl.id).await?.unwrap_or_default();
        let credits = app.geo.sources(&app.store).await?.credits(&located);
        let mut map = SharedMap { crawl: Some(self.told_crawl(app, crawl).await?), credits, ..SharedMap::default() };
        let within = &self.share.settings.namespaces;
        let is_within = |name: Option<&str>| name.is_some_and(|name| within.iter().any(|one| one == name));
        while let Some(point) = points.try_next().await? {
            let name = point.namespace.as_deref();
            if (!within.is_empty() && !is_within(name)) || (namespace.is_some() && name != namespace) {
                continue;
            }
            let Some(place) = point.location.and_then(|place| self.places().told(place)) else {
                map.unlocated += 1;
                continue;
            };
            map.points.push(SharedPoint {
                latitude: place.latitude,
                longitude: place.longitude,
                status: point.status,
                consistency: point.consistency,
                namespace: point.namespace,
                host_name: point.host_name.filter(|_| self.share.settings.hosts),
            });
        }
        Ok(map)
    }
}

/// A crawl, as a link tells it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SharedCrawl {
    /// Its number, to ask for its nodes.
    pub id: CrawlId,
    /// When it began.
    pub started: Time,
    /// How long it took, milliseconds.
    pub duration_ms: u64,
    /// The statistics; of a link that is limited to namespaces those of their nodes, and no host is missing.
    #[serde(flatten)]
    pub totals: Totals,
}

impl From<Snapshot> for SharedCrawl {
    fn from(crawl: Snapshot) -> Self {
        Self { id: crawl.id, started: crawl.started, duration_ms: crawl.duration_ms, totals: crawl.totals }
    }
}

/// A node, as a link tells it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SharedNode {
    /// Overlay address.
    pub address: String,
    /// Did it answer?
    pub status: NodeStatus,
    /// Name of its host; null when the link does not tell it.
    pub host_name: Option<String>,
    /// IP address; null when the link does not tell it.
    pub ip: Option<String>,
    /// Program and version.
    pub version: Option<String>,
    /// Namespace.
    pub namespace: Option<String>,
    /// 0 to 1.
    pub consistency: Option<f64>,
    /// Overlay connections.
    pub connections: Option<u32>,
    /// Of them over TCP.
    pub tcp: Option<u32>,
    /// Of them over UDP.
    pub udp: Option<u32>,
    /// Of them through a relay.
    pub relayed: Option<u32>,
    /// Secure associations.
    pub secure: Option<u32>,
    /// Attempts beyond the first.
    pub retries: u32,
    /// Round-trip time, milliseconds.
    pub rtt_ms: Option<f64>,
    /// Seconds since it started.
    pub uptime_s: Option<u64>,
    /// Resident memory, bytes.
    pub memory: Option<u64>,
    /// CPU time used, seconds.
    pub cpu_s: Option<f64>,
    /// Load average of its host.
    pub load: Option<f64>,
    /// Where it is, as exactly as the link tells it.
    pub location: Option<Location>,
}

/// Nodes of a crawl, as a link tells them.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SharedNodes {
    /// The crawl; null when there is none within the link's dates.
    pub crawl: Option<SharedCrawl>,
    /// Nodes that match, on all pages.
    pub total: u64,
    /// Nodes of this page.
    pub items: Vec<SharedNode>,
}

/// A node on the map.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SharedPoint {
    /// Degrees.
    pub latitude: f64,
    /// Degrees.
    pub longitude: f64,
    /// Did it answer?
    pub status: NodeStatus,
    /// 0 to 1.
    pub consistency: Option<f64>,
    /// Namespace.
    pub namespace: Option<String>,
    /// Name of its host; null when the link does not tell it.
    pub host_name: Option<String>,
}

/// The map of a crawl, as a link tells it.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct SharedMap {
    /// The crawl; null when there is none within the link's dates.
    pub crawl: Option<SharedCrawl>,
    /// Nodes that have a place.
    pub points: Vec<SharedPoint>,
    /// Nodes that have none.
    pub unlocated: u64,
    /// Whom to thank, with a link, where these points are shown.
    pub credits: Vec<Credit>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_origins_get_into_the_header() {
        assert_eq!(origin("https://Lab.Example.org/").unwrap(), "https://lab.example.org");
        assert_eq!(origin("http://lab.example.org:8080").unwrap(), "http://lab.example.org:8080");
        assert_eq!(origin("*").unwrap(), "*");
        for wrong in [
            "lab.example.org",
            "https://a b",
            "https://a; script-src *",
            "https://a/x",
            "javascript:alert(1)",
            "'self'",
            "https://u@a",
            "https://a\r\nset-cookie: x",
            "",
        ] {
            let got = origin(wrong);
            assert!(got.is_err() || !got.as_ref().unwrap().contains([';', ' ', '\r', '\n']), "{wrong}: {got:?}");
        }
    }
}
