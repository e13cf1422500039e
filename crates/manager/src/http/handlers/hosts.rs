//! Hosts of a pool and their keys.

use axum::extract::Path;
use p2ppool_model::host::Host;
use p2ppool_model::host_list::{self, HostList, LineError};
use p2ppool_store::{HostFilter, HostsSet};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::http::State;
use crate::http::body::{Json, Query, Text};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::{Listed, page, word};
use crate::service::keys::HostKeys;
use crate::service::{Error, hosts, keys, pools};

/// Which hosts, in which order.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct HostsQuery {
    /// Part of address, user, label (`site=lyon`), node, package or problem.
    q: String,
    /// Only those that could (not) be reached.
    reachable: Option<bool>,
    /// Only those whose node was (not) up.
    running: Option<bool>,
    /// Only those taken off the list (or not).
    leaving: Option<bool>,
    /// A column, such as `address`, `memory`, `problem`.
    sort: Option<String>,
    /// `asc` or `desc`.
    order: Option<String>,
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

impl HostsQuery {
    pub(crate) fn filter(&self) -> Result<HostFilter, Error> {
        Ok(HostFilter {
            text: self.q.clone(),
            reachable: self.reachable,
            running: self.running,
            leaving: self.leaving,
            sort: word("sort", self.sort.as_deref())?.unwrap_or_default(),
            order: word("order", self.order.as_deref())?.unwrap_or_default(),
        })
    }
}

/// What a new host list changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReplacedHosts {
    /// Hosts that were not there.
    added: u64,
    /// Hosts that were there.
    kept: u64,
    /// Hosts that are not on the list any more; the next upgrade or check takes the pool off them.
    leaving: u64,
    /// Lines that repeat an earlier host.
    duplicates: Vec<LineError>,
}

/// What a text says; nothing is stored.
#[utoipa::path(post, path = "/hosts/parse", tag = "hosts", request_body(content = String, content_type = "text/plain"),
    responses((status = 200, body = HostList)))]
pub(crate) async fn parse(caller: Caller, Text(text): Text) -> Result<axum::Json<HostList>, Error> {
    caller.person("checking a host list")?;
    Ok(axum::Json(host_list::parse(&text)))
}

/// Hosts of a pool.
#[utoipa::path(get, path = "/pools/{pool}/hosts", tag = "hosts", params(("pool" = String, Path), HostsQuery),
    responses((status = 200, body = Listed<Host>), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<HostsQuery>,
) -> Result<axum::Json<Listed<Host>>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let page = page(query.limit, query.offset)?;
    Ok(axum::Json(app.store.hosts(pool.id, &query.filter()?, page).await?.into()))
}

/// Replaces the host list. When a line is wrong, nothing is changed and every wrong line is named.
#[utoipa::path(put, path = "/pools/{pool}/hosts", tag = "hosts", params(("pool" = String, Path)),
    request_body(content = String, content_type = "text/plain"),
    responses((status = 200, body = ReplacedHosts), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn replace(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Text(text): Text,
) -> Result<axum::Json<ReplacedHosts>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    let (HostsSet { added, kept, leaving }, duplicates) = hosts::replace(&app, &pool, &text).await?;
    Ok(axum::Json(ReplacedHosts { added, kept, leaving, duplicates }))
}

/// The pinned key of a host, and the one it showed instead, if it did. `host` is its number or its
/// address as in the host list.
#[utoipa::path(get, path = "/pools/{pool}/hosts/{host}/key", tag = "hosts",
    params(("pool" = String, Path), ("host" = String, Path)),
    responses((status = 200, body = HostKeys), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn key(
    app: State,
    caller: Caller,
    Path((name, host)): Path<(String, String)>,
) -> Result<axum::Json<HostKeys>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let host = hosts::find(&app, &pool, &host).await?;
    Ok(axum::Json(keys::of_host(&app, &host).await?))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Trust {
    /// `SHA256:…` of the key that the host shows now.
    fingerprint: String,
}

/// Accepts the key that a host showed instead of its pinned one.
#[utoipa::path(post, path = "/pools/{pool}/hosts/{host}/trust", tag = "hosts",
    params(("pool" = String, Path), ("host" = String, Path)), request_body = Trust,
    responses((status = 200, body = HostKeys), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn trust(
    app: State,
    caller: Caller,
    Path((name, host)): Path<(String, String)>,
    Json(trust): Json<Trust>,
) -> Result<axum::Json<HostKeys>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    let host = hosts::find(&app, &pool, &host).await?;
    Ok(axum::Json(keys::trust(&app, &pool, &host, &trust.fingerprint).await?))
}
