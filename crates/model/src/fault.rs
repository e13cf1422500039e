//! Faults that people cause on purpose, to see what an overlay does about them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::amount::Amount;
use crate::host::Host;
use crate::rolling::has_labels;

/// Largest seed: what JavaScript keeps exact.
pub const SEED_MAX: u64 = (1 << 53) - 1;

/// What is done to the chosen nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// They are ended in order, and stay down.
    Stop,
    /// They are killed without a word, and stay down.
    Kill,
    /// Those that are down are started again.
    Resume,
}

impl FaultKind {
    /// The name used in the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Kill => "kill",
            Self::Resume => "resume",
        }
    }
}

impl std::str::FromStr for FaultKind {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Stop, Self::Kill, Self::Resume]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("`{text}` is none of stop, kill, resume"))
    }
}

/// A fault, and on which nodes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What is done.
    pub kind: FaultKind,
    /// How many of those that come into question; none: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Amount>,
    /// Only hosts that have all these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What chooses them; the same seed chooses the same hosts. Recorded when it isn't given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

impl Fault {
    /// What is wrong with it, if anything.
    pub fn check(&self) -> Result<(), String> {
        if self.kind != FaultKind::Resume && self.share.is_none() && self.labels.is_empty() {
            return Err("say how many nodes (share) or which ones (labels); `share: 100%` means all".to_owned());
        }
        if self.share.is_some_and(Amount::is_zero) {
            return Err("share: no node is in it".to_owned());
        }
        match self.seed {
            Some(seed) if seed > SEED_MAX => Err(format!("seed: must be at most {SEED_MAX}")),
            _ => Ok(()),
        }
    }

    /// The hosts that it is done to, of `hosts`. Those that leave the pool are left out, and of
    /// stop and kill those whose node is known to be down, of resume those known to be up.
    ///
    /// Every host gets a rank, SHA-256 of seed and address, and the lowest ranks are chosen: who is
    /// chosen depends neither on the order of the list nor on how many other hosts there are.
    pub fn choose<'a>(&self, hosts: &'a [Host]) -> Vec<&'a Host> {
        let unwanted = Some(self.kind == FaultKind::Resume);
        let comes_into_question =
            |host: &&Host| !host.leaving && has_labels(host, &self.labels) && host.known.running != unwanted;
        let mut candidates: Vec<&Host> = hosts.iter().filter(comes_into_question).collect();
        let Some(share) = self.share else { return candidates };
        let seed = self.seed.unwrap_or_default();
        let all = candidates.len() as u64;
        candidates.sort_by_cached_key(|host| {
            crate::Digest::of(format!("{seed} {} {}", host.spec.key().0, host.spec.ssh_port()).as_bytes())
        });
        candidates.truncate(usize::try_from(share.of(all)).unwrap_or(usize::MAX));
        candidates.sort_by_key(|host| host.id);
        candidates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Share;
    use crate::host::{HostKnown, HostSpec};
    use crate::{HostId, PoolId};

    fn hosts(count: usize) -> Vec<Host> {
        let host = |n: usize| Host {
            id: HostId(n as i64),
            pool: PoolId(1),
            spec: HostSpec { address: format!("h{n}"), ..HostSpec::default() },
            known: HostKnown { running: Some(!n.is_multiple_of(10)), ..HostKnown::default() },
            leaving: n == 1,
        };
        (0..count).map(host).collect()
    }

    fn fault(kind: FaultKind, percent: u8, seed: u64) -> Fault {
        Fault { kind, share: Some(Amount::Share(Share::percent(percent))), labels: BTreeMap::new(), seed: Some(seed) }
    }

    fn chosen(fault: &Fault, hosts: &[Host]) -> Vec<i64> {
        fault.choose(hosts).iter().map(|host| host.id.0).collect()
    }

    #[test]
    fn the_same_seed_chooses_the_same_hosts_in_any_order_of_the_list() {
        let list = hosts(100);
        let first = chosen(&fault(FaultKind::Stop, 20, 7), &list);
        // 100 hosts, 10 of them down, one leaving
        assert_eq!(first.len(), 18);
        let mut turned = list.clone();
        turned.reverse();
        assert_eq!(chosen(&fault(FaultKind::Stop, 20, 7), &turned), first);
        assert_ne!(chosen(&fault(FaultKind::Stop, 20, 8), &list), first);
        assert!(first.iter().all(|id| id % 10 != 0 && *id != 1), "not those that are down or leave");
    }

    #[test]
    fn resume_takes_those_that_are_down() {
        let resume = Fault { kind: FaultKind::Resume, share: None, labels: BTreeMap::new(), seed: None };
        assert_eq!(chosen(&resume, &hosts(30)), [0, 10, 20]);
        assert_eq!(resume.check(), Ok(()));
        let everybody = Fault { kind: FaultKind::Kill, ..resume };
        assert!(everybody.check().unwrap_err().contains("share"), "all at once has to be said");
    }
}
