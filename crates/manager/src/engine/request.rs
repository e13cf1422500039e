//! Asking for tasks, and asking tasks to end.

use p2ppool_model::fault::Fault;
use p2ppool_model::host::Host;
use p2ppool_model::pool::{Pool, PoolState};
use p2ppool_model::task::{EndRequest, Task, TaskHost};
use p2ppool_model::{Action, HostId, Outcome, TaskId};
use p2ppool_store::{Admission, Admitted, InLine, NewTask, NewTaskHost, StoreError};

use super::dispatch::split;
use super::queue::{self, Decision, Request};
use super::{Engine, Why, audit};
use crate::actions::params::{self, UsageParams};

/// Somebody wants something done to a pool.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The pool.
    pub pool: Pool,
    /// What.
    pub action: Action,
    /// Action-specific settings; `null` means all defaults.
    pub params: serde_json::Value,
    /// A person's name, `schedule`, `demo`.
    pub started_by: String,
}

/// Why a request was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It can't be done now; the text says why and what to wait for.
    #[error("{0}")]
    Refused(String),
    /// The settings of the action can't be used.
    #[error("{0}")]
    Params(String),
    /// There is no such task, or the database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Engine {
    /// Queues a task, or joins one that waits and does exactly this. It may have begun already when this returns.
    pub async fn request(&self, ask: Ask) -> Result<Task, AskError> {
        let new = self.prepare(ask).await?;
        self.admit(new).await
    }

    /// The task that is asked for, on every host that its action works on.
    pub(super) async fn prepare(&self, ask: Ask) -> Result<NewTask, AskError> {
        let params = params::checked(ask.action, &ask.params).map_err(AskError::Params)?;
        allowed(&ask.pool, ask.action)?;
        let mut hosts = self.hosts_of(&ask.pool, ask.action, &params).await?;
        if let Some(sample) = params::of::<UsageParams>(&params).sample.filter(|_| ask.action == Action::GatherUsage) {
            hosts = spread(hosts, sample as usize);
        }
        let asked = params.to_string();
        Ok(NewTask {
            pool: ask.pool.id,
            action: ask.action,
            asked,
            started_by: ask.started_by,
            params,
            retry_of: None,
            hosts,
        })
    }

    /// Does hosts of an ended task again: those that are named, or those with one of these outcomes; nothing given:
    /// all that are not right.
    pub async fn retry(
        &self,
        task: TaskId,
        only: &[Outcome],
        chosen: &[HostId],
        started_by: &str,
    ) -> Result<Task, AskError> {
        let store = &self.0.context.store;
        let before = store.task(task).await?;
        if !before.state.is_final() {
            return Err(AskError::Refused(format!("task #{task} has not ended yet")));
        }
        let pool = store.pool(before.pool).await?;
        allowed(&pool, before.action)?;
        let wanted = |row: &TaskHost| match (only, chosen) {
            ([], []) => !row.outcome.is_right(),
            _ => only.contains(&row.outcome) || chosen.contains(&row.host),
        };
        // as the last try left them, whichever task of the chain that was
        let rows = store.merged_task_hosts(task).await?;
        if let Some(unknown) = chosen.iter().find(|host| !rows.iter().any(|row| row.host == **host)) {
            return Err(AskError::Params(format!("task #{task} has no host {unknown}")));
        }
        let hosts: Vec<NewTaskHost> = rows
            .into_iter()
            .filter(wanted)
            .map(|row| NewTaskHost { host: row.host, address: row.address, attempt: row.attempt + 1 })
            .collect();
        if hosts.is_empty() {
            return Err(AskError::Refused(format!("task #{task} has no host to try again")));
        }
        let mut ids: Vec<i64> = hosts.iter().map(|host| host.host.0).collect();
        ids.sort_unstable();
        let new = NewTask {
            pool: before.pool,
            action: before.action,
            asked: format!("{} retry of #{task}: {ids:?}", before.params),
            started_by: started_by.to_owned(),
            params: before.params,
            retry_of: Some(task),
            hosts,
        };
        self.admit(new).await
    }

    /// Tells a task to end, as a person's wish. One that has ended stays as it is.
    pub async fn cancel(&self, task: TaskId, by: &str) -> Result<Task, AskError> {
        self.end_task(task, &format!("cancelled by {by}")).await?;
        Ok(self.0.context.store.task(task).await?)
    }

    pub(super) async fn end_task(&self, task: TaskId, why: &str) -> Result<(), StoreError> {
        let changed = self.0.context.store.request_task_end(task, EndRequest::Cancel, why).await?;
        if let Some(changed) = changed {
            self.0.signal(task, Why::Cancel);
            self.0.tell(&changed);
            self.0.task_ended();
        }
        Ok(())
    }

    pub(super) async fn admit(&self, new: NewTask) -> Result<Task, AskError> {
        let request = Request { action: new.action, asked: new.asked.clone() };
        let admitted = self.0.context.store.admit_task(new, |line| admission(line, &request)).await?;
        match admitted {
            Admitted::Refused(why) => Err(AskError::Refused(why)),
            Admitted::Joined(task) => Ok(*task),
            Admitted::Queued { task, changed } => {
                self.0.tell(&task);
                audit::started(&self.0.context.store, &task).await;
                for other in &changed {
                    self.0.signal(other.id, Why::Preempt);
                    self.0.tell(other);
                }
                self.0.task_ended();
                Ok(*task)
            }
        }
    }

    /// The hosts that a task of this action works on.
    async fn hosts_of(
        &self,
        pool: &Pool,
        action: Action,
        params: &serde_json::Value,
    ) -> Result<Vec<NewTaskHost>, StoreError> {
        if action == Action::Crawl {
            return Ok(Vec::new());
        }
        let store = &self.0.context.store;
        if let Action::Fault = action {
            let fault: Option<Fault> = serde_json::from_value(params.clone()).ok();
            let hosts = store.pool_hosts(pool.id).await?;
            let chosen = fault.map(|fault| fault.choose(&hosts)).unwrap_or_default();
            let host = |host: &Host| NewTaskHost { host: host.id, address: host.spec.display(), attempt: 1 };
            return Ok(chosen.into_iter().map(host).collect());
        }
        let wanted = |leaving: bool| match action {
            // takes off what left the list, too
            Action::Install | Action::Upgrade | Action::Check | Action::Stop => true,
            // they are uninstalled with the new key
            Action::RotateKey => true,
            Action::UninstallCheck => leaving || pool.state == PoolState::Uninstalling,
            _ => !leaving,
        };
        Ok(store
            .pool_host_places(pool.id)
            .await?
            .into_iter()
            .filter(|place| wanted(place.leaving))
            .map(|place| NewTaskHost { host: place.host, address: place.address, attempt: 1 })
            .collect())
    }
}

