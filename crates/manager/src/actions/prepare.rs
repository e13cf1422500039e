//! Everything that is the same for all hosts of a pool: kind, configs, package.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p2ppool_model::brunet::MonoRuntime;
use p2ppool_model::bundle::Bundle;
use p2ppool_model::host::HostSpec;
use p2ppool_model::pool::{OverlayKindName, Pool};
use p2ppool_model::rollout::Release;
use p2ppool_model::{Digest, PoolName};
use p2ppool_overlay::{LocalNode, OverlayKind, PackageFile, PoolView};
use p2ppool_remote::Package;
use p2ppool_store::SecretScope;

use super::{ActionError, Context};
use crate::bundles::{BundlesError, Packages, Software};
use crate::folders::Folders;
use crate::secrets::NETWORK_SECRET;
use crate::{bundles, local_node};

/// A pool as its hosts get it.
pub(crate) struct Prepared {
    pub(crate) pool: Pool,
    pub(crate) package: Package,
    /// What the package needs on each host beside itself.
    pub(crate) runtime: Option<Package>,
    kind: &'static dyn OverlayKind,
    specs: Vec<HostSpec>,
    operators: Vec<String>,
    program: Option<String>,
    local: LocalNode,
}

/// A pool as its overlay kind sees it, without a package yet.
#[derive(Clone)]
pub(crate) struct Rendered {
    pub(crate) pool: Pool,
    pub(crate) kind: &'static dyn OverlayKind,
    pub(crate) specs: Vec<HostSpec>,
    pub(crate) operators: Vec<String>,
    pub(crate) local: LocalNode,
    /// What the pool's packages need on each host beside themselves.
    pub(crate) runtime: Option<Package>,
}

impl Rendered {
    /// Of a pool with its hosts (those that left are left out), its secret and the manager's identity.
    pub(crate) async fn of(context: &Context, pool: &Pool) -> Result<Self, ActionError> {
        let mut pool = pool.clone();
        let secret = context.secrets.get(&context.store, SecretScope::Pool(pool.id), NETWORK_SECRET).await;
        let secret = secret.map_err(|error| ActionError::Failed(error.to_string()))?;
        pool.settings.network_secret = secret.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let name = pool.settings.kind;
        let kind = p2ppool_overlay::kind(name)
            .ok_or_else(|| ActionError::Failed(format!("this build has no overlay kind `{}`", name.as_str())))?;
        let hosts = context.store.pool_hosts(pool.id).await?;
        let specs: Vec<HostSpec> = hosts.into_iter().filter(|host| !host.leaving).map(|host| host.spec).collect();
        let operators = vec![operator(context)?];
        let local = local_node::place(context, &pool, &specs).await?;
        Ok(Self { pool, kind, specs, operators, local, runtime: None })
    }

    pub(crate) fn view<'a>(&'a self, program: Option<&'a str>) -> PoolView<'a> {
        PoolView {
            name: &self.pool.name,
            settings: &self.pool.settings,
            hosts: &self.specs,
            operators: &self.operators,
            program,
            runtime: self.runtime.as_ref().map(|runtime| &runtime.digest),
            local: Some(&self.local),
        }
    }
}

/// The runtime that a pool's settings want.
async fn runtime_of(context: &Context, pool: &Pool) -> Result<Option<Package>, ActionError> {
    let settings = &pool.settings;
    if settings.kind != OverlayKindName::Brunet || settings.brunet.runtime != MonoRuntime::Bundled {
        return Ok(None);
    }
    context.runtimes.package().await.map(Some).map_err(|error| ActionError::Failed(error.to_string()))
}

impl Prepared {
    /// Of this bundle.
    pub(crate) async fn of(context: &Context, pool: &Pool, bundle: &Bundle) -> Result<Self, ActionError> {
        let runtime = runtime_of(context, pool).await?;
        let rendered = Rendered { runtime, ..Rendered::of(context, pool).await? };
        let software = context.bundles.software(bundle).await.map_err(failed)?;
        let package = context.packages.of(&rendered, &software).await.map_err(failed)?;
        let Rendered { pool, kind, specs, operators, local, runtime } = rendered;
        Ok(Self { pool, package, runtime, kind, specs, operators, program: software.program, local })
    }

