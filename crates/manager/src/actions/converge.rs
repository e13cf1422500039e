//! Brings a host where it should be: asks its status, takes the planned steps, journals each one
//! that changes something.

use std::sync::Arc;

use async_trait::async_trait;
use p2ppool_model::{Cause, Step};
use p2ppool_overlay::PackageFile;
use p2ppool_remote::{HostError, HostSession, Package};
use p2ppool_store::StepResult;

use super::Prepared;
use super::fleet::{Halt, HostWork, Right, Visit};
use super::plan::{self, Goal, Next, Seen};
use super::usage::Meter;

/// Where every host of a task should be brought.
#[derive(Clone)]
pub(crate) enum Aim {
    /// The pool's package, running.
    Running(Arc<Prepared>),
    /// The pool's package, not running.
    Installed(Arc<Prepared>),
    /// Not running.
    Down,
    /// Gone.
    Gone,
}

impl Aim {
    /// What is uploaded on the way, when anything is.
    fn prepared(&self) -> Option<&Prepared> {
        match self {
            Self::Running(prepared) | Self::Installed(prepared) => Some(prepared),
            Self::Down | Self::Gone => None,
        }
    }

    fn goal(&self) -> Goal {
        match self {
            Self::Running(prepared) => Goal::Running(prepared.package.digest.clone()),
            Self::Installed(prepared) => Goal::Installed(prepared.package.digest.clone()),
            Self::Down => Goal::Down,
            Self::Gone => Goal::Gone,
        }
    }
}

/// Converges every host; those that left the list are cleaned.
pub(crate) struct Converge {
    pub(crate) aim: Aim,
    /// Measures each host and its node at the end.
    pub(crate) meter: Option<Meter>,
}

#[async_trait]
impl HostWork for Converge {
    async fn on_host(&self, visit: &mut Visit, session: &mut HostSession) -> Result<Right, Halt> {
        let aim = if visit.host.leaving { &Aim::Gone } else { &self.aim };
        let files = aim.prepared().map(|prepared| prepared.host_files(&visit.host.spec)).unwrap_or_default();
        let upload = aim.prepared().map(|prepared| Upload {
            package: &prepared.package,
            runtime: prepared.runtime.as_ref(),
            files: &files,
        });
        let goal = aim.goal();
        let changed = Box::pin(walk(visit, session, &goal, upload.as_ref())).await?;
        if goal == Goal::Gone {
            visit.forget = true;
        } else if let Some(meter) = &self.meter {
            meter.measure(visit, session).await?;
        }
        let message = visit.warnings.join("; ");
        Ok(Right { changed, message })
    }
}

/// What a host may need on its way.
pub(crate) struct Upload<'a> {
    pub(crate) package: &'a Package,
    pub(crate) runtime: Option<&'a Package>,
    pub(crate) files: &'a [PackageFile],
}

/// Takes steps until the goal is reached; tells whether anything was changed.
async fn walk(
    visit: &mut Visit,
    session: &mut HostSession,
    goal: &Goal,
    upload: Option<&Upload<'_>>,
) -> Result<bool, Halt> {
    visit.step(Step::Status).await?;
    let mut seen = Seen::new(session.status().await?);
    seen.runtime = upload.and_then(|upload| upload.runtime).map(|runtime| runtime.digest.clone());
    visit.learn(&seen.status);
    let mut changed = false;
    loop {
        let next = plan::next(&seen, goal);
        let Some(step) = step_of(&next) else {
            return match next {
                Next::Wrong(cause, message) => Err(HostError::new(cause, Step::Verify, message).into()),
                _ => Ok(changed),
            };
        };
        visit.step(step).await?;
        if next == Next::Verify {
            take(session, &next, &mut seen, upload).await?;
        } else {
            changed |= journalled(visit, session, &next, step, &mut seen, upload).await?;
        }
        visit.learn(&seen.status);
    }
}

