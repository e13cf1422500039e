//! How a pool's hosts are reached: agent, jump hosts, `known_hosts`, `~/.ssh/config`.

use axum::extract::Path;
use axum::http::StatusCode;
use p2ppool_model::ssh::SshAccess;
use p2ppool_model::ssh_config::{self, SshConfig};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::keys::{KeyInfo, NewKey};
use crate::http::State;
use crate::http::body::{Json, Query, Text};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::ssh::{self, KnownHostsResult, ShownAccess};
use crate::service::ssh_facts::{self, SshFacts};
use crate::service::{Error, pools};

/// How the pool's hosts are reached beside its key.
#[utoipa::path(get, path = "/pools/{pool}/ssh", tag = "keys", params(("pool" = String, Path)),
    responses((status = 200, body = ShownAccess), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<ShownAccess>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(ssh::show(&app, &pool).await?))
}

/// Replaces how the pool's hosts are reached; running tasks go on as they began.
#[utoipa::path(put, path = "/pools/{pool}/ssh", tag = "keys", params(("pool" = String, Path)),
    request_body = SshAccess,
    responses((status = 200, body = ShownAccess), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(new): Json<SshAccess>,
) -> Result<axum::Json<ShownAccess>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(ssh::set(&app, &pool, &new).await?))
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WhichJump {
    /// The one jump host that it is about, as in the settings; all of them by default.
    jump: Option<String>,
}

/// Gives the pool a key of its own for its jump hosts, or for one of them alone. A jump host without a key of its own is
/// reached with that of all jump hosts; without that, with the pool's.
#[utoipa::path(put, path = "/pools/{pool}/ssh/jump-key", tag = "keys", params(("pool" = String, Path), WhichJump),
    request_body = NewKey,
    responses((status = 200, body = KeyInfo), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set_jump_key(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(WhichJump { jump }): Query<WhichJump>,
    Json(new): Json<NewKey>,
) -> Result<axum::Json<KeyInfo>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(ssh::set_jump_key(&app, &pool, jump.as_deref(), &new.checked()?).await?.into()))
}

/// Forgets the key of the jump hosts, or of one of them.
#[utoipa::path(delete, path = "/pools/{pool}/ssh/jump-key", tag = "keys", params(("pool" = String, Path), WhichJump),
    responses((status = 204), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn delete_jump_key(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Query(WhichJump { jump }): Query<WhichJump>,
) -> Result<StatusCode, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    ssh::delete_jump_key(&app, &pool, jump.as_deref()).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustJump {
    /// The jump host, as in the settings.
    jump: String,
    /// `SHA256:…` of the key that it shows now.
    fingerprint: String,
}

/// Accepts the key that a jump host showed instead of its pinned one.
#[utoipa::path(post, path = "/pools/{pool}/ssh/trust", tag = "keys", params(("pool" = String, Path)),
    request_body = TrustJump,
    responses((status = 200, body = ShownAccess), (status = 404, body = ErrorAnswer), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn trust(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(TrustJump { jump, fingerprint }): Json<TrustJump>,
) -> Result<axum::Json<ShownAccess>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(ssh::trust_jump(&app, &pool, &jump, &fingerprint).await?))
}

/// Pins the host keys that a `known_hosts` file has for the pool's hosts; hashed names are fine.
#[utoipa::path(put, path = "/pools/{pool}/known-hosts", tag = "keys", params(("pool" = String, Path)),
    request_body(content = String, content_type = "text/plain"),
    responses((status = 200, body = KnownHostsResult), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn known_hosts(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Text(text): Text,
) -> Result<axum::Json<KnownHostsResult>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(ssh::import_known_hosts(&app, &pool, &text).await?))
}

/// With what this manager reaches hosts by SSH: host keys, limits, deadlines. They are said when it is started.
#[utoipa::path(get, path = "/settings/ssh", tag = "settings",
    responses((status = 200, body = SshFacts), (status = 401, body = ErrorAnswer)))]
pub(crate) async fn facts(app: State) -> Result<axum::Json<SshFacts>, Error> {
    Ok(axum::Json(ssh_facts::facts(&app).await?))
}

/// The hosts of an OpenSSH client configuration; nothing is stored.
#[utoipa::path(post, path = "/hosts/import", tag = "hosts",
    request_body(content = String, content_type = "text/plain"), responses((status = 200, body = SshConfig)))]
pub(crate) async fn import(caller: Caller, Text(text): Text) -> Result<axum::Json<SshConfig>, Error> {
    caller.person("reading an SSH configuration")?;
    Ok(axum::Json(ssh_config::parse(&text)))
}
