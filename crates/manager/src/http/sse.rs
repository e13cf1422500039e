//! One stream of events per viewer: resumable, merged, at most a few batches a second.

use std::collections::{HashSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{self, KeepAlive, Sse};
use futures::Stream;
use p2ppool_model::event::{Change, Event};
use p2ppool_model::role::Role;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::accounts::Viewer;
use crate::app::App;
use crate::events::Subscription;
use crate::http::rates::OpenStream;
use crate::service;
use crate::service::accounts::Proof;

/// Shortest time between two batches: four a second.
const BATCH_EVERY: Duration = Duration::from_millis(250);
/// A comment this often keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Who reads is asked again this often: a stream ends soon after a logout, and rights that were taken back are gone.
const PROVE_EVERY: Duration = Duration::from_secs(10);
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
    /// What shows it; looked at again while the stream goes on.
    pub(crate) proof: Proof,
    /// Resume after this event.
    pub(crate) after: Option<u64>,
}

struct Reader {
    app: Arc<App>,
    wanted: Wanted,
    subscription: Subscription,
    ready: VecDeque<sse::Event>,
    not_before: Instant,
    proven: Instant,
    seen: HashSet<String>,
    _slot: (OwnedSemaphorePermit, OpenStream),
}

/// The answer: ends when the manager shuts down.
pub(crate) fn stream(
    app: Arc<App>,
    wanted: Wanted,
    slot: (OwnedSemaphorePermit, OpenStream),
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>>> {
    let hello =
        sse::Event::default().id(wanted.after.unwrap_or_else(|| app.events.newest()).to_string()).retry(RETRY_AFTER);
    let subscription = app.events.subscribe(wanted.after);
    let ready = VecDeque::from([hello]);
    let now = Instant::now();
    let seen = HashSet::new();
    let reader = Reader { app, wanted, subscription, ready, not_before: now, proven: now, seen, _slot: slot };
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
                () = tokio::time::sleep_until(self.proven + PROVE_EVERY) => {
                    self.prove_again().await?;
                    continue;
                }
                batch = async {
                    tokio::time::sleep_until(self.not_before).await;
                    self.subscription.next().await
                } => batch,
            };
            self.not_before = Instant::now() + BATCH_EVERY;
            if self.proven.elapsed() >= PROVE_EVERY {
                self.prove_again().await?;
            }
            let batch = self.visible(batch).await;
            self.ready.extend(batch.iter().filter_map(told));
        }
    }

    /// Nothing when the session or token does not hold any more. A database that can't be asked changes nothing.
    async fn prove_again(&mut self) -> Option<()> {
        self.proven = Instant::now();
        match service::accounts::prove_again(&self.app, &self.wanted.proof).await {
            Ok(Viewer::Anonymous) if self.wanted.viewer != Viewer::Anonymous => None,
            Err(service::Error::WrongToken) => None,
            Ok(viewer) => {
                self.wanted.viewer = viewer;
                Some(())
            }
            Err(error) => {
                tracing::warn!("look whether the reader of a stream is still who they were: {error}");
                Some(())
            }
        }
    }

    /// What this viewer asked for and may see. When that can't be told, they are sent to read again.
    async fn visible(&mut self, mut batch: Vec<Event>) -> Vec<Event> {
        let reread = |event: &Event| event.change == Change::Reread;
        if let Some(pool) = &self.wanted.pool {
            batch.retain(|event| reread(event) || event.pool.as_ref() == Some(pool));
        }
        if batch.is_empty() {
            return batch;
        }
        let sees_all = self.wanted.viewer.is_at_least(Role::Administrator) && !self.wanted.viewer.is_limited();
        if sees_all {
            return batch;
        }
        match service::pools::seen_names(&self.app, &self.wanted.viewer).await {
            Ok(seen) => {
                // Of a pool that was deleted just now they are told a last time.
                let before = std::mem::replace(&mut self.seen, seen);
                let told = |pool: &String| self.seen.contains(pool) || before.contains(pool);
                batch.retain(|event| reread(event) || event.pool.as_ref().is_some_and(told));
            }
            Err(error) => {
                tracing::warn!("read which pools may be seen: {error}");
                batch.clear();
            }
        }
        batch
    }
}

fn told(event: &Event) -> Option<sse::Event> {
    sse::Event::default().id(event.id.to_string()).json_data(event).ok()
}
