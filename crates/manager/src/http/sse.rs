//! One stream of events per viewer: resumable, merged, at most a few batches a second.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{self, KeepAlive, Sse};
use futures::Stream;
use p2ppool_model::event::{Change, Event};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::accounts::Viewer;
use crate::app::App;
use crate::events::Subscription;
use crate::service;

/// Shortest time between two batches: four a second.
const BATCH_EVERY: Duration = Duration::from_millis(250);
/// A comment this often keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How long a browser waits before it connects again.
const RETRY_AFTER: Duration = Duration::from_secs(2);
/// Streams at once.
pub const STREAMS_MAX: usize = 1_000;

/// What a viewer wants to hear of.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// Only this pool.
    pub(crate) pool: Option<String>,
    /// Who asks; without an account only public pools are told.
    pub(crate) viewer: Viewer,
    /// Resume after this event.
    pub(crate) after: Option<u64>,
}

struct Reader {
    app: Arc<App>,
    wanted: Wanted,
    subscription: Subscription,
    ready: VecDeque<sse::Event>,
    not_before: Instant,
    _slot: OwnedSemaphorePermit,
}

/// The answer: ends when the manager shuts down.
pub(crate) fn stream(
    app: Arc<App>,
    wanted: Wanted,
    slot: OwnedSemaphorePermit,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let hello =
        sse::Event::default().id(wanted.after.unwrap_or_else(|| app.events.newest()).to_string()).retry(RETRY_AFTER);
    let subscription = app.events.subscribe(wanted.after);
    let ready = VecDeque::from([hello]);
    let reader = Reader { app, wanted, subscription, ready, not_before: Instant::now(), _slot: slot };
    let events = futures::stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

impl Reader {
    async fn next(&mut self) -> Option<sse::Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let stop = self.app.shutdown.clone();
            let batch = tokio::select! {
                () = stop.cancelled() => return None,
                batch = async {
                    tokio::time::sleep_until(self.not_before).await;
                    self.subscription.next().await
                } => batch,
            };
            self.not_before = Instant::now() + BATCH_EVERY;
            let batch = self.visible(batch).await;
            self.ready.extend(batch.iter().filter_map(told));
        }
    }

    /// What this viewer asked for and may see. When that can't be told, they are sent to read again.
    async fn visible(&self, mut batch: Vec<Event>) -> Vec<Event> {
        let reread = |event: &Event| event.change == Change::Reread;
        if let Some(pool) = &self.wanted.pool {
            batch.retain(|event| reread(event) || event.pool.as_ref() == Some(pool));
        }
        if self.wanted.viewer != Viewer::Anonymous || batch.is_empty() {
            return batch;
        }
        match service::pools::public_names(&self.app).await {
            Ok(public) => batch.retain(|e| reread(e) || e.pool.as_ref().is_some_and(|pool| public.contains(pool))),
            Err(error) => {
                tracing::warn!("read which pools are public: {error}");
                batch.clear();
            }
        }
        batch
    }
}

fn told(event: &Event) -> Option<sse::Event> {
    sse::Event::default().id(event.id.to_string()).json_data(event).ok()
}
