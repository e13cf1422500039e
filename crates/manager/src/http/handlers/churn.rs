//! Sessions, churn, and the history of one node.

use axum::extract::Path;
use p2ppool_model::Time;
use p2ppool_model::churn::Churn;
use p2ppool_store::Order;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::State;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::{page, word};
use crate::service::churn::{NodeHistory, NodePresence, SessionFilter, Sessions};
use crate::service::history::Range;
use crate::service::sorts::SessionSort;
use crate::service::{Error, churn, pools};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct WindowQuery {
    /// Crawls that began then or later; 30 days before the end by default.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) from: Option<Time>,
    /// Crawls that began earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) to: Option<Time>,
}

impl WindowQuery {
    pub(crate) fn range(&self) -> Range {
        Range { from: self.from, to: self.to }
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct SessionsQuery {
    /// Part of the overlay address.
    q: String,
    /// `address`, `began`, `ended` or `length`; without: those that began last come first.
    sort: Option<String>,
    /// `asc` or `desc`.
    order: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct PageQuery {
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

impl SessionsQuery {
    /// Somebody said in which order.
    pub(crate) fn is_sorted(&self) -> bool {
        let is_said = |word: &Option<String>| word.as_ref().is_some_and(|word| !word.is_empty());
        is_said(&self.sort) || is_said(&self.order)
    }

    pub(crate) fn filter(&self) -> Result<SessionFilter, Error> {
        let (sort, order) = (word("sort", self.sort.as_deref())?, word("order", self.order.as_deref())?);
        let usual = if sort.is_some() { Order::Ascending } else { Order::Descending };
        let sort = sort.unwrap_or(SessionSort::Began);
        Ok(SessionFilter { text: self.q.clone(), sort, order: order.unwrap_or(usual) })
    }
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct PointsQuery {
    /// Crawls at most, 1 to 500; 96 by default. Of more, evenly spaced ones are shown.
    points: Option<u32>,
}

/// Who came and went: classes of nodes, the distribution of session lengths, uptime.
#[utoipa::path(get, path = "/pools/{pool}/churn", tag = "nodes", params(("pool" = String, Path), WindowQuery),
    responses((status = 200, body = Churn), (status = 400, body = ErrorAnswer), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<WindowQuery>,
) -> Result<axum::Json<Churn>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(churn::churn(&app, &pool, query.range()).await?))
}

/// Sessions of nodes, the newest first if nothing else is said, each with what is not known of its beginning and its end.
#[utoipa::path(get, path = "/pools/{pool}/sessions", tag = "nodes",
    params(("pool" = String, Path), WindowQuery, SessionsQuery, PageQuery),
    responses((status = 200, body = Sessions), (status = 400, body = ErrorAnswer), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn sessions(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(window): Query<WindowQuery>,
    Query(query): Query<SessionsQuery>,
    Query(wanted): Query<PageQuery>,
) -> Result<axum::Json<Sessions>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let page = page(wanted.limit, wanted.offset)?;
    Ok(axum::Json(churn::sessions(&app, &pool, window.range(), query.filter()?, page).await?))
}

/// When one node was there: first and last seen, its sessions, its uptime share and class.
#[utoipa::path(get, path = "/pools/{pool}/nodes/{address}/sessions", tag = "nodes",
    params(("pool" = String, Path), ("address" = String, Path), WindowQuery),
    responses((status = 200, body = NodePresence), (status = 400, body = ErrorAnswer), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn node_sessions(
    app: State,
    caller: Caller,
    Path((name, address)): Path<(String, String)>,
    Query(query): Query<WindowQuery>,
) -> Result<axum::Json<NodePresence>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(churn::presence(&app, &pool, &address, query.range()).await?))
}

/// What one node told over time.
#[utoipa::path(get, path = "/pools/{pool}/nodes/{address}/history", tag = "nodes",
    params(("pool" = String, Path), ("address" = String, Path), WindowQuery, PointsQuery),
    responses((status = 200, body = NodeHistory), (status = 400, body = ErrorAnswer), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn node_history(
    app: State,
    caller: Caller,
    Path((name, address)): Path<(String, String)>,
    Query(window): Query<WindowQuery>,
    Query(query): Query<PointsQuery>,
) -> Result<axum::Json<NodeHistory>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(churn::history(&app, &pool, &address, window.range(), query.points).await?))
}
