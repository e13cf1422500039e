//! The audit log.

use std::sync::Arc;

use axum::response::Response;
use futures::{Stream, TryStreamExt as _, stream};
use p2ppool_model::audit::AuditResult;
use p2ppool_model::{Time, UserId};
use p2ppool_store::{AuditFilter, AuditLine, Page, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::http::State;
use crate::http::body::Query;
use crate::http::error::ErrorAnswer;
use crate::http::export::{self, Cell, Column, chosen};
use crate::http::page::{Listed, page, word};
use crate::service::Error;

/// Lines read at once for a CSV.
const PAGE_ROWS: u32 = 2_000;

/// Which lines.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct AuditQuery {
    /// Only by this person, schedule or workflow.
    who: Option<String>,
    /// Only this action, such as `DELETE /pools/{pool}`.
    action: Option<String>,
    /// Only about this pool.
    pool: Option<String>,
    /// Only what ended so: `ok`, `refused` or `failed`.
    result: Option<String>,
    /// Then or later.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Time>,
    /// Earlier.
    #[param(value_type = Option<String>, format = DateTime)]
    to: Option<Time>,
    /// Part of who, action, pool, subject, details or address.
    q: String,
    /// Rows at most.
    limit: Option<u32>,
    /// Rows to leave out at the beginning.
    offset: Option<u64>,
}

impl AuditQuery {
    fn filter(&self) -> Result<AuditFilter, Error> {
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        Ok(AuditFilter {
            text: self.q.clone(),
            actor: some(&self.who),
            action: some(&self.action),
            pool: some(&self.pool),
            result: word("result", self.result.as_deref())?,
            from: self.from,
            until: self.to,
            ..AuditFilter::default()
        })
    }
}

/// One thing that somebody did, tried to do, or looked at although it holds a secret.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AuditEntry {
    /// Rises with each line.
    id: i64,
    /// When.
    at: Time,
    /// Whose account it was, if it was one.
    user: Option<UserId>,
    /// Name of the person, schedule or workflow.
    who: String,
    /// Method and route.
    action: String,
    /// The pool it was about, if it was about one.
    pool: Option<String>,
    /// On what: the path that was asked for.
    subject: String,
    /// How it ended; null in lines from before this was kept.
    result: Option<AuditResult>,
    /// Network address that it came from.
    address: Option<String>,
    /// The rest.
    #[schema(value_type = Object)]
    details: serde_json::Value,
}

impl From<AuditLine> for AuditEntry {
    fn from(line: AuditLine) -> Self {
        let p2ppool_store::AuditEntry { at, user, actor, action, pool, subject, details, address, result } = line.entry;
        Self { id: line.id, at, user, who: actor, action, pool, subject, result, address, details }
    }
}

/// The audit log, newest first. Nobody can change or delete a line of it.
#[utoipa::path(get, path = "/audit", tag = "audit", params(AuditQuery),
    responses((status = 200, body = Listed<AuditEntry>), (status = 403, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn list(app: State, Query(query): Query<AuditQuery>) -> Result<axum::Json<Listed<AuditEntry>>, Error> {
    let lines = app.store.audit(&query.filter()?, page(query.limit, query.offset)?).await?;
    let items = lines.items.into_iter().map(AuditEntry::from).collect();
    Ok(axum::Json(Listed { total: lines.total, items }))
}

const COLUMNS: &[Column<AuditEntry>] = &[
    ("id", |line| Cell::own(Some(line.id))),
    ("at", |line| Cell::own(Some(line.at))),
    ("who", |line| Cell::text(Some(&line.who))),
    ("action", |line| Cell::text(Some(&line.action))),
    ("pool", |line| Cell::text(line.pool.as_deref())),
    ("subject", |line| Cell::text(Some(&line.subject))),
    ("result", |line| Cell::own(line.result.map(AuditResult::as_str))),
    ("address", |line| Cell::text(line.address.as_deref())),
    ("details", |line| Cell::text(Some(line.details.to_string()))),
];

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub(crate) struct ColumnsQuery {
    /// Names of columns, separated by commas; all by default.
    columns: Option<String>,
}

/// The audit log as CSV, newest first, whole.
#[utoipa::path(get, path = "/audit.csv", tag = "audit", params(AuditQuery, ColumnsQuery),
    responses((status = 200, body = String, content_type = "text/csv"), (status = 403, body = ErrorAnswer)))]
pub(crate) async fn export(
    app: State,
    Query(query): Query<AuditQuery>,
    Query(wanted): Query<ColumnsQuery>,
) -> Result<Response, Error> {
    let columns = chosen(COLUMNS, wanted.columns.as_deref())?;
    let rows = all_lines(Arc::clone(&app), query.filter()?).map_ok(AuditEntry::from);
    Ok(export::answer("audit.csv", columns, rows))
}

/// Every line, part by part: lines that come meanwhile are newer than all of them.
fn all_lines(app: Arc<App>, filter: AuditFilter) -> impl Stream<Item = Result<AuditLine, StoreError>> + Send {
    let parts = stream::try_unfold(Some(filter), move |filter| {
        let app = Arc::clone(&app);
        async move {
            let Some(filter) = filter else { return Ok(None) };
            let lines = app.store.audit(&filter, Page::first(PAGE_ROWS)).await?.items;
            let next = lines.last().map(|line| AuditFilter { before: Some(line.id), ..filter });
            Ok::<_, StoreError>(Some((stream::iter(lines.into_iter().map(Ok)), next)))
        }
    });
    parts.try_flatten()
}
