//! Share links: made and revoked by those who manage a pool, opened by anybody who has them.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use p2ppool_model::{CrawlId, Time};
use p2ppool_store::{Page, StoreError};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

use crate::http::State;
use crate::http::body::{Json, Query};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::export::{self, Cell, Column, chosen};
use crate::http::handlers::nodes::NodesQuery;
use crate::http::page::page;
use crate::service::share_limits::Places;
use crate::service::shares::{
    self, Opened, ShareLink, ShareSettings, ShareView, SharedCrawl, SharedMap, SharedNode, SharedNodes, WantedShare,
};
use crate::service::{Error, pools};

/// Crawls when nobody says how many.
const CRAWLS_DEFAULT: u32 = 20;
/// Nodes read at once for a CSV.
const PAGE_ROWS: u32 = 2_000;

/// A share link, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShareInfo {
    /// Row identity, to revoke it by.
    id: i64,
    /// What it is for.
    name: String,
    /// What it shows and what not.
    #[serde(flatten)]
    settings: ShareSettings,
    /// Who made it.
    created_by: String,
    /// When it was made.
    created: Time,
    /// It ends then; null: when it is revoked.
    expires: Option<Time>,
    /// When it was revoked.
    revoked: Option<Time>,
    /// How often it was opened.
    opened: u64,
    /// When it was opened last.
    last_opened: Option<Time>,
}

impl From<ShareLink> for ShareInfo {
    fn from(share: ShareLink) -> Self {
        let ShareLink { id, name, settings, created_by, created, expires, revoked, opened, last_opened, .. } = share;
        Self { id, name, settings, created_by, created, expires, revoked, opened, last_opened }
    }
}

/// A new share link.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeShare {
    /// The link's secret; it is not told again. The page is at `share/<token>`, the API at `share/<token>/…`.
    token: String,
    /// What is kept of it.
    #[serde(flatten)]
    info: ShareInfo,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewShare {
    /// What it is for.
    name: String,
    /// What it shows.
    views: Vec<ShareView>,
    /// Only crawls that began then or later.
    #[serde(default)]
    from: Option<Time>,
    /// Only crawls that began earlier.
    #[serde(default)]
    to: Option<Time>,
    /// Tell host names and IP addresses, too.
    #[serde(default)]
    hosts: bool,
    /// How exactly to tell where nodes are: `none`, `degree`, `city` or `exact`; exactly with `hosts`, else to a
    /// degree by default.
    #[serde(default)]
    places: Option<Places>,
    /// Only nodes of these namespaces, and sums over them alone; all by default.
    #[serde(default)]
    namespaces: Vec<String>,
    /// Web sites that may embed it, such as `https://lab.example.org`; `*`: every one.
    #[serde(default)]
    embed: Vec<String>,
    /// It ends then.
    #[serde(default)]
    expires: Option<Time>,
}

/// Share links of a pool, newest first; also those that hold no more.
#[utoipa::path(get, path = "/pools/{pool}/shares", tag = "shares", params(("pool" = String, Path)),
    responses((status = 200, body = [ShareInfo]), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<Vec<ShareInfo>>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(shares::list(&app, &pool).await?.into_iter().map(ShareInfo::from).collect()))
}

/// Makes a share link.
#[utoipa::path(post, path = "/pools/{pool}/shares", tag = "shares", params(("pool" = String, Path)), request_body = NewShare,
    responses((status = 201, body = MadeShare), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn create(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(new): Json<NewShare>,
) -> Result<(StatusCode, axum::Json<MadeShare>), Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    let NewShare { name, views, from, to, hosts, places, namespaces, embed, expires } = new;
    let settings = ShareSettings { views, from, to, hosts, places, namespaces, embed };
    let wanted = WantedShare { name, settings, expires };
    let (share, secret) = shares::create(&app, &caller.viewer, &pool, wanted).await?;
    Ok((StatusCode::CREATED, axum::Json(MadeShare { token: secret.reveal().to_owned(), info: share.into() })))
}

