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
use crate::{HostError, Target};

/// Keys of an agent that are offered: sshd's default `MaxAuthTries` is six.
const AGENT_KEYS_MAX: usize = 5;

/// Proves who we are.
pub(super) async fn login(handle: &mut Handle<Client>, target: &Target, shared: &Shared) -> Result<(), HostError> {
    let user = target.user.as_str();
    let answer = match &target.auth.0 {
        AuthKind::None => return Err(rejected(target, "there is no key to offer", shared)),
        AuthKind::Key { key, certificate: None } => with_key(handle, user, key).await,
        AuthKind::Key { key, certificate: Some(certificate) } => with_certificate(handle, user, key, certificate).await,
        AuthKind::Agent { socket } => match with_agent(handle, user, socket).await {
            Ok(answer) => answer,
            Err(why) => return Err(rejected(target, &why, shared)),
        },
    };
    match answer {
        Ok(AuthResult::Success) => Ok(()),
        Ok(AuthResult::Failure { partial_success: true, .. }) => {
            Err(rejected(target, "the server wants a second proof besides the key", shared))
        }
        Ok(AuthResult::Failure { remaining_methods, .. }) => {
            let accepted: Vec<&str> = remaining_methods.iter().map(<&str>::from).collect();
            let why = if accepted.is_empty() {
                shared.reason()
            } else {
                format!("the server accepts {}", accepted.join(", "))
            };
            Err(rejected(target, &why, shared))
        }
        Err(error) => {
            let message = format!("log in to {}: connection lost: {}", target.display(), describe(&error));
            Err(HostError::new(Cause::ConnectionLost, Step::Connect, message))
        }
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
) -> Result<Result<AuthResult, Error>, String> {
    let asked = |e: russh::keys::Error| format!("ask the agent at {}: {e}", socket.display());
    let mut agent = AgentClient::connect_uds(socket).await.map_err(asked)?;
    let identities = agent.request_identities().await.map_err(asked)?;
    let mut last = None;
    for identity in identities.into_iter().take(AGENT_KEYS_MAX) {
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
    last.ok_or_else(|| format!("the agent at {} has no key that it would sign with", socket.display()))
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
