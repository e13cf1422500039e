//! The exchange of one login's key: add the new one, prove it, withdraw the old one, see that it is refused.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use p2ppool_model::host::PinnedKey;
use p2ppool_model::pool::{Pool, TransportName};
use p2ppool_model::{Cause, Step};
use p2ppool_remote::{Auth, Deadlines, HostError, KeyInfo, Target, Transport, authorize, exec, withdraw};

use super::super::access::{self, Access};
use super::super::{ActionError, Context};

/// How long the command that proves a login may take: it does nothing.
const PROOF: Duration = Duration::from_secs(30);

/// The two keys, and the way to hosts.
pub(super) struct Exchange {
    pub(super) ssh: Arc<dyn Transport>,
    pub(super) deadlines: Deadlines,
    pub(super) old: KeyInfo,
    pub(super) new: KeyInfo,
    /// With the old key alone.
    pub(super) old_auth: Arc<Auth>,
    /// With the new key alone.
    pub(super) new_auth: Arc<Auth>,
    /// Logins where other pools use the old key, too.
    pub(super) shared: HashMap<String, String>,
}

impl Exchange {
    /// Logs in with either key; answers the host's own key when none was pinned.
    pub(super) async fn reach(&self, target: &Target) -> Result<Option<PinnedKey>, HostError> {
        Ok(exec(&*self.ssh, target, "exit 0", &self.deadlines, PROOF).await?.first_contact)
    }

    /// The new key is let in beside the old one. Answers whether it was not before.
    pub(super) async fn add(&self, target: &Target) -> Result<bool, HostError> {
        authorize(&*self.ssh, target, &self.deadlines, &self.old.public_key, &self.new.public_key).await
    }

    /// Logs in with the new key alone.
    pub(super) async fn prove(&self, target: &Target) -> Result<(), HostError> {
        let target = Target { auth: Arc::clone(&self.new_auth), ..target.clone() };
        let proven = exec(&*self.ssh, &target, "exit 0", &self.deadlines, PROOF).await;
        proven.map(drop).map_err(kept)
    }

    /// By a login with the new key alone, takes the old one away; then the old one has to be refused.
    /// Answers whether it was still there, and what there is to say.
    pub(super) async fn withdraw(&self, target: &Target) -> Result<(bool, String), HostError> {
        let (old, new) = (&self.old.fingerprint, &self.new.fingerprint);
        if let Some(pool) = self.shared.get(&target.display()) {
            self.prove(target).await?;
            return Ok((false, format!("logs in with {new}; {old} stays, because pool `{pool}` may use it here, too")));
        }
        let proof = Target { auth: Arc::clone(&self.new_auth), ..target.clone() };
        let keys = (&self.old.public_key, &self.new.public_key);
        let taken = withdraw(&*self.ssh, &proof, &self.deadlines, keys.0, keys.1).await.map_err(kept)?;
        self.refused(target).await?;
        Ok((taken, format!("logs in with {new}; {old} is withdrawn")))
    }

    async fn refused(&self, target: &Target) -> Result<(), HostError> {
        let former = Target { auth: Arc::clone(&self.old_auth), ..target.clone() };
        match exec(&*self.ssh, &former, "exit 0", &self.deadlines, PROOF).await {
            Err(error) if error.cause == Cause::AuthenticationRejected => Ok(()),
            Err(error) => Err(error),
            Ok(_) => {
                let message = format!(
                    "{} lets {} in although it is not in ~/.ssh/authorized_keys: look where else it is named \
                     (AuthorizedKeysFile, AuthorizedKeysCommand)",
                    target.display(),
                    self.old.fingerprint
                );
                Err(HostError::new(Cause::Other, Step::Verify, message))
            }
        }
    }
}

fn kept(mut error: HostError) -> HostError {
    if error.cause == Cause::AuthenticationRejected {
        error.message = format!("the new key is in place and the old one is kept, because {}", error.message);
    }
    error
}

/// Logins where another pool of this manager uses the same key: taking it away there would lock that pool out.
pub(super) async fn shared(
    context: &Context,
    pool: &Pool,
    old: &KeyInfo,
) -> Result<HashMap<String, String>, ActionError> {
    let mut shared = HashMap::new();
    for other in context.store.pools().await? {
        let elsewhere = other.settings.transport == TransportName::Local;
        if other.id == pool.id || elsewhere || !access::uses_key(context, &other, &old.fingerprint).await? {
            continue;
        }
        // a pool that can't be reached at all loses nothing
        let Ok(access) = Access::of(context, &other).await else { continue };
        for host in context.store.pool_hosts(other.id).await? {
            shared.insert(access.target(&other, &host).display(), other.name.to_string());
        }
        for jump in access.jumps() {
            shared.insert(jump.target.display(), other.name.to_string());
        }
    }
    Ok(shared)
}
