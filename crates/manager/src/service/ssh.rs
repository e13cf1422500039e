//! How a pool's hosts are reached beside its key: agent, jump hosts, keys of machines known elsewhere.

use p2ppool_model::Time;
use p2ppool_model::event::Change;
use p2ppool_model::host::PinnedKey;
use p2ppool_model::host_list::LineError;
use p2ppool_model::pool::Pool;
use p2ppool_model::ssh::{JumpHost, SshAccess};
use p2ppool_remote::{KeyInfo, KnownHosts};
use p2ppool_store::SecretScope;
use serde::Serialize;
use utoipa::ToSchema;

use crate::actions::{access, rotate::Progress};
use crate::app::App;
use crate::secrets::{JUMP_CERTIFICATE, JUMP_KEY, JUMP_PASSPHRASE, PREVIOUS_SSH_KEY, of_jump};
use crate::service::{Error, keys};

/// How a pool's hosts are reached, and the keys of its jump hosts.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ShownAccess {
    /// The settings.
    #[serde(flatten)]
    pub settings: SshAccess,
    /// Fingerprint of the key with which jump hosts without one of their own are reached; null: the pool's.
    pub jump_key: Option<String>,
    /// The keys of the jump hosts, in their order.
    pub jump_keys: Vec<JumpKeys>,
    /// The manager was started with an ssh-agent.
    pub agent_there: bool,
    /// A replacement of the pool's key that some hosts have not seen yet.
    pub rotation: Option<KeyRotation>,
}

/// Two keys at the same time.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KeyRotation {
    /// Fingerprint of the key that is withdrawn.
    pub old: String,
    /// Fingerprint of the key that takes its place.
    pub new: String,
    /// Logins that have the new key alone.
    pub done: u64,
}

/// The keys of one jump host.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct JumpKeys {
    /// Its address.
    pub address: String,
    /// Its SSH port.
    pub port: u16,
    /// Fingerprint of the key with which it alone is reached; null: that of all jump hosts, or the pool's.
    pub own_key: Option<String>,
    /// Pinned: the only one that is accepted.
    pub pinned: Option<PinnedKey>,
    /// Another one that it showed since.
    pub shown: Option<PinnedKey>,
}

/// How the pool's hosts are reached.
pub async fn show(app: &App, pool: &Pool) -> Result<ShownAccess, Error> {
    let settings = access::settings(&app.store, pool).await?;
    let mut jump_keys = Vec::new();
    for jump in &settings.jumps {
        let (address, port) = jump.key();
        let keys = keys::at(app, &address, port).await?;
        let [key, passphrase, _] = of_jump(jump);
        let own_key = keys::kept(app, pool, &key, &passphrase).await?.map(|key| key.fingerprint);
        jump_keys.push(JumpKeys { address, port, own_key, pinned: keys.pinned, shown: keys.shown });
    }
    let jump_key = keys::kept(app, pool, JUMP_KEY, JUMP_PASSPHRASE).await?.map(|key| key.fingerprint);
    let agent_there = std::env::var_os("SSH_AUTH_SOCK").is_some();
    Ok(ShownAccess { settings, jump_key, jump_keys, agent_there, rotation: rotation(app, pool).await? })
}

async fn rotation(app: &App, pool: &Pool) -> Result<Option<KeyRotation>, Error> {
    if app.store.secret(SecretScope::Pool(pool.id), PREVIOUS_SSH_KEY).await?.is_none() {
        return Ok(None);
    }
    let progress = Progress::of(&app.store, pool).await?;
    Ok(progress.map(|Progress { old, new, done, .. }| KeyRotation { old, new, done: done.len() as u64 }))
}

/// Replaces the settings of access.
pub async fn set(app: &App, pool: &Pool, new: &SshAccess) -> Result<ShownAccess, Error> {
    new.check().map_err(|error| Error::field(error.field, error.reason))?;
    let old = access::settings(&app.store, pool).await?;
    app.store.set_setting(&access::setting_name(pool), new, Time::now()).await?;
    // the key of a machine that nothing goes through any more
    let is_gone = |jump: &&JumpHost| new.jumps.iter().all(|kept| kept.key() != jump.key());
    for jump in old.jumps.iter().filter(is_gone) {
        forget(app, pool, &of_jump(jump)).await?;
    }
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    show(app, pool).await
}

