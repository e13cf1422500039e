//! Rolling upgrades: look at one, decide on a paused one.

use p2ppool_model::TaskId;
use p2ppool_model::event::Change;
use p2ppool_model::rollout::Decision;
use p2ppool_model::rollout_view::RolloutView;
use p2ppool_store::Decided;

use crate::accounts::Viewer;
use crate::app::App;
use crate::service::{Error, tasks};

/// Where the rolling upgrade of a task is.
pub async fn view(app: &App, viewer: &Viewer, id: TaskId) -> Result<RolloutView, Error> {
    let task = tasks::visible(app, viewer, id).await?;
    let rollout = app.store.rollout(task.id).await?;
    let rollout =
        rollout.ok_or_else(|| Error::Missing(format!("rolling upgrade of task #{id}, or it has not begun")))?;
    Ok(RolloutView::of(task.id, &rollout, &app.store.all_task_hosts(task.id).await?))
}

/// Says what becomes of a paused rolling upgrade.
pub async fn decide(app: &App, viewer: &Viewer, id: TaskId, decision: Decision) -> Result<RolloutView, Error> {
    tasks::changeable(app, viewer, id).await?;
    let decided = Decided { decision, by: viewer.name().to_owned() };
    app.store.decide_rollout(id, &decided).await?;
    let view = view(app, viewer, id).await?;
    let pool = app.store.task(id).await?.pool_name;
    // the one who runs the task waits for it
    app.events.publish(Some(&pool), Change::Rollout { rollout: Box::new(view.clone()) });
    Ok(view)
}
