//! What changes, as it changes.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::IntoResponse;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::http::body::Query;
use crate::http::caller::Caller;
use crate::http::rates::StreamCounts;
use crate::http::{State, sse};
use crate::service::Error;

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// Only events of this pool.
    pool: Option<String>,
}

/// A stream of events (`text/event-stream`), each with one `Event` as its data. Resumes after the
/// `Last-Event-ID` header; a viewer that fell behind gets `"type": "reread"`.
#[utoipa::path(get, path = "/events", tag = "events", params(EventsQuery),
    responses((status = 200, content_type = "text/event-stream", body = p2ppool_model::event::Event)))]
pub(crate) async fn stream(
    app: State,
    caller: Caller,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Error> {
    let slot = Arc::clone(&app.streams).try_acquire_owned().map_err(|_| Error::Busy)?;
    let own = StreamCounts::open(&app.streams_of, &caller)?;
    let after = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse().ok());
    let wanted = sse::Wanted { pool: query.pool, viewer: caller.viewer, proof: caller.proof, after };
    Ok(sse::stream(Arc::clone(&app), wanted, (slot, own)))
}
