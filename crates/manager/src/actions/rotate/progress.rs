//! How far the replacing of a pool's key has come, over tasks and crashes.

use std::collections::BTreeSet;

use p2ppool_model::pool::Pool;
use p2ppool_model::{TaskId, Time};
use p2ppool_store::{Store, setting_of_pool};
use serde::{Deserialize, Serialize};

/// What is kept beside the two keys themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Fingerprint of the key that is withdrawn.
    pub(crate) old: String,
    /// Fingerprint of the key that takes its place.
    pub(crate) new: String,
    /// The task that works on it, or did last.
    pub(crate) task: Option<TaskId>,
    /// That task was the last one: the old key is needed nowhere.
    pub(crate) finished: bool,
    /// Logins (`user@address:port`) that were proven with the new key, and have lost the old one.
    pub(crate) done: BTreeSet<String>,
}

/// What a task finds when it begins or goes on after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It had come to its end already.
    Finished,
    /// Two keys, of an earlier task: goes on with them.
    Earlier,
    /// Two keys, and this very task works with them: hosts that it finished need nothing more.
    Own,
    /// One key: a new one is made.
    Nothing,
}

/// Decides from what is kept: fingerprints of the previous key, when there is one, and of the pool's key.
pub(super) fn found(progress: &Progress, task: TaskId, previous: Option<&str>, current: &str) -> Found {
    let own = progress.task == Some(task);
    match previous {
        _ if own && progress.finished => Found::Finished,
        // one key under two names: nothing may ever be withdrawn for it
        Some(previous) if previous == current => Found::Nothing,
        Some(_) if own && progress.new == current => Found::Own,
        Some(_) => Found::Earlier,
        None => Found::Nothing,
    }
}

impl Progress {
    /// What is kept for this pool.
    pub(crate) async fn of(store: &Store, pool: &Pool) -> p2ppool_store::Result<Option<Self>> {
        store.setting(&name(pool)).await
    }

    pub(super) async fn keep(&self, store: &Store, pool: &Pool) -> p2ppool_store::Result<()> {
        store.set_setting(&name(pool), self, Time::now()).await
    }
}

fn name(pool: &Pool) -> String {
    setting_of_pool(pool.id, "key_rotation")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_crash_at_any_point_no_key_is_made_twice_or_withdrawn_wrongly() {
        let (one, two) = (TaskId(1), TaskId(2));
        let progress = |new: &str, task, finished| Progress {
            new: new.to_owned(),
            task: Some(task),
            finished,
            ..Progress::default()
        };
        let none = Progress::default();
        assert_eq!(found(&none, one, None, "a"), Found::Nothing);
        // the keys were exchanged, and nothing else was written
        assert_eq!(found(&none, one, Some("a"), "b"), Found::Earlier);
        assert_eq!(found(&progress("a", one, true), two, Some("a"), "b"), Found::Earlier);
        // at work
        assert_eq!(found(&progress("b", one, false), one, Some("a"), "b"), Found::Own);
        assert_eq!(found(&progress("b", one, false), two, Some("a"), "b"), Found::Earlier);
        // the end was written, the old key is still there, or gone
        assert_eq!(found(&progress("b", one, true), one, Some("a"), "b"), Found::Finished);
        assert_eq!(found(&progress("b", one, true), one, None, "b"), Found::Finished);
        // the next task makes the next key
        assert_eq!(found(&progress("b", one, true), two, None, "b"), Found::Nothing);
        // two names for one key
        assert_eq!(found(&progress("a", one, false), one, Some("a"), "a"), Found::Nothing);
    }
}
