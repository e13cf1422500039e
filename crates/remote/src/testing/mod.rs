//! Hosts for tests: a real OpenSSH server on loopback addresses, and fakes in memory.

mod fake;
mod processes;
mod sshd;

pub use fake::{Fake, FakeHost, FakeState};
pub use sshd::{HostKeyKind, Sshd, SshdOptions};
