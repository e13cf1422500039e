//! One file per noun.

pub(crate) mod accounts;
pub(crate) mod events;
pub(crate) mod hosts;
pub(crate) mod keys;
pub(crate) mod meta;
pub(crate) mod pools;
