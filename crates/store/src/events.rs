//! What viewers are told, shared between managers: one order of ids for all of them.

use p2ppool_model::Time;
use p2ppool_model::event::{Change, Event};

use crate::Store;
use crate::db::{execute, on};
use crate::error::{Result, Tried as _};
use crate::notify::{Topic, notify};
use crate::text::{from_json, to_json, uint};

/// Events that are kept for viewers who come back and for managers that start: minutes of a busy fleet.
pub const EVENTS_KEPT: u32 = 4_096;
/// The lock that makes ids visible in their order: who has it is the only one who adds events.
const ORDER_LOCK: i64 = 0x7032_7070_6f6f_6c01;

/// Something to tell viewers.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEvent {
    /// When.
    pub at: Time,
    /// Name of the pool it is about.
    pub pool: Option<String>,
    /// What.
    pub change: Change,
}

impl Store {
    /// Adds events and wakes every manager. Their ids rise in the order in which they become visible,
    /// so that a reader who has seen an id has seen everything before it.
    pub async fn append_events(&self, events: &[NewEvent]) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        let mut tx = self.db.begin_relaxed().await?;
        if self.is_shared() {
            execute!(tx.conn(), "SELECT pg_advisory_xact_lock($1)", ORDER_LOCK).tried("tell viewers")?;
        }
        let mut newest = 0i64;
        for event in events {
            let change = to_json("an event", &event.change)?;
            newest = on!(tx.conn(), conn => {
                sqlx::query_scalar("INSERT INTO events (at, pool, change) VALUES ($1, $2, $3) RETURNING id")
                    .bind(event.at.0)
                    .bind(&event.pool)
                    .bind(change)
                    .fetch_one(conn)
                    .await
            })
            .tried("tell viewers")?;
        }
        execute!(tx.conn(), "DELETE FROM events WHERE id <= $1", newest - i64::from(EVENTS_KEPT))
            .tried("forget old events")?;
        notify(&mut tx, Topic::Events).await?;
        tx.commit().await
    }

    /// Events after an id, oldest first, at most so many.
    pub async fn events_after(&self, id: u64, most: u32) -> Result<Vec<Event>> {
        let rows: Vec<(i64, i64, Option<String>, String)> = on!(self.db.read(), conn => {
            sqlx::query_as("SELECT id, at, pool, change FROM events WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(crate::text::int(id))
                .bind(i64::from(most))
                .fetch_all(conn)
                .await
        })
        .tried("read what to tell viewers")?;
        rows.into_iter()
            .map(|(id, at, pool, change)| {
                // an event that a newer manager wrote and this one does not know: read everything again
                let change = from_json(&format!("event {id}"), &change).unwrap_or(Change::Reread);
                Ok(Event { id: uint(id), at: Time(at), pool, change })
            })
            .collect()
    }

    /// The id before the oldest event that is kept: where a manager that starts begins to read.
    pub async fn events_begin(&self) -> Result<u64> {
        let oldest: Option<i64> =
            on!(self.db.read(), conn => sqlx::query_scalar("SELECT MIN(id) FROM events").fetch_one(conn).await)
                .tried("read what to tell viewers")?;
        Ok(uint(oldest.unwrap_or(1) - 1))
    }
}
