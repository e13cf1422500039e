//! What a step may wait for: `nodes >= 95%`, `consistency >= 0.99`, `missing == 0`.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use crate::CrawlId;
use crate::amount::{Amount, Share};

/// A number of a crawl.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Nodes that answered.
    Nodes,
    /// Hosts of the pool that were not seen.
    Missing,
    /// Consistency of the overlay.
    Consistency,
}

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// `>=`
    AtLeast,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `<`
    Below,
    /// `==`
    Equal,
}

impl Compare {
    const ALL: [(&'static str, Self); 5] =
        [(">=", Self::AtLeast), ("<=", Self::AtMost), ("==", Self::Equal), (">", Self::Above), ("<", Self::Below)];

    fn holds(self, found: f64, wanted: f64) -> bool {
        match self {
            Self::AtLeast => found >= wanted,
            Self::AtMost => found <= wanted,
            Self::Above => found > wanted,
            Self::Below => found < wanted,
            Self::Equal => (found - wanted).abs() < 1e-9,
        }
    }
}

/// One condition on a crawl.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Condition {
    /// Which number.
    pub metric: Metric,
    /// How it is compared.
    pub compare: Compare,
    /// With what; a part of `nodes` and `missing` is one of the pool's hosts.
    pub value: Amount,
}

/// What a crawl found, as far as conditions look at it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reading {
    /// The crawl.
    pub crawl: CrawlId,
    /// Hosts of the pool.
    pub hosts: u64,
    /// Nodes that answered.
    pub nodes: u64,
    /// Hosts that were not seen.
    pub missing: u64,
    /// Consistency, when it can be told.
    pub consistency: Option<f64>,
}

impl Condition {
    /// It holds in this crawl. What is not known does not hold.
    pub fn holds(&self, reading: &Reading) -> bool {
        let of_hosts = match self.value {
            Amount::Count(count) => count as f64,
            Amount::Share(share) => share.part() * reading.hosts as f64,
        };
        match (self.metric, self.value) {
            (Metric::Nodes, _) => self.compare.holds(reading.nodes as f64, of_hosts),
            (Metric::Missing, _) => self.compare.holds(reading.missing as f64, of_hosts),
            (Metric::Consistency, Amount::Share(share)) => {
                reading.consistency.is_some_and(|found| self.compare.holds(found, share.part()))
            }
            (Metric::Consistency, Amount::Count(_)) => false,
        }
    }
}

impl FromStr for Condition {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "write it as `nodes >= 95%`, `missing == 0` or `consistency >= 0.99`";
        let short: String = text.chars().take(80).collect();
        let at = text.find(['<', '>', '=']).ok_or_else(|| format!("`{short}` compares nothing; {form}"))?;
        let (metric, rest) = text.split_at(at);
        let (sign, compare) = Compare::ALL
            .into_iter()
            .find(|(sign, _)| rest.starts_with(sign))
            .ok_or_else(|| format!("`{short}`: compare by >=, <=, >, < or =="))?;
        let value = rest[sign.len()..].trim();
        let metric = match metric.trim() {
            "nodes" => Metric::Nodes,
            "missing" => Metric::Missing,
            "consistency" => Metric::Consistency,
            other => {
                return Err(format!(
                    "`{}` is none of nodes, missing, consistency",
                    other.chars().take(80).collect::<String>()
                ));
            }
        };
        let value = match metric {
            Metric::Consistency => value.parse::<Share>().map(Amount::Share),
            _ => value.parse::<Amount>(),
        };
        let value = value.map_err(|why| format!("`{short}`: {why}"))?;
        Ok(Self { metric, compare, value })
    }
}

impl std::fmt::Display for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let metric = match self.metric {
            Metric::Nodes => "nodes",
            Metric::Missing => "missing",
            Metric::Consistency => "consistency",
        };
        let sign = Compare::ALL.into_iter().find(|(_, compare)| *compare == self.compare).map_or("", |(sign, _)| sign);
        write!(f, "{metric} {sign} {}", self.value)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(nodes: u64, consistency: Option<f64>) -> Reading {
        Reading { crawl: CrawlId(1), hosts: 20, nodes, missing: 20 - nodes, consistency }
    }

    #[test]
    fn conditions_are_read_and_hold() {
        let holds = |text: &str, nodes, c| text.parse::<Condition>().unwrap().holds(&reading(nodes, c));
        assert!(holds("nodes >= 95%", 19, None) && !holds("nodes >= 95%", 18, None));
        assert!(holds("nodes>=5", 5, None) && holds("missing == 0", 20, None) && !holds("missing < 1", 19, None));
        assert!(holds("consistency >= 0.99", 20, Some(0.99)) && holds("consistency >= 99%", 20, Some(1.0)));
        assert!(!holds("consistency >= 0", 20, None), "what is not known does not hold");
        for wrong in ["nodes", "nodes >= ", "nodes => 5", "speed > 1", "consistency >= 99", "nodes = 5", "nodes >= -1"]
        {
            assert!(wrong.parse::<Condition>().is_err(), "{wrong}");
        }
        for text in ["nodes >= 95%", "missing == 0", "consistency > 99.5%"] {
            assert_eq!(text.parse::<Condition>().unwrap().to_string(), text);
        }
    }
}
