//! A Brunet bundle: the program and the assemblies that it needs, beside each other.

use std::collections::{BTreeMap, BTreeSet};

use super::assembly;
use crate::bundle::BundleError;
use crate::kind::{PackageFile, Program};

/// The new program, started with `-n CONFIG`, and the old one, which takes the config as it is.
pub(super) const NEW_PROGRAM: &str = "P2PNode.exe";
/// See [`NEW_PROGRAM`].
pub(super) const OLD_PROGRAM: &str = "BasicNode.exe";
/// Beginnings of assemblies that come with Mono and never with a bundle.
const MONOS_OWN: [&str; 7] = ["mscorlib", "netstandard", "System", "Mono.Posix", "Mono.Data", "Microsoft.", "I18N"];
/// Mono has it, too; old bundles carry their own.
const ALSO_MONOS: &str = "Mono.Security";
/// Most names in an error.
const SHOWN_MAX: usize = 12;

/// Finds the program; says which assemblies are missing.
pub(super) fn recognise(files: &[PackageFile]) -> Result<Program, BundleError> {
    let program = program(files)?;
    let folder = program.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let missing = missing(files, folder, &program.path);
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().take(SHOWN_MAX).map(String::as_str).collect();
        return Err(BundleError::MissingFiles {
            program: program.path.clone(),
            missing: names.join(", "),
            folder: if folder.is_empty() { "the top folder".to_owned() } else { format!("`{folder}`") },
        });
    }
    // it tells no version, and runs wherever Mono does
    Ok(Program { path: program.path.clone(), version: None, arch: None })
}

/// The one program, at the top or in one folder; the new one when both are there.
fn program(files: &[PackageFile]) -> Result<&PackageFile, BundleError> {
    let no_program = |reason: String| BundleError::NoProgram { reason };
    for wanted in [NEW_PROGRAM, OLD_PROGRAM] {
        let found: Vec<&PackageFile> = files.iter().filter(|file| name_of(&file.path) == wanted).collect();
        let near: Vec<&&PackageFile> = found.iter().filter(|file| file.path.split('/').count() <= 2).collect();
        match (near.as_slice(), found.as_slice()) {
            ([program], _) => return Ok(program),
            ([first, second, ..], _) => {
                return Err(no_program(format!("both `{}` and `{}` could be it", first.path, second.path)));
            }
            ([], [deep, ..]) => {
                let reason = format!("`{}` lies too deep; put it and its DLLs at the top or in one folder", deep.path);
                return Err(no_program(reason));
            }
            ([], []) => {}
        }
    }
    let other =
        |file: &&PackageFile| [NEW_PROGRAM, OLD_PROGRAM].iter().any(|p| name_of(&file.path).eq_ignore_ascii_case(p));
    Err(no_program(match files.iter().find(other) {
        Some(file) => format!(
            "brunet needs `{NEW_PROGRAM}` or `{OLD_PROGRAM}`, in exactly these letters; there is `{}`",
            file.path
        ),
        None => {
            let inner = files.iter().find(|file| is_archive(&file.path));
            let hint = inner.map(|file| format!("; there is an archive in it: upload what is in `{}`", file.path));
            format!(
                "brunet needs `{NEW_PROGRAM}` or `{OLD_PROGRAM}` with its DLLs at the top or in one folder{}",
                hint.unwrap_or_default()
            )
        }
    }))
}

