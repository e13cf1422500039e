//! Tasks: look at them, ask for them, end them.

use p2ppool_model::action::Relation;
use p2ppool_model::pool::{OverlayKindName, Pool, PoolState};
use p2ppool_model::role::Role;
use p2ppool_model::rolling::Rolling;
use p2ppool_model::task::{Task, TaskHost};
use p2ppool_model::waiting::{ShownTask, Waiting};
use p2ppool_model::{Action, Digest, HostId, Outcome, TaskId};
use p2ppool_store::{Listed, Natural, Page, StoreError, TaskHostFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::accounts::{Right, Viewer};
use crate::actions::params::UpgradeTaskParams;
use crate::app::App;
use crate::engine::{Ask, AskError};
use crate::service::{Error, pools};

/// The task, when this viewer may see its pool. Tasks outlive their pool (a stop ends by deleting it):
/// [`right_on`] tells who still sees what became of them.
pub async fn visible(app: &App, viewer: &Viewer, id: TaskId) -> Result<Task, Error> {
    let anonymous = *viewer == Viewer::Anonymous;
    let found = match app.store.task(id).await {
        Ok(task) if right_on(app, viewer, &task).await?.is_some() => Some(task),
        Ok(_) | Err(StoreError::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    match found {
        Some(task) => Ok(task),
        None if anonymous => Err(Error::Unauthenticated("seeing this task")),
        None => Err(Error::not_found("task", id)),
    }
}

/// A task with what it waits for.
pub async fn shown(app: &App, task: Task) -> Result<ShownTask, Error> {
    let in_its_way = match task.waits_for {
        Some(other) => match app.store.task(other).await {
            Ok(other) => Some(other),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        },
        None => None,
    };
    let waiting = Waiting::of(&task, in_its_way.as_ref(), app.store.now().await?);
    Ok(ShownTask { task, waiting })
}

/// Queues a task, or joins a waiting one that does exactly this.
pub async fn request(
    app: &App,
    viewer: &Viewer,
    pool: Pool,
    action: Action,
    params: impl Serialize,
) -> Result<Task, Error> {
    let params = serde_json::to_value(params).map_err(Error::internal)?;
    if let Some(digest) = params.get("bundle").and_then(Value::as_str) {
        check_bundle(app, &pool, digest).await?;
    }
    let ask = Ask { pool, action, params, started_by: viewer.name().to_owned() };
    Ok(app.engine.request(ask).await?)
}

/// A Brunet overlay of two kinds of nodes is rarely one: nodes of different versions refuse each other or, worse,
/// half understand each other, and hosts that were not reached go on in it. In a namespace of its own the new
/// one is whole from the start, and who is left in the old one is seen as out of version.
fn check_namespace(pool: &Pool, params: &UpgradeParams) -> Result<(), Error> {
    let brings_another = params.bundle.is_some() && pool.bundle.is_some() && params.bundle != pool.bundle;
    if pool.settings.kind != OverlayKindName::Brunet || !brings_another || params.keep_namespace {
        return Ok(());
    }
    let wanted = params.settings.as_ref().and_then(|settings| settings.get("namespace")).and_then(Value::as_str);
    if wanted.is_some_and(|wanted| !wanted.is_empty() && wanted != pool.settings.namespace) {
        return Ok(());
    }
    let old = &pool.settings.namespace;
    Err(Error::Conflict {
        code: "namespace_needed",
        message: format!(
            "another bundle needs another namespace than `{old}`: nodes of two versions in one Brunet overlay disturb \
             each other, and hosts that the upgrade can't reach would stay in it; give a new `namespace` with the \
             upgrade, or `keep_namespace` when you know that both versions get on"
        ),
    })
}

async fn check_bundle(app: &App, pool: &Pool, digest: &str) -> Result<(), Error> {
    let digest: Digest = digest.parse().map_err(|error| Error::field("bundle", format!("{error}")))?;
    match app.store.bundle(&digest).await {
        Ok(bundle) if bundle.kind == pool.settings.kind => Ok(()),
        Ok(bundle) => {
            let (theirs, ours) = (bundle.kind.as_str(), pool.settings.kind.as_str());
            Err(Error::field("bundle", format!("{} is for {theirs}, the pool runs {ours}", bundle.name)))
        }
        Err(StoreError::NotFound { .. }) => {
            Err(Error::field("bundle", format!("there is no bundle {}; upload it first", digest.short())))
        }
        Err(error) => Err(error.into()),
    }
}

/// Of upgrade: what to change before hosts are brought to it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpgradeParams {
    /// The bundle to deploy; the present one by default.
    pub bundle: Option<Digest>,
    /// Text of a new host list; the present one by default.
    pub hosts: Option<String>,
    /// Settings to change.
    #[schema(value_type = Option<p2ppool_model::pool::PoolSettings>)]
    pub settings: Option<Map<String, Value>>,
    /// A new Brunet bundle keeps the namespace of the old one: old and new nodes then share one overlay.
    pub keep_namespace: bool,
    /// In batches, with a gate after each; the settings are the pool's when the last gate was passed.
    pub rolling: Option<Rolling>,
}

/// Changes settings and hosts, then queues the upgrade that brings hosts to them. When the upgrade
/// would be refused, nothing is changed.
pub async fn upgrade(app: &App, viewer: &Viewer, mut pool: Pool, mut params: UpgradeParams) -> Result<Task, Error> {
    if matches!(pool.state, PoolState::Created | PoolState::Uninstalling) {
        let state = pool.state.as_str();
        return Err(refused(format!("pool `{}` is {state}; install it first", pool.name)));
    }
    for other in app.store.open_tasks(Some(pool.id)).await? {
        if Action::Upgrade.relation_to(other.action) == Relation::Refuse {
            return Err(refused(format!("{} #{} is there; wait for its end", other.action, other.id)));
        }
    }
    if let Some(digest) = &params.bundle {
        check_bundle(app, &pool, digest.as_str()).await?;
    }
    check_namespace(&pool, &params)?;
    let hosts = params.hosts.as_deref().map(pools::hosts_of).transpose()?;
    let settings = match &params.rolling {
        Some(rolling) => {
            check_rolling(&pool, rolling, params.settings.as_ref())?;
            None
        }
        None => params.settings.take(),
    };
    if settings.is_some() || hosts.is_some() {
        pools::change(app, &pool, settings, hosts.as_deref()).await?;
        pool = app.store.pool(pool.id).await?;
    }
    let UpgradeParams { bundle, settings, rolling, .. } = params;
    request(app, viewer, pool, Action::Upgrade, UpgradeTaskParams { bundle, rolling, settings }).await
}

fn check_rolling(pool: &Pool, rolling: &Rolling, settings: Option<&Map<String, Value>>) -> Result<(), Error> {
    rolling.check().map_err(|why| Error::field("rolling", why))?;
    if pool.state == PoolState::Suspended {
        return Err(refused(format!(
            "pool `{}` is suspended: its overlay can't be looked at; resume it first",
            pool.name
        )));
    }
    let Some(settings) = settings else { return Ok(()) };
    if settings.contains_key("network_secret") {
        let reason = "can't be changed by a rolling upgrade: nodes with and without it never meet";
        return Err(Error::field("settings.network_secret", reason));
    }
    pools::changed(pool, settings.clone()).map(drop)
}

/// Tells a task to end. One that has ended stays as it is.
pub async fn cancel(app: &App, viewer: &Viewer, id: TaskId) -> Result<Task, Error> {
    changeable(app, viewer, id).await?;
    Ok(app.engine.cancel(id, viewer.name()).await?)
}

/// Does hosts of an ended task again: those that are named or have one of these outcomes; nothing given: all that
/// are not right.
pub async fn retry(app: &App, viewer: &Viewer, id: TaskId, only: &[Outcome], hosts: &[HostId]) -> Result<Task, Error> {
    changeable(app, viewer, id).await?;
    app.engine.retry(id, only, hosts, viewer.name()).await.map_err(|error| match error {
        AskError::Params(why) => Error::field("hosts", why),
        other => other.into(),
    })
}

/// Hosts of a task and of the tasks that did some of them again, each as its last attempt left it.
pub async fn merged_hosts(
    app: &App,
    id: TaskId,
    filter: &TaskHostFilter,
    page: Page,
) -> Result<Listed<TaskHost>, Error> {
    let text = filter.text.as_deref().map(str::to_lowercase);
    let wanted = |row: &TaskHost| {
        let found =
            |part: &String| row.address.to_lowercase().contains(part) || row.message.to_lowercase().contains(part);
        (filter.outcomes.is_empty() || filter.outcomes.contains(&row.outcome)) && text.as_ref().is_none_or(found)
    };
    let mut rows = app.store.merged_task_hosts(id).await?;
    rows.retain(wanted);
    rows.sort_by(|a, b| (Natural(&a.address), a.host).cmp(&(Natural(&b.address), b.host)));
    let total = rows.len() as u64;
    let first = usize::try_from(page.offset).unwrap_or(usize::MAX);
    let items = rows.into_iter().skip(first).take(page.limit as usize).collect();
    Ok(Listed { total, items })
}

/// What this viewer may do with the pool of a task. Of a task whose pool is gone, administrators and the one who
/// started it still see everything; there is nothing left to change.
pub async fn right_on(app: &App, viewer: &Viewer, task: &Task) -> Result<Option<Right>, Error> {
    match app.store.pool(task.pool).await {
        Ok(pool) => Ok(viewer.right_on(&pool)),
        Err(StoreError::NotFound { .. }) => {
            let theirs = *viewer != Viewer::Anonymous && viewer.name() == task.started_by;
            Ok((viewer.is_at_least(Role::Administrator) || theirs).then_some(Right::Manage))
        }
        Err(error) => Err(error.into()),
    }
}

pub(crate) async fn changeable(app: &App, viewer: &Viewer, id: TaskId) -> Result<(), Error> {
    let task = visible(app, viewer, id).await?;
    match app.store.pool(task.pool).await {
        Ok(pool) => pools::changeable(app, viewer, pool.name.as_str()).await.map(drop),
        Err(StoreError::NotFound { .. }) => {
            Err(refused(format!("the pool of task #{id} was deleted; there is nothing left to do in it")))
        }
        Err(error) => Err(error.into()),
    }
}

fn refused(message: String) -> Error {
    Error::Conflict { code: "refused", message }
}

impl From<AskError> for Error {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(why) => refused(why),
            AskError::Params(why) => Self::field("params", why),
            AskError::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use p2ppool_model::pool::PoolSettings;
    use p2ppool_model::{PoolId, Time};

    use super::*;

    fn pool(kind: OverlayKindName) -> Pool {
        Pool {
            id: PoolId(1),
            name: "demo".parse().unwrap(),
            settings: PoolSettings { kind, namespace: "old".into(), ..PoolSettings::default() },
            state: PoolState::Running,
            bundle: Some(Digest::of(b"first")),
            package: Some(Digest::of(b"package")),
            owner: None,
            created: Time(0),
        }
    }

    #[test]
    fn another_brunet_bundle_needs_another_namespace_or_a_word() {
        let brunet = pool(OverlayKindName::Brunet);
        let with = |bundle: &[u8], settings: Value, keep_namespace: bool| UpgradeParams {
            bundle: Some(Digest::of(bundle)),
            settings: settings.as_object().cloned(),
            keep_namespace,
            ..UpgradeParams::default()
        };
        let refused = |pool: &Pool, params: UpgradeParams| check_namespace(pool, &params).err().map(|e| e.to_string());
        let why = refused(&brunet, with(b"second", Value::Null, false)).unwrap();
        assert!(why.contains("`old`") && why.contains("keep_namespace"), "{why}");
        assert!(refused(&brunet, with(b"second", serde_json::json!({ "namespace": "old" }), false)).is_some());
        assert_eq!(refused(&brunet, with(b"second", serde_json::json!({ "namespace": "new" }), false)), None);
        assert_eq!(refused(&brunet, with(b"second", Value::Null, true)), None);
        assert_eq!(refused(&brunet, with(b"first", Value::Null, false)), None);
        assert_eq!(refused(&pool(OverlayKindName::Libp2p), with(b"second", Value::Null, false)), None);
    }
}
