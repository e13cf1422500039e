//! The nodes of a snapshot.

use std::collections::HashSet;
use std::str::FromStr;

use futures::stream::{self, Stream, TryStreamExt as _};
use p2ppool_model::host::{Host, Location};
use p2ppool_model::snapshot::{Node, NodeStatus, Snapshot};
use p2ppool_model::{CrawlId, PoolId, Time};

use crate::Store;
use crate::db::on;
use crate::error::{Result, StoreError, Tried as _};
use crate::host_rows::{HostRow, select_hosts};
use crate::node_rows::{NodeRow, select_nodes};
use crate::page::{Listed, Order, Page};
use crate::sql::{Sql, count, fetch_all};
use crate::text::parse;

/// Rows read at once while streaming. Each part is a statement of its own: a viewer that reads
/// slowly holds neither a connection nor an old state of the database.
const STREAM_ROWS: i64 = 1_000;

/// Which nodes, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeFilter {
    /// Part of overlay address, host name, IP, version, namespace, virtual IP or package; empty: all.
    pub text: String,
    /// Only those of this status.
    pub status: Option<NodeStatus>,
    /// Only those of this namespace.
    pub namespace: Option<String>,
    /// Sorted by.
    pub sort: NodeSort,
    /// Up or down.
    pub order: Order,
}

/// A node on the map.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePoint {
    /// Overlay address.
    pub address: String,
    /// Name or IP of its host.
    pub host_name: Option<String>,
    /// Namespace, as it says.
    pub namespace: Option<String>,
    /// Did it answer?
    pub status: NodeStatus,
    /// 0 to 1.
    pub consistency: Option<f64>,
    /// Where it is.
    pub location: Option<Location>,
}

macro_rules! node_sorts {
    ($($(#[$doc:meta])* $name:ident, $text:literal, [$($column:literal),+];)*) => {
        /// What nodes can be sorted by: every column that is shown.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum NodeSort {
            $($(#[$doc])* $name,)*
        }

        impl NodeSort {
            /// Everything that nodes can be sorted by.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name used in the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            fn columns(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($column),+]),* }
            }
        }
    };
}

node_sorts! {
    /// Overlay address.
    #[default]
    Address, "address", ["n.address"];
    /// Name or IP of its host.
    HostName, "host_name", ["n.host_name"];
    /// IP address.
    Ip, "ip", ["n.ip"];
    /// Status, by name.
    Status, "status", ["n.status"];
    /// Why it did not answer.
    Error, "error", ["n.error"];
    /// Program and version.
    Version, "version", ["n.version"];
    /// Package.
    Package, "package", ["n.package"];
    /// Namespace.
    Namespace, "namespace", ["n.namespace"];
    /// First virtual IP.
    VirtualIp, "virtual_ip", ["n.virtual_ip"];
    /// Consistency.
    Consistency, "consistency", ["n.consistency"];
    /// Connections.
    Connections, "connections", ["n.connections"];
    /// Connections over TCP.
    Tcp, "tcp", ["n.tcp"];
    /// Connections over UDP.
    Udp, "udp", ["n.udp"];
    /// Relayed connections.
    Relayed, "relayed", ["n.relayed"];
    /// Secure associations.
    Secure, "secure", ["n.secure"];
    /// Retries.
    Retries, "retries", ["n.retries"];
    /// Round-trip time.
    Rtt, "rtt_ms", ["n.rtt_ms"];
    /// Uptime.
    Uptime, "uptime_s", ["n.uptime_s"];
    /// Memory.
    Memory, "memory", ["n.memory"];
    /// CPU time.
    Cpu, "cpu_s", ["n.cpu_s"];
    /// Load average.
    Load, "load", ["n.host_load"];
    /// Latitude, then longitude.
    Location, "location", ["n.latitude", "n.longitude"];
}

impl FromStr for NodeSort {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|sort| sort.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|sort| sort.as_str()).collect();
            format!("nodes can't be sorted by `{text}` (known: {})", known.join(", "))
        })
    }
}

#[derive(sqlx::FromRow)]
struct PointRow {
    id: i64,
    address: String,
    host_name: Option<String>,
    namespace: Option<String>,
    status: String,
    consistency: Option<f64>,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl PointRow {
    fn point(self) -> Result<NodePoint> {
        Ok(NodePoint {
            status: parse("status of a node", &self.status)?,
            location: self.latitude.zip(self.longitude).and_then(|(lat, lon)| Location::new(lat, lon)),
            address: self.address,
            host_name: self.host_name,
            namespace: self.namespace,
            consistency: self.consistency,
        })
    }
}

impl Store {
    /// A page of the nodes of a snapshot that a filter lets through.
    pub async fn nodes(&self, crawl: CrawlId, filter: &NodeFilter, page: Page) -> Result<Listed<Node>> {
        let columns = ["n.address", "n.host_name", "n.ip", "n.version", "n.namespace", "n.virtual_ip", "n.package"];
        let wanted = Sql::new("")
            .with("WHERE n.snapshot_id = ", crawl.0)
            .with_some(" AND n.status = ", filter.status.map(NodeStatus::as_str))
            .with_some(" AND n.namespace = ", filter.namespace.as_deref())
            .containing(&columns, &filter.text);
        let mut tx = self.db.begin_read().await?;
        let total = count!(tx.conn(), wanted.after("SELECT COUNT(*) FROM nodes n ")).tried("count nodes")?;
        let sorted = wanted.after(select_nodes!("")).paged(filter.sort.columns(), filter.order, "n.id", page);
        let rows = fetch_all!(tx.conn(), NodeRow, sorted).tried("list nodes")?;
        let items = rows.into_iter().map(NodeRow::node).collect::<Result<_>>()?;
        Ok(Listed { total, items })
    }

