//! What became of one host in one task.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The end (or present state) of one host in one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing was done on it yet.
    NotStarted,
    /// A step is under way.
    Running,
    /// Done, and something was changed.
    Ok,
    /// Was right already.
    Unchanged,
    /// No session could be had; nothing is known of the host. Never "failed", never "fine".
    Unreachable,
    /// The host or the manager declined before anything was changed (key changed, no permission).
    Refused,
    /// A step failed.
    Failed,
    /// The task was cancelled or preempted at a step boundary.
    Cancelled,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 8] = [
        Self::NotStarted,
        Self::Running,
        Self::Ok,
        Self::Unchanged,
        Self::Unreachable,
        Self::Refused,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::Running => "running",
            Self::Ok => "ok",
            Self::Unchanged => "unchanged",
            Self::Unreachable => "unreachable",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The host is as the task wants it.
    pub fn is_right(self) -> bool {
        matches!(self, Self::Ok | Self::Unchanged)
    }

    /// It will not change any more in this attempt.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::NotStarted | Self::Running)
    }
}

impl std::str::FromStr for Outcome {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|o| o.as_str() == text).ok_or_else(|| format!("`{text}` is not an outcome"))
    }
}

/// The step a host is at, in the words of the host script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Opening the connection, host key and authentication included.
    Connect,
    /// Asking what is there.
    Status,
    /// Uploading, verifying and unpacking the package.
    Receive,
    /// Writing the files that only this host has.
    Configure,
    /// Switching `current` to the release.
    Activate,
    /// Starting the supervisor and the node.
    Start,
    /// Waiting until the node proves that it is up.
    Verify,
    /// Ending the node.
    Stop,
    /// Deleting everything that was installed.
    Remove,
    /// Fetching logs.
    Logs,
    /// Fetching result files.
    Data,
    /// Measuring the host and the node process.
    Usage,
}

impl Step {
    /// Every step.
    pub const ALL: [Step; 12] = [
        Self::Connect,
        Self::Status,
        Self::Receive,
        Self::Configure,
        Self::Activate,
        Self::Start,
        Self::Verify,
        Self::Stop,
        Self::Remove,
        Self::Logs,
        Self::Data,
        Self::Usage,
    ];

    /// The name used in the database, the API and the host script.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Status => "status",
            Self::Receive => "receive",
            Self::Configure => "configure",
            Self::Activate => "activate",
            Self::Start => "start",
            Self::Verify => "verify",
            Self::Stop => "stop",
            Self::Remove => "remove",
            Self::Logs => "logs",
            Self::Data => "data",
            Self::Usage => "usage",
        }
    }
}

impl std::str::FromStr for Step {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| format!("`{text}` is not a step"))
    }
}

