//! Actions on a pool: each queues a task and answers with it.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::Action;
use p2ppool_model::fault::Fault;
use p2ppool_model::task::Task;
use serde::Serialize;

use crate::actions::params::{CrawlParams, DataParams, DeployParams, LogsParams, NoParams, StopParams, UsageParams};
use crate::http::State;
use crate::http::body::Json;
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::tasks::UpgradeParams;
use crate::service::{Error, pools, tasks};

type Queued = Result<(StatusCode, axum::Json<Task>), Error>;

async fn queue(app: State, caller: Caller, pool: &str, action: Action, params: impl Serialize) -> Queued {
    let pool = pools::changeable(&app, &caller.viewer, pool).await?;
    let task = tasks::request(&app, &caller.viewer, pool, action, params).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(task)))
}

macro_rules! action {
    ($(#[$doc:meta])* $name:ident, $path:literal, $action:ident, $params:ident) => {
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "actions", params(("pool" = String, Path)), request_body = $params,
            responses((status = 202, body = Task), (status = 404, body = ErrorAnswer), (status = 409, body = ErrorAnswer)))]
        pub(crate) async fn $name(
            app: State,
            caller: Caller,
            Path(pool): Path<String>,
            Json(params): Json<$params>,
        ) -> Queued {
            queue(app, caller, &pool, Action::$action, params).await
        }
    };
}

action!(
    /// Puts the package on every host, starts it, verifies it.
    install, "/pools/{pool}/install", Install, DeployParams
);
action!(
    /// Stops every node; keeps files and history.
    suspend, "/pools/{pool}/suspend", Suspend, NoParams
);
action!(
    /// Starts what suspend stopped.
    resume, "/pools/{pool}/resume", Resume, NoParams
);
action!(
    /// Uninstalls from every host and retires the pool.
    stop, "/pools/{pool}/stop", Stop, StopParams
);
action!(
    /// Is the right package running everywhere? Repairs it where not.
    check, "/pools/{pool}/check", Check, NoParams
);
action!(
    /// Walks the overlay and stores a snapshot.
    crawl, "/pools/{pool}/crawl", Crawl, CrawlParams
);
action!(
    /// Retries the hosts that stop could not reach; deletes what is finished.
    uninstall_check, "/pools/{pool}/uninstall_check", UninstallCheck, NoParams
);
action!(
    /// Brings back node logs as `logs.zip`.
    gather_logs, "/pools/{pool}/gather_logs", GatherLogs, LogsParams
);
action!(
    /// Brings back result files as `data.zip`.
    gather_data, "/pools/{pool}/gather_data", GatherData, DataParams
);
action!(
    /// Memory, CPU, load, disk and uptime of every host, or of a sample of them; the only action that a
    /// pool takes before its install.
    gather_usage, "/pools/{pool}/gather_usage", GatherUsage, UsageParams
);
action!(
    /// Replaces the SSH key on every host: adds the new one, proves a login with it, then withdraws the old one.
    rotate_key, "/pools/{pool}/rotate_key", RotateKey, NoParams
);

/// Stops or kills chosen nodes on purpose, or starts again what is down. The seed of a random choice is recorded.
#[utoipa::path(post, path = "/pools/{pool}/fault", tag = "actions", params(("pool" = String, Path)),
    request_body = Fault, responses((status = 202, body = Task), (status = 404, body = ErrorAnswer),
        (status = 409, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn fault(app: State, caller: Caller, Path(pool): Path<String>, Json(fault): Json<Fault>) -> Queued {
    queue(app, caller, &pool, Action::Fault, fault).await
}

/// Like install, with new settings, hosts or bundle; leaves alone what is right already.
#[utoipa::path(post, path = "/pools/{pool}/upgrade", tag = "actions", params(("pool" = String, Path)),
    request_body = UpgradeParams, responses((status = 202, body = Task), (status = 404, body = ErrorAnswer),
        (status = 409, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn upgrade(
    app: State,
    caller: Caller,
    Path(pool): Path<String>,
    Json(params): Json<UpgradeParams>,
) -> Queued {
    let pool = pools::changeable(&app, &caller.viewer, &pool).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(tasks::upgrade(&app, &caller.viewer, pool, params).await?)))
}
