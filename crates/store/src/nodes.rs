//! The nodes of a snapshot.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures::stream::{self, Stream, StreamExt as _, TryStreamExt as _};
use p2ppool_model::host::{Host, Location};
use p2ppool_model::snapshot::{Node, NodeStatus, Snapshot};
use p2ppool_model::table::{NodeTable, Number, TextId, Word};
use p2ppool_model::{CrawlId, HostId, PoolId, Time};

use crate::Store;
use crate::db::on;
use crate::detail::{TableReader, on_a_core};
use crate::error::{Result, StoreError, Tried as _};
use crate::host_rows::{HostRow, select_hosts};
use crate::node_query::{self, NodeFilter};
use crate::page::{Listed, PAGE_MAX, Page};

/// Most namespaces that are told of a snapshot: more than a person chooses from, and nodes say what they like.
pub const NAMESPACES_MAX: usize = 100;

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

impl NodePoint {
    fn of(table: &NodeTable, row: usize) -> Self {
        Self {
            address: table.address(row).to_owned(),
            host_name: table.word(Word::HostName, row).map(str::to_owned),
            namespace: table.word(Word::Namespace, row).map(str::to_owned),
            status: table.status(row),
            consistency: table.float(Number::Consistency, row),
            location: table.location(row),
        }
    }
}

impl Store {
    /// A page of the nodes of a snapshot that a filter lets through.
    pub async fn nodes(&self, crawl: CrawlId, filter: &NodeFilter, page: Page) -> Result<Listed<Node>> {
        let (table, filter) = (self.node_table(crawl).await?, filter.clone());
        on_a_core(move || {
            let rows = node_query::rows(&table, &filter);
            let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
            let shown = rows.iter().skip(skip).take(page.limit.min(PAGE_MAX) as usize);
            Listed { total: rows.len() as u64, items: shown.map(|row| table.node(*row as usize)).collect() }
        })
        .await
    }

    /// The namespaces that the nodes of a snapshot tell and how many nodes tell each: those with most nodes first, equal
    /// ones by name, at most [`NAMESPACES_MAX`].
    pub async fn namespaces(&self, crawl: CrawlId) -> Result<Vec<(String, u64)>> {
        let table = self.node_table(crawl).await?;
        let mut nodes: HashMap<TextId, u64> = HashMap::new();
        for id in &table.words[Word::Namespace.at()] {
            *nodes.entry(*id).or_default() += 1;
        }
        let told = nodes.into_iter().filter_map(|(id, nodes)| Some((table.texts.known(id)?, nodes)));
        let mut told: Vec<(&str, u64)> = told.collect();
        told.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
        Ok(told.into_iter().take(NAMESPACES_MAX).map(|(name, nodes)| (name.to_owned(), nodes)).collect())
    }

    /// One node of a snapshot by its overlay address.
    pub async fn node(&self, crawl: CrawlId, address: &str) -> Result<Node> {
        let table = self.node_table(crawl).await?;
        let row = table.row_of(address);
        let row = row.ok_or_else(|| StoreError::not_found(format!("node {address} in crawl {crawl}")))?;
        Ok(table.node(row))
    }

    /// Overlay addresses of the nodes that answered.
    pub async fn answering(&self, crawl: CrawlId) -> Result<HashSet<String>> {
        let table = self.node_table(crawl).await?;
        let answering = (0..table.len()).filter(|row| table.is_answering(*row));
        Ok(answering.map(|row| table.address(row).to_owned()).collect())
    }

    /// Overlay addresses that answered in the newest snapshot of a pool; `None` when it has no snapshot.
    /// What [`p2ppool_model::snapshot::Totals::of`] compares a new crawl with.
    pub async fn answering_before(&self, pool: PoolId) -> Result<Option<HashSet<String>>> {
        match self.newest_snapshot(pool).await? {
            Some(snapshot) => match self.answering(snapshot.id).await {
                // it is so old that its nodes are not kept any more
                Err(StoreError::NotFound { .. }) => Ok(None),
                answering => answering.map(Some),
            },
            None => Ok(None),
        }
    }