/// Why a host did not get where the task wanted it. Each has one outcome and one advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The name has no address.
    NameNotFound,
    /// Nothing listens on that port.
    ConnectionRefused,
    /// The host did not answer in time.
    ConnectTimeout,
    /// Something accepted the connection and never finished the SSH handshake.
    HandshakeTimeout,
    /// What listens there does not speak SSH as it should.
    ProtocolError,
    /// The pinned host key and the shown one differ.
    HostKeyChanged,
    /// No offered key or password was accepted.
    AuthenticationRejected,
    /// The connection broke while a step was under way.
    ConnectionLost,
    /// The login shell ended, or printed without end, before the host script started.
    NoHostScript,
    /// The host script answered with something that is not its format.
    BadAnswer,
    /// The step did not end before its deadline.
    StepTimeout,
    /// A program that the host script needs is missing.
    MissingTool,
    /// No space is left.
    DiskFull,
    /// The file system is read-only.
    ReadOnly,
    /// The user may not write there.
    PermissionDenied,
    /// What arrived is not what was sent.
    DigestMismatch,
    /// The program is for another machine architecture.
    WrongArchitecture,
    /// A port that the node needs is taken.
    PortInUse,
    /// The node ended right after its start, or never got ready.
    StartFailed,
    /// The node did not end.
    StopFailed,
    /// What runs is not the package that should run.
    WrongPackage,
    /// Nothing is installed there.
    NotInstalled,
    /// What runs the node's program is missing there, or can't run there.
    NoRuntime,
    /// Another step holds the host's lock.
    Busy,
    /// The task was cancelled or preempted.
    Cancelled,
    /// Anything else; the message says what.
    Other,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 26] = [
        Self::NameNotFound,
        Self::ConnectionRefused,
        Self::ConnectTimeout,
        Self::HandshakeTimeout,
        Self::ProtocolError,
        Self::HostKeyChanged,
        Self::AuthenticationRejected,
        Self::ConnectionLost,
        Self::NoHostScript,
        Self::BadAnswer,
        Self::StepTimeout,
        Self::MissingTool,
        Self::DiskFull,
        Self::ReadOnly,
        Self::PermissionDenied,
        Self::DigestMismatch,
        Self::WrongArchitecture,
        Self::PortInUse,
        Self::StartFailed,
        Self::StopFailed,
        Self::WrongPackage,
        Self::NotInstalled,
        Self::NoRuntime,
        Self::Busy,
        Self::Cancelled,
        Self::Other,
    ];

    /// The name used in the database, the API and the host script's answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NameNotFound => "name_not_found",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectTimeout => "connect_timeout",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::ProtocolError => "protocol_error",
            Self::HostKeyChanged => "host_key_changed",
            Self::AuthenticationRejected => "authentication_rejected",
            Self::ConnectionLost => "connection_lost",
            Self::NoHostScript => "no_host_script",
            Self::BadAnswer => "bad_answer",
            Self::StepTimeout => "step_timeout",
            Self::MissingTool => "missing_tool",
            Self::DiskFull => "disk_full",
            Self::ReadOnly => "read_only",
            Self::PermissionDenied => "permission_denied",
            Self::DigestMismatch => "digest_mismatch",
            Self::WrongArchitecture => "wrong_architecture",
            Self::PortInUse => "port_in_use",
            Self::StartFailed => "start_failed",
            Self::StopFailed => "stop_failed",
            Self::WrongPackage => "wrong_package",
            Self::NotInstalled => "not_installed",
            Self::NoRuntime => "no_runtime",
            Self::Busy => "busy",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }

    /// The outcome that this cause gives a host.
    pub fn outcome(self) -> Outcome {
        match self {
            Self::NameNotFound | Self::ConnectionRefused | Self::ConnectTimeout | Self::HandshakeTimeout => {
                Outcome::Unreachable
            }
            Self::HostKeyChanged | Self::AuthenticationRejected => Outcome::Refused,
            Self::Cancelled => Outcome::Cancelled,
            _ => Outcome::Failed,
        }
    }

    /// What a person can do about it, as a sentence.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NameNotFound => "Check the host's name and the manager's DNS.",
            Self::ConnectionRefused => "Check that sshd runs on the host and that the port is right.",
            Self::ConnectTimeout => "Check that the host is up and that no firewall drops the connection.",
            Self::HandshakeTimeout => "Check what listens on that port; an overloaded sshd does this, too.",
            Self::ProtocolError => "Check that the port belongs to an SSH server.",
            Self::HostKeyChanged => "If the host was reinstalled, accept its new key with `p2ppool host trust`.",
            Self::AuthenticationRejected => "Check the user name and that the pool's public key is in authorized_keys.",
            Self::ConnectionLost => "Retry the host; check the network and the host's load.",
            Self::NoHostScript => "Check the user's login shell and start-up files.",
            Self::BadAnswer => "Look at the remote output; something else writes to the session.",
            Self::StepTimeout => "Look at the host's load, or raise the step deadline.",
            Self::MissingTool => "Install the named program on the host.",
            Self::DiskFull => "Free space under the install path.",
            Self::ReadOnly => "Choose an install path on a writable file system.",
            Self::PermissionDenied => "Choose an install path that the ssh user can write.",
            Self::DigestMismatch => "Retry the host; if it happens again, check its disk and memory.",
            Self::WrongArchitecture => "Give the pool a bundle for this machine's architecture.",
            Self::PortInUse => "Free the port on the host or choose another one for the pool.",
            Self::StartFailed => "Read the node's log in the remote output.",
            Self::StopFailed => "Look at the process on the host; it may hang in the kernel.",
            Self::WrongPackage => "Run a check to repair it.",
            Self::NotInstalled => "Run install or check.",
            Self::NoRuntime => "Install Mono on the host, or choose the bundled runtime for the pool.",
            Self::Busy => "Another step is under way on the host; retry in a minute.",
            Self::Cancelled => "Retry the hosts that were not done.",
            Self::Other => "Read the remote output.",
        }
    }
}

impl std::str::FromStr for Cause {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|c| c.as_str() == text).ok_or_else(|| format!("`{text}` is not a cause"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_equal_the_json() {
        for cause in Cause::ALL {
            assert_eq!(cause.as_str().parse::<Cause>().unwrap(), cause);
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
        }
        for step in Step::ALL {
            assert_eq!(serde_json::to_value(step).unwrap(), step.as_str());
        }
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }

    #[test]
    fn every_cause_ends_a_host_other_than_right() {
        for cause in Cause::ALL {
            assert!(cause.outcome().is_final() && !cause.outcome().is_right(), "{}", cause.as_str());
        }
    }
}
