//! Deployed and seen, joined; repair.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::task::Task;
use p2ppool_model::{CrawlId, Time};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::State;
use crate::http::body::{Json, Query};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::page::{page, word};
use crate::service::deployed::{self, DeployedFilter, DeployedList, Repair};
use crate::service::nodes::When;
use crate::service::{Error, pools};

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct DeployedQuery {
    /// The crawl; the newest by default.
    #[param(value_type = Option<i64>)]
    crawl: Option<CrawlId>,
    /// Instead of `crawl`: the one that began nearest to this time.
    #[param(value_type = Option<String>, format = DateTime)]
    at: Option<Time>,
    /// States, separated by commas: `running_seen`, `running_not_seen`, `seen_wrong`, `seen_not_ours`,
    /// `installed_not_running`, `not_installed`, `unreachable`, `unknown`. All by default.
    state: String,
    /// Part of host name, overlay address, version or problem.
    q: String,
    /// `host`, `state`, `node`, `version`, `package`, `namespace`, `wrong`, `problem` or `looked_at`; without:
    /// hosts in their order, then nodes that are not ours.
    sort: Option<String>,
    /// `asc` or `desc`.
    order: Option<String>,
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

impl DeployedQuery {
    pub(crate) fn when(&self) -> When {
        When { crawl: self.crawl, at: self.at }
    }

    pub(crate) fn filter(&self) -> Result<DeployedFilter, Error> {
        let words = self.state.split(',').map(str::trim).filter(|word| !word.is_empty());
        let states = words.map(|word| word.parse().map_err(|why: String| Error::field("state", why)));
        Ok(DeployedFilter {
            states: states.collect::<Result<_, _>>()?,
            text: self.q.clone(),
            sort: word("sort", self.sort.as_deref())?,
            order: word("order", self.order.as_deref())?.unwrap_or_default(),
        })
    }
}

/// Every host joined with the node that it should be, and the nodes that are not ours.
#[utoipa::path(get, path = "/pools/{pool}/deployed", tag = "hosts", params(("pool" = String, Path), DeployedQuery),
    responses((status = 200, body = DeployedList), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn list(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<DeployedQuery>,
) -> Result<axum::Json<DeployedList>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    let page = page(query.limit, query.offset)?;
    Ok(axum::Json(deployed::list(&app, &pool, query.when(), query.filter()?, page).await?))
}

/// Installs and starts what is missing on some hosts, or on all hosts of some states.
#[utoipa::path(post, path = "/pools/{pool}/repair", tag = "actions", params(("pool" = String, Path)),
    request_body = Repair, responses((status = 202, body = Task), (status = 404, body = ErrorAnswer),
        (status = 409, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn repair(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(wanted): Json<Repair>,
) -> Result<(StatusCode, axum::Json<Task>), Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    let task = deployed::repair(&app, &caller.viewer, pool, wanted).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(task)))
}
