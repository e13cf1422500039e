//! How a workflow tells people something.

use std::collections::BTreeSet;

use p2ppool_model::audit::AuditResult;
use p2ppool_model::{AlertTargetId, PoolId, Time};
use p2ppool_store::{AuditEntry, Store, StoreError, WorkflowRun};
use serde_json::json;

use crate::actions::Context;
use crate::alerts::{self, Notice};

/// What became of a notice.
pub(super) enum Told {
    /// It is in the outbox of so many targets.
    Targets(u64),
    /// A target that was named is none of the pool's.
    Unknown(String),
}

/// Tells it: to alert targets, in the audit log, beside the run, and in the manager's log.
///
/// Whoever may change a workflow does not own the targets, so it reaches only those that the pool's alert rules
/// tell; a target joins a pool when somebody who may use it names it in a rule.
pub(super) async fn tell(
    context: &Context,
    run: &WorkflowRun,
    step: &str,
    message: &str,
    to: &[String],
) -> Result<Told, StoreError> {
    tracing::info!(workflow = %run.workflow, run.id = run.id, pool = %run.pool_name, step, "{message}");
    let targets = match chosen(&context.store, run.pool, to).await? {
        Ok(targets) => targets,
        Err(unknown) => return Ok(Told::Unknown(unknown)),
    };
    let notice = Notice {
        pool: Some(run.pool_name.clone()),
        from: format!("workflow {}", run.workflow),
        title: message.lines().next().unwrap_or_default().to_owned(),
        text: format!("{message}\n\nStep {step} of run {} of the workflow {}.", run.id, run.workflow),
    };
    let told = alerts::notify(&context.store, &targets, notice).await?;
    let entry = AuditEntry {
        at: Time::now(),
        user: None,
        actor: format!("workflow {}", run.workflow),
        action: "notify".to_owned(),
        pool: Some(run.pool_name.clone()),
        subject: format!("workflow-runs/{}", run.id),
        details: json!({ "step": step, "message": message, "targets": told }),
        address: None,
        result: Some(AuditResult::Ok),
    };
    context.store.append_audit(&entry).await?;
    Ok(Told::Targets(told))
}

/// The targets of the pool's enabled rules; of these only the named ones, when some are named.
async fn chosen(store: &Store, pool: PoolId, to: &[String]) -> Result<Result<Vec<AlertTargetId>, String>, StoreError> {
    let rules = store.alert_rules(Some(pool)).await?.into_iter().filter(|rule| rule.enabled);
    let of_rules: BTreeSet<AlertTargetId> = rules.flat_map(|rule| rule.targets).collect();
    if to.is_empty() {
        return Ok(Ok(of_rules.into_iter().collect()));
    }
    let all = store.alert_targets().await?;
    let find = |name: &String| {
        let mut theirs = all.iter().filter(|target| of_rules.contains(&target.id));
        let found = theirs.find(|target| target.name == *name || target.id.to_string() == *name);
        found.map(|target| target.id).ok_or_else(|| name.clone())
    };
    Ok(to.iter().map(find).collect())
}
