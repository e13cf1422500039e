//! The engine and its actions: with hosts in memory for numbers and faults, with real processes and
//! real SSH servers for the truth.

mod brunet;
mod kill;
mod life;
mod line;
mod many;
mod resume;
mod rolling;
mod workflow;
mod world;
