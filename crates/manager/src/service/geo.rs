//! Where addresses are, and what tells.

use std::net::IpAddr;

use p2ppool_model::geo::Place;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::geo::{Credit, GeoSettings, OVERRIDES_FILE, OVERRIDES_MAX, SourceState, WrongLine};
use crate::service::Error;

/// The sources of places.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GeoState {
    /// What the super administrator decided.
    pub settings: GeoSettings,
    /// The files, in the order in which they are asked.
    pub sources: Vec<SourceState>,
    /// Whom to thank for each of them, on pages that show what it told.
    pub credits: Vec<Credit>,
    /// The folder that `geo-overrides.csv` lies in.
    pub folder: String,
}

/// What is known of one address.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct GeoAnswer {
    /// The address that was asked for.
    #[schema(value_type = String)]
    pub ip: IpAddr,
    /// Where it is, and which source said so; null when none knows.
    pub place: Option<Place>,
    /// Whom to thank for the answer.
    pub credits: Vec<Credit>,
}

/// The sources as they are now.
pub async fn state(app: &App) -> Result<GeoState, Error> {
    let sources = app.geo.sources(&app.store).await?;
    let every = p2ppool_model::geo::Located { database: 1, dbip: 1, ..Default::default() };
    let states = sources.states();
    let dbip_there = states.iter().any(|state| state.source == p2ppool_model::geo::GeoSource::Dbip);
    let used = p2ppool_model::geo::Located { dbip: u64::from(dbip_there), ..every };
    Ok(GeoState {
        settings: app.geo.settings(&app.store).await?,
        credits: sources.credits(&used),
        sources: states,
        folder: app.geo.folder().display().to_string(),
    })
}

/// Where this address is.
pub async fn lookup(app: &App, ip: &str) -> Result<GeoAnswer, Error> {
    let ip: IpAddr = ip.trim().parse().map_err(|_| {
        Error::field("ip", format!("`{}` is not an IP address", ip.chars().take(80).collect::<String>()))
    })?;
    let sources = app.geo.sources(&app.store).await?;
    let place = sources.locate(ip);
    let mut located = p2ppool_model::geo::Located::default();
    located.add(place.as_ref().map(|place| place.source));
    Ok(GeoAnswer { ip, place, credits: sources.credits(&located) })
}

/// Decides which files are asked. A database that can't be read is an error, and nothing is changed.
pub async fn set(app: &App, settings: GeoSettings) -> Result<GeoState, Error> {
    if let Some(path) = &settings.database {
        if !path.is_absolute() {
            return Err(Error::field("database", "must be an absolute path on the manager's machine"));
        }
        let path = path.clone();
        let opened = tokio::task::spawn_blocking(move || crate::geo::try_database(&path)).await;
        opened.map_err(Error::internal)?.map_err(|reason| Error::field("database", reason))?;
    }
    app.geo.set_settings(&app.store, &settings).await?;
    state(app).await
}

/// The text of `geo-overrides.csv`; empty when there is none.
pub async fn overrides(app: &App) -> Result<String, Error> {
    match tokio::fs::read_to_string(app.geo.folder().join(OVERRIDES_FILE)).await {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::internal(error)),
    }
}

/// Replaces `geo-overrides.csv`. A text with wrong lines is refused, and they are named.
pub async fn set_overrides(app: &App, text: String) -> Result<GeoState, Error> {
    if text.len() as u64 > OVERRIDES_MAX {
        return Err(Error::TooLarge { what: "the list of overrides", limit: OVERRIDES_MAX });
    }
    let wrong = crate::geo::wrong_lines(&text);
    if !wrong.is_empty() {
        let field = |wrong: WrongLine| crate::service::FieldError {
            field: format!("line {}", wrong.line),
            reason: wrong.reason,
        };
        return Err(Error::Fields(wrong.into_iter().map(field).collect()));
    }
    let folder = app.geo.folder().to_owned();
    let written = tokio::task::spawn_blocking(move || {
        crate::folders::private_folder(&folder)?;
        crate::folders::write_private(&folder.join(OVERRIDES_FILE), text.as_bytes())
    });
    written.await.map_err(Error::internal)?.map_err(Error::internal)?;
    state(app).await
}
