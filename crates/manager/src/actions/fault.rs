//! Faults on purpose: chosen nodes are stopped or killed, or started again.

use std::sync::Arc;

use async_trait::async_trait;
use p2ppool_model::Step;
use p2ppool_model::fault::{Fault, FaultKind};
use p2ppool_model::pool::Pool;
use p2ppool_remote::HostSession;
use p2ppool_store::StepResult;
use serde_json::json;

use super::converge::{Aim, Converge};
use super::fleet::{Fleet, Halt, HostWork, Right, Visit};
use super::{ActionError, End, Prepared, Run};

pub(crate) async fn run(run: &Run, pool: Pool) -> Result<End, ActionError> {
    let fault: Fault = serde_json::from_value(run.task.params.clone())
        .map_err(|error| ActionError::Failed(format!("settings of fault: {error}")))?;
    let hosts = Fleet::of(run, &pool).await?;
    match fault.kind {
        FaultKind::Stop => hosts.work(run, Converge { aim: Aim::Down, meter: None }).await,
        FaultKind::Kill => hosts.work(run, Kill).await,
        FaultKind::Resume => {
            let missing = || ActionError::Failed("the pool was never installed".into());
            let bundle = run.context.store.bundle(pool.bundle.as_ref().ok_or_else(missing)?).await?;
            let prepared = Arc::new(Prepared::of(&run.context, &pool, &bundle).await?);
            hosts.work(run, Converge { aim: Aim::Running(prepared), meter: None }).await;
        }
    }
    let hosts = run.recorder.counts().total();
    let message = if hosts == 0 { "no node came into question".to_owned() } else { String::new() };
    Ok(End { message, result: Some(json!({ "kind": fault.kind, "seed": fault.seed, "hosts": hosts })) })
}

struct Kill;

#[async_trait]
impl HostWork for Kill {
    async fn on_host(&self, visit: &mut Visit, session: &mut HostSession) -> Result<Right, Halt> {
        visit.step(Step::Stop).await?;
        let (recorder, host) = (visit.run.recorder.clone(), visit.host.id);
        let number = recorder.step_begins(host, Step::Stop).await;
        let killed = session.kill().await;
        let result = match &killed {
            Ok(killed) if killed.changed => StepResult::Changed,
            Ok(_) => StepResult::Unchanged,
            Err(error) => StepResult::Failed(error.cause),
        };
        recorder.step_ended(host, number, Step::Stop, result).await;
        let changed = killed?.changed;
        visit.known.running = Some(false);
        Ok(Right { changed, message: String::new() })
    }
}
