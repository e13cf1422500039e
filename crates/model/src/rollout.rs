//! Where a rolling upgrade is, and what comes next. Pure.
//!
//! ```text
//!  measuring ─► deploying 0 ─► gate 0 ─passed─► deploying 1 ─► … ─► finishing ─► done
//!                                │ failed
//!                                ├── policy roll_back ─► rolling back ─► rolled back
//!                                └── policy pause ─► paused ─ continue ─► deploying n+1 | finishing
//!                                                      │ ├─── check ────► gate n again
//!                                                      │ └─── roll_back ► rolling back
//!                                                      └ nobody within PAUSED_MAX ─► abandoned
//! ```
//!
//! [`Rollout::step`] says what is to be done, [`Rollout::after`] what its result leads to. Both are
//! total; the caller keeps each new state before it acts on it, so another manager goes on there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::pool::PoolSettings;
use crate::rolling::{OnFailedGate, PAUSED_MAX, PlannedBatch, Rolling};
use crate::snapshot::Totals;
use crate::{CrawlId, Digest, HostId, Time};

use std::time::Duration;

/// A rolling upgrade as it is kept with its task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// What was asked for.
    pub rolling: Rolling,
    /// What hosts are brought back to when a gate fails.
    pub before: Release,
    /// What they are brought to.
    pub target: Release,
    /// The overlay before the first batch.
    pub measured: Option<Measured>,
    /// Every host that stays in the pool, in batches.
    pub batches: Vec<Batch>,
    /// Where it is.
    pub phase: Phase,
    /// Hosts that are brought back, with the attempt that does it.
    pub undo: BTreeMap<HostId, u32>,
}

/// Software and the settings it was deployed with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Release {
    /// The package on hosts; of the target it is known once it is built.
    pub package: Option<Digest>,
    /// The bundle in it.
    pub bundle: Option<Digest>,
    /// The pool's settings, without its secret.
    pub settings: PoolSettings,
}

/// What a crawl found, as far as gates look at it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    /// The crawl.
    pub crawl: CrawlId,
    /// Nodes that answered.
    pub nodes: u64,
    /// Their consistency; unknown when it can't be told.
    pub consistency: Option<f64>,
}

impl Measured {
    /// Of a snapshot.
    pub fn of(crawl: CrawlId, totals: &Totals) -> Self {
        Self { crawl, nodes: totals.answering, consistency: totals.consistency }
    }
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Its hosts.
    pub hosts: Vec<HostId>,
    /// It comes first on purpose.
    pub canary: bool,
    /// The newest look at its gate.
    pub reading: Option<GateReading>,
    /// A person let it pass although it didn't.
    pub waived: bool,
}

/// Where a rolling upgrade is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// The overlay is looked at before anything is changed.
    Measuring,
    /// A batch is upgraded.
    Deploying {
        /// Which, from 0.
        batch: usize,
    },
    /// The gate after a batch is looked at.
    Gate {
        /// Which, from 0.
        batch: usize,
        /// When it has failed for good.
        until: Time,
    },
    /// A gate failed; a person has to decide.
    Paused {
        /// Whose gate.
        batch: usize,
        /// Since when.
        since: Time,
    },
    /// The release before is brought back.
    RollingBack {
        /// Whose gate failed.
        batch: usize,
    },
    /// Every gate was passed: hosts that leave are cleaned, the pool gets its new settings.
    Finishing,
    /// It is upgraded.
    Done,
    /// It is as it was before.
    RolledBack {
        /// Whose gate failed.
        batch: usize,
    },
    /// Nobody decided in time; every host is as it was left.
    Abandoned {
        /// Whose gate failed.
        batch: usize,
    },
}

/// What a person says to a paused upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Go on with the next batch, although the gate was not passed.
    Continue,
    /// Look at the gate again, for as long as the first time.
    Check,
    /// Bring back the release before.
    RollBack,
}

impl Decision {
    /// The name used in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Continue => "continue",
            Self::Check => "check",
            Self::RollBack => "roll_back",
        }
    }
}

