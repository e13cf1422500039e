//! The SSH key of a pool, and the pinned keys of its hosts.

use p2ppool_model::Time;
use p2ppool_model::event::Change;
use p2ppool_model::host::{Host, PinnedKey};
use p2ppool_model::pool::Pool;
use p2ppool_remote::{KeyInfo, check_key, generate_key};
use p2ppool_store::SecretScope;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::secrets;
use crate::service::Error;

/// Checks a private key and keeps it sealed. What is wrong with it is said at once.
pub async fn set(app: &App, pool: &Pool, key: &str, passphrase: Option<&str>) -> Result<KeyInfo, Error> {
    let passphrase = passphrase.filter(|text| !text.is_empty());
    let info = check_key(key, passphrase).map_err(|error| Error::field("key", error.to_string()))?;
    keep(app, pool, key, passphrase).await?;
    Ok(info)
}

/// Makes a new key for the pool. Its public half goes into `authorized_keys` on the hosts.
pub async fn generate(app: &App, pool: &Pool) -> Result<KeyInfo, Error> {
    let made = generate_key().map_err(Error::internal)?;
    keep(app, pool, &made.private, None).await?;
    Ok(made.info)
}

async fn keep(app: &App, pool: &Pool, key: &str, passphrase: Option<&str>) -> Result<(), Error> {
    let scope = SecretScope::Pool(pool.id);
    match passphrase {
        Some(text) => app.secrets.put(&app.store, scope, secrets::SSH_PASSPHRASE, text.as_bytes()).await?,
        None => app.store.delete_secret(scope, secrets::SSH_PASSPHRASE).await?,
    }
    app.secrets.put(&app.store, scope, secrets::SSH_KEY, key.as_bytes()).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(())
}

/// What is public about the pool's key; `None`: it has none.
pub async fn info(app: &App, pool: &Pool) -> Result<Option<KeyInfo>, Error> {
    let scope = SecretScope::Pool(pool.id);
    let Some(key) = app.secrets.get(&app.store, scope, secrets::SSH_KEY).await? else { return Ok(None) };
    let passphrase = app.secrets.get(&app.store, scope, secrets::SSH_PASSPHRASE).await?;
    let passphrase = passphrase.as_deref().map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let text = String::from_utf8_lossy(&key);
    check_key(&text, passphrase.as_deref()).map(Some).map_err(Error::internal)
}

/// The keys of one host.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct HostKeys {
    /// Pinned: the only one that is accepted.
    pub pinned: Option<PinnedKey>,
    /// Another one that the host showed since; `since` is when. Accept it by its fingerprint.
    pub shown: Option<PinnedKey>,
}

/// The keys of one host.
pub async fn of_host(app: &App, host: &Host) -> Result<HostKeys, Error> {
    let (address, port) = host.spec.key();
    let pinned = app.store.host_key(&address, port).await?;
    let shown: Option<PinnedKey> = app.store.setting(&shown_name(&address, port)).await?;
    Ok(HostKeys {
        shown: shown.filter(|shown| pinned.as_ref().is_none_or(|p| p.public_key != shown.public_key)),
        pinned,
    })
}

/// Remembers the key that a host showed instead of its pinned one, for [`trust`].
pub async fn note_shown(
    store: &p2ppool_store::Store,
    host: &p2ppool_model::host::HostSpec,
    key: &PinnedKey,
) -> p2ppool_store::Result<()> {
    let (address, port) = host.key();
    store.set_setting(&shown_name(&address, port), key, key.since).await
}

/// Places (address and port) of hosts that showed another key than their pinned one, and nobody accepted it yet.
pub async fn all_shown(
    store: &p2ppool_store::Store,
) -> p2ppool_store::Result<std::collections::HashSet<(String, u16)>> {
    let place = |name: &str| {
        let (address, port) = name.strip_prefix(SHOWN)?.rsplit_once('/')?;
        Some((address.to_owned(), port.parse().ok()?))
    };
    Ok(store.settings().await?.iter().filter_map(|(name, _)| place(name)).collect())
}

/// Where [`note_shown`] keeps what it is told.
const SHOWN: &str = "shown_host_key/";

fn shown_name(address: &str, port: u16) -> String {
    format!("{SHOWN}{address}/{port}")
}

/// Accepts the key that the host showed, when it has this fingerprint.
pub async fn trust(app: &App, pool: &Pool, host: &Host, fingerprint: &str) -> Result<HostKeys, Error> {
    let fingerprint = fingerprint.trim();
    let keys = of_host(app, host).await?;
    let is_it = |key: &Option<PinnedKey>| key.as_ref().is_some_and(|key| key.fingerprint == fingerprint);
    if is_it(&keys.pinned) {
        return Ok(keys);
    }
    let Some(shown) = keys.shown.filter(|shown| shown.fingerprint == fingerprint) else {
        return Err(Error::field(
            "fingerprint",
            format!("{} showed no key with this fingerprint; run check, then look at its keys", host.spec.display()),
        ));
    };
    let (address, port) = host.spec.key();
    let pinned = PinnedKey { since: Time::now(), ..shown };
    app.store.replace_host_key(&address, port, &pinned).await?;
    app.store.delete_setting(&shown_name(&address, port)).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(HostKeys { pinned: Some(pinned), shown: None })
}
