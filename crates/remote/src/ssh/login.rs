//! Authentication.

use std::path::Path;
use std::sync::Arc;

use p2ppool_model::{Cause, Step};
use russh::Error;
use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};

use super::handler::{Client, Shared, describe};
use crate::target::AuthKind;
use crate::{Auth, HostError, Target};

/// Keys of an agent that are offered: sshd's default `MaxAuthTries` is six.
const AGENT_KEYS_MAX: usize = 5;

/// Proves who we are.
pub(super) async fn login(handle: &mut Handle<Client>, target: &Target, shared: &Shared) -> Result<(), HostError> {
    let several = match &target.auth.0 {
        AuthKind::Either(several) => several.as_slice(),
        _ => std::slice::from_ref(&target.auth),
    };
    let mut last = Err("there is no key to offer".to_owned());
    for auth in several {
        last = prove(handle, target.user.as_str(), auth).await;
        if !matches!(&last, Ok(Ok(AuthResult::Failure { partial_success: false, .. })) | Err(_)) {
            break;
        }
    }
    match last {
        Err(why) => Err(rejected(target, &why, shared)),
        Ok(Ok(AuthResult::Success)) => Ok(()),
        Ok(Ok(AuthResult::Failure { partial_success: true, .. })) => {
            Err(rejected(target, "the server wants a second proof besides the key", shared))
        }
        Ok(Ok(AuthResult::Failure { remaining_methods, .. })) => {
            let accepted: Vec<&str> = remaining_methods.iter().map(<&str>::from).collect();
            let why = if accepted.is_empty() {
                shared.reason()
            } else {
                format!("the server accepts {}", accepted.join(", "))
            };
            Err(rejected(target, &why, shared))
        }
        Ok(Err(error)) => {
            let message = format!("log in to {}: connection lost: {}", target.display(), describe(&error));
            Err(HostError::new(Cause::ConnectionLost, Step::Connect, message))
        }
    }
}

/// The server's answer; the outer error says why nothing could be offered.
async fn prove(handle: &mut Handle<Client>, user: &str, auth: &Auth) -> Result<Result<AuthResult, Error>, String> {
    match &auth.0 {
        AuthKind::None | AuthKind::Either(_) => Err("there is no key to offer".to_owned()),
        AuthKind::Key { key, certificate: None } => Ok(with_key(handle, user, key).await),
        AuthKind::Key { key, certificate: Some(certificate) } => {
            Ok(with_certificate(handle, user, key, certificate).await)
        }
        AuthKind::Agent { socket, only } => with_agent(handle, user, socket, only.as_deref()).await,
    }
}

async fn with_key(handle: &mut Handle<Client>, user: &str, key: &Arc<PrivateKey>) -> Result<AuthResult, Error> {
    let hash = rsa_hash(handle, &key.algorithm()).await?;
    handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(key.clone(), hash)).await
}

async fn with_certificate(
    handle: &mut Handle<Client>,
    user: &str,
    key: &Arc<PrivateKey>,
    certificate: &Certificate,
) -> Result<AuthResult, Error> {
    handle.authenticate_openssh_cert(user, key.clone(), certificate.clone()).await
}

/// Offers the agent's keys until one is accepted. The outer error is the agent's.
async fn with_agent(
    handle: &mut Handle<Client>,
    user: &str,
    socket: &Path,
    only: Option<&str>,
) -> Result<Result<AuthResult, Error>, String> {
    let asked = |e: russh::keys::Error| format!("ask the agent at {}: {e}", socket.display());
    let mut agent = AgentClient::connect_uds(socket).await.map_err(asked)?;
    let identities = agent.request_identities().await.map_err(asked)?;
    let mut last = None;
    let wanted = |identity: &AgentIdentity| only.is_none_or(|only| fingerprint(identity) == only);
    for identity in identities.into_iter().filter(wanted).take(AGENT_KEYS_MAX) {
        let signed = match identity {
            AgentIdentity::PublicKey { key, .. } => match rsa_hash(handle, &key.algorithm()).await {
                Ok(hash) => handle.authenticate_publickey_with(user, key, hash, &mut agent).await,
                Err(error) => return Ok(Err(error)),
            },
            AgentIdentity::Certificate { certificate, .. } => match rsa_hash(handle, &certificate.algorithm()).await {
                Ok(hash) => handle.authenticate_certificate_with(user, certificate, hash, &mut agent).await,
                Err(error) => return Ok(Err(error)),
            },
        };
        match signed {
            Ok(AuthResult::Success) => return Ok(Ok(AuthResult::Success)),
            Ok(failure) => last = Some(Ok(failure)),
            // a key that the agent won't sign with (locked, confirmation refused): the next one
            Err(error) => tracing::debug!(%error, "the agent did not sign"),
        }
    }
    last.ok_or_else(|| match only {
        None => format!("the agent at {} has no key that it would sign with", socket.display()),
        Some(only) => format!("the agent at {} has no key {only} that it would sign with", socket.display()),
    })
}

/// Of the key itself, also when the agent has a certificate for it.
fn fingerprint(identity: &AgentIdentity) -> String {
    match identity {
        AgentIdentity::PublicKey { key, .. } => key.fingerprint(HashAlg::Sha256).to_string(),
        AgentIdentity::Certificate { certificate, .. } => {
            certificate.public_key().fingerprint(HashAlg::Sha256).to_string()
        }
    }
}

/// The strongest RSA signature that the server knows; SHA-1 only when it says that it has no other.
async fn rsa_hash(handle: &Handle<Client>, algorithm: &Algorithm) -> Result<Option<HashAlg>, Error> {
    if !matches!(algorithm, Algorithm::Rsa { .. }) {
        return Ok(None);
    }
    Ok(handle.best_supported_rsa_hash().await?.unwrap_or(Some(HashAlg::Sha512)))
}

fn rejected(target: &Target, why: &str, shared: &Shared) -> HostError {
    let message = format!(
        "log in to {}: user `{}` with {} was not accepted: {why}",
        target.display(),
        target.user,
        target.auth.display()
    );
    let mut error = HostError::new(Cause::AuthenticationRejected, Step::Connect, message);
    error.presented = shared.presented().map(Box::new);
    error
}
