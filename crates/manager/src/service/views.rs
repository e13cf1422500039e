//! How tables of a pool are shown: the pool's own default, and each person's.

use std::collections::BTreeMap;

use p2ppool_model::pool::Pool;
use p2ppool_model::{PoolId, Time};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::accounts::Viewer;
use crate::app::App;
use crate::service::Error;

/// Columns and filters of one view.
const ENTRIES_MAX: usize = 64;
/// Longest name of a column or filter, bytes.
const NAME_MAX: usize = 64;
/// Longest value of a filter, bytes.
const VALUE_MAX: usize = 200;

/// A table of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Node statistics.
    Nodes,
    /// System statistics.
    Stats,
    /// The host list.
    Hosts,
}

impl View {
    /// The name used in the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nodes => "nodes",
            Self::Stats => "stats",
            Self::Hosts => "hosts",
        }
    }
}

impl std::str::FromStr for View {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = [Self::Nodes, Self::Stats, Self::Hosts].into_iter().find(|view| view.as_str() == text);
        found.ok_or_else(|| Error::not_found("view", text))
    }
}

/// How a table is shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ViewSettings {
    /// Columns in this order; null: those of the program.
    pub columns: Option<Vec<String>>,
    /// The column to sort by.
    pub sort: Option<String>,
    /// `asc` or `desc`.
    pub order: Option<String>,
    /// Filters by name.
    pub filters: BTreeMap<String, String>,
    /// How far back, such as `24h`, `7d` or a number of crawls.
    pub range: Option<String>,
}

/// A view's settings: what is in effect is `own`, else `pool`, else the program's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ViewChoice {
    /// What those who manage the pool chose for everybody.
    pub pool: Option<ViewSettings>,
    /// What you chose for yourself.
    pub own: Option<ViewSettings>,
}

/// What was chosen for a view.
pub async fn of(app: &App, viewer: &Viewer, pool: &Pool, view: View) -> Result<ViewChoice, Error> {
    let own = match viewer.id() {
        Some(id) => app.store.user_view(id, pool.id, view.as_str()).await?,
        None => None,
    };
    Ok(ViewChoice { pool: app.store.pool_view(pool.id, view.as_str()).await?, own })
}

/// Chooses for everybody; nothing: as the program has it.
pub async fn set(
    app: &App,
    viewer: &Viewer,
    pool: &Pool,
    view: View,
    settings: Option<ViewSettings>,
) -> Result<ViewChoice, Error> {
    let settings = settings.map(checked).transpose()?;
    app.store.set_pool_view(pool.id, view.as_str(), settings.as_ref(), viewer.name(), Time::now()).await?;
    app.events.publish(Some(pool.name.as_str()), p2ppool_model::event::Change::Pool);
    of(app, viewer, pool, view).await
}

/// Chooses for oneself; nothing: as the pool has it.
pub async fn set_own(
    app: &App,
    viewer: &Viewer,
    pool: &Pool,
    view: View,
    settings: Option<ViewSettings>,
) -> Result<ViewChoice, Error> {
    let id = viewer.id().ok_or(Error::Unauthenticated("choosing how a view is shown"))?;
    let settings = settings.map(checked).transpose()?;
    app.store.set_user_view(id, pool.id, view.as_str(), settings.as_ref(), Time::now()).await?;
    of(app, viewer, pool, view).await
}

/// Everything that a person chose for themselves, by pool number and view.
pub async fn own(app: &App, viewer: &Viewer) -> Result<Vec<(PoolId, String, ViewSettings)>, Error> {
    let id = viewer.id().ok_or(Error::Unauthenticated("listing views"))?;
    Ok(app.store.user_views(id).await?)
}

fn checked(settings: ViewSettings) -> Result<ViewSettings, Error> {
    let name = |text: &String| {
        (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
    };
    let columns = settings.columns.as_deref().unwrap_or_default();
    let twice = columns.iter().enumerate().any(|(i, column)| columns[..i].contains(column));
    if columns.len() > ENTRIES_MAX || twice || !columns.iter().all(name) {
        return Err(Error::field("columns", format!("must be at most {ENTRIES_MAX} different names of columns")));
    }
    if !settings.sort.iter().all(name) {
        return Err(Error::field("sort", "must be the name of a column"));
    }
    if settings.order.as_deref().is_some_and(|order| !["asc", "desc"].contains(&order)) {
        return Err(Error::field("order", "must be `asc` or `desc`"));
    }
    let right = |(key, value): (&String, &String)| name(key) && value.len() <= VALUE_MAX;
    if settings.filters.len() > ENTRIES_MAX || !settings.filters.iter().all(right) {
        return Err(Error::field(
            "filters",
            format!("must be at most {ENTRIES_MAX} names with values of {VALUE_MAX} bytes"),
        ));
    }
    if !settings.range.iter().all(name) {
        return Err(Error::field("range", "must be a length of time or a number of crawls, such as `7d` or `20`"));
    }
    Ok(settings)
}
