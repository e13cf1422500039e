//! The SSH key of a pool, and the pinned keys of its hosts.

use p2ppool_model::event::Change;
use p2ppool_model::host::{Host, PinnedKey};
use p2ppool_model::pool::Pool;
use p2ppool_model::{Action, Time};
use p2ppool_remote::{Auth, KeyInfo, check_key, generate_key};
use p2ppool_store::SecretScope;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::secrets;
use crate::service::Error;

/// A private key as a person gives it.
#[derive(Clone, Copy)]
pub struct NewKey<'a> {
    /// The key file's text.
    pub key: &'a str,
    /// Its passphrase, when it has one.
    pub passphrase: Option<&'a str>,
    /// The OpenSSH user certificate made for it, when there is one.
    pub certificate: Option<&'a str>,
}

/// The names under which the parts of a pool's key are kept.
const OF_POOL: [&str; 3] = [secrets::SSH_KEY, secrets::SSH_PASSPHRASE, secrets::SSH_CERTIFICATE];

/// Checks a private key and keeps it sealed. What is wrong with it is said at once.
pub async fn set(app: &App, pool: &Pool, new: &NewKey<'_>) -> Result<KeyInfo, Error> {
    not_while_rotating(app, pool).await?;
    keep(app, pool, OF_POOL, new).await
}

/// Makes a new key for the pool. Its public half goes into `authorized_keys` on the hosts.
pub async fn generate(app: &App, pool: &Pool) -> Result<KeyInfo, Error> {
    not_while_rotating(app, pool).await?;
    let made = generate_key().map_err(Error::internal)?;
    keep(app, pool, OF_POOL, &NewKey { key: &made.private, passphrase: None, certificate: None }).await
}

/// A task that puts a key on hosts must find the same one in the end.
async fn not_while_rotating(app: &App, pool: &Pool) -> Result<(), Error> {
    let open = app.store.open_tasks(Some(pool.id)).await?;
    match open.iter().find(|task| task.action == Action::RotateKey) {
        None => Ok(()),
        Some(task) => {
            let message = format!("task #{} replaces the key on the hosts; wait for its end or cancel it", task.id);
            Err(Error::Conflict { code: "key_rotates", message })
        }
    }
}

/// Checks a key with everything that belongs to it, and keeps it under these names.
pub(super) async fn keep(app: &App, pool: &Pool, names: [&str; 3], new: &NewKey<'_>) -> Result<KeyInfo, Error> {
    let given = |text: Option<&'_ str>| text.map(str::to_owned).filter(|text| !text.trim().is_empty());
    let (passphrase, certificate) = (new.passphrase.filter(|text| !text.is_empty()), given(new.certificate));
    let info = check_key(new.key, passphrase).map_err(|error| Error::field("key", error.to_string()))?;
    if let Some(certificate) = &certificate {
        Auth::certificate(new.key, passphrase, certificate)
            .map_err(|error| Error::field("certificate", error.to_string()))?;
    }
    let [key, pass, cert] = names;
    let mut changes = vec![
        (key, Some(new.key.as_bytes())),
        (pass, passphrase.map(str::as_bytes)),
        (cert, certificate.as_deref().map(str::as_bytes)),
    ];
    if names == OF_POOL {
        // a key that a person chose ends a rotation
        changes.extend([(secrets::PREVIOUS_SSH_KEY, None), (secrets::PREVIOUS_SSH_PASSPHRASE, None)]);
    }
    app.secrets.change(&app.store, SecretScope::Pool(pool.id), &changes).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(info)
}

/// What is public about the pool's key; `None`: it has none.
pub async fn info(app: &App, pool: &Pool) -> Result<Option<KeyInfo>, Error> {
    kept(app, pool, secrets::SSH_KEY, secrets::SSH_PASSPHRASE).await
}

/// What is public about the key that is kept under these names; `None`: there is none.
pub(super) async fn kept(app: &App, pool: &Pool, key: &str, passphrase: &str) -> Result<Option<KeyInfo>, Error> {
    let scope = SecretScope::Pool(pool.id);
    let Some(key) = app.secrets.get(&app.store, scope, key).await? else { return Ok(None) };
    let passphrase = app.secrets.get(&app.store, scope, passphrase).await?;
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
    at(app, &address, port).await
}

/// The keys of the machine at this address and SSH port.
pub(super) async fn at(app: &App, address: &str, port: u16) -> Result<HostKeys, Error> {
    let pinned = app.store.host_key(address, port).await?;
    let shown: Option<PinnedKey> = app.store.setting(&shown_name(address, port)).await?;
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
    note_shown_at(store, &address, port, key).await
}

/// The same for a machine that is no host of a pool.
pub(crate) async fn note_shown_at(
    store: &p2ppool_store::Store,
    address: &str,
    port: u16,
    key: &PinnedKey,
) -> p2ppool_store::Result<()> {
    store.set_setting(&shown_name(&address.to_ascii_lowercase(), port), key, key.since).await
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
    let (address, port) = host.spec.key();
    let keys = trust_at(app, &address, port, fingerprint).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(keys)
}

/// Accepts the key that the machine at this address and SSH port showed.
pub(super) async fn trust_at(app: &App, address: &str, port: u16, fingerprint: &str) -> Result<HostKeys, Error> {
    let fingerprint = fingerprint.trim();
    let keys = at(app, address, port).await?;
    let is_it = |key: &Option<PinnedKey>| key.as_ref().is_some_and(|key| key.fingerprint == fingerprint);
    if is_it(&keys.pinned) {
        // the other one was looked at and is not accepted
        app.store.delete_setting(&shown_name(address, port)).await?;
        return Ok(HostKeys { shown: None, ..keys });
    }
    let Some(shown) = keys.shown.filter(|shown| shown.fingerprint == fingerprint) else {
        return Err(Error::field(
            "fingerprint",
            format!("{address} showed no key with this fingerprint; run check, then look at its keys"),
        ));
    };
    let pinned = PinnedKey { since: Time::now(), ..shown };
    app.store.replace_host_key(address, port, &pinned).await?;
    app.store.delete_setting(&shown_name(address, port)).await?;
    Ok(HostKeys { pinned: Some(pinned), shown: None })
}
