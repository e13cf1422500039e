//! The task engine: what runs, when, and what becomes of it.
//!
//! [`queue`] decides (pure).

pub mod queue;
