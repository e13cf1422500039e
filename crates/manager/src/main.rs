//! The `p2ppool` program.

fn main() {}
