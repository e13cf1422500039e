//! How often one person (or, without account, one address) may ask, and how many event streams they may have.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use p2ppool_model::UserId;
use tokio::time::Instant;

use crate::accounts::Viewer;
use crate::http::caller::Caller;
use crate::service::Error;

/// Requests that a person may send at once; then [`PERSON_PER_S`]. Opening a page takes some ten of them.
const PERSON_BURST: f64 = 2_000.0;
/// Requests of a person in a second, in the long run.
const PERSON_PER_S: f64 = 100.0;
/// Requests that one address may send at once without account; many people may share it.
const ADDRESS_BURST: f64 = 600.0;
/// Requests of one address in a second, in the long run.
const ADDRESS_PER_S: f64 = 30.0;
/// Most askers remembered; beyond that, those whose allowance is full again are forgotten.
const ENTRIES_MAX: usize = 50_000;
/// Event streams of one person: a browser opens one for each of its windows.
const STREAMS_OF_PERSON: usize = 20;
/// Event streams of one address without account.
const STREAMS_OF_ADDRESS: usize = 50;

/// Who asks, as far as limits care.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Asker {
    Person(UserId),
    Address(IpAddr),
}

impl From<&Caller> for Asker {
    fn from(caller: &Caller) -> Self {
        match &caller.viewer {
            Viewer::Person { id, .. } => Self::Person(*id),
            Viewer::Anonymous => Self::Address(network(caller.address)),
        }
    }
}

/// Of IPv6 the /64: whoever has one of its addresses has all of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() >> 64 << 64).into()),
    }
}

/// Allowances that fill up with time (token buckets).
#[derive(Debug, Default)]
pub struct Rates {
    left: Mutex<HashMap<Asker, (f64, Instant)>>,
}

impl Rates {
    /// Counts a request, or tells when the next one is allowed.
    pub(crate) fn admit(&self, caller: &Caller) -> Result<(), Error> {
        self.take(caller.into(), Instant::now()).map_err(Error::TooMany)
    }

    fn take(&self, asker: Asker, now: Instant) -> Result<(), Duration> {
        let (burst, per_s) = allowance(asker);
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ENTRIES_MAX && !all.contains_key(&asker) {
            all.retain(|asker, (left, at)| filled(*asker, *left, *at, now) < allowance(*asker).0);
            if all.len() >= ENTRIES_MAX {
                all.clear();
            }
        }
        let (left, at) = all.entry(asker).or_insert((burst, now));
        let filled = filled(asker, *left, *at, now);
        *at = now;
        if filled < 1.0 {
            *left = filled;
            return Err(Duration::from_secs_f64((1.0 - filled) / per_s));
        }
        *left = filled - 1.0;
        Ok(())
    }
}

fn allowance(asker: Asker) -> (f64, f64) {
    match asker {
        Asker::Person(_) => (PERSON_BURST, PERSON_PER_S),
        Asker::Address(_) => (ADDRESS_BURST, ADDRESS_PER_S),
    }
}

fn filled(asker: Asker, left: f64, at: Instant, now: Instant) -> f64 {
    let (burst, per_s) = allowance(asker);
    (left + now.saturating_duration_since(at).as_secs_f64() * per_s).min(burst)
}

/// How many event streams are open for each asker.
#[derive(Debug, Default)]
pub struct StreamCounts(Mutex<HashMap<Asker, usize>>);

/// One open stream; dropped, it is open no more.
#[derive(Debug)]
pub(crate) struct OpenStream {
    counts: Arc<StreamCounts>,
    asker: Asker,
}

impl StreamCounts {
    /// Opens one more, if this asker may.
    pub(crate) fn open(counts: &Arc<Self>, caller: &Caller) -> Result<OpenStream, Error> {
        let asker = caller.into();
        let most = if matches!(asker, Asker::Person(_)) { STREAMS_OF_PERSON } else { STREAMS_OF_ADDRESS };
        let mut all = counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        let open = all.entry(asker).or_default();
        if *open >= most {
            return Err(Error::Busy);
        }
        *open += 1;
        Ok(OpenStream { counts: Arc::clone(counts), asker })
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut all = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = all.get_mut(&self.asker) {
            *open -= 1;
            if *open == 0 {
                all.remove(&self.asker);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Asker {
        Asker::Address(network(text.parse().unwrap()))
    }

    #[test]
    fn an_allowance_runs_out_and_fills_up_again_for_each_asker_alone() {
        let rates = Rates::default();
        let now = Instant::now();
        let here = address("192.0.2.1");
        for _ in 0..ADDRESS_BURST as usize {
            rates.take(here, now).unwrap();
        }
        let wait = rates.take(here, now).unwrap_err();
        assert!(wait <= Duration::from_secs_f64(1.0 / ADDRESS_PER_S), "{wait:?}");
        rates.take(address("192.0.2.2"), now).unwrap();
        rates.take(Asker::Person(UserId(1)), now).unwrap();
        rates.take(here, now + wait * 2).unwrap();
    }

    #[test]
    fn a_network_of_ipv6_is_one_asker_and_memory_is_bounded() {
        assert_eq!(address("2001:db8:1:2::1"), address("2001:db8:1:2:ffff::9"));
        assert_ne!(address("2001:db8:1:2::1"), address("2001:db8:1:3::1"));
        let rates = Rates::default();
        let now = Instant::now();
        for i in 0..ENTRIES_MAX as i64 + 10 {
            rates.take(Asker::Person(UserId(i)), now).unwrap();
        }
        assert!(rates.left.lock().unwrap().len() <= ENTRIES_MAX);
    }
}
