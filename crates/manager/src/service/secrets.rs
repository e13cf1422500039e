//! Secrets of pools: sealed on their way into the store, opened on their way out.

use p2ppool_model::Time;
use p2ppool_store::SecretScope;
use zeroize::Zeroizing;

use crate::app::App;
use crate::service::Error;

/// The pool's private SSH key, as uploaded.
pub const SSH_KEY: &str = "ssh_key";
/// The passphrase of that key, when it has one.
pub const SSH_PASSPHRASE: &str = "ssh_passphrase";
/// The secret that all nodes of a pool share, 64 hexadecimal digits.
pub const NETWORK_SECRET: &str = "network_secret";

/// Seals and keeps a secret.
pub async fn put(app: &App, scope: SecretScope, name: &str, plain: &[u8]) -> Result<(), Error> {
    let sealed = app.secrets.seal(&place(scope, name), plain).map_err(Error::internal)?;
    Ok(app.store.put_secret(scope, name, &sealed, Time::now()).await?)
}

/// Opens a secret, if there is one.
pub async fn get(app: &App, scope: SecretScope, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    let Some(sealed) = app.store.secret(scope, name).await? else { return Ok(None) };
    Ok(Some(app.secrets.open(&place(scope, name), &sealed).map_err(Error::internal)?))
}

/// What is authenticated with a secret: a sealed text that is moved elsewhere does not open.
pub fn place(scope: SecretScope, name: &str) -> String {
    format!("{scope}/{name}")
}
