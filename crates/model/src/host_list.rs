//! The text form of a list of hosts, as a person writes or pastes it.
//!
//! One host per line: `[user@]host[:port] [,user] [lat,lon] [key=value …]`. Fields are separated by
//! commas, tabs or spaces; `#` starts a comment; blank lines and CRLF are fine. An IPv6 address
//! with a port needs brackets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::host::{HostSpec, Location};
use crate::pool::is_name;

/// Most hosts of one list.
pub const HOSTS_MAX: usize = 50_000;
/// Longest line in bytes; a longer one is an error, not cut.
pub const LINE_MAX: usize = 1024;

/// A line that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct LineError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// What a text says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HostList {
    /// The hosts, in order, without duplicates.
    pub hosts: Vec<HostSpec>,
    /// Every wrong line.
    pub errors: Vec<LineError>,
    /// Lines that repeat an earlier host; not errors.
    pub duplicates: Vec<LineError>,
}

/// Parses a whole text; never fails as a whole.
pub fn parse(text: &str) -> HostList {
    let mut list = HostList::default();
    let mut first_line = std::collections::HashMap::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let content = line.split('#').next().unwrap_or_default().trim();
        if content.is_empty() {
            continue;
        }
        match parse_line(content) {
            Err(reason) => list.errors.push(LineError { line: number, reason }),
            Ok(_) if list.hosts.len() >= HOSTS_MAX => {
                list.errors.push(LineError { line: number, reason: format!("more than {HOSTS_MAX} hosts") });
                break;
            }
            Ok(host) => match first_line.entry(host.key()) {
                std::collections::hash_map::Entry::Occupied(first) => list.duplicates.push(LineError {
                    line: number,
                    reason: format!("{} is already on line {}", host.display(), first.get()),
                }),
                std::collections::hash_map::Entry::Vacant(free) => {
                    free.insert(number);
                    list.hosts.push(host);
                }
            },
        }
    }
    list
}

/// The text form of these hosts; [`parse`] gives them back.
pub fn render(hosts: &[HostSpec]) -> String {
    let mut text = String::new();
    for host in hosts {
        if let Some(user) = &host.user {
            text.push_str(user);
            text.push('@');
        }
        text.push_str(&host.display());
        if let Some(Location { latitude, longitude }) = host.location {
            text.push_str(&format!(" {latitude},{longitude}"));
        }
        for (key, value) in &host.labels {
            text.push_str(&format!(" {key}={value}"));
        }
        text.push('\n');
    }
    text
}

fn parse_line(line: &str) -> Result<HostSpec, String> {
    if line.len() > LINE_MAX {
        return Err(format!("longer than {LINE_MAX} bytes"));
    }
    let mut fields = line.split(|c: char| c == ',' || c.is_whitespace()).filter(|field| !field.is_empty());
    let mut host = parse_address(fields.next().ok_or("no host")?)?;
    let mut numbers = Vec::new();
    for field in fields {
        if let Some((key, value)) = field.split_once('=') {
            if !is_name(key) {
                return Err(format!("`{key}` is not a label name (a-z, 0-9 and `-`)"));
            }
            host.labels.insert(key.to_owned(), value.to_owned());
        } else if let Ok(number) = field.parse::<f64>() {
            numbers.push(number);
        } else if host.user.is_none() && is_user(field) {
            host.user = Some(field.to_owned());
        } else {
            return Err(format!("`{field}` is neither a user, a coordinate nor key=value"));
        }
    }
    host.location = match numbers[..] {
        [] => None,
        [latitude, longitude] => Some(Location::new(latitude, longitude).ok_or_else(|| {
            format!("{latitude},{longitude} is not a latitude (-90 to 90) and longitude (-180 to 180)")
        })?),
        _ => return Err("a location needs two numbers: latitude,longitude".to_owned()),
    };
    Ok(host)
}

