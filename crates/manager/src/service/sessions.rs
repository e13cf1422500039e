//! Sessions in browsers.

use p2ppool_model::{Time, UserId};
use p2ppool_store::Session;

use crate::app::App;
use crate::service::Error;
use crate::service::accounts::Proof;

/// The session that this shows, if it is one that holds.
pub async fn current(app: &App, proof: &Proof) -> Result<Option<i64>, Error> {
    let Some(hash) = proof.session() else { return Ok(None) };
    Ok(app.store.session(hash.as_str(), Time::now()).await?.map(|(session, _)| session.id))
}

/// Sessions of a person that hold, last used first.
pub async fn of(app: &App, user: Option<UserId>) -> Result<Vec<Session>, Error> {
    let user = user.ok_or(Error::Unauthenticated("listing sessions"))?;
    Ok(app.store.sessions(user, Time::now()).await?)
}

/// Ends one session of a person.
pub async fn end(app: &App, user: Option<UserId>, id: i64) -> Result<(), Error> {
    let user = user.ok_or(Error::Unauthenticated("ending a session"))?;
    Ok(app.store.delete_session(user, id).await?)
}

/// Ends all sessions of a person but one; tells how many.
pub async fn end_all(app: &App, user: Option<UserId>, keep: Option<i64>) -> Result<u64, Error> {
    let user = user.ok_or(Error::Unauthenticated("ending sessions"))?;
    Ok(app.store.delete_sessions(user, keep).await?)
}
