//! What can be said about an action when it is asked for.

use p2ppool_model::fault::{Fault, SEED_MAX};
use p2ppool_model::rolling::Rolling;
use p2ppool_model::{Action, Digest};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Bytes of logs or result files that one host sends at most, unless told otherwise.
pub const FETCH_DEFAULT: u64 = 16 << 20;
/// Bytes that one host may be asked for.
pub const FETCH_MAX: u64 = 1 << 30;
/// Most file patterns of a gathering.
const PATTERNS_MAX: usize = 32;

/// Of install and upgrade.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeployParams {
    /// The bundle to deploy; none: the one that the pool has, else the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Digest>,
}

/// Of upgrade, as its task keeps it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpgradeTaskParams {
    /// The bundle to deploy; none: the one that the pool has, else the built-in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bundle: Option<Digest>,
    /// In batches, with a gate after each; none: all hosts at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rolling: Option<Rolling>,
    /// Settings that the pool gets when every gate was passed; only with `rolling`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<p2ppool_model::pool::PoolSettings>)]
    pub settings: Option<serde_json::Map<String, Value>>,
}

/// Of crawl.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CrawlParams {
    /// Walk again, for a minute at most, until the overlay has settled; keep the last walk.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub settle: bool,
}

/// Of stop.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StopParams {
    /// Keep the pool, its settings, its files here and its history when every host is clean.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
    /// Delete the pool although some hosts could not be cleaned: they keep what they have.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forget: bool,
}

/// Of gather logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogsParams {
    /// Most bytes per host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// Of gather data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataParams {
    /// File name patterns, such as `*.db`; none: `*.db`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<String>,
    /// Most bytes per host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// Most hosts of a sample: it tries a way out, it is no survey.
pub const SAMPLE_MAX: u32 = 100;

/// Of gather usage.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UsageParams {
    /// Only so many hosts, spread over the list: whether user, key and network are right is seen before an install.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<u32>,
}

/// Of actions about which nothing can be said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NoParams {}

/// The settings of an action in one canonical form (equal requests have equal texts), or what is
/// wrong with them.
pub(crate) fn checked(action: Action, given: &Value) -> Result<Value, String> {
    let empty = Value::Object(serde_json::Map::new());
    let given = if given.is_null() { &empty } else { given };
    match action {
        Action::Install => canonical::<DeployParams>(action, given, |_| Ok(())),
        Action::Upgrade => canonical::<UpgradeTaskParams>(action, given, check_upgrade),
        Action::Fault => fault(given),
        Action::Crawl => canonical::<CrawlParams>(action, given, |_| Ok(())),
        Action::Stop => canonical::<StopParams>(action, given, |params| {
            if params.keep && params.forget { Err("keep and forget exclude each other".to_owned()) } else { Ok(()) }
        }),
        Action::GatherLogs => canonical::<LogsParams>(action, given, |params| check_bytes(params.max_bytes)),
        Action::GatherData => canonical::<DataParams>(action, given, check_data),
        Action::GatherUsage => canonical::<UsageParams>(action, given, |params| match params.sample {
            Some(hosts) if !(1..=SAMPLE_MAX).contains(&hosts) => Err(format!("sample must be 1 to {SAMPLE_MAX} hosts")),
            _ => Ok(()),
        }),
        _ => canonical::<NoParams>(action, given, |_| Ok(())),
    }
}

/// The settings of a task, as they were checked when it was asked for.
pub(crate) fn of<T: DeserializeOwned + Default>(params: &Value) -> T {
    serde_json::from_value(params.clone()).unwrap_or_default()
}

fn canonical<T: DeserializeOwned + Serialize>(
    action: Action,
    given: &Value,
    check: impl FnOnce(&T) -> Result<(), String>,
) -> Result<Value, String> {
    let params: T = serde_json::from_value(given.clone()).map_err(|error| format!("settings of {action}: {error}"))?;
    check(&params).map_err(|why| format!("settings of {action}: {why}"))?;
    serde_json::to_value(params).map_err(|error| format!("settings of {action}: {error}"))
}

/// A fault that chooses at random gets a seed, so that it can be repeated.
fn fault(given: &Value) -> Result<Value, String> {
    let wrong = |why: String| format!("settings of fault: {why}");
    let mut fault: Fault = serde_json::from_value(given.clone()).map_err(|error| wrong(error.to_string()))?;
    fault.check().map_err(wrong)?;
    if fault.share.is_some() && fault.seed.is_none() {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).map_err(|error| wrong(format!("choose a seed: {error}")))?;
        fault.seed = Some(u64::from_le_bytes(bytes) & SEED_MAX);
    }
    serde_json::to_value(fault).map_err(|error| wrong(error.to_string()))
}

fn check_upgrade(params: &UpgradeTaskParams) -> Result<(), String> {
    match (&params.rolling, &params.settings) {
        (Some(rolling), _) => rolling.check().map_err(|why| format!("rolling.{why}")),
        (None, Some(_)) => Err("settings are kept with the task only by a rolling upgrade".to_owned()),
        (None, None) => Ok(()),
    }
}

fn check_bytes(max_bytes: Option<u64>) -> Result<(), String> {
    match max_bytes {
        Some(bytes) if !(1..=FETCH_MAX).contains(&bytes) => Err(format!("max_bytes must be 1 to {FETCH_MAX}")),
        _ => Ok(()),
    }
}

fn check_data(params: &DataParams) -> Result<(), String> {
    if params.patterns.len() > PATTERNS_MAX {
        return Err(format!("more than {PATTERNS_MAX} patterns"));
    }
    let fine = |c: char| c.is_ascii_alphanumeric() || "*?[]-_.+@".contains(c);
    match params.patterns.iter().find(|p| p.is_empty() || p.len() > 128 || !p.chars().all(fine)) {
        Some(wrong) => Err(format!("`{wrong}` is not a file name pattern: letters, digits and any of *?[]-_.+@")),
        None => check_bytes(params.max_bytes),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equal_requests_have_equal_texts() {
        let text = |given: Value| checked(Action::GatherData, &given).unwrap().to_string();
        assert_eq!(text(Value::Null), text(json!({})));
        assert_eq!(
            text(json!({"max_bytes": 5, "patterns": ["*.db"]})),
            text(json!({"patterns": ["*.db"], "max_bytes": 5}))
        );
    }

    #[test]
    fn what_is_not_known_or_not_sensible_is_refused() {
        for (action, wrong) in [
            (Action::Check, json!({"fast": true})),
            (Action::Install, json!({"bundle": "../x"})),
            (Action::Stop, json!({"keep": true, "forget": true})),
            (Action::GatherData, json!({"patterns": ["$(reboot)"]})),
            (Action::GatherData, json!({"patterns": ["../*"]})),
            (Action::GatherLogs, json!({"max_bytes": 0})),
            (Action::Crawl, json!({"settle": 1})),
            (Action::Install, json!({"rolling": {}})),
            (Action::Upgrade, json!({"rolling": {"batch": 0}})),
            (Action::Upgrade, json!({"rolling": {"batch": "0%"}})),
            (Action::Upgrade, json!({"rolling": {"gate": {"within_s": 0}}})),
            (Action::Upgrade, json!({"rolling": {"gate": {"consistency_min": 95}}})),
            (Action::Upgrade, json!({"settings": {}})),
        ] {
            let error = checked(action, &wrong).unwrap_err();
            assert!(error.contains(action.as_str()), "{error}");
        }
    }
}
