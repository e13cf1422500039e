//! Brings things back from hosts: logs, result files, numbers.
//!
//! Each host's tar.gz goes through a file of its own into one zip with a folder per host. The zip
//! replaces the former one by rename when it is whole; `manifest.txt` in it names every host, also
//! those that sent nothing and why.

use std::collections::HashSet;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use p2ppool_model::pool::Pool;
use p2ppool_model::task::TaskHost;
use p2ppool_model::{Cause, Outcome, Step};
use p2ppool_remote::{HostError, HostSession};
use serde_json::json;
use tempfile::TempPath;
use tokio::sync::mpsc;

use super::fleet::{Fleet, Halt, HostWork, Right, Visit};
use super::params::{self, DataParams, FETCH_DEFAULT, LogsParams};
use super::usage::Meter;
use super::{ActionError, End, Run};
use crate::files::public_path;
use crate::folders::private_folder;

/// Archives that wait to be put into the zip: hosts wait for the disk rather than fill it.
const WAITING_MAX: usize = 16;
/// Most bytes that one host's archive may unpack to, per byte asked for: logs compress tenfold and more.
const UNPACKED_RATIO: u64 = 64;
/// Says in a zip what became of every host.
const MANIFEST: &str = "manifest.txt";
/// Longest manifest that is read back, bytes: one line for each of the most hosts.
const MANIFEST_MAX: u64 = 16 << 20;
/// Most files of one host.
const FILES_MAX: usize = 10_000;

pub(crate) async fn logs(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let params: LogsParams = params::of(&run.task.params);
    let max = params.max_bytes.unwrap_or(FETCH_DEFAULT);
    gather(run, pool, "logs.zip", What::Logs { max }).await
}

pub(crate) async fn data(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let params: DataParams = params::of(&run.task.params);
    let patterns = if params.patterns.is_empty() { "*.db".to_owned() } else { params.patterns.join(" ") };
    let max = params.max_bytes.unwrap_or(FETCH_DEFAULT);
    gather(run, pool, "data.zip", What::Data { patterns, max }).await
}

pub(crate) async fn usage(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let meter = Meter::default();
    Fleet::of(run, &pool).await?.work(run, Measure(meter.clone())).await;
    meter.keep(&run.context, &pool).await;
    Ok(End::default())
}

struct Measure(Meter);

#[async_trait]
impl HostWork for Measure {
    async fn on_host(&self, visit: &mut Visit, session: &mut HostSession) -> Result<Right, Halt> {
        visit.step(Step::Status).await?;
        let status = session.status().await?;
        visit.learn(&status);
        self.0.measure(visit, session).await?;
        Ok(Right { changed: true, message: String::new() })
    }
}

/// What is fetched.
enum What {
    Logs { max: u64 },
    Data { patterns: String, max: u64 },
}

impl What {
    fn max(&self) -> u64 {
        match self {
            Self::Logs { max } | Self::Data { max, .. } => *max,
        }
    }
}

/// One host's archive, or why there is none.
struct Sent {
    folder: String,
    archive: TempPath,
}

struct Fetch {
    what: What,
    uploads: PathBuf,
    zip: mpsc::Sender<Sent>,
}

#[async_trait]
impl HostWork for Fetch {
    async fn on_host(&self, visit: &mut Visit, session: &mut HostSession) -> Result<Right, Halt> {
        let step = match self.what {
            What::Logs { .. } => Step::Logs,
            What::Data { .. } => Step::Data,
        };
        visit.step(step).await?;
        let failed = |error: std::io::Error| HostError::new(Cause::Other, step, format!("keep what comes: {error}"));
        let archive = tempfile::NamedTempFile::new_in(&self.uploads).map_err(failed)?.into_temp_path();
        let mut sink = tokio::fs::File::create(&archive).await.map_err(failed)?;
        let fetched = match &self.what {
            What::Logs { max } => session.logs(*max, &mut sink).await?,
            What::Data { patterns, max } => session.data(patterns, *max, &mut sink).await?,
        };
        sink.sync_data().await.map_err(failed)?;
        let sent = Sent { folder: folder_name(&visit.host.spec.display()), archive };
        // gone only when the zip can't be written, which ends the task
        self.zip.send(sent).await.map_err(|_| failed(std::io::Error::other("the zip can't be written")))?;
        Ok(Right { changed: true, message: format!("{} bytes", fetched.size) })
    }
}

