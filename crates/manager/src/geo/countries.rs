//! The middle of each country, for addresses of which only the country is known.
//!
//! Centroids of each country's largest part, calculated from Natural Earth 1:50m (public domain); territories that
//! it draws as parts of others have the place that the tz database's `zone.tab` (public domain) gives them.

use p2ppool_model::host::Location;

/// `code,latitude,longitude`, sorted by code.
const COUNTRIES: &str = include_str!("countries.csv");

/// A point inside the country with this two-letter code (ISO 3166-1, either case).
pub fn middle(code: &str) -> Option<Location> {
    let code = code.to_ascii_uppercase();
    let (_, point) = COUNTRIES.lines().filter_map(|line| line.split_once(',')).find(|(known, _)| *known == code)?;
    let (latitude, longitude) = point.split_once(',')?;
    Location::new(latitude.parse().ok()?, longitude.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_country_on_the_globe() {
        let lines: Vec<&str> = COUNTRIES.lines().collect();
        assert!(lines.len() > 240 && lines.is_sorted());
        for line in lines {
            assert!(middle(&line[..2]).is_some(), "{line}");
        }
        let france = middle("fr").unwrap();
        assert!((46.0..47.5).contains(&france.latitude) && (1.5..3.5).contains(&france.longitude));
        assert_eq!(middle("ZZ"), None);
        assert_eq!(middle(""), None);
    }
}
