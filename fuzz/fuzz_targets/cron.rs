//! A cron expression and a time zone: times that it gives come after each other. The manager's file, and
//! nothing else of the manager.
#![no_main]

extern crate self as p2ppool_store;

use libfuzzer_sys::fuzz_target;
use p2ppool_model::Time;

#[path = "../../crates/manager/src/engine/schedule/clock.rs"]
#[allow(dead_code)]
mod clock;

/// As the store has it.
pub struct NextTime {
    /// By the expression.
    pub at: Time,
    /// With jitter.
    pub due: Time,
}

fuzz_target!(|given: (u32, &str, &str)| {
    let (seconds, zone, cron) = given;
    let zone = if zone.is_empty() { "Europe/Berlin" } else { zone };
    let Ok(clock) = clock::Clock::parse(cron, zone) else { return };
    let now = Time(i64::from(seconds) * 1_000);
    let times = clock.next_times(now, 3);
    assert!(times.first().is_none_or(|first| *first > now) && times.is_sorted(), "{now:?} {times:?}");
    let _ = clock.words();
});