/// At most `wanted` of these, as far from each other in the list as they can be.
fn spread<T>(all: Vec<T>, wanted: usize) -> Vec<T> {
    let (len, wanted) = (all.len(), wanted.min(all.len()));
    let mut taken = 0;
    let chosen = all.into_iter().enumerate().filter(|(at, _)| {
        let take = taken < wanted && at * wanted >= taken * len;
        taken += usize::from(take);
        take
    });
    chosen.map(|(_, one)| one).collect()
}

/// What the pool's state allows; what other tasks allow is the queue's to say.
fn allowed(pool: &Pool, action: Action) -> Result<(), AskError> {
    let refuse = |why: &str| Err(AskError::Refused(format!("pool `{}` {why}", pool.name)));
    match (pool.state, action) {
        (_, Action::Install | Action::Stop | Action::UninstallCheck) => Ok(()),
        // they try the way to the hosts out, and change it
        (PoolState::Created, Action::GatherUsage | Action::RotateKey) => Ok(()),
        (PoolState::Created, _) => refuse("is not installed yet; install it first"),
        (PoolState::Uninstalling, _) => refuse("is being uninstalled; install it again, or wait until it is gone"),
        (PoolState::Suspended, Action::Crawl | Action::Fault) => refuse("is suspended; resume it first"),
        _ => Ok(()),
    }
}

fn admission(line: &[InLine], request: &Request) -> Admission {
    let (running, queued) = split(line);
    match queue::decide(&running, &queued, request) {
        Decision::Start => Admission::Queue { make_room: Vec::new(), waits_for: None },
        Decision::WaitFor(task) => Admission::Queue { make_room: Vec::new(), waits_for: Some(task) },
        Decision::Preempt(make_room) => {
            let waits_for = running.iter().find(|one| !queue::beside(request.action, one.action)).map(|one| one.id);
            Admission::Queue { make_room, waits_for }
        }
        Decision::Join(task) => Admission::Join(task),
        Decision::Refuse(why) => Admission::Refuse(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_the_list() {
        let of = |all: usize, wanted| spread((0..all).collect(), wanted);
        assert_eq!(of(10, 5), [0, 2, 4, 6, 8]);
        assert_eq!(of(3, 5), [0, 1, 2]);
        assert_eq!(of(7, 1), [0]);
        assert_eq!(of(0, 5), [0_usize; 0]);
        for all in 1..50 {
            for wanted in 1..10 {
                assert_eq!(of(all, wanted).len(), wanted.min(all), "{wanted} of {all}");
            }
        }
    }
}
