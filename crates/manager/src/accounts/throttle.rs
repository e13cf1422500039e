//! Slows down guessing of passwords, per account name and network address.
//!
//! The first failures are free, then each one doubles the wait. Both the name and the address count
//! together, so that nobody can lock somebody else out from another address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use p2ppool_model::Time;

/// Failures without any wait.
const FREE_FAILURES: u32 = 5;
/// Longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// After this long without a failure all is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);
/// Most name and address pairs remembered; the oldest goes first.
const ENTRIES_MAX: usize = 10_000;

/// Remembers failed logins.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<(String, IpAddr), Failures>>,
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Time,
}

impl Failures {
    /// How long after the last failure the next try is allowed.
    fn wait(self) -> Duration {
        let beyond = self.count.saturating_sub(FREE_FAILURES);
        if beyond == 0 { Duration::ZERO } else { Duration::from_secs(1 << beyond.min(16)).min(WAIT_MAX) }
    }
}

impl Throttle {
    /// Counts a try and tells how long to wait before it, if it comes too early. A try counts as
    /// failed until [`Throttle::succeeded`], so that many at once can't slip through.
    pub fn attempt(&self, name: &str, address: IpAddr, now: Time) -> Result<(), Duration> {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (name.to_lowercase(), address);
        let known = failures.get(&key).copied().filter(|f| now.since(f.last) < FORGOTTEN_AFTER);
        if let Some(known) = known {
            let left = known.wait().saturating_sub(now.since(known.last));
            if !left.is_zero() {
                return Err(left);
            }
        }
        if failures.len() >= ENTRIES_MAX && !failures.contains_key(&key) {
            make_room(&mut failures, now);
        }
        failures.insert(key, Failures { count: known.map_or(1, |f| f.count.saturating_add(1)), last: now });
        Ok(())
    }

    /// Forgets the failures of somebody who proved to be right.
    pub fn succeeded(&self, name: &str, address: IpAddr) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&(name.to_lowercase(), address));
    }
}

fn make_room(failures: &mut HashMap<(String, IpAddr), Failures>, now: Time) {
    failures.retain(|_, f| now.since(f.last) < FORGOTTEN_AFTER);
    if failures.len() >= ENTRIES_MAX
        && let Some(oldest) = failures.iter().min_by_key(|(_, f)| f.last).map(|(key, _)| key.clone())
    {
        failures.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn after(seconds: i64) -> Time {
        Time(1_000_000 + seconds * 1000)
    }

    #[test]
    fn waits_double_after_the_free_failures() {
        let throttle = Throttle::default();
        for _ in 0..=FREE_FAILURES {
            throttle.attempt("admin", HERE, after(0)).unwrap();
        }
        assert_eq!(throttle.attempt("Admin", HERE, after(0)), Err(Duration::from_secs(2)));
        assert_eq!(throttle.attempt("admin", HERE, after(1)), Err(Duration::from_secs(1)));
        throttle.attempt("admin", HERE, after(2)).unwrap();
        assert_eq!(throttle.attempt("admin", HERE, after(2)), Err(Duration::from_secs(4)));
    }

    #[test]
    fn other_names_and_addresses_are_free_and_success_forgets() {
        let throttle = Throttle::default();
        for _ in 0..=FREE_FAILURES {
            throttle.attempt("admin", HERE, after(0)).unwrap();
        }
        throttle.attempt("eve", HERE, after(0)).unwrap();
        throttle.attempt("admin", "::1".parse().unwrap(), after(0)).unwrap();
        throttle.succeeded("ADMIN", HERE);
        throttle.attempt("admin", HERE, after(0)).unwrap();
    }

    #[test]
    fn an_hour_later_all_is_forgotten_and_memory_is_bounded() {
        let throttle = Throttle::default();
        for _ in 0..20 {
            let _ = throttle.attempt("admin", HERE, after(0));
        }
        throttle.attempt("admin", HERE, after(3600)).unwrap();
        for i in 0..ENTRIES_MAX + 50 {
            throttle.attempt(&format!("u{i}"), HERE, after(3600)).unwrap();
        }
        assert!(throttle.failures.lock().unwrap().len() <= ENTRIES_MAX);
    }
}
