//! The log: stderr, one line per event.

use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::failure::{Class, Failure};

/// Our own events, and of the libraries only errors: they warn of what peers do, which is no news
/// in an open network.
const FILTER_DEFAULT: &str = "p2pnode=info,p2ppool_overlay=info,error";

/// Starts logging. RUST_LOG wins over `filter`, which is the configuration's.
pub fn start(filter: Option<&str>) -> Result<(), Failure> {
    let environment = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let text = environment.as_deref().or(filter).unwrap_or(FILTER_DEFAULT);
    let targets: Targets = text
        .parse()
        .map_err(|error| Failure::new(Class::Config, format!("log filter `{text}`: {error}; `info` would do")))?;
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(targets).with(lines).init();
    Ok(())
}
