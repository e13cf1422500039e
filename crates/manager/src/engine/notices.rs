//! Hears what other managers on the same database changed, and looks where they say.

use std::sync::Arc;
use std::time::Duration;

use p2ppool_store::{Listener, StoreError, Topic};

use super::Inner;

/// Between two tries to listen again.
const PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn run(inner: Arc<Inner>) {
    while !inner.closing.is_cancelled() {
        let heard = match inner.context.store.listen().await {
            Ok(None) => return,
            Ok(Some(listener)) => hear(&inner, listener).await,
            Err(error) => Err(error),
        };
        let Err(error) = heard else { return };
        tracing::error!(%error, "listen to other managers; only the slow looks find their work until then");
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = inner.closing.cancelled() => {}
        }
    }
}

async fn hear(inner: &Arc<Inner>, mut listener: Listener) -> Result<(), StoreError> {
    // what happened before we listened
    look(inner, None).await?;
    loop {
        let topic = tokio::select! {
            topic = listener.next() => topic?,
            // viewers are told to the end of what runs here
            () = inner.gone.cancelled() => return Ok(()),
        };
        look(inner, topic).await?;
    }
}

/// `None`: anywhere.
async fn look(inner: &Arc<Inner>, topic: Option<Topic>) -> Result<(), StoreError> {
    if topic.is_none_or(|topic| topic == Topic::Tasks) {
        inner.wake.notify_one();
        inner.beat.notify_one();
        inner.ended.send_modify(|count| *count += 1);
    }
    if topic.is_none_or(|topic| topic == Topic::Schedules) {
        inner.schedules.notify_one();
    }
    if topic.is_none_or(|topic| topic == Topic::Events) {
        inner.context.events.catch_up(&inner.context.store).await?;
    }
    Ok(())
}
