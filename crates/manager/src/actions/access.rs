//! How a pool's hosts are reached: keys, jump hosts, pinned host keys.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use p2ppool_model::host::{Host, PinnedKey};
use p2ppool_model::pool::{Pool, TransportName};
use p2ppool_model::ssh::{JumpHost, SshAccess};
use p2ppool_remote::{Auth, Jump, Target, check_key};
use p2ppool_store::{SecretScope, Store, setting_of_pool};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{ActionError, Context};
use crate::secrets::{
    JUMP_CERTIFICATE, JUMP_KEY, JUMP_PASSPHRASE, PREVIOUS_SSH_KEY, PREVIOUS_SSH_PASSPHRASE, SSH_CERTIFICATE, SSH_KEY,
    SSH_PASSPHRASE, of_jump,
};

/// Places at the jump hosts, shared by all pools: a machine has one limit, whoever goes through it.
#[derive(Clone, Debug, Default)]
pub struct JumpPlaces(Arc<Mutex<PlacesByMachine>>);

/// By address and port; without those that nobody uses.
type PlacesByMachine = HashMap<(String, u16), Weak<Semaphore>>;

impl JumpPlaces {
    /// The places at this machine; while somebody uses them, the first one's limit counts.
    fn of(&self, jump: &JumpHost, limit: u16) -> Arc<Semaphore> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, places| places.strong_count() > 0);
        if let Some(places) = known.get(&jump.key()).and_then(Weak::upgrade) {
            return places;
        }
        let places = Arc::new(Semaphore::new(limit.into()));
        known.insert(jump.key(), Arc::downgrade(&places));
        places
    }
}

/// How the hosts of one pool are reached during one task.
#[derive(Clone)]
pub(crate) struct Access {
    auth: Arc<Auth>,
    pinned: Arc<HashMap<(String, u16), String>>,
    jump: Option<Arc<Jump>>,
}

impl Access {
    /// With the pool's settings, keys and pins as they are now.
    pub(crate) async fn of(context: &Context, pool: &Pool) -> Result<Self, ActionError> {
        if pool.settings.transport == TransportName::Local {
            return Ok(Self { auth: Arc::new(Auth::none()), pinned: Arc::default(), jump: None });
        }
        let access = settings(&context.store, pool).await?;
        let auth = Arc::new(auth_of(context, pool, &access).await?);
        let keys = context.store.host_keys(pool.id).await?;
        let pinned = keys.into_iter().map(|(place, key)| (place, key.public_key)).collect();
        let jump = jump_of(context, pool, &access, &auth).await?;
        Ok(Self { auth, pinned: Arc::new(pinned), jump })
    }

    /// How a host is reached.
    pub(crate) fn target(&self, pool: &Pool, host: &Host) -> Target {
        let install_path = pool.settings.install_path_on(&pool.name, &host_folder(host));
        let user = host.spec.user.clone().unwrap_or_else(|| pool.settings.ssh_user.clone());
        match pool.settings.transport {
            TransportName::Local => Target::local(&host.spec.address, install_path),
            TransportName::Ssh => Target {
                address: host.spec.address.clone(),
                port: host.spec.ssh_port(),
                user: if user.is_empty() { own_user() } else { user },
                auth: Arc::clone(&self.auth),
                pinned: self.pinned.get(&host.spec.key()).cloned(),
                install_path,
                jump: self.jump.clone(),
            },
        }
    }

    /// The jump hosts, the farthest first.
    pub(crate) fn jumps(&self) -> impl Iterator<Item = &Jump> {
        self.jump.iter().flat_map(|jump| jump.chain())
    }
}

/// Pins the keys of jump hosts that were met for the first time, and keeps those that were shown instead of pinned ones.
pub(crate) async fn note_jumps(store: &Store, jumps: impl Iterator<Item = &Jump>) -> p2ppool_store::Result<()> {
    for jump in jumps {
        let (address, port) = (&jump.target.address, jump.target.port);
        if let Some(key) = jump.first_contact() {
            store.pin_host_key(address, port, key).await?;
        }
        if let Some(key) = jump.shown() {
            note_shown(store, address, port, key).await?;
        }
    }
    Ok(())
}