    /// One node of a snapshot by its overlay address.
    pub async fn node(&self, crawl: CrawlId, address: &str) -> Result<Node> {
        let row: Option<NodeRow> = on!(self.db.read(), conn => {
            sqlx::query_as(select_nodes!("WHERE n.snapshot_id = $1 AND n.address = $2 ORDER BY n.id LIMIT 1"))
                .bind(crawl.0)
                .bind(crate::text::clean(address))
                .fetch_optional(conn)
                .await
        })
        .tried("read a node")?;
        row.ok_or_else(|| StoreError::not_found(format!("node {address} in crawl {crawl}")))?.node()
    }

    /// Every node of a snapshot, as columns.
    pub async fn node_table(&self, crawl: CrawlId) -> Result<std::sync::Arc<p2ppool_model::table::NodeTable>> {
        let nodes: Vec<Node> = self.stream_nodes(crawl).try_collect().await?;
        Ok(std::sync::Arc::new(p2ppool_model::table::NodeTable::of(&nodes)))
    }

    /// Overlay addresses of the nodes that answered.
    pub async fn answering(&self, crawl: CrawlId) -> Result<HashSet<String>> {
        let rows: Vec<String> = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT address FROM nodes WHERE snapshot_id = $1 AND status = $2")
                .bind(crawl.0)
                .bind(NodeStatus::Answering.as_str())
                .fetch_all(conn)
                .await
        })
        .tried("list answering nodes")?;
        Ok(rows.into_iter().collect())
    }

    /// Overlay addresses that answered in the newest snapshot of a pool; `None` when it has no snapshot.
    /// What [`p2ppool_model::snapshot::Totals::of`] compares a new crawl with.
    pub async fn answering_before(&self, pool: PoolId) -> Result<Option<HashSet<String>>> {
        match self.newest_snapshot(pool).await? {
            Some(snapshot) => self.answering(snapshot.id).await.map(Some),
            None => Ok(None),
        }
    }

    /// A page of the hosts, in the order of the host list, that should be in the overlay and whose
    /// node did not answer in this snapshot.
    pub async fn missing_hosts(&self, crawl: CrawlId, page: Page) -> Result<Listed<Host>> {
        let wanted = Sql::new("")
            .with("WHERE h.pool_id = (SELECT pool_id FROM snapshots WHERE id = ", crawl.0)
            .with(") AND h.leaving = ", false)
            .with(" AND h.id NOT IN (SELECT host_id FROM nodes WHERE host_id IS NOT NULL AND snapshot_id = ", crawl.0)
            .with(" AND status = ", NodeStatus::Answering.as_str())
            .closed();
        let mut tx = self.db.begin_read().await?;
        let total = count!(tx.conn(), wanted.after("SELECT COUNT(*) FROM hosts h ")).tried("count missing hosts")?;
        let sorted = wanted.after(select_hosts!("")).paged(&["h.line"], Order::Ascending, "h.id", page);
        let rows = fetch_all!(tx.conn(), HostRow, sorted).tried("list missing hosts")?;
        let items = rows.into_iter().map(HostRow::host).collect::<Result<_>>()?;
        Ok(Listed { total, items })
    }

    /// Every node of a snapshot in the order it was stored, with flat memory.
    pub fn stream_nodes(&self, crawl: CrawlId) -> impl Stream<Item = Result<Node>> + Send + use<> {
        let part = move |(store, after): (Store, i64)| async move {
            let rows: Vec<NodeRow> = on!(store.db.read(), conn => {
                sqlx::query_as(select_nodes!("WHERE n.snapshot_id = $1 AND n.id > $2 ORDER BY n.id LIMIT $3"))
                    .bind(crawl.0)
                    .bind(after)
                    .bind(STREAM_ROWS)
                    .fetch_all(conn)
                    .await
            })
            .tried("read nodes")?;
            let next = rows.last().map(|row| row.id);
            Ok(next.map(|next| (stream::iter(rows.into_iter().map(NodeRow::node)), (store, next))))
        };
        stream::try_unfold((self.clone(), 0), part).try_flatten()
    }

    /// Every node of every snapshot of a pool that began in this time, oldest snapshot first, with
    /// flat memory. `None`: no bound.
    pub fn stream_nodes_between(
        &self,
        pool: PoolId,
        from: Option<Time>,
        until: Option<Time>,
    ) -> impl Stream<Item = Result<(Snapshot, Node)>> + Send + use<> {
        let store = self.clone();
        self.stream_snapshots(pool, from, until)
            .map_ok(move |snapshot| store.stream_nodes(snapshot.id).map_ok(move |node| (snapshot.clone(), node)))
            .try_flatten()
    }

    /// Every node of a snapshot for the map, with flat memory.
    pub fn stream_points(&self, crawl: CrawlId) -> impl Stream<Item = Result<NodePoint>> + Send + use<> {
        let part = move |(store, after): (Store, i64)| async move {
            let rows: Vec<PointRow> = on!(store.db.read(), conn => {
                sqlx::query_as(
                    "SELECT id, address, host_name, namespace, status, consistency, latitude, longitude
                     FROM nodes WHERE snapshot_id = $1 AND id > $2 ORDER BY id LIMIT $3",
                )
                .bind(crawl.0)
                .bind(after)
                .bind(STREAM_ROWS)
                .fetch_all(conn)
                .await
            })
            .tried("read nodes")?;
            let next = rows.last().map(|row| row.id);
            Ok(next.map(|next| (stream::iter(rows.into_iter().map(PointRow::point)), (store, next))))
        };
        stream::try_unfold((self.clone(), 0), part).try_flatten()
    }
}