    /// Of a release that hosts had before: the very package when it is still kept, else one made
    /// of its bundle and settings again.
    pub(crate) async fn of_release(context: &Context, pool: &Pool, release: &Release) -> Result<Self, ActionError> {
        let missing = || ActionError::Failed("there is no release before to bring back".into());
        let bundle = context.store.bundle(release.bundle.as_ref().ok_or_else(missing)?).await?;
        let pool = Pool { settings: release.settings.clone(), ..pool.clone() };
        let kept = match &release.package {
            Some(digest) => context.packages.get(&pool.name, digest).await.map_err(failed)?,
            None => None,
        };
        let Some(package) = kept else { return Self::of(context, &pool, &bundle).await };
        let runtime = runtime_of(context, &pool).await?;
        let Rendered { pool, kind, specs, operators, local, .. } = Rendered::of(context, &pool).await?;
        // the program's place is in the package already; what only a host has does not name it
        Ok(Self { pool, package, runtime, kind, specs, operators, program: None, local })
    }

    /// The files that only this host has.
    pub(crate) fn host_files(&self, host: &HostSpec) -> Vec<PackageFile> {
        self.kind.host_files(&self.view(), host)
    }

    /// Where the local node is.
    pub(crate) fn local(&self) -> &LocalNode {
        &self.local
    }

    fn view(&self) -> PoolView<'_> {
        PoolView {
            name: &self.pool.name,
            settings: &self.pool.settings,
            hosts: &self.specs,
            operators: &self.operators,
            program: self.program.as_deref(),
            runtime: self.runtime.as_ref().map(|runtime| &runtime.digest),
            local: Some(&self.local),
        }
    }
}

/// Packages that were made, so that nothing is compressed twice while the manager runs.
#[derive(Clone)]
pub struct PackageCache {
    kept: Packages,
    /// The digest of everything that a package is made of, and of the package.
    made: Arc<Mutex<HashMap<Digest, Digest>>>,
}

/// Most packages that are remembered: a few per pool.
const REMEMBERED_MAX: usize = 1_000;

impl PackageCache {
    /// Packages below these folders.
    pub fn new(folders: Folders) -> Self {
        Self { kept: Packages::new(folders), made: Arc::default() }
    }

    async fn of(&self, rendered: &Rendered, software: &Software) -> Result<Package, BundlesError> {
        let view = rendered.view(software.program.as_deref());
        let inputs = inputs(&software.digest, &rendered.kind.package_files(&view));
        let name = &rendered.pool.name;
        let known = self.made().get(&inputs).cloned();
        if let Some(digest) = known
            && let Some(package) = self.get(name, &digest).await?
        {
            return Ok(package);
        }
        let (cache, rendered, software) = (self.clone(), rendered.clone(), software.clone());
        let made = tokio::task::spawn_blocking(move || {
            let view = rendered.view(software.program.as_deref());
            let name = &rendered.pool.name;
            let package = bundles::build(rendered.kind, &view, &software)
                .map_err(|error| BundlesError::file(cache.kept.folder(name), error))?;
            cache.kept.put(name, &package)?;
            let mut made = cache.made();
            if made.len() >= REMEMBERED_MAX {
                made.clear();
            }
            made.insert(inputs, package.digest.clone());
            drop(made);
            Ok(package)
        });
        made.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    /// A package that was made before; `None` when it is not kept (any more).
    async fn get(&self, pool: &PoolName, digest: &Digest) -> Result<Option<Package>, BundlesError> {
        let (kept, pool, digest) = (self.kept.clone(), pool.clone(), digest.clone());
        // reads it whole and compares its digest
        let read = tokio::task::spawn_blocking(move || kept.get(&pool, &digest)).await;
        read.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }

    fn made(&self) -> MutexGuard<'_, HashMap<Digest, Digest>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One digest of everything that decides the bytes of a package.
fn inputs(software: &Digest, files: &[PackageFile]) -> Digest {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    let mut part = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_be_bytes());
        hasher.update(bytes);
    };
    part(software.as_str().as_bytes());
    for file in files {
        part(file.path.as_bytes());
        part(&file.mode.to_be_bytes());
        part(&file.bytes);
    }
    Digest::of(&hasher.finalize())
}

fn failed(error: BundlesError) -> ActionError {
    ActionError::Failed(error.to_string())
}

/// The manager's own overlay address: nodes tell it everything.
fn operator(context: &Context) -> Result<String, ActionError> {
    p2ppool_overlay::libp2p::Identity::load_or_create(&context.folders.operator_key())
        .map(|identity| identity.peer_id().to_string())
        .map_err(|error| ActionError::Failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_is_another_input() {
        let files = [PackageFile::text("run", "exec true\n")];
        let digest = Digest::of(b"bundle");
        let before = inputs(&digest, &files);
        let executable = [PackageFile { mode: 0o755, ..files[0].clone() }];
        assert_ne!(before, inputs(&digest, &executable));
        assert_ne!(before, inputs(&Digest::of(b"other"), &files));
        assert_eq!(before, inputs(&digest, &files));
    }
}