async fn gather(run: &Run, pool: Pool, name: &str, what: What) -> Result<End, ActionError> {
    let folder = run.context.folders.public(&pool.name);
    let path = folder.join(name);
    let failed = |error: &dyn std::fmt::Display| ActionError::Failed(format!("write {}: {error}", path.display()));
    private_folder(&folder).map_err(|error| failed(&error))?;
    let part = tempfile::NamedTempFile::new_in(&folder).map_err(|error| failed(&error))?;
    let (zip, incoming) = mpsc::channel(WAITING_MAX);
    let max_unpacked = what.max().saturating_mul(UNPACKED_RATIO);
    let (file, temp) = part.into_parts();
    let writing = tokio::task::spawn_blocking(move || write_zip(file, incoming, max_unpacked));

    // what an earlier claim fetched was lost with its unfinished zip: those hosts are asked again
    if run.resumed {
        again(run).await;
    }
    let fetch = Fetch { what, uploads: run.context.folders.uploads(), zip };
    Fleet::of(run, &pool).await?.work(run, fetch).await;
    let (mut writer, problems) = writing.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    if run.stop.is_requested() && run.recorder.counts().done() < run.recorder.counts().total() {
        return Err(ActionError::Cut);
    }
    let former = former(run, &pool, name).await;
    let sent: HashSet<String> =
        run.recorder.rows().iter().filter(|row| row.outcome.is_right()).map(|row| folder_name(&row.address)).collect();
    let asked: HashSet<String> = run.recorder.rows().into_iter().map(|row| row.address).collect();
    let mut manifest = manifest(run, &pool, &problems);
    let finished = tokio::task::spawn_blocking(move || -> std::io::Result<u64> {
        if let Some(former) = former {
            manifest.push_str(&keep_former(&mut writer, former, &sent, &asked)?);
        }
        writer.start_file(MANIFEST, options()).map_err(std::io::Error::other)?;
        writer.write_all(manifest.as_bytes())?;
        let file = writer.finish().map_err(std::io::Error::other)?;
        file.sync_all()?;
        Ok(file.metadata()?.len())
    });
    let bytes = finished.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
    temp.persist(&path).map_err(|error| failed(&error))?;
    let shared = run.context.files.put(&public_path(&pool.name, name), &path).await;
    shared.map_err(|error| ActionError::Failed(format!("share {name} with other managers: {error:#}")))?;
    Ok(End { message: String::new(), result: Some(json!({ "file": name, "bytes": bytes })) })
}

/// The file that a retry adds to: what the other hosts sent stays in it.
async fn former(run: &Run, pool: &Pool, name: &str) -> Option<std::fs::File> {
    run.task.retry_of?;
    let context = &run.context;
    let path = context.folders.public(&pool.name).join(name);
    let copy = tempfile::NamedTempFile::new_in(context.folders.uploads()).ok()?.into_temp_path();
    match context.files.fetch(&public_path(&pool.name, name), &copy).await {
        Ok(true) => std::fs::File::open(&copy).ok(),
        Ok(false) => std::fs::File::open(path).ok(),
        Err(error) => {
            tracing::warn!(pool = %pool.name, "read the former {name}: {error:#}");
            None
        }
    }
}

