//! Nodes of a snapshot: list, one, map.

use axum::extract::Path;
use p2ppool_model::{CrawlId, Time};
use p2ppool_store::{NodeFilter, Page};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::State;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::{page, word};
use crate::service::nodes::{MapPoints, Nodes, ShownNode, When};
use crate::service::{Error, nodes, pools};

/// Which nodes, in which order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct NodesQuery {
    /// The crawl; the newest by default.
    #[param(value_type = Option<i64>)]
    pub(crate) crawl: Option<CrawlId>,
    /// Instead of `crawl`: the one that began nearest to this time.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) at: Option<Time>,
    /// Part of overlay address, host name, IP, version, namespace, virtual IP or package.
    q: String,
    /// `answering`, `dial_failed`, `connect_failed`, `ask_failed` or `not_dialled`.
    status: Option<String>,
    /// Only those of this namespace.
    namespace: Option<String>,
    /// A column, such as `consistency`.
    sort: Option<String>,
    /// `asc` or `desc`.
    order: Option<String>,
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

impl NodesQuery {
    /// The page that was asked for.
    pub(crate) fn page(&self) -> Result<Page, Error> {
        page(self.limit, self.offset)
    }

    pub(crate) fn when(&self) -> When {
        When { crawl: self.crawl, at: self.at }
    }

    pub(crate) fn filter(&self) -> Result<NodeFilter, Error> {
        Ok(NodeFilter {
            text: self.q.clone(),
            status: word("status", self.status.as_deref())?,
            namespace: self.namespace.clone().filter(|name| !name.is_empty()),
            within: Vec::new(),
            sort: word("sort", self.sort.as_deref())?.unwrap_or_default(),
            order: word("order", self.order.as_deref())?.unwrap_or_default(),
        })
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CrawlQuery {
    /// The crawl; the newest by default.
    #[param(value_type = Option<i64>)]
    crawl: Option<CrawlId>,
    /// Instead of `crawl`: the one that began nearest to this time.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Time>,
}

impl CrawlQuery {
    pub(crate) fn when(&self) -> When {
        When { crawl: self.crawl, at: self.at }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct MapQuery {
    /// The crawl; the newest by default.
    #[param(value_type = Option<i64>)]
    crawl: Option<CrawlId>,
    /// Instead of `crawl`: the one that began nearest to this time.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Time>,
    /// Only nodes of this namespace.
    namespace: Option<String>,
}

/// Nodes of a snapshot, and the hosts that are missing in it.
#[utoipa::path(get, path = "/pools/{pool}/nodes", tag = "nodes", params(("pool" = String, Path), NodesQuery),
    responses((status = 200, body = Nodes), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<NodesQuery>,
) -> Result<axum::Json<Nodes>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let page = page(query.limit, query.offset)?;
    let filter = query.filter()?;
    let crawl = nodes::snapshot_of(&app, &pool, &query.when()).await?;
    Ok(axum::Json(nodes::list(&app, crawl, &filter, page).await?))
}

/// One node by its overlay address.
#[utoipa::path(get, path = "/pools/{pool}/nodes/{address}", tag = "nodes",
    params(("pool" = String, Path), ("address" = String, Path), CrawlQuery),
    responses((status = 200, body = ShownNode), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path((name, address)): Path<(String, String)>,
    Query(query): Query<CrawlQuery>,
) -> Result<axum::Json<ShownNode>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let crawl = nodes::snapshot_of(&app, &pool, &query.when()).await?;
    let crawl = crawl.ok_or_else(|| Error::not_found("node", &address))?;
    Ok(axum::Json(nodes::show(&app, crawl.id, &address).await?))
}

/// The nodes of a snapshot on the map, column by column.
#[utoipa::path(get, path = "/pools/{pool}/map", tag = "nodes", params(("pool" = String, Path), MapQuery),
    responses((status = 200, body = MapPoints), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn map(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<MapQuery>,
) -> Result<axum::Json<MapPoints>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let crawl = nodes::snapshot_of(&app, &pool, &When { crawl: query.crawl, at: query.at }).await?;
    let namespace = query.namespace.filter(|name| !name.is_empty());
    Ok(axum::Json(nodes::map(&app, crawl, namespace.as_deref()).await?))
}
