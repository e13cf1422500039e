//! Uploaded archives, kept by digest.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use p2ppool_model::bundle::{Bundle, BundleFile};
use p2ppool_model::pool::OverlayKindName;
use p2ppool_model::{Digest, Time};
use p2ppool_overlay::bundle::{BundleError, Limits, read};
use p2ppool_overlay::kind::{PackageFile, Program, kind};
use p2ppool_store::Store;

use super::{BUILTIN_NAME, Builtin, BundlesError, NodeSource};
use crate::files::{SharedFiles, bundle_path};
use crate::folders::Folders;

/// Kinds in the order in which they are asked whether a bundle is theirs.
const KINDS: [OverlayKindName; 2] = [OverlayKindName::Libp2p, OverlayKindName::Brunet];

/// What a package is made of.
#[derive(Clone, Debug)]
pub struct Software {
    /// The bundle it came from.
    pub digest: Digest,
    /// Its overlay kind.
    pub kind: OverlayKindName,
    /// Path of the program among the files; `None` for the kind's built-in one.
    pub program: Option<String>,
    /// Architecture that a host must have, if any.
    pub arch: Option<String>,
    /// The files, as they go under `node/`.
    pub files: Vec<PackageFile>,
}

/// All software that the manager can deploy. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bundles {
    folders: Folders,
    files: SharedFiles,
    store: Store,
    source: NodeSource,
    builtin: Arc<OnceLock<Builtin>>,
}

impl Bundles {
    /// Bundles below these folders; the built-in one comes from `source`.
    pub fn new(folders: Folders, store: Store, source: NodeSource) -> Self {
        Self { folders, files: SharedFiles::in_folder(), store, source, builtin: Arc::default() }
    }

    /// Bundles that other managers get, too, and those of others.
    #[must_use]
    pub fn shared(self, files: SharedFiles) -> Self {
        Self { files, ..self }
    }

    /// Checks an uploaded archive and keeps it under its digest. The file at `uploaded` is moved, or
    /// deleted when it is refused.
    pub async fn keep(&self, uploaded: &Path, name: &str) -> Result<Bundle, BundlesError> {
        let result = self.check_and_move(uploaded, name).await;
        if result.is_err() {
            // A refused upload leaves nothing behind; that it may be gone already is fine.
            let _ = tokio::fs::remove_file(uploaded).await;
        }
        let bundle = result?;
        Ok(self.store.put_bundle(&bundle).await?)
    }

    /// The files of an uploaded bundle, or of the built-in one.
    pub async fn software(&self, bundle: &Bundle) -> Result<Software, BundlesError> {
        if bundle.name == BUILTIN_NAME {
            return self.builtin_software().await;
        }
        let path = self.path(&bundle.digest);
        if !path.exists() {
            self.files.fetch(&bundle_path(&bundle.digest), &path).await.map_err(BundlesError::Shared)?;
        }
        let digest = bundle.digest.clone();
        let damaged = move |reason: String| BundlesError::Damaged { digest: digest.clone(), reason };
        let expected = bundle.digest.clone();
        let files = blocking(move || {
            let found = digest_of(&path).map_err(|error| damaged(error.to_string()))?;
            if found != expected {
                return Err(damaged(format!("its digest is {}", found.short())));
            }
            read(&path, &Limits::default()).map(|unpacked| unpacked.files).map_err(|error| damaged(error.to_string()))
        })
        .await?;
        Ok(Software {
            digest: bundle.digest.clone(),
            kind: bundle.kind,
            program: Some(bundle.program.clone()),
            arch: bundle.arch.clone(),
            files,
        })
    }

    /// The built-in p2pnode.
    pub async fn builtin_software(&self) -> Result<Software, BundlesError> {
        let Builtin { digest, files, program } = self.read_builtin().await?;
        Ok(Software { digest, kind: OverlayKindName::Libp2p, program: None, arch: program.arch, files })
    }

    /// Lists the built-in p2pnode among the bundles.
    pub async fn register_builtin(&self) -> Result<Bundle, BundlesError> {
        let Builtin { digest, files, program } = self.read_builtin().await?;
        let size = files.iter().map(|file| file.bytes.len() as u64).sum();
        let bundle = describe(digest, BUILTIN_NAME, OverlayKindName::Libp2p, size, &files, program);
        Ok(self.store.put_bundle(&bundle).await?)
    }

    async fn read_builtin(&self) -> Result<Builtin, BundlesError> {
        if let Some(builtin) = self.builtin.get() {
            return Ok(builtin.clone());
        }
        let source = self.source.clone();
        let read = blocking(move || source.read()).await?;
        Ok(self.builtin.get_or_init(|| read).clone())
    }

    async fn check_and_move(&self, uploaded: &Path, name: &str) -> Result<Bundle, BundlesError> {
        let (path, label) = (uploaded.to_owned(), name.to_owned());
        let bundle = blocking(move || check(&path, &label)).await?;
        let target = self.path(&bundle.digest);
        tokio::fs::rename(uploaded, &target).await.map_err(|error| BundlesError::file(&target, error))?;
        self.files.put(&bundle_path(&bundle.digest), &target).await.map_err(BundlesError::Shared)?;
        Ok(bundle)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.folders.bundles().join(digest.as_str())
    }
}

fn check(path: &Path, name: &str) -> Result<Bundle, BundlesError> {
    let refused = |source| BundlesError::Refused { name: name.to_owned(), source };
    let unpacked = read(path, &Limits::default()).map_err(refused)?;
    let size = path.metadata().map_err(|error| BundlesError::file(path, error))?.len();
    let digest = digest_of(path).map_err(|error| BundlesError::file(path, error))?;
    let (kind, program) = recognise(&unpacked.files).map_err(refused)?;
    Ok(describe(digest, name, kind, size, &unpacked.files, program))
}

/// The first kind that knows the program. When none does: what the kind missed that found its program, else what
/// each looked for.
fn recognise(files: &[PackageFile]) -> Result<(OverlayKindName, Program), BundleError> {
    let mut looked_for = Vec::new();
    for name in KINDS {
        match kind(name).map(|kind| kind.recognise(files)) {
            Some(Ok(program)) => return Ok((name, program)),
            Some(Err(BundleError::NoProgram { reason })) => looked_for.push(reason),
            Some(Err(error)) => return Err(error),
            None => {}
        }
    }
    Err(BundleError::NoProgram { reason: looked_for.join("; ") })
}

fn describe(
    digest: Digest,
    name: &str,
    kind: OverlayKindName,
    size: u64,
    files: &[PackageFile],
    program: Program,
) -> Bundle {
    let file = |file: &PackageFile| BundleFile {
        path: file.path.clone(),
        size: file.bytes.len() as u64,
        executable: file.is_executable(),
    };
    Bundle {
        digest,
        name: name.to_owned(),
        kind,
        size,
        program: program.path,
        version: program.version,
        arch: program.arch,
        files: files.iter().map(file).collect(),
        created: Time::now(),
    }
}

fn digest_of(path: &Path) -> std::io::Result<Digest> {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut HashWriter(&mut hash))?;
    hex::encode(hash.finalize()).parse().map_err(std::io::Error::other)
}

struct HashWriter<'a>(&'a mut sha2::Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        sha2::Digest::update(self.0, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BundlesError> + Send + 'static,
) -> Result<T, BundlesError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}
