//! The overlay as a graph.

use axum::extract::Path;

use crate::http::State;
use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::http::handlers::nodes::CrawlQuery;
use crate::service::topology::{self, Topology};
use crate::service::{Error, pools};

/// Who named whom in a snapshot, column by column, with components, degrees and path lengths.
#[utoipa::path(get, path = "/pools/{pool}/topology", tag = "nodes", params(("pool" = String, Path), CrawlQuery),
    responses((status = 200, body = Topology), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<CrawlQuery>,
) -> Result<axum::Json<Topology>, Error> {
    let pool = pools::visible(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(topology::topology(&app, &pool, query.when()).await?))
}
