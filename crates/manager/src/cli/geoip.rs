//! `p2ppool geoip …`

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::args::GeoipCommand;
use super::client::Client;
use super::error::CliError;
use super::output::{Output, bytes, table};
use super::{input, serve};
use crate::folders::Folders;
use crate::geo::install::{self, Installed};

/// `install` and `remove` work on this machine's data folder, the others ask the manager.
pub(super) async fn run(
    command: GeoipCommand,
    (server, token): (String, Option<String>),
    output: Output,
) -> Result<(), CliError> {
    let client = || Client::new(server, token);
    match command {
        GeoipCommand::Status => status(&client()?, output).await,
        GeoipCommand::Lookup { ip } => lookup(&client()?, ip, output).await,
        GeoipCommand::Overrides { set: None } => output.line(&client()?.get_text("geo/overrides").await?),
        GeoipCommand::Overrides { set: Some(file) } => {
            let text = input::read_text(&file)?;
            show(&client()?.put_text::<Value>("geo/overrides", text).await?, output)
        }
        GeoipCommand::Install { file, registry, settings, config } => {
            let folders = Folders::at(serve::config(settings, config)?.data);
            let installed = match file {
                Some(file) => install::from_archive(&folders.geo(), &file).await,
                None => fetch(&folders, &registry).await,
            };
            let installed = installed.map_err(CliError::other)?;
            output.show(&installed, || {
                format!(
                    "DB-IP City Lite {} is installed (CC BY 4.0; IP Geolocation by DB-IP, https://db-ip.com)",
                    installed.version
                )
            })
        }
        GeoipCommand::Remove { settings, config } => {
            let folders = Folders::at(serve::config(settings, config)?.data);
            install::remove(&folders.geo())?;
            output.show(&serde_json::json!({ "removed": true }), || "DB-IP City Lite is removed".to_owned())
        }
    }
}

async fn fetch(folders: &Folders, registry: &str) -> Result<Installed, install::InstallError> {
    let bar = ProgressBar::no_length();
    if let Ok(style) = ProgressStyle::with_template("{bytes} of {total_bytes} {wide_bar} {bytes_per_sec} {eta}") {
        bar.set_style(style);
    }
    let folder = folders.geo();
    let installed = install::from_registry(&folder, registry, |done, total| {
        if let Some(total) = total {
            bar.set_length(total);
        }
        bar.set_position(done);
    });
    let installed = installed.await;
    bar.finish_and_clear();
    installed
}

async fn status(client: &Client, output: Output) -> Result<(), CliError> {
    show(&client.get_value("geo").await?, output)
}

fn show(state: &Value, output: Output) -> Result<(), CliError> {
    output.show(state, || {
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let sources = state["sources"].as_array().cloned().unwrap_or_default();
        let rows = sources.iter().map(|source| {
            let about =
                source["networks"].as_u64().map_or_else(|| text(&source["kind"]), |count| format!("{count} networks"));
            let cells = [&source["source"], &source["file"]].map(text);
            let (date, size) = (text(&source["date"]), bytes(source["size"].as_u64()));
            let [name, file] = cells;
            vec![name, about, date, size, file, source["problem"].as_str().unwrap_or_default().to_owned()]
        });
        if sources.is_empty() {
            return "no geolocation files; `p2ppool geoip install` fetches DB-IP City Lite".to_owned();
        }
        table(&["source", "what", "date", "size", "file", "problem"], &["size"], rows)
    })
}

async fn lookup(client: &Client, ip: std::net::IpAddr, output: Output) -> Result<(), CliError> {
    let answer = client.get_value(&format!("geo/lookup?ip={ip}")).await?;
    output.show(&answer, || {
        let place = &answer["place"];
        if place.is_null() {
            return format!("{ip}: no source knows it");
        }
        let credits = answer["credits"].as_array().into_iter().flatten();
        let credits: String = credits
            .filter_map(|credit| Some(format!("\n{} ({})", credit["text"].as_str()?, credit["url"].as_str()?)))
            .collect();
        let name = |field: &str| place[field].as_str().map(|text| format!(" {text}")).unwrap_or_default();
        format!(
            "{ip}: {},{}{}{} (source: {}, precision: {}){credits}",
            place["location"]["latitude"],
            place["location"]["longitude"],
            name("city"),
            name("country"),
            place["source"].as_str().unwrap_or("-"),
            place["precision"].as_str().unwrap_or("-"),
        )
    })
}
