//! A rolling upgrade as people see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::rolling::{Gate, OnFailedGate};
use crate::rollout::{GateReading, Measured, Phase, Rollout};
use crate::task::{Counts, TaskHost};
use crate::{Digest, HostId, Outcome, TaskId, Time};

/// A rolling upgrade: where it is, its batches and what their gates found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RolloutView {
    /// Its task.
    pub task: TaskId,
    /// Where it is.
    #[serde(flatten)]
    pub phase: Phase,
    /// What must hold after each batch.
    pub gate: Gate,
    /// What is done when it doesn't.
    pub on_failed_gate: OnFailedGate,
    /// The overlay before the first batch.
    pub measured: Option<Measured>,
    /// The package that hosts had before.
    pub before: Option<Digest>,
    /// The package that they get; known once it is built.
    pub target: Option<Digest>,
    /// The batches, in order.
    pub batches: Vec<BatchView>,
    /// Hosts that are or were brought back.
    pub brought_back: Counts,
    /// When a paused one ends without anybody's word.
    pub decide_until: Option<Time>,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BatchView {
    /// From 1.
    pub number: usize,
    /// It comes first on purpose.
    pub canary: bool,
    /// Where it is.
    pub state: BatchState,
    /// Its hosts by outcome.
    pub counts: Counts,
    /// The newest look at its gate.
    pub reading: Option<GateReading>,
}

/// Where a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// Not begun.
    Waiting,
    /// Its hosts are upgraded.
    Deploying,
    /// Its gate is looked at.
    Gate,
    /// Its gate was passed.
    Passed,
    /// Its gate was not passed, and a person went on.
    Waived,
    /// Its gate was not passed.
    Failed,
}

impl RolloutView {
    /// Of a rolling upgrade and its task's hosts as they are.
    pub fn of(task: TaskId, rollout: &Rollout, hosts: &[TaskHost]) -> Self {
        let outcomes: BTreeMap<HostId, Outcome> = hosts.iter().map(|row| (row.host, row.outcome)).collect();
        let count = |hosts: &mut dyn Iterator<Item = &HostId>| {
            let mut counts = BTreeMap::<Outcome, u64>::new();
            for outcome in hosts.filter_map(|host| outcomes.get(host)) {
                *counts.entry(*outcome).or_default() += 1;
            }
            Counts(counts)
        };
        let batches = rollout.batches.iter().enumerate().map(|(number, batch)| BatchView {
            number: number + 1,
            canary: batch.canary,
            state: batch_state(rollout, number),
            counts: count(&mut batch.hosts.iter()),
            reading: batch.reading.clone(),
        });
        let decide_until = match rollout.phase {
            Phase::Paused { since, .. } => Some(since.plus(crate::rolling::PAUSED_MAX)),
            _ => None,
        };
        Self {
            task,
            phase: rollout.phase,
            gate: rollout.rolling.gate.clone(),
            on_failed_gate: rollout.rolling.on_failed_gate,
            measured: rollout.measured,
            before: rollout.before.package.clone(),
            target: rollout.target.package.clone(),
            batches: batches.collect(),
            brought_back: count(&mut rollout.undo.keys()),
            decide_until,
        }
    }
}

fn batch_state(rollout: &Rollout, number: usize) -> BatchState {
    let batch = &rollout.batches[number];
    let at = match rollout.phase {
        Phase::Deploying { batch } if batch == number => return BatchState::Deploying,
        Phase::Gate { batch, .. } if batch == number => return BatchState::Gate,
        Phase::Measuring => 0,
        Phase::Deploying { batch } | Phase::Gate { batch, .. } => batch,
        Phase::Paused { batch, .. }
        | Phase::RollingBack { batch }
        | Phase::RolledBack { batch }
        | Phase::Abandoned { batch } => {
            if batch == number {
                return BatchState::Failed;
            }
            batch
        }
        Phase::Finishing | Phase::Done => rollout.batches.len(),
    };
    match (number < at, batch.waived) {
        (true, false) => BatchState::Passed,
        (true, true) => BatchState::Waived,
        (false, _) => BatchState::Waiting,
    }
}
