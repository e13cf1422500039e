//! `geo-overrides.csv`: what a person knows better than any database.
//!
//! One network a line, `cidr,lat,lon,city,country`; city and country may be left out, and so may both numbers when the
//! country is there. `#` begins a remark; a first line that begins with `cidr` is a heading. Of several networks that
//! hold an address the smallest counts. A line that can't be read is named and left out; the others hold.

use std::collections::HashMap;
use std::net::IpAddr;

use ipnet::IpNet;
use p2ppool_model::geo::{GeoSource, Place, Precision};
use p2ppool_model::host::Location;
use serde::Serialize;
use utoipa::ToSchema;

use super::countries;

/// Largest file, bytes: the most networks with long lines.
pub const FILE_MAX: u64 = 8 * 1024 * 1024;
/// Most networks: what one person keeps in a file, and some megabytes of memory.
pub const NETWORKS_MAX: usize = 100_000;
/// Most wrong lines that are named; the rest is counted.
const ERRORS_MAX: usize = 100;
/// Longest name of a city, bytes.
const CITY_MAX: usize = 100;
/// Bytes that one line's reader takes: most lines fit.
const LINE_BUFFER: usize = 256;

/// A line that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WrongLine {
    /// Which line; the first is 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

/// The networks of the file.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    networks: HashMap<IpNet, Place>,
    /// Lengths of prefixes that occur, longest first: IPv4, IPv6.
    lengths: [Vec<u8>; 2],
    /// Lines that were left out, at most a hundred of them.
    pub wrong: Vec<WrongLine>,
}

impl Overrides {
    /// Reads the text of the file.
    pub fn parse(text: &str) -> Self {
        let mut overrides = Self::default();
        // line by line, so that a stray quote spoils its own line only
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if text.is_empty() || text.starts_with('#') || line == 1 && text.starts_with("cidr") {
                continue;
            }
            match record(text).and_then(|row| network(&row)) {
                Ok(_) if overrides.networks.len() >= NETWORKS_MAX => {
                    overrides.note(line, format!("more than {NETWORKS_MAX} networks; the rest is left out"));
                    break;
                }
                Ok((network, place)) => {
                    if overrides.networks.insert(network, place).is_some() {
                        overrides.note(line, format!("{network} was there before; this line counts"));
                    }
                }
                Err(reason) => overrides.note(line, reason),
            }
        }
        overrides.sort_lengths();
        overrides
    }

    /// How many networks there are.
    pub fn networks(&self) -> usize {
        self.networks.len()
    }

    /// The place of the smallest network that holds this address.
    pub fn locate(&self, ip: IpAddr) -> Option<&Place> {
        let lengths = &self.lengths[usize::from(ip.is_ipv6())];
        lengths.iter().find_map(|length| self.networks.get(&IpNet::new(ip, *length).ok()?.trunc()))
    }

    fn note(&mut self, line: u64, reason: String) {
        if self.wrong.len() < ERRORS_MAX {
            self.wrong.push(WrongLine { line, reason });
        }
    }

    fn sort_lengths(&mut self) {
        for (slot, v6) in [(0, false), (1, true)] {
            let of_kind = self.networks.keys().filter(|network| network.addr().is_ipv6() == v6);
            let mut lengths: Vec<u8> = of_kind.map(IpNet::prefix_len).collect();
            lengths.sort_unstable_by(|a, b| b.cmp(a));
            lengths.dedup();
            self.lengths[slot] = lengths;
        }
    }
}

fn record(line: &str) -> Result<csv::StringRecord, String> {
    let reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .buffer_capacity(LINE_BUFFER)
        .from_reader(line.as_bytes());
    let row = reader.into_records().next().and_then(Result::ok);
    row.ok_or_else(|| "is not CSV".to_owned())
}