async fn forget(app: &App, pool: &Pool, names: &[String]) -> Result<(), Error> {
    let changes: Vec<_> = names.iter().map(|name| (name.as_str(), None)).collect();
    Ok(app.secrets.change(&app.store, SecretScope::Pool(pool.id), &changes).await?)
}

/// Names of the secrets of all jump hosts, or of the one that is meant.
async fn secrets_of(app: &App, pool: &Pool, jump: Option<&str>) -> Result<[String; 3], Error> {
    let Some(text) = jump else { return Ok([JUMP_KEY, JUMP_PASSPHRASE, JUMP_CERTIFICATE].map(str::to_owned)) };
    let settings = access::settings(&app.store, pool).await?;
    settings.jump(text).map(of_jump).ok_or_else(|| Error::not_found("jump host", text))
}

/// Gives the pool a key of its own for its jump hosts, or for one of them alone.
pub async fn set_jump_key(
    app: &App,
    pool: &Pool,
    jump: Option<&str>,
    new: &keys::NewKey<'_>,
) -> Result<KeyInfo, Error> {
    let names = secrets_of(app, pool, jump).await?;
    keys::keep(app, pool, names.each_ref().map(String::as_str), new).await
}

/// Jump hosts are reached with the pool's key again; one alone with that of all of them.
pub async fn delete_jump_key(app: &App, pool: &Pool, jump: Option<&str>) -> Result<(), Error> {
    forget(app, pool, &secrets_of(app, pool, jump).await?).await
}

/// Accepts the key that a jump host showed instead of its pinned one.
pub async fn trust_jump(app: &App, pool: &Pool, address: &str, fingerprint: &str) -> Result<ShownAccess, Error> {
    let settings = access::settings(&app.store, pool).await?;
    let jump = settings.jump(address).ok_or_else(|| Error::not_found("jump host", address))?;
    let (at, port) = jump.key();
    keys::trust_at(app, &at, port, fingerprint).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    show(app, pool).await
}

/// What a `known_hosts` file brought.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct KnownHostsResult {
    /// Machines whose key is pinned now.
    pub pinned: Vec<String>,
    /// Machines that had this very key pinned already.
    pub unchanged: u64,
    /// Machines that have another key pinned; nothing was changed for them.
    pub different: Vec<DifferentKey>,
    /// Machines of the pool that the file doesn't name.
    pub unknown: Vec<String>,
    /// Lines that can't be used.
    pub errors: Vec<LineError>,
}

/// A machine whose pinned key is not that of the file.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DifferentKey {
    /// The machine, as in the host list.
    pub host: String,
    /// Fingerprint of the pinned key.
    pub pinned: String,
    /// Fingerprint of the key in the file.
    pub listed: String,
}

/// Pins the keys that a `known_hosts` text has for the pool's hosts and jump hosts. A key that is pinned
/// already is never replaced: that is what `host trust` is for.
pub async fn import_known_hosts(app: &App, pool: &Pool, text: &str) -> Result<KnownHostsResult, Error> {
    let known = KnownHosts::parse(text);
    let mut machines: Vec<(String, String, u16)> = Vec::new();
    for jump in access::settings(&app.store, pool).await?.jumps {
        machines.push((jump.to_string(), jump.address.clone(), jump.ssh_port()));
    }
    for host in app.store.pool_hosts(pool.id).await? {
        machines.push((host.spec.display(), host.spec.address.clone(), host.spec.ssh_port()));
    }
    let mut result = KnownHostsResult::default();
    for (name, address, port) in machines {
        let Some(listed) = known.key(&address, port) else {
            result.unknown.push(name);
            continue;
        };
        let before = app.store.host_key(&address, port).await?;
        let pinned = app.store.pin_host_key(&address, port, listed).await?;
        if pinned.public_key != listed.public_key {
            let listed = listed.fingerprint.clone();
            result.different.push(DifferentKey { host: name, pinned: pinned.fingerprint, listed });
        } else if before.is_some() {
            result.unchanged += 1;
        } else {
            result.pinned.push(name);
        }
    }
    result.errors = known.errors;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(result)
}
