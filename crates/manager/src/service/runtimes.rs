//! Runtimes: look at them, have one made.

use std::sync::Arc;

use crate::app::App;
use crate::runtimes::{MonoSource, Runtime};
use crate::service::Error;

/// Every runtime.
pub fn list(app: &App) -> Vec<Runtime> {
    app.runtimes.list()
}

/// Ends the making of the relocatable Mono.
///
/// # Errors
/// A conflict when none is being made.
pub fn cancel_mono(app: &App) -> Result<Runtime, Error> {
    let cancelled = app.runtimes.cancel();
    cancelled.map_err(|error| Error::Conflict { code: "not_building", message: error.to_string() })?;
    mono(app)
}

fn mono(app: &App) -> Result<Runtime, Error> {
    app.runtimes.list().into_iter().next().ok_or_else(|| Error::not_found("runtime", "mono"))
}

/// Begins to make the relocatable Mono; it ends by itself, or with the manager.
///
/// # Errors
/// A conflict when one is being made already.
pub fn build_mono(app: &Arc<App>, from_packages: bool) -> Result<Runtime, Error> {
    let source = if from_packages { MonoSource::Packages } else { MonoSource::Any };
    let build =
        app.runtimes.begin(source).map_err(|error| Error::Conflict { code: "building", message: error.to_string() })?;
    let shutdown = app.shutdown.clone();
    tokio::spawn(async move {
        let made = tokio::select! {
            made = build => made,
            () = shutdown.cancelled() => return,
        };
        match made {
            Ok(made) => tracing::info!(digest = made.digest.short(), version = made.version, "made a relocatable Mono"),
            Err(error) => tracing::warn!(%error, "make a relocatable Mono"),
        }
    });
    mono(app)
}