    /// A page of the hosts, in the order of the host list, that should be in the overlay and whose
    /// node did not answer in this snapshot.
    pub async fn missing_hosts(&self, crawl: CrawlId, page: Page) -> Result<Listed<Host>> {
        let pool = self.snapshot(crawl).await?.pool;
        let table = self.node_table(crawl).await?;
        let hosts: Vec<i64> = on!(self.db.read(), conn => {
            sqlx::query_scalar("SELECT id FROM hosts WHERE pool_id = $1 AND NOT leaving ORDER BY line, id")
                .bind(pool.0)
                .fetch_all(conn)
                .await
        })
        .tried("list hosts")?;
        let seen: HashSet<HostId> =
            (0..table.len()).filter(|row| table.is_answering(*row)).filter_map(|row| table.host(row)).collect();
        let missing: Vec<i64> = hosts.into_iter().filter(|id| !seen.contains(&HostId(*id))).collect();
        let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
        let shown: Vec<i64> = missing.iter().copied().skip(skip).take(page.limit.min(PAGE_MAX) as usize).collect();
        Ok(Listed { total: missing.len() as u64, items: self.hosts_by_id(&shown).await? })
    }

    /// These hosts, in this order; those that are gone are left out.
    async fn hosts_by_id(&self, ids: &[i64]) -> Result<Vec<Host>> {
        let mut hosts = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(crate::db::CHUNK_ROWS) {
            let rows: Vec<HostRow> = on!(self.db.read(), conn: DB => {
                let mut query = sqlx::QueryBuilder::<DB>::new(select_hosts!("WHERE h.id IN ("));
                let mut list = query.separated(", ");
                chunk.iter().for_each(|id| {
                    list.push_bind(*id);
                });
                query.push(") ORDER BY h.line, h.id");
                query.build_query_as().persistent(false).fetch_all(conn).await
            })
            .tried("read hosts")?;
            for row in rows {
                hosts.push(row.host()?);
            }
        }
        Ok(hosts)
    }

    /// Every node of a snapshot, by overlay address.
    pub fn stream_nodes(&self, crawl: CrawlId) -> impl Stream<Item = Result<Node>> + Send + use<> {
        self.stream_rows(crawl, NodeTable::node)
    }

    /// Every node of a snapshot for the map.
    pub fn stream_points(&self, crawl: CrawlId) -> impl Stream<Item = Result<NodePoint>> + Send + use<> {
        self.stream_rows(crawl, NodePoint::of)
    }

    fn stream_rows<T: Send + 'static>(
        &self,
        crawl: CrawlId,
        read: fn(&NodeTable, usize) -> T,
    ) -> impl Stream<Item = Result<T>> + Send + use<T> {
        let store = self.clone();
        let table = stream::once(async move { store.node_table(crawl).await });
        table.map_ok(move |table| stream::iter(0..table.len()).map(move |row| Ok(read(&table, row)))).try_flatten()
    }

    /// The snapshots of a pool that began in this time with all their nodes, oldest first, one at a time and
    /// past the cache: the memory of three tables, however long the time. `None`: no bound. Snapshots whose
    /// nodes are not kept any more are left out.
    pub fn stream_tables(
        &self,
        pool: PoolId,
        from: Option<Time>,
        until: Option<Time>,
    ) -> impl Stream<Item = Result<(Snapshot, Arc<NodeTable>)>> + Send + use<> {
        let snapshots = self.stream_snapshots(pool, from, until).boxed();
        let next = |(mut reader, mut snapshots): (TableReader, stream::BoxStream<'static, _>)| async move {
            while let Some(snapshot) = snapshots.try_next().await? {
                match reader.read(&snapshot).await {
                    Err(StoreError::NotFound { .. }) => {}
                    table => return Ok(Some(((snapshot, table?), (reader, snapshots)))),
                }
            }
            Ok(None)
        };
        stream::try_unfold((self.table_reader(), snapshots), next)
    }

    /// Every node of every snapshot of a pool that began in this time, oldest snapshot first, with
    /// flat memory. `None`: no bound.
    pub fn stream_nodes_between(
        &self,
        pool: PoolId,
        from: Option<Time>,
        until: Option<Time>,
    ) -> impl Stream<Item = Result<(Snapshot, Node)>> + Send + use<> {
        self.stream_tables(pool, from, until)
            .map_ok(|(snapshot, table)| {
                stream::iter(0..table.len()).map(move |row| Ok((snapshot.clone(), table.node(row))))
            })
            .try_flatten()
    }
}