/// File names of assemblies that something in the bundle refers to and that are nowhere: neither beside
/// the program nor part of Mono. With those of the assemblies that are there, and so on.
fn missing(files: &[PackageFile], folder: &str, program: &str) -> Vec<String> {
    let beside: BTreeMap<&str, &PackageFile> = files
        .iter()
        .filter(|file| file.path.rsplit_once('/').map_or("", |(folder, _)| folder) == folder)
        .map(|file| (name_of(&file.path), file))
        .collect();
    let mut seen = BTreeSet::new();
    let mut missing = BTreeSet::new();
    let mut open = vec![name_of(program).to_owned()];
    while let Some(name) = open.pop() {
        let Some(file) = beside.get(name.as_str()) else {
            missing.insert(name);
            continue;
        };
        // what can't be read tells nothing
        for reference in assembly::references(&file.bytes).unwrap_or_default() {
            let name = format!("{reference}.dll");
            let is_monos = MONOS_OWN.iter().any(|own| reference.starts_with(own)) || reference == ALSO_MONOS;
            if (!is_monos || beside.contains_key(name.as_str())) && seen.insert(name.clone()) {
                open.push(name);
            }
        }
    }
    missing.into_iter().collect()
}

/// By its name an archive: somebody packed what was packed already.
fn is_archive(path: &str) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    [".zip", ".tar", ".tar.gz", ".tgz", ".7z", ".rar"].iter().any(|end| name.ends_with(end))
}

fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brunet::testing::{Assembly, assembly};

    fn file(path: &str, references: &[&str]) -> PackageFile {
        let bytes = assembly(&Assembly { references });
        PackageFile { path: path.into(), mode: 0o644, bytes: bytes.into() }
    }

    fn whole(program: &str, folder: &str) -> Vec<PackageFile> {
        vec![
            file(&format!("{folder}{program}"), &["mscorlib", "System.Xml", "Brunet", "NDesk.Options"]),
            file(&format!("{folder}Brunet.dll"), &["mscorlib", "Brunet.Security", "Mono.Posix"]),
            file(&format!("{folder}Brunet.Security.dll"), &["Mono.Security", "Brunet"]),
            file(&format!("{folder}NDesk.Options.dll"), &["mscorlib"]),
        ]
    }

    #[test]
    fn both_programs_are_recognised_at_the_top_and_in_one_folder() {
        for (program, folder) in [(NEW_PROGRAM, ""), (OLD_PROGRAM, ""), (NEW_PROGRAM, "brunet/")] {
            let found = recognise(&whole(program, folder)).unwrap();
            assert_eq!((found.path, found.arch), (format!("{folder}{program}"), None));
        }
        let both: Vec<_> = whole(NEW_PROGRAM, "").into_iter().chain([file(OLD_PROGRAM, &[])]).collect();
        assert_eq!(recognise(&both).unwrap().path, NEW_PROGRAM);
    }

    #[test]
    fn missing_assemblies_are_named_with_those_that_only_a_library_needs() {
        let mut files = whole(NEW_PROGRAM, "");
        files.retain(|file| file.path != "Brunet.Security.dll" && file.path != "NDesk.Options.dll");
        let error = recognise(&files).unwrap_err().to_string();
        assert!(error.contains("Brunet.Security.dll, NDesk.Options.dll") && error.contains("P2PNode.exe"), "{error}");
        assert!(!error.contains("Mono"), "{error}");
    }

    #[test]
    fn a_library_in_another_folder_is_missing_where_it_is_needed() {
        let mut files = whole(NEW_PROGRAM, "");
        files[1].path = "lib/Brunet.dll".into();
        let error = recognise(&files).unwrap_err().to_string();
        assert!(error.contains("Brunet.dll") && error.contains("top folder"), "{error}");
    }

    #[test]
    fn what_is_wrong_with_the_place_of_the_program_is_explained() {
        for (paths, word) in [
            (vec!["a/b/P2PNode.exe"], "too deep"),
            (vec!["a/P2PNode.exe", "b/P2PNode.exe"], "could be it"),
            (vec!["p2pnode.EXE"], "exactly these letters"),
            (vec!["readme"], "brunet needs"),
            (vec!["readme", "brunet/P2PNode-1.2.ZIP"], "upload what is in `brunet/P2PNode-1.2.ZIP`"),
        ] {
            let files: Vec<_> = paths.into_iter().map(|path| file(path, &[])).collect();
            let error = recognise(&files).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
