//! How maps are drawn below their points.

use p2ppool_model::Time;

use crate::app::App;
use crate::service::Error;
use crate::tiles::MapSettings;

/// The setting that keeps [`MapSettings`].
const SETTING: &str = "map";

/// As it was decided, or as the program brings it.
pub async fn settings(app: &App) -> Result<MapSettings, Error> {
    Ok(app.store.setting(SETTING).await?.unwrap_or_default())
}

/// Decides it. When a field is wrong, all wrong ones are named and nothing is changed.
pub async fn set(app: &App, settings: MapSettings) -> Result<MapSettings, Error> {
    let settings = settings.trimmed();
    let wrong = settings.wrong();
    if !wrong.is_empty() {
        return Err(Error::Fields(wrong));
    }
    app.store.set_setting(SETTING, &settings, Time::now()).await?;
    Ok(settings)
}
