//! `p2ppool upgrade --rolling …`, and what is said to a paused one.

use std::time::Duration;

use clap::Args as ClapArgs;
use p2ppool_model::TaskId;
use p2ppool_model::amount::{Amount, Share};
use p2ppool_model::rolling::{Canary, OnFailedGate, Rolling};
use p2ppool_model::rollout::{Decision, GateReading};
use p2ppool_model::rollout_view::RolloutView;
use serde_json::json;

use super::client::Client;
use super::error::CliError;
use super::output::{Output, known, percent, table};

/// How an upgrade goes over the hosts in batches.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct RollingArgs {
    /// In batches, each followed by a look at hosts and overlay
    #[arg(long)]
    rolling: bool,
    /// Hosts per batch: a number, or a part such as 10% [default: 10%]
    #[arg(long, requires = "rolling", value_name = "N|N%")]
    batch: Option<Amount>,
    /// Hosts that come first: a number, a part, or labels such as site=lyon
    #[arg(long, requires = "rolling", value_name = "N|N%|LABELS")]
    canary: Option<Canary>,
    /// Hosts of a batch that must be right, such as 95% [default: 95%]
    #[arg(long, requires = "rolling", value_name = "PART")]
    gate_hosts: Option<Share>,
    /// Consistency that a crawl must find after each batch, 0: any [default: 90%]
    #[arg(long, requires = "rolling", value_name = "PART")]
    gate_consistency: Option<Share>,
    /// Nodes that must answer after each batch: a number, or a part of those before, 0: any [default: 95%]
    #[arg(long, requires = "rolling", value_name = "N|N%")]
    gate_nodes: Option<Amount>,
    /// How long a gate is given, in seconds [default: 600]
    #[arg(long, requires = "rolling", value_name = "SECONDS")]
    gate_within: Option<u64>,
    /// What a failed gate leads to: pause or roll_back [default: pause]
    #[arg(long, requires = "rolling", value_name = "WHAT")]
    on_failed_gate: Option<OnFailedGate>,
}

impl RollingArgs {
    /// What was asked for, if it was.
    pub(super) fn asked(&self) -> Option<Rolling> {
        if !self.rolling {
            return None;
        }
        let mut rolling = Rolling { canary: self.canary.clone(), ..Rolling::default() };
        rolling.batch = self.batch.unwrap_or(rolling.batch);
        rolling.on_failed_gate = self.on_failed_gate.unwrap_or_default();
        let gate = &mut rolling.gate;
        gate.hosts_ok_min = self.gate_hosts.unwrap_or(gate.hosts_ok_min);
        gate.within_s = self.gate_within.unwrap_or(gate.within_s);
        if let Some(min) = self.gate_consistency {
            gate.consistency_min = Some(min).filter(|min| min.part() > 0.0);
        }
        if let Some(min) = self.gate_nodes {
            gate.nodes_min = Some(min).filter(|min| !min.is_zero());
        }
        Some(rolling)
    }
}

pub(super) async fn show(task: TaskId, client: &Client, output: Output) -> Result<(), CliError> {
    let view: RolloutView = client.get(&format!("tasks/{task}/rollout")).await?;
    output.show(&view, || text(&view))
}

pub(super) async fn decide(task: TaskId, decision: Decision, client: &Client, output: Output) -> Result<(), CliError> {
    let body = json!({ "decision": decision });
    let view: RolloutView = client.post(&format!("tasks/{task}/continue"), &body).await?;
    output.show(&view, || format!("#{task} was told to {}", decision.as_str().replace('_', " ")))
}

fn text(view: &RolloutView) -> String {
    let rows = view.batches.iter().map(|batch| {
        let reading = batch.reading.as_ref();
        let state = json!(batch.state);
        vec![
            if batch.canary { format!("{} canary", batch.number) } else { batch.number.to_string() },
            state.as_str().unwrap_or_default().to_owned(),
            format!("{}/{}", batch.counts.done(), batch.counts.total()),
            known(reading.map(|reading| format!("{}/{}", reading.hosts_ok, reading.hosts_ok_min))),
            known(reading.and_then(nodes)),
            known(reading.and_then(|reading| reading.consistency).map(|part| percent(Some(part)))),
        ]
    });
    let phase = json!(view.phase);
    let phase = phase["phase"].as_str().unwrap_or_default().replace('_', " ");
    let until = view.decide_until.map(|until| format!("; decide until {until}")).unwrap_or_default();
    let within = Duration::from_secs(view.gate.within_s);
    let head = ["batch", "state", "hosts", "right/min", "nodes/min", "consistency"];
    format!("#{} is {phase}{until} (gates are given {within:?})\n\n{}", view.task, table(&head, &["hosts"], rows))
}

fn nodes(reading: &GateReading) -> Option<String> {
    Some(match reading.nodes_min {
        Some(min) => format!("{}/{min}", reading.nodes?),
        None => reading.nodes?.to_string(),
    })
}
