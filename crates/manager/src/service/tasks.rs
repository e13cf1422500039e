//! Tasks: look at them, ask for them, end them.

use p2ppool_model::TaskId;
use p2ppool_model::pool::Pool;
use p2ppool_model::task::Task;

use crate::accounts::Viewer;
use crate::app::App;
use crate::service::Error;

/// The task and its pool, when this viewer may see that.
pub async fn visible(app: &App, viewer: &Viewer, id: TaskId) -> Result<(Task, Pool), Error> {
    let found = match app.store.task(id).await {
        Ok(task) => app.store.pool(task.pool).await.map(|pool| (task, pool)),
        Err(error) => Err(error),
    };
    match found.map_err(Error::from) {
        Ok((task, pool)) if viewer.may_see(&pool) => Ok((task, pool)),
        Ok(_) | Err(Error::Missing(_)) if *viewer == Viewer::Anonymous => {
            Err(Error::Unauthenticated("seeing this task"))
        }
        Ok(_) => Err(Error::not_found("task", id)),
        Err(error) => Err(error),
    }
}
