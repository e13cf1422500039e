//! Where a node stands, and who says so.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::host::Location;

/// What told a place, in the order in which they are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GeoSource {
    /// The coordinates of the host in the pool's host list.
    Host,
    /// A line of `geo-overrides.csv`.
    Overrides,
    /// The database that the super administrator named.
    Database,
    /// DB-IP City Lite.
    Dbip,
}

/// How exact a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// A person said it.
    Given,
    /// The city that the address is registered or measured in; tens of kilometres off, at times thousands.
    City,
    /// Only the country is known; the point is the middle of its mainland.
    Country,
}

/// Where an address is, or is thought to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Place {
    /// The point on the map.
    pub location: Location,
    /// Name of the city.
    pub city: Option<String>,
    /// Two-letter country code (ISO 3166-1).
    pub country: Option<String>,
    /// What told it.
    pub source: GeoSource,
    /// How exact it is.
    pub precision: Precision,
}

/// How the nodes of one snapshot came to their places. Nodes without one are counted, never dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Located {
    /// By their host's own coordinates.
    pub host: u64,
    /// By `geo-overrides.csv`.
    pub overrides: u64,
    /// By the super administrator's database.
    pub database: u64,
    /// By DB-IP City Lite.
    pub dbip: u64,
    /// Not at all.
    pub unlocated: u64,
}

impl Located {
    /// Counts one more node.
    pub fn add(&mut self, source: Option<GeoSource>) {
        let count = match source {
            Some(GeoSource::Host) => &mut self.host,
            Some(GeoSource::Overrides) => &mut self.overrides,
            Some(GeoSource::Database) => &mut self.database,
            Some(GeoSource::Dbip) => &mut self.dbip,
            None => &mut self.unlocated,
        };
        *count += 1;
    }
}