fn parse_address(field: &str) -> Result<HostSpec, String> {
    let (user, place) = match field.rsplit_once('@') {
        Some((user, place)) if is_user(user) => (Some(user.to_owned()), place),
        Some((user, _)) => return Err(format!("`{user}` is not a user name")),
        None => (None, field),
    };
    let (address, port) = split_port(place)?;
    if !is_address(address) {
        return Err(format!("`{address}` is neither a host name nor an IP address"));
    }
    Ok(HostSpec { address: address.to_owned(), port, user, ..HostSpec::default() })
}

fn split_port(place: &str) -> Result<(&str, Option<u16>), String> {
    if let Some(rest) = place.strip_prefix('[') {
        let (address, after) = rest.split_once(']').ok_or("`[` without `]`")?;
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(format!("`{address}` is not an IPv6 address"));
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((address, Some(parse_port(port)?))),
            None if after.is_empty() => Ok((address, None)),
            None => Err(format!("`{after}` after `]`")),
        };
    }
    if place.parse::<std::net::Ipv6Addr>().is_ok() {
        return Ok((place, None));
    }
    match place.split_once(':') {
        Some((address, port)) => Ok((address, Some(parse_port(port)?))),
        None => Ok((place, None)),
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(format!("`{text}` is not a port (1 to 65535)")),
    }
}

/// A host name (RFC 1123) or an IP address.
pub fn is_address(text: &str) -> bool {
    if text.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let all_numeric = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    text.len() <= 253 && !all_numeric && text.trim_end_matches('.').split('.').all(label)
}

fn is_user(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && text.bytes().any(|b| !b.is_ascii_digit() && b != b'.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_as_people_write_it() {
        let list = parse(
            "# testbed\r\n\r\nplanet1.example.org\r\nroot@10.0.0.7:2222 45.76,4.84 site=lyon\n10.0.0.8,ops,48.1,11.5\n[2001:db8::1]:2200\n2001:db8::2 # spare\n",
        );
        assert_eq!(list.errors, []);
        let shown: Vec<_> = list.hosts.iter().map(|h| (h.display(), h.user.clone())).collect();
        assert_eq!(
            shown,
            [
                ("planet1.example.org".to_owned(), None),
                ("10.0.0.7:2222".to_owned(), Some("root".to_owned())),
                ("10.0.0.8".to_owned(), Some("ops".to_owned())),
                ("[2001:db8::1]:2200".to_owned(), None),
                ("2001:db8::2".to_owned(), None),
            ]
        );
        assert_eq!(list.hosts[1].location, Location::new(45.76, 4.84));
        assert_eq!(list.hosts[1].labels["site"], "lyon");
        assert_eq!(list.hosts[2].location, Location::new(48.1, 11.5));
    }

    #[test]
    fn every_wrong_line_is_named_and_the_rest_is_kept() {
        let list = parse("good\nbad host!\nh:0\nh:70000\n[::1\nx 91,0\nx 1\n-x\n1.2.3\nok2\n");
        let lines: Vec<_> = list.errors.iter().map(|e| e.line).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(list.hosts.len(), 2);
    }

    #[test]
    fn duplicates_are_told_with_the_line_of_the_first() {
        let list = parse("a\nA:22\nb\na:23\n");
        assert_eq!(list.hosts.len(), 3);
        assert_eq!(list.duplicates, [LineError { line: 2, reason: "A:22 is already on line 1".into() }]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(?s).{0,400}") {
            let list = parse(&text);
            prop_assert!(list.hosts.iter().all(|h| is_address(&h.address)));
        }

        #[test]
        fn rendering_and_parsing_is_the_identity(
            hosts in proptest::collection::btree_map("[a-z][a-z0-9]{0,8}", (proptest::option::of(1u16..), proptest::option::of("[a-z]{1,8}")), 0..20)
        ) {
            let hosts: Vec<HostSpec> = hosts
                .into_iter()
                .map(|(address, (port, user))| HostSpec { address, port, user, ..HostSpec::default() })
                .collect();
            prop_assert_eq!(parse(&render(&hosts)).hosts, hosts);
        }
    }
}
