//! Asking for a task on some hosts of a pool instead of all.

use std::collections::HashSet;

use p2ppool_model::HostId;
use p2ppool_model::task::Task;

use super::{Ask, AskError, Engine};

impl Engine {
    /// Like [`Engine::request`], on these hosts only. It joins a waiting task only when that is about the same hosts.
    pub async fn request_on(&self, ask: Ask, chosen: &HashSet<HostId>) -> Result<Task, AskError> {
        let mut new = self.prepare(ask).await?;
        new.hosts.retain(|host| chosen.contains(&host.host));
        if new.hosts.is_empty() {
            return Err(AskError::Refused("there is no host of that kind now".to_owned()));
        }
        let mut ids: Vec<i64> = new.hosts.iter().map(|host| host.host.0).collect();
        ids.sort_unstable();
        new.asked = format!("{} on {ids:?}", new.asked);
        self.admit(new).await
    }
}
