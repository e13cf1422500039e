//! The SSH transport.

use std::time::Duration;

use async_trait::async_trait;

use crate::{HostError, Pipe, Target, Transport};

/// Settings of the SSH transport.
#[derive(Clone, Debug)]
pub struct SshSettings {
    /// Bytes of an upload that may be under way to a host and not yet taken by its program.
    pub in_flight: u32,
}

impl Default for SshSettings {
    fn default() -> Self {
        Self { in_flight: 256 * 1024 }
    }
}

/// Runs commands on hosts through SSH: one connection for each command.
#[derive(Debug, Default)]
pub struct Ssh {
    settings: SshSettings,
}

impl Ssh {
    /// With these settings.
    pub fn new(settings: SshSettings) -> Self {
        Self { settings }
    }
}

#[async_trait]
impl Transport for Ssh {
    async fn open(&self, target: &Target, _command: &str, _connect: Duration) -> Result<Pipe, HostError> {
        let message = format!("connect to {}: {:?}", target.display(), self.settings);
        Err(HostError::new(p2ppool_model::Cause::Other, p2ppool_model::Step::Connect, message))
    }
}
