//! Makes the relocatable Mono: Debian's runtime, the assemblies that nodes load, and a launcher that
//! finds them wherever they were unpacked.
//!
//! ```text
//! mono            launcher: sets LD_LIBRARY_PATH, MONO_PATH, MONO_CFG_DIR
//! needs           architecture and least glibc, one a line
//! bin/mono        mono-sgen
//! lib/            libmono-native and libMonoPosixHelper with what they link to, but not glibc
//! lib/mono/4.5/   assemblies
//! etc/mono/       configuration, without `$mono_libdir`
//! ```

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use p2ppool_overlay::PackageFile;
use p2ppool_remote::Package;
use tokio::process::Command;
use tokio::time::timeout;

use super::RuntimeError;

/// Where the parts come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MonoSource {
    /// This machine's own Mono when it has one, else Debian's packages.
    #[default]
    Any,
    /// Debian's packages, fetched for this.
    Packages,
}

/// A runtime that was made.
pub(super) struct Mono {
    pub(super) package: Package,
    pub(super) version: String,
    pub(super) arch: String,
    pub(super) glibc: String,
}

/// What mono-runtime and nodes need of Debian, with what its libraries link to.
const PACKAGES: [&str; 20] = [
    "mono-runtime-sgen",
    "mono-runtime-common",
    "libmono-corlib4.5-dll",
    "libmono-posix4.0-cil",
    "libmono-security4.0-cil",
    "libmono-system4.0-cil",
    "libmono-system-core4.0-cil",
    "libmono-system-configuration4.0-cil",
    "libmono-system-security4.0-cil",
    "libmono-system-runtime4.0-cil",
    "libmono-system-runtime-serialization-formatters-soap4.0-cil",
    "libmono-system-xml4.0-cil",
    "libmono-system-web4.0-cil",
    "libmono-system-numerics4.0-cil",
    "libgssapi-krb5-2",
    "libkrb5-3",
    "libk5crypto3",
    "libcom-err2",
    "libkrb5support0",
    "libkeyutils1",
];
/// Assemblies that nodes load, XML-RPC's server included.
const ASSEMBLIES: [&str; 13] = [
    "mscorlib",
    "System",
    "System.Core",
    "System.Configuration",
    "System.Numerics",
    "System.Runtime.Remoting",
    "System.Runtime.Serialization.Formatters.Soap",
    "System.Security",
    "System.Web",
    "System.Web.Services",
    "System.Xml",
    "Mono.Posix",
    "Mono.Security",
];
/// Those without which no node starts.
const ASSEMBLIES_NEEDED: [&str; 4] = ["mscorlib", "System", "System.Xml", "Mono.Posix"];
/// Libraries that Mono opens by name.
const LIBRARIES: [&str; 2] = ["libmono-native.so", "libMonoPosixHelper.so"];
/// Parts of glibc: they must be the host's own.
const GLIBC: [&str; 8] = ["libc.", "libm.", "libdl.", "libpthread.", "librt.", "libresolv.", "ld-linux", "linux-vdso"];
/// Longest time for one program; fetching has several megabytes to move.
const PROGRAM_MAX: Duration = Duration::from_secs(600);
/// Most bytes of a part: the runtime itself has 5 MB.
const PART_BYTES_MAX: u64 = 64 << 20;

