//! How a host lies in its table.

use p2ppool_model::host::{Host, HostKnown, HostSpec, Location};
use p2ppool_model::{HostId, PoolId, Time};

use crate::error::Result;
use crate::text::{from_json, parse_opt, uint};

/// `SELECT` of every column that [`HostRow`] needs, from `hosts h`.
macro_rules! select_hosts {
    ($rest:literal) => {
        concat!(
            "SELECT h.id, h.pool_id, h.leaving, h.address, h.port, h.login, h.latitude, h.longitude, h.labels,
                    h.reachable, h.package, h.running, h.node, h.node_memory, h.node_cpu_s, h.node_uptime_s,
                    h.memory_total, h.memory_available, h.host_load, h.disk_free, h.uptime_s, h.arch, h.problem,
                    h.known_at
             FROM hosts h ",
            $rest
        )
    };
}
pub(crate) use select_hosts;

#[derive(sqlx::FromRow)]
pub(crate) struct HostRow {
    id: i64,
    pool_id: i64,
    leaving: bool,
    address: String,
    port: Option<i64>,
    login: Option<String>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    labels: String,
    reachable: Option<bool>,
    package: Option<String>,
    running: Option<bool>,
    node: Option<String>,
    node_memory: Option<i64>,
    node_cpu_s: Option<f64>,
    node_uptime_s: Option<i64>,
    memory_total: Option<i64>,
    memory_available: Option<i64>,
    host_load: Option<f64>,
    disk_free: Option<i64>,
    uptime_s: Option<i64>,
    arch: Option<String>,
    problem: Option<String>,
    known_at: Option<i64>,
}

impl HostRow {
    pub(crate) fn host(self) -> Result<Host> {
        let what = |field| format!("{field} of host {}", self.id);
        Ok(Host {
            id: HostId(self.id),
            pool: PoolId(self.pool_id),
            spec: HostSpec {
                labels: from_json(&what("labels"), &self.labels)?,
                port: self.port.and_then(|port| u16::try_from(port).ok()),
                user: self.login,
                location: self.latitude.zip(self.longitude).and_then(|(lat, lon)| Location::new(lat, lon)),
                address: self.address,
            },
            known: HostKnown {
                package: parse_opt(&format!("package of host {}", self.id), self.package.as_deref())?,
                reachable: self.reachable,
                running: self.running,
                node: self.node,
                node_memory: self.node_memory.map(uint),
                node_cpu_s: self.node_cpu_s,
                node_uptime_s: self.node_uptime_s.map(uint),
                memory_total: self.memory_total.map(uint),
                memory_available: self.memory_available.map(uint),
                load: self.host_load,
                disk_free: self.disk_free.map(uint),
                uptime_s: self.uptime_s.map(uint),
                arch: self.arch,
                problem: self.problem,
                at: self.known_at.map(Time),
            },
            leaving: self.leaving,
        })
    }
}

/// What a filter looks at: address with port, user and labels, in lower case.
pub(crate) fn search_text(spec: &HostSpec) -> String {
    let mut text = spec.display();
    for part in spec.user.iter() {
        text.push(' ');
        text.push_str(part);
    }
    for (key, value) in &spec.labels {
        text.push_str(&format!(" {key}={value}"));
    }
    text.make_ascii_lowercase();
    crate::text::clean(&text)
}

/// Sorts as people count: each run of digits gets its length in front, so that `node2` and
/// `10.0.0.9` come before `node10` and `10.0.0.10`.
pub(crate) fn natural_order(address: &str) -> String {
    let mut order = String::with_capacity(address.len() + 8);
    let mut digits = String::new();
    for c in address.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        push_number(&mut order, &mut digits);
        order.push(c.to_ascii_lowercase());
    }
    push_number(&mut order, &mut digits);
    crate::text::clean(&order)
}

fn push_number(order: &mut String, digits: &mut String) {
    if digits.is_empty() {
        return;
    }
    let number = digits.trim_start_matches('0');
    order.push_str(&format!("{:03}{number}", number.len()));
    digits.clear();
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_comes_before_ten() {
        let mut names = ["node10", "node2", "10.0.0.10", "10.0.0.9", "Node3", "node"];
        names.sort_by_key(|name| natural_order(name));
        assert_eq!(names, ["10.0.0.9", "10.0.0.10", "node", "node2", "Node3", "node10"]);
    }

    proptest! {
        #[test]
        fn addresses_sort_by_their_numbers(a: [u8; 4], b: [u8; 4]) {
            let text = |bytes: [u8; 4]| natural_order(&std::net::Ipv4Addr::from(bytes).to_string());
            prop_assert_eq!(text(a).cmp(&text(b)), a.cmp(&b));
        }
    }
}
