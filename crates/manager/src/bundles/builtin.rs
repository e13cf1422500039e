//! The p2pnode that belongs to this manager: carried inside, or found beside it.
//!
//! One program per machine architecture. With several of them, the package gets all, and a script in
//! the program's place picks the host's.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use p2ppool_model::Digest;
use p2ppool_model::pool::OverlayKindName;
use p2ppool_overlay::kind::{PackageFile, Program, kind};

use super::BundlesError;

/// The name under which the built-in software is listed.
pub const BUILTIN_NAME: &str = "builtin";
/// File name of the program.
const PROGRAM: &str = "p2pnode";
/// Largest program that is read, bytes.
const PROGRAM_MAX: u64 = 256 * 1024 * 1024;
/// gzip of the program that was named at build time; empty when none was.
const CARRIED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/p2pnode.gz"));
/// Stands in the program's place when there is more than one architecture.
const CHOOSER: &str = "#!/bin/sh\nexec \"${0%/*}/$(uname -m)/p2pnode\" \"$@\"\n";

/// The built-in software, in memory.
#[derive(Clone, Debug)]
pub struct Builtin {
    /// Changes when any of the programs does.
    pub digest: Digest,
    /// What goes into a package under `node/`.
    pub files: Vec<PackageFile>,
    /// What the libp2p kind recognised; without architecture when there are several.
    pub program: Program,
}

/// Where a built-in p2pnode may be.
#[derive(Clone, Debug, Default)]
pub struct NodeSource {
    /// Named by a person: replaces all others.
    pub chosen: Option<PathBuf>,
    /// Folder of the manager's own executable: `p2pnode`, `nodes/<arch>/p2pnode`.
    pub beside: Option<PathBuf>,
    /// Also look at `dist/p2pnode` of the source tree.
    pub source_tree: bool,
}

impl NodeSource {
    /// The places of this process; a debug build also looks into the source tree.
    pub fn of_this_process(chosen: Option<PathBuf>) -> Self {
        let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
        Self { chosen, beside, source_tree: cfg!(debug_assertions) }
    }

    /// Reads what is there. Blocks.
    pub fn read(&self) -> Result<Builtin, BundlesError> {
        let mut programs = BTreeMap::new();
        for (place, bytes) in self.programs()? {
            let bad = |reason: String| BundlesError::BadBuiltin { path: place.clone(), reason };
            let program = recognise(&bytes).map_err(bad)?;
            let arch = program.arch.clone().ok_or_else(|| bad("its architecture can't be told".to_owned()))?;
            programs.entry(arch).or_insert((program, bytes));
        }
        if programs.is_empty() {
            return Err(BundlesError::NoBuiltin { looked_at: self.places().join(", ") });
        }
        Ok(assemble(programs))
    }

    /// Every program that is there, the preferred first.
    fn programs(&self) -> Result<Vec<(String, Bytes)>, BundlesError> {
        if let Some(path) = &self.chosen {
            return Ok(vec![(path.display().to_string(), read_program(path)?)]);
        }
        let mut found = Vec::new();
        if !CARRIED.is_empty() {
            let mut bytes = Vec::new();
            let carried = "carried inside the manager".to_owned();
            match flate2::read::GzDecoder::new(CARRIED).take(PROGRAM_MAX).read_to_end(&mut bytes) {
                Ok(_) => found.push((carried, Bytes::from(bytes))),
                Err(error) => return Err(BundlesError::BadBuiltin { path: carried, reason: error.to_string() }),
            }
        }
        for path in self.files().into_iter().filter(|path| path.is_file()) {
            found.push((path.display().to_string(), read_program(&path)?));
        }
        Ok(found)
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        if let Some(folder) = &self.beside {
            files.push(folder.join(PROGRAM));
            let mut others: Vec<PathBuf> = std::fs::read_dir(folder.join("nodes"))
                .map(|entries| entries.flatten().map(|entry| entry.path().join(PROGRAM)).collect())
                .unwrap_or_default();
            others.sort();
            files.append(&mut others);
        }
        if self.source_tree {
            files.push(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../dist").join(PROGRAM));
        }
        files
    }

    fn places(&self) -> Vec<String> {
        match &self.chosen {
            Some(path) => vec![path.display().to_string()],
            None => self.files().iter().map(|path| path.display().to_string()).collect(),
        }
    }
}

fn read_program(path: &Path) -> Result<Bytes, BundlesError> {
    let fail = |source| BundlesError::file(path, source);
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(PROGRAM_MAX).read_to_end(&mut bytes)).map_err(fail)?;
    Ok(Bytes::from(bytes))
}

fn recognise(bytes: &Bytes) -> Result<Program, String> {
    let kind = kind(OverlayKindName::Libp2p).ok_or("this build has no libp2p kind")?;
    kind.recognise(&[file(PROGRAM.to_owned(), bytes.clone())]).map_err(|error| error.to_string())
}

fn file(path: String, bytes: Bytes) -> PackageFile {
    PackageFile { path, mode: 0o755, bytes }
}

fn assemble(mut programs: BTreeMap<String, (Program, Bytes)>) -> Builtin {
    let one = programs.len() == 1;
    let mut program = None;
    let mut files = Vec::new();
    let mut digests = String::new();
    while let Some((arch, (found, bytes))) = programs.pop_first() {
        digests.push_str(Digest::of(&bytes).as_str());
        let path = if one { PROGRAM.to_owned() } else { format!("{arch}/{PROGRAM}") };
        files.push(file(path, bytes));
        program.get_or_insert(found);
    }
    let program = program.expect("there is at least one program");
    if one {
        let digest = Digest::of(&files[0].bytes);
        return Builtin { digest, files, program };
    }
    files.push(file(PROGRAM.to_owned(), Bytes::from_static(CHOOSER.as_bytes())));
    Builtin { digest: Digest::of(digests.as_bytes()), files, program: Program { arch: None, ..program } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(arch: &str) -> (Program, Bytes) {
        let found = Program { path: PROGRAM.into(), version: Some("1".into()), arch: Some(arch.into()) };
        (found, Bytes::from(arch.to_owned()))
    }

    #[test]
    fn one_architecture_needs_no_chooser() {
        let builtin = assemble([("x86_64".to_owned(), program("x86_64"))].into());
        assert_eq!(builtin.files.len(), 1);
        assert_eq!(builtin.program.arch.as_deref(), Some("x86_64"));
        assert_eq!(builtin.digest, Digest::of(b"x86_64"));
    }

    #[test]
    fn with_several_the_host_chooses() {
        let both = ["aarch64", "x86_64"].map(|arch| (arch.to_owned(), program(arch)));
        let builtin = assemble(both.into());
        let paths: Vec<_> = builtin.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["aarch64/p2pnode", "x86_64/p2pnode", "p2pnode"]);
        assert_eq!(builtin.program.arch, None);
    }

    #[test]
    fn a_missing_program_is_told_with_every_place() {
        let folder = tempfile::tempdir().unwrap();
        let source = NodeSource { beside: Some(folder.path().to_owned()), ..NodeSource::default() };
        if CARRIED.is_empty() {
            let error = source.read().unwrap_err().to_string();
            assert!(error.contains(&folder.path().join(PROGRAM).display().to_string()), "{error}");
        }
        let chosen = NodeSource { chosen: Some(folder.path().join("nothing")), ..NodeSource::default() };
        assert!(matches!(chosen.read(), Err(BundlesError::File { .. })));
    }
}
