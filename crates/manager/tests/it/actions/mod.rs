//! The engine and its actions: with hosts in memory for numbers and faults, with real processes and
//! real SSH servers for the truth.

mod brunet;
mod canary;
mod contained;
mod fleet;
mod kill;
mod life;
mod limits;
mod line;
mod managers;
mod many;
mod policy;
mod reach;
mod repair;
mod resume;
mod rolling;
mod rotate;
mod workflow;
mod world;
