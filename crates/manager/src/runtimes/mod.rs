//! What several packages share on a host: a relocatable Mono, for hosts that have none.
//!
//! ```text
//! none ──build──► building ──► ready ──build──► building …
//!                     └──────► failed, or cancelled (what was ready before stays)
//! ```
//! It is made once on the manager, named by its content, and sent to each host once: this does what
//! mkbundle did for the programs of 2010.

mod mono;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use p2ppool_model::{Digest, Time};
use p2ppool_remote::Package;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

use crate::folders::{Folders, private_folder, write_private};

pub use mono::MonoSource;

/// File name of what is known of the newest one.
const KNOWN: &str = "mono.json";

/// A runtime as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Runtime {
    /// Its name: `mono`.
    pub name: String,
    /// Being made, ready, or why it could not be made.
    pub state: RuntimeState,
    /// What is being done, or what went wrong; empty when it is ready.
    pub message: String,
    /// The one that hosts get, when there is one.
    pub made: Option<MadeRuntime>,
}

/// Where the making of a runtime is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuntimeState {
    /// It was never made.
    None,
    /// It is being made.
    Building,
    /// Hosts can get it.
    Ready,
    /// The last attempt failed; one that was ready before is still used.
    Failed,
}

/// A runtime that can be sent to hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeRuntime {
    /// SHA-256 of the archive: its name on hosts.
    pub digest: Digest,
    /// Version of Mono, such as `6.8.0.105`.
    pub version: String,
    /// Machine architecture (`uname -m`) that it is for.
    pub arch: String,
    /// Least glibc of a host.
    pub glibc: String,
    /// Size of the archive, bytes.
    pub size: u64,
    /// When it was made.
    pub built: Time,
}

/// Why there is no runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// Nobody made it yet.
    #[error(
        "the pool's nodes run on the bundled Mono, and none was made yet; run `p2ppool runtime build mono` on the \
         manager, or choose the hosts' own Mono (brunet.runtime = system)"
    )]
    NotMade,
    /// It is being made by somebody else.
    #[error("the runtime is being made already")]
    Building,
    /// Nothing is being made that could be ended.
    #[error("no runtime is being made")]
    NotBuilding,
    /// Somebody ended the making.
    #[error("the making was cancelled")]
    Cancelled,
    /// It can't be made here.
    #[error("make the relocatable Mono: {0}")]
    Make(String),
    /// A file of the manager can't be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// The runtimes of this manager. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Runtimes {
    folders: Folders,
    progress: Arc<Mutex<Progress>>,
    /// The newest archive, in memory once it was needed.
    package: Arc<Mutex<Option<Package>>>,
}

#[derive(Debug, Default)]
struct Progress {
    building: bool,
    message: String,
    /// Ends the making that is under way.
    cancel: CancellationToken,
}

impl Runtimes {
    /// The runtimes below these folders.
    pub fn new(folders: Folders) -> Self {
        Self { folders, progress: Arc::default(), package: Arc::default() }
    }

    /// Every runtime that there is or could be.
    pub fn list(&self) -> Vec<Runtime> {
        let made = self.known();
        let progress = self.progress();
        let state = match (progress.building, progress.message.is_empty(), &made) {
            (true, ..) => RuntimeState::Building,
            (false, false, _) => RuntimeState::Failed,
            (false, true, Some(_)) => RuntimeState::Ready,
            (false, true, None) => RuntimeState::None,
        };
        vec![Runtime { name: "mono".to_owned(), state, message: progress.message.clone(), made }]
    }

    /// Begins to make a Mono of Debian's packages. The future makes and keeps it, and tells what is missing
    /// on this machine when it can't; dropped, it ends.
    ///
    /// # Errors
    /// [`RuntimeError::Building`] when one is being made.
    pub fn begin(
        &self,
        source: MonoSource,
    ) -> Result<impl Future<Output = Result<MadeRuntime, RuntimeError>> + Send + use<>, RuntimeError> {
        let turn = Turn::begin(self.clone())?;
        Ok(async move {
            let Turn(runtimes) = &turn;
            let cancel = runtimes.progress().cancel.clone();
            let result = tokio::select! {
                biased;
                () = cancel.cancelled() => Err(RuntimeError::Cancelled),
                made = runtimes.make(source) => made,
            };
            runtimes.progress().message = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
            result
        })
    }