const LAUNCHER: &str = r#"#!/bin/sh
# Mono, from wherever it was unpacked
here=${0%/*}
LD_LIBRARY_PATH=$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
MONO_PATH=$here/lib/mono/4.5${MONO_PATH:+:$MONO_PATH}
MONO_CFG_DIR=$here/etc
export LD_LIBRARY_PATH MONO_PATH MONO_CFG_DIR
exec "$here/bin/mono" --config "$here/etc/mono/config" "$@"
"#;

/// Makes it. Working files lie under `scratch`; `say` tells what is being done.
pub(super) async fn make(source: MonoSource, scratch: &Path, say: impl Fn(&str)) -> Result<Mono, RuntimeError> {
    let work = tempfile::Builder::new().prefix(".mono").tempdir_in(scratch).map_err(|e| wrong("make a folder", &e))?;
    let root = match source {
        MonoSource::Any if Path::new("/usr/bin/mono-sgen").is_file() => PathBuf::from("/"),
        _ => {
            say("fetches Debian's packages");
            fetch(work.path()).await?;
            work.path().join("root")
        }
    };
    say("gathers the parts");
    let mut files = parts(&root).await?;
    let arch = std::env::consts::ARCH.to_owned();
    let glibc = least_glibc(files.values());
    files.insert("mono".into(), executable("mono", LAUNCHER.as_bytes().to_vec()));
    files.insert("needs".into(), PackageFile::text("needs", format!("{arch}\n{glibc}\n")));
    say("tries it");
    let version = tried(&files, &work.path().join("try")).await?;
    say("packs it");
    let files: Vec<PackageFile> = files.into_values().collect();
    let packed = tokio::task::spawn_blocking(move || crate::bundles::pack(&files).map(Package::new));
    let package = match packed.await {
        Ok(package) => package.map_err(|error| wrong("pack it", &error))?,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    Ok(Mono { package, version, arch, glibc })
}

/// Debian's packages, unpacked into `root` below `work`; nothing is installed.
async fn fetch(work: &Path) -> Result<(), RuntimeError> {
    let archives = work.join("archives");
    std::fs::create_dir_all(&archives).map_err(|error| wrong("make a folder", &error))?;
    let mut download = Command::new("apt-get");
    download.args(["download", "-q"]).args(PACKAGES).current_dir(&archives);
    output(download, "fetch Debian's packages with apt-get (on another system: install Mono here, then build again)")
        .await?;
    for entry in std::fs::read_dir(&archives).map_err(|error| wrong("list the packages", &error))?.flatten() {
        let mut unpack = Command::new("dpkg-deb");
        unpack.arg("-x").arg(entry.path()).arg(work.join("root"));
        output(unpack, "unpack a package").await?;
    }
    Ok(())
}

/// Every file but the launcher, by its place in the runtime.
async fn parts(root: &Path) -> Result<BTreeMap<String, PackageFile>, RuntimeError> {
    let mut files = BTreeMap::new();
    let mut put = |path: String, bytes: Vec<u8>, mode: u32| {
        files.insert(path.clone(), PackageFile { path, mode, bytes: bytes.into() });
    };
    put("bin/mono".into(), read(&root.join("usr/bin/mono-sgen"))?, 0o755);
    for name in ASSEMBLIES {
        let path = root.join(format!("usr/lib/mono/4.5/{name}.dll"));
        match assembly(root, &path) {
            Ok(bytes) => put(format!("lib/mono/4.5/{name}.dll"), bytes, 0o644),
            Err(error) if ASSEMBLIES_NEEDED.contains(&name) => return Err(error),
            // nodes without that part of XML-RPC do without
            Err(_) => {}
        }
    }
    for (name, path) in libraries(root).await? {
        put(format!("lib/{name}"), read(&path)?, 0o644);
    }
    let config = String::from_utf8_lossy(&read(&root.join("etc/mono/config"))?).replace("$mono_libdir/", "");
    put("etc/mono/config".into(), config.into_bytes(), 0o644);
    for name in ["machine.config", "settings.map", "web.config"] {
        if let Ok(bytes) = read(&root.join(format!("etc/mono/4.5/{name}"))) {
            put(format!("etc/mono/4.5/{name}"), bytes, 0o644);
        }
    }
    Ok(files)
}

/// An assembly; Debian's are links into the assembly cache, absolute ones in some packages.
fn assembly(root: &Path, path: &Path) -> Result<Vec<u8>, RuntimeError> {
    match std::fs::read_link(path) {
        Ok(target) if target.is_absolute() => read(&root.join(target.strip_prefix("/").unwrap_or(&target))),
        _ => read(path),
    }
}

/// The libraries that Mono opens, and what they and it link to, by file name. glibc is left out.
async fn libraries(root: &Path) -> Result<BTreeMap<String, PathBuf>, RuntimeError> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    let folders = [root.join("usr/lib"), root.join("usr/lib").join(&triplet), root.join("lib").join(&triplet)];
    let mut found = BTreeMap::new();
    let mut programs = vec![root.join("usr/bin/mono-sgen")];
    for name in LIBRARIES {
        let path = folders.iter().map(|folder| folder.join(name)).find(|path| path.exists());
        let path = path.ok_or_else(|| RuntimeError::Make(format!("{name} is not below {}", folders[0].display())))?;
        found.insert(name.to_owned(), path.clone());
        programs.push(path);
    }
    let search = std::env::join_paths(&folders).map_err(|error| RuntimeError::Make(error.to_string()))?;
    for program in programs {
        let mut ldd = Command::new("ldd");
        ldd.arg(&program).env("LD_LIBRARY_PATH", &search);
        let told = output(ldd, &format!("ask ldd what {} links to", program.display())).await?;
        for line in told.lines() {
            let Some((name, place)) = line.trim().split_once(" => ") else { continue };
            let path = place.split(' ').next().unwrap_or_default();
            if path == "not" {
                return Err(RuntimeError::Make(format!("{} links to {name}, which is nowhere", program.display())));
            }
            if !GLIBC.iter().any(|own| name.starts_with(own)) {
                found.insert(name.to_owned(), PathBuf::from(path));
            }
        }
    }
    Ok(found)
}

/// The highest glibc that any part names: versions of symbols are texts in the file.
fn least_glibc<'a>(files: impl Iterator<Item = &'a PackageFile>) -> String {
    const MARK: &[u8] = b"GLIBC_2.";
    let mut most = 0;
    for file in files {
        let mut rest: &[u8] = &file.bytes;
        while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
            rest = &rest[at + MARK.len()..];
            let digits: String = rest.iter().take(3).map(|b| char::from(*b)).take_while(char::is_ascii_digit).collect();
            most = most.max(digits.parse().unwrap_or(0_u32));
        }
    }
    format!("2.{most}")
}

/// Unpacks it elsewhere and lets it tell its version.
async fn tried(files: &BTreeMap<String, PackageFile>, folder: &Path) -> Result<String, RuntimeError> {
    for (path, file) in files {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, &file.bytes))
            .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(file.mode)))
            .map_err(|error| wrong(&format!("write {}", path.display()), &error))?;
    }
    let mut mono = Command::new(folder.join("mono"));
    mono.arg("--version").env_clear().env("PATH", "/usr/bin:/bin");
    let told = output(mono, "start what was made").await?;
    let version = told.split_once("version ").and_then(|(_, rest)| rest.split(' ').next());
    version.map(str::to_owned).ok_or_else(|| RuntimeError::Make("what was made tells no version".to_owned()))
}

async fn output(mut command: Command, what: &str) -> Result<String, RuntimeError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).env("LC_ALL", "C");
    let ended = match timeout(PROGRAM_MAX, command.output()).await {
        Ok(ended) => ended.map_err(|error| wrong(what, &error))?,
        Err(_) => return Err(RuntimeError::Make(format!("{what}: not done within {} s", PROGRAM_MAX.as_secs()))),
    };
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    let last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    Err(RuntimeError::Make(format!("{what}: {} ({})", ended.status, last.join(" / "))))
}

fn read(path: &Path) -> Result<Vec<u8>, RuntimeError> {
    let size = std::fs::metadata(path).map_err(|error| wrong(&format!("read {}", path.display()), &error))?.len();
    if size > PART_BYTES_MAX {
        return Err(RuntimeError::Make(format!("{} has {size} bytes, more than {PART_BYTES_MAX}", path.display())));
    }
    std::fs::read(path).map_err(|error| wrong(&format!("read {}", path.display()), &error))
}

fn executable(path: &str, bytes: Vec<u8>) -> PackageFile {
    PackageFile { path: path.to_owned(), mode: 0o755, bytes: bytes.into() }
}

fn wrong(what: &str, error: &dyn std::fmt::Display) -> RuntimeError {
    RuntimeError::Make(format!("{what}: {error}"))
}
