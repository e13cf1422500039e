//! How a running task learns that it should end.

use std::sync::{Arc, Mutex, PoisonError};

use p2ppool_model::task::EndRequest;
use tokio_util::sync::CancellationToken;

/// Why a running task should end at its hosts' step boundaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A person cancelled it.
    Cancel,
    /// Another task needs its room.
    Preempt,
    /// The manager ends; the task goes on later.
    Shutdown,
}

impl From<EndRequest> for Why {
    fn from(request: EndRequest) -> Self {
        match request {
            EndRequest::Cancel => Self::Cancel,
            EndRequest::Preempt => Self::Preempt,
        }
    }
}

/// The request to one task. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    why: Mutex<Option<Why>>,
    token: CancellationToken,
}

impl Stop {
    /// Asks the task to end. A person's wish stands over another task's, and both over the manager's end:
    /// who wants it to end for good is not satisfied by a pause.
    pub(crate) fn request(&self, why: Why) {
        let mut known = self.0.why.lock().unwrap_or_else(PoisonError::into_inner);
        let rank = |why: Why| match why {
            Why::Shutdown => 0,
            Why::Preempt => 1,
            Why::Cancel => 2,
        };
        if known.is_none_or(|known| rank(known) < rank(why)) {
            *known = Some(why);
        }
        drop(known);
        self.0.token.cancel();
    }

    /// Why it should end, when it should.
    pub(crate) fn why(&self) -> Option<Why> {
        *self.0.why.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It should end.
    pub(crate) fn is_requested(&self) -> bool {
        self.0.token.is_cancelled()
    }

    /// Cancelled when it should end.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.0.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stronger_reason_stays() {
        let stop = Stop::default();
        assert_eq!(stop.why(), None);
        stop.request(Why::Shutdown);
        stop.request(Why::Cancel);
        stop.request(Why::Preempt);
        assert_eq!(stop.why(), Some(Why::Cancel));
        assert!(stop.is_requested());
    }
}
