//! One file per noun.

mod accounts;
mod hosts;
mod keys;
mod meta;
mod pools;
