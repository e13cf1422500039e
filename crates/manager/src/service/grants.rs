//! Who else may see or manage a pool, and whose it is.

use p2ppool_model::event::Change;
use p2ppool_model::pool::Pool;
use p2ppool_model::role::Grant;
use p2ppool_model::{Time, UserId};
use p2ppool_store::{PoolGrant, User};

use crate::accounts::Viewer;
use crate::app::App;
use crate::service::Error;

/// Who was given what on this pool, by name.
pub async fn list(app: &App, pool: &Pool) -> Result<Vec<PoolGrant>, Error> {
    Ok(app.store.pool_grants(pool.id).await?)
}

/// Gives a person a right on a pool, or another one than they had.
pub async fn give(app: &App, viewer: &Viewer, pool: &Pool, name: &str, grant: Grant) -> Result<Vec<PoolGrant>, Error> {
    let user = named(app, name).await?;
    if pool.owner == Some(user.id) {
        return Err(Error::field("user", format!("{} owns this pool and may do everything with it", user.name)));
    }
    app.store.set_grant(pool.id, user.id, grant, viewer.name(), Time::now()).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    list(app, pool).await
}

/// Takes a right back.
pub async fn take_back(app: &App, pool: &Pool, user: UserId) -> Result<(), Error> {
    app.store.delete_grant(pool.id, user).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(())
}

/// Gives the pool to somebody else.
pub async fn give_away(app: &App, pool: &Pool, name: &str) -> Result<User, Error> {
    let user = named(app, name).await?;
    app.store.set_pool_owner(pool.id, user.id).await?;
    app.events.publish(Some(pool.name.as_str()), Change::Pool);
    Ok(user)
}

async fn named(app: &App, name: &str) -> Result<User, Error> {
    let known = app.store.credentials(name.trim()).await?;
    known.map(|known| known.user).ok_or_else(|| Error::field("user", format!("there is no account `{}`", name.trim())))
}