fn network(row: &csv::StringRecord) -> Result<(IpNet, Place), String> {
    let field = |index: usize| row.get(index).filter(|text| !text.is_empty());
    if row.len() > 5 {
        return Err("has more than the five fields cidr,lat,lon,city,country".to_owned());
    }
    let cidr = field(0).ok_or("has no network")?;
    let network: IpNet = cidr
        .parse()
        .or_else(|_| cidr.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("`{}` is not a network such as 192.0.2.0/24 or 2001:db8::/32", shown(cidr)))?;
    let country = field(4).map(country).transpose()?;
    let city = field(3).map(|city| city.chars().filter(|c| !c.is_control()).collect::<String>());
    if city.as_ref().is_some_and(|city| city.len() > CITY_MAX) {
        return Err(format!("the name of the city is longer than {CITY_MAX} bytes"));
    }
    let location = match (field(1), field(2), &country) {
        (Some(latitude), Some(longitude), _) => point(latitude, longitude)?,
        (None, None, Some(code)) => countries::middle(code).ok_or_else(|| format!("`{code}` is not a country code"))?,
        _ => return Err("needs both lat and lon, or neither and a country".to_owned()),
    };
    Ok((network.trunc(), Place { location, city, country, source: GeoSource::Overrides, precision: Precision::Given }))
}

fn point(latitude: &str, longitude: &str) -> Result<Location, String> {
    let wrong = || {
        format!(
            "`{},{}` is not a latitude (-90 to 90) and a longitude (-180 to 180)",
            shown(latitude),
            shown(longitude)
        )
    };
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    number(latitude).zip(number(longitude)).and_then(|(lat, lon)| Location::new(lat, lon)).ok_or_else(wrong)
}

fn country(text: &str) -> Result<String, String> {
    let code = text.to_ascii_uppercase();
    let right = code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
    right.then_some(code).ok_or_else(|| format!("`{}` is not a two-letter country code", shown(text)))
}

fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(overrides: &Overrides, ip: &str) -> Option<(f64, f64)> {
        overrides.locate(ip.parse().unwrap()).map(|place| (place.location.latitude, place.location.longitude))
    }

    #[test]
    fn the_smallest_network_counts_in_both_families() {
        let text = "cidr,lat,lon,city,country\n# the campus\n10.0.0.0/8,1,2\n10.1.0.0/16, 3, 4,\"Lyon, east\", fr\n\
                    10.1.2.3,5,6\n2001:db8::/32,7,8\n2001:db8:1::/48,,,,DE\n\n";
        let overrides = Overrides::parse(text);
        assert_eq!(overrides.wrong, []);
        assert_eq!(overrides.networks(), 5);
        assert_eq!(at(&overrides, "10.9.9.9"), Some((1.0, 2.0)));
        assert_eq!(at(&overrides, "10.1.9.9"), Some((3.0, 4.0)));
        assert_eq!(at(&overrides, "10.1.2.3"), Some((5.0, 6.0)));
        assert_eq!(at(&overrides, "2001:db8::1"), Some((7.0, 8.0)));
        assert_eq!(at(&overrides, "2001:db8:1::1"), Some((51.03, 10.35)));
        assert_eq!(at(&overrides, "11.0.0.1"), None);
        let place = overrides.locate("10.1.0.1".parse().unwrap()).unwrap();
        assert_eq!((place.city.as_deref(), place.country.as_deref()), (Some("Lyon, east"), Some("FR")));
    }

    #[test]
    fn wrong_lines_are_named_and_the_others_hold() {
        let text = "10.0.0.0/8,1,2\n10.0.0.0/33,1,2\nx,1,2\n11.0.0.0/8,91,2\n12.0.0.0/8,1\n13.0.0.0/8,,,,France\n\
                    14.0.0.0/8,1,2,a,FR,more\n\"15.0.0.0/8,1,2\n10.0.0.0/8,3,4\n16.0.0.0/8,,,,ZZ\n";
        let overrides = Overrides::parse(text);
        let lines: Vec<u64> = overrides.wrong.iter().map(|wrong| wrong.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert_eq!(at(&overrides, "10.0.0.1"), Some((3.0, 4.0)));
        assert!(overrides.wrong[2].reason.contains("-90 to 90"), "{:?}", overrides.wrong[2]);
    }

    #[test]
    fn more_wrong_lines_than_anybody_reads_are_cut() {
        assert_eq!(Overrides::parse(&"x\n".repeat(1000)).wrong.len(), ERRORS_MAX);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9a-f./:,\"\n# -]{0,200}") {
            let _ = Overrides::parse(&text);
        }
    }
}
