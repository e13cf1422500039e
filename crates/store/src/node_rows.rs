//! How a node lies in its table. Only this file and `nodes` know.

use p2ppool_model::host::Location;
use p2ppool_model::snapshot::{Node, NodeDetails};
use p2ppool_model::{CrawlId, Digest, HostId};

use crate::db::{CHUNK_ROWS, Tx, on};
use crate::error::{Result, Tried as _};
use crate::text::{clean, clean_opt, finite, from_json, int, parse, parse_opt, to_json, uint};

/// `SELECT` of every column that [`NodeRow`] needs, from `nodes n`.
macro_rules! select_nodes {
    ($rest:literal) => {
        concat!(
            "SELECT n.id, n.address, n.status, n.error, n.host_id, n.host_name, n.ip, n.transport_addresses,
                    n.version, n.package, n.namespace, n.consistency, n.connections, n.tcp, n.udp, n.relayed,
                    n.secure, n.retries, n.rtt_ms, n.uptime_s, n.memory, n.cpu_s, n.host_load, n.latitude,
                    n.longitude, n.neighbours, n.details
             FROM nodes n ",
            $rest
        )
    };
}
pub(crate) use select_nodes;

#[derive(sqlx::FromRow)]
pub(crate) struct NodeRow {
    pub(crate) id: i64,
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

/// The parts of a node that lie as text.
struct Texts<'a> {
    node: &'a Node,
    transport_addresses: String,
    virtual_ip: Option<String>,
    neighbours: String,
    details: String,
}

impl<'a> Texts<'a> {
    fn of(node: &'a Node) -> Result<Self> {
        let virtual_ip = match &node.details {
            NodeDetails::Brunet(brunet) => brunet.virtual_ips.first().map(|ip| clean(ip)),
            NodeDetails::Libp2p { .. } => None,
        };
        Ok(Self {
            node,
            transport_addresses: to_json("transport addresses", &node.transport_addresses)?,
            virtual_ip,
            neighbours: to_json("neighbours", &node.neighbours)?,
            details: to_json("details of a node", &node.details)?,
        })
    }
}

/// Stores the nodes of a snapshot, in their order.
pub(crate) async fn insert_nodes(tx: &mut Tx, crawl: CrawlId, nodes: &[Node]) -> Result<()> {
    for chunk in nodes.chunks(CHUNK_ROWS) {
        let texts: Vec<Texts<'_>> = chunk.iter().map(Texts::of).collect::<Result<_>>()?;
        insert_chunk(tx, crawl, texts).await?;
    }
    Ok(())
}

async fn insert_chunk(tx: &mut Tx, crawl: CrawlId, chunk: Vec<Texts<'_>>) -> Result<()> {
    let full = chunk.len() == CHUNK_ROWS;
    on!(tx.conn(), conn: DB => {
        let mut query = sqlx::QueryBuilder::<DB>::new(
            "INSERT INTO nodes (snapshot_id, address, status, error, host_id, host_name, ip, transport_addresses,
                 version, package, namespace, virtual_ip, consistency, connections, tcp, udp, relayed, secure,
                 retries, rtt_ms, uptime_s, memory, cpu_s, host_load, latitude, longitude, neighbours, details) ",
        );
        query.push_values(chunk, |mut row, texts| {
            let node = texts.node;
            row.push_bind(crawl.0)
                .push_bind(clean(&node.address))
                .push_bind(node.status.as_str())
                .push_bind(clean_opt(node.error.as_deref()))
                .push_bind(node.host.map(|id| id.0))
                .push_bind(clean_opt(node.host_name.as_deref()))
                .push_bind(clean_opt(node.ip.as_deref()))
                .push_bind(texts.transport_addresses)
                .push_bind(clean_opt(node.version.as_deref()))
                .push_bind(node.package.as_ref().map(Digest::as_str))
                .push_bind(clean_opt(node.namespace.as_deref()))
                .push_bind(texts.virtual_ip)
                .push_bind(finite(node.consistency))
                .push_bind(node.connections.map(i64::from))
                .push_bind(node.tcp.map(i64::from))
                .push_bind(node.udp.map(i64::from))
                .push_bind(node.relayed.map(i64::from))
                .push_bind(node.secure.map(i64::from))
                .push_bind(i64::from(node.retries))
                .push_bind(finite(node.rtt_ms))
                .push_bind(node.uptime_s.map(int))
                .push_bind(node.memory.map(int))
                .push_bind(finite(node.cpu_s))
                .push_bind(finite(node.load))
                .push_bind(finite(node.location.map(|location| location.latitude)))
                .push_bind(finite(node.location.map(|location| location.longitude)))
                .push_bind(texts.neighbours)
                .push_bind(texts.details);
        });
        query.build().persistent(full).execute(conn).await.map(drop)
    })
    .tried("store nodes")
}
