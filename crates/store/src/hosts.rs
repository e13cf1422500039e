//! Hosts: the list that a person gives, and looking at it.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;

use p2ppool_model::host::{Host, HostSpec, with_port};
use p2ppool_model::host_list::HOSTS_MAX;
use p2ppool_model::{HostId, PoolId};

use crate::Store;
use crate::db::{CHUNK_ROWS, Tx, execute, on};
use crate::error::{Result, StoreError, Tried as _};
use crate::host_rows::{HostRow, natural_order, search_text, select_hosts};
use crate::page::{Listed, Order, Page};
use crate::pools::lock_pool;
use crate::sql::{Sql, count, fetch_all};
use crate::text::{clean, clean_opt, finite, int, to_json, uint};

/// What a new host list changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostsSet {
    /// Hosts that were not there.
    pub added: u64,
    /// Hosts that were there, leaving ones that came back included.
    pub kept: u64,
    /// Hosts that are not on the list and now only wait to be clean, earlier ones included.
    pub leaving: u64,
}

/// How many hosts of a pool are how. Leaving hosts count only as leaving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// Hosts of the list.
    pub total: u64,
    /// Of them, those that could be reached when last tried.
    pub reachable: u64,
    /// Of them, those whose node was up when last looked at.
    pub running: u64,
    /// Of them, those never tried.
    pub unknown: u64,
    /// Hosts taken off the list that are not clean yet.
    pub leaving: u64,
}

/// Where a host of the list is; what is known of it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPlace {
    /// The host.
    pub host: HostId,
    /// Its address as people see it, with its port where it has one.
    pub address: String,
    /// It was taken off the list, and only waits to be clean.
    pub leaving: bool,
}

/// Which hosts, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFilter {
    /// Part of address, user, label (`site=lyon`), node, package or problem; empty: all.
    pub text: String,
    /// Only those that could (or could not) be reached.
    pub reachable: Option<bool>,
    /// Only those whose node was up (or not).
    pub running: Option<bool>,
    /// Only those taken off the list (or not).
    pub leaving: Option<bool>,
    /// Sorted by.
    pub sort: HostSort,
    /// Up or down.
    pub order: Order,
}

macro_rules! host_sorts {
    ($($(#[$doc:meta])* $name:ident, $text:literal, $column:literal;)*) => {
        /// What hosts can be sorted by.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub enum HostSort {
            $($(#[$doc])* $name,)*
        }

        impl HostSort {
            /// Everything that hosts can be sorted by.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The name used in the API.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }

            fn column(self) -> &'static str {
                match self { $(Self::$name => $column),* }
            }
        }
    };
}

host_sorts! {
    /// Place in the host list.
    #[default]
    Line, "line", "h.line";
    /// Address, as people count: `node2` before `node10`.
    Address, "address", "h.address_order";
    /// User name of its own.
    User, "user", "h.login";
    /// Reached when last tried.
    Reachable, "reachable", "h.reachable";
    /// Node up when last looked at.
    Running, "running", "h.running";
    /// Installed package.
    Package, "package", "h.package";
    /// Overlay address.
    Node, "node", "h.node";
    /// Memory of the node.
    NodeMemory, "node_memory", "h.node_memory";
    /// CPU time of the node.
    NodeCpu, "node_cpu_s", "h.node_cpu_s";
    /// Uptime of the node.
    NodeUptime, "node_uptime_s", "h.node_uptime_s";
    /// Memory of the host.
    MemoryTotal, "memory_total", "h.memory_total";
    /// Available memory of the host.
    MemoryAvailable, "memory_available", "h.memory_available";
    /// Load average.
    Load, "load", "h.host_load";
    /// Free disk space.
    DiskFree, "disk_free", "h.disk_free";
    /// Uptime of the host.
    Uptime, "uptime_s", "h.uptime_s";
    /// Machine architecture.
    Arch, "arch", "h.arch";
    /// What went wrong.
    Problem, "problem", "h.problem";
    /// When this was learnt.
    At, "at", "h.known_at";
}

impl FromStr for HostSort {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|sort| sort.as_str() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|sort| sort.as_str()).collect();
            format!("hosts can't be sorted by `{text}` (known: {})", known.join(", "))
        })
    }
}

impl Store {
    /// Makes this the host list of the pool, in one transaction. Hosts are the same when their
    /// [`HostSpec::key`] is the same (of several, the first counts); what is known of them stays.
    /// Hosts that are not on the list are marked as leaving until somebody deletes them.
    /// [`StoreError::Conflict`] for more than [`HOSTS_MAX`] hosts.
    pub async fn set_hosts(&self, pool: PoolId, list: &[HostSpec]) -> Result<HostsSet> {
        let mut tx = self.db.begin().await?;
        lock_pool(&mut tx, pool).await?;
        let set = set_hosts(&mut tx, pool, list).await?;
        tx.commit().await?;
        Ok(set)
    }

