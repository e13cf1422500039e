//! The outbox of alerts: messages stay until they are delivered, whatever happens to the manager that sends them.

use std::time::Duration;

use p2ppool_model::alert::Message;
use p2ppool_model::{AlertTargetId, Time};

use crate::Store;
use crate::db::{Tx, execute, on, write_one};
use crate::error::{Result, Tried as _};
use crate::text::{clean, from_json, to_json, uint};

/// A message that this manager may send now.
#[derive(Clone, Debug, PartialEq)]
pub struct DueMessage {
    /// Row identity; tells a message that comes twice.
    pub id: i64,
    /// Where it goes.
    pub target: AlertTargetId,
    /// What it says.
    pub message: Message,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was put there.
    pub created: Time,
}

/// How a target's messages fare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxState {
    /// Wait to be sent.
    pub waiting: u64,
    /// Were given up.
    pub lost: u64,
    /// When the last one was delivered.
    pub delivered: Option<Time>,
    /// What went wrong last, while it does.
    pub error: Option<String>,
}

/// What becomes of a message that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It arrived.
    Delivered,
    /// It did not, and will be tried again then.
    Later(Time, String),
    /// It did not, for too long.
    GivenUp(String),
    /// It is not the time for it: nobody wants to be told now.
    Quiet(Time),
}

pub(crate) async fn enqueue(tx: &mut Tx, targets: &[AlertTargetId], message: &Message, now: Time) -> Result<u64> {
    let text = to_json("a message", message)?;
    let mut put = 0;
    for target in targets {
        // a target that was deleted meanwhile gets nothing
        put += execute!(
            tx.conn(),
            "INSERT INTO alert_messages (target_id, message, created, next_at, attempts)
             SELECT t.id, $1, $2, $2, 0 FROM alert_targets t WHERE t.id = $3",
            clean(&text),
            now.0,
            target.0,
        )
        .tried("put a message into the outbox")?;
    }
    Ok(put)
}

impl Store {
    /// Puts a message into the outbox of each of these targets; tells how many there were.
    pub async fn enqueue_message(&self, targets: &[AlertTargetId], message: &Message, now: Time) -> Result<u64> {
        let mut tx = self.db.begin().await?;
        let put = enqueue(&mut tx, targets, message, now).await?;
        tx.commit().await?;
        Ok(put)
    }

    /// Takes messages that are due and that no other manager sends, for a while; the longest waiting first.
    pub async fn claim_messages(&self, owner: &str, lease: Duration, limit: u32) -> Result<Vec<DueMessage>> {
        let mut tx = self.db.begin().await?;
        let now = tx.now().await?;
        let rows: Vec<(i64, i64, String, i64, i64)> = on!(tx.conn(), conn => {
            // the lease is asked for twice: another manager may have taken a row since the inner look
            sqlx::query_as(
                "UPDATE alert_messages SET owner = $1, lease_until = $2
                 WHERE id IN (SELECT m.id FROM alert_messages m JOIN alert_targets t ON t.id = m.target_id
                              WHERE m.next_at <= $3 AND (m.lease_until IS NULL OR m.lease_until < $3) AND t.enabled
                              ORDER BY m.next_at, m.id LIMIT $4)
                   AND next_at <= $3 AND (lease_until IS NULL OR lease_until < $3)
                 RETURNING id, target_id, message, attempts, created",
            )
            .bind(owner)
            .bind(now.plus(lease).0)
            .bind(now.0)
            .bind(i64::from(limit))
            .fetch_all(conn)
            .await
        })
        .tried("take messages to send")?;
        tx.commit().await?;
        let due = rows.into_iter().map(|(id, target, message, attempts, created)| {
            let message = from_json(&format!("message {id}"), &message)?;
            let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
            Ok(DueMessage { id, target: AlertTargetId(target), message, attempts, created: Time(created) })
        });
        let mut due = due.collect::<Result<Vec<_>>>()?;
        due.sort_by_key(|message| message.id);
        Ok(due)
    }

    /// Notes how sending went. A manager whose lease ran out meanwhile changes nothing.
    pub async fn message_sent(&self, id: i64, owner: &str, sent: &Sent) -> Result<bool> {
        let now = Time::now();
        let (next_at, tried, delivered, error) = match sent {
            Sent::Delivered => (None, 1, Some(now.0), None),
            Sent::Later(next, error) => (Some(next.0), 1, None, Some(clean(error))),
            Sent::GivenUp(error) => (None, 1, None, Some(clean(error))),
            Sent::Quiet(until) => (Some(until.0), 0, None, None),
        };
        let changed = write_one!(
            self.db,
            "note how sending a message went",
            "UPDATE alert_messages SET next_at = $1, attempts = attempts + $2, delivered = $3, error = $4, owner = NULL,
                 lease_until = NULL
             WHERE id = $5 AND owner = $6",
            next_at,
            i64::from(tried),
            delivered,
            error,
            id,
            owner,
        );
        Ok(changed == 1)
    }

    /// How long until the next message is due; `None`: nothing waits.
    pub async fn next_message_in(&self) -> Result<Option<Duration>> {
        let mut tx = self.db.begin_read().await?;
        let now = tx.now().await?;
        let next: Option<i64> = on!(tx.conn(), conn => {
            sqlx::query_scalar(
                "SELECT MIN(CASE WHEN lease_until > next_at THEN lease_until ELSE next_at END) FROM alert_messages
                 WHERE next_at IS NOT NULL",
            )
            .fetch_one(conn)
            .await
        })
        .tried("look for the next message")?;
        Ok(next.map(|next| Time(next).since(now)))
    }

    /// How the messages of a target fare.
    pub async fn outbox_state(&self, target: AlertTargetId) -> Result<OutboxState> {
        let row: Option<(i64, i64, Option<i64>)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT COUNT(next_at), COUNT(*) - COUNT(next_at) - COUNT(delivered), MAX(delivered)
                 FROM alert_messages WHERE target_id = $1",
            )
            .bind(target.0)
            .fetch_optional(conn)
            .await
        })
        .tried("read a target's outbox")?;
        let (waiting, lost, delivered) = row.unwrap_or_default();
        let error: Option<Option<String>> = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT error FROM alert_messages WHERE target_id = $1 ORDER BY id DESC LIMIT 1")
                .bind(target.0)
                .fetch_optional(conn)
                .await
        })
        .tried("read a target's outbox")?;
        let delivered = delivered.map(Time);
        Ok(OutboxState { waiting: uint(waiting), lost: uint(lost), delivered, error: error.flatten() })
    }

    /// Forgets messages that were delivered or given up before a time.
    pub async fn prune_messages(&self, before: Time) -> Result<u64> {
        let mut tx = self.db.begin_relaxed().await?;
        let sql = "DELETE FROM alert_messages WHERE next_at IS NULL AND created < $1";
        let gone = execute!(tx.conn(), sql, before.0).tried("forget old messages")?;
        tx.commit().await?;
        Ok(gone)
    }

    /// Messages that wait, over all targets.
    pub async fn messages_waiting(&self) -> Result<u64> {
        let waiting: i64 = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT COUNT(*) FROM alert_messages WHERE next_at IS NOT NULL").fetch_one(conn).await
        })
        .tried("count messages that wait")?;
        Ok(uint(waiting))
    }
}
