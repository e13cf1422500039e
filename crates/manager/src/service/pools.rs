//! Pools: create, look at, edit, delete.

use std::collections::{HashMap, HashSet};

use p2ppool_model::event::Change;
use p2ppool_model::host::HostSpec;
use p2ppool_model::host_list;
use p2ppool_model::pool::{Pool, PoolSettings, PoolState};
use p2ppool_model::role::Role;
use p2ppool_model::snapshot::Snapshot;
use p2ppool_model::task::Task;
use p2ppool_model::{PoolId, PoolName, Time};
use p2ppool_store::{HostCounts as Counted, NewPool, PoolChange, Sealed, SecretScope};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::accounts::{Right, Viewer};
use crate::app::App;
use crate::engine::schedule;
use crate::http::body::parse_value;
use crate::local_node::{self, LocalState};
use crate::secrets::{self, KeepError};
use crate::service::Error;

/// A pool and how it is at the moment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PoolSummary {
    /// The pool.
    #[serde(flatten)]
    pub pool: Pool,
    /// Its hosts, counted.
    pub hosts: HostCounts,
    /// The newest crawl.
    pub snapshot: Option<Snapshot>,
    /// How many nodes answered each of the last 20 crawls, oldest crawl first.
    pub recent: Vec<u64>,
    /// Tasks that run or wait.
    pub tasks: Vec<Task>,
    /// How the local node was when it was last started, stopped or checked; only for one pool, and for who may change it.
    pub local_node: Option<LocalState>,
    /// The one who asks may change it.
    pub may_change: bool,
    /// What the one who asks may do with it.
    pub right: Option<Right>,
}

/// Hosts by what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct HostCounts {
    /// On the host list.
    pub total: u64,
    /// Reached at the last try.
    pub reachable: u64,
    /// Their node was up at the last look.
    pub running: u64,
    /// Never tried.
    pub unknown: u64,
    /// Taken off the list and not clean yet.
    pub leaving: u64,
}

impl From<Counted> for HostCounts {
    fn from(counted: Counted) -> Self {
        let Counted { total, reachable, running, unknown, leaving } = counted;
        Self { total, reachable, running, unknown, leaving }
    }
}

/// The pool, when this viewer may see it.
pub async fn visible(app: &App, viewer: &Viewer, name: &str) -> Result<Pool, Error> {
    let found = match name.parse::<PoolName>() {
        Ok(name) => app.store.pool_by_name(&name).await.map_err(Error::from),
        Err(_) => Err(Error::not_found("pool", name)),
    };
    match found {
        Ok(pool) if viewer.may_see(&pool) => Ok(pool),
        // Without an account nobody learns which private pools exist.
        Ok(_) | Err(Error::Missing(_) | Error::NotFound { .. }) if *viewer == Viewer::Anonymous => {
            Err(Error::Unauthenticated("seeing this pool"))
        }
        Ok(_) => Err(Error::not_found("pool", name)),
        Err(error) => Err(error),
    }
}

/// The pool, when this viewer may change it.
pub async fn changeable(app: &App, viewer: &Viewer, name: &str) -> Result<Pool, Error> {
    if *viewer == Viewer::Anonymous {
        return Err(Error::Unauthenticated("changing a pool"));
    }
    let pool = visible(app, viewer, name).await?;
    if !viewer.may_change(&pool) {
        return Err(Error::Forbidden { what: "changing this pool", needs: Role::Administrator, or_owner: true });
    }
    Ok(pool)
}

/// The pool, when this viewer may do with it what its owner may.
pub async fn owned(app: &App, viewer: &Viewer, name: &str) -> Result<Pool, Error> {
    let pool = changeable(app, viewer, name).await?;
    if viewer.right_on(&pool) < Some(Right::Own) {
        return Err(Error::Forbidden { what: "this", needs: Role::Administrator, or_owner: true });
    }
    Ok(pool)
}

/// Every pool that this viewer may see, by name.
pub async fn list(app: &App, viewer: &Viewer) -> Result<Vec<PoolSummary>, Error> {
    let mut counts = app.store.host_counts().await?;
    let mut snapshots = app.store.newest_snapshots().await?;
    let mut recent = app.store.recent_answering(None).await?;
    let mut open: HashMap<PoolId, Vec<Task>> = HashMap::new();
    for task in app.store.open_tasks(None).await? {
        open.entry(task.pool).or_default().push(task);
    }
    Ok(seen(app, viewer)
        .await?
        .into_iter()
        .map(|pool| PoolSummary {
            hosts: counts.remove(&pool.id).unwrap_or_default().into(),
            snapshot: snapshots.remove(&pool.id),
            recent: recent.remove(&pool.id).unwrap_or_default(),
            tasks: open.remove(&pool.id).unwrap_or_default(),
            local_node: None,
            may_change: viewer.may_change(&pool),
            right: viewer.right_on(&pool),
            pool,
        })
        .collect())
}