/// Revokes a share link; it shows nothing from now on.
#[utoipa::path(delete, path = "/pools/{pool}/shares/{id}", tag = "shares",
    params(("pool" = String, Path), ("id" = i64, Path)),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn revoke(
    app: State,
    caller: Caller,
    Path((name, id)): Path<(String, i64)>,
) -> Result<StatusCode, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    shares::revoke(&app, &pool, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a share link shows.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ShareHead {
    /// Name of the pool.
    pool: String,
    /// What the pool is.
    description: String,
    /// What it is for.
    name: String,
    /// What it shows.
    views: Vec<ShareView>,
    /// Only crawls that began then or later.
    from: Option<Time>,
    /// Only crawls that began earlier.
    to: Option<Time>,
    /// Host names and IP addresses are shown, too.
    hosts: bool,
    /// How exactly it tells where nodes are; null: exactly when it shows hosts, else to a degree.
    places: Option<Places>,
    /// Only nodes of these namespaces; empty: all.
    namespaces: Vec<String>,
    /// It ends then.
    expires: Option<Time>,
}

/// Opens a share link; needs no account.
#[utoipa::path(get, path = "/share/{token}", tag = "shares", params(("token" = String, Path)),
    responses((status = 200, body = ShareHead), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn open(app: State, Path(token): Path<String>) -> Result<axum::Json<ShareHead>, Error> {
    let opened = shares::open(&app, &token).await?;
    opened.count(&app).await?;
    let Opened { share, pool } = opened;
    let ShareSettings { views, from, to, hosts, places, namespaces, .. } = share.settings;
    let (pool, description) = (pool.name.to_string(), pool.settings.description);
    let (name, expires) = (share.name, share.expires);
    Ok(axum::Json(ShareHead { pool, description, name, views, from, to, hosts, places, namespaces, expires }))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SharedMapQuery {
    /// The crawl; the newest that the link shows by default.
    #[param(value_type = Option<i64>)]
    crawl: Option<CrawlId>,
    /// Only nodes of this namespace.
    namespace: Option<String>,
}

/// The map of a share link.
#[utoipa::path(get, path = "/share/{token}/map", tag = "shares", params(("token" = String, Path), SharedMapQuery),
    responses((status = 200, body = SharedMap), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn map(
    app: State,
    Path(token): Path<String>,
    Query(query): Query<SharedMapQuery>,
) -> Result<axum::Json<SharedMap>, Error> {
    let opened = shares::open(&app, &token).await?;
    opened.shows(ShareView::Map)?;
    let crawl = opened.crawl(&app, query.crawl).await?;
    let namespace = query.namespace.filter(|name| !name.is_empty());
    Ok(axum::Json(opened.map(&app, crawl, namespace.as_deref()).await?))
}

/// Nodes of a crawl, through a share link.
#[utoipa::path(get, path = "/share/{token}/nodes", tag = "shares", params(("token" = String, Path), NodesQuery),
    responses((status = 200, body = SharedNodes), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn nodes(
    app: State,
    Path(token): Path<String>,
    Query(query): Query<NodesQuery>,
) -> Result<axum::Json<SharedNodes>, Error> {
    let opened = shares::open(&app, &token).await?;
    opened.shows(ShareView::Nodes)?;
    let filter = opened.checked_filter(query.filter()?)?;
    by_number(&query)?;
    let page = query.page()?;
    let crawl = opened.crawl(&app, query.crawl).await?;
    Ok(axum::Json(opened.nodes(&app, crawl, &filter, page).await?))
}

/// Through a link, a crawl is named by the number that its statistics tell.
fn by_number(query: &NodesQuery) -> Result<(), Error> {
    if query.at.is_none() {
        return Ok(());
    }
    Err(Error::field("at", "name the crawl by its number, as the statistics of this link tell it"))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct SharedRangeQuery {
    /// Crawls that began then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Crawls that began earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Time>,
    /// Older than this crawl: the next page.
    #[param(value_type = Option<i64>)]
    before: Option<CrawlId>,
    /// Rows at most; 20 by default.
    limit: Option<u32>,
    /// Of CSV: names of columns, separated by commas; all by default.
    columns: Option<String>,
}

/// System statistics through a share link, newest first.
#[utoipa::path(get, path = "/share/{token}/stats", tag = "shares", params(("token" = String, Path), SharedRangeQuery),
    responses((status = 200, body = [SharedCrawl]), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn stats(
    app: State,
    Path(token): Path<String>,
    Query(query): Query<SharedRangeQuery>,
) -> Result<axum::Json<Vec<SharedCrawl>>, Error> {
    let opened = shares::open(&app, &token).await?;
    opened.shows(ShareView::Stats)?;
    let limit = page(query.limit.or(Some(CRAWLS_DEFAULT)), None)?.limit;
    Ok(axum::Json(opened.crawls(&app, query.from, query.to, query.before, limit).await?))
}

const CRAWL_COLUMNS: &[Column<SharedCrawl>] = &[
    ("crawl", |s| Cell::own(Some(s.id))),
    ("time", |s| Cell::own(Some(s.started))),
    ("duration_ms", |s| Cell::own(Some(s.duration_ms))),
    ("nodes", |s| Cell::own(Some(s.totals.nodes))),
    ("answering", |s| Cell::own(Some(s.totals.answering))),
    ("unreachable", |s| Cell::own(Some(s.totals.unreachable))),
    ("consistency", |s| Cell::own(s.totals.consistency)),
    ("retries", |s| Cell::own(Some(s.totals.retries))),
    ("missing", |s| Cell::own(Some(s.totals.missing))),
    ("joined", |s| Cell::own(Some(s.totals.joined))),
    ("left", |s| Cell::own(Some(s.totals.left))),
];

const NODE_COLUMNS: &[Column<SharedNode>] = &[
    ("address", |n| Cell::text(Some(&n.address))),
    ("status", |n| Cell::own(Some(n.status.as_str()))),
    ("host_name", |n| Cell::text(n.host_name.as_deref())),
    ("ip", |n| Cell::text(n.ip.as_deref())),
    ("version", |n| Cell::text(n.version.as_deref())),
    ("namespace", |n| Cell::text(n.namespace.as_deref())),
    ("consistency", |n| Cell::own(n.consistency)),
    ("connections", |n| Cell::own(n.connections)),
    ("tcp", |n| Cell::own(n.tcp)),
    ("udp", |n| Cell::own(n.udp)),
    ("relayed", |n| Cell::own(n.relayed)),
    ("secure", |n| Cell::own(n.secure)),
    ("retries", |n| Cell::own(Some(n.retries))),
    ("rtt_ms", |n| Cell::own(n.rtt_ms)),
    ("uptime_s", |n| Cell::own(n.uptime_s)),
    ("memory", |n| Cell::own(n.memory)),
    ("cpu_s", |n| Cell::own(n.cpu_s)),
    ("load", |n| Cell::own(n.load)),
    ("latitude", |n| Cell::own(n.location.map(|place| place.latitude))),
    ("longitude", |n| Cell::own(n.location.map(|place| place.longitude))),
];

/// System statistics as CSV through a share link, oldest first.
#[utoipa::path(get, path = "/share/{token}/stats.csv", tag = "shares", params(("token" = String, Path), SharedRangeQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn stats_csv(
    app: State,
    Path(token): Path<String>,
    Query(query): Query<SharedRangeQuery>,
) -> Result<Response, Error> {
    let opened = shares::open(&app, &token).await?;
    opened.shows(ShareView::Csv)?;
    opened.shows(ShareView::Stats)?;
    let columns = chosen(CRAWL_COLUMNS, query.columns.as_deref())?;
    let rows = opened.all_crawls(&app, query.from, query.to);
    Ok(export::answer(&format!("{}-stats.csv", opened.pool.name), columns, rows))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct SharedColumnsQuery {
    /// Names of columns, separated by commas; all by default.
    columns: Option<String>,
}

/// Nodes of a crawl as CSV through a share link.
#[utoipa::path(get, path = "/share/{token}/nodes.csv", tag = "shares",
    params(("token" = String, Path), NodesQuery, SharedColumnsQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn nodes_csv(
    app: State,
    Path(token): Path<String>,
    Query(query): Query<NodesQuery>,
    Query(wanted): Query<SharedColumnsQuery>,
) -> Result<Response, Error> {
    let opened = shares::open(&app, &token).await?;
    opened.shows(ShareView::Csv)?;
    opened.shows(ShareView::Nodes)?;
    let columns = chosen(NODE_COLUMNS, wanted.columns.as_deref())?;
    let filter = opened.checked_filter(query.filter()?)?;
    by_number(&query)?;
    let name = format!("{}-nodes.csv", opened.pool.name);
    let Some(crawl) = opened.crawl(&app, query.crawl).await? else {
        return Ok(export::answer(&name, columns, stream::empty::<Result<SharedNode, StoreError>>()));
    };
    let app = Arc::clone(&app);
    let parts = stream::try_unfold(0_u64, move |offset| {
        let (app, filter) = (Arc::clone(&app), filter.clone());
        async move {
            let part = app.store.nodes(crawl.id, &filter, Page { limit: PAGE_ROWS, offset }).await?.items;
            let next = offset + part.len() as u64;
            Ok::<_, StoreError>(
                (next > offset).then(|| (stream::iter(part.into_iter().map(Ok::<_, StoreError>)), next)),
            )
        }
    });
    let rows = parts.try_flatten().map(move |node| node.map(|node| opened.told(node)));
    Ok(export::answer(&name, columns, rows))
}
