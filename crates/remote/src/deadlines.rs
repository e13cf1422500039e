//! How long a host may take for each step.

use std::time::Duration;

use p2ppool_model::Step;

/// One deadline for each kind of wait on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// From the first name look-up until the command is accepted: resolve, connect, handshake,
    /// authenticate, open the channel. A dead host holds a connecting slot for as long.
    pub connect: Duration,
    /// From there until the host script says hello; a login shell's start-up files run in it.
    pub hello: Duration,
    /// `status`, `configure`, `activate`, `usage`: steps that only look or rename.
    pub quick: Duration,
    /// `receive`, without the time that the bytes need at `slowest`.
    pub receive: Duration,
    /// `start` and `restart`: the script itself waits 15 s for the node.
    pub start: Duration,
    /// `stop` and `remove`: the package's stop signal, its grace time, then KILL.
    pub stop: Duration,
    /// `logs` and `data`, without the time that the bytes need at `slowest`.
    pub fetch: Duration,
    /// A transfer slower than this, in bytes per second, is given up.
    pub slowest: u64,
    /// From `bye` until the exit status.
    pub close: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            hello: Duration::from_secs(30),
            quick: Duration::from_secs(20),
            receive: Duration::from_secs(60),
            start: Duration::from_secs(60),
            stop: Duration::from_secs(60),
            fetch: Duration::from_secs(60),
            slowest: 64 * 1024,
            close: Duration::from_secs(5),
        }
    }
}

impl Deadlines {
    /// How long a step that moves `bytes` may take.
    pub fn of(&self, step: Step, bytes: u64) -> Duration {
        let moving = Duration::from_secs(bytes / self.slowest.max(1));
        match step {
            Step::Connect => self.connect,
            Step::Status | Step::Configure | Step::Activate | Step::Usage => self.quick + moving,
            Step::Receive => self.receive + moving,
            Step::Start | Step::Verify => self.start,
            Step::Stop | Step::Remove => self.stop,
            Step::Logs | Step::Data => self.fetch + moving,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_package_gets_more_time() {
        let deadlines = Deadlines { receive: Duration::from_secs(60), slowest: 1000, ..Deadlines::default() };
        assert_eq!(deadlines.of(Step::Receive, 10_000), Duration::from_secs(70));
        assert_eq!(deadlines.of(Step::Stop, 10_000), deadlines.stop);
    }

    #[test]
    fn a_rate_of_zero_does_not_panic() {
        let deadlines = Deadlines { slowest: 0, ..Deadlines::default() };
        assert!(deadlines.of(Step::Logs, 1) > deadlines.fetch);
    }
}