/// One pool with its counts.
pub async fn summary(app: &App, viewer: &Viewer, pool: Pool) -> Result<PoolSummary, Error> {
    Ok(PoolSummary {
        hosts: app.store.host_counts().await?.remove(&pool.id).unwrap_or_default().into(),
        snapshot: app.store.newest_snapshot(pool.id).await?,
        recent: app.store.recent_answering(Some(pool.id)).await?.remove(&pool.id).unwrap_or_default(),
        tasks: app.store.open_tasks(Some(pool.id)).await?,
        local_node: if viewer.may_change(&pool) { local_node::kept(&app.store, &pool).await? } else { None },
        may_change: viewer.may_change(&pool),
        right: viewer.right_on(&pool),
        pool,
    })
}

/// The pools that this viewer may see.
pub async fn seen(app: &App, viewer: &Viewer) -> Result<Vec<Pool>, Error> {
    Ok(app.store.pools().await?.into_iter().filter(|pool| viewer.may_see(pool)).collect())
}

/// Names of the pools that this viewer may see.
pub async fn seen_names(app: &App, viewer: &Viewer) -> Result<HashSet<String>, Error> {
    Ok(seen(app, viewer).await?.into_iter().map(|pool| pool.name.to_string()).collect())
}

/// The hosts of a text, or every wrong line of it.
pub fn hosts_of(text: &str) -> Result<Vec<HostSpec>, Error> {
    let list = host_list::parse(text);
    if list.errors.is_empty() { Ok(list.hosts) } else { Err(Error::Hosts(list.errors)) }
}

/// Registers a pool. `given` holds `name`, optionally `hosts` (the text of a host list), and the
/// settings. When anything is wrong, nothing is created.
pub async fn create(app: &App, viewer: &Viewer, mut given: Map<String, Value>) -> Result<PoolSummary, Error> {
    let owner = viewer.id().ok_or(Error::Unauthenticated("creating a pool"))?;
    if !viewer.is_at_least(Role::Publisher) {
        return Err(Error::Forbidden { what: "creating a pool", needs: Role::Publisher, or_owner: false });
    }
    let name = text_field(&mut given, "name")?.ok_or_else(|| Error::field("name", "is missing"))?;
    let hosts = text_field(&mut given, "hosts")?.unwrap_or_default();
    let settings: PoolSettings = parse_value(Value::Object(given))?;

    // Everything that is wrong is told at once.
    let mut wrong = Vec::new();
    let name = name.parse::<PoolName>().map_err(|error| wrong.push(error.into())).ok();
    // The other settings are checked even when the name is wrong.
    let stand_in = || "x".parse::<PoolName>().ok();
    let settings = match name.clone().or_else(stand_in).map(|name| settings.checked(&name)) {
        Some(Ok(settings)) => Some(settings),
        Some(Err(errors)) => {
            wrong.extend(errors.into_iter().map(Into::into));
            None
        }
        None => None,
    };
    let (Some(name), Some(settings), true) = (name, settings, wrong.is_empty()) else {
        return Err(Error::Fields(wrong));
    };
    let hosts = hosts_of(&hosts)?;

    let now = app.store.now().await?;
    let schedules = schedule::defaults(now);
    let new =
        NewPool { name: &name, settings: &settings, owner: Some(owner), hosts: &hosts, schedules: &schedules, now };
    let id = app.store.register_pool(&new, |id| sealed_secret(app, id, settings.network_secret.as_deref())).await?;
    let pool = app.store.pool(id).await?;
    crate::folders::private_folder(&app.folders.public(&pool.name)).map_err(Error::internal)?;
    app.engine.schedules_changed();
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    summary(app, viewer, pool).await
}

/// The network secret, sealed for its place; none: it is to be forgotten.
fn sealed_secret(app: &App, pool: PoolId, secret: Option<&str>) -> Result<Vec<Sealed>, KeepError> {
    let name = secrets::NETWORK_SECRET;
    let place = format!("{}/{name}", SecretScope::Pool(pool));
    let ciphertext = secret.map(|secret| app.secrets.seal(&place, secret.as_bytes())).transpose()?;
    Ok(vec![Sealed { name, ciphertext }])
}

fn text_field(given: &mut Map<String, Value>, field: &'static str) -> Result<Option<String>, Error> {
    match given.remove(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Error::field(field, "must be a text")),
    }
}

/// A pool after an edit.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EditedPool {
    /// As it is now.
    #[serde(flatten)]
    pub summary: PoolSummary,
    /// Hosts keep the old settings until an upgrade.
    pub needs_upgrade: bool,
}