/// Copies what hosts sent earlier that sent nothing now; answers their lines of the manifest. A former file
/// that can't be read is left out.
fn keep_former(
    zip: &mut Zip,
    former: std::fs::File,
    sent: &HashSet<String>,
    asked: &HashSet<String>,
) -> std::io::Result<String> {
    let Ok(mut former) = zip::ZipArchive::new(former) else { return Ok(String::new()) };
    let mut lines = String::new();
    for index in 0..former.len() {
        let Ok(entry) = former.by_index_raw(index) else { continue };
        let Ok(path) = entry.name().map(|path| path.into_owned()) else { continue };
        let host = path.split('/').next().unwrap_or_default();
        if path != MANIFEST && !sent.contains(host) {
            zip.raw_copy_file(entry).map_err(std::io::Error::other)?;
        }
    }
    if let Ok(manifest) = former.by_name(MANIFEST) {
        let mut text = String::new();
        let _ = manifest.take(MANIFEST_MAX).read_to_string(&mut text);
        let others = text.lines().skip(1).filter(|line| !asked.contains(line.split(' ').next().unwrap_or_default()));
        others.for_each(|line| lines.push_str(&format!("{line}\n")));
    }
    Ok(lines)
}

async fn again(run: &Run) {
    for mut row in run.recorder.rows() {
        if row.outcome.is_right() {
            row.outcome = Outcome::NotStarted;
            run.recorder.host(row, None).await;
        }
    }
}

type Zip = zip::ZipWriter<std::fs::File>;

fn options() -> zip::write::SimpleFileOptions {
    zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .unix_permissions(0o644)
        .large_file(true)
}

/// Repacks archives as they come. One that can't be read is a problem of its host only.
fn write_zip(
    file: std::fs::File,
    mut incoming: mpsc::Receiver<Sent>,
    max_unpacked: u64,
) -> std::io::Result<(Zip, Vec<(String, String)>)> {
    let mut zip = zip::ZipWriter::new(file);
    let mut problems = Vec::new();
    while let Some(sent) = incoming.blocking_recv() {
        match repack(&mut zip, &sent.folder, &sent.archive, max_unpacked) {
            Ok(()) => {}
            Err(Repack::Archive(why)) => problems.push((sent.folder, why)),
            Err(Repack::Zip(error)) => return Err(error),
        }
    }
    Ok((zip, problems))
}

enum Repack {
    Archive(String),
    Zip(std::io::Error),
}

fn repack(zip: &mut Zip, folder: &str, archive: &Path, max_unpacked: u64) -> Result<(), Repack> {
    let broken = |error: std::io::Error| Repack::Archive(error.to_string());
    let file = std::fs::File::open(archive).map_err(Repack::Zip)?;
    let unpacked = flate2::read::GzDecoder::new(file).take(max_unpacked);
    let mut tar = tar::Archive::new(unpacked);
    for (count, entry) in tar.entries().map_err(broken)?.enumerate() {
        let mut entry = entry.map_err(broken)?;
        if count >= FILES_MAX {
            return Err(Repack::Archive(format!("more than {FILES_MAX} files; the rest is left out")));
        }
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path().map_err(broken)?.to_string_lossy().into_owned();
        let Some(path) = contained(&path) else { continue };
        zip.start_file(format!("{folder}/{path}"), options()).map_err(|error| Repack::Zip(error.into()))?;
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let length = entry.read(&mut chunk).map_err(broken)?;
            if length == 0 {
                break;
            }
            zip.write_all(&chunk[..length]).map_err(Repack::Zip)?;
        }
    }
    Ok(())
}

/// A path from a host, made safe: relative, no `..`, no control characters.
fn contained(path: &str) -> Option<String> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let fine = |part: &&str| *part != ".." && !part.contains('\\') && !part.chars().any(char::is_control);
    (!parts.is_empty() && parts.iter().all(fine)).then(|| parts.join("/"))
}

/// A host as a folder name.
fn folder_name(host: &str) -> String {
    host.chars().map(|c| if c.is_ascii_alphanumeric() || ".-_".contains(c) { c } else { '_' }).collect()
}

