//! Replaces the SSH key of a pool on all its hosts: adds the new one, proves a login with it, and only
//! then takes the old one away.
//!
//! ```text
//! one key ─► two keys ─► jump hosts let the new one in ─► every host: add, prove, withdraw, refused
//!    ▲           ▲                                              │ all
//!    │           └──────────── some were not reached ◄──────────┤
//!    └── the old one is forgotten ◄── withdrawn from jump hosts ┘
//! ```
//! While both exist, every task offers both, the new one first. The old one is forgotten when no host
//! needs it any more; until then a further rotation goes on with the same two. Each arrow can be cut by
//! a crash: what is kept before it and after it is enough to go on.

mod exchange;
mod progress;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use p2ppool_model::pool::{Pool, TransportName};
use p2ppool_model::{HostId, Outcome, Step};
use p2ppool_remote::{Auth, HostSession, KeyInfo, Target, check_key, generate_key};
use p2ppool_store::SecretScope;
use serde_json::json;

use super::access::{self, Access, secret_text};
use super::fleet::{Fleet, Halt, HostWork, Right, Visit};
use super::{ActionError, Context, End, Run};
use crate::secrets::{PREVIOUS_SSH_KEY, PREVIOUS_SSH_PASSPHRASE, SSH_CERTIFICATE, SSH_KEY, SSH_PASSPHRASE};
use exchange::Exchange;
use progress::Found;
pub(crate) use progress::Progress;

pub(crate) async fn run(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let context = &run.context;
    let Some((keys, mut progress, own)) = begin(run, &pool).await? else {
        forget_previous(context, &pool).await?;
        let result = Progress::of(&context.store, &pool).await?.map(|done| json!({ "old": done.old, "new": done.new }));
        return Ok(End { message: String::new(), result });
    };
    let result = json!({ "old": keys.old.fingerprint, "new": keys.new.fingerprint, "public_key": keys.new.public_key });
    let exchange = Arc::new(exchange_of(context, &pool, keys).await?);
    let before = if own { HashSet::new() } else { right(run) };
    let mut jumps = access::own_jumps(context, &pool).await?;
    for jump in &mut jumps {
        admit(context, &exchange, jump).await?;
    }
    Fleet::of(run, &pool).await?.work(run, Rotation(Arc::clone(&exchange))).await;
    let places = places(context, &pool).await?;
    let done = right(run).into_iter().filter(|host| !before.contains(host));
    progress.done.extend(done.filter_map(|host| places.get(&host).cloned()));
    progress.keep(&context.store, &pool).await?;
    if run.stop.is_requested() {
        return Err(ActionError::Cut);
    }
    let left = places.values().filter(|place| !progress.done.contains(*place)).count();
    if left > 0 {
        let message = format!(
            "{left} of {} hosts still have the old key alone; both keys are offered until another rotation has reached them",
            places.len()
        );
        return Ok(End { message, result: Some(result) });
    }
    // the farthest first: the way to it is not cut before
    for jump in jumps.iter().rev() {
        exchange.withdraw(jump).await.map_err(|error| failed(&format!("the jump host: {}", error.message)))?;
    }
    progress.finished = true;
    progress.keep(&context.store, &pool).await?;
    forget_previous(context, &pool).await?;
    Ok(End { message: String::new(), result: Some(result) })
}

/// What is public about both keys.
struct Keys {
    old: KeyInfo,
    new: KeyInfo,
}

/// The two keys and how far they are; the new one is made unless there are two already. The last answer:
/// this very task has worked with them before. `None`: it has come to its end before.
async fn begin(run: &Run, pool: &Pool) -> Result<Option<(Keys, Progress, bool)>, ActionError> {
    let context = &run.context;
    if pool.settings.transport == TransportName::Local {
        return Err(failed("its hosts are folders of this machine; there is no key"));
    }
    if access::settings(&context.store, pool).await?.agent {
        return Err(failed("its keys are an ssh-agent's: only their owner can replace them"));
    }
    let current =
        kept(context, pool, SSH_KEY, SSH_PASSPHRASE).await?.ok_or_else(|| failed("it has no key of its own"))?;
    let previous = kept(context, pool, PREVIOUS_SSH_KEY, PREVIOUS_SSH_PASSPHRASE).await?;
    let mut progress = Progress::of(&context.store, pool).await?.unwrap_or_default();
    let former = previous.as_ref().map(|info| info.fingerprint.as_str());
    let found = progress::found(&progress, run.task.id, former, &current.fingerprint);
    let keys = match (found, previous) {
        (Found::Finished, _) => return Ok(None),
        (Found::Own | Found::Earlier, Some(old)) => Keys { old, new: current },
        (_, _) => make(context, pool, current).await?,
    };
    if progress.new != keys.new.fingerprint {
        let (old, new) = (keys.old.fingerprint.clone(), keys.new.fingerprint.clone());
        progress = Progress { old, new, ..Progress::default() };
    }
    (progress.task, progress.finished) = (Some(run.task.id), false);
    progress.keep(&context.store, pool).await?;
    Ok(Some((keys, progress, found == Found::Own)))
}

