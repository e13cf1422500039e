//! What the manager does by itself stands in the audit log, too, under the name of its schedule or workflow.

use p2ppool_model::Time;
use p2ppool_model::audit::AuditResult;
use p2ppool_model::task::Task;
use p2ppool_store::{AuditEntry, Store};
use serde_json::json;

/// Tasks, schedules and workflows have numbers (`schedule #7`); names of people hold no such sign.
const NUMBER_SIGN: char = '#';

/// Writes down a task that nobody asked for in person; what people ask for is written down as they ask.
pub(super) async fn started(store: &Store, task: &Task) {
    if !task.started_by.contains(NUMBER_SIGN) {
        return;
    }
    let entry = AuditEntry {
        at: Time::now(),
        user: None,
        actor: task.started_by.clone(),
        action: task.action.to_string(),
        pool: Some(task.pool_name.clone()),
        subject: format!("task #{}", task.id),
        details: json!({ "params": task.params }),
        address: None,
        result: Some(AuditResult::Ok),
    };
    if let Err(error) = store.append_audit(&entry).await {
        tracing::error!(task.id = task.id.0, "write a task of {} into the audit log: {error}", task.started_by);
    }
}
