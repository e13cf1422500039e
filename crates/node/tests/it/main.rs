//! Real p2pnode processes on loopback addresses.

// a test program has no public side
#![allow(unreachable_pub)]

mod support;

mod asking;
mod ending;
mod isolated;
mod joining;
mod records;
mod static_program;