impl std::str::FromStr for Decision {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "continue" => Ok(Self::Continue),
            "check" => Ok(Self::Check),
            "roll_back" | "roll-back" => Ok(Self::RollBack),
            _ => Err(format!("`{text}` is none of continue, check, roll_back")),
        }
    }
}

/// One thing that a gate asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateCheck {
    /// Hosts of the batch that are right.
    HostsOk,
    /// Nodes that answer.
    Nodes,
    /// Consistency of the overlay.
    Consistency,
}

/// One look at a gate: its numbers and what they should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateReading {
    /// When.
    pub at: Time,
    /// Hosts of the batch.
    pub hosts: u64,
    /// Of them right.
    pub hosts_ok: u64,
    /// So many had to be.
    pub hosts_ok_min: u64,
    /// The crawl that was looked at; none when the hosts were not right already.
    pub crawl: Option<CrawlId>,
    /// Nodes that answered.
    pub nodes: Option<u64>,
    /// So many had to.
    pub nodes_min: Option<u64>,
    /// Consistency.
    pub consistency: Option<f64>,
    /// What it had to be.
    pub consistency_min: Option<f64>,
    /// What was not as it should be; empty: the gate is passed.
    pub failed: Vec<GateCheck>,
}

impl GateReading {
    /// Everything was as it should be.
    pub fn passed(&self) -> bool {
        self.failed.is_empty()
    }
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Crawl before anything is changed.
    Measure,
    /// Upgrade this batch.
    Deploy(usize),
    /// Read the gate of this batch; when it isn't passed, again after a pause, until then.
    Read {
        /// Which.
        batch: usize,
        /// When it has failed for good.
        until: Time,
    },
    /// Wait for a person, until then.
    Ask {
        /// Whose gate failed.
        batch: usize,
        /// When nobody needs to answer any more.
        until: Time,
    },
    /// Bring back the release before.
    RollBack,
    /// Clean what left, make the target the pool's own.
    Finish,
    /// Nothing: it has ended.
    End,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The overlay before the first batch; `None`: no gate asks for it.
    Measured(Option<Measured>),
    /// Every host of the batch has a final outcome.
    Deployed,
    /// A look at the gate.
    Read(GateReading),
    /// A person decided.
    Decided(Decision),
    /// Time has passed; nothing else happened.
    Waited,
    /// Every touched host has a final outcome of its way back.
    RolledBack,
    /// The target is the pool's own.
    Finished,
}

impl Rollout {
    /// A new one: nothing was touched yet.
    pub fn new(rolling: Rolling, before: Release, target: Release, batches: Vec<PlannedBatch>) -> Self {
        let batch = |planned: PlannedBatch| Batch {
            hosts: planned.hosts,
            canary: planned.canary,
            reading: None,
            waived: false,
        };
        let batches = batches.into_iter().map(batch).collect();
        Self { rolling, before, target, measured: None, batches, phase: Phase::Measuring, undo: BTreeMap::new() }
    }

    /// What is to be done next.
    pub fn step(&self) -> Next {
        match self.phase {
            Phase::Measuring => Next::Measure,
            Phase::Deploying { batch } => Next::Deploy(batch),
            Phase::Gate { batch, until } => Next::Read { batch, until },
            Phase::Paused { batch, since } => Next::Ask { batch, until: since.plus(PAUSED_MAX) },
            Phase::RollingBack { .. } => Next::RollBack,
            Phase::Finishing => Next::Finish,
            Phase::Done | Phase::RolledBack { .. } | Phase::Abandoned { .. } => Next::End,
        }
    }

