//! What was deployed last, with the settings of that time: what a rolling upgrade brings back.

use p2ppool_model::pool::{Pool, PoolSettings};
use p2ppool_model::rollout::Release;
use p2ppool_model::{Digest, Time};

use super::{ActionError, Context};

/// The setting that keeps a pool's last release.
pub(crate) fn setting(pool: &Pool) -> String {
    format!("pool/{}/deployed", pool.id)
}

/// The pool's software is now this, deployed with the settings it has.
pub(crate) async fn set(context: &Context, pool: &Pool, bundle: &Digest, package: &Digest) -> Result<(), ActionError> {
    context.store.set_pool_software(pool.id, Some(bundle), Some(package)).await?;
    let settings = pool.settings.clone();
    let release = Release { package: Some(package.clone()), bundle: Some(bundle.clone()), settings };
    context.store.set_setting(&setting(pool), &release, Time::now()).await?;
    Ok(())
}

/// The pool's last release. Where none was kept, its present settings have to do.
pub(crate) async fn get(context: &Context, pool: &Pool) -> Result<Release, ActionError> {
    let kept: Option<Release> = context.store.setting(&setting(pool)).await?;
    let known =
        || Release { package: pool.package.clone(), bundle: pool.bundle.clone(), settings: pool.settings.clone() };
    Ok(kept.filter(|release| release.package == pool.package).unwrap_or_else(known))
}

/// `onto` with everything of `from` that is written on hosts.
pub(crate) fn on_hosts(from: &PoolSettings, onto: &PoolSettings) -> PoolSettings {
    PoolSettings {
        namespace: from.namespace.clone(),
        ports: from.ports,
        kad_protocol: from.kad_protocol.clone(),
        bootstrap: from.bootstrap.clone(),
        brunet: from.brunet.clone(),
        ..onto.clone()
    }
}