async fn note_shown(store: &Store, address: &str, port: u16, key: &PinnedKey) -> p2ppool_store::Result<()> {
    crate::service::keys::note_shown_at(store, address, port, key).await
}

/// The pool's settings of access.
pub(crate) async fn settings(store: &Store, pool: &Pool) -> p2ppool_store::Result<SshAccess> {
    Ok(store.setting(&setting_name(pool)).await?.unwrap_or_default())
}

/// Under which name the settings of access are kept.
pub(crate) fn setting_name(pool: &Pool) -> String {
    setting_of_pool(pool.id, "ssh_access")
}

/// What `{host}` stands for: with its port when it has one of its own, so that two hosts never share a folder.
fn host_folder(host: &Host) -> String {
    match host.spec.port {
        Some(port) => format!("{}_{port}", host.spec.address),
        None => host.spec.address.clone(),
    }
}

/// As ssh does: without another word, the user who runs the manager.
fn own_user() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "root".to_owned())
}

/// The jump hosts behind each other; the last one is the hosts' own.
async fn jump_of(
    context: &Context,
    pool: &Pool,
    access: &SshAccess,
    auth: &Arc<Auth>,
) -> Result<Option<Arc<Jump>>, ActionError> {
    if access.jumps.is_empty() {
        return Ok(None);
    }
    let of_all = key_of(context, pool, [JUMP_KEY, JUMP_PASSPHRASE, JUMP_CERTIFICATE]).await?;
    let of_all = of_all.map_or_else(|| Arc::clone(auth), Arc::new);
    let mut before = None;
    for jump in &access.jumps {
        let names = of_jump(jump);
        let own = key_of(context, pool, names.each_ref().map(String::as_str)).await?;
        let pinned = context.store.host_key(&jump.address, jump.ssh_port()).await?;
        let user = jump.user.clone().unwrap_or_else(|| pool.settings.ssh_user.clone());
        let target = Target {
            address: jump.address.clone(),
            port: jump.ssh_port(),
            user: if user.is_empty() { own_user() } else { user },
            auth: own.map_or_else(|| Arc::clone(&of_all), Arc::new),
            pinned: pinned.map(|key| key.public_key),
            install_path: String::new(),
            jump: before.take(),
        };
        before = Some(Arc::new(Jump::limited(target, context.jumps.of(jump, access.handshakes_of(jump)))));
    }
    Ok(before)
}

/// The pool's key, else the agent of the user who runs the manager.
async fn auth_of(context: &Context, pool: &Pool, access: &SshAccess) -> Result<Auth, ActionError> {
    if access.agent {
        let socket = agent(context).ok_or_else(|| {
            ActionError::Failed(
                "the pool's keys are an ssh-agent's, and the manager has none: start it with SSH_AUTH_SOCK".into(),
            )
        })?;
        return Ok(match &access.agent_key {
            Some(key) => Auth::agent_key(socket, key),
            None => Auth::agent(socket),
        });
    }
    let Some(current) = key_of(context, pool, [SSH_KEY, SSH_PASSPHRASE, SSH_CERTIFICATE]).await? else {
        return match agent(context) {
            Some(socket) => Ok(Auth::agent(socket)),
            None => {
                Err(ActionError::Failed("the pool has no SSH key, and there is no ssh-agent; give it a key".into()))
            }
        };
    };
    Ok(match previous_key(context, pool).await? {
        // a rotation has not come to its end: some hosts know the one, some the other
        Some(previous) => Auth::either([Arc::new(current), Arc::new(previous)]),
        None => current,
    })
}

fn agent(context: &Context) -> Option<PathBuf> {
    context.agent.clone()
}

