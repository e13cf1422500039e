//! What goes into and comes out of columns.

use std::fmt::Display;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Result, StoreError};

/// Without NUL, which PostgreSQL can't store and which nothing honest contains.
pub(crate) fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// [`clean`] for what may be unknown.
pub(crate) fn clean_opt(text: Option<&str>) -> Option<String> {
    text.map(clean)
}

/// A number that sorts and compares; NaN and infinities are unknown.
pub(crate) fn finite(number: Option<f64>) -> Option<f64> {
    number.filter(|n| n.is_finite())
}

/// Databases know only signed integers; what is larger than they can say is as large as they can say.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// [`int`] back.
pub(crate) fn uint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// JSON for a TEXT column.
pub(crate) fn to_json<T: Serialize>(what: &str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|why| StoreError::unreadable(what, why))
}

/// JSON from a TEXT column.
pub(crate) fn from_json<T: DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|why| StoreError::unreadable(what, why))
}

/// A model value from its name in a TEXT column.
pub(crate) fn parse<T: FromStr<Err: Display>>(what: &str, text: &str) -> Result<T> {
    text.parse().map_err(|why| StoreError::unreadable(what, why))
}

/// [`parse`] for what may be unknown.
pub(crate) fn parse_opt<T: FromStr<Err: Display>>(what: &str, text: Option<&str>) -> Result<Option<T>> {
    text.map(|text| parse(what, text)).transpose()
}

/// A pattern for `lower(column) LIKE $n ESCAPE '!'` that finds `part` anywhere, upper and lower
/// case (of ASCII) alike.
pub(crate) fn containing(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for c in clean(part).chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c.to_ascii_lowercase());
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_searched_as_themselves() {
        assert_eq!(containing("50%_A!"), "%50!%!_a!!%");
    }

    #[test]
    fn numbers_stay_in_range() {
        assert_eq!(int(u64::MAX), i64::MAX);
        assert_eq!(uint(-1), 0);
        assert_eq!(finite(Some(f64::NAN)), None);
    }
}
