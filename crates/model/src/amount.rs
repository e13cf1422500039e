//! How many of something: a number, or a part of all.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

/// A number such as `5`, or a part of all such as `"10%"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    /// So many.
    Count(u64),
    /// This part of all.
    Share(Share),
}

impl Amount {
    /// How many of `all` it is: at most all, and of a part what is begun counts.
    pub fn of(self, all: u64) -> u64 {
        match self {
            Self::Count(count) => count.min(all),
            Self::Share(share) => share.of(all),
        }
    }

    /// It is nothing, whatever all is.
    pub fn is_zero(self) -> bool {
        matches!(self, Self::Count(0)) || matches!(self, Self::Share(share) if share.0 == 0.0)
    }
}

impl utoipa::PartialSchema for Amount {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, SchemaType, Type};
        let of = |kind| ObjectBuilder::new().schema_type(SchemaType::new(kind));
        let part = of(Type::String).pattern(Some(r"^\d+(\.\d+)?%$"));
        OneOfBuilder::new().item(of(Type::Integer).minimum(Some(0))).item(part).into()
    }
}

impl ToSchema for Amount {
    fn name() -> std::borrow::Cow<'static, str> {
        "Amount".into()
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Share(share) => share.fmt(f),
        }
    }
}

impl FromStr for Amount {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is neither a whole number nor a part such as `10%`");
        if text.trim_end().ends_with('%') {
            return text.parse().map(Self::Share).map_err(|_| wrong());
        }
        text.trim().parse().map(Self::Count).map_err(|_| wrong())
    }
}

/// A part of a whole, from 0 to 1: `0.95` or `"95%"`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, ToSchema)]
#[schema(value_type = f64, minimum = 0, maximum = 1)]
pub struct Share(f64);

impl Share {
    /// All of it.
    pub const ALL: Self = Self(1.0);

    /// This part, when it is one.
    pub fn new(part: f64) -> Option<Self> {
        (0.0..=1.0).contains(&part).then_some(Self(part))
    }

    /// So many per cent; more than 100 are all.
    pub const fn percent(percent: u8) -> Self {
        Self(if percent >= 100 { 1.0 } else { percent as f64 / 100.0 })
    }

    /// From 0 to 1.
    pub fn part(self) -> f64 {
        self.0
    }

    /// How many of `all` it is; what is begun counts.
    pub fn of(self, all: u64) -> u64 {
        // 10 % of 20 is 2, although 0.1 is a little more than a tenth
        let exact = self.0 * all as f64;
        ((exact - 1e-9).ceil().max(0.0) as u64).min(all)
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // two digits tell 99.95 % from all
        let percent = (self.0 * 10_000.0).round() / 100.0;
        write!(f, "{percent}%")
    }
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |text: &str| text.trim().parse::<f64>().ok();
        let part = match text.trim().strip_suffix('%') {
            Some(percent) => number(percent).map(|percent| percent / 100.0),
            None => number(text),
        };
        part.and_then(Self::new).ok_or_else(|| format!("`{text}` is not a part such as `0.95` or `95%`"))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u64(*count),
            Self::Share(share) => serializer.collect_str(share),
        }
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Given {
    Count(u64),
    Part(f64),
    Text(String),
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let error = <D::Error as serde::de::Error>::custom::<String>;
        match Given::deserialize(deserializer) {
            Ok(Given::Count(count)) => Ok(Self::Count(count)),
            Ok(Given::Text(text)) => text.parse().map_err(error),
            _ => Err(error("must be a whole number or a part such as `10%`".to_owned())),
        }
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let error = <D::Error as serde::de::Error>::custom::<String>;
        let wrong = || error("must be a part from 0 to 1, such as `0.95` or `95%`".to_owned());
        match Given::deserialize(deserializer) {
            Ok(Given::Count(count)) => Self::new(count as f64).ok_or_else(wrong),
            Ok(Given::Part(part)) => Self::new(part).ok_or_else(wrong),
            Ok(Given::Text(text)) => text.parse().map_err(error),
            Err(_) => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_of_all_are_rounded_up() {
        let of = |text: &str, all| text.parse::<Amount>().unwrap().of(all);
        assert_eq!((of("10%", 20), of("10%", 21), of("5", 3), of("100%", 7), of("0%", 7)), (2, 3, 3, 7, 0));
        assert_eq!(of("0.1%", 5000), 5);
    }

    #[test]
    fn what_is_no_part_is_refused() {
        for wrong in ["", "%", "101%", "-1", "ten", "1.5", "NaN%"] {
            assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
        assert!(serde_json::from_str::<Share>("2").is_err());
        assert_eq!(serde_json::from_str::<Share>("\"95%\"").unwrap(), Share::percent(95));
    }

    proptest! {
        #[test]
        fn amounts_survive_json_and_never_exceed_all(count in 0u64..1_000_000, percent in 0u8..=100, all in 0u64..1_000_000) {
            for amount in [Amount::Count(count), Amount::Share(Share::percent(percent))] {
                let json = serde_json::to_string(&amount).unwrap();
                prop_assert_eq!(serde_json::from_str::<Amount>(&json).unwrap(), amount);
                prop_assert!(amount.of(all) <= all);
                prop_assert_eq!(amount.to_string().parse::<Amount>().unwrap(), amount);
            }
        }
    }
}
