//! How much a share link tells: how exactly where nodes are, and of which namespaces.

use p2ppool_model::host::Location;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::service::Error;

/// Namespaces that one link may be limited to.
const NAMESPACES_MAX: usize = 32;
/// Longest name of a namespace, bytes: that of a pool's setting.
const NAMESPACE_MAX: usize = 255;

/// How exactly a link tells where nodes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Places {
    /// Not at all.
    None,
    /// To a degree: some 100 km.
    Degree,
    /// To a tenth of a degree: a city.
    City,
    /// To a hundredth of a degree, as the manager's own map.
    Exact,
}

impl Places {
    /// What a link tells that does not say otherwise.
    pub(super) fn of(hosts: bool) -> Self {
        if hosts { Self::Exact } else { Self::Degree }
    }

    /// The place as it is told.
    pub(super) fn told(self, place: Location) -> Option<Location> {
        let parts = match self {
            Self::None => return None,
            Self::Degree => 1.0,
            Self::City => 10.0,
            Self::Exact => 100.0,
        };
        let round = |degrees: f64| (degrees * parts).round() / parts;
        Location::new(round(place.latitude), round(place.longitude))
    }
}

/// The namespaces of a link, each once.
pub(super) fn namespaces(mut names: Vec<String>) -> Result<Vec<String>, Error> {
    names.sort_unstable();
    names.dedup();
    if names.len() > NAMESPACES_MAX {
        return Err(Error::field("namespaces", format!("at most {NAMESPACES_MAX}")));
    }
    let is_wrong = |name: &&String| name.is_empty() || name.len() > NAMESPACE_MAX || name.chars().any(char::is_control);
    match names.iter().find(is_wrong) {
        Some(_) => Err(Error::field(
            "namespaces",
            format!("must be 1 to {NAMESPACE_MAX} bytes each, without control characters"),
        )),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_as_exactly_as_the_link_says() {
        let place = Location::new(45.7643, -4.8357).unwrap();
        let told = |places: Places| places.told(place).map(|place| (place.latitude, place.longitude));
        assert_eq!(told(Places::None), None);
        assert_eq!(told(Places::Degree), Some((46.0, -5.0)));
        assert_eq!(told(Places::City), Some((45.8, -4.8)));
        assert_eq!(told(Places::Exact), Some((45.76, -4.84)));
        // at the edges they stay on the earth
        let edge = Location::new(89.999, 179.999).unwrap();
        assert!(Places::Degree.told(edge).is_some() && Places::Exact.told(edge).is_some());
    }

    #[test]
    fn namespaces_are_bounded_and_each_is_there_once() {
        let names = |names: &[&str]| namespaces(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(names(&["b", "a", "b"]).unwrap(), ["a", "b"]);
        for wrong in [&[""][..], &["a\nb"], &["x".repeat(256).as_str()]] {
            assert!(names(wrong).is_err(), "{wrong:?}");
        }
        assert!(namespaces((0..33).map(|n| n.to_string()).collect()).is_err());
    }
}
