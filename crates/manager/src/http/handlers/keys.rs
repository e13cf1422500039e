//! The SSH key of a pool.

use axum::extract::Path;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::State;
use crate::http::body::{Json, KEY_MAX};
use crate::http::caller::Caller;
use crate::http::error::ErrorAnswer;
use crate::service::{Error, keys, pools};

/// What is public about a key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct KeyInfo {
    /// `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`, …
    algorithm: String,
    /// `SHA256:…` as `ssh-keygen -l` prints it.
    fingerprint: String,
    /// The line for `authorized_keys` on the hosts.
    public_key: String,
    /// The text that was uploaded is protected by a passphrase.
    encrypted: bool,
}

impl From<p2ppool_remote::KeyInfo> for KeyInfo {
    fn from(info: p2ppool_remote::KeyInfo) -> Self {
        let p2ppool_remote::KeyInfo { algorithm, fingerprint, public_key, encrypted } = info;
        Self { algorithm, fingerprint, public_key, encrypted }
    }
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    /// The private key file's text.
    #[schema(format = Password)]
    key: String,
    /// Its passphrase, when it has one.
    #[serde(default)]
    #[schema(format = Password)]
    passphrase: Option<String>,
    /// The OpenSSH user certificate made for it (the file `…-cert.pub`), when there is one.
    #[serde(default)]
    certificate: Option<String>,
}

impl NewKey {
    /// Nothing in it is longer than it can be.
    pub(crate) fn checked(&self) -> Result<keys::NewKey<'_>, Error> {
        let certificate = self.certificate.as_deref();
        for (field, text) in [("key", Some(self.key.as_str())), ("certificate", certificate)] {
            if text.is_some_and(|text| text.len() > KEY_MAX) {
                return Err(Error::field(field, format!("is longer than any key ({KEY_MAX} bytes)")));
            }
        }
        Ok(keys::NewKey { key: &self.key, passphrase: self.passphrase.as_deref(), certificate })
    }
}

/// What is public about the pool's key; null when it has none.
#[utoipa::path(get, path = "/pools/{pool}/key", tag = "keys", params(("pool" = String, Path)),
    responses((status = 200, body = Option<KeyInfo>), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn show(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<Option<KeyInfo>>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(keys::info(&app, &pool).await?.map(KeyInfo::from)))
}

/// Gives the pool a private key. It is kept sealed and never sent back.
#[utoipa::path(put, path = "/pools/{pool}/key", tag = "keys", params(("pool" = String, Path)), request_body = NewKey,
    responses((status = 200, body = KeyInfo), (status = 422, body = ErrorAnswer)))]
pub(crate) async fn set(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
    Json(new): Json<NewKey>,
) -> Result<axum::Json<KeyInfo>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(keys::set(&app, &pool, &new.checked()?).await?.into()))
}

/// Makes a new key for the pool; put `public_key` into `authorized_keys` on its hosts.
#[utoipa::path(post, path = "/pools/{pool}/key/generate", tag = "keys", params(("pool" = String, Path)),
    responses((status = 200, body = KeyInfo), (status = 404, body = ErrorAnswer)))]
pub(crate) async fn generate(
    app: State,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<axum::Json<KeyInfo>, Error> {
    let pool = pools::changeable(&app, &caller.viewer, &name).await?;
    Ok(axum::Json(keys::generate(&app, &pool).await?.into()))
}
