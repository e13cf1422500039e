//! How a node lay in a row of schema 1.

use p2ppool_model::HostId;
use p2ppool_model::host::Location;
use p2ppool_model::snapshot::Node;

use crate::error::Result;
use crate::text::{from_json, parse, parse_opt, uint};

/// `SELECT` of every column that [`NodeRow`] needs, from `nodes_0001 n`.
macro_rules! select_nodes {
    ($rest:literal) => {
        concat!(
            "SELECT n.address, n.status, n.error, n.host_id, n.host_name, n.ip, n.transport_addresses,
                    n.version, n.package, n.namespace, n.consistency, n.connections, n.tcp, n.udp, n.relayed,
                    n.secure, n.retries, n.rtt_ms, n.uptime_s, n.memory, n.cpu_s, n.host_load, n.latitude,
                    n.longitude, n.neighbours, n.details
             FROM nodes_0001 n ",
            $rest
        )
    };
}
pub(crate) use select_nodes;

#[derive(sqlx::FromRow)]
pub(crate) struct NodeRow {
    address: String,
    status: String,
    error: Option<String>,
    host_id: Option<i64>,
    host_name: Option<String>,
    ip: Option<String>,
    transport_addresses: String,
    version: Option<String>,
    package: Option<String>,
    namespace: Option<String>,
    consistency: Option<f64>,
    connections: Option<i64>,
    tcp: Option<i64>,
    udp: Option<i64>,
    relayed: Option<i64>,
    secure: Option<i64>,
    retries: i64,
    rtt_ms: Option<f64>,
    uptime_s: Option<i64>,
    memory: Option<i64>,
    cpu_s: Option<f64>,
    host_load: Option<f64>,
    latitude: Option<f64>,
    longitude: Option<f64>,
    neighbours: String,
    details: String,
}

impl NodeRow {
    pub(crate) fn node(self) -> Result<Node> {
        let what = |field| format!("{field} of node {}", self.address);
        Ok(Node {
            status: parse(&what("status"), &self.status)?,
            transport_addresses: from_json(&what("transport addresses"), &self.transport_addresses)?,
            package: parse_opt(&what("package"), self.package.as_deref())?,
            neighbours: from_json(&what("neighbours"), &self.neighbours)?,
            details: from_json(&what("details"), &self.details)?,
            address: self.address,
            error: self.error,
            host: self.host_id.map(HostId),
            host_name: self.host_name,
            ip: self.ip,
            version: self.version,
            namespace: self.namespace,
            consistency: self.consistency,
            connections: small(self.connections),
            tcp: small(self.tcp),
            udp: small(self.udp),
            relayed: small(self.relayed),
            secure: small(self.secure),
            retries: small(Some(self.retries)).unwrap_or(0),
            rtt_ms: self.rtt_ms,
            uptime_s: self.uptime_s.map(uint),
            memory: self.memory.map(uint),
            cpu_s: self.cpu_s,
            load: self.host_load,
            location: self.latitude.zip(self.longitude).and_then(|(lat, lon)| Location::new(lat, lon)),
        })
    }
}

fn small(number: Option<i64>) -> Option<u32> {
    number.map(|n| u32::try_from(n.max(0)).unwrap_or(u32::MAX))
}
