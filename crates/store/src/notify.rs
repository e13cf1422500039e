//! How managers that share a database wake each other: `LISTEN`/`NOTIFY` of PostgreSQL.
//!
//! A notice is sent with the transaction that it is about, so whoever hears it sees what changed. It says
//! only where to look. SQLite has one manager, which tells itself.

use std::str::FromStr;

use sqlx::postgres::PgListener;

use crate::Store;
use crate::db::{On, Tx, execute};
use crate::error::{Result, Tried as _};

/// The channel of all notices.
const CHANNEL: &str = "p2ppool";

/// Where to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A task was queued, told to end, given back, or ended.
    Tasks,
    /// A schedule was made, changed or deleted.
    Schedules,
    /// There is something to tell viewers.
    Events,
}

impl Topic {
    fn as_str(self) -> &'static str {
        match self {
            Self::Tasks => "tasks",
            Self::Schedules => "schedules",
            Self::Events => "events",
        }
    }
}

impl FromStr for Topic {
    type Err = String;
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let known = [Self::Tasks, Self::Schedules, Self::Events];
        known.into_iter().find(|topic| topic.as_str() == text).ok_or_else(|| format!("`{text}` is no topic"))
    }
}

/// Hears what other managers (and this one) changed.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Listener {
    /// The next notice. `None`: the connection was lost for a while; anything may have changed.
    pub async fn next(&mut self) -> Result<Option<Topic>> {
        loop {
            match self.0.try_recv().await.tried("listen to other managers")? {
                None => return Ok(None),
                // a newer manager may tell of more than this one knows
                Some(notice) => match notice.payload().parse() {
                    Ok(topic) => return Ok(Some(topic)),
                    Err(_) => continue,
                },
            }
        }
    }
}

impl Store {
    /// Several managers may use this database at once.
    pub fn is_shared(&self) -> bool {
        matches!(self.db.read(), On::Postgres(_))
    }

    /// Hears notices from now on; `None` where there is only one manager.
    pub async fn listen(&self) -> Result<Option<Listener>> {
        let On::Postgres(pool) = self.db.read() else { return Ok(None) };
        let mut listener = PgListener::connect_with(pool).await.tried("listen to other managers")?;
        listener.listen(CHANNEL).await.tried("listen to other managers")?;
        Ok(Some(Listener(listener)))
    }
}

/// Wakes all managers when the transaction is committed.
pub(crate) async fn notify(tx: &mut Tx, topic: Topic) -> Result<()> {
    if let On::Sqlite(_) = tx.conn() {
        return Ok(());
    }
    execute!(tx.conn(), "SELECT pg_notify($1, $2)", CHANNEL, topic.as_str()).tried("wake other managers").map(drop)
}
