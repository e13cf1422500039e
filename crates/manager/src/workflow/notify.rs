//! How a workflow tells people something.

use p2ppool_model::Time;
use p2ppool_model::audit::AuditResult;
use p2ppool_store::{AuditEntry, StoreError, WorkflowRun};
use serde_json::json;

use crate::actions::Context;

/// Tells it: in the audit log, beside the run, and in the manager's log.
pub(super) async fn tell(context: &Context, run: &WorkflowRun, step: &str, message: &str) -> Result<(), StoreError> {
    tracing::info!(workflow = %run.workflow, run.id = run.id, pool = %run.pool_name, step, "{message}");
    let entry = AuditEntry {
        at: Time::now(),
        user: None,
        actor: format!("workflow {}", run.workflow),
        action: "notify".to_owned(),
        pool: Some(run.pool_name.clone()),
        subject: format!("workflow-runs/{}", run.id),
        details: json!({ "step": step, "message": message }),
        address: None,
        result: Some(AuditResult::Ok),
    };
    context.store.append_audit(&entry).await.map(drop)
}