/// Changes some settings; what `given` does not name stays.
pub async fn edit(app: &App, viewer: &Viewer, pool: Pool, given: Map<String, Value>) -> Result<EditedPool, Error> {
    let needs_upgrade = change_settings(app, &pool, given).await?;
    let pool = app.store.pool(pool.id).await?;
    Ok(EditedPool { summary: summary(app, viewer, pool).await?, needs_upgrade })
}

/// Checks and stores changed settings. Returns whether they reach hosts only by an upgrade.
pub async fn change_settings(app: &App, pool: &Pool, given: Map<String, Value>) -> Result<bool, Error> {
    change(app, pool, Some(given), None).await
}

/// Checks and stores changed settings and a new host list, both or nothing. Returns whether the settings
/// reach hosts only by an upgrade.
pub async fn change(
    app: &App,
    pool: &Pool,
    given: Option<Map<String, Value>>,
    hosts: Option<&[HostSpec]>,
) -> Result<bool, Error> {
    let gives_secret = given.as_ref().is_some_and(|given| given.contains_key("network_secret"));
    let settings = given.map(|given| changed(pool, given)).transpose()?;
    let reaches_hosts = settings.as_ref().is_some_and(|settings| reaches_hosts(&pool.settings, settings));
    let secret = settings.as_ref().and_then(|settings| settings.network_secret.as_deref());
    let secrets = if gives_secret { sealed_secret(app, pool.id, secret)? } else { Vec::new() };
    let change = PoolChange { settings: settings.as_ref(), secrets, hosts };
    app.store.change_pool(pool.id, &change, Time::now()).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(pool.package.is_some() && (gives_secret || reaches_hosts))
}

/// The settings after the change, when they are right and may still be changed.
pub(crate) fn changed(pool: &Pool, given: Map<String, Value>) -> Result<PoolSettings, Error> {
    if given.contains_key("name") {
        return Err(Error::field("name", "can't be changed; hosts and files are found by it"));
    }
    let settings = merged(pool, given)?;
    let old = &pool.settings;
    let fixed = [
        ("kind", settings.kind != old.kind),
        ("transport", settings.transport != old.transport),
        ("install_path", settings.install_path != old.install_path),
    ];
    let installed = pool.state != PoolState::Created;
    match fixed.into_iter().find(|(_, differs)| installed && *differs) {
        Some((field, _)) => Err(Error::field(
            field,
            "can't be changed once something was installed; make another pool and stop this one",
        )),
        None => Ok(settings),
    }
}

/// The pool's settings with these fields replaced, checked.
fn merged(pool: &Pool, given: Map<String, Value>) -> Result<PoolSettings, Error> {
    let mut all = match serde_json::to_value(&pool.settings).map_err(Error::internal)? {
        Value::Object(all) => all,
        _ => Map::new(),
    };
    for (field, value) in given {
        match (all.get_mut(&field), value) {
            // Ports may be given one by one.
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
            (_, value) => {
                all.insert(field, value);
            }
        }
    }
    let settings: PoolSettings = parse_value(Value::Object(all))?;
    Ok(settings.checked(&pool.name)?)
}

/// The settings differ in something that is written on hosts.
fn reaches_hosts(old: &PoolSettings, new: &PoolSettings) -> bool {
    let on_hosts =
        |s: &PoolSettings| (s.namespace.clone(), s.ports, s.kad_protocol.clone(), s.bootstrap.clone(), s.kind);
    on_hosts(old) != on_hosts(new) || old.brunet.reaches_hosts(&new.brunet)
}

/// Deletes a pool that is on no host any more, with its files and its history.
pub async fn delete(app: &App, pool: &Pool) -> Result<(), Error> {
    let open = app.store.open_tasks(Some(pool.id)).await?;
    if let Some(task) = open.first() {
        return Err(Error::Conflict {
            code: "task_open",
            message: format!("{} #{} is {}; cancel it or wait for its end", task.action, task.id, task.state.as_str()),
        });
    }
    let installed = app.store.pool_hosts(pool.id).await?.into_iter().filter(|h| h.known.package.is_some()).count();
    let forgotten = pool.state == PoolState::Uninstalling;
    if installed > 0 && !forgotten {
        return Err(Error::Conflict {
            code: "still_installed",
            message: format!("{installed} hosts still have a package of this pool; stop it first"),
        });
    }
    // an install that failed on every host has left one running here
    app.engine.remove_local_node(pool).await;
    app.store.delete_pool(pool.id).await?;
    app.files.delete(&crate::files::public_path(&pool.name, "")).await.map_err(Error::Internal)?;
    for folder in [app.folders.public(&pool.name), app.folders.private(&pool.name)] {
        match tokio::fs::remove_dir_all(&folder).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::Internal(
                    anyhow::Error::new(error).context(format!("delete the folder {}", folder.display())),
                ));
            }
            _ => {}
        }
    }
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(())
}
