//! A rolling upgrade: what can be said about one, and how hosts are put into batches.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::HostId;
use crate::amount::{Amount, Share};
use crate::host::Host;

/// Longest time that a gate may be given: an overlay of thousands settles within minutes.
pub const GATE_WITHIN_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long a gate tries when nobody says otherwise.
pub const GATE_WITHIN_DEFAULT: Duration = Duration::from_secs(600);
/// How long a paused upgrade waits for a person before it ends as it is.
pub const PAUSED_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// How an upgrade goes over the hosts in batches, with a gate after each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rolling {
    /// Hosts per batch.
    pub batch: Amount,
    /// A first batch of its own; none: the first batch is as the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// What must hold after a batch before the next one begins.
    pub gate: Gate,
    /// What is done when it doesn't.
    pub on_failed_gate: OnFailedGate,
}

impl Default for Rolling {
    fn default() -> Self {
        Self {
            batch: Amount::Share(Share::percent(10)),
            canary: None,
            gate: Gate::default(),
            on_failed_gate: OnFailedGate::default(),
        }
    }
}

/// The hosts that come first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Canary {
    /// So many, from the top of the host list.
    Hosts(Amount),
    /// Those that have all these labels.
    Labels(BTreeMap<String, String>),
}

impl std::str::FromStr for Canary {
    type Err = String;
    /// `2`, `5%`, or labels such as `site=lyon,rack=3`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(amount) = text.parse() {
            return Ok(Self::Hosts(amount));
        }
        labels(text).map(Self::Labels)
    }
}

/// Labels as people type them: `site=lyon,rack=3`.
pub fn labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    let pair = |part: &str| match part.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err(format!("`{part}` is not a label such as `site=lyon`")),
    };
    text.split(',').map(pair).collect()
}

/// The host has all these labels.
pub fn has_labels(host: &Host, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(name, value)| host.spec.labels.get(name) == Some(value))
}

/// What must hold after a batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Hosts of the batch that must be right.
    pub hosts_ok_min: Share,
    /// Consistency that a crawl begun after the batch must find; none: it is not looked at.
    pub consistency_min: Option<Share>,
    /// Nodes that must answer in that crawl: a number, or a part of those that answered before the
    /// upgrade; none: they are not counted.
    pub nodes_min: Option<Amount>,
    /// Seconds from the end of the batch within which crawls must find it so.
    pub within_s: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            hosts_ok_min: Share::percent(95),
            consistency_min: Some(Share::percent(90)),
            nodes_min: Some(Amount::Share(Share::percent(95))),
            within_s: GATE_WITHIN_DEFAULT.as_secs(),
        }
    }
}

impl Gate {
    /// It asks for something that only a crawl can tell.
    pub fn needs_crawl(&self) -> bool {
        self.consistency_min.is_some() || self.nodes_min.is_some()
    }
}

/// What is done when a gate is not passed in its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFailedGate {
    /// Waits for a person, who goes on, looks again, or rolls back.
    #[default]
    Pause,
    /// Brings back the release before on every host that was touched.
    RollBack,
}

impl OnFailedGate {
    /// The name used in the API and the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::RollBack => "roll_back",
        }
    }
}

impl std::str::FromStr for OnFailedGate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "pause" => Ok(Self::Pause),
            "roll_back" | "roll-back" => Ok(Self::RollBack),
            _ => Err(format!("`{text}` is neither pause nor roll_back")),
        }
    }
}

impl Rolling {
    /// What is wrong with it, if anything.
    pub fn check(&self) -> Result<(), String> {
        if self.batch.is_zero() {
            return Err("batch: at least one host must be in it".to_owned());
        }
        if !(1..=GATE_WITHIN_MAX.as_secs()).contains(&self.gate.within_s) {
            return Err(format!("gate.within_s: must be 1 to {} seconds", GATE_WITHIN_MAX.as_secs()));
        }
        match &self.canary {
            Some(Canary::Hosts(amount)) if amount.is_zero() => Err("canary: no host is in it; leave it out".to_owned()),
            Some(Canary::Labels(labels)) if labels.is_empty() => Err("canary: no label is named".to_owned()),
            _ => Ok(()),
        }
    }

    /// The batches, in order: every host is in exactly one. The same hosts give the same batches.
    /// `Err`: no host has the canary's labels.
    pub fn batches(&self, hosts: &[&Host]) -> Result<Vec<PlannedBatch>, String> {
        let all = hosts.len() as u64;
        let canary: BTreeSet<HostId> = match &self.canary {
            None => BTreeSet::new(),
            Some(Canary::Hosts(amount)) => hosts.iter().take(amount.of(all) as usize).map(|host| host.id).collect(),
            Some(Canary::Labels(labels)) => {
                hosts.iter().filter(|host| has_labels(host, labels)).map(|host| host.id).collect()
            }
        };
        if self.canary.is_some() && canary.is_empty() && all > 0 {
            return Err("no host of the pool has the canary's labels".to_owned());
        }
        let rest: Vec<HostId> = hosts.iter().map(|host| host.id).filter(|id| !canary.contains(id)).collect();
        let size = usize::try_from(self.batch.of(all).max(1)).unwrap_or(usize::MAX);
        let first = (!canary.is_empty()).then(|| PlannedBatch { hosts: canary.into_iter().collect(), canary: true });
        let others = rest.chunks(size).map(|hosts| PlannedBatch { hosts: hosts.to_vec(), canary: false });
        Ok(first.into_iter().chain(others).collect())
    }
}

/// Hosts that are upgraded together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedBatch {
    /// Them.
    pub hosts: Vec<HostId>,
    /// They are the ones that come first on purpose.
    pub canary: bool,
}