    /// Where it is after this came of its step. A fact that does not belong to the step changes nothing.
    pub fn after(mut self, fact: Fact, now: Time) -> Self {
        self.phase = match (self.phase, fact) {
            (Phase::Measuring, Fact::Measured(measured)) => {
                self.measured = measured;
                self.begin(0)
            }
            (Phase::Deploying { batch }, Fact::Deployed) => {
                let within = Duration::from_secs(self.rolling.gate.within_s);
                Phase::Gate { batch, until: now.plus(within) }
            }
            (Phase::Gate { batch, until }, Fact::Read(reading)) => self.read(batch, until, reading, now),
            (Phase::Paused { batch, .. }, Fact::Decided(Decision::Continue)) => {
                self.batches[batch].waived = true;
                self.begin(batch + 1)
            }
            (Phase::Paused { batch, .. }, Fact::Decided(Decision::Check)) => {
                let within = Duration::from_secs(self.rolling.gate.within_s);
                Phase::Gate { batch, until: now.plus(within) }
            }
            (Phase::Paused { batch, .. }, Fact::Decided(Decision::RollBack)) => Phase::RollingBack { batch },
            (Phase::Paused { batch, since }, Fact::Waited) if now >= since.plus(PAUSED_MAX) => {
                Phase::Abandoned { batch }
            }
            (Phase::RollingBack { batch }, Fact::RolledBack) => Phase::RolledBack { batch },
            (Phase::Finishing, Fact::Finished) => Phase::Done,
            (phase, _) => phase,
        };
        self
    }

    fn begin(&self, batch: usize) -> Phase {
        if batch < self.batches.len() { Phase::Deploying { batch } } else { Phase::Finishing }
    }

    fn read(&mut self, batch: usize, until: Time, reading: GateReading, now: Time) -> Phase {
        let passed = reading.passed();
        // more crawls don't make hosts right
        let hopeless = reading.failed.contains(&GateCheck::HostsOk);
        self.batches[batch].reading = Some(reading);
        if passed {
            return self.begin(batch + 1);
        }
        if !hopeless && now < until {
            return Phase::Gate { batch, until };
        }
        match self.rolling.on_failed_gate {
            OnFailedGate::Pause => Phase::Paused { batch, since: now },
            OnFailedGate::RollBack => Phase::RollingBack { batch },
        }
    }

    /// Judges the gate after a batch. `found`: what a crawl begun after the batch found.
    pub fn judge(&self, batch: usize, hosts_ok: u64, found: Option<Measured>, at: Time) -> GateReading {
        let gate = &self.rolling.gate;
        let hosts = self.batches[batch].hosts.len() as u64;
        let hosts_ok_min = gate.hosts_ok_min.of(hosts);
        let before = self.measured.map_or(0, |measured| measured.nodes);
        let nodes_min = gate.nodes_min.map(|amount| match amount {
            crate::amount::Amount::Count(count) => count,
            crate::amount::Amount::Share(share) => share.of(before),
        });
        let consistency_min = gate.consistency_min.map(crate::amount::Share::part);
        let nodes = found.map(|found| found.nodes);
        let consistency = found.and_then(|found| found.consistency);
        let mut failed = Vec::new();
        if hosts_ok < hosts_ok_min {
            failed.push(GateCheck::HostsOk);
        }
        // whose hosts are not right is not asked about the overlay
        let overlay = failed.is_empty();
        if overlay && nodes_min.is_some_and(|min| nodes.is_none_or(|nodes| nodes < min)) {
            failed.push(GateCheck::Nodes);
        }
        // unknown is never fine
        if overlay && consistency_min.is_some_and(|min| consistency.is_none_or(|found| found < min)) {
            failed.push(GateCheck::Consistency);
        }
        let crawl = found.map(|found| found.crawl);
        GateReading { at, hosts, hosts_ok, hosts_ok_min, crawl, nodes, nodes_min, consistency, consistency_min, failed }
    }

    /// The batch at whose gate it stands or ended.
    pub fn at_gate(&self) -> Option<(usize, &Batch)> {
        match self.phase {
            Phase::Gate { batch, .. }
            | Phase::Paused { batch, .. }
            | Phase::RollingBack { batch }
            | Phase::RolledBack { batch }
            | Phase::Abandoned { batch } => Some((batch, &self.batches[batch])),
            _ => None,
        }
    }
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
