//! How p2pnode ends when it doesn't end well: a message and an exit code of its own per class.

use std::fmt;
use std::process::ExitCode;

/// What went wrong, by what a caller would do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Anything without a class of its own.
    Other,
    /// The configuration can't be used.
    Config,
    /// A port is taken.
    PortInUse,
    /// The identity, or the data folder, can't be used.
    Data,
    /// The node that was asked did not answer.
    NoAnswer,
    /// The node that was asked doesn't have what was asked for.
    NotFound,
}

impl Class {
    /// The exit code; 2 is also what a wrong command line gives.
    pub fn code(self) -> u8 {
        match self {
            Self::Other => 1,
            Self::Config => 2,
            Self::PortInUse => 3,
            Self::Data => 4,
            Self::NoAnswer => 5,
            Self::NotFound => 6,
        }
    }
}

/// An end with a message.
#[derive(Debug, thiserror::Error)]
pub struct Failure {
    class: Class,
    message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Failure {
    /// A failure of this class.
    pub fn new(class: Class, message: impl fmt::Display) -> Self {
        Self { class, message: message.to_string() }
    }

    /// A failure without a class of its own.
    pub fn other(message: impl fmt::Display) -> Self {
        Self::new(Class::Other, message)
    }

    /// The message on stderr, and the exit code.
    pub fn report(&self) -> ExitCode {
        eprintln!("p2pnode: {self}");
        ExitCode::from(self.class.code())
    }
}