/// Makes the new key; it takes the old one's place in the same instant in which that becomes the previous one.
async fn make(context: &Context, pool: &Pool, old: KeyInfo) -> Result<Keys, ActionError> {
    if secret_text(context, pool, SSH_CERTIFICATE).await?.is_some() {
        return Err(failed("its key logs in by a certificate: set a new key with a new certificate instead"));
    }
    let key = secret_text(context, pool, SSH_KEY).await?.ok_or_else(|| failed("its key is gone"))?;
    let passphrase = secret_text(context, pool, SSH_PASSPHRASE).await?;
    let made = generate_key().map_err(|error| failed(&format!("make a key: {error}")))?;
    let changes = [
        (PREVIOUS_SSH_KEY, Some(key.as_bytes())),
        (PREVIOUS_SSH_PASSPHRASE, passphrase.as_ref().map(|text| text.as_bytes())),
        (SSH_KEY, Some(made.private.as_bytes())),
        (SSH_PASSPHRASE, None),
    ];
    let changed = context.secrets.change(&context.store, SecretScope::Pool(pool.id), &changes).await;
    changed.map_err(|error| failed(&format!("keep the new key: {error}")))?;
    super::pool_changed(context, pool);
    Ok(Keys { old, new: made.info })
}

/// What is public about a key that is kept under these names.
async fn kept(context: &Context, pool: &Pool, key: &str, passphrase: &str) -> Result<Option<KeyInfo>, ActionError> {
    let Some(key) = secret_text(context, pool, key).await? else { return Ok(None) };
    let passphrase = secret_text(context, pool, passphrase).await?;
    let info = check_key(&key, passphrase.as_ref().map(|text| text.as_str()));
    info.map(Some).map_err(|error| failed(&format!("its key can't be read: {error}")))
}

fn failed(why: &str) -> ActionError {
    ActionError::Failed(format!("rotate the key of the pool: {why}"))
}

async fn exchange_of(context: &Context, pool: &Pool, keys: Keys) -> Result<Exchange, ActionError> {
    let gone = || failed("one of its keys is gone");
    let of = |auth: Option<Auth>| auth.map(Arc::new).ok_or_else(gone);
    let (old_auth, new_auth) =
        (of(access::previous_key(context, pool).await?)?, of(access::current_key(context, pool).await?)?);
    Ok(Exchange {
        ssh: context.transport(TransportName::Ssh),
        deadlines: context.deadlines.clone(),
        shared: exchange::shared(context, pool, &keys.old).await?,
        old: keys.old,
        new: keys.new,
        old_auth,
        new_auth,
    })
}

/// A jump host that is reached with the pool's key lets the new one in, too, before any host loses the old one.
async fn admit(context: &Context, exchange: &Exchange, jump: &mut Target) -> Result<(), ActionError> {
    let say = |why: &str| failed(&format!("the jump host: {why}; nothing was changed on the hosts"));
    if jump.pinned.is_none() {
        let shown = exchange.reach(jump).await.map_err(|error| say(&error.message))?;
        if let Some(shown) = shown {
            let pinned = context.store.pin_host_key(&jump.address, jump.port, &shown).await?;
            jump.pinned = Some(pinned.public_key);
        }
    }
    exchange.add(jump).await.map_err(|error| say(&error.message))?;
    exchange.prove(jump).await.map_err(|error| say(&error.message))
}

/// Hosts that this task has brought to where it wants them.
fn right(run: &Run) -> HashSet<HostId> {
    let is_right = |outcome| matches!(outcome, Outcome::Ok | Outcome::Unchanged);
    run.recorder.rows().into_iter().filter(|row| is_right(row.outcome)).map(|row| row.host).collect()
}

/// The login of every host of the pool.
async fn places(context: &Context, pool: &Pool) -> Result<HashMap<HostId, String>, ActionError> {
    let access = Access::of(context, pool).await?;
    let hosts = context.store.pool_hosts(pool.id).await?;
    Ok(hosts.iter().map(|host| (host.id, access.target(pool, host).display())).collect())
}

async fn forget_previous(context: &Context, pool: &Pool) -> Result<(), ActionError> {
    let changes = [(PREVIOUS_SSH_KEY, None), (PREVIOUS_SSH_PASSPHRASE, None)];
    let changed = context.secrets.change(&context.store, SecretScope::Pool(pool.id), &changes).await;
    changed.map_err(|error| failed(&format!("forget the old key: {error}")))?;
    super::pool_changed(context, pool);
    Ok(())
}

struct Rotation(Arc<Exchange>);

#[async_trait]
impl HostWork for Rotation {
    async fn on_host(&self, visit: &mut Visit, _session: &mut HostSession) -> Result<Right, Halt> {
        let mut target = visit.target.clone();
        // pinned by the session that stands
        target.pinned = visit.pinned.clone().or(target.pinned);
        visit.step(Step::Configure).await?;
        let added = self.0.add(&target).await?;
        visit.step(Step::Verify).await?;
        let (taken, message) = self.0.withdraw(&target).await?;
        Ok(Right { changed: added || taken, message })
    }
}
