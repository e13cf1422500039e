//! Alerts: looks at what is known of the pools, and tells people what is wrong, once, and when it is over.
//!
//! [`p2ppool_model::alert`] decides; here it is asked often enough ([`look`]), and messages leave the outbox ([`send`]).
//! Of several managers on one database one looks at a time, by a lease; all of them send, each message by one.

mod deliver;
mod look;
pub(crate) mod reach;
pub(crate) mod send;
pub mod target;

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use p2ppool_model::alert::{Message, MessageKind};
use p2ppool_model::{AlertTargetId, Time};
use p2ppool_store::{Store, StoreError};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use utoipa::ToSchema;

use crate::events::Events;
use crate::secrets::Secrets;

pub(crate) use deliver::deliver;

/// The setting that keeps [`AlertSettings`].
const SETTING: &str = "alerts";
/// Longest title of a notice, characters.
const TITLE_MAX: usize = 200;
/// Longest text of a notice, characters.
const TEXT_MAX: usize = 10_000;

/// What the super administrator decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlertSettings {
    /// Networks that messages may go to although they are not public, such as `10.1.0.0/16`.
    #[schema(value_type = Vec<String>)]
    pub allowed_networks: Vec<IpNet>,
}

impl AlertSettings {
    /// As they are.
    pub async fn of(store: &Store) -> Result<Self, StoreError> {
        Ok(store.setting(SETTING).await?.unwrap_or_default())
    }

    /// Makes them so.
    pub async fn set(&self, store: &Store) -> Result<(), StoreError> {
        store.set_setting(SETTING, self, Time::now()).await
    }
}

/// How often things are done, and how long they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlertPace {
    /// Between two looks when no event tells.
    pub look: Duration,
    /// How long a manager that looks keeps others from it; several looks fit.
    pub lease: Duration,
    /// Pause after the first failed delivery; doubled after each.
    pub retry: Duration,
    /// Longest pause between two deliveries.
    pub retry_max: Duration,
    /// A message that could not be delivered for this long is given up, and that is shown.
    pub give_up: Duration,
}

impl Default for AlertPace {
    fn default() -> Self {
        Self {
            look: Duration::from_secs(15),
            lease: Duration::from_secs(60),
            retry: Duration::from_secs(10),
            retry_max: Duration::from_secs(3600),
            give_up: Duration::from_secs(3 * 24 * 3600),
        }
    }
}

/// The alerts of one manager. Cheap to clone.
#[derive(Clone)]
pub struct Alerts(Arc<Inner>);

pub(crate) struct Inner {
    store: Store,
    secrets: Secrets,
    events: Events,
    pace: AlertPace,
    /// This process, in leases.
    owner: String,
    /// There may be something to look at: rules were changed.
    look: Notify,
    /// There may be something to send.
    send: Notify,
    closing: CancellationToken,
    loops: TaskTracker,
}

impl std::fmt::Debug for Alerts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Alerts({})", self.0.owner)
    }
}

impl Alerts {
    /// Looks and sends until [`Alerts::shutdown`].
    pub fn start(store: Store, secrets: Secrets, events: Events, pace: AlertPace) -> Self {
        let mut bytes = [0u8; 16];
        // an owner only has to differ from others
        let owner = match getrandom::fill(&mut bytes) {
            Ok(()) => hex::encode(bytes),
            Err(_) => format!("{}-{}", std::process::id(), Time::now().0),
        };
        let inner = Arc::new(Inner {
            store,
            secrets,
            events,
            pace,
            owner,
            look: Notify::new(),
            send: Notify::new(),
            closing: CancellationToken::new(),
            loops: TaskTracker::new(),
        });
        inner.loops.spawn(look::run(Arc::clone(&inner)));
        inner.loops.spawn(send::run(Arc::clone(&inner)));
        Self(inner)
    }

    /// Rules or targets were changed: look again.
    pub fn changed(&self) {
        self.0.look.notify_one();
        self.0.send.notify_one();
    }

    /// Ends; a message under way is sent again by the next start, or another manager.
    pub async fn shutdown(&self) {
        self.0.closing.cancel();
        self.0.loops.close();
        self.0.loops.wait().await;
    }
}

/// What a workflow, or another part of the manager, wants people to know.
#[derive(Clone, Debug, Default)]
pub struct Notice {
    /// The pool's name, when it is about one.
    pub pool: Option<String>,
    /// Who speaks, such as `workflow nightly`.
    pub from: String,
    /// One line.
    pub title: String,
    /// More; may be empty.
    pub text: String,
}

/// Puts a notice into the outbox of each target; it is sent by whichever manager gets to it first, within seconds, and
/// survives every crash from here on. Tells how many targets there were; those that are gone are left out.
pub async fn notify(store: &Store, targets: &[AlertTargetId], notice: Notice) -> Result<u64, StoreError> {
    let cut = |text: &str, max: usize| text.chars().take(max).collect::<String>();
    let at = Time::now();
    let message = Message {
        kind: MessageKind::Notice,
        at,
        title: cut(&notice.title, TITLE_MAX),
        text: cut(&notice.text, TEXT_MAX),
        pool: notice.pool,
        rule: notice.from,
        alerts: Vec::new(),
    };
    store.enqueue_message(targets, &message, at).await
}