fn manifest(run: &Run, pool: &Pool, problems: &[(String, String)]) -> String {
    let mut rows = run.recorder.rows();
    rows.sort_by(|a, b| a.address.cmp(&b.address));
    let mut text = format!("pool {}, task #{}\n", pool.name, run.task.id);
    for row in &rows {
        text.push_str(&manifest_line(row, problems));
    }
    text
}

fn manifest_line(row: &TaskHost, problems: &[(String, String)]) -> String {
    let folder = folder_name(&row.address);
    let problem = problems.iter().find(|(host, _)| *host == folder).map_or("", |(_, why)| why.as_str());
    let message = row.message.replace('\n', " ");
    format!(
        "{} {} {message}{}{problem}\n",
        row.address,
        row.outcome.as_str(),
        if problem.is_empty() { "" } else { "; " }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_can_not_write_outside_its_folder() {
        assert_eq!(contained("./logs/node.log").as_deref(), Some("logs/node.log"));
        assert_eq!(contained("/etc/passwd").as_deref(), Some("etc/passwd"));
        for wrong in ["../x", "a/../../x", "", ".", "a\\..\\b", "a\nb"] {
            assert_eq!(contained(wrong), None, "{wrong:?}");
        }
        assert_eq!(folder_name("[fe80::1]:22"), "_fe80__1__22");
    }

    #[test]
    fn a_retry_keeps_what_the_other_hosts_sent() {
        let made = |entries: &[(&str, &str)]| {
            let mut zip = zip::ZipWriter::new(tempfile::tempfile().unwrap());
            for (path, text) in entries {
                zip.start_file(*path, options()).unwrap();
                zip.write_all(text.as_bytes()).unwrap();
            }
            zip
        };
        let manifest = "pool p, task #1\na ok \nb failed no\nc ok \n";
        let former = made(&[("a/log", "old a"), ("c/log", "old c"), (MANIFEST, manifest)]).finish().unwrap();
        let mut zip = made(&[("b/log", "new b"), ("c/log", "new c")]);
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<HashSet<_>>();
        let lines = keep_former(&mut zip, former, &set(&["b", "c"]), &set(&["b", "c"])).unwrap();
        assert_eq!(lines, "a ok \n");
        let mut zip = zip::ZipArchive::new(zip.finish().unwrap()).unwrap();
        let mut read = |path: &str| {
            let mut text = String::new();
            zip.by_name(path).unwrap().read_to_string(&mut text).unwrap();
            text
        };
        assert_eq!(["a/log", "b/log", "c/log"].map(&mut read), ["old a", "new b", "new c"]);
    }

    #[test]
    fn a_damaged_archive_is_its_hosts_problem_only() {
        let temp = tempfile::tempdir().unwrap();
        let write = |bytes: &[u8]| {
            let file = tempfile::NamedTempFile::new_in(temp.path()).unwrap();
            std::fs::write(file.path(), bytes).unwrap();
            file.into_temp_path()
        };
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
        let mut header = tar::Header::new_ustar();
        header.set_size(5);
        tar.append_data(&mut header, "node.log", &b"hello"[..]).unwrap();
        let good = tar.into_inner().unwrap().finish().unwrap();
        let (sender, incoming) = mpsc::channel(4);
        for (folder, bytes) in [("a", &good[..]), ("b", &good[..good.len() / 2]), ("c", &good[..])] {
            let sent = Sent { folder: folder.into(), archive: write(bytes) };
            sender.try_send(sent).unwrap_or_else(|_| panic!("there is room"));
        }
        drop(sender);
        let (zip, problems) = write_zip(tempfile::tempfile().unwrap(), incoming, 1 << 20).unwrap();
        assert_eq!(problems.iter().map(|(host, _)| host.as_str()).collect::<Vec<_>>(), ["b"]);
        let mut zip = zip::ZipArchive::new(zip.finish().unwrap()).unwrap();
        let mut text = String::new();
        zip.by_name("c/node.log").unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }
}