    /// The host with this id.
    pub async fn host(&self, id: HostId) -> Result<Host> {
        let row: Option<HostRow> = on!(self.db.read(), conn => {
            sqlx::query_as(select_hosts!("WHERE h.id = $1")).bind(id.0).fetch_optional(conn).await
        })
        .tried("read a host")?;
        row.ok_or_else(|| StoreError::not_found(format!("host {id}")))?.host()
    }

    /// The host of a pool with this address (upper and lower case alike) and SSH port.
    pub async fn host_at(&self, pool: PoolId, address: &str, port: u16) -> Result<Host> {
        let row: Option<HostRow> = on!(self.db.read(), conn => {
            sqlx::query_as(select_hosts!("WHERE h.pool_id = $1 AND h.address_key = $2 AND h.ssh_port = $3"))
                .bind(pool.0)
                .bind(address.to_ascii_lowercase())
                .bind(i64::from(port))
                .fetch_optional(conn)
                .await
        })
        .tried("read a host")?;
        row.ok_or_else(|| StoreError::not_found(format!("host {address}:{port} in pool {pool}")))?.host()
    }

    /// Every host of the pool, leaving ones, too, in the order of the host list.
    pub async fn pool_hosts(&self, pool: PoolId) -> Result<Vec<Host>> {
        let rows: Vec<HostRow> = on!(self.db.read(), conn => {
            sqlx::query_as(select_hosts!("WHERE h.pool_id = $1 ORDER BY h.leaving, h.line, h.id"))
                .bind(pool.0)
                .fetch_all(conn)
                .await
        })
        .tried("list hosts")?;
        rows.into_iter().map(HostRow::host).collect()
    }

    /// What [`Self::pool_hosts`] lists, without what is known of each: a fifth of the work when a task is queued.
    pub async fn pool_host_places(&self, pool: PoolId) -> Result<Vec<HostPlace>> {
        let rows: Vec<(i64, String, Option<i64>, bool)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT id, address, port, leaving FROM hosts WHERE pool_id = $1 ORDER BY leaving, line, id",
            )
            .bind(pool.0)
            .fetch_all(conn)
            .await
        })
        .tried("list hosts")?;
        let place = |(id, address, port, leaving): (i64, String, Option<i64>, bool)| HostPlace {
            host: HostId(id),
            address: with_port(&address, port.and_then(|port| u16::try_from(port).ok())),
            leaving,
        };
        Ok(rows.into_iter().map(place).collect())
    }

    /// A page of the hosts that a filter lets through.
    pub async fn hosts(&self, pool: PoolId, filter: &HostFilter, page: Page) -> Result<Listed<Host>> {
        let wanted = Sql::new("")
            .with("WHERE h.pool_id = ", pool.0)
            .with_some(" AND h.reachable = ", filter.reachable)
            .with_some(" AND h.running = ", filter.running)
            .with_some(" AND h.leaving = ", filter.leaving)
            .containing(&["h.search", "h.node", "h.package", "h.problem"], &filter.text);
        let mut tx = self.db.begin_read().await?;
        let total = count!(tx.conn(), wanted.after("SELECT COUNT(*) FROM hosts h ")).tried("count hosts")?;
        let sorted = wanted.after(select_hosts!("")).paged(&[filter.sort.column()], filter.order, "h.id", page);
        let rows = fetch_all!(tx.conn(), HostRow, sorted).tried("list hosts")?;
        let items = rows.into_iter().map(HostRow::host).collect::<Result<_>>()?;
        Ok(Listed { total, items })
    }

    /// Forgets hosts, such as leaving ones that are clean; tells how many there were.
    pub async fn delete_hosts(&self, ids: &[HostId]) -> Result<u64> {
        let mut gone = 0;
        let mut tx = self.db.begin().await?;
        for chunk in ids.chunks(CHUNK_ROWS) {
            gone += on!(tx.conn(), conn: DB => {
                let mut query = sqlx::QueryBuilder::<DB>::new("DELETE FROM hosts WHERE id IN (");
                let mut list = query.separated(", ");
                for id in chunk {
                    list.push_bind(id.0);
                }
                query.push(")").build().persistent(false).execute(conn).await.map(|done| done.rows_affected())
            })
            .tried("delete hosts")?;
        }
        tx.commit().await?;
        Ok(gone)
    }

    /// How many hosts of each pool are how; pools without hosts are not in it.
    pub async fn host_counts(&self) -> Result<HashMap<PoolId, HostCounts>> {
        let rows: Vec<(i64, i64, i64, i64, i64, i64)> = on!(self.db.read(), conn => {
            sqlx::query_as(
                "SELECT pool_id,
                        COUNT(*) FILTER (WHERE leaving = $2),
                        COUNT(*) FILTER (WHERE leaving = $2 AND reachable = $1),
                        COUNT(*) FILTER (WHERE leaving = $2 AND running = $1),
                        COUNT(*) FILTER (WHERE leaving = $2 AND reachable IS NULL),
                        COUNT(*) FILTER (WHERE leaving = $1)
                 FROM hosts GROUP BY pool_id",
            )
            .bind(true)
            .bind(false)
            .fetch_all(conn)
            .await
        })
        .tried("count hosts")?;
        let counts = |row: (i64, i64, i64, i64, i64, i64)| HostCounts {
            total: uint(row.1),
            reachable: uint(row.2),
            running: uint(row.3),
            unknown: uint(row.4),
            leaving: uint(row.5),
        };
        Ok(rows.into_iter().map(|row| (PoolId(row.0), counts(row))).collect())
    }
}

