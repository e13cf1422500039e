//! The managers that share the database.

use p2ppool_model::Time;
use serde::Serialize;
use utoipa::ToSchema;

use crate::all_limits::{ALL_MAX, AllLimits};
use crate::engine::Colleague;
use crate::http::State;
use crate::http::body::Json;
use crate::http::error::ErrorAnswer;
use crate::limits::ManagerLimits;
use crate::service::Error;

/// One manager.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ManagerView {
    /// Its name in the database.
    id: String,
    /// The machine it runs on.
    host: String,
    /// Its process there.
    pid: u32,
    /// Where it listens.
    address: Option<String>,
    /// Its version.
    version: String,
    /// When it started.
    started_at: Time,
    /// Its last heartbeat.
    seen_at: Time,
    /// Tasks that it runs.
    tasks: u64,
    /// How much it does at once, by its `--hosts-connecting`, `--hosts-working`, `--connections-per-second` and `--tasks`.
    limits: Option<ManagerLimits>,
    /// What it may use of the limits over all managers; the same as `limits` when there are none.
    share: ManagerLimits,
    /// Its last heartbeat is not older than a lease; of one that is dead others take the tasks.
    alive: bool,
    /// It answers this request.
    this: bool,
}

impl From<Colleague> for ManagerView {
    fn from(colleague: Colleague) -> Self {
        let Colleague { seen, is_alive, is_this, share } = colleague;
        let beat = seen.beat;
        Self {
            id: beat.id,
            host: beat.host,
            pid: beat.pid,
            address: beat.address,
            version: beat.version,
            started_at: seen.started_at,
            seen_at: seen.seen_at,
            tasks: seen.tasks,
            limits: serde_json::from_value(beat.limits).ok(),
            share,
            alive: is_alive,
            this: is_this,
        }
    }
}

/// The managers that share the database, oldest first; those that died within a day, too.
#[utoipa::path(get, path = "/managers", tag = "manager",
    responses((status = 200, body = [ManagerView]), (status = 403, body = ErrorAnswer)))]
pub(crate) async fn list(app: State) -> Result<axum::Json<Vec<ManagerView>>, Error> {
    let managers = app.engine.managers().await.map_err(Error::from)?;
    Ok(axum::Json(managers.into_iter().map(ManagerView::from).collect()))
}

/// Limits over all managers that share the database; what is null has none but each manager's own.
#[utoipa::path(get, path = "/managers/limits", tag = "manager",
    responses((status = 200, body = AllLimits), (status = 403, body = ErrorAnswer)))]
pub(crate) async fn limits(app: State) -> Result<axum::Json<AllLimits>, Error> {
    Ok(axum::Json(app.engine.all_limits().await?))
}

/// Sets limits over all managers. The living ones divide them evenly, by their heartbeats; each keeps at least 1 of each.
#[utoipa::path(put, path = "/managers/limits", tag = "manager", request_body = AllLimits,
    responses((status = 200, body = AllLimits), (status = 403, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set_limits(app: State, Json(limits): Json<AllLimits>) -> Result<axum::Json<AllLimits>, Error> {
    if let Some((field, value)) = limits.wrong() {
        return Err(Error::field(field, format!("{value} is not a limit; 1 to {ALL_MAX}, or null for none")));
    }
    app.engine.set_all_limits(&limits).await?;
    Ok(axum::Json(limits))
}
