//! Who somebody is and what they may do: passwords, sessions, tokens, roles.

pub mod password;
pub mod permission;
pub mod permissions;
pub mod secret;
pub mod throttle;

pub use password::Passwords;
pub use permission::{Reach, Right, Viewer};
pub use secret::{Secret, SecretHash};