/// [`Store::set_hosts`] in a transaction that holds the pool's lock.
pub(crate) async fn set_hosts(tx: &mut Tx, pool: PoolId, list: &[HostSpec]) -> Result<HostsSet> {
    let mut seen = HashSet::with_capacity(list.len());
    let specs: Vec<&HostSpec> = list.iter().filter(|spec| seen.insert(spec.key())).collect();
    if specs.len() > HOSTS_MAX {
        return Err(StoreError::conflict(format!("a pool has at most {HOSTS_MAX} hosts, not {}", specs.len())));
    }
    let before: Vec<(String, i64)> = on!(tx.conn(), conn => {
        sqlx::query_as("SELECT address_key, ssh_port FROM hosts WHERE pool_id = $1")
            .bind(pool.0)
            .fetch_all(conn)
            .await
    })
    .tried("read the host list")?;
    let kept = before
        .iter()
        .filter(|(address, port)| u16::try_from(*port).is_ok_and(|port| seen.contains(&(address.clone(), port))))
        .count() as u64;

    execute!(tx.conn(), "UPDATE hosts SET leaving = $1 WHERE pool_id = $2", true, pool.0)
        .tried("write the host list")?;
    let numbered: Vec<(usize, &HostSpec)> = specs.iter().copied().enumerate().collect();
    for chunk in numbered.chunks(CHUNK_ROWS) {
        insert_hosts(tx, pool, chunk).await?;
    }
    Ok(HostsSet { added: specs.len() as u64 - kept, kept, leaving: before.len() as u64 - kept })
}

async fn insert_hosts(tx: &mut Tx, pool: PoolId, specs: &[(usize, &HostSpec)]) -> Result<()> {
    let labels: Vec<String> = specs.iter().map(|(_, spec)| to_json("labels", &spec.labels)).collect::<Result<_>>()?;
    on!(tx.conn(), conn: DB => {
        let mut query = sqlx::QueryBuilder::<DB>::new(
            "INSERT INTO hosts (pool_id, address_key, ssh_port, line, leaving, address, port, login, latitude,
                                longitude, labels, search, address_order) ",
        );
        query.push_values(specs.iter().zip(labels), |mut row, ((line, spec), labels)| {
            let (address_key, ssh_port) = spec.key();
            row.push_bind(pool.0)
                .push_bind(address_key)
                .push_bind(i64::from(ssh_port))
                .push_bind(int(*line as u64))
                .push_bind(false)
                .push_bind(clean(&spec.address))
                .push_bind(spec.port.map(i64::from))
                .push_bind(clean_opt(spec.user.as_deref()))
                .push_bind(finite(spec.location.map(|location| location.latitude)))
                .push_bind(finite(spec.location.map(|location| location.longitude)))
                .push_bind(labels)
                .push_bind(search_text(spec))
                .push_bind(natural_order(&spec.address));
        });
        query.push(
            " ON CONFLICT (pool_id, address_key, ssh_port) DO UPDATE SET
                  line = excluded.line, leaving = excluded.leaving, address = excluded.address,
                  port = excluded.port, login = excluded.login, latitude = excluded.latitude,
                  longitude = excluded.longitude, labels = excluded.labels, search = excluded.search,
                  address_order = excluded.address_order",
        );
        query.build().persistent(specs.len() == CHUNK_ROWS).execute(conn).await.map(drop)
    })
    .tried("write the host list")
}
