//! What went wrong on one host.

use p2ppool_model::host::PinnedKey;
use p2ppool_model::{Cause, Outcome, Step};

/// A step that did not come to its end on a host. The message says what was tried, on what, and why
/// it failed; it never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HostError {
    /// Why, as one of the causes that have an outcome and an advice.
    pub cause: Cause,
    /// What the host was asked for.
    pub step: Step,
    /// For people: one sentence, sometimes followed by lines of the host's own output.
    pub message: String,
    /// The host key that was shown, when the connection got that far and the key wasn't the pinned
    /// one: what `host trust` would accept, or what was seen at first contact.
    pub presented: Option<Box<PinnedKey>>,
}

impl HostError {
    /// An error of one step.
    pub fn new(cause: Cause, step: Step, message: impl Into<String>) -> Self {
        Self { cause, step, message: message.into(), presented: None }
    }

    /// The outcome of the host in its task.
    pub fn outcome(&self) -> Outcome {
        self.cause.outcome()
    }
}
