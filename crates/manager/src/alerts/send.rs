//! Sends what is in the outbox, again and again until it arrives.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use p2ppool_model::Time;
use p2ppool_model::alert::MessageKind;
use p2ppool_store::{AlertTarget, DueMessage, SecretScope, Sent, StoreError};

use super::target::TargetSettings;
use super::{AlertPace, AlertSettings, Inner, deliver};

/// Messages taken at once, each for [`LEASE`].
const TAKEN_MAX: u32 = 16;
/// Deliveries at once.
const AT_ONCE: usize = 4;
/// How long a message is this manager's: all that are taken at once can meet their deadlines.
const LEASE: Duration = Duration::from_secs(120);
/// Longest pause between two looks at the outbox: how soon what another manager put there is noticed.
const LOOK_MAX: Duration = Duration::from_secs(10);
/// Messages that arrived or were given up are kept for this long.
const KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

pub(super) async fn run(inner: Arc<Inner>) {
    while !inner.closing.is_cancelled() {
        let pause = match send_due(&inner).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::error!(%error, "look for messages to send");
                LOOK_MAX
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause.min(LOOK_MAX)) => {}
            () = inner.send.notified() => {}
            () = inner.closing.cancelled() => {}
        }
    }
}

/// Sends what is due; tells how long nothing will be.
async fn send_due(inner: &Inner) -> Result<Duration, StoreError> {
    let due = inner.store.claim_messages(&inner.owner, LEASE, TAKEN_MAX).await?;
    if due.is_empty() {
        inner.store.prune_messages(Time::now().minus(KEPT)).await?;
        return Ok(inner.store.next_message_in().await?.unwrap_or(LOOK_MAX));
    }
    let settings = AlertSettings::of(&inner.store).await?;
    let sending = futures::stream::iter(due).for_each_concurrent(AT_ONCE, |message| send(inner, message, &settings));
    tokio::select! {
        () = sending => {}
        // what is under way is sent again by the next start: receivers know it by its number
        () = inner.closing.cancelled() => {}
    }
    Ok(Duration::ZERO)
}

async fn send(inner: &Inner, due: DueMessage, settings: &AlertSettings) {
    let sent = match inner.store.alert_target(due.target).await {
        Ok(target) => attempt(inner, &due, &target, settings).await,
        Err(StoreError::NotFound { .. }) => return,
        Err(error) => later(&due, &inner.pace, error.to_string()),
    };
    if let Sent::Later(_, error) | Sent::GivenUp(error) = &sent {
        tracing::warn!(message.id = due.id, target.id = %due.target, attempts = due.attempts + 1, "send a message: {error}");
    }
    if let Err(error) = inner.store.message_sent(due.id, &inner.owner, &sent).await {
        tracing::error!(message.id = due.id, %error, "note how sending a message went");
    }
}

async fn attempt(inner: &Inner, due: &DueMessage, target: &AlertTarget, settings: &AlertSettings) -> Sent {
    let quiet = target.quiet.as_ref().filter(|_| due.message.kind != MessageKind::Test);
    if let Some(until) = quiet.and_then(|quiet| quiet.ends(Time::now())) {
        return Sent::Quiet(until);
    }
    let parsed: Result<TargetSettings, _> = serde_json::from_value(target.settings.clone());
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return later(due, &inner.pace, format!("the target's settings: {error}")),
    };
    let name = secret_name(target.id);
    let secret = match inner.secrets.get(&inner.store, SecretScope::Manager, &name).await {
        Ok(secret) => secret.map(|bytes| zeroize::Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => return later(due, &inner.pace, error.to_string()),
    };
    let secret = secret.as_ref().map(|text| text.as_str());
    match deliver(due.id, &due.message, &parsed, secret, &settings.allowed_networks).await {
        Ok(()) => Sent::Delivered,
        Err(error) => later(due, &inner.pace, error),
    }
}

/// Under which name a target's secret is kept.
pub(crate) fn secret_name(target: p2ppool_model::AlertTargetId) -> String {
    format!("alert_target/{target}")
}

fn later(due: &DueMessage, pace: &AlertPace, error: String) -> Sent {
    let now = Time::now();
    if now.since(due.created) >= pace.give_up {
        return Sent::GivenUp(error);
    }
    let doubled = pace.retry.saturating_mul(1 << due.attempts.min(20));
    Sent::Later(now.plus(doubled.min(pace.retry_max)), error)
}