/// The jump hosts that are reached with the pool's own key, the nearest first.
pub(crate) async fn own_jumps(context: &Context, pool: &Pool) -> Result<Vec<Target>, ActionError> {
    if secret_text(context, pool, JUMP_KEY).await?.is_some() {
        return Ok(Vec::new());
    }
    let access = Access::of(context, pool).await?;
    let mut jumps: Vec<Target> = access.jumps().map(|jump| jump.target.clone()).collect();
    jumps.reverse();
    let mut own = Vec::with_capacity(jumps.len());
    for (jump, target) in settings(&context.store, pool).await?.jumps.iter().zip(jumps) {
        if secret_text(context, pool, &of_jump(jump)[0]).await?.is_none() {
            own.push(target);
        }
    }
    Ok(own)
}

/// Whether the pool may log in anywhere with the key of this fingerprint.
pub(crate) async fn uses_key(context: &Context, pool: &Pool, fingerprint: &str) -> Result<bool, ActionError> {
    let settings = settings(&context.store, pool).await?;
    let of_pool = [[SSH_KEY, SSH_PASSPHRASE], [PREVIOUS_SSH_KEY, PREVIOUS_SSH_PASSPHRASE], [JUMP_KEY, JUMP_PASSPHRASE]];
    let of_jumps = settings.jumps.iter().map(|jump| {
        let [key, passphrase, _] = of_jump(jump);
        [key, passphrase]
    });
    let mut own = false;
    for [key, passphrase] in of_pool.map(|names| names.map(str::to_owned)).into_iter().chain(of_jumps) {
        let Some(text) = secret_text(context, pool, &key).await? else { continue };
        own |= key == SSH_KEY;
        let passphrase = secret_text(context, pool, &passphrase).await?;
        if check_key(&text, passphrase.as_ref().map(|text| text.as_str()))
            .is_ok_and(|key| key.fingerprint == fingerprint)
        {
            return Ok(true);
        }
    }
    // what an agent holds is not known before it is asked
    let by_agent = settings.agent || (!own && context.agent.is_some());
    Ok(by_agent && settings.agent_key.is_none_or(|key| key == fingerprint))
}

/// The pool's own key alone.
pub(crate) async fn current_key(context: &Context, pool: &Pool) -> Result<Option<Auth>, ActionError> {
    key_of(context, pool, [SSH_KEY, SSH_PASSPHRASE, SSH_CERTIFICATE]).await
}

/// The key that a rotation has not yet taken off every host.
pub(crate) async fn previous_key(context: &Context, pool: &Pool) -> Result<Option<Auth>, ActionError> {
    key_of(context, pool, [PREVIOUS_SSH_KEY, PREVIOUS_SSH_PASSPHRASE, ""]).await
}

/// A private key, its passphrase and its certificate, by the names of their secrets.
async fn key_of(context: &Context, pool: &Pool, names: [&str; 3]) -> Result<Option<Auth>, ActionError> {
    let [key, passphrase, certificate] = names;
    let Some(key) = secret_text(context, pool, key).await? else { return Ok(None) };
    let passphrase = secret_text(context, pool, passphrase).await?;
    let passphrase = passphrase.as_ref().map(|text| text.as_str());
    let certificate = if certificate.is_empty() { None } else { secret_text(context, pool, certificate).await? };
    let auth = match certificate {
        Some(certificate) => Auth::certificate(&key, passphrase, &certificate),
        None => Auth::key(&key, passphrase),
    };
    auth.map(Some).map_err(|error| ActionError::Failed(format!("the pool's SSH key can't be used: {error}")))
}

pub(crate) async fn secret_text(
    context: &Context,
    pool: &Pool,
    name: &str,
) -> Result<Option<Zeroizing<String>>, ActionError> {
    let failed =
        |error: &dyn std::fmt::Display| ActionError::Failed(format!("{name} of pool `{}`: {error}", pool.name));
    let secret = context.secrets.get(&context.store, SecretScope::Pool(pool.id), name).await;
    let Some(bytes) = secret.map_err(|error| failed(&error))? else { return Ok(None) };
    let text = String::from_utf8(bytes.to_vec()).map_err(|_| failed(&"not a text"))?;
    Ok(Some(Zeroizing::new(text)))
}