async fn journalled(
    visit: &Visit,
    session: &mut HostSession,
    next: &Next,
    step: Step,
    seen: &mut Seen,
    upload: Option<&Upload<'_>>,
) -> Result<bool, HostError> {
    let (recorder, host) = (&visit.run.recorder, visit.host.id);
    let number = recorder.step_begins(host, step).await;
    let taken = take(session, next, seen, upload).await;
    let result = match &taken {
        Ok(true) => StepResult::Changed,
        Ok(false) => StepResult::Unchanged,
        Err(error) => StepResult::Failed(error.cause),
    };
    recorder.step_ended(host, number, step, result).await;
    taken
}

/// The step that people see, of one that does something.
fn step_of(next: &Next) -> Option<Step> {
    match next {
        Next::Runtime | Next::Receive => Some(Step::Receive),
        Next::Configure => Some(Step::Configure),
        Next::Activate => Some(Step::Activate),
        Next::Start => Some(Step::Start),
        Next::Verify => Some(Step::Verify),
        Next::Stop => Some(Step::Stop),
        Next::Remove => Some(Step::Remove),
        Next::Done | Next::Wrong(..) => None,
    }
}

/// Takes one step, notes what it did in `seen`, and tells whether it changed the host.
pub(crate) async fn take(
    session: &mut HostSession,
    next: &Next,
    seen: &mut Seen,
    upload: Option<&Upload<'_>>,
) -> Result<bool, HostError> {
    let missing = |step| HostError::new(Cause::Other, step, "nothing was prepared for this host");
    match next {
        Next::Runtime => {
            let runtime = upload.and_then(|upload| upload.runtime).ok_or_else(|| missing(Step::Receive))?;
            let received = session.receive_runtime(runtime).await?;
            seen.status.runtimes.push(runtime.digest.clone());
            Ok(!received.unchanged)
        }
        Next::Receive => {
            let package = upload.ok_or_else(|| missing(Step::Receive))?.package;
            let received = session.receive(package).await?;
            seen.status.installed.push(package.digest.clone());
            Ok(!received.unchanged)
        }
        Next::Configure => {
            let mut changed = false;
            for file in upload.ok_or_else(|| missing(Step::Configure))?.files {
                changed |= session.configure(&file.path, &file.bytes).await?.changed;
            }
            seen.configured = true;
            // the script notes it, too; so a crash before the start loses nothing
            seen.status.stale |= changed;
            Ok(changed)
        }
        Next::Activate => {
            let digest = &upload.ok_or_else(|| missing(Step::Activate))?.package.digest;
            let activated = session.activate(digest).await?;
            seen.status.current = Some(digest.clone());
            Ok(activated.changed)
        }
        Next::Start => {
            session.start().await?;
            seen.started = true;
            Ok(true)
        }
        Next::Verify => {
            seen.status = session.status().await?;
            seen.verified = true;
            Ok(false)
        }
        Next::Stop => {
            let stopped = session.stop().await?;
            seen.stopped = true;
            seen.status.state = p2ppool_remote::NodeState::Stopped;
            Ok(stopped.changed)
        }
        Next::Remove => {
            let removed = session.remove().await?;
            seen.removed = true;
            let status = &mut seen.status;
            (status.installed, status.current, status.package) = (Vec::new(), None, None);
            status.state = p2ppool_remote::NodeState::None;
            Ok(removed.changed)
        }
        Next::Done | Next::Wrong(..) => Ok(false),
    }
}

/// What the local node is brought to.
pub(crate) struct LocalStep<'a> {
    pub(crate) goal: &'a Goal,
    pub(crate) package: Option<&'a Package>,
    pub(crate) runtime: Option<&'a Package>,
    pub(crate) files: &'a [PackageFile],
}

/// The same walk for the local node, which is in no task's list of hosts.
pub(crate) async fn walk_local(
    session: &mut HostSession,
    step: LocalStep<'_>,
) -> Result<p2ppool_remote::HostStatus, HostError> {
    let upload = step.package.map(|package| Upload { package, runtime: step.runtime, files: step.files });
    let mut seen = Seen::new(session.status().await?);
    seen.runtime = step.runtime.map(|runtime| runtime.digest.clone());
    loop {
        match plan::next(&seen, step.goal) {
            Next::Done => return Ok(seen.status),
            Next::Wrong(cause, message) => return Err(HostError::new(cause, Step::Verify, message)),
            next => take(session, &next, &mut seen, upload.as_ref()).await?,
        };
    }
}