    /// Ends the making that is under way; its programs are killed and its working files deleted.
    ///
    /// # Errors
    /// [`RuntimeError::NotBuilding`] when none is.
    pub fn cancel(&self) -> Result<(), RuntimeError> {
        let progress = self.progress();
        if !progress.building {
            return Err(RuntimeError::NotBuilding);
        }
        progress.cancel.cancel();
        Ok(())
    }

    /// The archive that hosts get.
    ///
    /// # Errors
    /// [`RuntimeError::NotMade`] when it was never made or is damaged.
    pub async fn package(&self) -> Result<Package, RuntimeError> {
        let made = self.known().ok_or(RuntimeError::NotMade)?;
        let kept = self.kept().clone();
        if let Some(package) = kept.filter(|package| package.digest == made.digest) {
            return Ok(package);
        }
        let path = self.archive(&made.digest);
        let read = tokio::task::spawn_blocking(move || match std::fs::read(&path) {
            Ok(bytes) => Ok(Package::new(bytes)),
            Err(source) => Err(RuntimeError::File { path, source }),
        });
        let package = read.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        if package.digest != made.digest {
            return Err(RuntimeError::NotMade);
        }
        *self.kept() = Some(package.clone());
        Ok(package)
    }

    async fn make(&self, source: MonoSource) -> Result<MadeRuntime, RuntimeError> {
        let folder = self.folder();
        private_folder(&folder).map_err(|error| RuntimeError::File { path: folder.clone(), source: error })?;
        let say = |text: &str| self.progress().message = text.to_owned();
        let mono::Mono { package, version, arch, glibc } = mono::make(source, &folder, say).await?;
        let made = MadeRuntime {
            digest: package.digest.clone(),
            version,
            arch,
            glibc,
            size: package.size(),
            built: Time::now(),
        };
        let path = self.archive(&made.digest);
        let known = serde_json::to_vec_pretty(&made).map_err(|error| RuntimeError::Make(error.to_string()))?;
        // the archive first: what is known of one that is not there would be wrong
        write_private(&path, &package.bytes).map_err(|source| RuntimeError::File { path: path.clone(), source })?;
        let file = folder.join(KNOWN);
        write_private(&file, &known).map_err(|source| RuntimeError::File { path: file, source })?;
        self.forget_others(&path);
        *self.kept() = Some(package);
        Ok(made)
    }

    fn forget_others(&self, newest: &std::path::Path) {
        for entry in std::fs::read_dir(self.folder()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path != newest && path.extension().is_some_and(|extension| extension == "tgz") {
                // hosts have their copy; what stays here costs only space
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn known(&self) -> Option<MadeRuntime> {
        let text = std::fs::read(self.folder().join(KNOWN)).ok()?;
        let made: MadeRuntime = serde_json::from_slice(&text).ok()?;
        self.archive(&made.digest).is_file().then_some(made)
    }

    fn folder(&self) -> PathBuf {
        self.folders.root().join("runtimes")
    }

    fn archive(&self, digest: &Digest) -> PathBuf {
        self.folder().join(format!("{digest}.tgz"))
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Package>> {
        self.package.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Only one is made at a time; a making that is dropped ends its turn.
struct Turn(Runtimes);

impl Turn {
    fn begin(runtimes: Runtimes) -> Result<Self, RuntimeError> {
        let mut progress = runtimes.progress();
        if progress.building {
            return Err(RuntimeError::Building);
        }
        *progress = Progress { building: true, message: "begins".to_owned(), cancel: CancellationToken::new() };
        drop(progress);
        Ok(Self(runtimes))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.progress().building = false;
    }
}
