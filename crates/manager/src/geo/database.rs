//! An mmdb file: MaxMind's schema (`location.latitude`, `city.names.en`) or a flat one (`latitude`, `city`), as
//! ip-location-db makes it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::{Metadata, Reader};
use p2ppool_model::Time;
use p2ppool_model::geo::{GeoSource, Place, Precision};
use p2ppool_model::host::Location;
use serde::Deserialize;

use super::countries;

/// Largest file, bytes: several times the largest city database that is sold. It is held in memory.
pub const FILE_MAX: u64 = 1024 * 1024 * 1024;
/// Records that are looked at in a file that was just fetched.
const CHECKED: usize = 1_000;
/// Longest name of a city kept, characters.
const CITY_MAX: usize = 100;

/// A database in memory.
#[derive(Debug)]
pub struct Database {
    reader: Reader<Vec<u8>>,
}

/// What a record says. Fields that are not there are unknown; others are not looked at.
#[derive(Debug, Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    city: Option<Named<'a>>,
    #[serde(borrow)]
    country: Option<Country<'a>>,
    #[serde(borrow)]
    country_code: Option<Cow<'a, str>>,
    location: Option<Point>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Named<'a> {
    Flat(#[serde(borrow)] Cow<'a, str>),
    MaxMind {
        #[serde(borrow, default)]
        names: BTreeMap<&'a str, &'a str>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Country<'a> {
    Flat(#[serde(borrow)] Cow<'a, str>),
    MaxMind { iso_code: Option<Cow<'a, str>> },
}

#[derive(Debug, Deserialize)]
struct Point {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl Database {
    /// Reads a file into memory.
    ///
    /// # Errors
    /// A sentence: it can't be read, is too large, or is not an mmdb file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let size = std::fs::metadata(path).map_err(|error| format!("read {}: {error}", path.display()))?.len();
        if size > FILE_MAX {
            return Err(format!("{} has {size} bytes; at most {FILE_MAX} are read", path.display()));
        }
        let bytes = std::fs::read(path).map_err(|error| format!("read {}: {error}", path.display()))?;
        let reader =
            Reader::from_source(bytes).map_err(|error| format!("{} is not an mmdb file: {error}", path.display()))?;
        Ok(Self { reader })
    }

    /// Looks at some records of a file that was just fetched: they can be read, and some have coordinates. The whole
    /// file was checked by its digest.
    pub fn check(&self) -> Result<(), String> {
        let mut located = 0;
        for found in self.reader.networks(maxminddb::WithinOptions::default()).map_err(told)?.take(CHECKED) {
            let record: Option<Record<'_>> = found.map_err(told)?.decode().map_err(told)?;
            located += usize::from(record.is_some_and(|record| record.point().is_some()));
        }
        if located == 0 { Err(format!("none of the first {CHECKED} records has coordinates")) } else { Ok(()) }
    }

    /// Type, date and shape, as the file says.
    pub fn metadata(&self) -> &Metadata {
        self.reader.metadata()
    }

    /// When it was made.
    pub fn built(&self) -> Option<Time> {
        i64::try_from(self.metadata().build_epoch).ok()?.checked_mul(1000).map(Time)
    }

    /// Where the address is. A country without coordinates becomes the country's middle.
    pub fn locate(&self, ip: IpAddr, source: GeoSource) -> Option<Place> {
        // a record that can't be read is one that isn't there
        let record: Record<'_> = self.reader.lookup(ip).ok()?.decode().ok()??;
        let country = record.country().filter(|code| code.len() == 2).map(|code| code.to_ascii_uppercase());
        let (location, precision) = match record.point() {
            Some(point) => (point, Precision::City),
            None => (countries::middle(country.as_deref()?)?, Precision::Country),
        };
        let city = record.city().filter(|city| !city.is_empty() && precision == Precision::City);
        let city = city.map(|city| city.chars().filter(|c| !c.is_control()).take(CITY_MAX).collect());
        Some(Place { location, city, country, source, precision })
    }
}

fn told(error: maxminddb::MaxMindDbError) -> String {
    error.to_string()
}

impl Record<'_> {
    fn point(&self) -> Option<Location> {
        let nested = self.location.as_ref().and_then(|at| at.latitude.zip(at.longitude));
        let (latitude, longitude) = nested.or(self.latitude.zip(self.longitude))?;
        Location::new(latitude, longitude)
    }

    fn city(&self) -> Option<&str> {
        match self.city.as_ref()? {
            Named::Flat(name) => Some(name),
            Named::MaxMind { names } => names.get("en").or_else(|| names.values().next()).copied(),
        }
    }

    fn country(&self) -> Option<&str> {
        let nested = match &self.country {
            Some(Country::MaxMind { iso_code }) => iso_code.as_deref(),
            Some(Country::Flat(code)) => Some(code.as_ref()),
            None => None,
        };
        nested.or(self.country_code.as_deref())
    }
}
